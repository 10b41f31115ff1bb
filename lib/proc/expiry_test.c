/* SPDX-License-Identifier: MIT */
/* Laws of the timers that processes make. */
#include <lib/test/ktap.h>

#include <lib/proc/proc_host.h>

static uint32_t
timer_of(struct process *process, uint32_t signal)
{
	const struct proc_timer_want want = { .signal = signal, .value = 42 };
	uint32_t id = UINT32_MAX;

	begin();
	if (end(proc_timer_create(&proc, process, &want, &id)) != 0)
		return UINT32_MAX;
	return id;
}

static int
set(struct process *process, uint32_t id, uint64_t due, uint64_t interval)
{
	struct proc_timer_left before;

	begin();
	return end(proc_timer_set(&proc, process, id,
	    &(struct proc_timer_left){ due, interval, 0 }, &before));
}

static void
pass(uint64_t now)
{
	proc.now_ns = now;
	begin();
	EXPECT_EQ(end(proc_timers_due(&proc, 100)), 0);
	run_work();
}

static struct proc_timer_left
left(struct process *process, uint32_t id)
{
	struct proc_timer_left out = { 0 };

	EXPECT_EQ(proc_timer_get(&proc, process, id, &out), 0);
	return out;
}

static struct process *
start(void)
{
	struct process *init = boot();

	proc.now_ns = 1000;
	return make(init);
}

TEST(test_a_timer_expires_once_and_says_which_it_was)
{
	struct process *process = start();
	uint32_t first = timer_of(process, 10), second = timer_of(process, 12);

	EXPECT(first != second);
	EXPECT_EQ(set(process, second, 1500, 0), 0);
	EXPECT_EQ(proc_timer_next(&proc), 1500);
	pass(1499);
	EXPECT_EQ(fetch(process, 0).signal, 0);
	pass(1500);
	struct proc_fetched got = fetch(process, 0);
	EXPECT_EQ(got.signal, 12);
	EXPECT_EQ(got.code, SIGNAL_CODE_TIMER);
	EXPECT_EQ(got.pid, second);
	EXPECT_EQ(got.value, 42);
	pass(9000);
	EXPECT_EQ(fetch(process, 0).signal, 0);
	EXPECT_EQ(left(process, second).left_ns, 0);
	EXPECT_EQ(proc_timer_next(&proc), 0);
}

TEST(test_overruns_are_what_expired_while_the_signal_waited)
{
	struct process *process = start();
	uint32_t id = timer_of(process, 34);

	set(process, id, 2000, 100);
	pass(2000);
	/* Nothing is listed while the signal waits. */
	EXPECT_EQ(proc_timer_next(&proc), 0);
	pass(2450);
	struct proc_fetched got = fetch(process, 0);
	EXPECT_EQ(got.signal, 34);
	EXPECT_EQ(got.uid, 4);
	EXPECT_EQ(left(process, id).overrun, 4);
	EXPECT_EQ(left(process, id).left_ns, 50);
	EXPECT_EQ(proc_timer_next(&proc), 2500);
	pass(2500);
	EXPECT_EQ(fetch(process, 0).uid, 0);
	EXPECT_EQ(left(process, id).overrun, 0);
}

TEST(test_two_timers_of_one_realtime_signal_both_queue)
{
	struct process *process = start();
	uint32_t a = timer_of(process, 40), b = timer_of(process, 40);

	set(process, b, 1100, 0);
	set(process, a, 1200, 0);
	pass(3000);
	EXPECT_EQ(fetch(process, 0).pid, b);
	EXPECT_EQ(fetch(process, 0).pid, a);
	EXPECT_EQ(fetch(process, 0).signal, 0);
}

TEST(test_a_repeated_timer_whose_signal_is_ignored_goes_on)
{
	struct process *process = start();
	uint32_t id = timer_of(process, 10);

	set(process, id, 2000, 100);
	begin();
	end(proc_signal_ignore(&proc, process, SIGNAL_BIT(10), 0));
	pass(2050);
	EXPECT_EQ(proc_timer_next(&proc), 2100);
	begin();
	end(proc_signal_ignore(&proc, process, 0, 0));
	pass(2100);
	EXPECT_EQ(fetch(process, 0).signal, 10);
	/* Dropped from the queue, it goes on as well. */
	pass(2200);
	begin();
	end(proc_signal_ignore(&proc, process, SIGNAL_BIT(10), 0));
	EXPECT_EQ(proc_timer_next(&proc), 2300);
}

TEST(test_setting_anew_forgets_the_time_before)
{
	struct process *process = start();
	uint32_t id = timer_of(process, 34);

	set(process, id, 2000, 100);
	pass(2000);
	EXPECT_EQ(set(process, id, 5000, 0), 0);
	EXPECT_EQ(fetch(process, 0).signal, 34);
	EXPECT_EQ(proc_timer_next(&proc), 5000);
	EXPECT_EQ(set(process, id, 0, 0), 0);
	EXPECT_EQ(proc_timer_next(&proc), 0);
	pass(9000);
	EXPECT_EQ(fetch(process, 0).signal, 0);
}

TEST(test_timers_go_with_exec_with_delete_and_with_the_process)
{
	struct process *process = start(), *other = make(process);
	uint32_t id = timer_of(process, 10);

	set(process, id, 2000, 0);
	set(other, timer_of(other, 10), 2000, 0);
	begin();
	EXPECT_EQ(end(proc_timer_delete(&proc, process, id)), 0);
	EXPECT_EQ(set(process, id, 2000, 0), E_INVAL);
	begin();
	end(proc_exec_done(&proc, other));
	EXPECT_EQ(proc_timer_next(&proc), 0);
	set(other, timer_of(other, 10), 2000, 0);
	finish(other, 0);
	EXPECT_EQ(proc_timer_next(&proc), 0);
	EXPECT_EQ(proc.table->timer_count, 0);
}

TEST(test_a_timer_that_tells_nobody_only_counts)
{
	struct process *process = start();
	uint32_t id = timer_of(process, 0);

	set(process, id, 2000, 300);
	pass(2100);
	EXPECT_EQ(fetch(process, 0).signal, 0);
	EXPECT_EQ(left(process, id).left_ns, 200);
}

TEST(test_a_forged_signal_moves_no_timer)
{
	struct process *process = start();
	uint32_t id = timer_of(process, 34);
	const struct proc_signal forged = { .signal = 34,
		.code = SIGNAL_CODE_TIMER, .pid = id, .value = 1 };

	set(process, id, 2000, 100);
	begin();
	EXPECT_EQ(end(proc_queue(&proc, process, process->pid, &forged)), 0);
	pass(2000);
	EXPECT_EQ(fetch(process, 0).value, 1);
	EXPECT_EQ(proc_timer_next(&proc), 0);
	EXPECT_EQ(fetch(process, 0).value, 42);
	EXPECT_EQ(proc_timer_next(&proc), 2100);
}

TEST(test_a_process_has_a_limit_of_timers)
{
	struct process *process = start();
	unsigned made = 0;

	while (timer_of(process, 10) != UINT32_MAX)
		made++;
	EXPECT_EQ(made, PROC_TIMERS_OWN);
	finish(process, 0);
	EXPECT_EQ(proc.table->timer_count, 0);
}

TEST_MAIN(0)
