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
	if (selector > 0)
		return child->pid == (uint64_t)selector;
	if (selector == 0)
		return child->pgid == parent->pgid;
	return selector == -1 || child->pgid == (uint64_t)-selector;
}

/* The oldest zombie that is selected; *out_any: one is selected at all. */
static struct process *
find_zombie(struct process *parent, int64_t selector, bool *out_any)
{
	*out_any = false;
	FOR_EACH_CHILD(parent, child) {
		if (!selected(parent, child, selector))
			continue;
		*out_any = true;
		if (child->state == PROCESS_ZOMBIE)
			return child;
	}
	return NULL;
}

static int
collect(struct proc *proc, struct process *zombie, uint64_t options,
    struct proc_waited *out_waited)
{
	*out_waited = (struct proc_waited){ zombie->pid, zombie->status };
	if (options & WAIT_OPTION_NOWAIT)
		return 0;
	return process_remove(proc, zombie);
}

int
proc_wait(struct proc *proc, struct process *process, struct proc_call call,
    int64_t selector, uint64_t options, struct proc_waited *out_waited,
    bool *out_parked)
{
	struct process *zombie;
	bool any;

	*out_parked = false;
	*out_waited = (struct proc_waited){ 0 };
	if (options & ~(uint64_t)(WAIT_OPTION_NOHANG | WAIT_OPTION_UNTRACED |
	    WAIT_OPTION_CONTINUED | WAIT_OPTION_NOWAIT))
		return E_INVAL;
	/* Its negative is no number. */
	if (selector == INT64_MIN)
		return E_SRCH;
	zombie = find_zombie(process, selector, &any);
	if (zombie != NULL)
		return collect(proc, zombie, options, out_waited);
	if (!any)
		return E_CHILD;
	if (options & WAIT_OPTION_NOHANG)
		return 0;
	if (process_hold(proc, process) != 0)
		return E_NOMEM;
	process->park = PARK_WAIT;
	process->call = call;
	process->selector = selector;
	process->options = options;
	*out_parked = true;
	return 0;
}

int
wait_check(struct proc *proc, struct process *parent)
{
	struct proc_waited waited = { 0 };
	bool any;

	if (parent->park != PARK_WAIT)
		return 0;
	struct process *zombie = find_zombie(parent, parent->selector, &any);
	if (zombie == NULL && any)
		return 0;
	if (process_hold(proc, parent) != 0)
		return E_NOMEM;
	parent->park = PARK_NONE;
	if (zombie != NULL && collect(proc, zombie, parent->options,
	    &waited) != 0)
		return E_NOMEM;
	proc->answer(proc->context, parent->call, zombie != NULL ? 0 : E_CHILD,
	    (const uint64_t[3]){ waited.pid, waited.status, 0 });
	return 0;
}

int
proc_cancel(struct proc *proc, struct proc_call call, bool *out_found)
{
	*out_found = false;
	FOR_EACH_PROCESS(proc, process) {
		if (process->park == PARK_NONE ||
		    process->call.reply != call.reply ||
		    process->call.order != call.order)
			continue;
		if (process_hold(proc, process) != 0)
			return E_NOMEM;
		/* A fork cannot be undone: its parent just goes on early. */
		bool fork = process->park == PARK_VFORK;
		process->park = PARK_NONE;
		*out_found = true;
		proc->answer(proc->context, call, fork ? 0 : E_INTR,
		    (const uint64_t[3]){ process->vfork_child });
		return 0;
	}
	return 0;
}
