/* SPDX-License-Identifier: MIT */
/*
 * Who pays for CPU time, and what the kernel tells about threads and CPUs. The
 * clock of the machine stands still unless a test moves it.
 */
#include <kernel/core/call_host.h>

static void
pass(uint64_t ns)
{
	host_machine.clock_ns += ns;
}

/* The run time of a thread, as `asker`, which runs, is told. */
static uint64_t
runtime(struct thread *asker, cap_t of)
{
	struct user_frame saved = asker->frame;
	uint64_t told;

	asker->frame.rdi = of;
	EXPECT_EQ(enter(asker, SYS_THREAD_INFO), OK);
	told = asker->frame.rdi;
	asker->frame = saved;
	return told;
}

static unsigned
state(struct thread *asker, cap_t of)
{
	asker->frame.rdi = of;
	EXPECT_EQ(enter(asker, SYS_THREAD_INFO), OK);
	return asker->frame.rsi & 0xff;
}

/* A thread that its own table names would keep both. */
static void
finish(void)
{
	uint64_t index = 0;

	while (table_clear(table, 0, &index) == ERR_RETRY)
		;
	end();
}

static cap_t
cap_of(struct thread *thread)
{
	return add_cap(&thread->object, OBJ_THREAD);
}

TEST(test_a_caller_pays_for_the_server_that_works_for_it)
{
	begin(0, 0);
	cap_t of_client = cap_of(client);
	uint64_t own = runtime(client, cap_of(server));
	uint64_t before = runtime(client, CAP_NONE);

	pass(1000);
	call(client, endpoint_cap, 0, 1);
	EXPECT_EQ(this_cpu()->ipc_fast, 1);
	pass(500);
	EXPECT_EQ(runtime(server, CAP_NONE), own);
	EXPECT_EQ(runtime(server, of_client), before + 1500);
	pass(30);
	reply_wait(server, reply_cap, endpoint_cap, reply_cap);
	EXPECT_EQ(this_cpu()->ipc_fast, 2);
	pass(4);
	EXPECT_EQ(runtime(client, CAP_NONE), before + 1534);
	finish();
}

/* A server that the scheduler woke answers, and the caller computes on. */
TEST(test_who_got_an_answer_pays_from_then_on)
{
	begin(0, 0);
	call(client, endpoint_cap, 0, 1);
	pass(10);
	struct cpu *cpu = this_cpu();
	cpu->payer = server;
	uint64_t own = runtime(server, CAP_NONE);
	uint64_t before = runtime(server, cap_of(client));
	reply_wait(server, reply_cap, endpoint_cap, reply_cap);
	pass(5000);
	EXPECT_EQ(runtime(client, CAP_NONE), before + 5000);
	EXPECT_EQ(runtime(client, cap_of(server)), own);
	finish();
}

TEST(test_a_server_takes_up_a_queued_call_on_its_callers_account)
{
	begin(0, 1);
	call(client, endpoint_cap, 0, 1);
	EXPECT_EQ(client->state, THREAD_BLOCKED_CALL);
	cap_t of_client = cap_of(client);
	uint64_t own = runtime(server, CAP_NONE);
	uint64_t before = runtime(server, of_client);
	reply_wait(server, CAP_NONE, endpoint_cap, reply_cap);
	pass(700);
	EXPECT_EQ(runtime(server, CAP_NONE), own);
	EXPECT_EQ(runtime(server, of_client), before + 700);
	reply_wait(server, reply_cap, CAP_NONE, CAP_NONE);
	finish();
}

TEST(test_nobody_pays_after_death)
{
	struct thread *killer;

	begin(0, 0);
	killer = make_thread(1);
	call(client, endpoint_cap, 0, 1);
	EXPECT(this_cpu()->payer == client);
	host_become_cpu(1);
	EXPECT_EQ(thread_kill(client), OK);
	object_release(&client->object);
	leave_kernel();
	reap_all();
	uint64_t own = runtime(server, CAP_NONE);
	EXPECT(this_cpu()->payer == NULL);
	pass(90);
	EXPECT_EQ(runtime(server, CAP_NONE), own + 90);
	client = killer;
	finish();
}

TEST(test_a_cpu_tells_how_long_it_was_idle)
{
	struct cpu_info *info;
	cap_t container;
	uint64_t idle_before;

	begin(0, 1);
	container = add_cap(&root_container.object, OBJ_CONTAINER);
	info = (struct cpu_info *)client->utcb->data;
	client->frame.rdi = narrowed(container, RIGHT_READ);
	client->frame.rsi = 1;
	EXPECT_EQ(enter(client, SYS_CPU_INFO), OK);
	idle_before = info->idle_ns;
	reply_wait(server, CAP_NONE, endpoint_cap, reply_cap);
	for (unsigned i = 1; i <= 3; i++) {
		pass(100);
		client->frame.rdi = container;
		client->frame.rsi = 1;
		EXPECT_EQ(enter(client, SYS_CPU_INFO), OK);
		EXPECT_EQ(info->idle_ns, idle_before + 100 * i);
		EXPECT_EQ(info->time_ns, host_machine.clock_ns);
	}
	call(client, endpoint_cap, 0, 1);
	host_become_cpu(1);
	leave_kernel();
	pass(50);
	EXPECT_EQ(server->frame.rax, OK);
	EXPECT_EQ(sched_idle_ns(&cpu_table[1]), idle_before + 300);
	EXPECT(sched_idle_ns(&cpu_table[0]) >= 50);
	reply_wait(server, reply_cap, CAP_NONE, CAP_NONE);
	host_become_cpu(0);
	leave_kernel();
	client->frame.rdi = container;
	client->frame.rsi = CPUS;
	EXPECT_EQ(enter(client, SYS_CPU_INFO), ERR_RANGE);
	finish();
}

TEST(test_waiting_for_a_cpu_is_counted_by_its_length)
{
	begin(0, 1);
	reply_wait(server, CAP_NONE, endpoint_cap, reply_cap);
	uint32_t *counts = cpu_table[1].latency[CLASS_NORMAL];
	uint32_t before = counts[13], shorter = counts[12], longer = counts[14];

	call(client, endpoint_cap, 0, 1);
	pass(9000);	/* 2^13 and a bit */
	host_become_cpu(1);
	leave_kernel();
	EXPECT_EQ(counts[13], before + 1);
	EXPECT_EQ(counts[12], shorter);
	EXPECT_EQ(counts[14], longer);
	finish();
}

TEST(test_the_state_of_a_thread_is_told_to_who_may_read_it)
{
	begin(0, 1);
	cap_t of_server = cap_of(server);

	EXPECT_EQ(state(client, CAP_NONE), STATE_RUNNING);
	EXPECT_EQ(client->frame.rsi >> 8, CLASS_NORMAL);
	EXPECT_EQ(client->frame.rdx, 1);
	EXPECT_EQ(state(client, of_server), STATE_RUNNING);
	EXPECT_EQ(client->frame.rsi >> 16, 1);
	reply_wait(server, CAP_NONE, endpoint_cap, reply_cap);
	EXPECT_EQ(state(client, of_server), STATE_BLOCKED);
	host_become_cpu(0);
	EXPECT_EQ(thread_kill(server), OK);
	EXPECT_EQ(state(client, of_server), STATE_DEAD);
	client->frame.rdi = narrowed(of_server, RIGHT_ALL & ~RIGHT_READ);
	EXPECT_EQ(enter(client, SYS_THREAD_INFO), ERR_RIGHT);
	client->frame.rdi = endpoint_cap;
	EXPECT_EQ(enter(client, SYS_THREAD_INFO), ERR_TYPE);
	finish();
}

TEST_MAIN(setup())
