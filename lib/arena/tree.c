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
	uint64_t number;	/* key, or length of bytes | IS_BYTES */
	uint8_t	 bytes[];
};

struct arena_tree {
	struct arena_tree_node *top;
	uint64_t count;
	uint64_t seed;
	uint64_t of_bytes;	/* sort of the keys, once there was one */
};

static uint64_t
priority_of(const struct arena_tree *tree, struct arena_key key)
{
	return key.bytes == NULL ? hash_mix(key.number ^ tree->seed) :
	    hash_bytes(tree->seed, key.bytes, key.number);
}

struct arena_key
arena_tree_key(const struct arena_tree_node *node)
{
	return (struct arena_key){
		node->value == NULL ? NULL : NULL, node->number };
}
