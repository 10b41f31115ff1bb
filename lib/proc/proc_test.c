/* SPDX-License-Identifier: MIT */
/* Laws of the process table. */
#include <ktap.h>
#include <lib/proc/proc_host.h>

static void
test_wait_collects_each_zombie_once(void)
{
	struct process *init = boot(), *child = make(init);
	uint32_t pid = child->pid;
	uint64_t status;

	KTAP_EQUAL(wait_for(init, -1, WAIT_OPTION_NOHANG, new_call(), NULL),
	    0);
	finish(child, STATUS_EXITED(7));
	KTAP_EQUAL(proc_state(child), PROCESS_ZOMBIE);
	KTAP_EQUAL(wait_for(init, -1, WAIT_OPTION_NOWAIT, new_call(), &status),
	    pid);
	KTAP_EQUAL(wait_for(init, -1, 0, new_call(), &status), pid);
	KTAP_EQUAL(status, 7 << 8);
	KTAP_CHECK(proc_find(&proc, pid) == NULL);
	KTAP_EQUAL(wait_for(init, -1, 0, new_call(), NULL), -E_CHILD);
}

static void
test_parked_wait_is_answered_when_its_child_has_ended(void)
{
	struct process *init = boot(), *a = make(init), *b = make(init);
	struct proc_call call = new_call();
	uint32_t b_pid = b->pid;

	KTAP_EQUAL(wait_for(init, b_pid, 0, call, NULL), PARKED);
	finish(a, 0);
	KTAP_CHECK(answer_of(call) == NULL);
	/* Not before its memory is gone. */
	begin();
	end(proc_end(&proc, b, STATUS_SIGNALLED(11)));
	KTAP_CHECK(answer_of(call) == NULL);
	KTAP_EQUAL(proc_state(b), PROCESS_RUNNING);
	run_work();
	KTAP_REQUIRE(answer_of(call) != NULL);
	KTAP_EQUAL(answer_of(call)->value[0], b_pid);
	KTAP_EQUAL(answer_of(call)->value[1], 11);
}

static void
test_wait_selects_by_pid_group_and_own_group(void)
{
	struct process *init = boot(), *a = make(init), *b = make(init);

	KTAP_EQUAL(setpgid_by(init, b->pid, 0), 0);
	struct process *shell = make(init);
	KTAP_EQUAL(setsid_by(shell), 0);
	struct process *c = make(shell), *d = make(shell);
	KTAP_EQUAL(setpgid_by(shell, d->pid, 0), 0);
	finish(d, 0);
	KTAP_EQUAL(wait_for(shell, 0, WAIT_OPTION_NOHANG, new_call(), NULL),
	    0);
	KTAP_EQUAL(wait_for(shell, c->pid, WAIT_OPTION_NOHANG, new_call(),
	    NULL), 0);
	KTAP_EQUAL(wait_for(shell, a->pid, 0, new_call(), NULL), -E_CHILD);
	KTAP_EQUAL(wait_for(shell, -(int64_t)d->pid, 0, new_call(), NULL),
	    d->pid);
	KTAP_EQUAL(wait_for(shell, -9999, 0, new_call(), NULL), -E_CHILD);
	KTAP_EQUAL(wait_for(shell, INT64_MIN, 0, new_call(), NULL), -E_SRCH);
	KTAP_EQUAL(wait_for(shell, -1, 0x100, new_call(), NULL), -E_INVAL);
}

static void
test_orphans_go_to_process_1(void)
{
	struct process *init = boot(), *middle = make(init);
	struct process *living = make(middle), *dead = make(middle);
	struct proc_call call = new_call();
	uint32_t dead_pid = dead->pid;

	finish(dead, STATUS_EXITED(3));
	KTAP_EQUAL(wait_for(init, dead_pid, 0, new_call(), NULL), -E_CHILD);
	KTAP_EQUAL(wait_for(init, -1, 0, call, NULL), PARKED);
	finish(middle, 0);
	KTAP_EQUAL(proc_parent_pid(living), 1);
	KTAP_REQUIRE(answer_of(call) != NULL);
	uint64_t first = answer_of(call)->value[0];
	int64_t second = wait_for(init, -1, 0, new_call(), NULL);
	KTAP_CHECK((first == dead_pid) != ((uint64_t)second == dead_pid));
	KTAP_EQUAL(wait_for(init, living->pid, WAIT_OPTION_NOHANG, new_call(),
	    NULL), 0);
}

static void
test_children_of_who_ignores_them_leave_nothing(void)
{
	struct process *init = boot(), *a = make(init), *b = make(init);
	struct proc_call call = new_call();

	begin();
	end(proc_signal_ignore(&proc, init, SIGNAL_BIT(SIGNAL_CHLD),
	    IGNORE_NO_ZOMBIES));
	KTAP_EQUAL(wait_for(init, -1, 0, call, NULL), PARKED);
	finish(a, 0);
	KTAP_CHECK(answer_of(call) == NULL);
	finish(b, 0);
	KTAP_REQUIRE(answer_of(call) != NULL);
	KTAP_EQUAL(answer_of(call)->error, E_CHILD);
	KTAP_EQUAL(proc.table->count, 1);
	KTAP_EQUAL(init->pending, 0);
}

static void
test_child_signal_tells_who_and_why(void)
{
	struct process *init = boot(), *child = make(init);
	uint32_t pid = child->pid;

	finish(child, STATUS_SIGNALLED(6) | 0x80);
	KTAP_EQUAL(init->pending, SIGNAL_BIT(SIGNAL_CHLD));
	KTAP_EQUAL(fetch(init, ~0ul).signal, 0);
	struct proc_fetched fetched = fetch(init, 0);
	KTAP_EQUAL(fetched.signal, SIGNAL_CHLD);
	KTAP_EQUAL(fetched.code, CHILD_DUMPED);
	KTAP_EQUAL(fetched.pid, pid);
	KTAP_EQUAL(fetched.value, 6);
	KTAP_EQUAL(fetch(init, 0).signal, 0);
}

static void
test_signals_are_fetched_in_order_and_once(void)
{
	struct process *init = boot(), *child = make(init);

	KTAP_EQUAL(kill_by(init, child->pid, 15), 0);
	KTAP_EQUAL(kill_by(init, child->pid, 2), 0);
	KTAP_EQUAL(kill_by(init, child->pid, 2), 0);
	KTAP_EQUAL(kill_by(init, child->pid, SIGNAL_SEGV), 0);
	KTAP_EQUAL(kill_by(init, child->pid, 64), 0);
	KTAP_EQUAL(fetch(child, 0).signal, SIGNAL_SEGV);
	KTAP_EQUAL(fetch(child, SIGNAL_BIT(2)).signal, 15);
	KTAP_EQUAL(fetch(child, 0).signal, 2);
	struct proc_fetched last = fetch(child, 0);
	KTAP_EQUAL(last.signal, 64);
	KTAP_EQUAL(last.left, 0);
	KTAP_EQUAL(fetch(child, 0).signal, 0);
	KTAP_EQUAL(kill_by(init, child->pid, 65), E_INVAL);
	KTAP_EQUAL(kill_by(init, 12345, 0), E_SRCH);
	KTAP_EQUAL(kill_by(init, child->pid, 0), 0);
}

static void
test_ignored_signals_do_not_stay_pending(void)
{
	struct process *init = boot(), *child = make(init);

	kill_by(init, child->pid, 1);
	begin();
	end(proc_signal_ignore(&proc, child, ~0ul, 0));
	KTAP_EQUAL(child->pending, 0);
	kill_by(init, child->pid, 1);
	KTAP_EQUAL(child->pending, 0);
	KTAP_EQUAL(make(child)->ignored, child->ignored);
	kill_by(init, child->pid, SIGNAL_KILL);
	KTAP_EQUAL(proc_state(child), PROCESS_ZOMBIE);
	KTAP_EQUAL(child->status, 9);
	KTAP_EQUAL(kill_by(init, child->pid, 15), 0);	/* a zombie exists */
}

static void
test_kill_needs_the_right_user(void)
{
	struct process *init = boot(), *user = make(init), *other = make(init);

	begin();
	if (tx_add(proc.arena, user, sizeof(*user)) != OK)
		abort();
	user->uid = user->euid = 1000;
	tx_commit(proc.arena);
	KTAP_EQUAL(kill_by(user, other->pid, 9), E_PERM);
	KTAP_EQUAL(kill_by(user, user->pid, 0), 0);
	KTAP_EQUAL(kill_by(user, -1, 15), E_PERM);
	KTAP_EQUAL(kill_by(init, -1, 15), 0);
	KTAP_EQUAL(fetch(user, 0).signal, 15);
	KTAP_EQUAL(fetch(other, 0).signal, 15);
	KTAP_EQUAL(init->pending, 0);
}

static void
test_groups_and_sessions(void)
{
	struct process *init = boot(), *shell = make(init);
	struct process *a = make(shell), *b = make(shell), *c = make(a);

	KTAP_EQUAL(setsid_by(init), E_PERM);
	KTAP_EQUAL(setpgid_by(shell, 0, 0), 0);
	KTAP_EQUAL(setsid_by(shell), E_PERM);
	KTAP_EQUAL(setpgid_by(shell, a->pid, 0), 0);
	KTAP_EQUAL(setpgid_by(shell, b->pid, a->pid), 0);
	KTAP_EQUAL(setpgid_by(shell, c->pid, 0), E_SRCH);	/* grandchild */
	KTAP_EQUAL(setpgid_by(shell, b->pid, 7777), E_PERM);
	KTAP_EQUAL(setpgid_by(shell, b->pid, (uint64_t)-1), E_INVAL);
	begin();
	end(proc_exec_done(&proc, b));
	KTAP_EQUAL(setpgid_by(shell, b->pid, 0), E_ACCES);
	KTAP_EQUAL(kill_by(init, -(int64_t)a->pid, 15), 0);
	KTAP_EQUAL(a->pending & b->pending, SIGNAL_BIT(15));
	KTAP_EQUAL(setsid_by(c), 0);
	KTAP_EQUAL(c->sid, c->pid);
	KTAP_EQUAL(setpgid_by(c, 0, 0), E_PERM);
	KTAP_EQUAL(setpgid_by(a, c->pid, a->pid), E_PERM);
}

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
	KTAP_EQUAL(answer_of(wait)->value[0], job->pid);
	KTAP_EQUAL(answer_of(wait)->value[1], 0x147f);
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

static int
queue_by(struct process *sender, struct process *target, unsigned number,
    int32_t code, uint64_t value)
{
	const struct proc_signal signal = {
		.signal = number, .code = code, .value = value,
		.pid = sender->pid,
	};

	begin();
	int error = end(proc_queue(&proc, sender, target->pid, &signal));
	run_work();
	return error;
}

static void
test_real_time_signals_queue_with_their_values(void)
{
	struct process *init = boot(), *child = make(init);
	unsigned sent = 0;

	KTAP_EQUAL(queue_by(init, child, 40, -1, 1), 0);
	KTAP_EQUAL(queue_by(init, child, 35, -1, 2), 0);
	KTAP_EQUAL(queue_by(init, child, 40, -1, 3), 0);
	KTAP_EQUAL(queue_by(init, child, 10, -1, 4), 0);
	KTAP_EQUAL(queue_by(init, child, 10, -1, 5), 0);
	KTAP_EQUAL(kill_by(init, child->pid, 40), 0);
	KTAP_EQUAL(fetch(child, 0).value, 4);
	KTAP_EQUAL(fetch(child, 0).value, 2);
	KTAP_EQUAL(fetch(child, 0).value, 1);
	KTAP_EQUAL(fetch(child, 0).left, SIGNAL_BIT(40));
	struct proc_fetched last = fetch(child, 0);
	KTAP_EQUAL(last.code, SIGNAL_CODE_USER);
	KTAP_EQUAL(last.left, 0);
	while (queue_by(init, child, 64, -1, sent) == 0)
		sent++;
	KTAP_EQUAL(sent, PROC_QUEUE_MAX);
	KTAP_EQUAL(queue_by(init, child, 64, -1, 0), E_AGAIN);
	/* One of each other fits all the same. */
	KTAP_EQUAL(kill_by(init, child->pid, 63), 0);
	KTAP_EQUAL(kill_by(init, child->pid, 64), 0);
	KTAP_EQUAL(child->queued, PROC_QUEUE_MAX + 1);
	/* What only proc may say. */
	KTAP_EQUAL(queue_by(init, child, 10, 0, 0), E_PERM);
	KTAP_EQUAL(queue_by(init, child, 10, SIGNAL_CODE_THREAD, 0), E_PERM);
	KTAP_EQUAL(queue_by(child, child, 10, 0, 0), 0);
	KTAP_EQUAL(queue_by(init, child, 65, -1, 0), E_INVAL);
	KTAP_EQUAL(queue_by(init, child, 0, -1, 0), 0);
	finish(child, 0);
	KTAP_EQUAL(proc.table->queued, 1);	/* SIGCHLD of the parent */
}

static void
test_time_of_children_is_added_when_they_are_waited_for(void)
{
	struct process *init = boot(), *middle = make(init);
	struct process *leaf = make(middle);
	struct proc_waited waited;
	bool parked;

	begin();
	end(proc_spent(&proc, leaf, 70000000));
	finish(leaf, 0);
	KTAP_EQUAL(fetch(middle, 0).value >> 32, 7);
	wait_for(middle, -1, WAIT_OPTION_NOWAIT, new_call(), NULL);
	KTAP_EQUAL(middle->children_ns, 0);
	wait_for(middle, -1, 0, new_call(), NULL);
	KTAP_EQUAL(middle->children_ns, 70000000);
	begin();
	end(proc_spent(&proc, middle, 5));
	finish(middle, 0);
	begin();
	end(proc_wait(&proc, init, new_call(), -1, 0, &waited, &parked));
	KTAP_EQUAL(waited.spent_ns, 70000005);
	KTAP_EQUAL(init->children_ns, 70000005);
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

static void
test_vfork_parent_waits_for_exec_or_end(void)
{
	struct process *init = boot();

	for (unsigned way = 0; way < 3; way++) {
		struct process *child = make(init);
		struct proc_call call = new_call();
		uint32_t pid = child->pid;
		bool found = false;

		begin();
		end(proc_vfork(&proc, init, child, call));
		KTAP_CHECK(answer_of(call) == NULL);
		begin();
		if (way == 0)
			end(proc_exec_done(&proc, child));
		else if (way == 1)
			end(proc_end(&proc, child, 0));
		else
			end(proc_cancel(&proc, call, &found));
		run_work();
		KTAP_REQUIRE(answer_of(call) != NULL);
		KTAP_EQUAL(answer_of(call)->error, 0);
		KTAP_EQUAL(answer_of(call)->value[0], pid);
	}
}

static void
test_cancelled_waits_do_nothing(void)
{
	struct process *init = boot(), *child = make(init);
	struct proc_call call = new_call();
	bool found;

	KTAP_EQUAL(wait_for(init, -1, 0, call, NULL), PARKED);
	begin();
	end(proc_cancel(&proc, call, &found));
	KTAP_CHECK(found && answer_of(call)->error == E_INTR);
	finish(child, 0);
	KTAP_EQUAL(proc_state(child), PROCESS_ZOMBIE);
	begin();
	KTAP_EQUAL(end(proc_signal_wait(&proc, init, new_call(), 0)), E_INTR);
	call = new_call();
	begin();
	KTAP_EQUAL(end(proc_signal_wait(&proc, init, call, ~0ul)), 0);
	begin();
	end(proc_cancel(&proc, call, &found));
	KTAP_EQUAL(answer_of(call)->error, E_INTR);
	begin();
	end(proc_cancel(&proc, call, &found));
	KTAP_CHECK(!found);
}

static void
test_end_of_process_1_ends_all(void)
{
	struct process *init = boot(), *a = make(init);

	make(make(a));
	finish(make(a), 0);
	KTAP_EQUAL(proc.table->count, 5);
	finish(init, STATUS_EXITED(7));
	KTAP_EQUAL(proc.table->finished, 1);
	KTAP_EQUAL(proc.table->final_status, 7 << 8);
	KTAP_EQUAL(proc.table->count, 0);
	KTAP_CHECK(make(NULL) == NULL);
}

static void
test_a_full_table_takes_one_transaction_to_signal_and_to_end(void)
{
	struct process *init = boot();

	for (unsigned i = 1; i < PROC_MAX; i++)
		KTAP_REQUIRE(make(init) != NULL);
	for (unsigned i = 1; i <= PROC_MAX; i += 64) {
		begin();
		KTAP_EQUAL(end(proc_alarm_set(&proc, proc_find(&proc, i), i,
		    0)), 0);
	}
	KTAP_EQUAL(kill_by(init, -1, 15), 0);
	KTAP_EQUAL(proc_find(&proc, PROC_MAX)->pending, SIGNAL_BIT(15));
	/* All stopped, all continued: the worst that one signal can do. */
	KTAP_EQUAL(kill_by(init, -1, SIGNAL_STOP), 0);
	for (unsigned i = 2; i <= PROC_MAX; i++) {
		KTAP_EQUAL(fetch(proc_find(&proc, i), 0).signal, 15);
		fetch(proc_find(&proc, i), 0);
		KTAP_EQUAL(stop_by(proc_find(&proc, i), SIGNAL_STOP,
		    new_call()), PARKED);
	}
	KTAP_EQUAL(kill_by(init, -1, SIGNAL_CONT), 0);
	KTAP_EQUAL(proc.table->stopped, 0);
	finish(init, 0);
	KTAP_EQUAL(proc.table->count, 0);
}

static void
set_alarm(struct process *process, uint64_t due, uint64_t interval)
{
	begin();
	KTAP_EQUAL(end(proc_alarm_set(&proc, process, due, interval)), 0);
}

static void
alarms_due(uint64_t now, unsigned most)
{
	begin();
	KTAP_EQUAL(end(proc_alarms_due(&proc, now, most)), 0);
	run_work();
}

static void
test_alarms_go_off_in_order(void)
{
	struct process *init = boot(), *a = make(init), *b = make(init);

	KTAP_EQUAL(proc_alarm_next(&proc), 0);
	set_alarm(a, 300, 0);
	set_alarm(b, 100, 50);
	set_alarm(init, 200, 0);
	KTAP_EQUAL(proc_alarm_next(&proc), 100);
	alarms_due(99, 8);
	KTAP_EQUAL(b->pending, 0);
	alarms_due(100, 8);
	KTAP_EQUAL(fetch(b, 0).signal, SIGNAL_ALRM);
	KTAP_EQUAL(proc_alarm_next(&proc), 150);
	/* What was missed counts once; one at a time is enough. */
	alarms_due(290, 1);
	KTAP_EQUAL(fetch(b, 0).code, SIGNAL_CODE_KERNEL);
	KTAP_EQUAL(fetch(b, 0).signal, 0);
	KTAP_EQUAL(b->alarm_ns, 300);
	KTAP_EQUAL(init->pending, 0);
	alarms_due(290, 8);
	KTAP_EQUAL(init->pending, SIGNAL_BIT(SIGNAL_ALRM));
	KTAP_EQUAL(init->alarm_ns, 0);
	/* Set again, and none. */
	set_alarm(a, 1000, 0);
	set_alarm(b, 0, 50);
	KTAP_EQUAL(b->interval_ns, 0);
	KTAP_EQUAL(proc_alarm_next(&proc), 1000);
	/* Not passed on, and gone with its process. */
	KTAP_EQUAL(make(a)->alarm_ns, 0);
	finish(a, 0);
	KTAP_EQUAL(proc_alarm_next(&proc), 0);
}

static int
nice_by(struct process *caller, const struct proc_nice *request,
    int32_t *out_nice)
{
	begin();
	int error = end(proc_nice(&proc, caller, request, out_nice));
	run_work();
	return error;
}

static void
test_nice_is_inherited_and_bounded(void)
{
	struct process *init = boot(), *a = make(init), *b = make(init);
	int32_t nice;

	KTAP_EQUAL(nice_by(init, &(struct proc_nice){ NICE_PROCESS, a->pid, 5,
	    true }, &nice), 0);
	KTAP_EQUAL(make(a)->nice, 5);
	KTAP_EQUAL(b->nice, 0);
	KTAP_EQUAL(nice_by(init, &(struct proc_nice){ NICE_PROCESS, b->pid,
	    -99, true }, &nice), 0);
	KTAP_EQUAL(nice, NICE_MIN);
	KTAP_EQUAL(nice_by(a, &(struct proc_nice){ .kind = NICE_USER }, &nice),
	    0);
	KTAP_EQUAL(nice, NICE_MIN);
	KTAP_EQUAL(nice_by(a, &(struct proc_nice){ NICE_PROCESS, 77, 0,
	    false }, &nice), E_SRCH);
	begin();
	if (tx_add(proc.arena, a, sizeof(*a)) != OK)
		abort();
	a->uid = a->euid = 1000;
	tx_commit(proc.arena);
	KTAP_EQUAL(nice_by(a, &(struct proc_nice){ NICE_PROCESS, a->pid, 4,
	    true }, &nice), E_ACCES);
	KTAP_EQUAL(nice_by(a, &(struct proc_nice){ NICE_PROCESS, b->pid, 4,
	    true }, &nice), E_PERM);
}

static void
test_limit_and_reuse_of_pids(void)
{
	struct process *init = boot();
	uint32_t pid;

	for (unsigned i = 1; i < PROC_MAX; i++)
		KTAP_REQUIRE(make(init) != NULL);
	KTAP_EQUAL(proc_pick_pid(&proc, &pid), E_AGAIN);
	finish(proc_find(&proc, 100), 0);
	KTAP_EQUAL(proc_pick_pid(&proc, &pid), E_AGAIN);
	KTAP_EQUAL(wait_for(init, -1, 0, new_call(), NULL), 100);
	begin();
	if (tx_add(proc.arena, proc.table, sizeof(*proc.table)) != OK)
		abort();
	proc.table->next_pid = PROC_PID_MAX;
	tx_commit(proc.arena);
	KTAP_EQUAL(make(init)->pid, PROC_PID_MAX);
	finish(proc_find(&proc, 200), 0);
	KTAP_EQUAL(wait_for(init, -1, 0, new_call(), NULL), 200);
	KTAP_EQUAL(make(init)->pid, 100);
}

static void
skip_pid(void)
{
	begin();
	KTAP_EQUAL(proc_skip_pid(&proc), 0);
	tx_commit(proc.arena);
}

/* What a dead incarnation began to fork is never mistaken for another. */
static void
test_skipped_pids_are_left_out(void)
{
	struct process *init = boot();
	uint32_t pid;

	KTAP_EQUAL(proc_pick_pid(&proc, &pid), 0);
	skip_pid();
	KTAP_EQUAL(make(init)->pid, pid + 1);
	begin();
	if (tx_add(proc.arena, proc.table, sizeof(*proc.table)) != OK)
		abort();
	proc.table->next_pid = PROC_PID_MAX;
	tx_commit(proc.arena);
	skip_pid();
	/* Numbers in use are passed over first: the next free one is left. */
	skip_pid();
	KTAP_EQUAL(make(init)->pid, pid + 2);
}

int
main(void)
{
	static const struct ktap_test tests[] = {
		KTAP_TEST(test_wait_collects_each_zombie_once),
		KTAP_TEST(
		    test_parked_wait_is_answered_when_its_child_has_ended),
		KTAP_TEST(test_wait_selects_by_pid_group_and_own_group),
		KTAP_TEST(test_orphans_go_to_process_1),
		KTAP_TEST(test_children_of_who_ignores_them_leave_nothing),
		KTAP_TEST(test_child_signal_tells_who_and_why),
		KTAP_TEST(test_signals_are_fetched_in_order_and_once),
		KTAP_TEST(test_ignored_signals_do_not_stay_pending),
		KTAP_TEST(test_kill_needs_the_right_user),
		KTAP_TEST(test_groups_and_sessions),
		KTAP_TEST(
	    test_terminal_belongs_to_a_session_and_goes_with_its_leader),
		KTAP_TEST(test_signals_to_groups_reach_who_is_in_them),
		KTAP_TEST(
	    test_group_is_orphaned_without_a_parent_that_can_continue_it),
		KTAP_TEST(test_stop_and_continue_are_told_to_the_parent_once),
		KTAP_TEST(
	    test_stopped_process_stays_so_until_continued_or_killed),
		KTAP_TEST(test_stops_and_continues_take_each_other_away),
		KTAP_TEST(
	    test_orphaned_groups_do_not_stop_and_stopped_ones_are_hung_up),
		KTAP_TEST(test_process_1_is_neither_killed_nor_stopped),
		KTAP_TEST(test_real_time_signals_queue_with_their_values),
		KTAP_TEST(
	    test_time_of_children_is_added_when_they_are_waited_for),
		KTAP_TEST(test_vfork_parent_waits_for_exec_or_end),
		KTAP_TEST(test_cancelled_waits_do_nothing),
		KTAP_TEST(test_end_of_process_1_ends_all),
		KTAP_TEST(
	    test_a_full_table_takes_one_transaction_to_signal_and_to_end),
		KTAP_TEST(test_alarms_go_off_in_order),
		KTAP_TEST(test_nice_is_inherited_and_bounded),
		KTAP_TEST(test_limit_and_reuse_of_pids),
		KTAP_TEST(test_skipped_pids_are_left_out),
	};
	return KTAP_RUN(tests);
}
