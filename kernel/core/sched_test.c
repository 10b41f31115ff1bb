/* SPDX-License-Identifier: MIT */
/*
 * Where threads run when there are several CPUs: idle ones look for work where
 * most of it waits, and a thread goes only where its mask allows.
 */
#define CPUS 3u
#include <kernel/core/call_host.h>

#define EXTRA 4u

static struct thread *extra[EXTRA];
static unsigned extra_count;

/* Leaves `count` threads ready behind the one that runs on that CPU. */
static void
queue_up(unsigned cpu, unsigned count)
{
	while (count-- > 0)
		extra[extra_count++] = make_thread(cpu);
	EXPECT(cpu_table[cpu].current != NULL);
}

/* On a CPU of its own a thread may die; where it ran does not matter here. */
static void
end_all(void)
{
	while (extra_count > 0)
		end_thread(extra[--extra_count]);
	end();
}

static void
allow(struct thread *thread, uint64_t mask)
{
	host_become_cpu(0);
	sched_change(thread, CLASS_NORMAL, WEIGHT_DEFAULT, mask);
}

static struct thread *
look_for_work(unsigned cpu)
{
	host_become_cpu(cpu);
	leave_kernel();
	return cpu_table[cpu].current;
}

TEST(test_an_idle_cpu_takes_from_the_longest_queue)
{
	begin(1, 2);
	queue_up(1, 1);
	queue_up(2, 3);
	for (unsigned i = 0; i < EXTRA; i++)
		extra[i]->affinity = ~0ul;
	struct thread *taken = look_for_work(0);
	EXPECT(taken == extra[1]);
	EXPECT_EQ(cpu_table[2].queue_length, 2);
	EXPECT_EQ(cpu_table[1].queue_length, 1);
	end_all();
}

/* The longest queue has nothing for it, so it looks at the next one. */
TEST(test_an_idle_cpu_takes_only_what_may_run_there)
{
	begin(1, 2);
	queue_up(1, 1);
	queue_up(2, 3);
	EXPECT(look_for_work(0) == NULL);
	extra[0]->affinity = 3;
	EXPECT(look_for_work(0) == extra[0]);
	EXPECT_EQ(cpu_table[2].queue_length, 3);
	end_all();
}

TEST(test_a_better_class_is_taken_first)
{
	begin(1, 2);
	queue_up(1, 3);
	for (unsigned i = 0; i < 3; i++)
		extra[i]->affinity = ~0ul;
	host_become_cpu(1);
	sched_change(extra[2], CLASS_LOW, WEIGHT_DEFAULT, 0);
	sched_change(extra[1], CLASS_NORMAL, 1, 0);
	EXPECT(look_for_work(0) != extra[2]);
	end_all();
}

TEST(test_who_is_woken_goes_to_an_idle_cpu)
{
	begin(1, 2);
	struct notification *bell = NULL;
	EXPECT_EQ(notification_create(&root_container, &bell), OK);
	server->affinity = ~0ul;
	server->frame.rdi = add_cap(&bell->object, OBJ_NOTIFICATION);
	server->frame.rsi = WAIT_BITS;
	server->frame.rdx = 0;
	server->frame.r10 = DEADLINE_NEVER;
	enter(server, SYS_NOTIFY_WAIT);
	EXPECT_EQ(server->state, THREAD_BLOCKED_NOTIFY);
	queue_up(2, 1);
	/* Its own CPU is busy now. */
	for (unsigned i = 0; i < CPUS; i++)
		cpu_table[i].idle = i == 0;
	host_become_cpu(1);
	notification_signal(bell, 1);
	cpu_table[0].idle = false;
	EXPECT(server->cpu == &cpu_table[0]);
	EXPECT(look_for_work(0) == server);
	object_release(&bell->object);
	end_all();
}

TEST(test_who_lost_its_cpu_is_offered_to_an_idle_one)
{
	begin(1, 2);
	server->affinity = ~0ul;
	extra[extra_count++] = make_thread(1);
	cpu_table[0].idle = true;
	__atomic_store_n(&host_machine.ipi_mask, 0, __ATOMIC_SEQ_CST);
	host_become_cpu(1);
	sched_change(extra[0], CLASS_REALTIME, WEIGHT_DEFAULT, 4);
	host_become_cpu(2);
	cpu_table[2].need_resched = true;
	leave_kernel();
	cpu_table[0].idle = false;
	EXPECT(cpu_table[2].current == extra[0]);
	EXPECT_EQ(host_machine.ipi_mask & 1, 1);
	EXPECT(look_for_work(0) == server);
	end_all();
}

TEST(test_a_new_mask_moves_a_thread)
{
	begin(1, 2);
	queue_up(2, 1);
	allow(extra[0], 2);
	EXPECT(extra[0]->cpu == &cpu_table[1]);
	EXPECT(look_for_work(0) == NULL);
	end_all();
}

TEST_MAIN(setup())
