/* SPDX-License-Identifier: MIT */
/*
 * Laws of terminals that a comparison with Linux does not show: calls that
 * wait, timers, back pressure, ends.
 */
#include <lib/test/ktap.h>
#include <lib/terminal/terminal_host.h>
#include <time.h>

static void
type(const char *text)
{
	size_t length = strlen(text);

	begin();
	EXPECT_EQ(terminal_input(&core, terminal, (const uint8_t *)text,
	    length), length);
	terminal_serve(&core, terminal);
	end();
}

static void
change(uint32_t off, uint32_t on)
{
	struct terminal_modes modes = terminal->modes;

	modes.local = (modes.local & ~off) | on;
	set_modes(&modes);
}

static void
make_raw(uint8_t minimum, uint8_t tenths)
{
	struct terminal_modes modes;

	make(0);
	modes = terminal->modes;
	modes.local = 0;
	modes.input = 0;
	modes.character[CHARACTER_MINIMUM] = minimum;
	modes.character[CHARACTER_TIME] = tenths;
	set_modes(&modes);
}

static bool
waits(unsigned index)
{
	return !answers[index].given;
}

static bool
got(unsigned index, const char *text)
{
	return answers[index].given && answers[index].error == 0 &&
	    answers[index].value == strlen(text) &&
	    memcmp(windows[index], text, strlen(text)) == 0;
}

/* What is drained now. */
static const char *
drained(void)
{
	static char text[TERMINAL_OUTPUT + 1];
	const uint8_t *bytes;
	size_t length = 0, part;

	begin();
	while ((part = terminal_output(terminal, &bytes)) > 0) {
		memcpy(text + length, bytes, part);
		length += part;
		terminal_output_done(&core, terminal, part);
	}
	terminal_serve(&core, terminal);
	end();
	text[length] = 0;
	return text;
}

static void
time_passes(uint64_t ns)
{
	now_ns += ns;
	begin();
	terminal_serve(&core, terminal);
	end();
}

TEST(test_a_reader_waits_for_a_whole_line)
{
	make(0);
	unsigned reader = call(TERMINAL_CALL_READ, 100, false);

	type("ab");
	EXPECT(waits(reader));
	type("c\n");
	EXPECT(got(reader, "abc\n"));
	EXPECT(strcmp(drained(), "abc\r\n") == 0);
}

TEST(test_readers_are_served_in_order)
{
	make(0);
	unsigned first = call(TERMINAL_CALL_READ, 2, false);
	unsigned second = call(TERMINAL_CALL_READ, 100, false);

	type("abc\n");
	EXPECT(got(first, "ab"));
	EXPECT(got(second, "c\n"));
}

TEST(test_an_end_of_file_is_read_once_and_has_no_bytes)
{
	make(0);
	type("ab\x04\x04");
	EXPECT(got(call(TERMINAL_CALL_READ, 100, false), "ab"));
	EXPECT(got(call(TERMINAL_CALL_READ, 100, false), ""));
	EXPECT(waits(call(TERMINAL_CALL_READ, 100, false)));
}

TEST(test_a_signal_character_signals_and_flushes)
{
	make(0);
	type("abc\x03");
	EXPECT_EQ(signals[TERMINAL_SIGINT], 1);
	EXPECT(strcmp(drained(), "^C") == 0);
	type("\n");
	EXPECT(got(call(TERMINAL_CALL_READ, 100, false), "\n"));
	change(MODE_ISIG, 0);
	type("\x03\x1a\x1c\n");
	EXPECT_EQ(signals[TERMINAL_SIGINT], 1);
	EXPECT_EQ(signals[TERMINAL_SIGTSTP], 0);
	EXPECT(got(call(TERMINAL_CALL_READ, 100, false), "\x03\x1a\x1c\n"));
	change(0, MODE_ISIG | MODE_NOFLSH);
	type("x\x1ay\x1c\n");
	EXPECT_EQ(signals[TERMINAL_SIGTSTP], 1);
	EXPECT_EQ(signals[TERMINAL_SIGQUIT], 1);
	EXPECT(got(call(TERMINAL_CALL_READ, 100, false), "xy\n"));
}

TEST(test_a_new_size_signals_once)
{
	make(0);
	for (unsigned i = 0; i < 2; i++) {
		begin();
		terminal_set_size(&core, terminal, 24, 80);
		end();
	}
	EXPECT_EQ(signals[TERMINAL_SIGWINCH], 1);
}

TEST(test_input_without_room_is_not_taken)
{
	static uint8_t lines[8192];
	size_t taken;

	make(0);
	change(MODE_ECHO, 0);
	for (size_t i = 0; i < sizeof(lines); i++)
		lines[i] = i % 64 == 63 ? '\n' : 'x';
	begin();
	taken = terminal_input(&core, terminal, lines, sizeof(lines));
	end();
	EXPECT_EQ(taken, TERMINAL_INPUT - 1);
	EXPECT_EQ(answers[call(TERMINAL_CALL_READ, 4096, false)].value, 64);
	begin();
	EXPECT_EQ(terminal_input(&core, terminal, lines, 100), 64);
	end();
}

TEST(test_a_write_waits_for_room_and_is_taken_in_part)
{
	static uint8_t text[TERMINAL_OUTPUT];

	make(0);
	memset(text, 'x', sizeof(text));
	unsigned first = call_write(TERMINAL_CALL_WRITE, text, 8000, false);
	unsigned second = call_write(TERMINAL_CALL_WRITE, text, 8000, false);
	unsigned third = call_write(TERMINAL_CALL_WRITE, text, 8000, false);

	EXPECT_EQ(answers[first].value, 8000);
	EXPECT_EQ(answers[second].value, TERMINAL_OUTPUT - 8000);
	EXPECT(waits(third));
	EXPECT_EQ(write_now(TERMINAL_CALL_WRITE, "x", 1), -E_AGAIN);
	begin();
	terminal_output_done(&core, terminal, 10);
	terminal_serve(&core, terminal);
	end();
	EXPECT_EQ(answers[third].value, 10);
}

TEST(test_stopped_output_holds_back_echo_and_writers)
{
	make(0);
	EXPECT_EQ(write_now(TERMINAL_CALL_WRITE, "before", 6), 6);
	type("\x13z");
	unsigned writer = call_write(TERMINAL_CALL_WRITE, "after", 5, false);
	EXPECT(strcmp(drained(), "before") == 0);
	EXPECT(waits(writer));
	type("\x11");
	EXPECT(!waits(writer));
	EXPECT(strcmp(drained(), "zafter") == 0);
	/* What a call stopped, typing does not start. */
	begin();
	terminal_flow(&core, terminal, TERMINAL_FLOW_OUT_OFF);
	end();
	type("\x11");
	EXPECT_EQ(write_now(TERMINAL_CALL_WRITE, "x", 1), -E_AGAIN);
	begin();
	terminal_flow(&core, terminal, TERMINAL_FLOW_OUT_ON);
	end();
	EXPECT_EQ(write_now(TERMINAL_CALL_WRITE, "x", 1), 1);
}

TEST(test_minimum_counts_bytes)
{
	make_raw(3, 0);
	unsigned reader = call(TERMINAL_CALL_READ, 100, false);

	type("ab");
	EXPECT(waits(reader));
	EXPECT_EQ(terminal_due(terminal), 0);
	type("c");
	EXPECT(got(reader, "abc"));
	/* Fewer are wanted than the minimum. */
	reader = call(TERMINAL_CALL_READ, 2, false);
	type("de");
	EXPECT(got(reader, "de"));
}

TEST(test_time_alone_limits_the_wait)
{
	make_raw(0, 5);
	unsigned reader = call(TERMINAL_CALL_READ, 100, false);

	EXPECT_EQ(terminal_due(terminal), now_ns + 500000000);
	time_passes(499999999);
	EXPECT(waits(reader));
	time_passes(1);
	EXPECT(got(reader, ""));
	EXPECT_EQ(terminal_due(terminal), 0);
	make_raw(0, 0);
	EXPECT(got(call(TERMINAL_CALL_READ, 100, false), ""));
}

TEST(test_time_between_bytes_starts_with_the_first)
{
	make_raw(5, 5);
	unsigned reader = call(TERMINAL_CALL_READ, 100, false);

	EXPECT_EQ(terminal_due(terminal), 0);
	time_passes(10000000000);
	EXPECT(waits(reader));
	type("a");
	time_passes(400000000);
	type("b");
	time_passes(400000000);
	EXPECT(waits(reader));
	time_passes(100000000);
	EXPECT(got(reader, "ab"));
}

TEST(test_the_next_reader_gets_its_own_timer)
{
	make_raw(0, 1);
	unsigned first = call(TERMINAL_CALL_READ, 100, false);
	unsigned second = call(TERMINAL_CALL_READ, 100, false);

	time_passes(100000000);
	EXPECT(got(first, ""));
	EXPECT(waits(second));
	EXPECT_EQ(terminal_due(terminal), now_ns + 100000000);
	time_passes(100000000);
	EXPECT(got(second, ""));
}

TEST(test_a_cancelled_call_leaves_nothing)
{
	make_raw(3, 0);
	unsigned reader = call(TERMINAL_CALL_READ, 100, false);
	struct terminal_call id = { reader, next_order };

	begin();
	EXPECT(terminal_cancel(&core, terminal, id));
	end();
	EXPECT_EQ(answers[reader].error, E_INTR);
	begin();
	EXPECT(!terminal_cancel(&core, terminal, id));
	end();
	/* What has come is not lost. */
	reader = call(TERMINAL_CALL_READ, 100, false);
	type("ab");
	id = (struct terminal_call){ reader, next_order };
	begin();
	EXPECT(terminal_cancel(&core, terminal, id));
	end();
	EXPECT(got(reader, "ab"));
}

TEST(test_a_hang_up_ends_all_calls_of_before)
{
	static uint8_t text[TERMINAL_OUTPUT];
	unsigned readers[40];

	make(0);
	for (unsigned i = 0; i < 40; i++)
		readers[i] = call(TERMINAL_CALL_READ, 100, false);
	call_write(TERMINAL_CALL_WRITE, text, sizeof(text), false);
	unsigned writer = call_write(TERMINAL_CALL_WRITE, "x", 1, false);
	unsigned drain = call(TERMINAL_CALL_DRAIN, 0, false);
	begin();
	terminal_hang_up(&core, terminal);
	end();
	EXPECT(again_count > 0);
	serve_again();
	for (unsigned i = 0; i < 40; i++)
		EXPECT(got(readers[i], ""));
	EXPECT_EQ(answers[writer].error, E_IO);
	EXPECT_EQ(answers[drain].error, E_IO);
	EXPECT(waits(call(TERMINAL_CALL_READ, 100, false)));
}

TEST(test_the_end_of_input_comes_after_the_input)
{
	make(0);
	type("one\ntw");
	begin();
	terminal_input_end(&core, terminal);
	end();
	EXPECT(got(call(TERMINAL_CALL_READ, 100, false), "one\n"));
	EXPECT(got(call(TERMINAL_CALL_READ, 100, false), "tw"));
	EXPECT(got(call(TERMINAL_CALL_READ, 100, false), ""));
}

TEST(test_a_drain_waits_and_then_sets_modes)
{
	struct terminal_waiter request = {
		.call = { 63, 1000 }, .kind = TERMINAL_CALL_DRAIN,
		.action = TERMINAL_AFTER_FLUSH,
	};
	uint64_t value;

	make(0);
	request.modes = terminal->modes;
	request.modes.local &= ~MODE_ECHO;
	write_now(TERMINAL_CALL_WRITE, "x", 1);
	type("lost\n");
	begin();
	EXPECT_EQ(terminal_request(&core, terminal, &request, &value),
	    TERMINAL_PARKED);
	end();
	EXPECT(has_local(terminal, MODE_ECHO));
	drained();
	EXPECT(answers[63].given);
	EXPECT(!has_local(terminal, MODE_ECHO));
	EXPECT_EQ(read_now(TERMINAL_CALL_READ, windows[0], 10), -E_AGAIN);
}

TEST(test_a_window_that_cannot_be_reached_changes_nothing)
{
	make(0);
	type("abc\n");
	drained();
	faulty = true;
	EXPECT_EQ(read_now(TERMINAL_CALL_READ, windows[0], 10), -E_FAULT);
	EXPECT_EQ(write_now(TERMINAL_CALL_WRITE, "x", 1), -E_FAULT);
	faulty = false;
	EXPECT(got(call(TERMINAL_CALL_READ, 10, false), "abc\n"));
	EXPECT(strcmp(drained(), "") == 0);
}

TEST(test_a_master_sees_the_end_after_the_output)
{
	make(1);
	write_now(TERMINAL_CALL_WRITE, "last", 4);
	begin();
	terminal_count(&core, terminal, false, -1);
	end();
	EXPECT(got(call(TERMINAL_CALL_MASTER_READ, 10, false), "last"));
	EXPECT_EQ(read_now(TERMINAL_CALL_MASTER_READ, windows[0], 10), -E_IO);
	EXPECT_EQ(write_now(TERMINAL_CALL_MASTER_WRITE, "x", 1), -E_IO);
	begin();
	terminal_count(&core, terminal, false, 1);
	end();
	EXPECT(waits(call(TERMINAL_CALL_MASTER_READ, 10, false)));
}

TEST(test_an_aborted_request_changes_nothing)
{
	static struct terminal before;

	make(0);
	type("abc\x7f");
	before = *terminal;
	begin();
	terminal_input(&core, terminal, (const uint8_t *)"xyz\x15\n\x03q", 7);
	terminal_set_size(&core, terminal, 1, 2);
	terminal_hang_up(&core, terminal);
	tx_abort(arena);
	EXPECT(memcmp(&before, terminal, sizeof(before)) == 0);
}

/* Else one write keeps the service busy for seconds, and that for all. */
TEST(test_a_long_line_is_not_shown_again_without_room)
{
	static char line[3901], again[4096];
	clock_t start = clock();

	make(0);
	memset(line, 'a', sizeof(line) - 1);
	memset(again, 'R' & 0x1f, sizeof(again) - 1);
	type(line);
	for (unsigned i = 0; i < 50; i++)
		type(again);
	EXPECT(clock() - start < CLOCKS_PER_SEC);
}

TEST_MAIN(0)
