/* SPDX-License-Identifier: MIT */
#include <lib/service/guest/protect.h>

#include <idl/place.h>
#include <kernel_calls.h>
#include <lib/base/string.h>
#include <lib/service/loop.h>

#define OPEN_MAX	16u	/* ranges that stay writable, see protect.h */
#define HINTS		64u	/* power of two */
#define KEPT_MAX	2u	/* tables of the arena, pages of the loop */

#define PKRU_OPEN	0u
#define PKRU_CLOSED	(2u << (2 * PLACE_ARENA_PKEY))	/* no writes */

struct range {
	uint64_t start, end;	/* page aligned */
};

static struct {
	enum protection kind;
	bool	 all;		/* the whole arena is writable */
	struct range arena;
	struct range kept[KEPT_MAX];	/* always writable, by address */
	unsigned kept_count;
	uint64_t transaction;	/* number of the current one */
	unsigned next;		/* of open[], to be reused */
	struct {
		struct range range;	/* end 0: none */
		uint64_t used;		/* transaction that wrote it last */
	} open[OPEN_MAX];
	uint8_t	 hint[HINTS];	/* by page: an entry that may cover it */
} protect;

bool runtime_dirty;

static void
set_pages(const struct range *range, unsigned flags)
{
	status_t status = kernel_protect(range->start,
	    range->end - range->start, flags);

	if (status != OK)
		service_panic("arena: protect failed with status %lu", status);
}

static bool
covers(const struct range *outer, const struct range *inner)
{
	return outer->start <= inner->start && inner->end <= outer->end;
}

static struct range
pages_of(const void *start, uint64_t length)
{
	uint64_t address = (uint64_t)start;

	return (struct range){ address & ~PAGE_MASK,
	    (address + length + PAGE_MASK) & ~PAGE_MASK };
}

static void
open_keys(void *context)
{
	(void)context;
	kernel_write_pkru(PKRU_OPEN);
}

static void
close_keys(void *context)
{
	(void)context;
	kernel_write_pkru(PKRU_CLOSED);
}

static void
note_change(void *context, void *start, size_t length)
{
	(void)context;
	(void)start;
	(void)length;
	runtime_dirty = true;
}

/* Everything but the pages that stay writable. */
static void
close_range(const struct range *range)
{
	struct range rest = *range;

	for (unsigned i = 0; i < protect.kept_count; i++) {
		const struct range *kept = &protect.kept[i];
		struct range below = { rest.start, rest.end };

		if (below.end > kept->start)
			below.end = kept->start;
		if (below.start < below.end)
			set_pages(&below, MAP_READ);
		if (rest.start < kept->end)
			rest.start = kept->end;
	}
	if (rest.start < rest.end)
		set_pages(&rest, MAP_READ);
}

static bool
is_kept(const struct range *range)
{
	for (unsigned i = 0; i < protect.kept_count; i++)
		if (covers(&protect.kept[i], range))
			return true;
	return false;
}

/* Other entries may lie in the same pages: they are made writable again. */
static void
close_entry(unsigned entry)
{
	struct range closed = protect.open[entry].range;

	if (closed.end == 0)
		return;
	protect.open[entry].range = (struct range){ 0, 0 };
	close_range(&closed);
	for (unsigned i = 0; i < OPEN_MAX; i++) {
		const struct range *other = &protect.open[i].range;
		if (other->start < closed.end && closed.start < other->end)
			set_pages(other, MAP_READ | MAP_WRITE);
	}
}

/* An entry that this transaction does not need; OPEN_MAX if there is none. */
static unsigned
find_entry(void)
{
	for (unsigned i = 0; i < OPEN_MAX; i++) {
		unsigned entry = (protect.next + i) % OPEN_MAX;
		if (protect.open[entry].used != protect.transaction)
			return entry;
	}
	return OPEN_MAX;
}

/* An entry that covers the range; OPEN_MAX if there is none. */
static unsigned
find_covering(const struct range *range)
{
	for (unsigned i = 0; i < OPEN_MAX; i++)
		if (covers(&protect.open[i].range, range))
			return i;
	return OPEN_MAX;
}

/* Another entry for the range; OPEN_MAX: now everything is writable. */
static unsigned
open_range(const struct range *range)
{
	unsigned entry = find_entry();

	if (entry == OPEN_MAX) {
		protect.all = true;
		set_pages(&protect.arena, MAP_READ | MAP_WRITE);
		return entry;
	}
	close_entry(entry);
	set_pages(range, MAP_READ | MAP_WRITE);
	protect.open[entry].range = *range;
	protect.next = entry + 1;
	return entry;
}

static void
expose_pages(void *context, void *start, size_t length)
{
	struct range range = pages_of(start, length);
	uint8_t *hint = &protect.hint[range.start / PAGE_SIZE % HINTS];
	unsigned entry = *hint;

	(void)context;
	runtime_dirty = true;
	if (protect.all || is_kept(&range))
		return;
	if (!covers(&protect.open[entry].range, &range)) {
		entry = find_covering(&range);
		if (entry == OPEN_MAX)
			entry = open_range(&range);
		if (entry == OPEN_MAX)
			return;
		*hint = (uint8_t)entry;
	}
	protect.open[entry].used = protect.transaction;
}

/* The end of a transaction. */
static void
close_pages(void *context)
{
	(void)context;
	protect.transaction++;
	if (!protect.all)
		return;
	protect.all = false;
	for (unsigned i = 0; i < OPEN_MAX; i++)
		protect.open[i].range = (struct range){ 0, 0 };
	close_range(&protect.arena);
}

void
protect_start(uint64_t arena_size, enum protection kind,
    struct arena_environment *out_environment)
{
	memset(&protect, 0, sizeof(protect));
	protect.kind = kind;
	protect.arena.start = PLACE_ARENA_BASE;
	protect.arena.end = PLACE_ARENA_BASE + arena_size;
	protect.all = true;
	protect.transaction = 1;
	if (kind == PROTECT_KEYS)
		kernel_write_pkru(PKRU_OPEN);
	out_environment->open_all = kind == PROTECT_KEYS ? open_keys : NULL;
	out_environment->close_all = kind == PROTECT_KEYS ? close_keys :
	    kind == PROTECT_PAGES ? close_pages : NULL;
	out_environment->expose = kind == PROTECT_PAGES ? expose_pages :
	    note_change;
}

static void
keep(struct range range)
{
	unsigned count = protect.kept_count;

	if (count == KEPT_MAX || (count != 0 &&
	    range.start < protect.kept[count - 1].end))
		service_panic("arena: these pages cannot be kept writable");
	protect.kept[protect.kept_count++] = range;
	set_pages(&range, MAP_READ | MAP_WRITE);
}

void
protect_close(const struct arena *arena)
{
	void *tables;
	size_t length;

	if (protect.kind == PROTECT_KEYS)
		kernel_write_pkru(PKRU_CLOSED);
	if (protect.kind != PROTECT_PAGES)
		return;
	arena_tables(arena, &tables, &length);
	keep(pages_of(tables, length));
	close_pages(NULL);
}

void
runtime_keep_writable(void *start, size_t length)
{
	struct range range = pages_of(start, length);

	if (protect.kind != PROTECT_PAGES)
		return;
	/* The padding at both ends keeps neighbours out of these pages. */
	range.start += PAGE_SIZE;
	range.end -= PAGE_SIZE;
	keep(range);
}

static uint64_t
word_in(const struct range *range, uint64_t random)
{
	return range->start + random % ((range->end - range->start) / 8) * 8;
}

/* One of the ranges that are open, each as likely. */
static uint64_t
find_open(uint64_t random)
{
	const struct range *found[KEPT_MAX + OPEN_MAX];
	unsigned count = 0;

	if (protect.all)
		return word_in(&protect.arena, random);
	for (unsigned i = 0; i < protect.kept_count; i++)
		found[count++] = &protect.kept[i];
	for (unsigned i = 0; i < OPEN_MAX; i++)
		if (protect.open[i].range.end != 0)
			found[count++] = &protect.open[i].range;
	return count == 0 ? 0 :
	    word_in(found[random % count], random / OPEN_MAX);
}

/* The first page that is not open, from the one drawn on. */
static uint64_t
find_closed(uint64_t random)
{
	uint64_t pages = (protect.arena.end - protect.arena.start) / PAGE_SIZE;

	for (uint64_t i = 0; i < pages; i++) {
		uint64_t start = protect.arena.start +
		    (random + i) % pages * PAGE_SIZE;
		struct range page = { start, start + PAGE_SIZE };
		if (!is_kept(&page) && find_covering(&page) == OPEN_MAX)
			return word_in(&page, random >> 32);
	}
	return 0;
}

uint64_t
protect_find(uint64_t random, bool open)
{
	if (protect.kind == PROTECT_KEYS)
		return open ? 0 : word_in(&protect.arena, random);
	if (open)
		return find_open(random);
	return protect.all ? 0 : find_closed(random);
}
