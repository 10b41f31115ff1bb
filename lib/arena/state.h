/* SPDX-License-Identifier: MIT */
/*
 * What an arena looks like inside; for the files of this library only.
 *
 *	header		constants and their seal, commit word, heap heads
 *	tables		sums of pages, then the map of saved words
 *	log		undo entries, from the low end
 *	heap		blocks, to the end of the region
 *
 * Commit word: number of commits << 24 | bytes of log in use / 8. One store
 * of it adds an entry to the log, takes one away, or commits.
 *
 * Log entry: data, then struct log_tail. The log is undone from its end, one
 * entry and one store of the commit word at a time, so a crash during the
 * undoing repeats at most one entry; each may be undone twice.
 *
 *	SAVED	data: old words, all in one chunk of 64 words; put back
 *	ZERO	no data: the words were free and 0; set to 0 again
 *	CLEAN	data: a sum; the words were free. They were set to 0 and left
 *		the sum of their page, which then was this; done again
 *	FREE	no data, only without sums: the words were free; nothing
 *
 * Map of saved words: one bit for each word of the region. It is set while the
 * word has an entry since the last savepoint, so no word has two of them
 * between savepoints: else sums would count its change twice. Between
 * transactions all bits are 0.
 *
 * Sums: see sum.c. The sum of a page is saved like other words before the
 * first word of the page is, and brought up to date by log_settle().
 *
 * Heap block: a word of size and flags, then the user's bytes, which begin at
 * a multiple of 16. A free block begins with links and ends with its size.
 * Blocks lie without gaps; no two free ones are neighbours. The last word of
 * the region is a used block of size 0.
 */
#pragma once

#include <abi/object.h>
#include <lib/arena/arena.h>

#define ARENA_MAGIC	0x31414e4552414e42ul	/* "BNARENA1" */
#define COMMIT_SHIFT	24
#define LOG_MASK	((1ul << COMMIT_SHIFT) - 1)
#define LOG_UNIT	8u
#define WORD		8u	/* bytes */
#define CHUNK_WORDS	64u	/* of the map of saved words, one word of it */
#define PAGE_WORDS	(PAGE_SIZE / WORD)

#define BIN_SMALL	64u	/* blocks below 1024, one size each */
#define BIN_COUNT	256u
#define BIN_WORDS	(BIN_COUNT / 64)

struct heap {
	uint64_t bytes_used;	/* of used blocks, with their size words */
	/*
	 * End of all blocks that were ever used, from base: what lies behind is
	 * zero but for the end of the heap. Nobody looks there, for a look
	 * costs a frame.
	 */
	uint64_t high;
	uint64_t map[BIN_WORDS];	/* bins that are not empty */
	struct block *bin[BIN_COUNT];
};

struct arena_header {
	/* Set once. */
	uint64_t magic;
	uint64_t base;
	uint64_t size;
	uint64_t summed;	/* 1: pages have sums */
	uint64_t sums_start, map_start;	/* offsets from base */
	uint64_t log_start, log_size;
	uint64_t heap_start;
	uint64_t seal;		/* of the above; written last */

	uint64_t commit;	/* the commit word */

	/* Changed in transactions, with entries in the log. */
	uint64_t layout_version;
	uint64_t layout_seal;	/* of the version */
	void	*root;
	uint64_t plain_start, plain_length;	/* pages without sums */
	struct heap heap;
};

/* Sum of a page: modulo 2^128. */
struct page_sum {
	uint64_t low, high;
};

#define LOG_SAVED	0u
#define LOG_ZERO	1u
#define LOG_CLEAN	2u
#define LOG_FREE	3u
#define LOG_KIND	7u	/* these bits of a length are the kind */

struct log_tail {
	uint64_t offset;	/* of the words, from base */
	uint64_t length_kind;	/* in bytes */
};

/* An entry as it was read, and found to make sense. */
struct log_entry {
	const uint64_t *data;
	uint64_t first, count;	/* words, from base */
	unsigned kind;
	uint64_t size;		/* in the log, with its tail */
};

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
 * The handle: ordinary memory of one incarnation. freed must not lose ranges.
 */
struct arena {
	struct arena_header *header;	/* NULL: handle not in use */
	struct arena_environment environment;

	/* Places, as the header says; constant. */
	uint64_t size, heap_start;
	uint64_t *words;	/* the region */
	uint64_t *map;		/* of saved words */
	uint64_t *log, log_words;
	struct page_sum *sums;	/* NULL: there are none */
	uint64_t sums_first, sums_words;	/* word of the first, all */

	bool	 open;		/* a transaction is open */
	bool	 broken;	/* the heap stopped half way: undo only */
	bool	 has_savepoint;	/* so nothing is cleaned any more */
	uint64_t settled;	/* the sums know of the log up to here */
	struct range_set freed;	/* used at the start, perhaps */
	uint64_t walk;		/* block that arena_check_step looks at next */
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

/* log.c */
void log_start_transaction(struct arena *arena);
/* Undoes the log down to that length; false if it makes no sense. */
bool log_roll_back(struct arena_header *header, uint64_t length);
bool log_ok(const struct arena_header *header);
/* The entry that ends at that length of the log; false: it makes no sense. */
bool log_entry_at(const struct arena_header *header, uint64_t used,
    struct log_entry *out_entry);
/* Brings the sums up to date with all entries and forgets what is saved. */
void log_settle(struct arena *arena);
void log_commit(struct arena *arena);
/*
 * Memory that was free when the transaction began: saved if that is cheap, else
 * its content may be lost; zeroed if told so. Whole words.
 */
status_t log_take(struct arena *arena, void *start, uint64_t length,
    bool zero);
void log_add_freed(struct arena *arena, void *start, size_t length);
/* May bytes of the range have been in use when the transaction began? */
bool log_was_freed(const struct arena *arena, const void *start,
    size_t length);
static inline uint64_t
log_length(const struct arena_header *header)
{
	return (header->commit & LOG_MASK) * LOG_UNIT;
}

static inline uint64_t *
word_at(const struct arena_header *header, uint64_t word)
{
	return (uint64_t *)(uintptr_t)header + word;
}

static inline uint64_t *
saved_map(const struct arena_header *header)
{
	return word_at(header, header->map_start / WORD);
}

/* The first words that may change; those before are constant or the log's. */
#define HEADER_CHANGES	offsetof(struct arena_header, layout_version)

/* sum.c */
static inline struct page_sum *
sum_of_page(const struct arena_header *header, uint64_t page)
{
	return (struct page_sum *)word_at(header,
	    header->sums_start / WORD) + page;
}

/* The words' share in the sum of their page. */
unsigned __int128 sum_of_words(const struct arena_header *header,
    uint64_t first, uint64_t count);
static inline void
sum_add(struct page_sum *sum, unsigned __int128 share)
{
	share += (unsigned __int128)sum->high << 64 | sum->low;
	*sum = (struct page_sum){ (uint64_t)share, (uint64_t)(share >> 64) };
}
#define SUM_GOLDEN	0x9e3779b97f4a7c15ul
#define SUM_KEY_STEP	(2 * SUM_GOLDEN)	/* from one word to the next */

/* An odd number times an odd one: one to one. */
static inline uint64_t
sum_key(uint64_t word)
{
	return (2 * word + 1) * SUM_GOLDEN;
}

/*
 * What words that had these values have added to the sum of their page. Each
 * request comes here; most words were saved together with others that changed.
 */
static inline unsigned __int128
sum_of_change(const uint64_t *value, const uint64_t *old, uint64_t first,
    uint64_t count)
{
	const uint64_t *end = value + count;
	unsigned __int128 sum = 0;
	uint64_t borrowed = 0;	/* of the high word */
	uint64_t key = sum_key(first);

	for (; value != end; value++, old++, key += SUM_KEY_STEP) {
		if (*value == *old)
			continue;
		sum += (unsigned __int128)(*value - *old) * key;
		borrowed += *value < *old ? key : 0;
	}
	return sum - ((unsigned __int128)borrowed << 64);
}

/* Of an arena that was just made. */
void sum_create(struct arena_header *header);
/* Is the page what its sum says? Between transactions. */
bool sum_ok(const struct arena_header *header, uint64_t page);

/* heap.c */
#define BLOCK_UNIT	16u
#define BLOCK_MIN	32u
void heap_create(struct arena_header *header);
bool heap_ok(const struct arena *arena);
/*
 * Looks at the block at *walk (an offset, 0 = the first) and moves on to the
 * next; 0: that was the last one.
 */
bool heap_step_ok(const struct arena *arena, uint64_t *walk);
