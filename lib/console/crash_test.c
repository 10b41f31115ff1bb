/* SPDX-License-Identifier: MIT */
/* Crashes after every store of every request of the console. */
#include <lib/test/crash.h>

#include <idl/console.h>
#include <idl/errno.h>
#include <lib/console/console.h>
#include <lib/console/uart.h>

#define ARENA_SIZE	(128u << 10)
#define WINDOW		8192u

static _Alignas(4096) uint8_t memory[ARENA_SIZE];
static struct arena *arena;
static struct console *console;
static struct console_line line;
static uint8_t window[WINDOW];

/* What the host sends. */
static struct {
	uint8_t	 bytes[1024];
	size_t	 length, at;
} typed;

static uint8_t
port_in(void *context, unsigned offset)
{
	(void)context;
	if (offset == UART_DATA)
		return typed.at < typed.length ? typed.bytes[typed.at++] : 0;
	if (offset == UART_LINE_STATUS)
		return UART_STATUS_ROOM | UART_STATUS_IDLE |
		    (typed.at < typed.length ? UART_STATUS_RECEIVED : 0);
	return UART_CAUSE_NONE;
}

static void
port_out(void *context, unsigned offset, uint8_t value)
{
	(void)context, (void)offset, (void)value;
}

static void
port_send(void *context, const uint8_t *bytes, size_t length)
{
	(void)context, (void)bytes, (void)length;
}

static status_t
port_copy_in(void *context, struct console_call call, uint64_t offset,
    void *to, size_t length)
{
	(void)context, (void)call;
	memcpy(to, window + offset % 16, length);
	return OK;
}

static status_t
port_copy_out(void *context, struct console_call call, uint64_t offset,
    const void *from, size_t length)
{
	(void)context, (void)call;
	if (offset + length > WINDOW)
		abort();
	memcpy(window + offset, from, length);
	return OK;
}

static void
port_answer(void *context, struct console_call call, uint64_t error,
    uint64_t value)
{
	(void)context, (void)call, (void)error, (void)value;
}

static void
port_nothing(void *context)
{
	(void)context;
}

static size_t
port_command(void *context, const uint8_t *text, size_t length,
    uint8_t *answer, bool *out_failed)
{
	(void)context;
	memcpy(answer, text, length);
	*out_failed = false;
	return length;
}

static void
port_fail(void *context, const char *reason)
{
	(void)context;
	printf("# %s\n", reason);
	abort();
}

static void
arena_failed(const char *reason)
{
	port_fail(NULL, reason);
}

static const struct console_port port = {
	.in = port_in, .out = port_out, .send = port_send,
	.copy_in = port_copy_in, .copy_out = port_copy_out,
	.answer = port_answer, .again = port_nothing,
	.notify = port_nothing, .command = port_command, .fail = port_fail,
};

static bool
open_arena(void)
{
	static const struct arena_environment environment = {
		.fail = arena_failed, .sums = true };

	return arena_open(memory, sizeof(memory), 1, &environment, &arena) ==
	    OK;
}

static void
type(uint8_t kind, uint32_t sequence, const char *text, size_t length)
{
	typed.length += frame_encode(kind, sequence, (const uint8_t *)text,
	    length, typed.bytes + typed.length);
}

static void
begin(void)
{
	tx_begin(arena);
}

static void
end(int error)
{
	if (error != 0)
		tx_abort(arena);
	else
		tx_commit(arena);
}

/* A waiting writer behind a frame on its way, and some input. */
static void
make_world(void)
{
	uint64_t value;

	memset(memory, 0, sizeof(memory));
	memset(&typed, 0, sizeof(typed));
	if (!open_arena())
		abort();
	begin();
	console = arena_alloc(arena, sizeof(*console));
	if (console == NULL || arena_set_root(arena, console) != OK)
		abort();
	end(0);
	console_open(&line, console, arena, &port, 1);
	type(FRAME_INPUT, 0, "typed before", 12);
	begin();
	console_pump(&line);
	console_write(&line, (struct console_call){ 1, 10 }, FRAME_OUT, 700,
	    &value);
	end(0);
	begin();
	console_write(&line, (struct console_call){ 2, 20 }, FRAME_OUT, 900,
	    &value);
	end(0);
	type(FRAME_INPUT, 1, "typed now", 9);
	type(FRAME_CONTROL, 2, "command", 7);
}

/* The line of the same incarnation: crash_run restores it. */
static bool
resume(void)
{
	return open_arena() && arena_root(arena) == console;
}

static bool
core_ok(void)
{
	return console_ok(console);
}

static struct arena *
core_arena(void)
{
	return arena;
}

static const struct crash_world world = {
	.protocols = { "console" },
	.region = { memory, sizeof(memory) },
	.make = make_world, .resume = resume, .ok = core_ok,
	.arena = core_arena, .begin = begin, .end = end,
	.plain = { { &line, sizeof(line) }, { &typed, sizeof(typed) } },
};

/* --- Requests. --- */

static int
outcome_of(console_outcome outcome, uint64_t value)
{
	return outcome == CONSOLE_ERROR ? (int)value : 0;
}

static int
run_write(void)
{
	uint64_t value = 0;

	return outcome_of(console_write(&line, (struct console_call){ 3, 30 },
	    FRAME_ERR, 100, &value), value);
}

static int
run_read(void)
{
	uint64_t value = 0;

	return outcome_of(console_read(&line, (struct console_call){ 3, 30 },
	    5, &value), value);
}

static int
run_read_parks(void)
{
	uint64_t value = 0;
	int error = outcome_of(console_read(&line,
	    (struct console_call){ 3, 30 }, 100, &value), value);

	return error != 0 ? error : outcome_of(console_read(&line,
	    (struct console_call){ 4, 40 }, 100, &value), value);
}

static int
run_exit(void)
{
	uint64_t value = 0;

	return outcome_of(console_exit(&line, (struct console_call){ 3, 30 },
	    7, &value), value);
}

static int
run_put(void)
{
	uint64_t value = 0;

	return outcome_of(console_put(&line, (struct console_call){ 3, 30 },
	    0, 300, &value), value);
}

static int
run_take(void)
{
	struct console_taken taken;

	return outcome_of(console_take(&line, (struct console_call){ 3, 30 },
	    4, 5, &taken), 1);
}

/* Frames leave and come, a command is taken. */
static int
run_pump(void)
{
	console_pump(&line);
	return 0;
}

static int
run_cancel(void)
{
	return !console_cancel(&line, (struct console_call){ 2, 20 });
}

static int
run_refused(void)
{
	run_write();
	run_put();
	return E_NOMEM;
}

static const struct crash_case cases[] = {
	CRASH_CASE(CONSOLE_WRITE, run_write),
	CRASH_CASE(CONSOLE_READ, run_read),
	CRASH_CASE(CONSOLE_READ, run_read_parks),
	CRASH_CASE(CONSOLE_EXIT, run_exit),
	CRASH_NONE(CONSOLE_POLL, "it only looks"),
	CRASH_NONE(CONSOLE_LISTEN, "the shell sets two words"),
	CRASH_CASE(CONSOLE_PUT, run_put),
	CRASH_CASE(CONSOLE_TAKE, run_take),
	CRASH_CASE(0, run_pump),
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
