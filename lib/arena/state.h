/* SPDX-License-Identifier: MIT */
/*
 * What an arena looks like inside; for the files of this library only.
 *
 *	header		constants and their seal, commit word, heap heads
 *	log		undo entries, from the low end
 *	heap		blocks, to the end of the region
 *
 * Commit word: number of commits << 24 | bytes of log in use / 8. One store
 * of it adds an entry to the log, takes one away, or commits.
 *
 * Log entry: old bytes, padded to 8, then struct log_tail. The log is undone
 * from its end, one entry and one store of the commit word at a time, so a
 * crash during the undoing repeats at most one entry.
 *
 * Heap block: a word of size and flags, then the user's bytes, which begin at
 * a multiple of 16. A free block begins with links and ends with its size.
 * Blocks lie without gaps; no two free ones are neighbours. The last word of
 * the region is a used block of size 0.
 */
#pragma once

#include <abi/object.h>
#include <lib/arena/arena.h>

#define ARENA_MAGIC	0x30414e4552414e42ul	/* "BNARENA0" */
#define COMMIT_SHIFT	24
#define LOG_MASK	((1ul << COMMIT_SHIFT) - 1)
#define LOG_UNIT	8u

#define BIN_SMALL	64u	/* blocks below 1024, one size each */
#define BIN_COUNT	256u
#define BIN_WORDS	(BIN_COUNT / 64)

struct heap {
	uint64_t bytes_used;	/* of used blocks, with their size words */
	uint64_t map[BIN_WORDS];	/* bins that are not empty */
	struct block *bin[BIN_COUNT];
};

struct arena_header {
	/* Set once. */
	uint64_t magic;
	uint64_t base;
	uint64_t size;
	uint64_t log_start, log_size;	/* offsets from base */
	uint64_t heap_start;
	uint64_t seal;		/* of the above; written last */

	uint64_t commit;	/* the commit word */

	/* Changed in transactions, with entries in the log. */
	void	*root;
	uint64_t layout_version;
	struct heap heap;
};

struct log_tail {
	uint64_t offset;	/* of the range saved, from base */
	uint64_t length;	/* in bytes, without padding */
};

#define SAVED_SLOTS	64u	/* power of two */
#define RANGE_SLOTS	8u

struct range {
	uintptr_t start, end;
};

/* A few ranges; the newest replaces the oldest. */
struct range_set {
	struct range range[RANGE_SLOTS];
	unsigned count;		/* ranges added so far */
};

/*
 * The handle: ordinary memory of one incarnation. What it remembers of a
 * transaction only saves log space, except freed, which must not lose ranges.
 */
struct arena {
	struct arena_header *header;	/* NULL: handle not in use */
	struct arena_environment environment;
	bool	 open;		/* a transaction is open */
	bool	 broken;	/* the heap stopped half way: abort only */
	uintptr_t log_exposed;	/* end of the log pages exposed */

	uint64_t serial;	/* of the transaction */
	struct {
		uint64_t serial;	/* slots of others do not count */
		struct range range;
	} saved[SAVED_SLOTS];	/* by address / 64 */
	struct range_set fresh;	/* content at the start does not matter */
	struct range_set freed;	/* used at the start, perhaps */
};

static inline uint8_t *
arena_base(const struct arena *arena)
{
	return (uint8_t *)arena->header;
}

static inline void
compiler_barrier(void)
{
	__asm__ volatile("" ::: "memory");
}

/* Never returns. */
_Noreturn void arena_fail(const struct arena *arena, const char *reason);

/* log.c. Rolling back also ends what the handle remembers. */
void log_start_transaction(struct arena *arena);
void log_roll_back(struct arena_header *header);
bool log_ok(const struct arena_header *header);
void log_commit(struct arena *arena);
/* From now on the range need not be saved. It is exposed. */
void log_add_fresh(struct arena *arena, void *start, size_t length);
void log_add_freed(struct arena *arena, void *start, size_t length);
/* May bytes of the range have been in use when the transaction began? */
bool log_was_freed(const struct arena *arena, const void *start,
    size_t length);
static inline uint64_t
log_length(const struct arena_header *header)
{
	return (header->commit & LOG_MASK) * LOG_UNIT;
}

/* heap.c */
#define BLOCK_UNIT	16u
#define BLOCK_MIN	32u
void heap_create(struct arena_header *header);
bool heap_ok(const struct arena *arena);
