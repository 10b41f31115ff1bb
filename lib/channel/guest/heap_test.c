/* SPDX-License-Identifier: MIT */
#include <lib/channel/guest/heap.h>

#include <lib/test/ktap.h>

#include <string.h>

#define SIZE	16384u
#define HELD	64u

static uint8_t memory[SIZE] __attribute__((aligned(HEAP_UNIT)));
static uint64_t random_state = 88172645463325252ul;

static uint64_t
random_below(uint64_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 0x2545f4914f6cdd1dul % limit;
}

TEST(test_blocks_are_zeroed_apart_and_whole_again_when_given_back)
{
	struct { uint8_t *at; size_t size; } held[HELD] = { 0 };
	struct heap heap;

	memset(memory, 0xff, sizeof(memory));
	heap_open(&heap, memory, sizeof(memory));
	for (unsigned step = 0; step < 20000; step++) {
		unsigned i = (unsigned)random_below(HELD);

		if (held[i].at != NULL) {
			for (size_t n = 0; n < held[i].size; n++)
				EXPECT_EQ(held[i].at[n], i + 1);
			heap_give(&heap, held[i].at, held[i].size);
			held[i].at = NULL;
			continue;
		}
		held[i].size = 1 + random_below(600);
		held[i].at = heap_take(&heap, held[i].size);
		if (held[i].at == NULL)
			continue;
		EXPECT((uintptr_t)held[i].at % HEAP_UNIT == 0);
		EXPECT(held[i].at >= memory &&
		    held[i].at + held[i].size <= memory + SIZE);
		for (size_t n = 0; n < held[i].size; n++)
			EXPECT_EQ(held[i].at[n], 0);
		memset(held[i].at, (int)i + 1, held[i].size);
	}
	for (unsigned i = 0; i < HELD; i++)
		if (held[i].at != NULL)
			heap_give(&heap, held[i].at, held[i].size);
	EXPECT(heap_take(&heap, SIZE) == memory);
	EXPECT(heap_take(&heap, 1) == NULL);
	EXPECT(heap_take(&heap, ~(size_t)0) == NULL);
}

TEST(test_ranges_never_overlap_and_join_again)
{
	struct { uint64_t at, size; } held[HELD] = { 0 };
	static struct ranges ranges;

	ranges_open(&ranges, 4096, 1 << 20);
	for (unsigned step = 0; step < 5000; step++) {
		unsigned i = (unsigned)random_below(HELD);

		if (held[i].at != 0) {
			ranges_give(&ranges, held[i].at, held[i].size);
			held[i].at = 0;
			continue;
		}
		held[i].size = 4096 * (1 + random_below(8));
		held[i].at = ranges_take(&ranges, held[i].size);
		for (unsigned j = 0; j < HELD && held[i].at != 0; j++)
			EXPECT(j == i || held[j].at == 0 ||
			    held[j].at >= held[i].at + held[i].size ||
			    held[i].at >= held[j].at + held[j].size);
	}
	for (unsigned i = 0; i < HELD; i++)
		if (held[i].at != 0)
			ranges_give(&ranges, held[i].at, held[i].size);
	EXPECT_EQ(ranges.count, 1);
	EXPECT_EQ(ranges_take(&ranges, 1 << 20), 4096);
	EXPECT_EQ(ranges_take(&ranges, 4096), 0);
}

TEST_MAIN(0)
