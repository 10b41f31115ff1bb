/* SPDX-License-Identifier: MIT */
/*
 * The explorer itself: small programs of which it is known what weak memory
 * allows. What is allowed must be found, what is not must not.
 */
#define RING_EXPLORED
#include <lib/ring/atomic.h>
#include <lib/test/interleave.h>
#include <lib/test/ktap.h>

#include <stdio.h>

static uint32_t x, y, data, flag;
static uint64_t counter;

static struct {
	uint32_t r[4];
} world;

static int order_write, order_read, order_fence;
static uint64_t outcomes;	/* a bit per r[0] + 4 * r[1] */

static void
start(void)
{
	x = y = data = flag = 0;
	counter = 0;
	world.r[0] = world.r[1] = 0;
}

static void
note_outcome(void)
{
	outcomes |= 1ul << (world.r[0] + 4 * world.r[1]);
}

static const char *
explore(struct interleave_program program)
{
	struct interleave_result result;

	program.name = "litmus";
	program.threads = program.body[2] != NULL ? 3 : 2;
	program.start = start;
	program.world = &world;
	program.world_size = sizeof(world);
	outcomes = 0;
	result = interleave_run(&program);
	if (result.failure == NULL)
		EXPECT(result.ends > 0);
	return result.failure;
}

#define OUTCOME(r0, r1)	(1ul << ((r0) + 4 * (r1)))

static void
store_x_load_y(void)
{
	ring_store(&x, 1, RING_RELAXED);
	if (order_fence != RING_RELAXED)
		ring_fence(order_fence);
	world.r[0] = ring_load(&y, RING_RELAXED);
}

static void
store_y_load_x(void)
{
	ring_store(&y, 1, RING_RELAXED);
	if (order_fence != RING_RELAXED)
		ring_fence(order_fence);
	world.r[1] = ring_load(&x, RING_RELAXED);
}

TEST(test_only_a_full_fence_orders_a_store_before_a_load)
{
	static const int orders[] = {
		RING_RELAXED, __ATOMIC_ACQ_REL, RING_FULL,
	};

	for (unsigned i = 0; i < 3; i++) {
		order_fence = orders[i];
		EXPECT(explore((struct interleave_program){
		    .body = { store_x_load_y, store_y_load_x },
		    .check = note_outcome }) == NULL);
		EXPECT_EQ(outcomes & OUTCOME(0, 0),
		    order_fence == RING_FULL ? 0 : OUTCOME(0, 0));
		EXPECT_EQ(outcomes | OUTCOME(0, 0), OUTCOME(0, 0) |
		    OUTCOME(0, 1) | OUTCOME(1, 0) | OUTCOME(1, 1));
	}
}

static void
write_x_then_y(void)
{
	ring_store(&x, 1, RING_RELAXED);
	if (order_fence == RING_RELEASE)
		ring_fence(RING_RELEASE);
	ring_store(&y, 1, order_write);
}

static void
read_y_then_x(void)
{
	world.r[0] = ring_load(&y, order_read);
	if (order_fence == RING_ACQUIRE)
		ring_fence(RING_ACQUIRE);
	world.r[1] = ring_load(&x, RING_RELAXED);
}

static uint64_t
message_passing(int write, int read, int fence)
{
	order_write = write;
	order_read = read;
	order_fence = fence;
	EXPECT(explore((struct interleave_program){
	    .body = { write_x_then_y, read_y_then_x },
	    .check = note_outcome }) == NULL);
	EXPECT((outcomes & OUTCOME(1, 1)) != 0);
	return outcomes & OUTCOME(1, 0);
}

TEST(test_a_message_needs_release_and_acquire)
{
	EXPECT(message_passing(RING_RELAXED, RING_RELAXED, 0) != 0);
	EXPECT(message_passing(RING_RELEASE, RING_RELAXED, 0) != 0);
	EXPECT(message_passing(RING_RELAXED, RING_ACQUIRE, 0) != 0);
	EXPECT_EQ(message_passing(RING_RELEASE, RING_ACQUIRE, 0), 0);
	EXPECT_EQ(message_passing(RING_RELAXED, RING_ACQUIRE, RING_RELEASE), 0);
	EXPECT_EQ(message_passing(RING_RELEASE, RING_RELAXED, RING_ACQUIRE), 0);
}

static void
write_1_then_2(void)
{
	ring_store(&x, 1, RING_RELAXED);
	ring_store(&y, 2, RING_RELAXED);
}

static void
write_2_then_1(void)
{
	ring_store(&y, 1, RING_RELAXED);
	ring_store(&x, 2, RING_RELAXED);
}

static void
note_last_writes(void)
{
	world.r[0] = ring_load(&x, RING_RELAXED);
	world.r[1] = ring_load(&y, RING_RELAXED);
	note_outcome();
}

TEST(test_relaxed_stores_of_two_may_settle_in_any_order)
{
	EXPECT(explore((struct interleave_program){
	    .body = { write_1_then_2, write_2_then_1 },
	    .check = note_last_writes }) == NULL);
	EXPECT_EQ(outcomes, OUTCOME(1, 1) | OUTCOME(1, 2) | OUTCOME(2, 1) |
	    OUTCOME(2, 2));
}

static void
read_x_twice(void)
{
	world.r[0] = ring_load(&x, RING_RELAXED);
	world.r[1] = ring_load(&x, RING_RELAXED);
}

TEST(test_one_place_never_goes_back)
{
	EXPECT(explore((struct interleave_program){
	    .body = { write_1_then_2, read_x_twice },
	    .check = note_outcome }) == NULL);
	EXPECT_EQ(outcomes, OUTCOME(0, 0) | OUTCOME(0, 1) | OUTCOME(1, 1));
}

static void
add_one(void)
{
	uint64_t found = ring_load(&counter, RING_RELAXED);

	while (!ring_swap_if(&counter, &found, found + 1, RING_RELAXED))
		;
}

static void
expect_three(void)
{
	INTERLEAVE_EXPECT(ring_load(&counter, RING_RELAXED) == 3);
}

static void
set_bit(void)
{
	(void)ring_or(&x, 1, RING_RELAXED);
}

static void
set_other_bit(void)
{
	(void)ring_or(&x, 2, RING_RELAXED);
}

static void
expect_both_bits(void)
{
	INTERLEAVE_EXPECT(ring_load(&x, RING_RELAXED) == 3);
}

TEST(test_updates_are_whole)
{
	EXPECT(explore((struct interleave_program){
	    .body = { set_bit, set_other_bit },
	    .check = expect_both_bits }) == NULL);
	EXPECT(explore((struct interleave_program){
	    .body = { add_one, add_one, add_one },
	    .check = expect_three }) == NULL);
}

static void
put_data(void)
{
	ring_put(&data, 7);
	ring_store(&flag, 1, order_write);
}

static void
get_data(void)
{
	if (ring_load(&flag, order_read) == 1)
		INTERLEAVE_EXPECT(ring_get(&data) == 7);
}

static void
use_then_give_back(void)
{
	(void)ring_get(&data);
	ring_store(&flag, 1, order_write);
}

static void
reuse(void)
{
	if (ring_load(&flag, order_read) == 1)
		ring_put(&data, 8);
}

TEST(test_data_that_is_not_ordered_is_a_race)
{
	for (unsigned i = 0; i < 4; i++) {
		order_write = i & 1 ? RING_RELEASE : RING_RELAXED;
		order_read = i & 2 ? RING_ACQUIRE : RING_RELAXED;
		EXPECT_EQ(explore((struct interleave_program){
		    .body = { put_data, get_data } }) == NULL, i == 3);
		/* A load that is passed by a later store is found this way. */
		EXPECT_EQ(explore((struct interleave_program){
		    .body = { use_then_give_back, reuse } }) == NULL, i == 3);
	}
}

static void
give_back_too_early(void)
{
	(void)ring_get(&data);
	ring_store(&flag, 1, RING_RELEASE);
	(void)ring_get(&data);
}

TEST(test_a_read_behind_the_release_is_a_race)
{
	order_read = RING_ACQUIRE;
	EXPECT(explore((struct interleave_program){
	    .body = { give_back_too_early, reuse } }) != NULL);
}

static void
wait_for_flag(void)
{
	while (ring_load(&flag, RING_RELAXED) == 0) {
		ring_store(&x, 1, RING_RELAXED);
		if (order_fence == RING_FULL)
			ring_fence(RING_FULL);
		if (ring_load(&flag, RING_RELAXED) == 0)
			interleave_sleep(&x, 1);
	}
}

static void
raise_flag(void)
{
	ring_store(&flag, 1, RING_RELAXED);
	if (order_fence == RING_FULL)
		ring_fence(RING_FULL);
	if (ring_load(&x, RING_RELAXED) == 1) {
		ring_store(&x, 0, RING_RELAXED);
		interleave_wake(&x);
	}
}

TEST(test_a_lost_wake_up_is_found)
{
	order_fence = RING_FULL;
	EXPECT(explore((struct interleave_program){
	    .body = { wait_for_flag, raise_flag } }) == NULL);
	order_fence = RING_RELAXED;
	EXPECT(explore((struct interleave_program){
	    .body = { wait_for_flag, raise_flag } }) != NULL);
}

/* Who died between the two: the flag is down, and nobody was woken. */
static void
raise_flag_and_wake(void)
{
	raise_flag();
	interleave_wake(&x);
}

static void
raise_nothing(void)
{
}

TEST(test_a_death_before_the_wake_up_is_found)
{
	struct interleave_program program = {
		.body = { wait_for_flag, raise_flag },
		.again = { NULL, raise_flag }, .deaths = 1,
	};

	order_fence = RING_FULL;
	EXPECT(explore(program) != NULL);
	program.again[1] = raise_nothing;
	EXPECT(explore(program) != NULL);
	program.again[1] = NULL;
	EXPECT(explore(program) == NULL);
	program.again[1] = raise_flag_and_wake;
	EXPECT(explore(program) == NULL);
}

TEST_MAIN(0)
