/* SPDX-License-Identifier: MIT */
/*
 * Damage from outside is found, whichever bit it is; savepoints and the version
 * of the layout.
 */
#include <lib/arena/state.h>
#include <lib/test/ktap.h>

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BASE	((void *)0x710000000000ul)
#define SIZE	(64ul << 10)
#define PAGES	(SIZE / PAGE_SIZE)
#define BLOCKS	40u

static struct arena *arena;
static jmp_buf failed;
static const char *failure;

static void
fail(const char *reason)
{
	failure = reason;
	longjmp(failed, 1);
}

static status_t
open_arena(void)
{
	static const struct arena_environment environment = {
		.sums = true, .fail = fail };

	return arena_open(BASE, SIZE, 1, &environment, &arena);
}

/* An arena with used and free blocks all over. */
static uint64_t **
setup(void)
{
	uint64_t **block;

	if (mmap(BASE, SIZE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != BASE)
		abort();
	EXPECT_EQ(open_arena(), OK);
	tx_begin(arena);
	block = arena_alloc(arena, BLOCKS * sizeof(*block));
	arena_set_root(arena, block);
	tx_commit(arena);
	for (unsigned i = 0; i < BLOCKS; i++) {
		tx_begin(arena);
		tx_add(arena, block, BLOCKS * sizeof(*block));
		block[i] = arena_alloc(arena, 1000);
		memset(block[i], (int)i, 1000);
		if (i % 3 == 2) {
			arena_free(arena, block[i - 1]);
			block[i - 1] = NULL;
		}
		tx_commit(arena);
	}
	EXPECT(arena_ok(arena));
	return block;
}

/* Does a whole round of the background check find something? */
static bool
round_finds(void)
{
	uint64_t position = 0;
	bool done = false;

	while (!done)
		if (arena_check_step(arena, &position, &done) != OK)
			return true;
	return false;
}

TEST(test_any_flipped_bit_is_found_by_the_step_of_its_page)
{
	struct arena_header *header = BASE;
	uint64_t *word = BASE, missed = 0, flipped = 0;

	setup();
	for (uint64_t i = HEADER_CHANGES / WORD; i < SIZE / WORD; i++) {
		uint64_t position = i / PAGE_WORDS + 1;
		bool done;

		if (i * WORD >= header->log_start &&
		    i * WORD < header->heap_start)
			continue;
		/* Pages that were never used are not looked at. */
		if (i / PAGE_WORDS * PAGE_SIZE >= header->heap.high &&
		    i / PAGE_WORDS + 1 < PAGES)
			continue;
		for (unsigned bit = 0; bit < 64; bit++, flipped++) {
			/* Tables are looked at with the page they are of. */
			if (i * WORD >= header->sums_start &&
			    i * WORD < header->log_start)
				break;
			word[i] ^= 1ul << bit;
			position = i / PAGE_WORDS + 1;
			missed += arena_check_step(arena, &position, &done) ==
			    OK;
			word[i] ^= 1ul << bit;
		}
	}
	EXPECT_EQ(missed, 0);
	EXPECT(flipped > 4 * (SIZE - header->heap_start));
	EXPECT(arena_ok(arena));
}

TEST(test_flipped_bits_of_tables_and_commit_word_are_found)
{
	struct arena_header *header = BASE;
	uint64_t *word = BASE;

	setup();
	for (uint64_t i = header->sums_start / WORD; i < header->map_start /
	    WORD + PAGES * PAGE_WORDS / CHUNK_WORDS; i += 3) {
		/* Log and tables have no sums: those are not looked at. */
		uint64_t page = (i - header->sums_start / WORD) / 2;
		if (i >= header->map_start / WORD)
			page = (i - header->map_start / WORD) / 8;
		if (page * PAGE_SIZE >= header->heap.high && page + 1 < PAGES)
			continue;
		if (i < header->map_start / WORD && page != 0 &&
		    page < header->heap_start / PAGE_SIZE)
			continue;
		word[i] ^= 1ul << i % 64;
		EXPECT(!arena_ok(arena));
		EXPECT(round_finds());
		word[i] ^= 1ul << i % 64;
	}
	for (unsigned bit = 0; bit < COMMIT_SHIFT; bit++) {
		header->commit ^= 1ul << bit;
		EXPECT(round_finds());
		header->commit ^= 1ul << bit;
	}
	EXPECT(!round_finds());
}

TEST(test_two_flipped_bits_and_swapped_words_are_found)
{
	uint64_t **block = setup(), *word = block[39], *other = block[36];

	for (unsigned a = 0; a < 64; a++) {
		for (unsigned b = 0; b < 64; b++) {
			word[1] ^= 1ul << a;
			word[2] ^= 1ul << b;
			EXPECT(!sum_ok(BASE, ((uintptr_t)word -
			    (uintptr_t)BASE) / PAGE_SIZE) || !arena_ok(arena));
			word[1] ^= 1ul << a;
			word[2] ^= 1ul << b;
		}
	}
	uint64_t kept = word[5];
	word[5] = other[7];
	other[7] = kept;
	EXPECT(word[5] != kept && round_finds());
}

/* What came from outside must not become right by being written over. */
TEST(test_damage_stays_visible_when_a_transaction_writes_over_it)
{
	uint64_t **block = setup();

	block[0][3] ^= 16;
	tx_begin(arena);
	tx_add(arena, &block[0][2], 24);
	block[0][2] = block[0][3] = block[0][4] = 7;
	tx_commit(arena);
	EXPECT(!arena_ok(arena) && round_finds());
}

TEST(test_damage_is_found_when_an_interrupted_transaction_is_undone)
{
	uint64_t **block = setup();

	tx_begin(arena);
	tx_add(arena, &block[0][2], 8);
	block[0][2] = 7;
	block[0][9] ^= 1;
	EXPECT_EQ(open_arena(), ERR_CORRUPT);
}

/* As a stray write into the log between transactions would be. */
TEST(test_log_that_is_not_empty_is_no_transaction)
{
	setup();
	((struct arena_header *)BASE)->commit |= 4;
	failure = NULL;
	if (setjmp(failed) == 0)
		tx_begin(arena);
	EXPECT(failure != NULL);
}

TEST(test_plain_pages_are_neither_saved_nor_summed)
{
	uint8_t *block;

	setup();
	tx_begin(arena);
	block = arena_alloc(arena, 3 * PAGE_SIZE);
	EXPECT(block != NULL);
	EXPECT_EQ(arena_set_plain(arena, block, 3 * PAGE_SIZE), OK);
	EXPECT_EQ(arena_set_plain(arena, block, 100), ERR_RANGE);
	tx_commit(arena);
	uint8_t *page = (uint8_t *)(((uintptr_t)block + PAGE_MASK) &
	    ~PAGE_MASK);
	tx_begin(arena);
	EXPECT_EQ(tx_unused(arena, page, 100), OK);
	EXPECT_EQ(log_length(BASE), 0);
	memset(page, 5, 100);
	tx_abort(arena);
	EXPECT(page[0] == 5 && arena_ok(arena));
}

/* --- Savepoints. --- */

TEST(test_nested_savepoints_undo_what_came_after_them)
{
	uint64_t **block = setup(), *word = block[0], was = word[0];
	uint64_t outer, inner;

	tx_begin(arena);
	TX_SET(arena, word[0], 1);
	outer = tx_savepoint(arena);
	TX_SET(arena, word[0], 2);
	TX_SET(arena, word[1], 2);
	inner = tx_savepoint(arena);
	TX_SET(arena, word[0], 3);
	tx_rollback_to(arena, inner);
	EXPECT_EQ(word[0], 2);
	TX_SET(arena, word[0], 4);
	tx_rollback_to(arena, outer);
	EXPECT(word[0] == 1 && word[1] == was);
	TX_SET(arena, word[1], 5);
	tx_commit(arena);
	EXPECT(word[0] == 1 && word[1] == 5 && arena_ok(arena));
	tx_begin(arena);
	TX_SET(arena, word[0], 8);
	tx_savepoint(arena);
	TX_SET(arena, word[0], 9);
	tx_abort(arena);
	EXPECT(word[0] == 1 && arena_ok(arena));
}

/* Everything that a large allocation may do to the sums. */
TEST(test_large_blocks_survive_savepoints_and_aborts)
{
	setup();
	for (unsigned i = 0; i < 64; i++) {
		uint64_t savepoint = 0;

		tx_begin(arena);
		if ((i & 1) != 0)
			savepoint = tx_savepoint(arena);
		uint8_t *a = arena_alloc(arena, 3000 + i);
		memset(a, 1, 3000);
		if ((i & 2) != 0)
			savepoint = tx_savepoint(arena);
		uint8_t *b = arena_alloc(arena, 2500);
		memset(b, 2, 2500);
		if ((i & 4) != 0)
			arena_free(arena, a);
		if ((i & 11) == 11 || (i & 11) == 10)
			tx_rollback_to(arena, savepoint);
		if ((i & 16) != 0)
			tx_commit(arena);
		else if ((i & 32) != 0)
			tx_abort(arena);
		else
			EXPECT_EQ(open_arena(), OK);
		EXPECT(arena_ok(arena));
		if ((i & 16) != 0)
			setup();
	}
}

TEST(test_log_that_ran_out_can_be_rolled_back_to_a_savepoint)
{
	uint64_t **block = setup(), savepoint;

	tx_begin(arena);
	TX_SET(arena, block[0][0], 77);
	savepoint = tx_savepoint(arena);
	for (unsigned i = 0; i < BLOCKS; i++)
		if (block[i] != NULL && tx_add(arena, block[i], 1000) == OK)
			memset(block[i], 0xee, 1000);
	while (arena_alloc(arena, 600) != NULL)
		;
	tx_rollback_to(arena, savepoint);
	TX_SET(arena, block[0][1], 78);
	tx_commit(arena);
	EXPECT(block[0][0] == 77 && block[0][1] == 78 && block[3][0] ==
	    0x0303030303030303ul && arena_ok(arena));
}

#define EXPECT_FAILURE(statement) \
	do { \
		failure = NULL; \
		if (setjmp(failed) == 0) { \
			statement; \
		} \
		EXPECT(failure != NULL); \
		open_arena(); \
	} while (0)

TEST(test_savepoint_that_is_gone_panics)
{
	setup();
	EXPECT_FAILURE(tx_savepoint(arena));
	EXPECT_FAILURE(tx_begin(arena); tx_rollback_to(arena, 0));
	EXPECT_FAILURE(tx_begin(arena); uint64_t outer = tx_savepoint(arena);
	    uint64_t *root = arena_root(arena);
	    TX_SET(arena, *root, *root); uint64_t inner = tx_savepoint(arena);
	    tx_rollback_to(arena, outer); tx_rollback_to(arena, inner));
}

/* --- Layout. --- */

TEST(test_layout_version_changes_with_its_transaction)
{
	setup();
	tx_begin(arena);
	EXPECT_EQ(arena_set_layout_version(arena, 9), OK);
	tx_abort(arena);
	EXPECT_EQ(arena_layout_version(arena), 1);
	tx_begin(arena);
	EXPECT_EQ(arena_set_layout_version(arena, 9), OK);
	EXPECT_EQ(open_arena(), OK);
	EXPECT_EQ(arena_layout_version(arena), 1);
	tx_begin(arena);
	EXPECT_EQ(arena_set_layout_version(arena, 9), OK);
	tx_commit(arena);
	EXPECT_EQ(open_arena(), OK);
	EXPECT_EQ(arena_layout_version(arena), 9);
	((struct arena_header *)BASE)->layout_version = 8;
	EXPECT_EQ(open_arena(), ERR_CORRUPT);
}

TEST_MAIN(0)
