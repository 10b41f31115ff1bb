/* SPDX-License-Identifier: MIT */
/* Directories: treaps ordered by cookie (see state.h). */
#include <lib/storage/state.h>

#include <lib/base/hash.h>
#include <lib/base/string.h>

#define PRIORITY_SEED	0x5851f42d4c957f2dul

uint64_t
entry_priority(const struct entry *entry)
{
	return hash_mix(entry->cookie ^ PRIORITY_SEED);
}

/* 62 bits, so that a position is a positive number to programs. */
uint64_t
directory_cookie(const struct storage *storage, struct storage_path name)
{
	return COOKIE_FIRST +
	    (hash_bytes(storage->root->seed, name.text, name.length) >> 2);
}

struct entry *
directory_next(const struct inode *directory, uint64_t cookie)
{
	struct entry *node = directory->names, *best = NULL;

	while (node != NULL) {
		if (node->cookie > cookie) {
			best = node;
			node = node->left;
		} else {
			node = node->right;
		}
	}
	return best;
}

struct entry *
directory_find(const struct storage *storage, const struct inode *directory,
    struct storage_path name)
{
	uint64_t first = directory_cookie(storage, name);
	struct entry *entry = directory_next(directory, first - 1);

	while (entry != NULL && entry->cookie < first + COOKIE_PROBES) {
		if (entry->length == name.length &&
		    memcmp(entry->name, name.text, name.length) == 0)
			return entry;
		entry = directory_next(directory, entry->cookie);
	}
	return NULL;
}

/* Lowest free cookie for the name, or 0. */
static uint64_t
free_cookie(const struct storage *storage, const struct inode *directory,
    struct storage_path name)
{
	uint64_t first = directory_cookie(storage, name), cookie = first;
	struct entry *entry = directory_next(directory, first - 1);

	while (entry != NULL && entry->cookie == cookie) {
		if (++cookie == first + COOKIE_PROBES)
			return 0;
		entry = directory_next(directory, entry->cookie);
	}
	return cookie;
}

static unsigned
set(struct storage *storage, struct entry **link, struct entry *entry)
{
	if (*link == entry)
		return 0;
	if (SAVE(storage, link) != 0)
		return E_NOSPC;
	*link = entry;
	return 0;
}

/* Parts the tree into what lies left and right of the new node. */
static unsigned
split(struct storage *storage, struct entry *tree, struct entry *node)
{
	struct entry **left = &node->left, **right = &node->right;

	while (tree != NULL) {
		struct entry *low = tree;

		if (tree->cookie < node->cookie) {
			if (set(storage, left, low) != 0)
				return E_NOSPC;
			left = &low->right;
			tree = low->right;
		} else {
			if (set(storage, right, low) != 0)
				return E_NOSPC;
			right = &low->left;
			tree = low->left;
		}
	}
	if (set(storage, left, NULL) != 0 || set(storage, right, NULL) != 0)
		return E_NOSPC;
	return 0;
}

static unsigned
tree_insert(struct storage *storage, struct inode *directory,
    struct entry *node)
{
	struct entry **link = &directory->names;
	uint64_t priority = entry_priority(node);

	while (*link != NULL && entry_priority(*link) >= priority)
		link = node->cookie < (*link)->cookie ?
		    &(*link)->left : &(*link)->right;
	if (split(storage, *link, node) != 0)
		return E_NOSPC;
	return set(storage, link, node);
}

/* Joins the two subtrees of a removed node in its place. */
static unsigned
merge(struct storage *storage, struct entry **link, struct entry *left,
    struct entry *right)
{
	while (left != NULL && right != NULL) {
		if (entry_priority(left) >= entry_priority(right)) {
			if (set(storage, link, left) != 0)
				return E_NOSPC;
			link = &left->right;
			left = left->right;
		} else {
			if (set(storage, link, right) != 0)
				return E_NOSPC;
			link = &right->left;
			right = right->left;
		}
	}
	return set(storage, link, left != NULL ? left : right);
}

unsigned
directory_insert(struct storage *storage, struct inode *directory,
    struct storage_path name, struct inode *inode, struct entry **out_entry)
{
	uint64_t cookie = free_cookie(storage, directory, name);
	struct entry *entry;

	if (cookie == 0)
		return E_NOSPC;
	entry = arena_alloc(storage->arena, sizeof(*entry) + name.length);
	if (entry == NULL ||
	    SAVE_FIELDS(storage, directory, mtime_ns, names) != 0 ||
	    inode_modified(storage, directory) != 0)
		return E_NOSPC;
	entry->cookie = cookie;
	entry->inode = inode;
	entry->length = (uint16_t)name.length;
	memcpy(entry->name, name.text, name.length);
	directory->count++;
	*out_entry = entry;
	return tree_insert(storage, directory, entry);
}

unsigned
directory_remove(struct storage *storage, struct inode *directory,
    struct entry *entry)
{
	struct entry **link = &directory->names;

	while (*link != entry)
		link = entry->cookie < (*link)->cookie ?
		    &(*link)->left : &(*link)->right;
	if (SAVE_FIELDS(storage, directory, mtime_ns, names) != 0 ||
	    inode_modified(storage, directory) != 0 ||
	    merge(storage, link, entry->left, entry->right) != 0 ||
	    arena_free(storage->arena, entry) != OK)
		return E_NOSPC;
	directory->count--;
	return 0;
}
