/* SPDX-License-Identifier: MIT */
/* Threads of one owner: made for the thread sanitizer, true without it. */
#include <lib/pool/pool.h>

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include <lib/test/ktap.h>

#define PAIRS	2u
#define THREADS	(2 * PAIRS)
#define ROUNDS	20000u
#define BUFFERS	12u		/* few, so that they run out */
#define SIZE	64u
#define WORDS	(SIZE / 8)
#define MAIL	4u

static struct pool_config config = {
	.layout = { .class = { { SIZE, BUFFERS } }, .classes = 1 },
	.lanes = PAIRS,
	.node = POOL_ANY_NODE,
};
static struct pool *pool;

static void
fresh(void)
{
	size_t size = (pool_size(&config) + 63) & ~(size_t)63;

	config.shared = aligned_alloc(64, pool_layout_size(&config.layout));
	EXPECT_EQ(pool_create(aligned_alloc(64, size), size, &config, &pool),
	    OK);
}

static void
finish(void)
{
	struct pool_counters counters;

	pool_counters(pool, &counters);
	EXPECT_EQ(counters.allocated, counters.freed);
	EXPECT_EQ(counters.lies, 0);
	EXPECT(pool_ok(pool));
	free(pool);
	free(config.shared);
}

static uint64_t
in_threads(void *(*run)(void *number))
{
	pthread_t thread[THREADS];
	uint64_t sum = 0;

	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, run, (void *)i);
	for (unsigned i = 0; i < THREADS; i++) {
		void *result;

		pthread_join(thread[i], &result);
		sum += (uintptr_t)result;
	}
	return sum;
}

/* From a sender to its receiver: buffer + 1, or 0. */
static uint32_t mail[PAIRS][MAIL];
static unsigned done[PAIRS];	/* rounds that the receiver is through with */

static uint64_t
content(uint32_t lane, unsigned round)
{
	return (uint64_t)lane << 32 | round;
}

static void
send_one(uint32_t lane, unsigned round)
{
	uint32_t *place = &mail[lane][round % MAIL];
	uint32_t buffer;

	while (__atomic_load_n(place, __ATOMIC_ACQUIRE) != 0)
		sched_yield();
	while (pool_allocate(pool, SIZE, &buffer) != OK)
		sched_yield();
	/*
	 * In words: the sanitizer sees no memset that the compiler writes out,
	 * and forgets who read a byte when its seven neighbours are read too.
	 */
	uint64_t *data = pool_data(pool, buffer);
	for (unsigned i = 0; i < WORDS; i++)
		data[i] = content(lane, round);
	EXPECT_EQ(pool_lend(pool, lane, buffer), OK);
	__atomic_store_n(place, buffer + 1, __ATOMIC_RELEASE);
	/*
	 * Now and then behind the receiver, so that this is the last reference;
	 * without any order but that of the references.
	 */
	while (round % 8 == 0 && __atomic_load_n(&done[lane],
	    __ATOMIC_RELAXED) <= round)
		sched_yield();
	EXPECT_EQ(pool_release(pool, buffer), OK);
}

static uint64_t
receive_one(uint32_t lane, unsigned round)
{
	uint32_t *place = &mail[lane][round % MAIL];
	uint32_t buffer;
	uint64_t broken = 0;

	while ((buffer = __atomic_load_n(place, __ATOMIC_ACQUIRE)) == 0)
		sched_yield();
	__atomic_store_n(place, 0, __ATOMIC_RELEASE);
	const uint64_t *data = pool_data(pool, buffer - 1);
	for (unsigned i = 0; i < WORDS; i++)
		broken += data[i] != content(lane, round);
	broken += pool_return(pool, lane, buffer - 1) != OK;
	__atomic_store_n(&done[lane], round + 1, __ATOMIC_RELAXED);
	return broken;
}

static void *
run_lanes(void *number)
{
	uint32_t lane = (uint32_t)(uintptr_t)number / 2;
	uint64_t broken = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		if ((uintptr_t)number % 2 == 0)
			send_one(lane, round);
		else
			broken += receive_one(lane, round);
	}
	return (void *)(uintptr_t)broken;
}

TEST(test_no_buffer_is_reused_while_a_lane_holds_it)
{
	fresh();
	EXPECT_EQ(in_threads(run_lanes), 0);
	finish();
}

/* Two at a time, so that the stack is the same and yet another: A, B, A. */
static uint32_t holder[BUFFERS];

static void *
run_allocate(void *number)
{
	uint32_t mine = (uint32_t)(uintptr_t)number + 1, buffer[2];
	uint64_t broken = 0;

	for (unsigned round = 0; round < 10 * ROUNDS; round++) {
		for (unsigned i = 0; i < 2; i++) {
			while (pool_allocate(pool, SIZE, &buffer[i]) != OK)
				sched_yield();
			broken += __atomic_exchange_n(&holder[buffer[i]], mine,
			    __ATOMIC_RELAXED) != 0;
		}
		for (unsigned i = 0; i < 2; i++) {
			broken += __atomic_exchange_n(&holder[buffer[i]], 0,
			    __ATOMIC_RELAXED) != mine;
			broken += pool_release(pool, buffer[i]) != OK;
		}
		if (broken != 0)
			break;
	}
	return (void *)(uintptr_t)broken;
}

TEST(test_no_two_threads_hold_the_same_buffer)
{
	fresh();
	EXPECT_EQ(in_threads(run_allocate), 0);
	finish();
}

/* All give back the same buffers at once: each succeeds for one of them. */
static pthread_barrier_t barrier;

static void *
run_return(void *number)
{
	uint64_t given = 0;

	for (unsigned round = 0; round < ROUNDS / 10; round++) {
		if (number == NULL) {
			for (uint32_t i = 0; i < BUFFERS; i++) {
				uint32_t buffer;

				EXPECT_EQ(pool_allocate(pool, 1, &buffer), OK);
				EXPECT_EQ(pool_lend(pool, 1, buffer), OK);
				EXPECT_EQ(pool_release(pool, buffer), OK);
			}
		}
		pthread_barrier_wait(&barrier);
		for (uint32_t i = 0; i < BUFFERS; i++) {
			if (number == NULL && i == BUFFERS / 2)
				given += pool_reclaim(pool, 1);
			else if (number != NULL)
				given += pool_return(pool, 1, i) == OK;
		}
		pthread_barrier_wait(&barrier);
	}
	return (void *)(uintptr_t)given;
}

TEST(test_each_lent_buffer_comes_back_once_however_many_return_it)
{
	struct pool_counters counters;

	fresh();
	pthread_barrier_init(&barrier, NULL, THREADS);
	EXPECT_EQ(in_threads(run_return), (uint64_t)ROUNDS / 10 * BUFFERS);
	pthread_barrier_destroy(&barrier);
	pool_counters(pool, &counters);
	EXPECT_EQ(counters.allocated, counters.freed);
	EXPECT(pool_ok(pool));
	free(pool);
	free(config.shared);
}

TEST_MAIN(0)
