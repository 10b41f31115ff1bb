/* SPDX-License-Identifier: MIT */
/*
 * Signals: who may send, what becomes pending, what is delivered first.
 *
 * Default actions and handlers are the libOS's; only SIGKILL acts here. There
 * is no stopping yet: SIGSTOP is refused, the other stop signals are passed on
 * like any other.
 */
#include <lib/proc/proc.h>

#include <lib/proc/state.h>

/* Signals that a faulting instruction causes: these go first. */
#define SYNCHRONOUS	(SIGNAL_BIT(SIGNAL_SEGV) | SIGNAL_BIT(SIGNAL_BUS) | \
			 SIGNAL_BIT(SIGNAL_ILL) | SIGNAL_BIT(SIGNAL_TRAP) | \
			 SIGNAL_BIT(SIGNAL_FPE) | SIGNAL_BIT(SIGNAL_SYS))
#define NEVER_IGNORED	(SIGNAL_BIT(SIGNAL_KILL) | SIGNAL_BIT(SIGNAL_STOP))

static struct proc_signal *
signal_of(struct arena_list *node)
{
	return (struct proc_signal *)((char *)node -
	    offsetof(struct proc_signal, link));
}

int
signals_drop(struct proc *proc, struct process *process, uint64_t set)
{
	struct arena_list *node = process->signals.next;

	if ((process->pending & set) == 0)
		return 0;
	if (process_hold(proc, process) != 0)
		return E_NOMEM;
	process->pending &= ~set;
	while (node != &process->signals) {
		struct proc_signal *signal = signal_of(node);

		node = node->next;
		if ((set & SIGNAL_BIT(signal->signal)) == 0)
			continue;
		if (arena_list_remove(proc->arena, &signal->link) != OK ||
		    arena_free(proc->arena, signal) != OK)
			return E_NOMEM;
	}
	return 0;
}

int
proc_raise(struct proc *proc, struct process *process,
    const struct proc_signal *signal)
{
	uint64_t bit = SIGNAL_BIT(signal->signal);

	if (process->state != PROCESS_RUNNING)
		return 0;
	if (signal->signal == SIGNAL_KILL)
		return proc_end(proc, process, STATUS_SIGNALLED(SIGNAL_KILL));
	if (((process->ignored | process->pending) & bit) != 0)
		return 0;
	struct proc_signal *entry = arena_alloc(proc->arena, sizeof(*entry));
	if (entry == NULL || process_hold(proc, process) != 0)
		return E_NOMEM;
	*entry = *signal;
	process->pending |= bit;
	if (arena_list_append(proc->arena, &process->signals,
	    &entry->link) != OK)
		return E_NOMEM;
	return process_add_work(proc, process, PROC_WORK_KICK);
}

static bool
may_signal(const struct process *sender, const struct process *target)
{
	return sender->euid == 0 || sender->euid == target->uid ||
	    sender->uid == target->uid;
}

/* Everyone but process 1 and the sender, a group, or one. */
static bool
addressed(const struct process *sender, const struct process *target,
    int64_t selector)
{
	if (selector > 0)
		return target->pid == (uint64_t)selector;
	if (selector == -1)
		return target->pid != 1 && target != sender;
	if (selector == 0)
		return target->pgid == sender->pgid;
	return target->pgid == (uint64_t)-selector;
}

int
proc_kill(struct proc *proc, struct process *sender, int64_t selector,
    uint64_t number)
{
	struct proc_signal signal = {
		.signal = (uint32_t)number,
		.code = SIGNAL_CODE_USER,
		.pid = sender->pid,
		.uid = sender->uid,
	};
	bool any = false, allowed = false;

	if (number > SIGNAL_MAX)
		return E_INVAL;
	if (number == SIGNAL_STOP)
		return E_NOTSUP;
	if (selector == INT64_MIN)
		return E_SRCH;
	FOR_EACH_PROCESS(proc, target) {
		if (!addressed(sender, target, selector))
			continue;
		any = true;
		if (!may_signal(sender, target))
			continue;
		allowed = true;
		if (number != 0 && proc_raise(proc, target, &signal) != 0)
			return E_AGAIN;
	}
	return !any ? E_SRCH : allowed ? 0 : E_PERM;
}

int
proc_signal_fetch(struct proc *proc, struct process *process,
    uint64_t blocked, struct proc_fetched *out_fetched)
{
	uint64_t ready = process->pending & ~blocked;

	*out_fetched = (struct proc_fetched){ .left = process->pending };
	if (ready == 0)
		return 0;
	if (ready & SYNCHRONOUS)
		ready &= SYNCHRONOUS;
	uint32_t number = (uint32_t)__builtin_ctzl(ready) + 1;
	struct arena_list *node = process->signals.next;
	while (signal_of(node)->signal != number)
		node = node->next;
	const struct proc_signal *signal = signal_of(node);
	*out_fetched = (struct proc_fetched){
		.signal = number,
		.code = signal->code,
		.pid = signal->pid,
		.uid = signal->uid,
		.value = signal->value,
		.left = process->pending & ~SIGNAL_BIT(number),
	};
	return signals_drop(proc, process, SIGNAL_BIT(number));
}

int
proc_signal_ignore(struct proc *proc, struct process *process, uint64_t set,
    bool no_zombies)
{
	if (process_hold(proc, process) != 0)
		return E_NOMEM;
	process->ignored = set & ~NEVER_IGNORED;
	process->no_zombies = no_zombies;
	return signals_drop(proc, process, process->ignored);
}

int
proc_signal_wait(struct proc *proc, struct process *process,
    struct proc_call call, uint64_t blocked)
{
	if (process->pending & ~blocked)
		return E_INTR;
	if (process_hold(proc, process) != 0)
		return E_NOMEM;
	process->park = PARK_SIGNAL;
	process->call = call;
	return 0;
}
