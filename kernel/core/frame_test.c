/* SPDX-License-Identifier: MIT */
/* Laws of the frame allocator. */
#include <kernel/arch/host/host.h>
#include <kernel/core/frame.h>
#include <kernel/core/cpu.h>
#include <lib/test/ktap.h>
#include <pthread.h>
#include <stdlib.h>

#define RAM		(32ul << 20)
#define RESERVED_BASE	(HOST_RAM_BASE + 0x500000)
#define RESERVED_SIZE	0x12345ul
#define THREADS		4u

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
	static paddr_t frames[RAM / PAGE_SIZE];
	static bool seen[RAM / PAGE_SIZE];
	struct frame_statistics statistics;
	uint64_t before = frames_free();
	unsigned count = take_all(frames);

	frame_get_statistics(&statistics);
	EXPECT_EQ(count, before);
	EXPECT_EQ(statistics.free, 0);
	EXPECT_EQ(statistics.total, RAM / PAGE_SIZE);
	EXPECT_EQ(statistics.reserved, statistics.total - count);
	for (unsigned i = 0; i < count; i++) {
		uint64_t number = (frames[i] - HOST_RAM_BASE) / PAGE_SIZE;

		EXPECT(!seen[number] && !is_reserved(frames[i]));
		EXPECT_EQ(frame_references(frames[i]), 1);
		EXPECT(!frame_is_free(frames[i]));
		seen[number] = true;
	}
	EXPECT(frame_is_ram(RESERVED_BASE) && !frame_is_free(RESERVED_BASE));
	EXPECT(frame_ok());
	for (unsigned i = count; i-- > 0;) {
		unsigned other = (unsigned)random_below(i + 1);
		paddr_t frame = frames[other];

		frames[other] = frames[i];
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

static int
setup(void)
{
	frame_reserve_range(RESERVED_BASE, RESERVED_SIZE);
	host_boot(RAM, THREADS);
	return 0;
}

TEST_MAIN(setup())
