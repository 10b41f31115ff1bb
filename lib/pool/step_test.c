/* SPDX-License-Identifier: MIT */
/*
 * Two that use a pool at once, in the orders that matter and chance does not
 * find: one runs an instruction at a time, and after each of them in turn the
 * other does all it has to do (lib/test/step.h).
 */
#include <lib/pool/pool.h>

#include <string.h>
#include <sys/mman.h>

#include <lib/test/ktap.h>
#include <lib/test/step.h>

#define BUFFERS	3u
#define LANE	1u

static struct pool_config config = {
	.layout = { .class = { { 64, BUFFERS } }, .classes = 1 },
	.lanes = 2,
	.node = POOL_ANY_NODE,
};

static struct shared {		/* by both, with the pool behind */
	uint32_t buffer;
	status_t status;
	uint32_t count;		/* of what the one gave back */
	uint32_t held[2];	/* by the other */
	uint32_t others;	/* of what the other gave back */
	uint8_t	 memory[8192] __attribute__((aligned(64)));
	uint8_t	 bytes[BUFFERS * 64] __attribute__((aligned(64)));
} *shared;
static struct pool *pool;

static void
fresh(void)
{
	if (shared == NULL)
		shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	shared->count = shared->others = 0;
	config.shared = shared->bytes;
	EXPECT_EQ(pool_create(shared->memory, sizeof(shared->memory), &config,
	    &pool), OK);
}

/* Acts after instruction 1, 2 ... until the body is over before that. */
static void
at_each(void (*set_up)(void), void (*body)(void *), void (*other)(void),
    void (*check)(void))
{
	bool acted = true;
	uint64_t when;

	for (when = 1; acted && !ktap_state.failed; when++) {
		fresh();
		set_up();
		enum step_end end = step_act(body, when, other, &acted);
		if (end == STEP_IMPOSSIBLE)
			KTAP_SKIP("single steps are not allowed here");
		EXPECT_EQ(end, STEP_OK);
		if (acted)
			check();
		EXPECT(pool_ok(pool));
	}
	printf("# %u places\n", (unsigned)when);
	EXPECT(when > 10);
}

static void
nothing(void)
{
}

static void
body_allocate(void *context)
{
	shared->status = pool_allocate(pool, 1, &shared->buffer);
}

/* Takes the first two and puts the first back: the stack begins as before. */
static void
act_a_b_a(void)
{
	EXPECT_EQ(pool_allocate(pool, 1, &shared->held[0]), OK);
	EXPECT_EQ(pool_allocate(pool, 1, &shared->held[1]), OK);
	EXPECT_EQ(pool_release(pool, shared->held[0]), OK);
}

static void
check_apart(void)
{
	uint32_t last;

	EXPECT_EQ(shared->status, OK);
	EXPECT(shared->buffer != shared->held[1]);
	EXPECT_EQ(pool_allocate(pool, 1, &last), OK);
	EXPECT(last != shared->buffer && last != shared->held[1]);
	EXPECT_EQ(pool_allocate(pool, 1, &last), ERR_FULL);
}

TEST(test_allocate_interrupted_anywhere_never_gives_what_another_holds)
{
	at_each(nothing, body_allocate, act_a_b_a, check_apart);
}

static void
set_up_held(void)
{
	EXPECT_EQ(pool_allocate(pool, 1, &shared->buffer), OK);
}

static void
body_release(void *context)
{
	shared->status = pool_release(pool, shared->buffer);
}

static void
check_none_lost(void)
{
	uint32_t last;

	EXPECT_EQ(shared->status, OK);
	for (unsigned i = 0; i < BUFFERS - 1; i++)
		EXPECT_EQ(pool_allocate(pool, 1, &last), OK);
	EXPECT_EQ(pool_allocate(pool, 1, &last), ERR_FULL);
}

TEST(test_release_interrupted_anywhere_loses_no_buffer)
{
	at_each(set_up_held, body_release, act_a_b_a, check_none_lost);
}

static void
set_up_lent(void)
{
	for (unsigned i = 0; i < BUFFERS; i++) {
		EXPECT_EQ(pool_allocate(pool, 1, &shared->buffer), OK);
		EXPECT_EQ(pool_lend(pool, LANE, shared->buffer), OK);
		EXPECT_EQ(pool_release(pool, shared->buffer), OK);
	}
}

static void
body_return(void *context)
{
	shared->count = pool_return(pool, LANE, 1) == OK;
}

static void
act_reclaim(void)
{
	shared->others = pool_reclaim(pool, LANE);
}

static void
check_once(void)
{
	uint32_t last;

	EXPECT_EQ(shared->count + shared->others, BUFFERS);
	for (unsigned i = 0; i < BUFFERS; i++)
		EXPECT_EQ(pool_allocate(pool, 1, &last), OK);
	EXPECT_EQ(pool_allocate(pool, 1, &last), ERR_FULL);
}

TEST(test_return_interrupted_by_a_reclaim_gives_back_once)
{
	at_each(set_up_lent, body_return, act_reclaim, check_once);
}

static void
body_reclaim(void *context)
{
	shared->count = pool_reclaim(pool, LANE);
}

static void
act_return(void)
{
	shared->others = 0;
	for (uint32_t i = 0; i < BUFFERS; i++)
		shared->others += pool_return(pool, LANE, i) == OK;
}

TEST(test_reclaim_interrupted_by_returns_gives_back_once)
{
	at_each(set_up_lent, body_reclaim, act_return, check_once);
}

TEST_MAIN(0)
