/* SPDX-License-Identifier: MIT */
/*
 * The tree of locks of a file: a treap ordered by first byte, then owner. Each
 * node knows how far the locks below it reach, and how far those for writing:
 * so whoever is in the way of a range is found in O(log n).
 */
#include <lib/storage/state.h>

#include <lib/base/hash.h>

static uint64_t
priority(const struct storage *storage, const struct lock *lock)
{
	return hash_mix(lock->first ^
	    hash_mix(storage->root->seed + lock->owner->index));
}

bool
lock_before(const struct lock *one, const struct lock *other)
{
	return one->first != other->first ? one->first < other->first :
	    one->owner->index < other->owner->index;
}

static uint64_t
further(uint64_t one, uint64_t other)
{
	return one > other ? one : other;
}

/* Both are the byte behind the last, so that 0 is none. */
struct lock_reach
lock_reach_of(const struct lock *lock)
{
	struct lock_reach reach = { lock->last + 1,
		lock->write ? lock->last + 1 : 0 };

	for (unsigned i = 0; i < 2; i++) {
		const struct lock *below = i == 0 ? lock->left : lock->right;

		if (below == NULL)
			continue;
		reach.any = further(reach.any, below->reach.any);
		reach.write = further(reach.write, below->reach.write);
	}
	return reach;
}

static unsigned
pull(struct storage *storage, struct lock *lock)
{
	struct lock_reach reach = lock_reach_of(lock);

	if (reach.any == lock->reach.any && reach.write == lock->reach.write)
		return 0;
	if (SAVE(storage, &lock->reach) != 0)
		return E_NOSPC;
	lock->reach = reach;
	return 0;
}

static unsigned
set(struct storage *storage, struct lock **link, struct lock *lock)
{
	if (*link == lock)
		return 0;
	if (SAVE(storage, link) != 0)
		return E_NOSPC;
	*link = lock;
	return 0;
}

/* Parts the tree into what lies before and after a lock. */
static unsigned
split(struct storage *storage, struct lock *tree, const struct lock *at,
    struct lock **left, struct lock **right)
{
	struct lock *rest;
	unsigned error;

	if (tree == NULL) {
		error = set(storage, left, NULL);
		return error != 0 ? error : set(storage, right, NULL);
	}
	if (lock_before(tree, at)) {
		rest = tree->right;
		error = set(storage, left, tree);
		if (error == 0)
			error = split(storage, rest, at, &tree->right, right);
	} else {
		rest = tree->left;
		error = set(storage, right, tree);
		if (error == 0)
			error = split(storage, rest, at, left, &tree->left);
	}
	return error != 0 ? error : pull(storage, tree);
}

unsigned
lock_tree_insert(struct storage *storage, struct lock **link, struct lock *lock)
{
	struct lock *tree = *link;
	unsigned error;

	if (tree == NULL ||
	    priority(storage, tree) < priority(storage, lock)) {
		error = split(storage, tree, lock, &lock->left, &lock->right);
		if (error == 0)
			error = set(storage, link, lock);
		return error != 0 ? error : pull(storage, lock);
	}
	error = lock_tree_insert(storage, lock_before(lock, tree) ? &tree->left :
	    &tree->right, lock);
	return error != 0 ? error : pull(storage, tree);
}

static unsigned
merge(struct storage *storage, struct lock **link, struct lock *left,
    struct lock *right)
{
	struct lock *top = left;
	unsigned error;

	if (left == NULL || right == NULL)
		return set(storage, link, left != NULL ? left : right);
	if (priority(storage, left) >= priority(storage, right)) {
		error = merge(storage, &left->right, left->right, right);
	} else {
		top = right;
		error = merge(storage, &right->left, left, right->left);
	}
	if (error == 0)
		error = set(storage, link, top);
	return error != 0 ? error : pull(storage, top);
}

unsigned
lock_tree_remove(struct storage *storage, struct lock **link, struct lock *lock)
{
	struct lock *tree = *link;
	unsigned error;

	if (tree == lock)
		return merge(storage, link, lock->left, lock->right);
	error = lock_tree_remove(storage, lock_before(lock, tree) ? &tree->left :
	    &tree->right, lock);
	return error != 0 ? error : pull(storage, tree);
}

/* --- Looking for locks that overlap a range. --- */

static bool
is_wanted(const struct lock *lock, const struct lock_query *query)
{
	return lock->first > query->from || (lock->first == query->from &&
	    lock->owner->index >= query->from_owner);
}

void
lock_query_after(struct lock_query *query, const struct lock *lock)
{
	query->from = lock->first;
	query->from_owner = lock->owner->index + 1;
}

static bool
matches(const struct lock *lock, const struct lock_query *query)
{
	return lock->first <= query->last && lock->last >= query->first &&
	    is_wanted(lock, query) &&
	    (lock->owner != query->owner) == query->others &&
	    (lock->write || !query->write_only);
}

struct lock *
lock_find(struct lock *tree, const struct lock_query *query)
{
	while (tree != NULL) {
		uint64_t reach = query->write_only ? tree->reach.write :
		    tree->reach.any;
		struct lock *found;

		if (reach <= query->first)
			return NULL;
		if (is_wanted(tree, query)) {
			found = lock_find(tree->left, query);
			if (found != NULL)
				return found;
		}
		if (matches(tree, query))
			return tree;
		if (tree->first > query->last)
			return NULL;
		tree = tree->right;
	}
	return NULL;
}
