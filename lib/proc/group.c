/* SPDX-License-Identifier: MIT */
/*
 * Process groups and sessions. Both exist while somebody is in them.
 */
#include <lib/proc/proc.h>

#include <lib/proc/state.h>

/* Each group lies in one session: who joins one is in its session already. */
static int
session_get(struct proc *proc, uint32_t sid, struct proc_session **out_session)
{
	struct proc_session *session = session_find(proc, sid);

	*out_session = session;
	if (session != NULL)
		return 0;
	session = arena_alloc(proc->arena, sizeof(*session));
	if (session == NULL ||
	    arena_list_init(proc->arena, &session->groups) != OK)
		return E_NOMEM;
	session->sid = sid;
	*out_session = session;
	return from_status(arena_map_put(proc->arena, proc->table->by_sid, sid,
	    session));
}

static int
group_get(struct proc *proc, uint32_t pgid, uint32_t sid,
    struct proc_group **out_group)
{
	struct proc_group *group = group_find(proc, pgid);

	*out_group = group;
	if (group != NULL)
		return 0;
	group = arena_alloc(proc->arena, sizeof(*group));
	if (group == NULL ||
	    arena_list_init(proc->arena, &group->members) != OK ||
	    session_get(proc, sid, &group->session) != 0 ||
	    arena_list_append(proc->arena, &group->session->groups,
	    &group->in_session) != OK)
		return E_NOMEM;
	group->pgid = pgid;
	*out_group = group;
	return from_status(arena_map_put(proc->arena, proc->table->by_pgid,
	    pgid, group));
}

static int
group_free(struct proc *proc, struct proc_group *group)
{
	struct proc_session *session = group->session;
	struct arena *arena = proc->arena;

	if (arena_map_remove(arena, proc->table->by_pgid, group->pgid) != OK ||
	    arena_list_remove(arena, &group->in_session) != OK ||
	    arena_free(arena, group) != OK)
		return E_NOMEM;
	if (session->groups.next != &session->groups)
		return 0;
	if (arena_map_remove(arena, proc->table->by_sid, session->sid) != OK)
		return E_NOMEM;
	return from_status(arena_free(arena, session));
}

int
group_leave(struct proc *proc, struct process *process)
{
	struct proc_group *group = process->group;

	if (arena_list_remove(proc->arena, &process->group_link) != OK)
		return E_NOMEM;
	return group->members.next != &group->members ? 0 :
	    group_free(proc, group);
}

int
group_join(struct proc *proc, struct process *process, uint32_t pgid,
    uint32_t sid)
{
	if (process->group != NULL && group_leave(proc, process) != 0)
		return E_NOMEM;
	process->pgid = pgid;
	process->sid = sid;
	if (group_get(proc, pgid, sid, &process->group) != 0)
		return E_NOMEM;
	return from_status(arena_list_append(proc->arena,
	    &process->group->members, &process->group_link));
}

bool
proc_group_in_session(const struct proc *proc, uint64_t pgid, uint64_t sid)
{
	const struct proc_group *group = group_find(proc, pgid);

	return group != NULL && group->session->sid == sid;
}

int
proc_setpgid(struct proc *proc, struct process *process, uint64_t pid,
    uint64_t pgid)
{
	struct process *target = pid == 0 ? process : proc_find(proc, pid);

	if ((int64_t)pgid < 0)
		return E_INVAL;
	if (target == NULL ||
	    (target != process && target->parent != process))
		return E_SRCH;
	if (pgid == 0)
		pgid = target->pid;
	if (target != process && target->execed)
		return E_ACCES;
	if (target->sid == target->pid || target->sid != process->sid)
		return E_PERM;
	if (pgid != target->pid && !proc_group_in_session(proc, pgid, target->sid))
		return E_PERM;
	if (target->pgid == pgid)
		return 0;
	if (process_hold(proc, target) != 0 ||
	    group_join(proc, target, (uint32_t)pgid, target->sid) != 0)
		return E_NOMEM;
	return !process_lives(target) ? 0 :
	    process_add_work(proc, target, PROC_WORK_INFO);
}

int
proc_setsid(struct proc *proc, struct process *process)
{
	if (group_find(proc, process->pid) != NULL)
		return E_PERM;
	if (process_hold(proc, process) != 0 ||
	    group_join(proc, process, process->pid, process->pid) != 0)
		return E_NOMEM;
	process->terminal = 0;
	return process_add_work(proc, process, PROC_WORK_INFO);
}

int
proc_signal_group(struct proc *proc, uint64_t pgid,
    const struct proc_signal *signal)
{
	const struct proc_group *group = group_find(proc, pgid);

	if (group == NULL)
		return E_SRCH;
	FOR_EACH_MEMBER(group, process) {
		if (proc_raise(proc, process, signal) != 0)
			return E_NOMEM;
	}
	return 0;
}

/* Who is about to be a zombie can neither be stopped nor continue others. */
bool
proc_group_orphaned(const struct proc *proc, uint64_t pgid)
{
	const struct proc_group *group = group_find(proc, pgid);

	if (group == NULL)
		return true;
	FOR_EACH_MEMBER(group, process) {
		const struct process *parent = process->parent;

		if (process_lives(process) &&
		    parent != NULL && process_lives(parent) &&
		    parent->pgid != pgid && parent->sid == process->sid)
			return false;
	}
	return true;
}

static int
group_forget_terminal(struct proc *proc, const struct proc_group *group)
{
	FOR_EACH_MEMBER(group, process) {
		if (process->terminal == 0)
			continue;
		if (process_hold(proc, process) != 0)
			return E_NOMEM;
		process->terminal = 0;
	}
	return 0;
}

int
proc_session_forget_terminal(struct proc *proc, uint64_t sid)
{
	const struct proc_session *session = session_find(proc, sid);

	if (session == NULL)
		return 0;
	for (struct arena_list *node = session->groups.next;
	    node != &session->groups; node = node->next) {
		if (group_forget_terminal(proc, (struct proc_group *)
		    ((char *)node - offsetof(struct proc_group,
		    in_session))) != 0)
			return E_NOMEM;
	}
	return 0;
}
