/* SPDX-License-Identifier: MIT */
/*
 * Timers that processes make. Those that run are in a list by time, as the
 * alarms are (timer.c).
 *
 * A timer has one signal in the queue at most. While that is pending a repeated
 * timer is in no list; who fetches the signal is told how often it would have
 * expired meanwhile, and it goes on from there. So a signal that is blocked for
 * long costs nothing.
 */
#include <lib/proc/proc.h>

#include <lib/proc/state.h>

#define TIMER_OF(node, member) \
	((struct proc_timer *)((char *)(node) - \
	    offsetof(struct proc_timer, member)))

static struct proc_timer *
find(const struct process *process, uint64_t id)
{
	for (struct arena_list *node = process->timers.next;
	    node != &process->timers; node = node->next) {
		if (TIMER_OF(node, of_process)->id == id)
			return TIMER_OF(node, of_process);
	}
	return NULL;
}

static int
hold(struct proc *proc, struct proc_timer *timer)
{
	return from_status(tx_add(proc->arena, timer, sizeof(*timer)));
}

/* Behind those that are due at the same time; the latest are looked at first. */
static int
list(struct proc *proc, struct proc_timer *timer)
{
	struct arena_list *head = &proc->table->timers;
	struct arena_list *after = head->prev;

	while (after != head && TIMER_OF(after, by_time)->due_ns > timer->due_ns)
		after = after->prev;
	timer->listed = 1;
	return from_status(arena_list_append(proc->arena, after->next,
	    &timer->by_time));
}

static int
unlist(struct proc *proc, struct proc_timer *timer)
{
	if (!timer->listed)
		return 0;
	timer->listed = 0;
	return from_status(arena_list_remove(proc->arena, &timer->by_time));
}

/* The expirations up to now count; the next one comes after it. */
static uint64_t
forward(struct proc_timer *timer, uint64_t now_ns)
{
	uint64_t count = 0;

	if (timer->interval_ns == 0)
		timer->due_ns = 0;
	else if (now_ns >= timer->due_ns)
		count = (now_ns - timer->due_ns) / timer->interval_ns + 1;
	timer->due_ns += count * timer->interval_ns;
	return count;
}

/* -- requests -- */

int
proc_timer_create(struct proc *proc, struct process *process,
    const struct proc_timer_want *want, uint32_t *out_id)
{
	struct arena *arena = proc->arena;

	if (want->signal > SIGNAL_MAX)
		return E_INVAL;
	if (process->timer_count >= PROC_TIMERS_OWN ||
	    proc->table->timer_count >= PROC_TIMERS_MAX)
		return E_AGAIN;
	struct proc_timer *timer = arena_alloc(arena, sizeof(*timer));
	if (timer == NULL || process_hold(proc, process) != 0 ||
	    TX_SET(arena, proc->table->timer_count,
	    proc->table->timer_count + 1) != OK)
		return E_NOMEM;
	while (find(process, timer->id) != NULL)
		timer->id++;
	timer->process = process;
	timer->signal = want->signal;
	timer->thread = want->thread;
	timer->value = want->own_value ? timer->id : want->value;
	process->timer_count++;
	*out_id = timer->id;
	return from_status(arena_list_append(arena, &process->timers,
	    &timer->of_process));
}

static struct proc_timer_left
left_of(const struct proc_timer *timer, uint64_t now_ns)
{
	struct proc_timer copy = *timer;

	if (copy.due_ns != 0 && now_ns >= copy.due_ns)
		forward(&copy, now_ns);
	return (struct proc_timer_left){
		.left_ns = copy.due_ns == 0 ? 0 : copy.due_ns - now_ns,
		.interval_ns = timer->interval_ns,
		.overrun = timer->overrun,
	};
}

int
proc_timer_get(const struct proc *proc, const struct process *process,
    uint64_t id, struct proc_timer_left *out)
{
	const struct proc_timer *timer = find(process, id);

	if (timer == NULL)
		return E_INVAL;
	*out = left_of(timer, proc->now_ns);
	return 0;
}

/* A signal that is still queued belongs to the time before. */
int
proc_timer_set(struct proc *proc, struct process *process, uint64_t id,
    const struct proc_timer_left *new, struct proc_timer_left *out_before)
{
	struct proc_timer *timer = find(process, id);

	if (timer == NULL)
		return E_INVAL;
	*out_before = left_of(timer, proc->now_ns);
	if (hold(proc, timer) != 0 || unlist(proc, timer) != 0)
		return E_NOMEM;
	timer->due_ns = new->left_ns;
	timer->interval_ns = new->interval_ns;
	timer->overrun = 0;
	timer->round++;
	timer->pending = 0;
	return timer->due_ns == 0 ? 0 : list(proc, timer);
}

int
proc_timer_delete(struct proc *proc, struct process *process, uint64_t id)
{
	struct proc_timer *timer = find(process, id);
	struct arena *arena = proc->arena;

	if (timer == NULL)
		return E_INVAL;
	if (hold(proc, timer) != 0 || unlist(proc, timer) != 0 ||
	    process_hold(proc, process) != 0 ||
	    TX_SET(arena, proc->table->timer_count,
	    proc->table->timer_count - 1) != OK ||
	    arena_list_remove(arena, &timer->of_process) != OK)
		return E_NOMEM;
	process->timer_count--;
	return from_status(arena_free(arena, timer));
}

int
timers_drop(struct proc *proc, struct process *process)
{
	while (process->timers.next != &process->timers) {
		if (proc_timer_delete(proc, process, TIMER_OF(
		    process->timers.next, of_process)->id) != 0)
			return E_NOMEM;
	}
	return 0;
}

/* -- expiring -- */

uint64_t
proc_timer_next(const struct proc *proc)
{
	const struct arena_list *first = proc->table->timers.next;

	return first == &proc->table->timers ? 0 :
	    TIMER_OF(first, by_time)->due_ns;
}

static int
expire(struct proc *proc, struct proc_timer *timer)
{
	struct process *process = timer->process;
	const struct proc_signal signal = {
		.signal = timer->signal, .code = SIGNAL_CODE_TIMER,
		.pid = timer->id, .value = timer->value,
		.timer = timer->id + 1, .round = timer->round,
	};
	uint32_t queued = process->queued;

	if (hold(proc, timer) != 0 || unlist(proc, timer) != 0)
		return E_NOMEM;
	if (timer->signal != 0 && proc_raise(proc, process, &signal) != 0)
		return E_NOMEM;
	if (process->queued > queued) {
		timer->pending = 1;
		return 0;
	}
	/* Nobody is told: ignored, or one of that number is pending. */
	forward(timer, proc->now_ns);
	return timer->due_ns == 0 ? 0 : list(proc, timer);
}

int
proc_timers_due(struct proc *proc, unsigned most)
{
	uint64_t due;

	while (most-- > 0 && (due = proc_timer_next(proc)) != 0 &&
	    due <= proc->now_ns) {
		if (expire(proc, TIMER_OF(proc->table->timers.next,
		    by_time)) != 0)
			return E_NOMEM;
	}
	return 0;
}

int
timer_signal_gone(struct proc *proc, struct process *process,
    const struct proc_signal *signal, uint32_t *out_overrun)
{
	struct proc_timer *timer = signal->timer == 0 ? NULL :
	    find(process, signal->timer - 1);
	uint64_t count;

	*out_overrun = 0;
	if (timer == NULL || !timer->pending || timer->round != signal->round)
		return 0;
	if (hold(proc, timer) != 0)
		return E_NOMEM;
	timer->pending = 0;
	count = forward(timer, proc->now_ns);
	count = count == 0 ? 0 : count - 1;
	timer->overrun = count > INT32_MAX ? INT32_MAX : (uint32_t)count;
	*out_overrun = timer->overrun;
	return timer->due_ns == 0 ? 0 : list(proc, timer);
}

/* -- the check -- */

bool
timers_ok(const struct proc *proc, const struct process *process,
    uint32_t *listed)
{
	uint32_t count = 0;

	for (struct arena_list *node = process->timers.next;
	    node != &process->timers; node = node->next) {
		const struct proc_timer *timer = TIMER_OF(node, of_process);

		if (timer->process != process || timer->signal > SIGNAL_MAX ||
		    (timer->listed && (timer->due_ns == 0 || timer->pending)))
			return false;
		count++;
		*listed += timer->listed;
	}
	return count == process->timer_count && process->timers.next->prev ==
	    &process->timers;
}

bool
timer_list_ok(const struct proc *proc, uint32_t listed)
{
	uint64_t last = 1;

	for (struct arena_list *node = proc->table->timers.next;
	    node != &proc->table->timers; node = node->next) {
		if (TIMER_OF(node, by_time)->due_ns < last)
			return false;
		last = TIMER_OF(node, by_time)->due_ns;
		listed--;
	}
	return listed == 0;
}
