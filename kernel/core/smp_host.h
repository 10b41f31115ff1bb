/* SPDX-License-Identifier: MIT */
/*
 * The world of smp_test.c: its actors, what the servers keep, the CPUs and how
 * they stop for a look at everything. Included by that test only.
 */
#pragma once

#include <kernel/arch/host/host.h>
#include <kernel/core/epoch.h>
#include <kernel/core/frame.h>
#include <kernel/core/ipc.h>
#include <kernel/core/sched.h>
#include <kernel/core/syscall.h>
#include <kernel/object/container.h>
#include <kernel/object/endpoint.h>
#include <kernel/object/thread_calls.h>
#include <kernel/object/vspace.h>
#include <lib/test/ktap.h>

#include <abi/syscall.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RAM		(64ul << 20)
#define CPUS		3u
#define RUN_NS		2500000000ul	/* of real time */
#define STOP_NS		20000000ul	/* between two looks at all */
#define PATIENCE_NS	40000000000ul	/* then a CPU is stuck */
#define CODE		0x100000ul	/* program counter of all threads */

#define SERVERS		2u
#define CLIENTS		5u
#define WAITERS		2u
#define WILD		4u
#define CONTROLLERS	3u
#define ACTORS		(SERVERS + CLIENTS + WAITERS + WILD + CONTROLLERS)
#define REPLIES		3u		/* of each server */
#define REQUEST		0x1234ul
#define ANSWERS		64u		/* of a client, kept in mind */

/* Slots of the table in which wild threads make and delete objects. */
#define POOL_FIRST	128u
#define POOL_SIZE	12u

enum role { SERVER, CLIENT, WAITER, WILDLING, CONTROLLER };

struct actor {
	enum role	role;
	unsigned	index;		/* among its role */
	struct thread	*thread;	/* of this incarnation; no reference */
	cap_t		cap, wild_cap;
	uint32_t	on;		/* atomic: in user mode on so many CPUs */
	uint32_t	replacing;	/* atomic: one controller at a time */
	uint64_t	random;

	/* The incarnation; only its own thread touches these. */
	unsigned	step;
	uint64_t	token, sequence;

	/* Atomic: tokens that a server answered, also those of the dead. */
	uint64_t	answered[ANSWERS];
};

/* What a server keeps for its next incarnation. */
struct arena {
	cap_t		endpoint, replies[REPLIES];
	struct notification *bound;
	unsigned	serving;
	bool		parked[REPLIES];
};

static struct actor actors[ACTORS];
static struct arena arenas[SERVERS];
static cap_t waiter_caps[WAITERS], bound_caps[SERVERS], container_cap;
static struct notification *waited[WAITERS];
static struct endpoint *endpoints[SERVERS];
static struct vspace *vspace;
static struct table *table, *wild_table;
static cap_t wild_container;

static _Thread_local jmp_buf idle_jump;
static bool stopping, ending, finished;		/* atomic */
static pthread_mutex_t standing_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned standing;			/* CPUs that do */
static struct {
	uint64_t answered, interrupted, killed, kicked, moved, timeouts, woken,
	    wild, died, restarted;
} totals;					/* atomic */

#define COUNT(what)	__atomic_add_fetch(&totals.what, 1, __ATOMIC_RELAXED)
#define MUST(condition) \
	((condition) ? (void)0 : broken(__LINE__, #condition))
#define MUST_EQ(a, b)	must_equal(__LINE__, #a, a, b)

static _Noreturn void
broken(int line, const char *what)
{
	fprintf(stderr, "# smp_test.c:%d: CPU %u: %s\n", line,
	    this_cpu()->index, what);
	abort();
}

static void
must_equal(int line, const char *what, uint64_t a, uint64_t b)
{
	if (a == b)
		return;
	fprintf(stderr, "# smp_test.c:%d: %s: %lu, not %lu\n", line, what, a,
	    b);
	broken(line, what);
}

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t
random_of(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state >> 11;
}

static unsigned
pick(struct actor *actor, unsigned count)
{
	return (unsigned)(random_of(&actor->random) % count);
}

/* --- CPUs. --- */

static bool
load(const bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

/* Serves what came for this CPU; true if anything did. In the kernel. */
static bool
take_interrupts(struct cpu *cpu)
{
	bool any = false;
	uint64_t mask = 1ul << cpu->index;

	if (__atomic_load_n(&host_machine.ipi_mask, __ATOMIC_RELAXED) & mask) {
		__atomic_and_fetch(&host_machine.ipi_mask, ~mask,
		    __ATOMIC_SEQ_CST);
		resched_entry();
		any = true;
	}
	if (arch_clock_now() >= cpu->arch.timer_deadline_ns) {
		cpu->arch.timer_deadline_ns = DEADLINE_NEVER;
		timer_entry();
		any = true;
	}
	return any;
}

static bool
interrupt_waits(const struct cpu *cpu)
{
	return (__atomic_load_n(&host_machine.ipi_mask, __ATOMIC_RELAXED) >>
	    cpu->index & 1) != 0 ||
	    arch_clock_now() >= cpu->arch.timer_deadline_ns;
}

/*
 * Stands still, outside the kernel, while the checker looks; an interrupt is
 * served first, since another CPU may wait for that in the kernel.
 */
static void
stand(const struct cpu *cpu)
{
	pthread_mutex_lock(&standing_lock);
	standing++;
	while (load(&stopping) && !interrupt_waits(cpu)) {
		pthread_mutex_unlock(&standing_lock);
		sched_yield();
		pthread_mutex_lock(&standing_lock);
	}
	standing--;
	pthread_mutex_unlock(&standing_lock);
}

static void
on_idle(void)
{
	struct cpu *cpu = this_cpu();

	epoch_leave(cpu);
	while (!interrupt_waits(cpu)) {
		if (load(&finished))
			longjmp(idle_jump, 1);
		if (load(&stopping))
			stand(cpu);
		__atomic_add_fetch(&host_machine.clock_ns, 500,
		    __ATOMIC_RELAXED);
		sched_yield();
	}
	epoch_enter(cpu);
	take_interrupts(cpu);
}

/* A system call of the current thread, as the entry stub does it. */
static void
kernel_call(struct thread *thread, uint64_t number)
{
	struct cpu *cpu = this_cpu();

	MUST(cpu->current == thread);
	epoch_enter(cpu);
	thread->frame.rax = -number;
	if (number == SYS_CALL)
		ipc_call_fast(thread);
	else if (number == SYS_REPLY_WAIT)
		ipc_reply_wait_fast(thread);
	else
		syscall_entry(thread);
	if (cpu->arch.exit_work)
		kernel_exit();
	epoch_leave(cpu);
}

/* A call that never blocks, made by the test in the name of the thread. */
static status_t
quick_call(struct thread *thread, uint64_t number)
{
	struct cpu *cpu = this_cpu();

	epoch_enter(cpu);
	do {
		thread->frame.rax = -number;
		syscall_entry(thread);
		/* Restarted: the program counter went back. */
	} while (thread->frame.rip != CODE && (thread->frame.rip = CODE) &&
	    !thread->kill_pending);
	epoch_leave(cpu);
	return thread->frame.rax;
}

/* What quick_call() left to do; the thread may be gone after. */
static void
settle(void)
{
	struct cpu *cpu = this_cpu();

	epoch_enter(cpu);
	if (cpu->arch.exit_work)
		kernel_exit();
	epoch_leave(cpu);
}

/* --- Actors. --- */

static cap_t
add_cap(struct object *object, unsigned type)
{
	cap_t cap = 0;

	MUST_EQ(table_insert_new(table, CAP_ANY_SLOT, object, type, &cap), OK);
	return cap;
}

/* A new incarnation; the caller is in the kernel. */
static void
spawn(struct actor *actor)
{
	struct memory *utcb = NULL;
	struct thread *thread = NULL;
	struct thread_setup setup = { .flags = THREAD_NO_FPU,
	    .schedule = CLASS_NORMAL | WEIGHT_DEFAULT << 8 };

	MUST_EQ(memory_create(&root_container, PAGE_SIZE, MEMORY_CONTIGUOUS, 0,
	    &utcb), OK);
	MUST_EQ(thread_create(&root_container, &thread), OK);
	MUST_EQ(thread_setup(thread, actor->role == WILDLING ? wild_table :
	    table, vspace, utcb, NULL, &setup), OK);
	object_release(&utcb->object);
	thread->frame.rip = CODE;
	thread->frame.rbp = (uint64_t)(actor - actors);
	actor->step = 0;
	actor->thread = thread;
	if (actor->role == SERVER)
		(void)notification_bind(arenas[actor->index].bound, thread);
	/* In some pool slot, for a wild thread to find or not. */
	if (actor->role == WILDLING)
		(void)table_insert_new(wild_table, POOL_FIRST + actor->index,
		    &thread->object, OBJ_THREAD, &actor->wild_cap);
	actor->cap = add_cap(&thread->object, OBJ_THREAD);
	MUST_EQ(thread_start(thread), OK);
	object_release(&thread->object);
}

static void
make_world(void)
{
	struct notification *n;

	MUST_EQ(table_create(&root_container, 1024, &table), OK);
	MUST_EQ(vspace_create(&root_container, &vspace), OK);
	MUST_EQ(table_create(&root_container, 512, &wild_table), OK);
	MUST_EQ(table_insert_new(wild_table, CAP_ANY_SLOT,
	    &root_container.object, OBJ_CONTAINER, &wild_container), OK);
	container_cap = add_cap(&root_container.object, OBJ_CONTAINER);
	for (unsigned i = 0; i < SERVERS; i++) {
		MUST_EQ(endpoint_create(&root_container, &endpoints[i]), OK);
		arenas[i].endpoint = add_cap(&endpoints[i]->object,
		    OBJ_ENDPOINT);
		object_release(&endpoints[i]->object);
		MUST_EQ(notification_create(&root_container, &n), OK);
		arenas[i].bound = n;
		bound_caps[i] = add_cap(&n->object, OBJ_NOTIFICATION);
		for (unsigned j = 0; j < REPLIES; j++) {
			struct reply *reply = NULL;
			MUST_EQ(reply_create(&root_container, j, n, &reply), OK);
			arenas[i].replies[j] = add_cap(&reply->object,
			    OBJ_REPLY);
			object_release(&reply->object);
		}
		object_release(&n->object);
	}
	for (unsigned i = 0; i < WAITERS; i++) {
		MUST_EQ(notification_create(&root_container, &waited[i]), OK);
		waiter_caps[i] = add_cap(&waited[i]->object, OBJ_NOTIFICATION);
		object_release(&waited[i]->object);
	}
}

static void
make_actors(void)
{
	static const unsigned counts[] = {
		SERVERS, CLIENTS, WAITERS, WILD, CONTROLLERS,
	};
	unsigned at = 0;

	for (unsigned role = 0; role <= CONTROLLER; role++)
		for (unsigned i = 0; i < counts[role]; i++, at++) {
			actors[at].role = (enum role)role;
			actors[at].index = i;
			actors[at].random = (at + 1) * 0x9e3779b97f4a7c15ul;
			spawn(&actors[at]);
		}
}
