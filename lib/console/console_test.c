/* SPDX-License-Identifier: MIT */
/*
 * The law of the console: each stream arrives at the other side exactly as it
 * was written, and each call is answered once, wherever the console is killed.
 */
#include <ktap.h>
#include <lib/console/console_host.h>

/* The clients of the log: each finds its bytes in its own order. */
static bool
log_is_right(void)
{
	uint32_t at[CLIENTS] = { 0 };
	const struct stream *stream = &world.streams[3];

	for (size_t i = 0; i < stream->length; i++) {
		unsigned client = stream->data[i] >> 5;

		if (client < 3 || client >= CLIENTS - READERS ||
		    world.client[client].data[at[client]++] != stream->data[i])
			return false;
	}
	for (unsigned i = 3; i < CLIENTS - READERS; i++) {
		if (at[i] != world.client[i].total)
			return false;
	}
	return true;
}

/* Two readers share the input: together they have all of it. */
static bool
input_is_right(void)
{
	const struct client *a = &world.client[6], *b = &world.client[7];
	uint32_t count[2][256] = { 0 };

	if (a->position + b->position != world.source_length)
		return false;
	for (size_t i = 0; i < world.source_length; i++)
		count[0][world.source[i]]++;
	for (size_t i = 0; i < a->position; i++)
		count[1][a->data[i]]++;
	for (size_t i = 0; i < b->position; i++)
		count[1][b->data[i]]++;
	if (memcmp(count[0], count[1], sizeof(count[0])) != 0)
		return false;
	return b->position > 0 ||
	    memcmp(a->data, world.source, world.source_length) == 0;
}

static bool
world_is_right(void)
{
	bool right = true;

	if (world.broken != NULL)
		printf("# %s\n", world.broken);
	right &= KTAP_CHECK(world.broken == NULL);
	for (unsigned i = 0; i < 3; i++) {
		right &= KTAP_EQUAL(world.streams[i].length,
		    world.client[i].total);
		right &= KTAP_CHECK(memcmp(world.streams[i].data,
		    world.client[i].data, world.client[i].total) == 0);
	}
	right &= KTAP_CHECK(log_is_right());
	right &= KTAP_CHECK(input_is_right());
	right &= KTAP_CHECK(asked.broken == NULL);
	right &= KTAP_EQUAL(asked.answers, asked.commands);
	if (world.kills == 0)
		right &= KTAP_EQUAL(asked.interruptions, 0);
	right &= KTAP_EQUAL(world.exits, 1);
	right &= KTAP_EQUAL(world.exit_status, 137);
	for (unsigned i = 0; i <= CLIENTS; i++)
		right &= KTAP_EQUAL(world.client[i].answers,
		    world.client[i].calls);
	return right;
}

static void
test_streams_arrive_as_written(void)
{
	for (uint64_t seed = 1; seed <= 12; seed++) {
		world_make(seed, 20000, 60);
		world_run();
		KTAP_REQUIRE(world_is_right());
		KTAP_EQUAL(world.hellos, 1);
		KTAP_EQUAL(world.duplicates, 0);
	}
}

/* Restarts let the host send more than there is room for. */
static void
test_full_ring_holds_input_back(void)
{
	for (uint64_t seed = 1; seed <= 8; seed++) {
		world_make(seed, 20000, 200);
		world.kill_one_in = 2000;
		world.reader_one_in = 500;
		world_run();
		KTAP_REQUIRE(world_is_right());
	}
}

/* One reader: the order counts too. */
static void
test_input_keeps_its_order(void)
{
	for (uint64_t seed = 1; seed <= 30; seed++) {
		world_make(seed, 2000, 60);
		world.client[7].finished = true;
		world.kill_one_in = 3000;
		world_run();
		KTAP_REQUIRE(world_is_right());
	}
}

static void
test_kill_at_each_step_loses_and_repeats_nothing(void)
{
	uint64_t steps = 1;

	for (uint64_t at = 1; at <= steps; at += 1 + steps / 4000) {
		world_make(7, 300, 3);
		world.kill_at = at;
		world_run();
		steps = world.steps;
		if (!world_is_right()) {
			printf("# killed at step %llu\n",
			    (unsigned long long)at);
			return;
		}
	}
	KTAP_CHECK(steps > 1000);
}

static void
test_random_kills_lose_and_repeat_nothing(void)
{
	uint64_t kills = 0;

	for (uint64_t seed = 1; kills < 12000; seed++) {
		world_make(seed, 6000, 30);
		world.kill_one_in = 1000 + (uint32_t)(seed % 7) * 400;
		world_run();
		kills += world.kills;
		if (!world_is_right()) {
			printf("# seed %llu\n", (unsigned long long)seed);
			return;
		}
	}
	printf("# %llu kills\n", (unsigned long long)kills);
}

static void
terminal_make(uint64_t seed, uint32_t bytes, unsigned input_frames)
{
	world_make(seed, bytes, input_frames);
	world.terminal = true;
	world.client[7].finished = true;
}

static void
test_a_terminal_loses_and_repeats_nothing(void)
{
	uint64_t kills = 0;

	for (uint64_t seed = 1; kills < 3000; seed++) {
		terminal_make(seed, 6000, 30);
		world.kill_one_in = seed < 8 ? 0 :
		    4000 + (uint32_t)(seed % 7) * 400;
		world_run();
		kills += world.kills;
		if (!world_is_right() ||
		    !KTAP_EQUAL(world.seen_size, world.sent_size)) {
			printf("# seed %llu\n", (unsigned long long)seed);
			return;
		}
	}
	printf("# %llu kills\n", (unsigned long long)kills);
}

static void
test_a_terminal_killed_at_each_step_loses_nothing(void)
{
	uint64_t steps = 1;

	for (uint64_t at = 1; at <= steps; at += 1 + steps / 2000) {
		terminal_make(7, 300, 3);
		world.kill_at = at;
		world_run();
		steps = world.steps;
		if (!world_is_right()) {
			printf("# killed at step %llu\n",
			    (unsigned long long)at);
			return;
		}
	}
}

/* -- more waiting calls than one transaction can answer -- */

static unsigned crowd_answers, crowd_again;

static uint8_t
crowd_in(void *context, unsigned offset)
{
	(void)context;
	return offset == UART_LINE_STATUS ? UART_STATUS_ROOM :
	    UART_CAUSE_NONE;
}

static status_t
crowd_copy_in(void *context, struct console_call call, uint64_t offset,
    void *to, size_t length)
{
	(void)context;
	(void)offset;
	memset(to, 0, length);
	return call.order == 1 ? OK : ERR_GONE;
}

static void
crowd_answer(void *context, struct console_call call, uint64_t error,
    uint64_t value)
{
	(void)context;
	(void)call;
	(void)error;
	(void)value;
	crowd_answers++;
}

static void
crowd_asks_again(void *context)
{
	(void)context;
	crowd_again = 1;
}

/* Returns the answers of all pumps; none may have too many. */
static unsigned
crowd_pump(struct console_line *crowd)
{
	unsigned total = 0;

	do {
		crowd_answers = crowd_again = 0;
		tx_begin(arena);
		console_pump(crowd);
		tx_commit(arena);
		KTAP_CHECK(crowd_answers <= CONSOLE_ANSWERS);
		total += crowd_answers;
	} while (crowd_again);
	return total;
}

static void
crowd_start(struct console_line *crowd, struct console_port *its)
{
	*its = port;
	its->in = crowd_in;
	its->copy_in = crowd_copy_in;
	its->answer = crowd_answer;
	its->again = crowd_asks_again;
	world_make(1, 1, 1);
	incarnation_start();
	console_open(crowd, &root->console, arena, its, 1);
}

static void
test_end_of_input_answers_a_crowd_of_readers(void)
{
	struct console_line crowd;
	struct console_port its;
	uint64_t value;

	crowd_start(&crowd, &its);
	for (unsigned i = 0; i < CONSOLE_READERS; i++) {
		tx_begin(arena);
		KTAP_EQUAL(console_read(&crowd, (struct console_call){ i, i +
		    1 }, 1, &value), CONSOLE_PARKED);
		tx_commit(arena);
	}
	tx_begin(arena);
	KTAP_EQUAL(tx_add(arena, &root->console.end,
	    sizeof(root->console.end)), OK);
	root->console.end = 1;
	tx_commit(arena);
	KTAP_EQUAL(crowd_pump(&crowd), CONSOLE_READERS);
	KTAP_CHECK(console_ok(&root->console));
}

static void
test_a_crowd_of_dead_writers_is_answered(void)
{
	struct console_line crowd;
	struct console_port its;
	uint64_t value;

	crowd_start(&crowd, &its);
	/* The first is alive and has its bytes in the frame at once. */
	for (unsigned i = 0; i < CONSOLE_CALLS; i++) {
		tx_begin(arena);
		console_write(&crowd, (struct console_call){ i, i + 1 },
		    FRAME_OUT, 1, &value);
		tx_commit(arena);
	}
	KTAP_EQUAL(crowd_pump(&crowd), CONSOLE_CALLS - 1);
	KTAP_CHECK(console_ok(&root->console));
}

int
main(void)
{
	static const struct ktap_test tests[] = {
		KTAP_TEST(test_streams_arrive_as_written),
		KTAP_TEST(test_full_ring_holds_input_back),
		KTAP_TEST(test_input_keeps_its_order),
		KTAP_TEST(test_kill_at_each_step_loses_and_repeats_nothing),
		KTAP_TEST(test_random_kills_lose_and_repeat_nothing),
		KTAP_TEST(test_a_terminal_loses_and_repeats_nothing),
		KTAP_TEST(test_a_terminal_killed_at_each_step_loses_nothing),
		KTAP_TEST(test_end_of_input_answers_a_crowd_of_readers),
		KTAP_TEST(test_a_crowd_of_dead_writers_is_answered),
	};
	int result = KTAP_RUN(tests);

	free(world.input);
	return result;
}
