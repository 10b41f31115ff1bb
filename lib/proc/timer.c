/* SPDX-License-Identifier: MIT */
/*
 * The alarm of a process, one each, in a list by time; and how nice a process
 * is to the others.
 *
 * The list says what is due; the shell has one timer, set to its first entry.
 * A process that is ending keeps its place until it is a zombie, so that the
 * end of all processes at once fits into the undo log.
 */
#include <lib/proc/proc.h>

#include <lib/proc/state.h>

uint64_t
proc_alarm_next(const struct proc *proc)
{
	const struct arena_list *first = proc->table->alarms.next;

	return first == &proc->table->alarms ? 0 :
	    PROCESS_OF(first, alarm_link)->alarm_ns;
}

/* Behind those that are due at the same time. The process is held. */
static int
insert(struct proc *proc, struct process *process, uint64_t due_ns)
{
	struct arena_list *head = &proc->table->alarms;
	struct arena_list *before = head->next;

	while (before != head &&
	    PROCESS_OF(before, alarm_link)->alarm_ns <= due_ns)
		before = before->next;
	process->alarm_ns = due_ns;
	/* To append is to put in front of the head. */
	return from_status(arena_list_append(proc->arena, before,
	    &process->alarm_link));
}

int
alarm_drop(struct proc *proc, struct process *process)
{
	if (process->alarm_ns == 0)
		return 0;
	if (process_hold(proc, process) != 0)
		return E_NOMEM;
	process->alarm_ns = 0;
	return from_status(arena_list_remove(proc->arena,
	    &process->alarm_link));
}

int
proc_alarm_set(struct proc *proc, struct process *process, uint64_t due_ns,
    uint64_t interval_ns)
{
	if (process_hold(proc, process) != 0 || alarm_drop(proc, process) != 0)
		return E_NOMEM;
	process->interval_ns = due_ns == 0 ? 0 : interval_ns;
	return due_ns == 0 ? 0 : insert(proc, process, due_ns);
}

/* Times that have passed already count as one. */
static int
go_off(struct proc *proc, struct process *process, uint64_t now_ns)
{
	static const struct proc_signal signal = {
		.signal = SIGNAL_ALRM,
		.code = SIGNAL_CODE_KERNEL,
	};
	uint64_t due = process->alarm_ns, interval = process->interval_ns;

	if (alarm_drop(proc, process) != 0)
		return E_NOMEM;
	if (!process_lives(process))
		return 0;
	if (interval != 0) {
		due += ((now_ns - due) / interval + 1) * interval;
		if (insert(proc, process, due) != 0)
			return E_NOMEM;
	}
	return proc_raise(proc, process, &signal);
}

int
proc_alarms_due(struct proc *proc, uint64_t now_ns, unsigned most)
{
	uint64_t due;

	while (most-- > 0 && (due = proc_alarm_next(proc)) != 0 &&
	    due <= now_ns) {
		if (go_off(proc, PROCESS_OF(proc->table->alarms.next,
		    alarm_link), now_ns) != 0)
			return E_NOMEM;
	}
	return 0;
}

/* The first that a request may name, and the one after that; NULL: none. */
static struct process *
nice_first(const struct proc *proc, const struct proc_nice *request)
{
	const struct proc_group *group;
	struct arena_list *all = &proc->table->all;

	if (request->kind == NICE_PROCESS)
		return proc_find(proc, request->id);
	if (request->kind == NICE_USER)
		return all->next == all ? NULL : PROCESS_OF(all->next, all);
	group = group_find(proc, request->id);
	return group == NULL ? NULL :
	    PROCESS_OF(group->members.next, group_link);
}

static struct process *
nice_next(const struct proc *proc, const struct proc_nice *request,
    struct process *process)
{
	if (request->kind == NICE_PROCESS)
		return NULL;
	if (request->kind == NICE_USER)
		return process->all.next == &proc->table->all ? NULL :
		    PROCESS_OF(process->all.next, all);
	return process->group_link.next == &process->group->members ? NULL :
	    PROCESS_OF(process->group_link.next, group_link);
}

static bool
may_schedule(const struct process *caller, const struct process *process)
{
	return caller->who.euid == process->who.uid ||
	    caller->who.euid == process->who.euid ||
	    identity_may(&caller->who, PRIVILEGE_SYS_NICE);
}

/* The limit says how far: 20 is the nice value 0, 40 is -20. */
static bool
may_raise(const struct process *caller, const struct process *process,
    int32_t nice)
{
	return (uint64_t)(NICE_MAX + 1 - nice) <=
	    process->limit[LIMIT_NICE][0] ||
	    identity_may(&caller->who, PRIVILEGE_SYS_NICE);
}

static int
nice_set(struct proc *proc, const struct process *caller,
    struct process *process, int32_t nice)
{
	if (!may_schedule(caller, process))
		return E_PERM;
	if (nice < process->nice && !may_raise(caller, process, nice))
		return E_ACCES;
	if (process_hold(proc, process) != 0)
		return E_NOMEM;
	process->nice = nice;
	return process_add_work(proc, process, PROC_WORK_NICE);
}

/* For several processes: the lowest value, or the last thing that failed. */
int
proc_nice(struct proc *proc, const struct process *caller,
    const struct proc_nice *request, int32_t *out_nice)
{
	int error = E_SRCH;
	int64_t nice = request->nice;

	if (request->kind > NICE_USER)
		return E_INVAL;
	nice = nice < NICE_MIN ? NICE_MIN : nice > NICE_MAX ? NICE_MAX : nice;
	*out_nice = NICE_MAX;
	for (struct process *process = nice_first(proc, request);
	    process != NULL; process = nice_next(proc, request, process)) {
		if (!process_lives(process) || (request->kind == NICE_USER &&
		    process->who.uid != request->id))
			continue;
		if (request->set)
			error = nice_set(proc, caller, process, (int32_t)nice);
		else
			error = 0;
		if (error == E_NOMEM)
			return error;
		if (process->nice < *out_nice)
			*out_nice = process->nice;
	}
	return error;
}

int
proc_affinity(struct proc *proc, const struct process *caller, uint64_t pid,
    const uint64_t *mask, uint64_t *out_before)
{
	struct process *process = proc_find(proc, pid == 0 ? caller->pid : pid);

	*out_before = ~0ul;
	if (process == NULL)
		return E_SRCH;
	if (process->affinity != 0)
		*out_before = process->affinity;
	if (mask == NULL)
		return 0;
	if (*mask == 0)
		return E_INVAL;
	if (!may_schedule(caller, process))
		return E_PERM;
	if (process_hold(proc, process) != 0)
		return E_NOMEM;
	process->affinity = *mask;
	return process_lives(process) ?
	    process_add_work(proc, process, PROC_WORK_NICE) : 0;
}
