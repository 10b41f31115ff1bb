/* SPDX-License-Identifier: MIT */
/* Crashes after every store of every request of a terminal. */
#define ARENA_SIZE	(128u << 10)
#include <lib/test/crash.h>

#include <lib/terminal/terminal_host.h>

/* A pseudo-terminal with a typed line, output, and calls that wait. */
static void
make_world(void)
{
	make(1);
	write_now(TERMINAL_CALL_MASTER_WRITE, "one line\nhalf", 13);
	write_now(TERMINAL_CALL_WRITE, "some output\n", 12);
	begin();
	terminal_set_session(&core, terminal, 5, 6);
	end();
}

static bool
resume(void)
{
	static const struct arena_environment environment = {
		.fail = fail, .sums = true };

	return arena_open(memory, sizeof(memory), 1, &environment, &arena) ==
	    OK;
}

static bool
core_ok(void)
{
	return terminal_ok(terminal);
}

static struct arena *
core_arena(void)
{
	return arena;
}

static void
end_case(int error)
{
	if (error != 0)
		tx_abort(arena);
	else
		end();
}

static const struct crash_world world = {
	.protocols = { "terminal", "terminals" },
	.region = { memory, sizeof(memory) },
	.make = make_world, .resume = resume, .ok = core_ok,
	.arena = core_arena, .begin = begin, .end = end_case,
	.plain = { { &core, sizeof(core) }, { &next_order, sizeof(next_order) },
		{ answers, sizeof(answers) },
		{ &again_count, sizeof(again_count) } },
};

/* As call() of terminal_host.h, in the case's own transaction. */
static int
request(enum terminal_kind kind, const char *bytes, uint32_t length)
{
	struct terminal_waiter wanted = {
		.call = { 40, 1000 }, .kind = kind, .length = length,
		.epoch = terminal->epoch,
	};
	uint64_t value;

	if (bytes != NULL)
		memcpy(windows[40], bytes, length);
	terminal_outcome outcome = terminal_request(&core, terminal, &wanted,
	    &value);
	return outcome == TERMINAL_ERROR ? (int)value : 0;
}

static int
run_read(void)
{
	return request(TERMINAL_CALL_READ, NULL, 20);
}

static int
run_read_parks(void)
{
	int error = request(TERMINAL_CALL_READ, NULL, 20);

	return error != 0 ? error : request(TERMINAL_CALL_READ, NULL, 20);
}

static int
run_write(void)
{
	return request(TERMINAL_CALL_WRITE, "a\tb\n", 4);
}

static int
run_master_read(void)
{
	return request(TERMINAL_CALL_MASTER_READ, NULL, 4000);
}

static int
run_master_write(void)
{
	return request(TERMINAL_CALL_MASTER_WRITE, "\177x\003y\n", 5);
}

static int
run_drain(void)
{
	int error = run_write();

	return error != 0 ? error : request(TERMINAL_CALL_DRAIN, NULL, 0);
}

static int
run_set_modes(void)
{
	struct terminal_modes modes = terminal->modes;

	modes.local = 0;
	terminal_set_modes(&core, terminal, &modes);
	terminal_serve(&core, terminal);
	return 0;
}

static int
run_set_size(void)
{
	terminal_set_size(&core, terminal, 30, 90);
	return 0;
}

static int
run_flush(void)
{
	terminal_flush(&core, terminal, 2);
	return 0;
}

static int
run_flow(void)
{
	terminal_flow(&core, terminal, 0);
	return 0;
}

static int
run_insert(void)
{
	terminal_input(&core, terminal, (const uint8_t *)"typed\n", 6);
	terminal_serve(&core, terminal);
	return 0;
}

static int
run_set_packet(void)
{
	terminal_set_packet(&core, terminal, true);
	return 0;
}

static int
run_set_locked(void)
{
	terminal_set_locked(&core, terminal, true);
	return 0;
}

static int
run_set_group(void)
{
	terminal_set_session(&core, terminal, 5, 9);
	return 0;
}

static int
run_release(void)
{
	terminal_set_session(&core, terminal, 0, 0);
	return 0;
}

static int
run_open(void)
{
	terminal_count(&core, terminal, false, 1);
	return 0;
}

static int
run_open_new(void)
{
	return terminal_create(&core, 2) == NULL;
}

static int
run_destroy(void)
{
	struct terminal *other = terminal_create(&core, 2);

	if (other == NULL)
		return 1;
	terminal_destroy(&core, other);
	return request(TERMINAL_CALL_WRITE, "x", 1);
}

static int
run_hang_up(void)
{
	terminal_hang_up(&core, terminal);
	return 0;
}

static int
run_input_end(void)
{
	terminal_input_end(&core, terminal);
	return 0;
}

static int
run_output_done(void)
{
	const uint8_t *bytes;

	terminal_output_done(&core, terminal, terminal_output(terminal,
	    &bytes));
	return 0;
}

static int
run_cancel(void)
{
	int error = run_read_parks();

	return error != 0 ? error : !terminal_cancel(&core, terminal,
	    (struct terminal_call){ 40, 1000 });
}

static int
run_refused(void)
{
	run_insert();
	return 5;
}

static const struct crash_case cases[] = {
	CRASH_CASE(TERMINAL_READ, run_read),
	CRASH_CASE(TERMINAL_READ, run_read_parks),
	CRASH_CASE(TERMINAL_READ, run_master_read),
	CRASH_CASE(TERMINAL_WRITE, run_write),
	CRASH_CASE(TERMINAL_WRITE, run_master_write),
	CRASH_NONE(TERMINAL_POLL, "it only looks"),
	CRASH_NONE(TERMINAL_GET_MODES, "it only looks"),
	CRASH_CASE(TERMINAL_SET_MODES, run_set_modes),
	CRASH_NONE(TERMINAL_GET_SIZE, "it only looks"),
	CRASH_CASE(TERMINAL_SET_SIZE, run_set_size),
	CRASH_CASE(TERMINAL_FLUSH, run_flush),
	CRASH_CASE(TERMINAL_FLOW, run_flow),
	CRASH_CASE(TERMINAL_DRAIN, run_drain),
	CRASH_CASE(TERMINAL_INSERT, run_insert),
	CRASH_NONE(TERMINAL_GET_INFO, "it only looks"),
	CRASH_CASE(TERMINAL_SET_PTY, run_set_packet),
	CRASH_CASE(TERMINAL_SET_PTY, run_set_locked),
	CRASH_NONE(TERMINAL_WATCH, "it is the shell's"),
	CRASH_CASE(TERMINALS_OPEN, run_open),
	CRASH_CASE(TERMINALS_OPEN, run_open_new),
	CRASH_CASE(TERMINALS_SET_GROUP, run_set_group),
	CRASH_CASE(TERMINALS_ACQUIRE, run_set_group),
	CRASH_CASE(TERMINALS_RELEASE, run_release),
	CRASH_NONE(TERMINALS_STOP_GROUP, "it sends signals, see lib/proc"),
	CRASH_CASE(0, run_destroy),
	CRASH_CASE(0, run_hang_up),
	CRASH_CASE(0, run_input_end),
	CRASH_CASE(0, run_output_done),
	CRASH_CASE(0, run_cancel),
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
