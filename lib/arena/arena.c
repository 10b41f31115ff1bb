/* SPDX-License-Identifier: MIT */
/*
 * Opening an arena, the frame of a transaction, checks (see arena.h, state.h).
 *
 * A region becomes an arena by writing everything, then the seal. A crash
 * before the seal leaves a region that is prepared again from the start: all
 * that was written so far is written again. A region without a seal that has a
 * root or a log was an arena once, and is refused.
 *
 * Handles are few and static, because nothing below this library gives out
 * memory. A service has one arena; a test may have up to HANDLES at a time,
 * then the handle that was opened first is used again.
 */
#include <lib/arena/state.h>

#include <lib/base/hash.h>
#include <lib/base/string.h>

#define HANDLES		16u
#define PAGES_VERIFIED	64u		/* after an interrupted transaction */
#define BLOCKS_PER_STEP	64u		/* of arena_check_step */
#define LOG_SHARE	8u		/* of the region, one part in */
#define LOG_SIZE_MIN	8192u
#define LOG_SIZE_MAX	(LOG_MASK * LOG_UNIT / 2)
#define ARENA_SIZE_MIN	32768u

static struct arena handles[HANDLES];
static unsigned opened;

_Noreturn void
arena_fail(const struct arena *arena, const char *reason)
{
	if (arena->environment.fail != NULL)
		arena->environment.fail(reason);
	__builtin_trap();
}

static uint64_t
page_round(uint64_t value)
{
	return (value + PAGE_MASK) & ~PAGE_MASK;
}

static uint64_t
seal_of(const struct arena_header *header)
{
	return hash_bytes(ARENA_MAGIC, header,
	    offsetof(struct arena_header, seal)) | 1;
}

static uint64_t
layout_seal_of(uint64_t version)
{
	return hash_mix(version ^ ARENA_MAGIC);
}

static void
set_layout(struct arena_header *header, uint64_t version)
{
	header->layout_version = version;
	header->layout_seal = layout_seal_of(version);
}

static void
create(struct arena_header *header, uint64_t size, uint64_t layout_version,
    bool summed)
{
	uint64_t log = size / LOG_SHARE & ~PAGE_MASK;
	uint64_t sums = summed ? size / PAGE_SIZE * sizeof(struct page_sum) :
	    0;

	if (log < LOG_SIZE_MIN)
		log = LOG_SIZE_MIN;
	if (log > LOG_SIZE_MAX)
		log = LOG_SIZE_MAX & ~PAGE_MASK;
	header->magic = ARENA_MAGIC;
	header->base = (uint64_t)(uintptr_t)header;
	header->size = size;
	header->summed = summed;
	/* Whole pages: they are writable when others are not. */
	header->sums_start = page_round(sizeof(*header));
	header->map_start = header->sums_start + sums;
	header->log_start = page_round(header->map_start + size / WORD / 8);
	header->log_size = log;
	header->heap_start = header->log_start + log;
	header->root = NULL;
	set_layout(header, layout_version);
	heap_create(header);
	if (summed)
		sum_create(header);
	compiler_barrier();
	__atomic_store_n(&header->seal, seal_of(header), __ATOMIC_RELEASE);
}

/* Was nothing ever committed, nor begun? */
static bool
is_fresh(const struct arena_header *header)
{
	return header->seal == 0 && header->commit == 0 &&
	    header->root == NULL &&
	    (header->magic == 0 || header->magic == ARENA_MAGIC);
}

/* Sealed, so this fails only for a region that was moved or forged. */
static bool
places_ok(const struct arena_header *header)
{
	uint64_t size = header->size;
	uint64_t sums = header->summed != 0 ?
	    size / PAGE_SIZE * sizeof(struct page_sum) : 0;

	return header->base == (uint64_t)(uintptr_t)header &&
	    header->summed <= 1 && size % PAGE_SIZE == 0 &&
	    header->sums_start == page_round(sizeof(*header)) &&
	    header->map_start == header->sums_start + sums &&
	    header->log_start == page_round(header->map_start +
	    size / WORD / 8) && header->log_size < size &&
	    header->log_size % PAGE_SIZE == 0 &&
	    header->heap_start == header->log_start + header->log_size &&
	    header->heap_start <= size - PAGE_SIZE;
}

static status_t
check(const struct arena_header *header, uint64_t size)
{
	if (header->magic != ARENA_MAGIC || header->seal != seal_of(header))
		return ERR_CORRUPT;
	if (header->size != size)
		return ERR_RANGE;
	return places_ok(header) && log_ok(header) ? OK : ERR_CORRUPT;
}

/* What check() does not say of an arena without an open transaction. */
static bool
content_ok(const struct arena_header *header)
{
	uintptr_t root = (uintptr_t)header->root, base = (uintptr_t)header;

	return header->layout_seal == layout_seal_of(header->layout_version) &&
	    (root == 0 || (root >= base + header->heap_start &&
	    root < base + header->size));
}

/* --- Rolling back at the start. --- */

struct pages {
	uint64_t page[PAGES_VERIFIED];
	unsigned count;
};

static void
pages_add(struct pages *pages, uint64_t page)
{
	for (unsigned i = 0; i < pages->count; i++)
		if (pages->page[i] == page)
			return;
	if (pages->count < PAGES_VERIFIED)
		pages->page[pages->count++] = page;
}

/* Pages that the open transaction changed; the first few if it is large. */
static void
find_touched(const struct arena_header *header, struct pages *out_pages)
{
	uint64_t used = log_length(header);
	struct log_entry entry;

	out_pages->count = 0;
	for (; used > 0 && log_entry_at(header, used, &entry);
	    used -= entry.size)
		pages_add(out_pages, entry.first / PAGE_WORDS);
}

/*
 * Undoes the open transaction. The pages that it had changed must then be what
 * their sums say; all others are looked at in the background.
 */
static status_t
recover(struct arena_header *header)
{
	struct pages touched;

	find_touched(header, &touched);
	if (!log_roll_back(header, 0) || !content_ok(header))
		return ERR_CORRUPT;
	for (unsigned i = 0; i < touched.count && header->summed != 0; i++)
		if (!sum_ok(header, touched.page[i]))
			return ERR_CORRUPT;
	return OK;
}

static struct arena *
handle_for(const struct arena_header *header)
{
	for (unsigned i = 0; i < HANDLES; i++)
		if (handles[i].header == header)
			return &handles[i];
	return &handles[opened++ % HANDLES];
}

/* Words outside of the header, so that the hot path need not ask it. */
static void
note_places(struct arena *arena)
{
	struct arena_header *header = arena->header;

	arena->size = header->size;
	arena->heap_start = header->heap_start;
	arena->words = word_at(header, 0);
	arena->map = saved_map(header);
	arena->log = word_at(header, header->log_start / WORD);
	arena->log_words = header->log_size / WORD;
	arena->sums_first = header->sums_start / WORD;
	arena->sums_words = (header->map_start - header->sums_start) / WORD;
	if (header->summed != 0)
		arena->sums = sum_of_page(header, 0);
}

status_t
arena_open(void *base, size_t size, uint64_t layout_version,
    const struct arena_environment *environment, struct arena **out_arena)
{
	struct arena_header *header = base;

	if (size < ARENA_SIZE_MIN || size % PAGE_SIZE != 0 ||
	    (uintptr_t)base % BLOCK_UNIT != 0)
		return ERR_ARG;
	if (is_fresh(header))
		create(header, size, layout_version,
		    environment != NULL && environment->sums);
	status_t status = check(header, size);
	if (status == OK)
		status = recover(header);
	if (status != OK)
		return status;
	struct arena *arena = handle_for(header);
	*arena = (struct arena){ .header = header };
	note_places(arena);
	if (environment != NULL)
		arena->environment = *environment;
	*out_arena = arena;
	return OK;
}

uint64_t
arena_layout_version(const struct arena *arena)
{
	return arena->header->layout_version;
}

status_t
arena_set_layout_version(struct arena *arena, uint64_t version)
{
	struct arena_header *header = arena->header;

	if (tx_add(arena, &header->layout_version,
	    sizeof(header->layout_version) + sizeof(header->layout_seal)) != OK)
		return ERR_NOMEM;
	set_layout(header, version);
	return OK;
}

status_t
arena_set_plain(struct arena *arena, void *pointer, size_t length)
{
	struct arena_header *header = arena->header;
	uint64_t offset = (uintptr_t)pointer - (uintptr_t)header;
	uint64_t start = page_round(offset);
	uint64_t end = (offset + length) & ~PAGE_MASK;

	if (offset < header->heap_start || start >= end || end > header->size)
		return ERR_RANGE;
	if (tx_add(arena, &header->plain_start, 2 * WORD) != OK)
		return ERR_NOMEM;
	header->plain_start = start;
	header->plain_length = end - start;
	return OK;
}

void
arena_tables(const struct arena *arena, void **out_start, size_t *out_length)
{
	const struct arena_header *header = arena->header;

	*out_start = (uint8_t *)arena->header + header->sums_start;
	*out_length = header->heap_start - header->sums_start;
}

void
tx_begin(struct arena *arena)
{
	if (arena->open)
		arena_fail(arena, "a transaction is open already");
	log_start_transaction(arena);
	arena->open = true;
	arena->broken = false;
	if (arena->environment.open_all != NULL)
		arena->environment.open_all(arena->environment.context);
}

static void
end(struct arena *arena)
{
	arena->open = false;
	if (arena->environment.close_all != NULL)
		arena->environment.close_all(arena->environment.context);
}

void
tx_commit(struct arena *arena)
{
	if (!arena->open)
		arena_fail(arena, "commit outside a transaction");
	if (arena->broken)
		arena_fail(arena, "commit after the log was full");
	log_commit(arena);
	end(arena);
}

void
tx_abort(struct arena *arena)
{
	if (!arena->open)
		arena_fail(arena, "abort outside a transaction");
	if (!log_ok(arena->header) || !log_roll_back(arena->header, 0))
		arena_fail(arena, "the undo log is damaged");
	end(arena);
}

uint64_t
tx_savepoint(struct arena *arena)
{
	if (!arena->open)
		arena_fail(arena, "savepoint outside a transaction");
	if (arena->broken)
		arena_fail(arena, "savepoint after the log was full");
	log_settle(arena);
	arena->has_savepoint = true;
	return arena->settled;
}

void
tx_rollback_to(struct arena *arena, uint64_t savepoint)
{
	if (!arena->open || !arena->has_savepoint ||
	    savepoint > arena->settled)
		arena_fail(arena, "no such savepoint");
	if (!log_roll_back(arena->header, savepoint))
		arena_fail(arena, "the undo log is damaged");
	arena->settled = savepoint;
	/* What stopped half way came after the savepoint. */
	arena->broken = false;
}

bool
tx_is_open(const struct arena *arena)
{
	return arena->open;
}

void *
arena_root(const struct arena *arena)
{
	return arena->header->root;
}

status_t
arena_set_root(struct arena *arena, void *root)
{
	return TX_SET(arena, arena->header->root, root);
}

size_t
arena_bytes_used(const struct arena *arena)
{
	return arena->header->heap.bytes_used;
}

static bool
map_ok(const struct arena_header *header, uint64_t page)
{
	const uint64_t *map = saved_map(header) + page * PAGE_WORDS /
	    CHUNK_WORDS;

	for (unsigned i = 0; i < PAGE_WORDS / CHUNK_WORDS; i++)
		if (map[i] != 0)
			return false;
	return true;
}

/* Between transactions. */
static bool
page_ok(const struct arena_header *header, uint64_t page)
{
	/* Never used; the last page has the end of the heap. */
	if (page * PAGE_SIZE >= header->heap.high &&
	    page + 1 < header->size / PAGE_SIZE)
		return true;
	return map_ok(header, page) &&
	    (header->summed == 0 || sum_ok(header, page));
}

bool
arena_ok(const struct arena *arena)
{
	const struct arena_header *header = arena->header;

	if (check(header, header->size) != OK || !content_ok(header))
		return false;
	for (uint64_t page = 0; !arena->open && page < header->size /
	    PAGE_SIZE; page++)
		if (!page_ok(header, page))
			return false;
	return heap_ok(arena);
}

/* Positions: the header, each page, then blocks as arena->walk says. */
status_t
arena_check_step(struct arena *arena, uint64_t *position, bool *out_done)
{
	const struct arena_header *header = arena->header;
	uint64_t pages = header->size / PAGE_SIZE;
	uint64_t at = (*position)++;

	*out_done = false;
	if (arena->open)
		arena_fail(arena, "a check inside a transaction");
	if (at == 0)
		return check(header, header->size) == OK &&
		    content_ok(header) && log_length(header) == 0 ? OK :
		    ERR_CORRUPT;
	if (at <= pages) {
		arena->walk = 0;
		return page_ok(header, at - 1) ? OK : ERR_CORRUPT;
	}
	for (unsigned i = 0; i < BLOCKS_PER_STEP && !*out_done; i++) {
		if (!heap_step_ok(arena, &arena->walk))
			return ERR_CORRUPT;
		*out_done = arena->walk == 0;
	}
	if (*out_done)
		*position = 0;
	return OK;
}

uint64_t
arena_commits(const struct arena *arena)
{
	return arena->header->commit >> COMMIT_SHIFT;
}
