/* SPDX-License-Identifier: MIT */
/*
 * Containers against models that are too simple to be wrong, in transactions
 * that are committed or aborted by chance.
 */
#include <lib/arena/ring.h>
#include <lib/arena/slab.h>
#include <lib/arena/text.h>
#include <lib/arena/tree.h>
#include <lib/test/ktap.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BASE	((void *)0x710000000000ul)
#define SIZE	(1ul << 20)
#define KEYS	300u
#define ROUNDS	20000u

static struct arena *arena;
static uint64_t random_state = 88172645463325252ul;

static uint64_t
random_below(uint64_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 11) % limit;
}

static void
setup(void)
{
	static const struct arena_environment environment = { .sums = true };

	if (mmap(BASE, SIZE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != BASE ||
	    arena_open(BASE, SIZE, 1, &environment, &arena) != OK)
		abort();
	tx_begin(arena);
}

/* Ends the transaction, begins another. True: it was committed. */
static bool
end_by_chance(void)
{
	bool commit = random_below(3) != 0;

	if (commit)
		tx_commit(arena);
	else
		tx_abort(arena);
	tx_begin(arena);
	return commit;
}

/* --- Tree. --- */

/* Keys of two sorts, ordered like their numbers within a sort. */
static struct arena_key
key_of(unsigned i, bool bytes)
{
	static char text[32];

	if (!bytes)
		return arena_key(i * 0x1000000007ul);
	/* Lengths differ, prefixes occur. */
	int length = snprintf(text, sizeof(text), "%03u%.*s", i,
	    (int)(i % 7), "aaaaaaa");
	return arena_key_bytes(text, (size_t)length);
}

static bool
tree_equals(const struct arena_tree *tree, void *const model[KEYS], bool bytes)
{
	const struct arena_tree_node *node = arena_tree_first(tree);
	uint64_t count = 0;

	for (unsigned i = 0; i < KEYS; i++) {
		struct arena_key key = key_of(i, bytes);
		const struct arena_tree_node *found = arena_tree_find(tree,
		    key);

		if (arena_tree_lower_bound(tree, key) != node)
			return false;
		if ((found != NULL) != (model[i] != NULL))
			return false;
		if (found == NULL)
			continue;
		if (found != node || arena_tree_value(node) != model[i])
			return false;
		node = arena_tree_after(tree, arena_tree_key(node));
		count++;
	}
	return node == NULL && arena_tree_count(tree) == count &&
	    arena_tree_ok(tree);
}

static void
tree_step(struct arena_tree *tree, void *model[KEYS], bool bytes)
{
	unsigned i = (unsigned)random_below(KEYS);
	void *value = (void *)(random_below(1000) + 1);
	struct arena_key key = key_of(i, bytes);

	if (model[i] == NULL) {
		EXPECT_EQ(arena_tree_remove(arena, tree, key), ERR_NOENT);
		EXPECT_EQ(arena_tree_put(arena, tree, key, value), OK);
		model[i] = value;
	} else if (random_below(3) == 0) {
		EXPECT_EQ(arena_tree_set_value(arena, arena_tree_find(tree,
		    key), value), OK);
		model[i] = value;
	} else {
		EXPECT_EQ(arena_tree_put(arena, tree, key, value), ERR_EXIST);
		EXPECT_EQ(arena_tree_remove(arena, tree, key), OK);
		model[i] = NULL;
	}
}

static void
check_tree(bool bytes)
{
	void *model[KEYS] = { NULL }, *committed[KEYS] = { NULL };
	struct arena_tree *tree;
	bool same = true;

	setup();
	uint64_t used = arena_bytes_used(arena);
	EXPECT_EQ(arena_tree_create(arena, 42, &tree), OK);
	tx_commit(arena);
	tx_begin(arena);
	for (unsigned i = 0; i < ROUNDS && same; i++) {
		tree_step(tree, model, bytes);
		if (random_below(4) != 0)
			continue;
		if (end_by_chance())
			memcpy(committed, model, sizeof(model));
		else
			memcpy(model, committed, sizeof(model));
		if (i % 8 == 0)
			same = tree_equals(tree, model, bytes);
	}
	EXPECT(same);
	EXPECT_EQ(arena_tree_destroy(arena, tree), OK);
	tx_commit(arena);
	EXPECT(arena_ok(arena) && arena_bytes_used(arena) == used);
}

TEST(test_tree_of_numbers_is_a_sorted_table)
{
	check_tree(false);
}

TEST(test_tree_of_strings_is_a_sorted_table)
{
	check_tree(true);
}

/* Puts all keys in, in steps of `stride`; the bytes that takes. */
static uint64_t
used_by_keys(unsigned stride, uint64_t *out_first)
{
	struct arena_tree *tree;
	uint64_t start = arena_bytes_used(arena);

	EXPECT_EQ(arena_tree_create(arena, 7, &tree), OK);
	for (unsigned i = 0; i < 1009; i++)
		EXPECT_EQ(arena_tree_put(arena, tree,
		    arena_key((uint64_t)i * stride % 1009), tree), OK);
	EXPECT(arena_tree_ok(tree));
	*out_first = arena_tree_key(arena_tree_first(tree)).number;
	start = arena_bytes_used(arena) - start;
	EXPECT_EQ(arena_tree_destroy(arena, tree), OK);
	return start;
}

/* Ascending keys are the worst for a tree that is not balanced. */
TEST(test_tree_of_ascending_keys_is_put_in_and_found_in_any_order)
{
	uint64_t first = 1, used;

	setup();
	used = used_by_keys(1, &first);
	EXPECT_EQ(first, 0);
	EXPECT_EQ(used_by_keys(500, &first), used);
	EXPECT_EQ(used_by_keys(1008, &first), used);
	tx_abort(arena);
}

TEST(test_prefix_comes_before_what_it_begins)
{
	struct arena_tree *tree;
	static const char text[] = { 'a', 0, (char)0xff, 'b' };

	setup();
	EXPECT_EQ(arena_tree_create(arena, 1, &tree), OK);
	for (unsigned length = 5; length-- > 0;)
		EXPECT_EQ(arena_tree_put(arena, tree, arena_key_bytes(text,
		    length), tree), OK);
	EXPECT_EQ(arena_tree_put(arena, tree, arena_key(~0ul), tree), OK);
	const struct arena_tree_node *node = arena_tree_first(tree);
	EXPECT(arena_tree_key(node).bytes == NULL);
	for (unsigned length = 0; length < 5; length++) {
		node = arena_tree_after(tree, arena_tree_key(node));
		EXPECT_EQ(arena_tree_key(node).number, length);
	}
	EXPECT(arena_tree_ok(tree));
	tx_abort(arena);
}

TEST(test_damaged_tree_is_not_ok)
{
	struct arena_tree *tree;
	uint64_t *word;

	setup();
	EXPECT_EQ(arena_tree_create(arena, 1, &tree), OK);
	for (unsigned i = 0; i < 10; i++)
		EXPECT_EQ(arena_tree_put(arena, tree, arena_key(i), tree), OK);
	word = (uint64_t *)(void *)arena_tree_find(tree, arena_key(4));
	for (unsigned i = 3; i < 5; i++) {
		word[i] ^= 1;
		EXPECT(!arena_tree_ok(tree));
		word[i] ^= 1;
	}
	word = (uint64_t *)(void *)tree;
	word[1]++;
	EXPECT(!arena_tree_ok(tree));
	word[1]--;
	EXPECT(arena_tree_ok(tree));
	tx_abort(arena);
}

/* --- Ring. --- */

TEST(test_ring_is_a_queue)
{
	uint64_t record[3], put = 0, taken = 0, put_before = 0, taken_before = 0;
	struct arena_ring *ring;

	setup();
	EXPECT_EQ(arena_ring_create(arena, 0, 8, &ring), ERR_ARG);
	EXPECT_EQ(arena_ring_create(arena, ~0ul, 8, &ring), ERR_ARG);
	EXPECT_EQ(arena_ring_create(arena, 7, sizeof(record), &ring), OK);
	tx_commit(arena);
	tx_begin(arena);
	for (unsigned i = 0; i < ROUNDS; i++) {
		record[0] = record[1] = record[2] = put;
		if (random_below(2) == 0) {
			EXPECT_EQ(arena_ring_put(arena, ring, record),
			    put - taken == 7 ? ERR_FULL : OK);
			put += put - taken < 7;
		} else if (put == taken) {
			EXPECT_EQ(arena_ring_take(arena, ring, record),
			    ERR_EMPTY);
		} else {
			EXPECT_EQ(arena_ring_take(arena, ring, record), OK);
			EXPECT(record[0] == taken && record[2] == taken);
			taken++;
		}
		if (random_below(4) == 0) {
			bool committed = end_by_chance();

			put = *(committed ? &put : &put_before);
			taken = *(committed ? &taken : &taken_before);
			put_before = put;
			taken_before = taken;
		}
		EXPECT_EQ(arena_ring_count(ring), put - taken);
		const uint64_t *last = put == taken ? &put : arena_ring_at(
		    ring, put - taken - 1);
		EXPECT(last == &put || *last == put - 1);
		EXPECT(arena_ring_at(ring, put - taken) == NULL);
		EXPECT(arena_ring_ok(ring));
	}
	EXPECT_EQ(arena_ring_destroy(arena, ring), OK);
	tx_commit(arena);
	EXPECT(arena_ok(arena));
}

/* --- Slab. --- */

struct slab_model {
	uint64_t handle[KEYS];
	uint64_t stale[KEYS];
};

static void
slab_step(struct arena_slab *slab, struct slab_model *model)
{
	unsigned i = (unsigned)random_below(KEYS);
	uint64_t *object;

	if (model->stale[i] != 0) {
		EXPECT(arena_slab_get(slab, model->stale[i]) == NULL);
		EXPECT_EQ(arena_slab_free(arena, slab, model->stale[i]),
		    ERR_NOENT);
	}
	if (model->handle[i] != 0) {
		object = arena_slab_get(slab, model->handle[i]);
		EXPECT(object != NULL && object[0] == i && object[4] == i);
		EXPECT_EQ(arena_slab_free(arena, slab, model->handle[i]), OK);
		model->stale[i] = model->handle[i];
		model->handle[i] = 0;
		return;
	}
	EXPECT_EQ(arena_slab_take(arena, slab, &model->handle[i]), OK);
	object = arena_slab_get(slab, model->handle[i]);
	EXPECT(object != NULL && object[0] == 0 && object[4] == 0);
	object[0] = object[4] = i;
	/* An aborted handle may come back with the same name. */
	model->stale[i] = 0;
}

TEST(test_slab_finds_what_was_taken_and_nothing_else)
{
	static struct slab_model model, committed;
	struct arena_slab *slab;
	uint64_t handle;

	setup();
	EXPECT_EQ(arena_slab_create(arena, 0, 5, &slab), ERR_ARG);
	EXPECT_EQ(arena_slab_create(arena, ~0ul, 5, &slab), ERR_ARG);
	EXPECT_EQ(arena_slab_create(arena, 40, KEYS, &slab), OK);
	tx_commit(arena);
	tx_begin(arena);
	for (unsigned i = 0; i < ROUNDS; i++) {
		slab_step(slab, &model);
		if (random_below(4) != 0)
			continue;
		if (end_by_chance())
			committed = model;
		else
			model = committed;
		EXPECT(i % 8 != 0 || arena_slab_ok(slab));
	}
	for (unsigned i = 0; i < KEYS; i++)
		if (model.handle[i] == 0)
			EXPECT_EQ(arena_slab_take(arena, slab, &handle), OK);
	EXPECT_EQ(arena_slab_count(slab), KEYS);
	EXPECT_EQ(arena_slab_take(arena, slab, &handle), ERR_FULL);
	EXPECT(arena_slab_get(slab, 0) == NULL && arena_slab_ok(slab));
	EXPECT_EQ(arena_slab_destroy(arena, slab), OK);
	tx_commit(arena);
	EXPECT(arena_ok(arena));
}

/* --- String. --- */

struct text_model {
	size_t	 length;
	char	 bytes[4096];
};

static void
text_step(struct arena_string *string, struct text_model *model)
{
	char bytes[300];
	size_t length = random_below(4) == 0 ? random_below(300) :
	    random_below(12);

	memset(bytes, (int)random_below(256), sizeof(bytes));
	switch (random_below(8)) {
	case 0:
		EXPECT_EQ(arena_string_clear(arena, string), OK);
		model->length = 0;
		break;
	case 1:
		EXPECT_EQ(arena_string_set(arena, string, bytes, length), OK);
		memcpy(model->bytes, bytes, length);
		model->length = length;
		break;
	default:
		if (model->length + length > sizeof(model->bytes))
			break;
		EXPECT_EQ(arena_string_append(arena, string, bytes, length),
		    OK);
		memcpy(model->bytes + model->length, bytes, length);
		model->length += length;
	}
}

TEST(test_string_holds_what_was_set_and_appended)
{
	static struct text_model model, committed;
	struct arena_string *string;

	setup();
	uint64_t used = arena_bytes_used(arena);
	string = arena_alloc(arena, sizeof(*string));
	EXPECT(string != NULL && arena_string_equals(string, "", 0));
	tx_commit(arena);
	tx_begin(arena);
	for (unsigned i = 0; i < ROUNDS; i++) {
		text_step(string, &model);
		EXPECT(arena_string_equals(string, model.bytes, model.length));
		if (random_below(3) != 0)
			continue;
		if (end_by_chance())
			committed = model;
		else
			model = committed;
		EXPECT(arena_string_equals(string, model.bytes, model.length));
		EXPECT(arena_string_ok(string));
	}
	EXPECT_EQ(arena_string_append(arena, string, "", SIZE_MAX), ERR_RANGE);
	EXPECT_EQ(arena_string_clear(arena, string), OK);
	EXPECT_EQ(arena_free(arena, string), OK);
	tx_commit(arena);
	EXPECT(arena_ok(arena) && arena_bytes_used(arena) == used);
}

/* --- Walks of list and map. --- */

TEST(test_damaged_list_or_map_is_not_ok)
{
	struct arena_list *list;
	struct arena_map *map;
	uint64_t *word;

	setup();
	list = arena_alloc(arena, 3 * sizeof(*list));
	EXPECT_EQ(arena_list_init(arena, &list[0]), OK);
	EXPECT_EQ(arena_list_append(arena, &list[0], &list[1]), OK);
	EXPECT_EQ(arena_list_append(arena, &list[0], &list[2]), OK);
	EXPECT(arena_list_ok(list, 10) && !arena_list_ok(list, 2));
	list[2].prev = &list[0];
	EXPECT(!arena_list_ok(list, 10));
	EXPECT_EQ(arena_map_create(arena, &map), OK);
	for (unsigned i = 0; i < 10; i++)
		EXPECT_EQ(arena_map_put(arena, map, i, map), OK);
	EXPECT(arena_map_ok(map));
	word = (uint64_t *)(void *)map;
	word[0]++;
	EXPECT(!arena_map_ok(map));
	tx_abort(arena);
}

TEST_MAIN(0)
