/* SPDX-License-Identifier: MIT */
/*
 * The heap of an arena: best fit by size class, neighbours merged at once.
 *
 * Bins: sizes below 1024 have one each; above, each power of two has eight. A
 * request takes the first block of the first bin whose blocks all fit, so it
 * takes a bounded number of steps; only when there is none, the bin of its own
 * class is searched. Blocks format in state.h.
 *
 * All changes of heap structure are saved like any other. Memory that was free
 * when the transaction began and holds no structure need not be (log_take).
 * Memory that the same transaction freed held content: when it is given out
 * again, all of it is saved.
 */
#include <lib/arena/state.h>

#include <lib/base/checked.h>
#include <lib/base/string.h>

#define USED		1ul
#define PREVIOUS_USED	2ul
#define FLAGS		15ul
#define LARGE		512u	/* blocks above it are not just saved */
#define SMALL_END	(BIN_SMALL * BLOCK_UNIT)

struct block {
	uint64_t word;			/* size | flags */
	struct block *next, *previous;	/* of its bin, if free */
	/* ... and the last 8 bytes of a free block repeat its size. */
};

static uint64_t
size_of(const struct block *block)
{
	return block->word & ~FLAGS;
}

static bool
is_used(const struct block *block)
{
	return (block->word & USED) != 0;
}

static struct block *
block_at(const struct block *block, uint64_t offset)
{
	return (struct block *)((uintptr_t)block + offset);
}

static struct block *
block_after(const struct block *block)
{
	return block_at(block, size_of(block));
}

static uint64_t *
end_word(const struct block *block, uint64_t size)
{
	return (uint64_t *)((uintptr_t)block + size - WORD);
}

/* The size in front of a block whose neighbour is free. */
static uint64_t
size_before(const struct block *block)
{
	return ((const uint64_t *)block)[-1];
}

/* User memory begins at multiples of 16, size words 8 bytes before. */
static struct block *
first_block(const struct arena_header *header)
{
	return (struct block *)((uintptr_t)header + header->heap_start + WORD);
}

static struct block *
last_block(const struct arena_header *header)
{
	return (struct block *)((uintptr_t)header + header->size - WORD);
}

static unsigned
bin_of(uint64_t size)
{
	if (size < SMALL_END)
		return (unsigned)(size / BLOCK_UNIT);
	unsigned log = 63 - (unsigned)__builtin_clzl(size);
	unsigned bin = BIN_SMALL + (log - 10) * 8 +
	    (unsigned)(size >> (log - 3) & 7);
	return bin < BIN_COUNT ? bin : BIN_COUNT - 1;
}

void
heap_create(struct arena_header *header)
{
	struct heap *heap = &header->heap;
	struct block *block = first_block(header);
	uint64_t size = (uintptr_t)last_block(header) - (uintptr_t)block;
	unsigned bin = bin_of(size);

	memset(heap, 0, sizeof(*heap));
	*block = (struct block){ .word = size | PREVIOUS_USED };
	*end_word(block, size) = size;
	last_block(header)->word = USED;
	heap->bin[bin] = block;
	heap->map[bin / 64] = 1ul << bin % 64;
	heap->high = header->heap_start + WORD + sizeof(*block);
}

/* --- Bins. --- */

/* The totals that almost every change touches, in one entry of the log. */
static status_t
save_totals(struct arena *arena)
{
	struct heap *heap = &arena->header->heap;

	return tx_add(arena, heap, offsetof(struct heap, bin));
}

static status_t
bin_insert(struct arena *arena, struct block *block)
{
	struct heap *heap = &arena->header->heap;
	unsigned bin = bin_of(size_of(block));
	struct block *head = heap->bin[bin];

	if (tx_add(arena, &heap->bin[bin], sizeof(head)) != OK ||
	    tx_add(arena, block, sizeof(*block)) != OK)
		return ERR_NOMEM;
	if (head != NULL && TX_SET(arena, head->previous, block) != OK)
		return ERR_NOMEM;
	block->next = head;
	block->previous = NULL;
	heap->bin[bin] = block;
	heap->map[bin / 64] |= 1ul << bin % 64;
	return OK;
}

static status_t
bin_remove(struct arena *arena, struct block *block)
{
	struct heap *heap = &arena->header->heap;
	unsigned bin = bin_of(size_of(block));
	struct block *next = block->next, *previous = block->previous;

	if (next != NULL && TX_SET(arena, next->previous, previous) != OK)
		return ERR_NOMEM;
	if (previous != NULL)
		return TX_SET(arena, previous->next, next);
	if (TX_SET(arena, heap->bin[bin], next) != OK)
		return ERR_NOMEM;
	if (next == NULL)
		heap->map[bin / 64] &= ~(1ul << bin % 64);
	return OK;
}

/* First bin >= bin that is not empty, or BIN_COUNT. */
static unsigned
bin_next(const struct heap *heap, unsigned bin)
{
	while (bin < BIN_COUNT) {
		uint64_t map = heap->map[bin / 64] >> bin % 64;

		if (map != 0)
			return bin + (unsigned)__builtin_ctzl(map);
		bin = (bin / 64 + 1) * 64;
	}
	return BIN_COUNT;
}

static struct block *
find(const struct heap *heap, uint64_t size)
{
	unsigned own = bin_of(size);
	/* Blocks of the own bin all fit if the bin has one size. */
	unsigned bin = bin_next(heap, size < SMALL_END ? own : own + 1);

	if (bin < BIN_COUNT)
		return heap->bin[bin];
	for (struct block *b = heap->bin[own]; b != NULL; b = b->next)
		if (size_of(b) >= size)
			return b;
	return NULL;
}

/* --- Allocation. --- */

/* Cuts a free block, out of its bin, to size; the rest becomes free. */
static status_t
take(struct arena *arena, struct block *block, uint64_t size)
{
	uint64_t whole = size_of(block), rest = whole - size;
	struct block *after = block_after(block);

	if (tx_add(arena, block, sizeof(*block)) != OK ||
	    tx_add(arena, end_word(block, whole), WORD) != OK)
		return ERR_NOMEM;
	if (rest < BLOCK_MIN) {
		if (tx_add(arena, after, WORD) != OK)
			return ERR_NOMEM;
		after->word |= PREVIOUS_USED;
		block->word |= USED;
		return OK;
	}
	block->word = size | USED | (block->word & PREVIOUS_USED);
	after = block_at(block, size);
	if (tx_add(arena, after, sizeof(*after)) != OK)
		return ERR_NOMEM;
	after->word = rest | PREVIOUS_USED;
	*end_word(after, rest) = rest;
	return bin_insert(arena, after);
}

/*
 * A large block whose content at the start of the transaction does not matter.
 * All but the links and the last word, which are saved as structure is; before
 * other words of these pages are, for log_take.
 */
static status_t
take_large(struct arena *arena, struct block *block, uint64_t size)
{
	uint64_t *last = (uint64_t *)(void *)block_at(block, size) - 1;

	if (log_take(arena, block + 1, size - sizeof(*block) - WORD, true) !=
	    OK || tx_add(arena, block, sizeof(*block)) != OK)
		return ERR_NOMEM;
	return tx_add(arena, last, WORD);
}

/* Totals are saved. A free block that is left begins behind the block. */
static void
note_used(struct arena *arena, const struct block *block, uint64_t size)
{
	struct heap *heap = &arena->header->heap;
	uint64_t end = (uintptr_t)block - (uintptr_t)arena->header + size +
	    sizeof(*block);

	heap->bytes_used += size;
	if (heap->high < end)
		heap->high = end;
}

/* Makes the block used, its memory zero. */
static status_t
prepare(struct arena *arena, struct block *block, uint64_t size)
{
	uint64_t whole = size_of(block);
	void *memory = &block->next;

	if (whole - size < BLOCK_MIN)
		size = whole;
	/*
	 * The length is one word too long on purpose: the end word of a free
	 * block lies before freed memory that it was merged with.
	 */
	bool large = size > LARGE && !log_was_freed(arena, memory, size);
	status_t status = large ? take_large(arena, block, size) :
	    tx_add(arena, block, size);
	if (status != OK || bin_remove(arena, block) != OK ||
	    take(arena, block, size) != OK)
		return ERR_NOMEM;
	note_used(arena, block, size);
	if (large) {
		block->next = block->previous = NULL;
		((uint64_t *)(void *)block_at(block, size))[-1] = 0;
	} else {
		memset(memory, 0, size - WORD);
	}
	return OK;
}

void *
arena_alloc(struct arena *arena, size_t length)
{
	uint64_t size;

	if (!arena->open)
		arena_fail(arena, "arena_alloc outside a transaction");
	if (length > arena->header->size ||
	    !checked_round_up(length + WORD, BLOCK_UNIT, &size))
		return NULL;
	if (size < BLOCK_MIN)
		size = BLOCK_MIN;
	struct block *block = find(&arena->header->heap, size);
	if (block == NULL)
		return NULL;
	if (save_totals(arena) != OK || prepare(arena, block, size) != OK) {
		arena->broken = true;
		return NULL;
	}
	return &block->next;
}

static struct block *
checked_block(const struct arena *arena, const void *pointer)
{
	const struct arena_header *header = arena->header;
	struct block *block = (struct block *)((uintptr_t)pointer - WORD);
	struct block *last = last_block(header);

	if ((uintptr_t)pointer % BLOCK_UNIT != 0 ||
	    block < first_block(header) || block >= last ||
	    !is_used(block) || size_of(block) < BLOCK_MIN ||
	    size_of(block) > (uintptr_t)last - (uintptr_t)block ||
	    (block_after(block)->word & PREVIOUS_USED) == 0)
		arena_fail(arena, "arena_free of what is no block");
	return block;
}

/* The block that a check looks at next stays one when blocks are merged. */
static void
move_walk(struct arena *arena, const struct block *merged, uint64_t size)
{
	uint64_t offset = (uintptr_t)merged - (uintptr_t)arena->header;

	if (arena->walk - offset < size)
		arena->walk = offset;
}

/* Makes the block free, together with free neighbours. */
static status_t
release(struct arena *arena, struct block *block)
{
	struct block *after = block_after(block);
	uint64_t size = size_of(block);

	log_add_freed(arena, block, size);
	if (save_totals(arena) != OK)
		return ERR_NOMEM;
	arena->header->heap.bytes_used -= size;
	if (!is_used(after)) {
		if (bin_remove(arena, after) != OK)
			return ERR_NOMEM;
		size += size_of(after);
		after = block_after(after);
	}
	if ((block->word & PREVIOUS_USED) == 0) {
		block = (struct block *)((uintptr_t)block - size_before(block));
		if (bin_remove(arena, block) != OK)
			return ERR_NOMEM;
		size += size_of(block);
	}
	if (tx_add(arena, block, sizeof(*block)) != OK ||
	    tx_add(arena, end_word(block, size), WORD) != OK ||
	    tx_add(arena, after, WORD) != OK)
		return ERR_NOMEM;
	move_walk(arena, block, size);
	block->word = size | PREVIOUS_USED;
	*end_word(block, size) = size;
	after->word &= ~PREVIOUS_USED;
	return bin_insert(arena, block);
}

status_t
arena_free(struct arena *arena, void *pointer)
{
	if (!arena->open)
		arena_fail(arena, "arena_free outside a transaction");
	if (release(arena, checked_block(arena, pointer)) == OK)
		return OK;
	arena->broken = true;
	return ERR_NOMEM;
}

/* --- Checks. --- */

static bool
block_ok(const struct arena_header *header, const struct block *block,
    bool previous_used)
{
	uint64_t size = size_of(block);
	const struct block *last = last_block(header);

	if (size < BLOCK_MIN || size % BLOCK_UNIT != 0 ||
	    size > (uintptr_t)last - (uintptr_t)block ||
	    ((block->word & PREVIOUS_USED) != 0) != previous_used ||
	    (block->word & FLAGS & ~(USED | PREVIOUS_USED)) != 0)
		return false;
	/* Neighbours would have been merged. */
	return is_used(block) ||
	    (previous_used && *end_word(block, size) == size);
}

static bool
in_heap(const struct arena_header *header, const struct block *block)
{
	return block >= first_block(header) && block < last_block(header) &&
	    ((uintptr_t)block + WORD) % BLOCK_UNIT == 0;
}

/* Every listed block is free and of the bin; counts them. */
static bool
bins_ok(const struct arena_header *header, uint64_t *out_free)
{
	const struct heap *heap = &header->heap;
	uint64_t limit = header->size / BLOCK_MIN;

	for (unsigned bin = 0; bin < BIN_COUNT; bin++) {
		const struct block *b = heap->bin[bin], *previous = NULL;

		if ((heap->map[bin / 64] >> bin % 64 & 1) != (b != NULL))
			return false;
		for (; b != NULL; previous = b, b = b->next) {
			if (!in_heap(header, b) || is_used(b) ||
			    bin_of(size_of(b)) != bin ||
			    b->previous != previous || ++*out_free > limit)
				return false;
		}
	}
	return true;
}

bool
heap_ok(const struct arena *arena)
{
	const struct arena_header *header = arena->header;
	const struct block *block = first_block(header);
	const struct block *last = last_block(header);
	uint64_t used = 0, walked_free = 0, listed_free = 0;
	bool previous_used = true;

	while (block < last) {
		if (!block_ok(header, block, previous_used))
			return false;
		previous_used = is_used(block);
		if (previous_used)
			used += size_of(block);
		else
			walked_free++;
		block = block_after(block);
	}
	return block == last && size_of(last) == 0 && is_used(last) &&
	    ((last->word & PREVIOUS_USED) != 0) == previous_used &&
	    bins_ok(header, &listed_free) && listed_free == walked_free &&
	    used == header->heap.bytes_used;
}

/* Is it where its bin, or the one before it there, says? */
static bool
is_listed(const struct arena_header *header, const struct block *block)
{
	const struct block *previous = block->previous, *next = block->next;

	if (next != NULL && (!in_heap(header, next) || is_used(next) ||
	    next->previous != block))
		return false;
	if (previous == NULL)
		return header->heap.bin[bin_of(size_of(block))] == block;
	return in_heap(header, previous) && !is_used(previous) &&
	    previous->next == block;
}

bool
heap_step_ok(const struct arena *arena, uint64_t *walk)
{
	const struct arena_header *header = arena->header;
	const struct block *block = *walk == 0 ? first_block(header) :
	    block_at((const struct block *)header, *walk);
	const struct block *last = last_block(header);

	if (block == last) {
		*walk = 0;
		return size_of(last) == 0 && is_used(last);
	}
	if (!block_ok(header, block, (block->word & PREVIOUS_USED) != 0) ||
	    (!is_used(block) && !is_listed(header, block)))
		return false;
	const struct block *after = block_after(block);
	*walk = (uintptr_t)after - (uintptr_t)header;
	return ((after->word & PREVIOUS_USED) != 0) == is_used(block);
}
