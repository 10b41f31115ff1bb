/* SPDX-License-Identifier: MIT */
/*
 * Signals: who may send, what becomes pending, what is delivered first.
 *
 * Default actions and handlers are the libOS's; only SIGKILL acts here, and
 * what stop signals and SIGCONT do to each other and to a stopped process.
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

/* The process is held. */
static int
entry_free(struct proc *proc, struct process *process,
    struct proc_signal *entry)
{
	uint32_t *all = &proc->table->queued;

	if (tx_add(proc->arena, all, sizeof(*all)) != OK ||
	    arena_list_remove(proc->arena, &entry->link) != OK)
		return E_NOMEM;
	process->queued--;
	--*all;
	return from_status(arena_free(proc->arena, entry));
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
		if (entry_free(proc, process, signal) != 0)
			return E_NOMEM;
	}
	return 0;
}

static bool
queue_full(const struct proc *proc, const struct process *process)
{
	return process->queued >= PROC_QUEUE_MAX ||
	    process->queued >= process->limit[LIMIT_SIGNALS][0] ||
	    proc->table->queued >= PROC_QUEUE_ALL_MAX;
}

/* The process is held. */
static int
enqueue(struct proc *proc, struct process *process,
    const struct proc_signal *signal)
{
	struct proc_signal *entry = arena_alloc(proc->arena, sizeof(*entry));
	uint32_t *all = &proc->table->queued;

	if (entry == NULL || tx_add(proc->arena, all, sizeof(*all)) != OK)
		return E_NOMEM;
	*entry = *signal;
	process->pending |= SIGNAL_BIT(signal->signal);
	process->queued++;
	++*all;
	return from_status(arena_list_append(proc->arena, &process->signals,
	    &entry->link));
}

/* One that changes nothing saves nothing: a terminal may raise thousands. */
int
proc_raise(struct proc *proc, struct process *process,
    const struct proc_signal *signal)
{
	uint64_t bit = SIGNAL_BIT(signal->signal);

	if (!process_lives(process) ||
	    (process->pid == FIRST_PID && (bit & NEVER_IGNORED) != 0))
		return 0;
	if (signal->signal == SIGNAL_KILL)
		return proc_end(proc, process, STATUS_SIGNALLED(SIGNAL_KILL));
	if (job_signalled(proc, process, signal->signal) != 0)
		return E_NOMEM;
	if ((process->ignored & bit) != 0)
		return 0;
	/* A full queue still takes one of each. */
	if ((process->pending & bit) != 0 &&
	    (signal->signal < SIGNAL_REALTIME || queue_full(proc, process)))
		return 0;
	if (process_hold(proc, process) != 0 ||
	    enqueue(proc, process, signal) != 0)
		return E_NOMEM;
	/* Who is stopped looks when it is continued. */
	return process->state == PROCESS_STOPPED ? 0 :
	    process_add_work(proc, process, PROC_WORK_KICK);
}

static bool
may_signal(const struct process *sender, const struct process *target,
    uint64_t number)
{
	if (number == SIGNAL_CONT && sender->sid == target->sid)
		return true;
	return identity_may_signal(&sender->who, &target->who);
}

/* A signal on its way to one or more. */
struct sending {
	const struct process *sender;
	struct proc_signal signal;	/* number 0: only asks */
	bool	 any, allowed;
};

static int
send(struct proc *proc, struct sending *sending, struct process *target)
{
	sending->any = true;
	if (!may_signal(sending->sender, target, sending->signal.signal))
		return 0;
	sending->allowed = true;
	if (sending->signal.signal == 0)
		return 0;
	return proc_raise(proc, target, &sending->signal);
}

/* Everyone but process 1 and the sender. */
static int
send_all(struct proc *proc, struct sending *sending)
{
	FOR_EACH_PROCESS(proc, target) {
		if (target->pid != FIRST_PID && target != sending->sender &&
		    send(proc, sending, target) != 0)
			return E_NOMEM;
	}
	return 0;
}

static int
send_group(struct proc *proc, struct sending *sending,
    const struct proc_group *group)
{
	if (group == NULL)
		return 0;
	FOR_EACH_MEMBER(group, target) {
		if (send(proc, sending, target) != 0)
			return E_NOMEM;
	}
	return 0;
}

static int
send_selected(struct proc *proc, struct sending *sending, int64_t selector)
{
	struct process *target;

	if (selector == -1)
		return send_all(proc, sending);
	if (selector <= 0)
		return send_group(proc, sending, selector == 0 ?
		    sending->sender->group :
		    group_find(proc, (uint64_t)-selector));
	target = proc_find(proc, (uint64_t)selector);
	return target == NULL ? 0 : send(proc, sending, target);
}

int
proc_kill(struct proc *proc, struct process *sender, int64_t selector,
    uint64_t number, int32_t code)
{
	struct sending sending = { .sender = sender, .signal = {
		.signal = (uint32_t)number,
		.code = code,
		.pid = sender->pid,
		.uid = sender->who.uid,
	} };

	if (number > SIGNAL_MAX ||
	    (code != SIGNAL_CODE_USER && code != SIGNAL_CODE_THREAD))
		return E_INVAL;
	if (selector == INT64_MIN)
		return E_SRCH;
	if (send_selected(proc, &sending, selector) != 0)
		return E_AGAIN;
	return !sending.any ? E_SRCH : sending.allowed ? 0 : E_PERM;
}

int
proc_queue(struct proc *proc, struct process *sender, uint64_t pid,
    const struct proc_signal *signal)
{
	struct process *target = proc_find(proc, pid);

	if (signal->signal > SIGNAL_MAX)
		return E_INVAL;
	if (target != sender && (signal->code >= 0 ||
	    signal->code == SIGNAL_CODE_THREAD))
		return E_PERM;
	if (target == NULL)
		return E_SRCH;
	if (!may_signal(sender, target, signal->signal))
		return E_PERM;
	if (signal->signal == 0)
		return 0;
	if (signal->signal >= SIGNAL_REALTIME && process_lives(target) &&
	    queue_full(proc, target))
		return E_AGAIN;
	return proc_raise(proc, target, signal) != 0 ? E_AGAIN : 0;
}

/* The oldest of its number goes; the bit stays if there are more. */
static int
take(struct proc *proc, struct process *process, struct proc_signal *entry)
{
	uint32_t number = entry->signal;

	if (process_hold(proc, process) != 0)
		return E_NOMEM;
	if (SIGNAL_BIT(number) & STOP_SIGNALS)
		process->stop_fetched = 1;
	if (entry_free(proc, process, entry) != 0)
		return E_NOMEM;
	for (struct arena_list *node = process->signals.next;
	    node != &process->signals; node = node->next) {
		if (signal_of(node)->signal == number)
			return 0;
	}
	process->pending &= ~SIGNAL_BIT(number);
	return 0;
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
	};
	int error = take(proc, process, signal_of(node));
	out_fetched->left = process->pending;
	return error;
}

int
proc_signal_ignore(struct proc *proc, struct process *process, uint64_t set,
    uint64_t flags)
{
	if (process_hold(proc, process) != 0)
		return E_NOMEM;
	process->ignored = set & ~NEVER_IGNORED;
	process->no_zombies = (flags & IGNORE_NO_ZOMBIES) != 0;
	process->no_stops = (flags & IGNORE_NO_STOPS) != 0;
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
	process_park(proc, process, PARK_SIGNAL, call);
	return 0;
}
