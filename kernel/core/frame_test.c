/* SPDX-License-Identifier: MIT */
/* Laws of the frame allocator. */
#include <kernel/arch/host/host.h>
#include <kernel/core/frame_state.h>
#include <kernel/core/cpu.h>
#include <lib/test/ktap.h>
#include <pthread.h>
#include <stdlib.h>

#define RAM		(32ul << 20)
#define RESERVED_BASE	(HOST_RAM_BASE + 0x500000)
#define RESERVED_SIZE	0x12345ul
#define THREADS		4u
#define NODES		3u
/* Node 0 up to 16 MB, node 1 up to 24 MB, node 2: where blocks begin. */
#define NODE_1_BASE	0x1000000ul
#define NODE_2_BASE	0x1800000ul

static uint64_t random_state = 1;

static uint64_t
random_below(uint64_t limit)
{
	random_state = random_state * 6364136223846793005ul + 1;
	return (random_state >> 33) % limit;
}

static uint64_t
frames_free(void)
{
	struct frame_statistics statistics;

	frame_get_statistics(&statistics);
	return statistics.free;
}

/* Takes all there is, order by order. */
static unsigned
take_all(paddr_t *out_frames)
{
	unsigned count = 0;

	while ((out_frames[count] = frame_alloc()) != FRAME_NONE)
		count++;
	return count;
}

static bool
is_reserved(paddr_t frame)
{
	return frame + PAGE_SIZE > RESERVED_BASE &&
	    frame < RESERVED_BASE + RESERVED_SIZE;
}

TEST(test_every_frame_is_handed_out_once_and_no_reserved_one)
{
	static paddr_t taken[RAM / PAGE_SIZE];
	static bool seen[RAM / PAGE_SIZE];
	struct frame_statistics statistics;
	uint64_t before = frames_free();
	unsigned count = take_all(taken);

	frame_get_statistics(&statistics);
	EXPECT_EQ(count, before);
	EXPECT_EQ(statistics.free, 0);
	EXPECT_EQ(statistics.total, RAM / PAGE_SIZE);
	EXPECT_EQ(statistics.reserved, statistics.total - count);
	for (unsigned i = 0; i < count; i++) {
		uint64_t number = (taken[i] - HOST_RAM_BASE) / PAGE_SIZE;

		EXPECT(!seen[number] && !is_reserved(taken[i]));
		EXPECT_EQ(frame_references(taken[i]), 1);
		EXPECT(!frame_is_free(taken[i]));
		seen[number] = true;
	}
	EXPECT(frame_is_ram(RESERVED_BASE) && !frame_is_free(RESERVED_BASE));
	EXPECT(frame_ok());
	for (unsigned i = count; i-- > 0;) {
		unsigned other = (unsigned)random_below(i + 1);
		paddr_t frame = taken[other];

		taken[other] = taken[i];
		frame_release(frame);
		EXPECT(frame_is_free(frame));
	}
	EXPECT_EQ(frames_free(), before);
	EXPECT(frame_ok());
}

TEST(test_released_frames_merge_into_the_largest_blocks)
{
	paddr_t big = frame_alloc_block(FRAME_MAX_ORDER);

	EXPECT(big != FRAME_NONE);
	EXPECT_EQ(big % (PAGE_SIZE << FRAME_MAX_ORDER), 0);
	for (uint64_t i = 0; i < 1ul << FRAME_MAX_ORDER; i++)
		frame_release(big + i * PAGE_SIZE);
	EXPECT(frame_ok());
	EXPECT_EQ(frame_alloc_block(FRAME_MAX_ORDER), big);
	for (uint64_t i = 1ul << FRAME_MAX_ORDER; i-- > 0;)
		frame_release(big + i * PAGE_SIZE);
	EXPECT_EQ(frame_alloc_block(FRAME_MAX_ORDER + 1), FRAME_NONE);
}

TEST(test_frame_is_free_after_its_last_reference)
{
	paddr_t frame = frame_alloc();

	frame_reference(frame);
	EXPECT_EQ(frame_references(frame), 2);
	frame_release(frame);
	EXPECT(!frame_is_free(frame));
	frame_release(frame);
	EXPECT(frame_is_free(frame));
}

TEST(test_nth_allocation_fails_and_no_other)
{
	for (unsigned n = 1; n < 5; n++) {
		frame_fail_nth(n);
		for (unsigned i = 1; i < 7; i++) {
			paddr_t frame = frame_alloc();

			EXPECT_EQ(frame == FRAME_NONE, i == n);
			if (frame != FRAME_NONE)
				frame_release(frame);
		}
	}
}

TEST(test_wrong_use_panics)
{
	paddr_t frame = frame_alloc();

	frame_release(frame);
	if (HOST_EXPECT_PANIC())
		frame_release(frame);
	EXPECT(host_panic_caught());
	if (HOST_EXPECT_PANIC())
		frame_reference(frame);
	EXPECT(host_panic_caught());
	if (HOST_EXPECT_PANIC())
		frame_release(RESERVED_BASE & ~PAGE_MASK);
	EXPECT(host_panic_caught());
	if (HOST_EXPECT_PANIC())
		frame_release(HOST_RAM_BASE + RAM);
	EXPECT(host_panic_caught());
	if (HOST_EXPECT_PANIC())
		frame_release(0x1000);
	EXPECT(host_panic_caught());
	EXPECT(!frame_is_ram(HOST_RAM_BASE + RAM));
	EXPECT(!frame_is_ram(0) && !frame_is_ram(~PAGE_MASK));
	EXPECT(frame_ok());
}

struct block {
	paddr_t base;
	unsigned order;
};

static void
block_release(const struct block *block)
{
	for (uint64_t i = 0; i < 1ul << block->order; i++)
		frame_release(block->base + i * PAGE_SIZE);
}

TEST(test_random_blocks_never_overlap_and_all_come_back)
{
	static struct block blocks[512];
	static uint8_t owner[RAM / PAGE_SIZE];
	uint64_t before = frames_free();

	for (unsigned step = 0; step < 100000; step++) {
		struct block *block = &blocks[random_below(512)];
		uint64_t first, set = block->base == FRAME_NONE;

		if (set) {
			block->order = (unsigned)random_below(8);
			block->base = frame_alloc_block(block->order);
			if (block->base == FRAME_NONE)
				continue;
			EXPECT_EQ(block->base %
			    (PAGE_SIZE << block->order), 0);
		}
		first = (block->base - HOST_RAM_BASE) / PAGE_SIZE;
		for (uint64_t i = 0; i < 1ul << block->order; i++) {
			EXPECT_EQ(owner[first + i], !set);
			owner[first + i] = (uint8_t)set;
		}
		if (!set) {
			block_release(block);
			block->base = FRAME_NONE;
		}
		if (step % 2048 == 0)
			EXPECT(frame_ok());
	}
	for (unsigned i = 0; i < 512; i++)
		if (blocks[i].base != FRAME_NONE)
			block_release(&blocks[i]);
	EXPECT_EQ(frames_free(), before);
	EXPECT(frame_ok());
}

/* Each CPU marks the frames it holds and sees its marks until it lets go. */
static void *
stress(void *argument)
{
	unsigned cpu = (unsigned)(uintptr_t)argument;
	uint64_t seed = cpu + 1;
	struct block held[64] = { 0 };

	host_become_cpu(cpu);
	for (unsigned step = 0; step < 20000; step++) {
		seed = seed * 6364136223846793005ul + 1;
		unsigned i = (unsigned)(seed >> 40) % 64;

		if (held[i].base == FRAME_NONE) {
			held[i].order = (unsigned)(seed >> 50) % 4;
			held[i].base = frame_alloc_block(held[i].order);
			if (held[i].base != FRAME_NONE)
				*(uint64_t *)arch_frame_pointer(held[i].base) =
				    cpu << 16 | i;
		} else {
			EXPECT_EQ(*(uint64_t *)arch_frame_pointer(
			    held[i].base), cpu << 16 | i);
			block_release(&held[i]);
			held[i].base = FRAME_NONE;
		}
	}
	for (unsigned i = 0; i < 64; i++)
		if (held[i].base != FRAME_NONE)
			block_release(&held[i]);
	return NULL;
}

TEST(test_concurrent_cpus_share_no_frame)
{
	uint64_t before = frames_free();
	pthread_t threads[THREADS];

	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, stress, (void *)i);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(frames_free(), before);
	EXPECT(frame_ok());
}

static unsigned
node_at(paddr_t frame)
{
	return frame < NODE_1_BASE ? 0 : frame < NODE_2_BASE ? 1 : 2;
}

static uint64_t
node_free(unsigned node)
{
	struct frame_statistics statistics;

	frame_get_statistics(&statistics);
	return statistics.node[node].free;
}

TEST(test_frames_come_from_the_node_of_the_cpu_and_go_back_there)
{
	for (unsigned node = 0; node < NODES; node++) {
		uint64_t before = node_free(node);

		cpu_table[0].node = node;
		paddr_t frame = frame_alloc(), block = frame_alloc_block(5);
		EXPECT_EQ(node_at(frame), node);
		EXPECT_EQ(node_at(block), node);
		EXPECT_EQ(node_free(node), before - 33);
		cpu_table[0].node = 0;
		frame_release(frame);
		for (unsigned i = 0; i < 32; i++)
			frame_release(block + i * PAGE_SIZE);
		EXPECT_EQ(node_free(node), before);
		EXPECT(frame_ok());
	}
}

TEST(test_full_node_is_followed_by_the_others_in_order_of_distance)
{
	static paddr_t taken[RAM / PAGE_SIZE + 1];

	for (unsigned home = 0; home < NODES; home++) {
		uint64_t left[NODES];
		unsigned step = 0;

		for (unsigned node = 0; node < NODES; node++)
			left[node] = node_free(node);
		cpu_table[0].node = home;
		unsigned count = take_all(taken);
		for (unsigned i = 0; i < count; i++) {
			while (left[frame_node_order[home][step]] == 0)
				step++;
			EXPECT_EQ(node_at(taken[i]),
			    frame_node_order[home][step]);
			left[frame_node_order[home][step]]--;
		}
		cpu_table[0].node = 0;
		while (count > 0)
			frame_release(taken[--count]);
		EXPECT(frame_ok());
	}
}

TEST(test_nodes_add_up)
{
	struct frame_statistics all;
	uint64_t total = 0, free = 0;

	frame_get_statistics(&all);
	for (unsigned node = 0; node < NODES; node++) {
		total += all.node[node].total;
		free += all.node[node].free;
		EXPECT(all.node[node].free <= all.node[node].total);
	}
	EXPECT_EQ(frame_node_count, NODES);
	EXPECT_EQ(total, all.total);
	EXPECT_EQ(free, all.free);
	EXPECT_EQ(all.node[1].total, (NODE_2_BASE - NODE_1_BASE) / PAGE_SIZE);
}

static int
setup(void)
{
	static const uint8_t order[NODES][NODES] = {
		{ 0, 2, 1 }, { 1, 2, 0 }, { 2, 0, 1 },
	};

	for (unsigned node = 0; node < NODES; node++)
		for (unsigned i = 0; i < NODES; i++)
			frame_node_order[node][i] = order[node][i];
	frame_node_begins(0, 0);
	/* Rounded up to where a block of the largest order begins. */
	frame_node_begins(NODE_1_BASE - 3 * PAGE_SIZE, 1);
	frame_node_begins(NODE_2_BASE, 2);
	frame_reserve_range(RESERVED_BASE, RESERVED_SIZE);
	host_boot(RAM, THREADS);
	return 0;
}

TEST_MAIN(setup())
