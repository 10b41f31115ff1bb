/* SPDX-License-Identifier: MIT */
/*
 * Treap: a search tree by key that is a heap by priority. The priority is a
 * hash of the key, so the shape depends on what is in it only, not on the order
 * of changes, and is balanced as a random tree is.
 *
 * Changes walk down with the address of the pointer to be changed and save each
 * pointer before they set it. Putting in cuts the subtree where the new node
 * belongs in two, removing joins two: no rotations, and a path of expected
 * length two is written.
 *
 * For each node: keys on the left are smaller, on the right larger; priorities
 * below are not larger than its own.
 */
#include <lib/arena/tree.h>

#include <lib/base/hash.h>
#include <lib/base/string.h>

#define DEPTH_MAX	256u	/* of a walk; a random tree is never so deep */

struct arena_tree_node {
	struct arena_tree_node *left, *right;
	void	*value;
	uint64_t priority;
	uint64_t number;	/* the key, or how many bytes it has */
	uint64_t has_bytes;	/* 1: the key is bytes[] */
	uint8_t	 bytes[];
};

struct arena_tree {
	struct arena_tree_node *top;
	uint64_t count;
	uint64_t seed;
};

struct arena_key
arena_tree_key(const struct arena_tree_node *node)
{
	return (struct arena_key){ node->has_bytes != 0 ? node->bytes : NULL,
		node->number };
}

void *
arena_tree_value(const struct arena_tree_node *node)
{
	return node->value;
}

uint64_t
arena_tree_count(const struct arena_tree *tree)
{
	return tree->count;
}

static uint64_t
priority_of(const struct arena_tree *tree, struct arena_key key)
{
	return key.bytes == NULL ? hash_mix(key.number ^ tree->seed) :
	    hash_bytes(tree->seed, key.bytes, key.number);
}

/* Negative, 0, positive. Numbers come before byte strings. */
static int
compare(struct arena_key a, struct arena_key b)
{
	uint64_t shorter = a.number < b.number ? a.number : b.number;
	int order = 0;

	if ((a.bytes == NULL) != (b.bytes == NULL))
		return a.bytes == NULL ? -1 : 1;
	if (a.bytes != NULL)
		order = memcmp(a.bytes, b.bytes, shorter);
	if (order != 0)
		return order;
	return (a.number > b.number) - (a.number < b.number);
}

static int
compare_node(const struct arena_tree_node *node, struct arena_key key)
{
	return compare(arena_tree_key(node), key);
}

/* --- Looking. --- */

struct arena_tree_node *
arena_tree_find(const struct arena_tree *tree, struct arena_key key)
{
	struct arena_tree_node *node = tree->top;
	int order;

	while (node != NULL && (order = compare_node(node, key)) != 0)
		node = order < 0 ? node->right : node->left;
	return node;
}

/* The first node whose order to the key is at least that. */
static struct arena_tree_node *
first_from(const struct arena_tree *tree, struct arena_key key, int least)
{
	struct arena_tree_node *node = tree->top, *found = NULL;

	while (node != NULL) {
		int order = compare_node(node, key);

		if (order >= least) {
			found = node;
			node = node->left;
		} else {
			node = node->right;
		}
	}
	return found;
}

struct arena_tree_node *
arena_tree_lower_bound(const struct arena_tree *tree, struct arena_key key)
{
	return first_from(tree, key, 0);
}

struct arena_tree_node *
arena_tree_after(const struct arena_tree *tree, struct arena_key key)
{
	return first_from(tree, key, 1);
}

struct arena_tree_node *
arena_tree_first(const struct arena_tree *tree)
{
	struct arena_tree_node *node = tree->top;

	while (node != NULL && node->left != NULL)
		node = node->left;
	return node;
}

/* --- Changing. --- */

status_t
arena_tree_create(struct arena *arena, uint64_t seed,
    struct arena_tree **out_tree)
{
	struct arena_tree *tree = arena_alloc(arena, sizeof(*tree));

	if (tree == NULL)
		return ERR_NOMEM;
	tree->seed = seed;
	*out_tree = tree;
	return OK;
}

status_t
arena_tree_destroy(struct arena *arena, struct arena_tree *tree)
{
	while (tree->top != NULL) {
		status_t status = arena_tree_remove(arena, tree,
		    arena_tree_key(tree->top));
		if (status != OK)
			return status;
	}
	return arena_free(arena, tree);
}

/* Cuts a subtree at a key that is not in it. */
static status_t
cut(struct arena *arena, struct arena_tree_node *rest, struct arena_key key,
    struct arena_tree_node **low, struct arena_tree_node **high)
{
	while (rest != NULL) {
		bool below = compare_node(rest, key) < 0;
		struct arena_tree_node ***side = below ? &low : &high;

		if (TX_SET(arena, **side, rest) != OK)
			return ERR_NOMEM;
		*side = below ? &rest->right : &rest->left;
		rest = **side;
	}
	return TX_SET(arena, *low, NULL) == OK &&
	    TX_SET(arena, *high, NULL) == OK ? OK : ERR_NOMEM;
}

static struct arena_tree_node *
make_node(struct arena *arena, const struct arena_tree *tree,
    struct arena_key key, void *value)
{
	uint64_t length = key.bytes == NULL ? 0 : key.number;
	struct arena_tree_node *node = length > SIZE_MAX - sizeof(*node) ?
	    NULL : arena_alloc(arena, sizeof(*node) + length);

	if (node == NULL)
		return NULL;
	node->value = value;
	node->priority = priority_of(tree, key);
	node->number = key.number;
	node->has_bytes = key.bytes != NULL;
	if (length != 0)
		memcpy(node->bytes, key.bytes, length);
	return node;
}

status_t
arena_tree_put(struct arena *arena, struct arena_tree *tree,
    struct arena_key key, void *value)
{
	if (arena_tree_find(tree, key) != NULL)
		return ERR_EXIST;
	struct arena_tree_node *node = make_node(arena, tree, key, value);
	if (node == NULL)
		return ERR_NOMEM;
	struct arena_tree_node **link = &tree->top;
	while (*link != NULL && (*link)->priority >= node->priority)
		link = compare_node(*link, key) < 0 ? &(*link)->right :
		    &(*link)->left;
	if (cut(arena, *link, key, &node->left, &node->right) != OK ||
	    TX_SET(arena, *link, node) != OK)
		return ERR_NOMEM;
	return TX_SET(arena, tree->count, tree->count + 1);
}

/* Puts both under the link; all keys of low are below those of high. */
static status_t
join(struct arena *arena, struct arena_tree_node **link,
    struct arena_tree_node *low, struct arena_tree_node *high)
{
	while (low != NULL && high != NULL) {
		bool below = low->priority >= high->priority;

		if (TX_SET(arena, *link, below ? low : high) != OK)
			return ERR_NOMEM;
		link = below ? &low->right : &high->left;
		if (below)
			low = low->right;
		else
			high = high->left;
	}
	return TX_SET(arena, *link, low != NULL ? low : high);
}

status_t
arena_tree_remove(struct arena *arena, struct arena_tree *tree,
    struct arena_key key)
{
	struct arena_tree_node **link = &tree->top;
	int order;

	while (*link != NULL && (order = compare_node(*link, key)) != 0)
		link = order < 0 ? &(*link)->right : &(*link)->left;
	struct arena_tree_node *node = *link;
	if (node == NULL)
		return ERR_NOENT;
	if (join(arena, link, node->left, node->right) != OK ||
	    TX_SET(arena, tree->count, tree->count - 1) != OK)
		return ERR_NOMEM;
	return arena_free(arena, node);
}

status_t
arena_tree_set_value(struct arena *arena, struct arena_tree_node *node,
    void *value)
{
	return TX_SET(arena, node->value, value);
}

/* --- Checks. --- */

struct walk {
	const struct arena_tree *tree;
	const struct arena_tree_node *last;	/* before this one */
	uint64_t count;
};

static bool
walk(struct walk *w, const struct arena_tree_node *node, unsigned depth,
    uint64_t priority)
{
	if (node == NULL)
		return true;
	if (depth == DEPTH_MAX || node->priority > priority ||
	    node->priority != priority_of(w->tree, arena_tree_key(node)) ||
	    w->count == w->tree->count ||
	    !walk(w, node->left, depth + 1, node->priority))
		return false;
	if (w->last != NULL && compare(arena_tree_key(w->last),
	    arena_tree_key(node)) >= 0)
		return false;
	w->last = node;
	w->count++;
	return walk(w, node->right, depth + 1, node->priority);
}

bool
arena_tree_ok(const struct arena_tree *tree)
{
	struct walk w = { .tree = tree };

	return walk(&w, tree->top, 0, UINT64_MAX) && w.count == tree->count;
}
