/* SPDX-License-Identifier: MIT */
/*
 * Ordered map in an arena, from 64-bit numbers or byte strings to pointers.
 *
 * Numbers come before byte strings; these are ordered as by memcmp, a
 * prefix before what it begins; their bytes are kept in the tree.
 *
 *	for (n = arena_tree_lower_bound(tree, from); n != NULL;
 *	    n = arena_tree_after(tree, arena_tree_key(n)))
 *
 * stays right whatever is put in or removed meanwhile.
 */
#pragma once

#include <lib/arena/arena.h>

struct arena_tree;
struct arena_tree_node;

struct arena_key {
	const void *bytes;	/* NULL: a number */
	uint64_t number;	/* the key, or how many bytes it has */
};

static inline struct arena_key
arena_key(uint64_t number)
{
	return (struct arena_key){ NULL, number };
}

/* The bytes are copied. May be none, but bytes is not NULL. */
static inline struct arena_key
arena_key_bytes(const void *bytes, size_t length)
{
	return (struct arena_key){ bytes, length };
}

/* Without the seed nobody can choose keys that make the tree deep. */
status_t arena_tree_create(struct arena *arena, uint64_t seed,
    struct arena_tree **out_tree);
/* Frees it and its nodes, not what the values point to. */
status_t arena_tree_destroy(struct arena *arena, struct arena_tree *tree);
/* ERR_EXIST if the key is there. */
status_t arena_tree_put(struct arena *arena, struct arena_tree *tree,
    struct arena_key key, void *value);
/* ERR_NOENT if it is not. */
status_t arena_tree_remove(struct arena *arena, struct arena_tree *tree,
    struct arena_key key);
uint64_t arena_tree_count(const struct arena_tree *tree);

/* NULL: there is none. The first with the key, at or after it, after it. */
struct arena_tree_node *arena_tree_find(const struct arena_tree *tree,
    struct arena_key key);
struct arena_tree_node *arena_tree_lower_bound(const struct arena_tree *tree,
    struct arena_key key);
struct arena_tree_node *arena_tree_after(const struct arena_tree *tree,
    struct arena_key key);
struct arena_tree_node *arena_tree_first(const struct arena_tree *tree);

struct arena_key arena_tree_key(const struct arena_tree_node *node);
void *arena_tree_value(const struct arena_tree_node *node);
status_t arena_tree_set_value(struct arena *arena,
    struct arena_tree_node *node, void *value);
/* Walks it: order, shape, count. */
bool arena_tree_ok(const struct arena_tree *tree);
