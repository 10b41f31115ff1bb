/* SPDX-License-Identifier: MIT */
/*
 * Scheduler.
 *
 * Fairness in class normal: each thread has a virtual deadline that advances
 * with the time it used, scaled by its weight; the earliest runs next. A
 * thread that slept is moved up to the CPU's virtual time less one slice, so
 * it gets served soon but cannot save up credit.
 *
 * No tick: the slice timer runs only while someone waits in the queue.
 */
#include <kernel/core/sched.h>

#include <kernel/core/panic.h>
#include <kernel/object/endpoint.h>
#include <kernel/object/object.h>
#include <kernel/object/thread.h>
#include <kernel/object/thread_calls.h>
#include <kernel/object/timer.h>

struct cpu cpu_table[CPU_MAX];
unsigned cpu_count = 1;
uint64_t cpu_online_mask;

#define REAP_STEPS	8u		/* pieces of reclaiming per kernel exit */
#define REAP_NS		2000ul		/* of that before interrupts are let in */
#define WATCH_NS	10000000ul	/* longest time between two looks at a busy CPU */

void
sched_init_cpu(struct cpu *cpu, unsigned index)
{
	cpu->index = index;
	for (unsigned class = 0; class < CLASS_COUNT; class++)
		list_init(&cpu->queue[class]);
	cpu->timer_armed_ns = DEADLINE_NEVER;
	cpu->arch.exit_work = 1;
	__atomic_or_fetch(&cpu_online_mask, 1ul << index, __ATOMIC_SEQ_CST);
}

void
sched_need_exit_work(struct cpu *cpu)
{
	cpu->arch.exit_work = 1;
}

void
sched_set(struct thread *thread, unsigned class, unsigned weight)
{
	if (weight == 0 || weight > 65535)
		weight = WEIGHT_DEFAULT;
	thread->base_class = thread->class = class;
	thread->base_weight = thread->weight = weight;
}

/* queue_lock held. */
static void
take_out(struct cpu *cpu, struct thread *thread)
{
	list_remove(&thread->link);
	/* The class may have changed since; look at all of them. */
	for (unsigned class = 0; class < CLASS_COUNT; class++)
		if (list_is_empty(&cpu->queue[class]))
			cpu->queue_mask &= ~(1u << class);
	cpu->queue_length--;
	__atomic_store_n(&thread->queued, NULL, __ATOMIC_RELEASE);
}

/* Takes a READY thread out of its queue, and sets its state if there is one. */
static bool
unqueue(struct thread *thread, uint32_t state)
{
	bool found = false;
	struct cpu *cpu = __atomic_load_n(&thread->queued, __ATOMIC_ACQUIRE);

	if (cpu == NULL)
		return false;
	lock_acquire(&cpu->queue_lock);
	/* It can be in this queue, or leave it, under this lock only. */
	if (thread->queued == cpu) {
		take_out(cpu, thread);
		__atomic_store_n(&thread->state, state, __ATOMIC_RELEASE);
		found = true;
	}
	lock_release(&cpu->queue_lock);
	return found;
}

bool
sched_dequeue(struct thread *thread)
{
	return unqueue(thread, THREAD_STOPPED);
}

void
sched_change(struct thread *thread, unsigned class, unsigned weight,
    uint64_t affinity)
{
	bool queued = unqueue(thread, THREAD_READY);

	sched_set(thread, class, weight);
	if (affinity != 0)
		thread->affinity = affinity;
	/* READY all the while: a killer waits until it is in a queue again. */
	if (queued) {
		sched_enqueue(thread);
	} else if (thread->state == THREAD_RUNNING) {
		/* Its CPU looks at class and affinity anew. */
		if (thread == this_cpu()->current)
			sched_yield_current(this_cpu());
		else
			arch_ipi_resched(thread->cpu->index);
	}
}

/* queue_lock held. */
static void
insert(struct cpu *cpu, struct thread *thread)
{
	/* Read once: sched_change() may be giving it another. */
	unsigned class = __atomic_load_n(&thread->class, __ATOMIC_RELAXED);
	struct list *head = &cpu->queue[class];
	struct list *before = head;

	if (class == CLASS_NORMAL) {
		uint64_t floor = cpu->virtual_ns > SLICE_NS ?
		    cpu->virtual_ns - SLICE_NS : 0;
		if (thread->virtual_deadline < floor)
			thread->virtual_deadline = floor;
		while (before->prev != head && LIST_ENTRY(before->prev,
		    struct thread, link)->virtual_deadline >
		    thread->virtual_deadline)
			before = before->prev;
	}
	list_append(before, &thread->link);
	thread->ready_tsc = arch_tsc();
	cpu->queue_mask |= 1u << class;
	cpu->queue_length++;
	__atomic_store_n(&thread->queued, cpu, __ATOMIC_RELEASE);
}

static unsigned
arch_thread_fpu_cpu(const struct thread *thread)
{
	return __atomic_load_n(&thread->arch.fpu_cpu, __ATOMIC_ACQUIRE);
}

/* Vector state that is live in another CPU keeps a thread there. */
static bool
bound_to_other(const struct thread *thread, const struct cpu *cpu)
{
	unsigned at = arch_thread_fpu_cpu(thread);

	return at != FPU_NOWHERE && at != cpu->index;
}

static struct cpu *
place(struct thread *thread)
{
	unsigned at = arch_thread_fpu_cpu(thread);
	struct cpu *last = thread->cpu != NULL ? thread->cpu : this_cpu();

	if (at != FPU_NOWHERE && (thread->affinity >> at & 1) != 0)
		return &cpu_table[at];
	if ((thread->affinity >> last->index & 1) != 0 &&
	    (last->idle || cpu_count == 1))
		return last;
	for (unsigned i = 0; i < cpu_count; i++)
		if ((thread->affinity >> i & 1) != 0 && cpu_table[i].idle)
			return &cpu_table[i];
	if ((thread->affinity >> last->index & 1) != 0)
		return last;
	uint64_t allowed = thread->affinity & cpu_online_mask;
	return &cpu_table[__builtin_ctzl(allowed != 0 ? allowed : 1)];
}

void
sched_enqueue(struct thread *thread)
{
	struct cpu *cpu = place(thread), *self = this_cpu();

	lock_acquire(&cpu->queue_lock);
	thread->cpu = cpu;
	insert(cpu, thread);
	struct thread *running = cpu->current;
	bool better = cpu->idle || running == NULL ||
	    running->class < thread->class;
	bool first = cpu->queue_length == 1;	/* its slice timer is off */
	lock_release(&cpu->queue_lock);
	if (cpu == self) {
		cpu->need_resched |= better;
		sched_need_exit_work(cpu);
	} else if (better || first) {
		arch_ipi_resched(cpu->index);
	}
}

void
sched_block_current(struct cpu *cpu)
{
	cpu->current_gone = true;
	sched_need_exit_work(cpu);
}

/* Time used since the last look counts against the virtual deadline. */
static void
charge(struct cpu *cpu, uint64_t now)
{
	struct thread *thread = cpu->current;
	struct thread *payer = __atomic_load_n(&cpu->payer, __ATOMIC_ACQUIRE);
	uint64_t used = now - cpu->run_start_ns;

	cpu->run_start_ns = now;
	if (thread == NULL)
		return;
	if (payer == NULL)
		payer = thread;
	__atomic_fetch_add(&payer->runtime_ns, used, __ATOMIC_RELAXED);
	thread->request_used_ns += used;
	thread->virtual_deadline += used * WEIGHT_DEFAULT / thread->weight;
}

uint64_t
sched_runtime(const struct thread *thread)
{
	charge(this_cpu(), arch_clock_now());
	return __atomic_load_n(&thread->runtime_ns, __ATOMIC_RELAXED);
}

void
sched_forget(struct thread *thread)
{
	for (unsigned i = 0; i < cpu_count; i++) {
		struct thread *payer = thread;

		__atomic_compare_exchange_n(&cpu_table[i].payer, &payer, NULL,
		    false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
	}
}

uint64_t
sched_idle_ns(const struct cpu *cpu)
{
	uint64_t now = arch_clock_now();
	uint64_t time = __atomic_load_n(&cpu->idle_time, __ATOMIC_RELAXED);

	return (time / 2 + now * (time & 1)) & ~(1ul << 63);
}

/* One store, so that others always see a time that was true. */
static void
mark_idle(struct cpu *cpu, bool idle, uint64_t now)
{
	uint64_t time = cpu->idle_time;

	if ((time & 1) == idle)
		return;
	time = idle ? time / 2 - now : time / 2 + now;
	__atomic_store_n(&cpu->idle_time, time << 1 | idle, __ATOMIC_RELAXED);
}

/* From ready to running, by powers of two. */
static void
count_latency(struct cpu *cpu, const struct thread *thread)
{
	uint64_t now = arch_tsc(), since = thread->ready_tsc;
	/* The counter of another CPU may be a little ahead. */
	uint64_t waited = now > since ? now - since : 1;
	unsigned bucket = 63u - (unsigned)__builtin_clzl(waited);

	if (bucket >= LATENCY_BUCKETS)
		bucket = LATENCY_BUCKETS - 1;
	cpu->latency[thread->class][bucket]++;
}

void
sched_yield_current(struct cpu *cpu)
{
	struct thread *thread = cpu->current;

	charge(cpu, arch_clock_now());
	if (thread->virtual_deadline < cpu->virtual_ns)
		thread->virtual_deadline = cpu->virtual_ns;
	cpu->need_resched = true;
	cpu->slice_end_ns = 0;
	sched_need_exit_work(cpu);
}

/* queue_lock held; the best thread of the queue, or NULL. */
static struct thread *
best_queued(struct cpu *cpu)
{
	if (cpu->queue_mask == 0)
		return NULL;
	unsigned class = 31 - (unsigned)__builtin_clz(cpu->queue_mask);
	return LIST_ENTRY(cpu->queue[class].next, struct thread, link);
}

/* Makes `next` current; the old one's registers are saved when it returns. */
static void
switch_to(struct cpu *cpu, struct thread *next)
{
	struct thread *previous = cpu->current;

	/*
	 * Its last CPU may still be about to save what it had loaded. That CPU may
	 * wait for ours in turn, so ours is given up first.
	 */
	if (next != NULL && next != previous && previous != NULL &&
	    __atomic_load_n(&next->on_cpu, __ATOMIC_ACQUIRE) != NULL) {
		arch_switch(cpu, NULL);
		__atomic_store_n(&previous->on_cpu, NULL, __ATOMIC_RELEASE);
		previous = NULL;
	}
	if (next != NULL) {
		while (next != previous && __atomic_load_n(&next->on_cpu,
		    __ATOMIC_ACQUIRE) != NULL)
			arch_spin_relax();
		__atomic_store_n(&next->on_cpu, cpu, __ATOMIC_RELAXED);
	}
	arch_switch(cpu, next);
	__atomic_store_n(&cpu->payer, next, __ATOMIC_RELEASE);
	if (previous != NULL && previous != next)
		__atomic_store_n(&previous->on_cpu, NULL, __ATOMIC_RELEASE);
	cpu->context_switches++;
}

/* Takes the best thread that waits for `other` and may run on `cpu`. */
static struct thread *
steal_from(struct cpu *other, struct cpu *cpu)
{
	struct thread *found = NULL;

	lock_acquire(&other->queue_lock);
	for (unsigned class = CLASS_COUNT; class-- > 0 && found == NULL;)
		for (struct list *n = other->queue[class].next;
		    n != &other->queue[class] && found == NULL; n = n->next) {
			struct thread *thread = LIST_ENTRY(n, struct thread,
			    link);
			if ((thread->affinity >> cpu->index & 1) != 0 &&
			    thread->on_cpu == NULL &&
			    !bound_to_other(thread, cpu))
				found = thread;
		}
	if (found != NULL) {
		take_out(other, found);
		found->cpu = cpu;
		found->state = THREAD_RUNNING;
	}
	lock_release(&other->queue_lock);
	return found;
}

/* An idle CPU takes a thread that waits elsewhere: where most do, if it can. */
static struct thread *
steal(struct cpu *cpu)
{
	uint64_t left = cpu_online_mask & ~(1ul << cpu->index);
	struct thread *found = NULL;

	while (left != 0 && found == NULL) {
		uint32_t most = 0, busiest = 0;

		for (uint64_t mask = left; mask != 0; mask &= mask - 1) {
			unsigned i = (unsigned)__builtin_ctzl(mask);
			uint32_t length = __atomic_load_n(
			    &cpu_table[i].queue_length, __ATOMIC_RELAXED);

			if (length > most) {
				most = length;
				busiest = i;
			}
		}
		if (most == 0)
			break;
		left &= ~(1ul << busiest);
		found = steal_from(&cpu_table[busiest], cpu);
	}
	return found;
}

/* A thread that lost its CPU need not wait while another has nothing to do. */
static void
offer(struct cpu *cpu, const struct thread *thread)
{
	for (unsigned i = 0; i < cpu_count; i++)
		if ((thread->affinity >> i & 1) != 0 && cpu_table[i].idle) {
			arch_fpu_flush(cpu);	/* else it is bound to here */
			arch_ipi_resched(i);
			return;
		}
}

void
sched_choose(struct cpu *cpu)
{
	uint64_t now = arch_clock_now();
	struct thread *current = cpu->current_gone ? NULL : cpu->current;

	charge(cpu, now);
	cpu->need_resched = false;
	lock_acquire(&cpu->queue_lock);
	struct thread *next = best_queued(cpu);
	bool stays = current != NULL && (current->affinity >> cpu->index & 1) != 0;
	bool keep = stays && (next == NULL ||
	    current->class > next->class ||
	    (current->class == next->class && now < cpu->slice_end_ns));
	if (keep) {
		next = current;
	} else if (next != NULL) {
		take_out(cpu, next);
		next->state = THREAD_RUNNING;
		if (stays) {
			current->state = THREAD_READY;
			insert(cpu, current);
		}
	}
	lock_release(&cpu->queue_lock);
	if (current != NULL && !stays) {
		arch_fpu_flush(cpu);
		thread_make_ready(current);
	}
	if (next == NULL)
		next = steal(cpu);
	mark_idle(cpu, next == NULL, now);
	cpu->current_gone = false;
	if (next != cpu->current || (next != NULL && !keep))
		switch_to(cpu, next);
	if (next == NULL || keep)
		return;
	if (stays)
		offer(cpu, current);
	count_latency(cpu, next);
	cpu->slice_end_ns = now + SLICE_NS;
	if (next->class == CLASS_NORMAL &&
	    next->virtual_deadline > cpu->virtual_ns)
		cpu->virtual_ns = next->virtual_deadline;
}

void
timer_entry(void)
{
	struct cpu *cpu = this_cpu();
	uint64_t now = arch_clock_now();

	cpu->timer_armed_ns = DEADLINE_NEVER;
	timer_run_expired(cpu, now);
	charge(cpu, now);
	if (cpu->current != NULL && now >= cpu->slice_end_ns)
		cpu->need_resched = true;
	sched_need_exit_work(cpu);
}

void
resched_entry(void)
{
	struct cpu *cpu = this_cpu();

	cpu->need_resched = true;
	sched_need_exit_work(cpu);
}

/*
 * CPU time of one request. IPC does not read the clock, so the measurement of
 * a request begins with the first look that finds it; a request is stopped
 * between one and one limit plus WATCH_NS later.
 */
static bool
over_budget(struct cpu *cpu)
{
	struct thread *thread = cpu->current;

	if (thread->request_budget_ns == 0 || thread->request_order == 0)
		return false;
	charge(cpu, arch_clock_now());
	if (thread->budget_order != thread->request_order) {
		thread->budget_order = thread->request_order;
		thread->request_used_ns = 0;
		return false;
	}
	return thread->request_used_ns > thread->request_budget_ns;
}

static void
arm_timer(struct cpu *cpu)
{
	uint64_t deadline = timer_next_deadline(cpu);
	struct thread *thread = cpu->current;

	if (thread != NULL) {
		uint64_t watch = cpu->run_start_ns + WATCH_NS;
		if (cpu->queue_mask >> thread->class != 0 &&
		    cpu->slice_end_ns < deadline)
			deadline = cpu->slice_end_ns;
		if (watch < deadline)
			deadline = watch;
	}
	/* One armed too early is looked at and armed again when it fires. */
	if (deadline < cpu->timer_armed_ns) {
		cpu->timer_armed_ns = deadline;
		arch_timer_arm(deadline);
	}
}

/* What the current thread has coming before it sees user mode again. */
static void
settle_current(struct cpu *cpu)
{
	struct thread *thread = cpu->current;

	if (thread == NULL || cpu->current_gone)
		return;
	if (__atomic_load_n(&thread->kill_pending, __ATOMIC_ACQUIRE))
		thread_die(thread, DEATH_KILLED, 0);
	else if (over_budget(cpu))
		thread_die(thread, DEATH_BUDGET, 0);
	else if (thread->kick_pending)
		thread_take_kick(thread);
}

/* Nothing to run: write vector state back, so its owner can go elsewhere. */
static void
idle(struct cpu *cpu)
{
	arch_fpu_flush(cpu);
	__atomic_store_n(&cpu->idle, true, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&cpu->queue_length, __ATOMIC_SEQ_CST) == 0) {
		arm_timer(cpu);
		arch_idle_wait();
	}
	__atomic_store_n(&cpu->idle, false, __ATOMIC_SEQ_CST);
}

/*
 * Takes dead objects apart, on the way out of whoever made a call; interrupts
 * get their turn after REAP_NS. A thread of class realtime does no more than it
 * may have made itself, and nothing when it was just woken.
 */
static void
reap(struct cpu *cpu, const struct thread *entered)
{
	const struct thread *thread = cpu->current;
	unsigned steps = REAP_STEPS;
	uint64_t end = arch_clock_now() + REAP_NS;

	if (thread != NULL && thread->class == CLASS_REALTIME)
		steps = thread == entered;
	while (steps-- > 0 && !cpu->need_resched && object_reap_step() &&
	    object_reap_pending())
		if (arch_clock_now() > end)
			arch_interrupt_window();
}

void
kernel_exit(void)
{
	struct cpu *cpu = this_cpu();
	const struct thread *entered = cpu->current;

	for (;;) {
		cpu->arch.exit_work = 0;
		settle_current(cpu);
		if (cpu->current == NULL || cpu->current_gone ||
		    cpu->need_resched)
			sched_choose(cpu);
		if (object_reap_pending())
			reap(cpu, entered);
		if (cpu->current == NULL) {
			if (object_reap_pending() && object_reap_step())
				arch_interrupt_window();
			else
				idle(cpu);
			continue;
		}
		if (!cpu->need_resched && !cpu->current_gone &&
		    !cpu->current->kill_pending && !cpu->current->kick_pending)
			break;
	}
	if (object_reap_pending())
		sched_need_exit_work(cpu);
	arm_timer(cpu);
}
