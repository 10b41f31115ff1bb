/* SPDX-License-Identifier: MIT */
/*
 * Process groups and sessions.
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
	return !process_lives(target) ? 0 :
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
