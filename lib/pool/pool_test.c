/* SPDX-License-Identifier: MIT */
#include <lib/pool/pool.h>

#include <stdlib.h>
#include <string.h>

#include <lib/test/ktap.h>

#define LANES	5u
#define BUFFERS	(40u + 70u + 6u)
#define STEPS	1000000u
#define HELD	600u		/* references of the owner, at most */

static struct pool_config config = {
	.layout = {
		.class = { { 64, 40 }, { 256, 70 }, { 4096, 6 } },
		.classes = 3,
	},
	.lanes = LANES,
	.node = POOL_ANY_NODE,
};
static struct pool *pool;
static uint64_t seed = 88172645463325252;

static uint32_t
random_below(uint32_t limit)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 20) % limit;
}

static void
fresh(void)
{
	size_t size = pool_size(&config);

	config.shared = aligned_alloc(64, pool_layout_size(&config.layout));
	/* Exactly as large as asked for: the sanitizer guards the end. */
	void *memory = NULL;
	EXPECT_EQ(posix_memalign(&memory, 64, size), 0);
	EXPECT_EQ(pool_create(memory, size, &config, &pool), OK);
	EXPECT(pool_ok(pool));
}

static void
finish(void)
{
	EXPECT(pool_ok(pool));
	free(pool);
	free(config.shared);
}

static uint32_t
allocate(uint32_t size)
{
	uint32_t buffer = UINT32_MAX;

	EXPECT_EQ(pool_allocate(pool, size, &buffer), OK);
	return buffer;
}

static struct pool_counters
counters(void)
{
	struct pool_counters now;

	pool_counters(pool, &now);
	return now;
}

TEST(test_buffers_are_aligned_apart_and_where_readers_look)
{
	uint32_t sizes[] = { 64, 256, 4096 };
	static uint8_t taken[BUFFERS];
	size_t offset;

	fresh();
	for (unsigned i = 0; i < BUFFERS; i++) {
		uint32_t size = sizes[i < 40 ? 0 : i < 110 ? 1 : 2];
		uint32_t buffer = allocate(size);
		uint8_t *data = pool_data(pool, buffer);
		EXPECT(buffer < BUFFERS && !taken[buffer]++);
		EXPECT_EQ((uintptr_t)data % POOL_ALIGNMENT, 0);
		EXPECT_EQ(pool_buffer_size(pool, buffer), size);
		memset(data, (int)buffer, size);
		EXPECT_EQ(pool_layout_find(&config.layout, buffer, size,
		    &offset), OK);
		EXPECT((uint8_t *)config.shared + offset == data);
		EXPECT_EQ(pool_layout_find(&config.layout, buffer, size + 1,
		    &offset), ERR_RANGE);
	}
	for (uint32_t i = 0; i < BUFFERS; i++) {
		uint8_t *data = pool_data(pool, i);
		EXPECT_EQ(data[0], (uint8_t)i);
		EXPECT_EQ(data[pool_buffer_size(pool, i) - 1], (uint8_t)i);
	}
	EXPECT(pool_data(pool, BUFFERS) == NULL);
	EXPECT_EQ(pool_buffer_size(pool, BUFFERS), 0);
	EXPECT_EQ(pool_layout_find(&config.layout, BUFFERS, 0, &offset),
	    ERR_RANGE);
	EXPECT_EQ(pool_layout_find(&config.layout, UINT32_MAX, 0, &offset),
	    ERR_RANGE);
	finish();
}

TEST(test_a_larger_buffer_serves_when_small_ones_are_gone)
{
	uint32_t buffer;

	fresh();
	for (unsigned i = 0; i < 40; i++)
		EXPECT_EQ(pool_buffer_size(pool, allocate(1)), 64);
	for (unsigned i = 0; i < 70; i++)
		EXPECT_EQ(pool_buffer_size(pool, allocate(1)), 256);
	for (unsigned i = 0; i < 6; i++)
		EXPECT_EQ(pool_buffer_size(pool, allocate(65)), 4096);
	EXPECT_EQ(pool_allocate(pool, 1, &buffer), ERR_FULL);
	EXPECT_EQ(pool_allocate(pool, 4097, &buffer), ERR_RANGE);
	EXPECT_EQ(counters().exhausted, 1);
	EXPECT_EQ(pool_release(pool, 3), OK);
	EXPECT_EQ(pool_allocate(pool, 64, &buffer), OK);
	EXPECT_EQ(buffer, 3);
	finish();
}

TEST(test_create_refuses_what_breaks_a_limit)
{
	struct pool_config wrong = config;
	static uint8_t memory[4096] __attribute__((aligned(64)));
	struct pool *made;

	fresh();
	wrong = config;
	EXPECT_EQ(pool_create(memory + 8, 4096, &wrong, &made), ERR_ARG);
	EXPECT_EQ(pool_create(NULL, 4096, &wrong, &made), ERR_ARG);
	EXPECT_EQ(pool_create(memory, pool_size(&config) - 1, &wrong, &made),
	    ERR_RANGE);
	wrong.lanes = POOL_LANES_MAX + 1;
	EXPECT_EQ(pool_size(&wrong), 0);
	EXPECT_EQ(pool_create(memory, 4096, &wrong, &made), ERR_RANGE);
	wrong = config;
	wrong.shared = (uint8_t *)config.shared + 1;
	EXPECT_EQ(pool_create(memory, 4096, &wrong, &made), ERR_ARG);
	struct pool_layout layout = { { { 64, 1 }, { 64, 1 } }, 2 };
	EXPECT_EQ(pool_layout_size(&layout), 0);
	layout = (struct pool_layout){ { { 65, 1 } }, 1 };
	EXPECT_EQ(pool_layout_size(&layout), 0);
	layout = (struct pool_layout){ { { 64, 0 } }, 1 };
	EXPECT_EQ(pool_layout_size(&layout), 0);
	layout = (struct pool_layout){ { { 64, POOL_BUFFERS_MAX },
	    { 128, 1 } }, 2 };
	EXPECT_EQ(pool_layout_size(&layout), 0);
	layout.classes = POOL_CLASSES_MAX + 1;
	EXPECT_EQ(pool_layout_size(&layout), 0);
	finish();
}

static unsigned bound_to;

static status_t
bind(void *context, void *memory, size_t size, unsigned node)
{
	EXPECT(memory == config.shared);
	EXPECT_EQ(size, pool_layout_size(&config.layout));
	bound_to = node;
	return node == 3 ? OK : ERR_NOENT;
}

TEST(test_memory_is_bound_to_the_node_of_the_pool)
{
	config.bind = bind;
	fresh();
	EXPECT_EQ(bound_to, 0);
	finish();
	config.node = 3;
	fresh();
	EXPECT_EQ(bound_to, 3);
	EXPECT_EQ(counters().node, 3);
	config.node = 4;
	struct pool *made;
	EXPECT_EQ(pool_create(pool, pool_size(&config), &config, &made),
	    ERR_NOENT);
	finish();
	config.node = POOL_ANY_NODE;
	config.bind = NULL;
}

TEST(test_writable_copies_only_what_somebody_else_refers_to)
{
	uint32_t same, other;

	fresh();
	uint32_t buffer = allocate(200);
	memset(pool_data(pool, buffer), 'a', 256);
	EXPECT_EQ(pool_writable(pool, buffer, 200, &same), OK);
	EXPECT_EQ(same, buffer);
	EXPECT_EQ(counters().copied_bytes, 0);
	EXPECT_EQ(pool_lend(pool, 1, buffer), OK);
	EXPECT_EQ(pool_writable(pool, buffer, 257, &other), ERR_RANGE);
	EXPECT_EQ(pool_writable(pool, BUFFERS, 0, &other), ERR_RANGE);
	EXPECT_EQ(pool_writable(pool, buffer, 200, &other), OK);
	EXPECT(other != buffer);
	EXPECT_EQ(counters().copied_bytes, 200);
	EXPECT(memcmp(pool_data(pool, other), pool_data(pool, buffer), 200) ==
	    0);
	memset(pool_data(pool, other), 'b', 200);
	EXPECT_EQ(((char *)pool_data(pool, buffer))[0], 'a');
	/* The owner's reference moved: the lane had the last one. */
	EXPECT_EQ(pool_return(pool, 1, buffer), OK);
	EXPECT_EQ(pool_release(pool, buffer), ERR_STATE);
	EXPECT_EQ(pool_writable(pool, buffer, 1, &same), ERR_STATE);
	EXPECT_EQ(pool_release(pool, other), OK);
	finish();
}

TEST(test_a_lying_return_harms_nobody_and_is_counted_for_its_lane)
{
	fresh();
	uint32_t buffer = allocate(64), other = allocate(64);
	EXPECT_EQ(pool_lend(pool, 0, buffer), OK);
	EXPECT_EQ(pool_return(pool, 1, buffer), ERR_CORRUPT);
	EXPECT_EQ(pool_return(pool, 1, BUFFERS), ERR_CORRUPT);
	EXPECT_EQ(pool_return(pool, 1, UINT32_MAX), ERR_CORRUPT);
	EXPECT_EQ(pool_return(pool, 0, other), ERR_CORRUPT);
	EXPECT_EQ(pool_lend(pool, 0, buffer), ERR_EXIST);
	EXPECT_EQ(pool_return(pool, 0, buffer), OK);
	EXPECT_EQ(pool_return(pool, 0, buffer), ERR_CORRUPT);
	EXPECT_EQ(pool_lies(pool, 1), 3);
	EXPECT_EQ(pool_lies(pool, 0), 2);
	EXPECT_EQ(pool_lies(pool, 2), 0);
	EXPECT_EQ(counters().lies, 5);
	EXPECT_EQ(pool_return(pool, LANES, buffer), ERR_RANGE);
	EXPECT_EQ(pool_lend(pool, LANES, buffer), ERR_RANGE);
	EXPECT_EQ(pool_lend(pool, 0, BUFFERS), ERR_RANGE);
	EXPECT_EQ(pool_release(pool, buffer), OK);
	EXPECT_EQ(pool_lend(pool, 0, buffer), ERR_STATE);
	EXPECT_EQ(pool_retain(pool, buffer), ERR_STATE);
	EXPECT_EQ(pool_release(pool, other), OK);
	EXPECT_EQ(counters().allocated, counters().freed);
	finish();
}

TEST(test_reclaim_takes_back_all_of_a_lane_and_nothing_of_others)
{
	fresh();
	for (unsigned i = 0; i < BUFFERS; i++) {
		uint32_t buffer = allocate(1);
		EXPECT_EQ(pool_lend(pool, 2, buffer), OK);
		if (i % 3 == 0)
			EXPECT_EQ(pool_lend(pool, 3, buffer), OK);
		EXPECT_EQ(pool_release(pool, buffer), OK);
	}
	EXPECT_EQ(pool_return(pool, 2, 0), OK);
	EXPECT_EQ(pool_reclaim(pool, 2), BUFFERS - 1);
	EXPECT_EQ(pool_reclaim(pool, 2), 0);
	EXPECT_EQ(counters().allocated - counters().freed, (BUFFERS + 2) / 3);
	EXPECT_EQ(pool_reclaim(pool, 3), (BUFFERS + 2) / 3);
	EXPECT_EQ(counters().allocated, counters().freed);
	EXPECT_EQ(pool_reclaim(pool, LANES), 0);
	finish();
}

/* The same with counts that a child can check. */
static struct model {
	uint32_t own[BUFFERS];		/* references of the owner */
	bool	 lent[LANES][BUFFERS];
	uint8_t	 content[BUFFERS];	/* each byte of it, while referred to */
	uint32_t held;			/* sum of own */
} model;

static uint32_t
model_references(uint32_t buffer)
{
	uint32_t references = model.own[buffer];

	for (unsigned lane = 0; lane < LANES; lane++)
		references += model.lent[lane][buffer];
	return references;
}

static bool
model_has_room(uint32_t size)
{
	for (uint32_t i = size <= 64 ? 0 : size <= 256 ? 40 : 110;
	    i < BUFFERS; i++) {
		if (model_references(i) == 0)
			return true;
	}
	return false;
}

static void
step_allocate(uint32_t size)
{
	bool room = model_has_room(size);
	uint32_t buffer;

	if (model.held == HELD)
		return;
	status_t status = pool_allocate(pool, size, &buffer);
	EXPECT_EQ(status, room ? OK : ERR_FULL);
	if (status != OK)
		return;
	EXPECT_EQ(model_references(buffer), 0);
	EXPECT(pool_buffer_size(pool, buffer) >= size);
	model.own[buffer] = 1;
	model.held++;
	model.content[buffer] = (uint8_t)random_below(256);
	memset(pool_data(pool, buffer), model.content[buffer],
	    pool_buffer_size(pool, buffer));
}

static void
step_references(uint32_t buffer, bool more)
{
	bool used = model_references(buffer) > 0;

	if (more) {
		if (model.held == HELD)
			return;
		EXPECT_EQ(pool_retain(pool, buffer), used ? OK : ERR_STATE);
		model.own[buffer] += used;
		model.held += used;
		return;
	}
	if (used && model.own[buffer] == 0)
		return;		/* not the owner's to release */
	EXPECT_EQ(pool_release(pool, buffer), used ? OK : ERR_STATE);
	model.own[buffer] -= used;
	model.held -= used;
}

static void
step_lend(uint32_t lane, uint32_t buffer)
{
	status_t expected = model_references(buffer) == 0 ? ERR_STATE :
	    model.lent[lane][buffer] ? ERR_EXIST : OK;

	EXPECT_EQ(pool_lend(pool, lane, buffer), expected);
	if (expected == OK)
		model.lent[lane][buffer] = true;
}

static void
step_return(uint32_t lane, uint32_t buffer)
{
	EXPECT_EQ(pool_return(pool, lane, buffer), model.lent[lane][buffer] ?
	    OK : ERR_CORRUPT);
	model.lent[lane][buffer] = false;
}

static void
step_reclaim(uint32_t lane)
{
	uint32_t expected = 0;

	for (uint32_t i = 0; i < BUFFERS; i++)
		expected += model.lent[lane][i];
	EXPECT_EQ(pool_reclaim(pool, lane), expected);
	memset(model.lent[lane], 0, sizeof(model.lent[lane]));
}

static void
step_writable(uint32_t buffer)
{
	uint32_t references = model_references(buffer);
	uint32_t size = pool_buffer_size(pool, buffer), writable;
	bool room = model_has_room(size);

	if (references > 0 && model.own[buffer] == 0)
		return;
	EXPECT(references == 0 || ((uint8_t *)pool_data(pool, buffer))[size - 1]
	    == model.content[buffer]);
	status_t status = pool_writable(pool, buffer, size, &writable);
	EXPECT_EQ(status, references == 0 ? ERR_STATE :
	    references == 1 || room ? OK : ERR_FULL);
	if (status != OK)
		return;
	EXPECT_EQ(writable == buffer, references == 1);
	model.own[buffer]--;
	model.own[writable]++;
	EXPECT_EQ(((uint8_t *)pool_data(pool, writable))[size - 1],
	    model.content[buffer]);
	model.content[writable] = (uint8_t)random_below(256);
	memset(pool_data(pool, writable), model.content[writable],
	    pool_buffer_size(pool, writable));
}

static void
one_step(void)
{
	static const uint32_t sizes[] = { 1, 64, 65, 256, 4096 };
	uint32_t buffer = random_below(BUFFERS), lane = random_below(LANES);

	switch (random_below(16)) {
	case 0: case 1: case 2:
		step_allocate(sizes[random_below(5)]);
		break;
	case 3:
		step_references(buffer, true);
		break;
	case 4: case 5: case 6:
		step_references(buffer, false);
		break;
	case 7: case 8: case 9:
		step_lend(lane, buffer);
		break;
	case 10: case 11: case 12: case 13:
		step_return(lane, buffer);
		break;
	case 14:
		step_writable(buffer);
		break;
	default:
		if (random_below(50) == 0)
			step_reclaim(lane);
	}
}

TEST(test_a_million_random_steps_are_as_in_the_model)
{
	fresh();
	memset(&model, 0, sizeof(model));
	for (unsigned i = 0; i < STEPS && !ktap_state.failed; i++) {
		one_step();
		if (i % 1000 == 0)
			EXPECT(pool_ok(pool));
	}
	for (uint32_t lane = 0; lane < LANES; lane++)
		step_reclaim(lane);
	for (uint32_t i = 0; i < BUFFERS; i++) {
		while (model.own[i] > 0)
			step_references(i, false);
	}
	EXPECT_EQ(counters().allocated, counters().freed);
	EXPECT(counters().exhausted > 0 && counters().copied_bytes > 0 &&
	    counters().lies > 0 && counters().reclaimed > 0);
	finish();
}

TEST_MAIN(0)
