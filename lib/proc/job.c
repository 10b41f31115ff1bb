/* SPDX-License-Identifier: MIT */
/*
 * Stopping and continuing.
 *
 * A stop signal takes a pending SIGCONT away and the other way round, whether
 * they are ignored or blocked or not. A SIGCONT continues in any case, and makes
 * void what the process has fetched before but not yet acted on.
 *
 * A group is orphaned when nobody is left who could continue it. Its members do
 * not stop by signals of the terminal; those that are stopped at the moment it
 * happens are hung up and continued.
 */
#include <lib/proc/proc.h>

#include <lib/proc/state.h>

#define TICK_NS		10000000ul	/* as programs count them */

int
child_signal(struct proc *proc, struct process *parent,
    const struct process *child, int32_t code, uint32_t status)
{
	struct proc_signal info = {
		.signal = SIGNAL_CHLD,
		.code = code,
		.pid = child->pid,
		.uid = child->who.uid,
		.value = status | (child->spent_ns / TICK_NS) << 32,
	};

	return proc_raise(proc, parent, &info);
}

/* The process is held. */
static int
tell_parent(struct proc *proc, struct process *process, int32_t code,
    uint32_t signal)
{
	struct process *parent = process->parent;

	process->report = code == CHILD_STOPPED ? STATUS_STOPPED(signal) :
	    STATUS_CONTINUED;
	if (parent == NULL)
		return 0;
	if (wait_check(proc, parent) != 0)
		return E_NOMEM;
	return parent->no_stops ? 0 :
	    child_signal(proc, parent, process, code, signal);
}

static int
count_stopped(struct proc *proc, uint32_t change)
{
	uint32_t *stopped = &proc->table->stopped;

	if (tx_add(proc->arena, stopped, sizeof(*stopped)) != OK)
		return E_NOMEM;
	*stopped += change;
	return 0;
}

int
job_forget(struct proc *proc, struct process *process)
{
	process->report = 0;
	return process->state != PROCESS_STOPPED ? 0 :
	    count_stopped(proc, ~0u);
}

/* What has to be told is done as work. */
static int
resume(struct proc *proc, struct process *process)
{
	if (count_stopped(proc, ~0u) != 0)
		return E_NOMEM;
	process->state = PROCESS_RUNNING;
	process->report = 0;
	return process_add_work(proc, process,
	    PROC_WORK_RESUME | PROC_WORK_KICK);
}

int
job_resumed(struct proc *proc, struct process *process)
{
	struct proc_answer answer = {
		.call = process->call, .what = PARK_STOP,
	};

	/* Ended or stopped again meanwhile. */
	if (process->state != PROCESS_RUNNING)
		return 0;
	if (process->park == PARK_STOP) {
		process->park = PARK_NONE;
		proc->answer(proc->context, &answer);
	}
	return tell_parent(proc, process, CHILD_CONTINUED, SIGNAL_CONT);
}

int
job_signalled(struct proc *proc, struct process *process, uint32_t signal)
{
	if (SIGNAL_BIT(signal) & STOP_SIGNALS)
		return signals_drop(proc, process, SIGNAL_BIT(SIGNAL_CONT));
	if (signal != SIGNAL_CONT)
		return 0;
	if (signals_drop(proc, process, STOP_SIGNALS) != 0)
		return E_NOMEM;
	if (!process->stop_fetched && process->state != PROCESS_STOPPED)
		return 0;
	if (process_hold(proc, process) != 0)
		return E_NOMEM;
	process->stop_fetched = 0;
	return process->state == PROCESS_STOPPED ? resume(proc, process) : 0;
}

/* What it has fetched does not stop it, or no more. */
static bool
goes_on(const struct proc *proc, const struct process *process,
    uint64_t signal)
{
	return !process->stop_fetched || process->pid == FIRST_PID ||
	    (signal != SIGNAL_STOP && proc_group_orphaned(proc,
	    process->pgid));
}

int
proc_stop(struct proc *proc, struct process *process, struct proc_call call,
    uint64_t signal, bool *out_parked)
{
	bool again = process->state == PROCESS_STOPPED;

	*out_parked = false;
	if (signal == 0 || signal > SIGNAL_MAX ||
	    (SIGNAL_BIT(signal) & STOP_SIGNALS) == 0)
		return E_INVAL;
	if (!again && goes_on(proc, process, signal))
		return 0;
	if (process_hold(proc, process) != 0)
		return E_NOMEM;
	*out_parked = true;
	process_park(proc, process, PARK_STOP, call);
	/* Its call was cancelled by a kick: it only asks again. */
	if (again)
		return 0;
	process->state = PROCESS_STOPPED;
	process->stop_fetched = 0;
	if (count_stopped(proc, 1) != 0)
		return E_NOMEM;
	return tell_parent(proc, process, CHILD_STOPPED, (uint32_t)signal);
}

static bool
has_stopped(const struct proc *proc, uint32_t pgid)
{
	const struct proc_group *group = group_find(proc, pgid);

	if (proc->table->stopped == 0 || group == NULL)
		return false;
	FOR_EACH_MEMBER(group, process) {
		if (process->state == PROCESS_STOPPED)
			return true;
	}
	return false;
}

int
job_orphaned(struct proc *proc, const struct process *process,
    const struct process *parent)
{
	static const struct proc_signal hangup = {
		.signal = SIGNAL_HUP, .code = SIGNAL_CODE_KERNEL,
	};
	static const struct proc_signal go_on = {
		.signal = SIGNAL_CONT, .code = SIGNAL_CODE_KERNEL,
	};
	uint32_t pgid = process->pgid;

	if (parent->pgid == pgid || parent->sid != process->sid ||
	    !has_stopped(proc, pgid) || !proc_group_orphaned(proc, pgid))
		return 0;
	if (proc_signal_group(proc, pgid, &hangup) != 0 ||
	    proc_signal_group(proc, pgid, &go_on) != 0)
		return E_NOMEM;
	return 0;
}
