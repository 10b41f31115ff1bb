/* SPDX-License-Identifier: MIT */
/*
 * A crash at every instruction of a transaction.
 *
 * A child runs the transaction one instruction at a time on shared memory.
 * After each, the parent copies the arena to the same address in its own
 * memory, opens it, and must find the state before or the state after; once
 * the state after was seen, never the one before again. The same is done with
 * the opening itself, which rolls back: it may be cut off and repeated.
 */
#include <lib/arena/state.h>
#include <lib/base/hash.h>
#include <lib/test/ktap.h>
#include <lib/test/step.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BASE	((void *)0x710000000000ul)
#define SIZE	(64ul << 10)
#define BLOCKS	6u

struct root {
	struct arena_list list, node[BLOCKS];
	struct arena_map *map;
	uint64_t length[BLOCKS];
	uint8_t	*block[BLOCKS];
};

struct run {
	void	(*change)(struct arena *arena);	/* inside the transaction */
	bool	 abort;
	uint8_t	*alias;			/* the memory of the child */
	uint64_t before, after;		/* digests */
	bool	 seen_after;
	uint64_t wrong;			/* looks that found neither */
};

static struct root *
root_of(const struct arena *arena)
{
	return arena_root(arena);
}

static struct arena *
open_arena(void)
{
	struct arena *arena;

	return arena_open(BASE, SIZE, 1, NULL, &arena) == OK ? arena : NULL;
}

/* All that the root leads to; 0 is an arena without a root. */
static uint64_t
digest(const struct arena *arena)
{
	const struct root *r = root_of(arena);
	uint64_t hash = arena_bytes_used(arena);

	if (r == NULL)
		return 0;
	hash = hash_bytes(hash, r, sizeof(*r));
	for (uint64_t i = 0; i < BLOCKS; i++) {
		if (r->block[i] != NULL)
			hash = hash_bytes(hash, r->block[i], r->length[i]);
		hash = hash_mix(hash + (uintptr_t)arena_map_get(r->map, i));
	}
	hash = hash_mix(hash ^ arena_map_count(r->map));
	for (const struct arena_list *n = r->list.next; n != &r->list;
	    n = n->next)
		hash = hash_mix(hash ^ (uintptr_t)n);
	return hash;
}

/* --- Transactions. --- */

static void
change_start(struct arena *arena)
{
	struct root *r = arena_alloc(arena, sizeof(*r));

	arena_list_init(arena, &r->list);
	arena_map_create(arena, &r->map);
	for (unsigned i = 0; i < BLOCKS; i++) {
		r->length[i] = 40 * i + 8;
		r->block[i] = arena_alloc(arena, r->length[i]);
		memset(r->block[i], (int)i, r->length[i]);
		if (i % 2 == 0)
			arena_list_append(arena, &r->list, &r->node[i]);
		arena_map_put(arena, r->map, i, r);
	}
	arena_set_root(arena, r);
}

static void
change_field(struct arena *arena)
{
	struct root *r = root_of(arena);

	TX_SET(arena, r->node[1].next, &r->list);
}

static void
change_heap(struct arena *arena)
{
	struct root *r = root_of(arena);

	tx_add(arena, r->block, sizeof(r->block));
	tx_add(arena, r->length, sizeof(r->length));
	arena_free(arena, r->block[2]);
	arena_free(arena, r->block[3]);
	r->length[2] = 150;
	r->block[2] = arena_alloc(arena, 150);
	memset(r->block[2], 0x77, 150);
	arena_free(arena, r->block[0]);
	r->block[0] = arena_alloc(arena, 8);
	r->block[3] = arena_alloc(arena, r->length[3]);
}

static void
change_list_and_map(struct arena *arena)
{
	struct root *r = root_of(arena);

	arena_list_remove(arena, &r->node[2]);
	arena_list_append(arena, &r->list, &r->node[1]);
	arena_map_remove(arena, r->map, 2);
	arena_map_remove(arena, r->map, 4);
	for (uint64_t i = 100; i < 112; i++)
		arena_map_put(arena, r->map, i, r);
}

/* --- Harness. --- */

/* Memory that the child will share, with `content`. */
static uint8_t *
share(const uint8_t *content)
{
	int file = memfd_create("arena", 0);
	uint8_t *alias;

	if (file < 0 || ftruncate(file, SIZE) != 0 || mmap(BASE, SIZE,
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0) != BASE)
		abort();
	alias = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	close(file);
	memcpy(alias, content, SIZE);
	return alias;
}

/* The parent's own memory at the address. */
static void
own(const uint8_t *content)
{
	if (mmap(BASE, SIZE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != BASE)
		abort();
	memcpy(BASE, content, SIZE);
}

static void
transaction(void *context)
{
	const struct run *run = context;
	struct arena *arena = open_arena();

	tx_begin(arena);
	run->change(arena);
	if (run->abort)
		tx_abort(arena);
	else
		tx_commit(arena);
}

/* Opens what the child left so far. */
static bool
look(void *context, uint64_t n)
{
	struct run *run = context;
	struct arena *arena;
	uint64_t found;

	if (n == 1)
		own(run->alias);
	memcpy(BASE, run->alias, SIZE);
	arena = open_arena();
	found = arena == NULL || !arena_ok(arena) ? ~0ul : digest(arena);
	if (found == run->after)
		run->seen_after = true;
	else if (found != run->before || (run->seen_after && !run->abort))
		run->wrong++;
	return run->wrong == 0;
}

static void
every_crash(const uint8_t *content, void (*body)(void *), struct run *run)
{
	uint64_t count;

	run->alias = share(content);
	enum step_end end = step_run(body, look, run, &count);
	munmap(run->alias, SIZE);
	if (end == STEP_IMPOSSIBLE)
		KTAP_SKIP("no single steps here");
	EXPECT(end == STEP_OK);
	EXPECT_EQ(run->wrong, 0);
	printf("# %lu instructions\n", count);
}

static void
check_change(void (*change)(struct arena *), bool abort)
{
	static uint8_t content[SIZE];
	struct run run = { .change = change, .abort = abort };
	struct arena *arena;

	memset(content, 0, SIZE);
	own(content);
	arena = open_arena();
	if (change != change_start) {
		tx_begin(arena);
		change_start(arena);
		tx_commit(arena);
	}
	run.before = digest(arena);
	memcpy(content, BASE, SIZE);
	transaction(&run);
	run.after = digest(arena);
	EXPECT((run.before == run.after) == abort);
	every_crash(content, transaction, &run);
	EXPECT(run.seen_after);
}

TEST(test_crash_anywhere_in_the_first_transaction)
{
	check_change(change_start, false);
}

TEST(test_crash_anywhere_while_a_field_is_set)
{
	check_change(change_field, false);
}

TEST(test_crash_anywhere_while_the_heap_changes)
{
	check_change(change_heap, false);
}

TEST(test_crash_anywhere_in_list_and_map)
{
	check_change(change_list_and_map, false);
}

TEST(test_crash_anywhere_while_aborting)
{
	check_change(change_heap, true);
}

static void
reopen(void *context)
{
	(void)context;
	open_arena();
}

/* Cut off in the middle of a transaction, then again while rolling back. */
TEST(test_crash_anywhere_while_rolling_back)
{
	static uint8_t content[SIZE];
	struct run run = { .abort = true };
	struct arena *arena;

	memset(content, 0, SIZE);
	own(content);
	arena = open_arena();
	tx_begin(arena);
	change_start(arena);
	tx_commit(arena);
	run.before = run.after = digest(arena);
	tx_begin(arena);
	change_heap(arena);
	change_list_and_map(arena);
	EXPECT(log_length(arena->header) > 0);
	memcpy(content, BASE, SIZE);
	every_crash(content, reopen, &run);
}

TEST(test_crash_anywhere_while_a_region_is_prepared)
{
	static uint8_t content[SIZE];
	struct run run = { 0 };

	every_crash(content, reopen, &run);
}

TEST_MAIN(0)
