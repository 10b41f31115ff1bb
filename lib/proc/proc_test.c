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

	b->who.uid = 1000;
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
	KTAP_EQUAL(answer_of(call)->waited.pid, b_pid);
	KTAP_EQUAL(answer_of(call)->waited.status, 11);
	KTAP_EQUAL(answer_of(call)->waited.uid, 1000);
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
	uint64_t first = answer_of(call)->waited.pid;
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
	become(user, 1000);
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
		KTAP_EQUAL(answer_of(call)->what, PARK_VFORK);
		KTAP_EQUAL(answer_of(call)->waited.pid, pid);
	}
}

static struct process *
spawn_by(struct process *parent, struct proc_call call)
{
	struct process *child = make(parent);

	begin();
	end(proc_spawn(&proc, parent, child, call));
	return child;
}

static void
test_a_failed_spawn_is_an_error_and_leaves_nothing(void)
{
	struct process *init = boot(), *parent = make(init);
	struct proc_call call = new_call();
	struct process *child = spawn_by(parent, call);
	uint32_t pid = child->pid;

	begin();
	end(proc_spawn_failed(&proc, child, E_NOENT));
	KTAP_CHECK(answer_of(call) == NULL);
	run_work();
	KTAP_REQUIRE(answer_of(call) != NULL);
	KTAP_EQUAL(answer_of(call)->error, E_NOENT);
	KTAP_CHECK(proc_find(&proc, pid) == NULL);
	KTAP_EQUAL(parent->pending, 0);
	KTAP_EQUAL(wait_for(parent, -1, 0, new_call(), NULL), -E_CHILD);
}

static void
test_a_failed_spawn_leaves_nothing_to_the_next_parent_either(void)
{
	struct process *init = boot(), *parent = make(init);
	struct process *child = spawn_by(parent, new_call());
	uint32_t pid = child->pid;

	finish(parent, 0);
	KTAP_CHECK(child->parent == init);
	begin();
	end(proc_spawn_failed(&proc, child, E_NOENT));
	run_work();
	KTAP_CHECK(proc_find(&proc, pid) == NULL);
}

static void
test_a_spawn_is_not_given_up_for_a_signal(void)
{
	struct process *init = boot(), *parent = make(init);
	struct proc_call call = new_call();
	struct process *child = spawn_by(parent, call);
	bool found = false;

	begin();
	end(proc_cancel(&proc, call, &found));
	KTAP_CHECK(found && answer_of(call) == NULL);
	begin();
	end(proc_exec_done(&proc, child));
	KTAP_REQUIRE(answer_of(call) != NULL);
	KTAP_EQUAL(answer_of(call)->error, 0);
	KTAP_EQUAL(answer_of(call)->waited.pid, child->pid);
}

static void
test_who_dies_before_its_program_runs_is_waited_for(void)
{
	struct process *init = boot(), *parent = make(init);
	struct proc_call call = new_call();
	struct process *child = spawn_by(parent, call);
	uint32_t pid = child->pid;

	finish(child, STATUS_SIGNALLED(SIGNAL_KILL));
	KTAP_REQUIRE(answer_of(call) != NULL);
	KTAP_EQUAL(answer_of(call)->error, 0);
	KTAP_EQUAL(wait_for(parent, -1, 0, new_call(), NULL), (int64_t)pid);
}

static void
test_only_a_spawned_process_without_program_says_it_failed(void)
{
	struct process *init = boot(), *parent = make(init);
	struct process *child = spawn_by(parent, new_call());

	begin();
	KTAP_EQUAL(proc_spawn_failed(&proc, parent, E_NOENT), E_INVAL);
	KTAP_EQUAL(proc_spawn_failed(&proc, child, 0), E_INVAL);
	KTAP_EQUAL(proc_spawn_failed(&proc, child, 4096), E_INVAL);
	end(proc_exec_done(&proc, child));
	begin();
	KTAP_EQUAL(proc_spawn_failed(&proc, child, E_NOENT), E_INVAL);
	end(0);
	KTAP_EQUAL(proc_state(child), PROCESS_RUNNING);
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
	KTAP_EQUAL(answer_of(call)->what, PARK_WAIT);
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
	KTAP_EQUAL(answer_of(call)->what, PARK_SIGNAL);
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

static int
name_by(struct process *process, const char *names, uint64_t length)
{
	begin();
	return end(proc_set_names(&proc, process, names, length));
}

static void
test_a_full_table_takes_one_transaction_to_signal_and_to_end(void)
{
	struct process *init = boot();
	char names[NAMES_MAX] = "x";

	KTAP_EQUAL(name_by(init, names, NAMES_MAX), 0);
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

/* The last child that leaves takes the parent along. */
static void
test_any_number_of_zombies_is_left_in_steps_that_fit(void)
{
	struct process *init = boot(), *parent = make(init);
	char names[NAMES_MAX] = "x";

	begin();
	end(proc_signal_ignore(&proc, init, SIGNAL_BIT(SIGNAL_CHLD),
	    IGNORE_NO_ZOMBIES));
	KTAP_EQUAL(name_by(parent, names, NAMES_MAX), 0);
	for (unsigned i = 2; i < PROC_MAX; i++)
		finish(make(parent), 0);
	KTAP_EQUAL(proc.table->count, PROC_MAX);
	finish(parent, 0);
	KTAP_EQUAL(proc.table->count, 1);
	begin();
	end(proc_signal_ignore(&proc, init, 0, 0));
	KTAP_EQUAL(name_by(init, names, NAMES_MAX), 0);
	for (unsigned i = 1; i < PROC_MAX; i++)
		finish(make(init), 0);
	KTAP_EQUAL(proc.table->count, PROC_MAX);
	finish(init, STATUS_EXITED(3));
	KTAP_EQUAL(proc.table->count, 0);
	KTAP_EQUAL(proc.table->final_status, 3 << 8);
}

/* As a terminal raises them, one for each key typed. */
static void
test_signals_that_are_pending_fill_no_undo_log(void)
{
	static const struct proc_signal signal = { .signal = 2 };
	struct process *init = boot();

	for (unsigned i = 0; i < 200; i++)
		KTAP_EQUAL(setpgid_by(init, make(init)->pid, 2), 0);
	begin();
	for (unsigned i = 0; i < 8192; i++)
		KTAP_REQUIRE(proc_signal_group(&proc, 2, &signal) == 0);
	KTAP_EQUAL(end(0), 0);
	KTAP_EQUAL(fetch(proc_find(&proc, 201), 0).signal, 2);
	KTAP_EQUAL(fetch(proc_find(&proc, 201), 0).signal, 0);
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
	become(a, 1000);
	tx_commit(proc.arena);
	KTAP_EQUAL(nice_by(a, &(struct proc_nice){ NICE_PROCESS, a->pid, 4,
	    true }, &nice), E_ACCES);
	KTAP_EQUAL(nice_by(a, &(struct proc_nice){ NICE_PROCESS, b->pid, 4,
	    true }, &nice), E_PERM);
}

static void
test_names_are_copied_to_children_and_bounded(void)
{
	static const char text[] = "sh\0/bin/sh\0sh\0-c", other[] = "a\0/a";
	struct process *init = boot(), *parent = make(init);
	char full[NAMES_MAX + 1] = "x";

	KTAP_CHECK(make(parent)->names == NULL);
	KTAP_EQUAL(name_by(parent, text, sizeof(text)), 0);
	struct process *child = make(parent);
	KTAP_EQUAL(name_by(parent, other, sizeof(other)), 0);
	KTAP_EQUAL(child->names_length, sizeof(text));
	KTAP_EQUAL(memcmp(child->names, text, sizeof(text)), 0);
	KTAP_EQUAL(parent->names_length, sizeof(other));
	/* No end, no path, too long. */
	KTAP_EQUAL(name_by(child, text, sizeof(text) - 1), E_INVAL);
	KTAP_EQUAL(name_by(child, text, 3), E_INVAL);
	KTAP_EQUAL(name_by(child, text, 0), E_INVAL);
	KTAP_EQUAL(name_by(child, full, NAMES_MAX + 1), E_INVAL);
	KTAP_EQUAL(name_by(child, full, NAMES_MAX), 0);
	finish(child, 0);
	KTAP_CHECK(wait_for(parent, -1, 0, new_call(), NULL) > 0);
}

static int
limit_by(struct process *caller, const struct proc_limit *request,
    uint64_t out_before[2])
{
	begin();
	int error = end(proc_limit(&proc, caller, request, out_before));
	run_work();
	return error;
}

static void
test_limits_are_inherited_and_only_root_raises_them(void)
{
	struct process *init = boot(), *user = make(init), *other = make(init);
	struct proc_limit limit = { .pid = user->pid, .set = true,
		.resource = LIMIT_PROCESSES, .soft = 2, .hard = 3 };
	uint64_t before[2];

	KTAP_EQUAL(limit_by(init, &limit, before), 0);
	KTAP_EQUAL(before[0], LIMIT_NONE);
	KTAP_EQUAL(other->limit[LIMIT_PROCESSES][0], LIMIT_NONE);
	begin();
	if (tx_add(proc.arena, user, sizeof(*user)) != OK)
		abort();
	become(user, 1000);
	end(0);
	KTAP_EQUAL(proc_may_fork(&proc, user), 0);
	struct process *child = make(user);
	KTAP_EQUAL(child->limit[LIMIT_PROCESSES][1], 3);
	KTAP_EQUAL(proc_may_fork(&proc, user), E_AGAIN);
	KTAP_EQUAL(proc_may_fork(&proc, init), 0);
	limit.hard = 4;
	KTAP_EQUAL(limit_by(user, &limit, before), E_PERM);
	KTAP_EQUAL(limit_by(init, &limit, before), 0);
	limit.soft = 5;
	KTAP_EQUAL(limit_by(init, &limit, before), E_INVAL);
	limit.set = false;
	KTAP_EQUAL(limit_by(child, &limit, before), 0);
	KTAP_EQUAL(before[1], 4);
	limit.pid = other->pid;
	KTAP_EQUAL(limit_by(user, &limit, before), E_PERM);
	limit.pid = 4711;
	KTAP_EQUAL(limit_by(init, &limit, before), E_SRCH);
	limit = (struct proc_limit){ .resource = LIMIT_FILES, .set = true,
		.hard = LIMIT_FILES_MAX + 1 };
	KTAP_EQUAL(limit_by(init, &limit, before), E_PERM);
	limit.resource = LIMIT_COUNT;
	KTAP_EQUAL(limit_by(init, &limit, before), E_INVAL);
	/* As many signals as it may have in its queue. */
	limit = (struct proc_limit){ .pid = other->pid, .set = true,
		.resource = LIMIT_SIGNALS, .soft = 1, .hard = 9 };
	KTAP_EQUAL(limit_by(init, &limit, before), 0);
	KTAP_EQUAL(queue_by(init, other, 40, -1, 1), 0);
	KTAP_EQUAL(queue_by(init, other, 40, -1, 2), E_AGAIN);
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
		KTAP_TEST(test_real_time_signals_queue_with_their_values),
		KTAP_TEST(
	    test_time_of_children_is_added_when_they_are_waited_for),
		KTAP_TEST(test_vfork_parent_waits_for_exec_or_end),
		KTAP_TEST(test_a_failed_spawn_is_an_error_and_leaves_nothing),
		KTAP_TEST(test_a_failed_spawn_leaves_nothing_to_the_next_parent_either),
		KTAP_TEST(test_a_spawn_is_not_given_up_for_a_signal),
		KTAP_TEST(test_who_dies_before_its_program_runs_is_waited_for),
		KTAP_TEST(test_only_a_spawned_process_without_program_says_it_failed),
		KTAP_TEST(test_cancelled_waits_do_nothing),
		KTAP_TEST(test_end_of_process_1_ends_all),
		KTAP_TEST(
	    test_a_full_table_takes_one_transaction_to_signal_and_to_end),
		KTAP_TEST(
		    test_any_number_of_zombies_is_left_in_steps_that_fit),
		KTAP_TEST(test_signals_that_are_pending_fill_no_undo_log),
		KTAP_TEST(test_alarms_go_off_in_order),
		KTAP_TEST(test_nice_is_inherited_and_bounded),
		KTAP_TEST(test_names_are_copied_to_children_and_bounded),
		KTAP_TEST(test_limits_are_inherited_and_only_root_raises_them),
		KTAP_TEST(test_limit_and_reuse_of_pids),
		KTAP_TEST(test_skipped_pids_are_left_out),
	};
	return KTAP_RUN(tests);
}
