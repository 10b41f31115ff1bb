/* SPDX-License-Identifier: MIT */
/*
 * Process groups and sessions, and the check of the whole table.
 */
#include <lib/proc/proc.h>

#include <lib/proc/state.h>

bool
proc_group_in_session(const struct proc *proc, uint64_t pgid, uint64_t sid)
{
	FOR_EACH_PROCESS(proc, process) {
		if (process->pgid == pgid && process->sid == sid)
			return true;
	}
	return false;
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
	if (process_hold(proc, target) != 0)
		return E_NOMEM;
	target->pgid = (uint32_t)pgid;
	return target->state != PROCESS_RUNNING ? 0 :
	    process_add_work(proc, target, PROC_WORK_INFO);
}

int
proc_setsid(struct proc *proc, struct process *process)
{
	FOR_EACH_PROCESS(proc, other) {
		if (other->pgid == process->pid)
			return E_PERM;
	}
	if (process_hold(proc, process) != 0)
		return E_NOMEM;
	process->pgid = process->sid = process->pid;
	process->terminal = 0;
	return process_add_work(proc, process, PROC_WORK_INFO);
}

int
proc_signal_group(struct proc *proc, uint64_t pgid,
    const struct proc_signal *signal)
{
	bool any = false;

	FOR_EACH_PROCESS(proc, process) {
		if (process->pgid != pgid)
			continue;
		any = true;
		if (proc_raise(proc, process, signal) != 0)
			return E_NOMEM;
	}
	return any ? 0 : E_SRCH;
}

/* Who is about to be a zombie can neither be stopped nor continue others. */
bool
proc_group_orphaned(const struct proc *proc, uint64_t pgid)
{
	FOR_EACH_PROCESS(proc, process) {
		const struct process *parent = process->parent;

		if (process->pgid == pgid && process_lives(process) &&
		    parent != NULL && process_lives(parent) &&
		    parent->pgid != pgid && parent->sid == process->sid)
			return false;
	}
	return true;
}

int
proc_session_forget_terminal(struct proc *proc, uint64_t sid)
{
	FOR_EACH_PROCESS(proc, process) {
		if (process->sid != sid || process->terminal == 0)
			continue;
		if (process_hold(proc, process) != 0)
			return E_NOMEM;
		process->terminal = 0;
	}
	return 0;
}

static bool
process_ok(const struct proc *proc, struct process *process)
{
	uint64_t pending = 0;

	if (proc_find(proc, process->pid) != process)
		return false;
	if (process->state == PROCESS_ZOMBIE && (process->work != 0 ||
	    process->alarm_ns != 0 ||
	    process->pending != 0 || process->parent == NULL ||
	    process->children.next != &process->children))
		return false;
	if (process->state != PROCESS_RUNNING && process->park != PARK_NONE)
		return false;
	if (process->pending & process->ignored)
		return false;
	FOR_EACH_CHILD(process, child) {
		if (child->parent != process)
			return false;
	}
	for (struct arena_list *node = process->signals.next;
	    node != &process->signals; node = node->next) {
		const struct proc_signal *signal = (struct proc_signal *)
		    ((char *)node - offsetof(struct proc_signal, link));
		if (pending & SIGNAL_BIT(signal->signal))
			return false;
		pending |= SIGNAL_BIT(signal->signal);
	}
	return pending == process->pending;
}

/* In order, and nobody is left out. */
static bool
alarms_ok(const struct proc *proc, uint32_t count)
{
	uint64_t last = 1;

	for (struct arena_list *node = proc->table->alarms.next;
	    node != &proc->table->alarms; node = node->next) {
		if (PROCESS_OF(node, alarm_link)->alarm_ns < last)
			return false;
		last = PROCESS_OF(node, alarm_link)->alarm_ns;
		count--;
	}
	return count == 0;
}

bool
proc_ok(const struct proc *proc)
{
	uint32_t count = 0, with_work = 0, listed = 0, alarms = 0;

	FOR_EACH_PROCESS(proc, process) {
		if (!process_ok(proc, process))
			return false;
		count++;
		with_work += process->work != 0;
		alarms += process->alarm_ns != 0;
	}
	for (struct arena_list *node = proc->table->work.next;
	    node != &proc->table->work; node = node->next)
		listed++;
	return count == proc->table->count && with_work == listed &&
	    alarms_ok(proc, alarms) &&
	    count == arena_map_count(proc->table->by_pid);
}
