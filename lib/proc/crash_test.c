/* SPDX-License-Identifier: MIT */
/* Crashes after every store of every request of proc (lib/test/crash.h). */
#define ARENA_SIZE	(128u << 10)
#include <lib/test/crash.h>

#include <idl/identity.h>
#include <ktap.h>
#include <lib/proc/proc_host.h>

/*
 * The first process; a shell that leads a session and waits for a child; that
 * child, which has signals, an alarm and a child; one in a group of its own
 * that is stopped; a zombie; the parent of a vfork and its child, and those of
 * a spawn.
 */
static struct process *init, *shell, *child, *grandchild, *stopped, *zombie,
    *forker, *forked, *spawner, *spawned;
static struct proc_watcher *watcher, *other_watcher;
static bool parked;

static void
make_signals(void)
{
	struct proc_signal signal = { .signal = SIGNAL_REALTIME + 2,
		.code = -1, .value = 5 };

	kill_by(shell, child->pid, 10);
	begin();
	end(proc_queue(&proc, shell, child->pid, &signal));
	begin();
	end(proc_alarm_set(&proc, child, 5000, 100));
	begin();
	end(proc_alarm_set(&proc, shell, 9000, 0));
}

#define KEY(n)	{ 0x1000 + (n), 7 }

static void
add(struct proc_watcher *to, uint64_t key, uint64_t bits, bool exclusive)
{
	begin();
	end(proc_watch_add(&proc, to, &(struct proc_watch_name){ KEY(key),
	    bits, exclusive }));
}

/* One watches two objects; another, in turn with a third, one of them. */
static void
make_watchers(void)
{
	struct proc_watcher *third;

	begin();
	if (proc_watcher_create(&proc, child, 100, &watcher) != 0 ||
	    proc_watcher_create(&proc, shell, 101, &other_watcher) != 0 ||
	    proc_watcher_create(&proc, shell, 102, &third) != 0)
		abort();
	end(0);
	add(watcher, 1, 1, false);
	add(watcher, 2, 2, false);
	add(other_watcher, 1, 1, true);
	add(third, 1, 1, true);
}

static void
make_world(void)
{
	init = boot();
	shell = make(init);
	begin();
	end(proc_groups_set(&proc, shell, (uint32_t[]){ 8, 7 }, 2));
	setsid_by(shell);
	child = make(shell);
	grandchild = make(child);
	stopped = make(shell);
	setpgid_by(shell, stopped->pid, 0);
	kill_by(shell, stopped->pid, SIGNAL_TSTP);
	fetch(stopped, 0);
	stop_by(stopped, SIGNAL_TSTP, new_call());
	zombie = make(init);
	finish(zombie, STATUS_EXITED(3));
	kill_by(shell, grandchild->pid, SIGNAL_STOP);
	fetch(grandchild, 0);
	forker = make(init);
	forked = make(forker);
	begin();
	end(proc_vfork(&proc, forker, forked, new_call()));
	spawner = make(init);
	spawned = make(spawner);
	begin();
	end(proc_spawn(&proc, spawner, spawned, new_call()));
	make_signals();
	make_watchers();
	wait_for(shell, child->pid, 0, new_call(), NULL);
}

static bool
resume(void)
{
	static const struct arena_environment environment = {
		.fail = fail_arena, .sums = true,
	};

	if (arena_open(memory, sizeof(memory), 1, &environment,
	    &proc.arena) != OK)
		return false;
	proc_resume(&proc);
	return true;
}

static bool
core_ok(void)
{
	return proc_ok(&proc);
}

static struct arena *
core_arena(void)
{
	return proc.arena;
}

static void
end_case(int error)
{
	end(error);
}

static const struct crash_world world = {
	.protocols = { "proc", "identity", "watches", "watcher" },
	.region = { memory, sizeof(memory) },
	.make = make_world, .resume = resume, .ok = core_ok,
	.arena = core_arena, .begin = begin, .end = end_case,
	.plain = { { &proc, sizeof(proc) },
		{ signalled, sizeof(signalled) },
		{ &answer_count, sizeof(answer_count) },
		{ &next_order, sizeof(next_order) } },
};

/* --- Requests. --- */

static int
run_fork(void)
{
	struct process *made;
	uint32_t pid;
	int error = proc_pick_pid(&proc, &pid);

	return error != 0 ? error : proc_create(&proc, pid, child, &made);
}

static int
run_vfork(void)
{
	struct process *made;
	uint32_t pid;
	int error = proc_pick_pid(&proc, &pid);

	if (error == 0)
		error = proc_create(&proc, pid, child, &made);
	return error != 0 ? error : proc_vfork(&proc, child, made, new_call());
}

static int
run_spawn(void)
{
	struct process *made;
	uint32_t pid;
	int error = proc_pick_pid(&proc, &pid);

	if (error == 0)
		error = proc_create(&proc, pid, child, &made);
	return error != 0 ? error : proc_spawn(&proc, child, made, new_call());
}

static int
run_spawn_failed(void)
{
	return proc_spawn_failed(&proc, spawned, E_NOENT);
}

/* What the parent is told, and that nothing is left. */
static int
run_spawn_failed_ends(void)
{
	int error = proc_spawn_failed(&proc, spawned, E_NOENT);

	return error != 0 ? error : proc_ended(&proc, spawned);
}

static int
run_exit(void)
{
	return proc_end(&proc, child, STATUS_EXITED(1));
}

static int
run_wait(void)
{
	struct proc_waited waited;

	return proc_wait(&proc, init, new_call(), -1, 0, &waited, &parked);
}

static int
run_wait_parks(void)
{
	struct proc_waited waited;

	return proc_wait(&proc, child, new_call(), -1, 0, &waited, &parked);
}

static int
run_kill(void)
{
	return proc_kill(&proc, init, -1, 12, SIGNAL_CODE_USER);
}

static int
run_kill_continues(void)
{
	return proc_kill(&proc, shell, stopped->pid, SIGNAL_CONT,
	    SIGNAL_CODE_USER);
}

static int
run_signal_fetch(void)
{
	struct proc_fetched fetched;

	return proc_signal_fetch(&proc, child, 0, &fetched);
}

static int
run_signal_ignore(void)
{
	return proc_signal_ignore(&proc, child, SIGNAL_BIT(10) |
	    SIGNAL_BIT(SIGNAL_CHLD), IGNORE_NO_ZOMBIES);
}

static int
run_setpgid(void)
{
	return proc_setpgid(&proc, shell, child->pid, 0);
}

static int
run_setsid(void)
{
	return proc_setsid(&proc, grandchild);
}

static int
run_exec_done(void)
{
	int error = proc_exec_done(&proc, forked);

	return error != 0 ? error :
	    proc_set_names(&proc, forked, "sh\0/bin/sh\0-c", 14);
}

static int
run_signal_wait(void)
{
	return proc_signal_wait(&proc, grandchild, new_call(), ~0ul);
}

static int
run_alarm(void)
{
	return proc_alarm_set(&proc, grandchild, 7000, 0);
}

static int
run_nice(void)
{
	struct proc_nice request = { .kind = NICE_PROCESS, .id = child->pid,
		.nice = 5, .set = true };
	int32_t nice;

	return proc_nice(&proc, init, &request, &nice);
}

static int
run_stop(void)
{
	return proc_stop(&proc, grandchild, new_call(), SIGNAL_STOP, &parked);
}

static int
run_queue(void)
{
	struct proc_signal signal = { .signal = SIGNAL_REALTIME + 1,
		.code = -1, .value = 9 };

	return proc_queue(&proc, shell, child->pid, &signal);
}

static int
run_limit(void)
{
	struct proc_limit request = { .pid = child->pid,
		.resource = LIMIT_FILES, .set = true, .soft = 10, .hard = 20 };
	uint64_t before[2];

	return proc_limit(&proc, init, &request, before);
}

static int
run_affinity(void)
{
	uint64_t mask = 1, before;

	return proc_affinity(&proc, init, child->pid, &mask, &before);
}

static int
run_watches_open(void)
{
	struct proc_watcher *made;

	return proc_watcher_create(&proc, grandchild, 103, &made);
}

static int
run_watches_wake(void)
{
	bool left;

	return proc_wake(&proc, (uint64_t[])KEY(1), &left);
}

static int
run_watcher_add(void)
{
	return proc_watch_add(&proc, watcher, &(struct proc_watch_name){
	    KEY(3), 4, false });
}

static int
run_watcher_add_again(void)
{
	return proc_watch_add(&proc, watcher, &(struct proc_watch_name){
	    KEY(2), 2, false });
}

static int
run_watcher_remove(void)
{
	return proc_watch_remove(&proc, watcher, &(struct proc_watch_name){
	    KEY(2), 2, false });
}

static int
run_watcher_name(void)
{
	return proc_watcher_name(&proc, watcher, (uint64_t[])KEY(9));
}

static int
run_watcher_end(void)
{
	return proc_watcher_end(&proc, watcher);
}

/* --- What the shell does after commits, and what happens by itself. --- */

static int
run_ended(void)
{
	int error = proc_end(&proc, child, STATUS_SIGNALLED(9));

	if (error == 0)
		error = proc_spent(&proc, child, 12345);
	return error != 0 ? error : proc_ended(&proc, child);
}

static int
run_session_leader_ended(void)
{
	int error = proc_end(&proc, shell, 0);

	return error != 0 ? error : proc_ended(&proc, shell);
}

static int
run_work_done(void)
{
	int error = proc_kill(&proc, shell, stopped->pid, SIGNAL_CONT, 0);

	return error != 0 ? error :
	    proc_work_done(&proc, stopped, stopped->work);
}

static int
run_alarms_due(void)
{
	return proc_alarms_due(&proc, 10000, 8);
}

static int
run_cancel(void)
{
	return proc_cancel(&proc, shell->call, &parked);
}

static int
run_skip_pid(void)
{
	return proc_skip_pid(&proc);
}

static int
run_forget_terminal(void)
{
	int error;

	tx_add(proc.arena, &child->terminal, sizeof(child->terminal));
	child->terminal = 3;
	error = proc_session_forget_terminal(&proc, shell->sid);
	return error != 0 ? error : proc_end(&proc, grandchild, 0);
}

static int
run_set_ids(void)
{
	struct proc_identity who = shell->who;
	const uint32_t id[3] = { 1, 2, 3 };
	int error = identity_set_ids(&who, IDS_THREE, id);

	return error != 0 ? error : proc_identity_set(&proc, shell, &who);
}

static int
run_set_privileges(void)
{
	struct proc_identity who = shell->who;
	int error = identity_set_privileges(&who,
	    &(struct proc_privileges){ 1, 3, 1 });

	return error != 0 ? error : proc_identity_set(&proc, shell, &who);
}

static int
run_control(void)
{
	struct proc_identity who = shell->who;
	uint64_t value;
	int error = identity_control(&who, PRIVILEGE_BOUNDING_DROP, 3, &value);

	return error != 0 ? error : proc_identity_set(&proc, shell, &who);
}

/* Others share the list that it had. */
static int
run_set_groups(void)
{
	uint32_t gid[] = { 5, 3, 4 };

	return proc_groups_set(&proc, shell, gid, 3);
}

/* Nobody has its list any more. */
static int
run_set_no_groups(void)
{
	int error = run_set_groups();

	return error != 0 ? error : proc_groups_set(&proc, shell, NULL, 0);
}

static int
run_set_host_name(void)
{
	return proc_host_name_set(&proc, shell, 1, "example.org", 11);
}

/* Half of it is done when it is refused. */
static int
run_refused(void)
{
	int error = proc_end(&proc, child, 0);

	return error != 0 ? error : E_NOMEM;
}

static const struct crash_case cases[] = {
	CRASH_CASE(PROC_FORK, run_fork),
	CRASH_CASE(PROC_FORK, run_vfork),
	CRASH_CASE(PROC_FORK, run_spawn),
	CRASH_CASE(PROC_SPAWN_FAILED, run_spawn_failed),
	CRASH_CASE(PROC_SPAWN_FAILED, run_spawn_failed_ends),
	CRASH_CASE(PROC_EXIT, run_exit),
	CRASH_CASE(PROC_WAIT, run_wait),
	CRASH_CASE(PROC_WAIT, run_wait_parks),
	CRASH_CASE(PROC_KILL, run_kill),
	CRASH_CASE(PROC_KILL, run_kill_continues),
	CRASH_CASE(PROC_SIGNAL_FETCH, run_signal_fetch),
	CRASH_NONE(PROC_SIGNAL_PENDING, "it only looks"),
	CRASH_CASE(PROC_SIGNAL_IGNORE, run_signal_ignore),
	CRASH_CASE(PROC_SETPGID, run_setpgid),
	CRASH_CASE(PROC_SETSID, run_setsid),
	CRASH_NONE(PROC_GET, "it only looks"),
	CRASH_CASE(PROC_EXEC_DONE, run_exec_done),
	CRASH_CASE(PROC_SIGNAL_WAIT, run_signal_wait),
	CRASH_CASE(PROC_ALARM, run_alarm),
	CRASH_CASE(PROC_NICE, run_nice),
	CRASH_CASE(PROC_STOP, run_stop),
	CRASH_CASE(PROC_QUEUE, run_queue),
	CRASH_NONE(PROC_TIMES, "it only looks"),
	CRASH_CASE(PROC_LIMIT, run_limit),
	CRASH_CASE(PROC_AFFINITY, run_affinity),
	CRASH_NONE(PROC_LEAVE, "it only looks"),
	CRASH_NONE(PROC_MACHINE, "it only looks"),
	CRASH_CASE(IDENTITY_SET_IDS, run_set_ids),
	CRASH_CASE(IDENTITY_SET_GROUPS, run_set_groups),
	CRASH_CASE(IDENTITY_SET_GROUPS, run_set_no_groups),
	CRASH_NONE(IDENTITY_GET_GROUPS, "it only looks"),
	CRASH_NONE(IDENTITY_PRIVILEGES, "it only looks"),
	CRASH_CASE(IDENTITY_SET_PRIVILEGES, run_set_privileges),
	CRASH_CASE(IDENTITY_CONTROL, run_control),
	CRASH_CASE(IDENTITY_SET_HOST_NAME, run_set_host_name),
	CRASH_NONE(IDENTITY_HOST_NAMES, "it only looks"),
	CRASH_CASE(WATCHES_OPEN, run_watches_open),
	CRASH_CASE(WATCHES_WAKE, run_watches_wake),
	CRASH_NONE(WATCHES_CONSOLE, "it is the shell's"),
	CRASH_CASE(WATCHER_ADD, run_watcher_add),
	CRASH_CASE(WATCHER_ADD, run_watcher_add_again),
	CRASH_CASE(WATCHER_REMOVE, run_watcher_remove),
	CRASH_CASE(WATCHER_NAME, run_watcher_name),
	CRASH_CASE(0, run_watcher_end),
	CRASH_CASE(0, run_ended),
	CRASH_CASE(0, run_session_leader_ended),
	CRASH_CASE(0, run_work_done),
	CRASH_CASE(0, run_alarms_due),
	CRASH_CASE(0, run_cancel),
	CRASH_CASE(0, run_skip_pid),
	CRASH_CASE(0, run_forget_terminal),
	CRASH_REFUSED(run_refused),
};

#define CASES	(sizeof(cases) / sizeof(cases[0]))

TEST(test_every_method_has_a_crash_case)
{
	crash_check_methods(&world, cases, CASES);
}

TEST(test_crash_anywhere_leaves_before_or_after)
{
	for (unsigned i = 0; i < CASES; i++)
		if (cases[i].run != NULL)
			crash_run_case(&world, &cases[i]);
}

TEST_MAIN(0)
