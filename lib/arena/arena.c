/* SPDX-License-Identifier: MIT */
/*
 * Opening an arena, and the frame of a transaction (see arena.h, state.h).
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

static void
create(struct arena_header *header, uint64_t size, uint64_t layout_version)
{
	uint64_t log = size / LOG_SHARE & ~PAGE_MASK;

	if (log < LOG_SIZE_MIN)
		log = LOG_SIZE_MIN;
	if (log > LOG_SIZE_MAX)
		log = LOG_SIZE_MAX & ~PAGE_MASK;
	header->magic = ARENA_MAGIC;
	header->base = (uint64_t)(uintptr_t)header;
	header->size = size;
	header->layout_version = layout_version;
	header->log_start = page_round(sizeof(*header));
	header->log_size = log;
	header->heap_start = header->log_start + log;
	header->root = NULL;
	heap_create(header);
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

static status_t
check(const struct arena_header *header, uint64_t size)
{
	if (header->magic != ARENA_MAGIC || header->seal != seal_of(header))
		return ERR_CORRUPT;
	if (header->size != size)
		return ERR_RANGE;
	/* Sealed, so these fail only for a region that was moved or forged. */
	if (header->base != (uint64_t)(uintptr_t)header ||
	    header->log_start < sizeof(*header) ||
	    header->log_start > size || header->log_size > size ||
	    header->log_start + header->log_size != header->heap_start ||
	    header->heap_start > size - BLOCK_MIN ||
	    (header->log_start | header->heap_start) % BLOCK_UNIT != 0)
		return ERR_CORRUPT;
	return log_ok(header) ? OK : ERR_CORRUPT;
}

static struct arena *
handle_for(const struct arena_header *header)
{
	for (unsigned i = 0; i < HANDLES; i++)
		if (handles[i].header == header)
			return &handles[i];
	return &handles[opened++ % HANDLES];
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
		create(header, size, layout_version);
	status_t status = check(header, size);
	if (status != OK)
		return status;
	log_roll_back(header);
	struct arena *arena = handle_for(header);
	*arena = (struct arena){ .header = header };
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
	return TX_SET(arena, arena->header->layout_version, version);
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
	if (!log_ok(arena->header))
		arena_fail(arena, "the undo log is damaged");
	log_roll_back(arena->header);
	end(arena);
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

bool
arena_ok(const struct arena *arena)
{
	const struct arena_header *header = arena->header;
	uintptr_t root = (uintptr_t)header->root;
	uintptr_t base = (uintptr_t)header;

	return check(header, header->size) == OK &&
	    (root == 0 || (root >= base + header->heap_start &&
	    root < base + header->size)) && heap_ok(arena);
}

uint64_t
arena_commits(const struct arena *arena)
{
	return arena->header->commit >> COMMIT_SHIFT;
}
