/* SPDX-License-Identifier: MIT */
/*
 * A crash after every store of a transaction, for each container.
 *
 * A child runs the transaction and stops after each store to the arena. The
 * parent copies the arena to the same address in its own memory, opens it, and
 * must find the state before or the state after, with sums that are right; once
 * the state after was seen, never the one before again. The same is done with
 * the opening itself, which rolls back: it may be cut off and repeated. That
 * stores are all that counts is checked with single steps.
 */
#include <lib/arena/ring.h>
#include <lib/arena/slab.h>
#include <lib/arena/state.h>
#include <lib/arena/text.h>
#include <lib/arena/tree.h>
#include <lib/base/hash.h>
#include <lib/test/ktap.h>
#include <lib/test/store.h>

#include <stdlib.h>
#include <string.h>

#define BASE	((void *)0x710000000000ul)
#define SIZE	(64ul << 10)
#define BLOCKS	6u

struct root {
	struct arena_list list, node[BLOCKS];
	struct arena_map *map;
	uint64_t length[BLOCKS];
	uint8_t	*block[BLOCKS];
	struct arena_tree *tree;
	struct arena_ring *ring;
	struct arena_slab *slab;
	struct arena_string text[2];
	uint64_t handle[BLOCKS];
};

static const struct store_region region = { BASE, SIZE };

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
	static const struct arena_environment environment = { .sums = true };
	struct arena *arena;

	return arena_open(BASE, SIZE, 1, &environment, &arena) == OK ? arena :
	    NULL;
}

static uint64_t
digest_containers(const struct root *r, uint64_t hash)
{
	const void *record;

	for (const struct arena_tree_node *n = arena_tree_first(r->tree);
	    n != NULL; n = arena_tree_after(r->tree, arena_tree_key(n)))
		hash = hash_mix(hash ^ arena_tree_key(n).number ^
		    (uintptr_t)arena_tree_value(n));
	for (uint64_t i = 0; (record = arena_ring_at(r->ring, i)) != NULL; i++)
		hash = hash_bytes(hash, record, 24);
	for (unsigned i = 0; i < BLOCKS; i++) {
		const void *object = arena_slab_get(r->slab, r->handle[i]);
		hash = object == NULL ? hash_mix(hash) :
		    hash_bytes(hash, object, 24);
	}
	for (unsigned i = 0; i < 2; i++)
		hash = hash_bytes(hash, arena_string_bytes(&r->text[i]),
		    r->text[i].length);
	return hash_mix(hash ^ arena_slab_count(r->slab));
}

static bool
containers_ok(const struct root *r)
{
	return arena_list_ok(&r->list, 100) && arena_map_ok(r->map) &&
	    arena_tree_ok(r->tree) && arena_ring_ok(r->ring) &&
	    arena_slab_ok(r->slab) && arena_string_ok(&r->text[0]) &&
	    arena_string_ok(&r->text[1]);
}

/* All that the root leads to; 0 is an arena without a root. */
static uint64_t
digest(const struct arena *arena)
{
	const struct root *r = root_of(arena);
	uint64_t hash = arena_bytes_used(arena) ^ arena_layout_version(arena) <<
	    40;

	if (r == NULL)
		return 0;
	if (!containers_ok(r))
		return ~0ul;
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
	return digest_containers(r, hash);
}

/* --- Transactions. --- */

static void
start_containers(struct arena *arena, struct root *r)
{
	uint64_t record[3] = { 0 };

	arena_tree_create(arena, 1, &r->tree);
	arena_ring_create(arena, 4, sizeof(record), &r->ring);
	arena_slab_create(arena, sizeof(record), 40, &r->slab);
	for (unsigned i = 0; i < BLOCKS; i++) {
		record[0] = i + 1;
		arena_tree_put(arena, r->tree, arena_key(i), r);
		arena_tree_put(arena, r->tree, arena_key_bytes("abcdef", i),
		    r);
		arena_ring_put(arena, r->ring, record);
		arena_slab_take(arena, r->slab, &r->handle[i]);
		memcpy(arena_slab_get(r->slab, r->handle[i]), record, 24);
	}
	arena_string_set(arena, &r->text[0], "short", 5);
	arena_string_set(arena, &r->text[1], "long enough for a block", 23);
}

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
	start_containers(arena, r);
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

static void
change_tree(struct arena *arena)
{
	struct root *r = root_of(arena);

	arena_tree_remove(arena, r->tree, arena_key(2));
	arena_tree_remove(arena, r->tree, arena_key_bytes("abc", 3));
	for (uint64_t i = 10; i < 16; i++)
		arena_tree_put(arena, r->tree, arena_key(i), r);
	arena_tree_set_value(arena, arena_tree_find(r->tree, arena_key(3)),
	    arena);
	arena_tree_put(arena, r->tree, arena_key_bytes("bcd", 3), r);
}

/* The ring is full: what is put in takes the place of what is taken out. */
static void
change_ring(struct arena *arena)
{
	struct root *r = root_of(arena);
	uint64_t record[3];

	for (unsigned i = 0; i < 3; i++) {
		arena_ring_take(arena, r->ring, record);
		record[1] = record[2] = 77 + i;
		arena_ring_put(arena, r->ring, record);
	}
	arena_ring_take(arena, r->ring, NULL);
}

/* Frees, takes the same place again, and one in a new chunk. */
static void
change_slab(struct arena *arena)
{
	struct root *r = root_of(arena);
	uint64_t handle;

	arena_slab_free(arena, r->slab, r->handle[1]);
	arena_slab_free(arena, r->slab, r->handle[4]);
	tx_add(arena, r->handle, sizeof(r->handle));
	for (unsigned i = 0; i < 30; i++)
		arena_slab_take(arena, r->slab, &handle);
	r->handle[1] = handle;
	memset(arena_slab_get(r->slab, handle), 3, 24);
}

static void
change_text(struct arena *arena)
{
	struct root *r = root_of(arena);

	arena_string_append(arena, &r->text[0], ", then much longer", 18);
	arena_string_append(arena, &r->text[1], "!", 1);
	arena_string_set(arena, &r->text[1], "other", 5);
	arena_string_clear(arena, &r->text[0]);
	arena_string_set(arena, &r->text[0], "new", 3);
}

/* What comes after a savepoint is undone once, kept once. */
static void
change_with_savepoints(struct arena *arena)
{
	struct root *r = root_of(arena);
	uint64_t outer, inner;

	change_field(arena);
	outer = tx_savepoint(arena);
	change_ring(arena);
	inner = tx_savepoint(arena);
	change_text(arena);
	tx_rollback_to(arena, inner);
	change_slab(arena);
	tx_rollback_to(arena, outer);
	TX_SET(arena, r->node[1].prev, &r->list);
	tx_savepoint(arena);
	change_tree(arena);
}

/* Blocks beyond what is saved as a whole: zero and used before. */
static void
change_large(struct arena *arena)
{
	struct root *r = root_of(arena);

	tx_add(arena, r->block, sizeof(r->block));
	tx_add(arena, r->length, sizeof(r->length));
	arena_free(arena, r->block[5]);
	r->length[5] = 6000;
	r->block[5] = arena_alloc(arena, 6000);
	memset(r->block[5] + 2000, 0x55, 3000);
}

static void
change_large_again(struct arena *arena)
{
	struct root *r = root_of(arena);

	tx_begin(arena);
	change_large(arena);
	tx_commit(arena);
	tx_begin(arena);
	tx_add(arena, r->block, sizeof(r->block));
	arena_free(arena, r->block[5]);
	r->block[5] = NULL;
	tx_commit(arena);
}

static void
change_large_used(struct arena *arena)
{
	struct root *r = root_of(arena);

	tx_add(arena, r->block, sizeof(r->block));
	r->block[5] = arena_alloc(arena, 6000);
	memset(r->block[5] + 1000, 0x66, 4000);
}

static void
change_layout(struct arena *arena)
{
	arena_set_layout_version(arena, 2);
	change_field(arena);
}

/* --- Harness. --- */

static void
own(const uint8_t *content)
{
	if (!store_own(region, content))
		abort();
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

	run->alias = store_share(region, content);
	enum step_end end = run->alias == NULL ? STEP_IMPOSSIBLE :
	    store_run(region, body, look, run, &count);
	munmap(run->alias, SIZE);
	if (end == STEP_IMPOSSIBLE)
		KTAP_SKIP("no shared memory here");
	EXPECT(end == STEP_OK);
	EXPECT_EQ(run->wrong, 0);
	printf("# %lu stores\n", count);
}

/* `prepare` comes before, at full speed; NULL: nothing. */
static void
check_change_after(void (*prepare)(struct arena *),
    void (*change)(struct arena *), bool abort)
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
	if (prepare != NULL)
		prepare(arena);
	run.before = digest(arena);
	memcpy(content, BASE, SIZE);
	transaction(&run);
	run.after = digest(arena);
	EXPECT((run.before == run.after) == abort);
	every_crash(content, transaction, &run);
	EXPECT(run.seen_after);
}

static void
check_change(void (*change)(struct arena *), bool abort)
{
	check_change_after(NULL, change, abort);
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

TEST(test_crash_anywhere_in_a_tree)
{
	check_change(change_tree, false);
}

TEST(test_crash_anywhere_in_a_ring)
{
	check_change(change_ring, false);
}

TEST(test_crash_anywhere_in_a_slab)
{
	check_change(change_slab, false);
}

TEST(test_crash_anywhere_in_a_string)
{
	check_change(change_text, false);
}

TEST(test_crash_anywhere_between_savepoints)
{
	check_change(change_with_savepoints, false);
}

TEST(test_crash_anywhere_in_large_blocks)
{
	check_change(change_large, false);
	check_change_after(change_large_again, change_large_used, false);
}

TEST(test_crash_anywhere_while_the_layout_changes)
{
	check_change(change_layout, false);
}

TEST(test_crash_anywhere_while_aborting)
{
	check_change(change_heap, true);
	check_change(change_with_savepoints, true);
	check_change_after(change_large_again, change_large_used, true);
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

/* --- Stores are all that counts. --- */

static void
set_a_field(void *context)
{
	struct run run = { .change = change_field };

	(void)context;
	transaction(&run);
}

struct states {
	const uint8_t *alias;
	uint64_t last, count;	/* digest of the memory, how many there were */
};

static bool
count_states(void *context, uint64_t n)
{
	struct states *states = context;
	uint64_t now = hash_bytes(1, states->alias, SIZE);

	(void)n;
	states->count += now != states->last;
	states->last = now;
	return true;
}

TEST(test_stores_leave_all_states_that_single_steps_see)
{
	static uint8_t content[SIZE];
	uint64_t count[2], ignored;

	memset(content, 0, SIZE);
	own(content);
	struct arena *arena = open_arena();
	tx_begin(arena);
	change_start(arena);
	tx_commit(arena);
	memcpy(content, BASE, SIZE);
	for (unsigned i = 0; i < 2; i++) {
		struct states states = { .alias = store_share(region, content),
			.last = hash_bytes(1, content, SIZE) };
		enum step_end end = i == 0 ? store_run(region, set_a_field,
		    count_states, &states, &ignored) : step_run(set_a_field,
		    count_states, &states, &ignored);
		if (end == STEP_IMPOSSIBLE)
			KTAP_SKIP("no single steps here");
		EXPECT(end == STEP_OK);
		count[i] = states.count;
		munmap((void *)(uintptr_t)states.alias, SIZE);
	}
	EXPECT(count[0] > 10);
	EXPECT_EQ(count[0], count[1]);
}

TEST_MAIN(0)
