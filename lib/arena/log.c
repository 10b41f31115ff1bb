/* SPDX-License-Identifier: MIT */
/*
 * The undo log (format in state.h).
 *
 * Order inside tx_add: expose, write the entry, barrier, store the commit
 * word, barrier; only then may the caller change the range. Processes die,
 * machines do not, so the order of the program is the order of the memory and
 * barriers for the compiler are enough.
 *
 * A range that is saved already is not saved again. Two small memories find
 * most of these: one for what was saved, one for memory that was free when the
 * transaction began. Saving twice would be harmless, undoing goes backwards.
 */
#include <lib/arena/state.h>

#include <lib/base/checked.h>
#include <lib/base/string.h>

#define TAIL		sizeof(struct log_tail)
#define COPY_BY_WORD	128u

static uint64_t
padded(uint64_t length)
{
	return (length + LOG_UNIT - 1) & ~(uint64_t)(LOG_UNIT - 1);
}

static void
store_commit(struct arena_header *header, uint64_t value)
{
	compiler_barrier();
	__atomic_store_n(&header->commit, value, __ATOMIC_RELEASE);
	compiler_barrier();
}

static void
expose(const struct arena *arena, void *start, size_t length)
{
	if (arena->environment.expose != NULL)
		arena->environment.expose(arena->environment.context, start,
		    length);
}

static bool
contains(const struct range *range, uintptr_t start, uintptr_t end)
{
	return range->start <= start && end <= range->end;
}

static void
set_add(struct range_set *set, uintptr_t start, uintptr_t end)
{
	set->range[set->count++ % RANGE_SLOTS] = (struct range){ start, end };
}

static bool
set_contains(const struct range_set *set, uintptr_t start, uintptr_t end)
{
	unsigned count = set->count < RANGE_SLOTS ? set->count : RANGE_SLOTS;

	for (unsigned i = 0; i < count; i++)
		if (contains(&set->range[i], start, end))
			return true;
	return false;
}

void
log_start_transaction(struct arena *arena)
{
	arena->serial++;
	arena->fresh.count = 0;
	arena->freed.count = 0;
	arena->log_exposed = 0;
}

void
log_add_fresh(struct arena *arena, void *start, size_t length)
{
	expose(arena, start, length);
	set_add(&arena->fresh, (uintptr_t)start, (uintptr_t)start + length);
}

void
log_add_freed(struct arena *arena, void *start, size_t length)
{
	set_add(&arena->freed, (uintptr_t)start, (uintptr_t)start + length);
}

bool
log_was_freed(const struct arena *arena, const void *start, size_t length)
{
	uintptr_t low = (uintptr_t)start, high = low + length;

	if (arena->freed.count > RANGE_SLOTS)
		return true;
	for (unsigned i = 0; i < arena->freed.count; i++)
		if (arena->freed.range[i].start < high &&
		    low < arena->freed.range[i].end)
			return true;
	return false;
}

/* Pages of the log that the entry touches, and the header before the first. */
static void
expose_log(struct arena *arena, uint8_t *start, uint64_t length)
{
	uintptr_t end = (uintptr_t)start + length;

	if (arena->environment.expose == NULL)
		return;
	if (arena->log_exposed == 0)
		expose(arena, &arena->header->commit, sizeof(uint64_t));
	if (end <= arena->log_exposed)
		return;
	expose(arena, start, length);
	arena->log_exposed = (end + PAGE_MASK) & ~PAGE_MASK;
}

/* Whole words, mostly a few. */
static inline void
copy_words(uint64_t *to, const uint64_t *from, uint64_t length)
{
	if (length > COPY_BY_WORD) {
		memcpy(to, from, length);
		return;
	}
	for (uint64_t i = 0; i < length / sizeof(*from); i++) {
		to[i] = from[i];
		/* Else the compiler makes it a call of memcpy. */
		compiler_barrier();
	}
}

/* Start and length are whole words. */
static status_t
log_append(struct arena *arena, void *pointer, uint64_t length)
{
	struct arena_header *header = arena->header;
	uint64_t used = log_length(header), entry = length + TAIL;

	if (entry > header->log_size - used)
		return ERR_NOMEM;
	uint8_t *to = arena_base(arena) + header->log_start + used;
	expose_log(arena, to, entry);
	copy_words((uint64_t *)to, pointer, length);
	*(struct log_tail *)(to + length) = (struct log_tail){
		.offset = (uint64_t)((const uint8_t *)pointer -
		    arena_base(arena)),
		.length = length,
	};
	store_commit(header, header->commit + entry / LOG_UNIT);
	return OK;
}

/* May a transaction change it: root, heap heads, heap? */
static bool
may_change(const struct arena_header *header, uint64_t offset, uint64_t length)
{
	uint64_t low = offsetof(struct arena_header, root);

	if (offset >= header->heap_start)
		return checked_within(offset, length, header->size);
	return offset >= low && checked_within(offset - low, length,
	    sizeof(*header) - low);
}

/*
 * Saves whole words. What lies beside the range is undone to what it is now, if
 * it changes in this transaction at all: undoing goes backwards, so an earlier
 * entry has the last word.
 */
status_t
tx_add(struct arena *arena, void *pointer, size_t length)
{
	uintptr_t start = (uintptr_t)pointer, end = start + length;
	unsigned slot = (unsigned)(start / 64 % SAVED_SLOTS);

	if (!arena->open)
		arena_fail(arena, "tx_add outside a transaction");
	if (arena->saved[slot].serial == arena->serial &&
	    contains(&arena->saved[slot].range, start, end))
		return OK;
	if (!may_change(arena->header, start - (uintptr_t)arena->header,
	    length))
		arena_fail(arena, "tx_add of foreign memory");
	if (length == 0 || (arena->fresh.count != 0 &&
	    set_contains(&arena->fresh, start, end)))
		return OK;
	start &= ~(uintptr_t)(LOG_UNIT - 1);
	end = padded(end);
	status_t status = log_append(arena, (void *)start, end - start);
	if (status != OK)
		return status;
	arena->saved[slot].serial = arena->serial;
	arena->saved[slot].range = (struct range){ start, end };
	expose(arena, (void *)start, end - start);
	return OK;
}

void
tx_unused(struct arena *arena, void *pointer, size_t length)
{
	if (!arena->open)
		arena_fail(arena, "tx_unused outside a transaction");
	if (!may_change(arena->header, (uintptr_t)pointer -
	    (uintptr_t)arena->header, length))
		arena_fail(arena, "tx_unused of foreign memory");
	expose(arena, pointer, length);
}

void
log_commit(struct arena *arena)
{
	struct arena_header *header = arena->header;
	uint64_t commits = header->commit >> COMMIT_SHIFT;

	/* Nothing was changed: nothing to store, no page to expose. */
	if (log_length(header) != 0)
		store_commit(header, (commits + 1) << COMMIT_SHIFT);
}

/* The last entry; false if it makes no sense. used is not 0. */
static bool
last_entry(const struct arena_header *header, uint64_t used,
    struct log_tail *out_tail, const uint8_t **out_data)
{
	const uint8_t *end = (const uint8_t *)header + header->log_start + used;
	struct log_tail tail;

	if (used < TAIL)
		return false;
	memcpy(&tail, end - TAIL, TAIL);
	if (tail.length == 0 || tail.length > used - TAIL ||
	    padded(tail.length) > used - TAIL ||
	    !may_change(header, tail.offset, tail.length))
		return false;
	*out_tail = tail;
	*out_data = end - TAIL - padded(tail.length);
	return true;
}

bool
log_ok(const struct arena_header *header)
{
	uint64_t used = log_length(header);
	struct log_tail tail;
	const uint8_t *data;

	if (used > header->log_size)
		return false;
	for (; used > 0; used -= padded(tail.length) + TAIL)
		if (!last_entry(header, used, &tail, &data))
			return false;
	return true;
}

/* log_ok() holds. */
void
log_roll_back(struct arena_header *header)
{
	struct log_tail tail;
	const uint8_t *data;
	uint64_t used;

	while ((used = log_length(header)) > 0) {
		if (!last_entry(header, used, &tail, &data))
			return;
		memcpy((uint8_t *)header + tail.offset, data, tail.length);
		store_commit(header, header->commit -
		    (padded(tail.length) + TAIL) / LOG_UNIT);
	}
}
