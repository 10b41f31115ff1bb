/* SPDX-License-Identifier: MIT */
/*
 * Nothing gets past a lock. First one operation at a time: while a test holds
 * the lock that guards a queue, another CPU that begins the operation does not
 * come to its end. Then CPUs that use one queue at once and must not lose or
 * double an entry.
 */
#include <kernel/core/call_host.h>
#include <kernel/object/memory.h>
#include <pthread.h>
#include <time.h>

#define BASE		0x7f0000000000ul
#define ROUNDS		3u
#define PATIENCE	20u		/* looks of 1 ms at a CPU that must wait */
#define STRESS		60000u

static struct notification *notification;
static struct memory *memory;
static struct thread *third;

/* --- One operation against one lock. The other CPU is number 1. --- */

struct operation {
	const char *name;
	void (*run)(void);
	struct lock *(*lock)(void);
};

static struct lock *of_notification(void) { return &notification->lock; }
static struct lock *of_endpoint(void) { return &endpoint->lock; }
static struct lock *of_memory(void) { return &memory->lock; }
static struct lock *of_vspace(void) { return &client->vspace->lock; }
static struct lock *of_tables(void) { return &derivation_lock; }
static struct lock *of_queue(void) { return &cpu_table[0].queue_lock; }
static struct lock *of_own_queue(void) { return &cpu_table[1].queue_lock; }

static void
run_signal(void)
{
	notification_signal(notification, 1);
}

/* The server is bound to the notification and waits for a call. */
static void
run_signal_bound(void)
{
	notification_signal(notification, 1);
}

static void
run_next_event(void)
{
	uint64_t kind, badge;

	EXPECT_EQ(notification_next_event(notification, &kind, &badge),
	    ERR_EMPTY);
}

static void
run_rearm(void)
{
	notification_rearm(notification);
}

static void
run_wait(void)
{
	client->frame.rdi = add_cap(&notification->object, OBJ_NOTIFICATION);
	client->frame.rsi = WAIT_BITS;
	client->frame.r10 = DEADLINE_NEVER;
	enter(client, SYS_NOTIFY_WAIT);
}

static void
run_call(void)
{
	call(client, endpoint_cap, 0, 0);
}

static void
run_close(void)
{
	endpoint_close(endpoint);
}

static void
run_enqueue(void)
{
	thread_make_ready(third);
}

static void
run_dequeue(void)
{
	sched_dequeue(third);
}

static void
run_choose(void)
{
	sched_choose(this_cpu());
}

/* The last thread of CPU 1 blocks, and one is queued on CPU 0. */
static void
run_steal(void)
{
	run_wait();
}

static void
run_copy(void)
{
	narrowed(endpoint_cap, RIGHT_ALL);
}

static void
run_delete(void)
{
	EXPECT_EQ(table_delete(table, reply_cap), OK);
}

static void
run_revoke(void)
{
	EXPECT_EQ(table_revoke(table, reply_cap), OK);
}

static void
run_resize(void)
{
	EXPECT_EQ(memory_resize(memory, PAGE_SIZE), OK);
}

static void
run_fault(void)
{
	EXPECT_EQ(vspace_fault(client->vspace, BASE, MAP_READ), OK);
}

static void
run_unmap(void)
{
	vaddr_t address = BASE;
	uint64_t length = PAGE_SIZE;

	EXPECT_EQ(vspace_unmap(client->vspace, &address, &length), OK);
}

static const struct operation operations[] = {
	{ "signal", run_signal, of_notification },
	{ "signal to a receiver", run_signal_bound, of_endpoint },
	{ "next event", run_next_event, of_notification },
	{ "rearm", run_rearm, of_notification },
	{ "wait", run_wait, of_notification },
	{ "call", run_call, of_endpoint },
	{ "close", run_close, of_endpoint },
	{ "enqueue", run_enqueue, of_queue },
	{ "dequeue", run_dequeue, of_queue },
	{ "choose", run_choose, of_own_queue },
	{ "steal", run_steal, of_queue },
	{ "copy", run_copy, of_tables },
	{ "delete", run_delete, of_tables },
	{ "revoke", run_revoke, of_tables },
	{ "resize", run_resize, of_memory },
	{ "fault", run_fault, of_vspace },
	{ "fault on memory", run_fault, of_memory },
	{ "unmap", run_unmap, of_vspace },
};

struct attempt {
	const struct operation *operation;
	bool	begun, over;		/* atomic */
};

static void *
attempt_run(void *context)
{
	struct attempt *attempt = context;

	host_become_cpu(1);
	__atomic_store_n(&attempt->begun, true, __ATOMIC_SEQ_CST);
	attempt->operation->run();
	__atomic_store_n(&attempt->over, true, __ATOMIC_SEQ_CST);
	return NULL;
}

static void
wait_1ms(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

/* Did it come to its end while the lock was held? It does so afterwards. */
static bool
gets_past(const struct operation *operation)
{
	struct attempt attempt = { .operation = operation };
	struct lock *lock = operation->lock();
	pthread_t other;

	lock_acquire(lock);
	if (pthread_create(&other, NULL, attempt_run, &attempt) != 0)
		return true;
	while (!__atomic_load_n(&attempt.begun, __ATOMIC_SEQ_CST))
		wait_1ms();
	for (unsigned i = 0; i < PATIENCE &&
	    !__atomic_load_n(&attempt.over, __ATOMIC_SEQ_CST); i++)
		wait_1ms();
	bool past = __atomic_load_n(&attempt.over, __ATOMIC_SEQ_CST);
	lock_release(lock);
	pthread_join(other, NULL);
	return past || lock->held != 0;
}

/* The client on CPU 1, a stopped or queued thread for CPU 0, and the rest. */
static void
begin_objects(void)
{
	begin(1, 0);
	reply_wait(server, CAP_NONE, endpoint_cap, reply_cap);
	EXPECT_EQ(notification_create(&root_container, &notification), OK);
	EXPECT_EQ(memory_create(&root_container, PAGE_SIZE, 0, 0, &memory), OK);
	EXPECT_EQ(vspace_map(client->vspace, BASE, memory, 0, PAGE_SIZE,
	    MAP_READ), OK);
	EXPECT_EQ(thread_create(&root_container, &third), OK);
	third->affinity = 1;
}

static void
end_objects(void)
{
	host_become_cpu(0);
	sched_dequeue(third);
	object_release(&third->object);
	object_release(&notification->object);
	object_release(&memory->object);
	end();
}

TEST(test_nothing_gets_past_a_lock_that_is_held)
{
	unsigned count = sizeof(operations) / sizeof(operations[0]);

	for (unsigned i = 0; i < ROUNDS * count; i++) {
		const struct operation *operation = &operations[i % count];

		begin_objects();
		if (operation->run == run_dequeue ||
		    operation->run == run_steal)
			thread_make_ready(third);
		if (operation->run == run_signal_bound)
			EXPECT_EQ(notification_bind(notification, server), OK);
		bool past = gets_past(operation);
		if (past)
			printf("# %s\n", operation->name);
		EXPECT(!past);
		end_objects();
	}
}

/* --- Two CPUs at once. --- */

static void
stress(void *(*run)(void *context))
{
	pthread_t other[CPUS];

	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		EXPECT_EQ(pthread_create(&other[cpu], NULL, run,
		    &cpu_table[cpu]), 0);
	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		pthread_join(other[cpu], NULL);
}

static void *
stress_signal(void *context)
{
	host_become_cpu(((struct cpu *)context)->index);
	for (unsigned i = 0; i < 4 * STRESS; i++)
		notification_signal(notification, 1);
	return NULL;
}

TEST(test_every_signal_counts)
{
	begin_objects();
	stress(stress_signal);
	EXPECT_EQ(notification->count, 4 * STRESS * CPUS);
	end_objects();
}

/* Threads of its own go into the queue of CPU 0 and come out again. */
static void *
stress_queue(void *context)
{
	struct thread *own[4];

	host_become_cpu(((struct cpu *)context)->index);
	for (unsigned i = 0; i < 4; i++) {
		EXPECT_EQ(thread_create(&root_container, &own[i]), OK);
		own[i]->affinity = 1;
	}
	for (unsigned i = 0; i < STRESS; i++) {
		unsigned at = i * 7 % 4;

		if (own[at]->state == THREAD_STOPPED)
			thread_make_ready(own[at]);
		else
			EXPECT(sched_dequeue(own[at]));
	}
	for (unsigned i = 0; i < 4; i++) {
		if (own[i]->state == THREAD_READY)
			EXPECT(sched_dequeue(own[i]));
		object_release(&own[i]->object);
	}
	return NULL;
}

TEST(test_a_run_queue_loses_no_thread)
{
	begin_objects();
	stress(stress_queue);
	EXPECT_EQ(cpu_table[0].queue_length, 0);
	EXPECT_EQ(cpu_table[0].queue_mask, 0);
	for (unsigned class = 0; class < CLASS_COUNT; class++)
		EXPECT(list_is_empty(&cpu_table[0].queue[class]));
	end_objects();
}

static void *
stress_table(void *context)
{
	cap_t caps[4] = { CAP_NONE };

	host_become_cpu(((struct cpu *)context)->index);
	for (unsigned i = 0; i < STRESS; i++) {
		cap_t *cap = &caps[i * 7 % 4];

		if (*cap == CAP_NONE) {
			*cap = narrowed(endpoint_cap, RIGHT_ALL);
		} else {
			EXPECT_EQ(table_delete(table, *cap), OK);
			*cap = CAP_NONE;
		}
	}
	for (unsigned i = 0; i < 4; i++)
		if (caps[i] != CAP_NONE)
			EXPECT_EQ(table_delete(table, caps[i]), OK);
	return NULL;
}

TEST(test_a_table_loses_no_slot)
{
	begin_objects();
	uint64_t before = slots_used;
	uint32_t references = endpoint->object.references;
	stress(stress_table);
	EXPECT_EQ(slots_used, before);
	EXPECT_EQ(endpoint->object.references, references);
	EXPECT(table_ok(table));
	end_objects();
}

TEST_MAIN(setup())
