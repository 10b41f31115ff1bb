/* SPDX-License-Identifier: MIT */
/*
 * The check of the whole table.
 */
#include <lib/proc/proc.h>

#include <lib/proc/state.h>

/* The set and the count say what is in the queue. */
static bool
signals_ok(const struct process *process)
{
	uint64_t pending = 0;
	uint32_t queued = 0;

	for (struct arena_list *node = process->signals.next;
	    node != &process->signals; node = node->next) {
		const struct proc_signal *signal = (struct proc_signal *)
		    ((char *)node - offsetof(struct proc_signal, link));
		if ((pending & SIGNAL_BIT(signal->signal)) != 0 &&
		    signal->signal < SIGNAL_REALTIME)
			return false;
		pending |= SIGNAL_BIT(signal->signal);
		queued++;
	}
	/* A stop and a SIGCONT undo each other. */
	return pending == process->pending && queued == process->queued &&
	    ((pending & SIGNAL_BIT(SIGNAL_CONT)) == 0 ||
	    (pending & STOP_SIGNALS) == 0);
}

static bool
process_ok(const struct proc *proc, struct process *process)
{
	const struct proc_group *group = process->group;

	if (proc_find(proc, process->pid) != process)
		return false;
	if (group == NULL || group_find(proc, process->pgid) != group ||
	    group->pgid != process->pgid ||
	    group->session->sid != process->sid ||
	    session_find(proc, process->sid) != group->session ||
	    process->group_link.next->prev != &process->group_link)
		return false;
	if (process->state == PROCESS_ZOMBIE && (process->work != 0 ||
	    process->alarm_ns != 0 ||
	    process->pending != 0 || process->parent == NULL ||
	    process->children.next != &process->children))
		return false;
	if (!process_lives(process) &&
	    (process->park != PARK_NONE || process->report != 0))
		return false;
	/* Who is stopped waits for that, or for nothing between two calls. */
	if (process->state == PROCESS_STOPPED && process->park != PARK_NONE &&
	    process->park != PARK_STOP)
		return false;
	if (process->park == PARK_STOP && process->state != PROCESS_STOPPED &&
	    (process->work & PROC_WORK_RESUME) == 0)
		return false;
	if (!identity_ok(&process->who))
		return false;
	if ((process->names == NULL) != (process->names_length == 0) ||
	    process->names_length > NAMES_MAX)
		return false;
	if (process->pending & process->ignored)
		return false;
	FOR_EACH_CHILD(process, child) {
		if (child->parent != process)
			return false;
	}
	return signals_ok(process);
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
	uint32_t stopped = 0, queued = 0;

	FOR_EACH_PROCESS(proc, process) {
		if (!process_ok(proc, process))
			return false;
		count++;
		with_work += process->work != 0;
		alarms += process->alarm_ns != 0;
		stopped += process->state == PROCESS_STOPPED;
		queued += process->queued;
	}
	for (struct arena_list *node = proc->table->work.next;
	    node != &proc->table->work; node = node->next)
		listed++;
	return count == proc->table->count && with_work == listed &&
	    alarms_ok(proc, alarms) && stopped == proc->table->stopped &&
	    queued == proc->table->queued && watches_ok(proc) &&
	    count == arena_map_count(proc->table->by_pid);
}
