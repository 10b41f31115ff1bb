/* SPDX-License-Identifier: MIT */
/* Laws of stopping and continuing, of groups, sessions and terminals. */
#include <ktap.h>
#include <lib/proc/proc_host.h>

/* Sends a stop signal, and does what it says. */
static struct proc_call
stop(struct process *from, struct process *process, unsigned signal)
{
	struct proc_call call = new_call();

	KTAP_EQUAL(kill_by(from, process->pid, signal), 0);
	KTAP_EQUAL(fetch(process, 0).signal, signal);
	KTAP_EQUAL(stop_by(process, signal, call), PARKED);
	KTAP_EQUAL(proc_state(process), PROCESS_STOPPED);
	return call;
}

/* A shell of its own session with one child in a group of its own. */
static struct process *
shell_with_job(struct process *init, struct process **out_job)
{
	struct process *shell = make(init);

	setsid_by(shell);
	*out_job = make(shell);
	setpgid_by(shell, (*out_job)->pid, 0);
	return shell;
}

static void
test_stop_and_continue_are_told_to_the_parent_once(void)
{
	struct process *init = boot(), *job;
	struct process *shell = shell_with_job(init, &job);
	struct proc_call wait = new_call();
	uint64_t status;

	KTAP_EQUAL(wait_for(shell, -1, WAIT_OPTION_UNTRACED, wait, NULL),
	    PARKED);
	struct proc_call call = stop(init, job, SIGNAL_TSTP);
	KTAP_REQUIRE(answer_of(wait) != NULL);
	KTAP_EQUAL(answer_of(wait)->waited.pid, job->pid);
	KTAP_EQUAL(answer_of(wait)->waited.status, 0x147f);
	struct proc_fetched child = fetch(shell, 0);
	KTAP_EQUAL(child.signal, SIGNAL_CHLD);
	KTAP_EQUAL(child.code, CHILD_STOPPED);
	KTAP_EQUAL(child.value, SIGNAL_TSTP);
	KTAP_EQUAL(wait_for(shell, -1, WAIT_OPTION_UNTRACED |
	    WAIT_OPTION_NOHANG, new_call(), NULL), 0);
	KTAP_CHECK(answer_of(call) == NULL);
	KTAP_EQUAL(kill_by(init, job->pid, SIGNAL_CONT), 0);
	KTAP_REQUIRE(answer_of(call) != NULL);
	KTAP_EQUAL(answer_of(call)->error, 0);
	KTAP_EQUAL(answer_of(call)->what, PARK_STOP);
	KTAP_EQUAL(proc_state(job), PROCESS_RUNNING);
	KTAP_EQUAL(fetch(shell, 0).code, CHILD_CONTINUED);
	/* Who asks for stops only is not told; NOWAIT leaves it there. */
	KTAP_EQUAL(wait_for(shell, -1, WAIT_OPTION_UNTRACED |
	    WAIT_OPTION_NOHANG, new_call(), NULL), 0);
	KTAP_EQUAL(wait_for(shell, -1, WAIT_OPTION_CONTINUED |
	    WAIT_OPTION_NOWAIT, new_call(), NULL), job->pid);
	KTAP_EQUAL(wait_for(shell, -1, WAIT_OPTION_CONTINUED, new_call(),
	    &status), job->pid);
	KTAP_EQUAL(status, STATUS_CONTINUED);
	KTAP_EQUAL(wait_for(shell, -1, WAIT_OPTION_CONTINUED |
	    WAIT_OPTION_NOHANG, new_call(), NULL), 0);
	/* No signals about it, if that is not wanted. */
	begin();
	end(proc_signal_ignore(&proc, shell, 0, IGNORE_NO_STOPS));
	stop(init, job, SIGNAL_STOP);
	KTAP_EQUAL(shell->pending, 0);
	KTAP_EQUAL(wait_for(shell, -1, WAIT_OPTION_UNTRACED, new_call(),
	    &status), job->pid);
	KTAP_EQUAL(status, STATUS_STOPPED(SIGNAL_STOP));
	finish(job, 0);
	KTAP_EQUAL(shell->pending, SIGNAL_BIT(SIGNAL_CHLD));
	KTAP_EQUAL(wait_for(shell, -1, WAIT_OPTION_NOT_EXITED |
	    WAIT_OPTION_UNTRACED, new_call(), NULL), -E_CHILD);
	KTAP_EQUAL(wait_for(shell, -1, 0, new_call(), NULL), job->pid);
}

static void
test_stopped_process_stays_so_until_continued_or_killed(void)
{
	struct process *init = boot(), *job;
	struct process *shell = shell_with_job(init, &job);
	struct proc_call call = stop(shell, job, SIGNAL_STOP), again;
	bool found;

	KTAP_EQUAL(kill_by(init, job->pid, 15), 0);
	KTAP_CHECK(answer_of(call) == NULL);
	/* A kick that was on its way: it asks again, and nobody is told. */
	fetch(shell, 0);
	begin();
	end(proc_cancel(&proc, call, &found));
	KTAP_REQUIRE(found && answer_of(call) != NULL);
	KTAP_EQUAL(answer_of(call)->error, E_INTR);
	KTAP_EQUAL(proc_state(job), PROCESS_STOPPED);
	again = new_call();
	KTAP_EQUAL(stop_by(job, SIGNAL_STOP, again), PARKED);
	KTAP_EQUAL(shell->pending, 0);
	kill_by(init, job->pid, SIGNAL_CONT);
	KTAP_CHECK(answer_of(again) != NULL);
	KTAP_EQUAL(fetch(job, 0).signal, 15);
	/* Continued between the two: it goes on. */
	call = stop(shell, job, SIGNAL_STOP);
	begin();
	end(proc_cancel(&proc, call, &found));
	kill_by(init, job->pid, SIGNAL_CONT);
	KTAP_EQUAL(stop_by(job, SIGNAL_STOP, new_call()), 0);
	stop(shell, job, SIGNAL_STOP);
	kill_by(init, job->pid, SIGNAL_KILL);
	KTAP_EQUAL(proc_state(job), PROCESS_ZOMBIE);
	KTAP_EQUAL(proc.table->stopped, 0);
}

static void
test_stops_and_continues_take_each_other_away(void)
{
	struct process *init = boot(), *job;
	struct process *shell = shell_with_job(init, &job);

	kill_by(shell, job->pid, SIGNAL_TSTP);
	kill_by(shell, job->pid, SIGNAL_STOP);
	kill_by(shell, job->pid, SIGNAL_CONT);
	KTAP_EQUAL(job->pending, SIGNAL_BIT(SIGNAL_CONT));
	kill_by(shell, job->pid, SIGNAL_TTIN);
	KTAP_EQUAL(job->pending, SIGNAL_BIT(SIGNAL_TTIN));
	/* Fetched, and then continued before it could stop. */
	KTAP_EQUAL(fetch(job, 0).signal, SIGNAL_TTIN);
	kill_by(shell, job->pid, SIGNAL_CONT);
	KTAP_EQUAL(stop_by(job, SIGNAL_TTIN, new_call()), 0);
	KTAP_EQUAL(stop_by(job, 15, new_call()), -E_INVAL);
	/* Also if ignored. */
	begin();
	end(proc_signal_ignore(&proc, job, SIGNAL_BIT(SIGNAL_CONT), 0));
	stop(shell, job, SIGNAL_STOP);
	kill_by(shell, job->pid, SIGNAL_CONT);
	KTAP_EQUAL(proc_state(job), PROCESS_RUNNING);
	KTAP_EQUAL(job->pending, 0);
}

static void
test_orphaned_groups_do_not_stop_and_stopped_ones_are_hung_up(void)
{
	struct process *init = boot(), *job;
	struct process *shell = shell_with_job(init, &job);
	struct process *part = make(job);

	setpgid_by(job, part->pid, job->pid);
	/* The shell's own group has no parent in the session. */
	kill_by(init, shell->pid, SIGNAL_TSTP);
	KTAP_EQUAL(fetch(shell, 0).signal, SIGNAL_TSTP);
	KTAP_EQUAL(stop_by(shell, SIGNAL_TSTP, new_call()), 0);
	struct proc_call call = stop(shell, part, SIGNAL_TSTP);
	finish(shell, 0);
	KTAP_CHECK(answer_of(call) != NULL);
	KTAP_EQUAL(part->pending,
	    SIGNAL_BIT(SIGNAL_HUP) | SIGNAL_BIT(SIGNAL_CONT));
	KTAP_EQUAL(job->pending, part->pending | SIGNAL_BIT(SIGNAL_CHLD));
	/* Nobody of it is stopped: nothing happens. */
	shell = shell_with_job(init, &job);
	finish(shell, 0);
	KTAP_EQUAL(job->pending, 0);
	/* The member whose parent it was ends. */
	shell = shell_with_job(init, &job);
	part = make(job);
	setpgid_by(job, part->pid, job->pid);
	stop(shell, part, SIGNAL_STOP);
	finish(job, 0);
	KTAP_EQUAL(proc_state(part), PROCESS_RUNNING);
	KTAP_CHECK((part->pending & SIGNAL_BIT(SIGNAL_HUP)) != 0);
}

static void
test_process_1_is_neither_killed_nor_stopped(void)
{
	struct process *init = boot(), *child = make(init);

	KTAP_EQUAL(kill_by(child, 1, SIGNAL_KILL), 0);
	KTAP_EQUAL(kill_by(child, 1, SIGNAL_STOP), 0);
	KTAP_EQUAL(init->pending, 0);
	KTAP_EQUAL(proc_state(init), PROCESS_RUNNING);
	kill_by(child, 1, SIGNAL_TSTP);
	KTAP_EQUAL(fetch(init, 0).signal, SIGNAL_TSTP);
	KTAP_EQUAL(stop_by(init, SIGNAL_TSTP, new_call()), 0);
}

static void
give_terminal(struct process *process, uint32_t terminal)
{
	begin();
	if (TX_SET(proc.arena, process->terminal, terminal) != OK)
		abort();
	end(0);
}

static uint32_t ended_sid, ended_terminal;

/* As the terminals do it: hang up, and forget. */
static int
session_ended(void *context, uint32_t sid, uint32_t terminal)
{
	static const struct proc_signal hangup = {
		.signal = SIGNAL_HUP, .code = SIGNAL_CODE_KERNEL,
	};

	(void)context;
	ended_sid = sid;
	ended_terminal = terminal;
	int error = proc_signal_group(&proc, sid, &hangup);
	return error == E_NOMEM ? error :
	    proc_session_forget_terminal(&proc, sid);
}

static void
test_terminal_belongs_to_a_session_and_goes_with_its_leader(void)
{
	struct process *init = boot(), *shell = make(init);

	proc.session_ended = session_ended;
	ended_sid = ended_terminal = 0;
	setsid_by(shell);
	give_terminal(shell, 3);
	struct process *same = make(shell), *own = make(shell);
	struct process *left = make(same);
	KTAP_EQUAL(left->terminal, 3);
	setpgid_by(shell, own->pid, 0);
	KTAP_EQUAL(setsid_by(left), 0);
	KTAP_EQUAL(left->terminal, 0);
	give_terminal(left, 4);
	finish(own, 0);
	KTAP_EQUAL(ended_sid, 0);
	own = make(shell);
	setpgid_by(shell, own->pid, 0);
	finish(shell, 0);
	KTAP_EQUAL(ended_sid, shell->pid);
	KTAP_EQUAL(ended_terminal, 3);
	KTAP_EQUAL(same->terminal, 0);
	KTAP_EQUAL(own->terminal, 0);
	KTAP_EQUAL(left->terminal, 4);
	KTAP_EQUAL(same->pending, SIGNAL_BIT(SIGNAL_HUP));
	KTAP_EQUAL(own->pending, 0);
	/* Without a terminal nobody is told. */
	struct process *plain = make(init);
	setsid_by(plain);
	finish(plain, 0);
	KTAP_EQUAL(ended_sid, shell->pid);
}

static void
test_signals_to_groups_reach_who_is_in_them(void)
{
	struct process *init = boot(), *shell = make(init);
	struct process *a = make(shell), *b = make(shell);
	const struct proc_signal signal = {
		.signal = 2, .code = SIGNAL_CODE_KERNEL,
	};

	setsid_by(shell);
	a = make(shell);
	b = make(shell);
	setpgid_by(shell, a->pid, 0);
	setpgid_by(shell, b->pid, a->pid);
	begin();
	KTAP_EQUAL(end(proc_signal_group(&proc, a->pid, &signal)), 0);
	KTAP_EQUAL(a->pending & b->pending, SIGNAL_BIT(2));
	KTAP_EQUAL(fetch(b, 0).code, SIGNAL_CODE_KERNEL);
	KTAP_EQUAL(shell->pending, 0);
	begin();
	KTAP_EQUAL(end(proc_signal_group(&proc, b->pid, &signal)), E_SRCH);
	KTAP_CHECK(proc_group_in_session(&proc, a->pid, shell->pid));
	KTAP_CHECK(!proc_group_in_session(&proc, a->pid, 1));
	KTAP_CHECK(!proc_group_in_session(&proc, b->pid, shell->pid));
}

static void
test_group_is_orphaned_without_a_parent_that_can_continue_it(void)
{
	struct process *init = boot(), *shell = make(init);

	/* The first process has no parent at all. */
	KTAP_CHECK(proc_group_orphaned(&proc, 1));
	setsid_by(shell);
	struct process *job = make(shell), *part = make(job);
	KTAP_CHECK(proc_group_orphaned(&proc, shell->pid));
	setpgid_by(shell, job->pid, 0);
	setpgid_by(job, part->pid, job->pid);
	KTAP_CHECK(!proc_group_orphaned(&proc, job->pid));
	/* One that ends no longer counts, its child in the group does not. */
	begin();
	end(proc_end(&proc, job, 0));
	KTAP_CHECK(proc_group_orphaned(&proc, part->pgid));
	run_work();
	KTAP_CHECK(proc_group_orphaned(&proc, part->pgid));
	/* A parent in another session does not count. */
	struct process *child = make(init);
	setpgid_by(init, child->pid, 0);
	KTAP_CHECK(!proc_group_orphaned(&proc, child->pid));
	setsid_by(make(child));
	struct process *alone = make(init);
	setsid_by(alone);
	KTAP_CHECK(proc_group_orphaned(&proc, alone->pid));
}

int
main(void)
{
	static const struct ktap_test tests[] = {
		KTAP_TEST(test_stop_and_continue_are_told_to_the_parent_once),
		KTAP_TEST(
	    test_stopped_process_stays_so_until_continued_or_killed),
		KTAP_TEST(test_stops_and_continues_take_each_other_away),
		KTAP_TEST(
	    test_orphaned_groups_do_not_stop_and_stopped_ones_are_hung_up),
		KTAP_TEST(test_process_1_is_neither_killed_nor_stopped),
		KTAP_TEST(
	    test_terminal_belongs_to_a_session_and_goes_with_its_leader),
		KTAP_TEST(test_signals_to_groups_reach_who_is_in_them),
		KTAP_TEST(
	    test_group_is_orphaned_without_a_parent_that_can_continue_it),
	};
	return KTAP_RUN(tests);
}
