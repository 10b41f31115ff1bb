/* SPDX-License-Identifier: MIT */
/*
 * Waiting for children: which child a selector names, and when a waiting
 * parent is answered.
 */
#include <lib/proc/proc.h>

#include <lib/proc/state.h>

static bool
selected(const struct process *parent, const struct process *child,
    int64_t selector)
{
	if (selector == 0)
		return child->pgid == parent->pgid;
	return selector == -1 || child->pgid == (uint64_t)-selector;
}

/* Something to tell that the waiter asked for. */
static bool
ready(const struct process *child, uint64_t options)
{
	if (child->state == PROCESS_ZOMBIE)
		return (options & WAIT_OPTION_NOT_EXITED) == 0;
	return child->report != 0 &&
	    (options & (child->report == STATUS_CONTINUED ?
	    WAIT_OPTION_CONTINUED : WAIT_OPTION_UNTRACED)) != 0;
}

/* The oldest that is ready and selected; *out_any: one may be, now or later. */
static struct process *
find_ready(const struct proc *proc, struct process *parent, int64_t selector,
    uint64_t options, bool *out_any)
{
	*out_any = false;
	if (selector > 0) {
		struct process *child = proc_find(proc, (uint64_t)selector);

		if (child == NULL || child->parent != parent)
			return NULL;
		*out_any = child->state != PROCESS_ZOMBIE ||
		    ready(child, options);
		return ready(child, options) ? child : NULL;
	}
	FOR_EACH_CHILD(parent, child) {
		if (!selected(parent, child, selector))
			continue;
		if (ready(child, options)) {
			*out_any = true;
			return child;
		}
		*out_any |= child->state != PROCESS_ZOMBIE;
	}
	return NULL;
}

static int
collect(struct proc *proc, struct process *parent, struct process *child,
    struct proc_waited *out_waited, uint64_t options)
{
	bool zombie = child->state == PROCESS_ZOMBIE;
	uint64_t spent = child->spent_ns + child->children_ns;

	*out_waited = (struct proc_waited){ child->pid,
	    zombie ? child->status : child->report, child->who.uid, spent };
	if (options & WAIT_OPTION_NOWAIT)
		return 0;
	if (process_hold(proc, zombie ? parent : child) != 0)
		return E_NOMEM;
	if (!zombie) {
		child->report = 0;
		return 0;
	}
	parent->children_ns += spent;
	return process_remove(proc, child);
}

int
proc_wait(struct proc *proc, struct process *process, struct proc_call call,
    int64_t selector, uint64_t options, struct proc_waited *out_waited,
    bool *out_parked)
{
	struct process *child;
	bool any;

	*out_parked = false;
	*out_waited = (struct proc_waited){ 0 };
	if (options & ~(uint64_t)(WAIT_OPTION_NOHANG | WAIT_OPTION_UNTRACED |
	    WAIT_OPTION_CONTINUED | WAIT_OPTION_NOWAIT |
	    WAIT_OPTION_NOT_EXITED))
		return E_INVAL;
	/* Its negative is no number. */
	if (selector == INT64_MIN)
		return E_SRCH;
	child = find_ready(proc, process, selector, options, &any);
	if (child != NULL)
		return collect(proc, process, child, out_waited, options);
	if (!any)
		return E_CHILD;
	if (options & WAIT_OPTION_NOHANG)
		return 0;
	if (process_hold(proc, process) != 0)
		return E_NOMEM;
	process_park(proc, process, PARK_WAIT, call);
	process->selector = selector;
	process->options = options;
	*out_parked = true;
	return 0;
}

int
wait_check(struct proc *proc, struct process *parent)
{
	struct proc_answer answer = {
		.call = parent->call, .what = PARK_WAIT,
	};
	bool any;

	if (parent->park != PARK_WAIT)
		return 0;
	struct process *child = find_ready(proc, parent,
	    parent->selector, parent->options, &any);
	if (child == NULL && any)
		return 0;
	if (process_hold(proc, parent) != 0)
		return E_NOMEM;
	parent->park = PARK_NONE;
	if (child != NULL && collect(proc, parent, child, &answer.waited,
	    parent->options) != 0)
		return E_NOMEM;
	answer.error = child != NULL ? 0 : E_CHILD;
	proc->answer(proc->context, &answer);
	return 0;
}

void
process_park(struct proc *proc, struct process *process, enum proc_park why,
    struct proc_call call)
{
	process->park = why;
	process->call = call;
	if (call.reply < PROC_CALLS_MAX)
		proc->parked[call.reply] = process->pid;
}

void
proc_resume(struct proc *proc)
{
	FOR_EACH_PROCESS(proc, process) {
		if (process->park != PARK_NONE &&
		    process->call.reply < PROC_CALLS_MAX)
			proc->parked[process->call.reply] = process->pid;
	}
}

/* Its child may yet say that it failed. */
static bool
waits_for_spawn(const struct proc *proc, const struct process *process)
{
	const struct process *child = process->park != PARK_VFORK ? NULL :
	    proc_find(proc, process->vfork_child);

	return child != NULL && child->is_spawned != 0;
}

int
proc_cancel(struct proc *proc, struct proc_call call, bool *out_found)
{
	struct process *process = call.reply >= PROC_CALLS_MAX ? NULL :
	    proc_find(proc, proc->parked[call.reply]);

	*out_found = false;
	if (process == NULL || process->park == PARK_NONE ||
	    process->call.reply != call.reply ||
	    process->call.order != call.order)
		return 0;
	*out_found = true;
	if (waits_for_spawn(proc, process))
		return 0;
	if (process_hold(proc, process) != 0)
		return E_NOMEM;
	/*
	 * A fork cannot be undone: its parent just goes on early. Who is
	 * stopped stays so, and asks again.
	 */
	struct proc_answer answer = {
		.call = call, .what = process->park,
		.error = process->park == PARK_VFORK ? 0 : E_INTR,
		.waited.pid = process->vfork_child,
	};
	process->park = PARK_NONE;
	proc->answer(proc->context, &answer);
	return 0;
}
