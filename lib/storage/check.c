/* SPDX-License-Identifier: MIT */
/*
 * The full check: every directory is an ordered treap of the right size, all
 * inodes are counted, links and references are as many as the tree and the
 * descriptions give.
 *
 * It walks without memory of its own: directories through parent pointers,
 * entries through directory_next(). Inodes that no name leads to are only
 * counted in total, so a lost inode shows as a wrong number of inodes.
 */
#include <lib/storage/state.h>

#include <lib/base/string.h>

struct totals {
	uint64_t names;		/* entries, and the top directory */
	uint64_t directories;
	uint64_t links;		/* 1 / links of each file name, in 2^-32 */
};

static bool
node_ok(const struct storage *storage, const struct inode *directory,
    const struct entry *e)
{
	uint64_t priority = entry_priority(e);
	uint64_t cookie = directory_cookie(storage,
	    (struct storage_path){ e->name, e->length });

	if (e->left != NULL && (e->left->cookie >= e->cookie ||
	    entry_priority(e->left) > priority))
		return false;
	if (e->right != NULL && (e->right->cookie <= e->cookie ||
	    entry_priority(e->right) > priority))
		return false;
	if (e->cookie < cookie || e->cookie >= cookie + COOKIE_PROBES ||
	    e->length == 0 || e->length > STORAGE_NAME_MAX ||
	    memchr(e->name, '/', e->length) != NULL ||
	    e->inode == NULL || e->inode->links == 0)
		return false;
	if (is_directory(e->inode))
		return e->inode->entry == e && e->inode->parent == directory;
	return e->inode->entry == NULL || e->inode->parent != NULL;
}

static bool
inode_ok(const struct inode *inode)
{
	if (inode->watch != 0 && (inode_kind(inode) != KIND_REGULAR ||
	    inode->references == 0 || inode->watch > STORAGE_WATCHES))
		return false;
	if (inode_kind(inode) == KIND_SYMLINK)
		return inode->target != NULL &&
		    inode->size == inode->target_length;
	if (inode_kind(inode) == KIND_REGULAR)
		return inode->file != 0 || inode->size == 0;
	return true;
}

/* One directory, without those below it. */
static bool
directory_ok(const struct storage *storage, const struct inode *directory,
    struct totals *totals)
{
	uint64_t count = 0, subdirectories = 0;

	for (const struct entry *e = directory_next(directory, 0); e != NULL;
	    e = directory_next(directory, e->cookie)) {
		if (!node_ok(storage, directory, e) || !inode_ok(e->inode))
			return false;
		if (is_directory(e->inode))
			subdirectories++;
		else
			totals->links += (1ul << 32) / e->inode->links;
		count++;
	}
	totals->names += count;
	totals->directories++;
	return directory->count == count &&
	    directory->links == 2 + subdirectories;
}

static const struct inode *
next_below(const struct inode *directory, uint64_t cookie)
{
	const struct entry *e = directory_next(directory, cookie);

	while (e != NULL && !is_directory(e->inode))
		e = directory_next(directory, e->cookie);
	return e == NULL ? NULL : e->inode;
}

/* Depth first, without a stack: the cookie of the name leads on. */
static bool
tree_ok(const struct storage *storage, struct totals *totals)
{
	const struct inode *top = storage->root->top, *at = top;

	if (!directory_ok(storage, top, totals))
		return false;
	for (uint64_t cookie = 0;;) {
		const struct inode *next = next_below(at, cookie);

		if (next != NULL) {
			if (!directory_ok(storage, next, totals))
				return false;
			at = next;
			cookie = 0;
		} else if (at == top) {
			return true;
		} else {
			cookie = at->entry->cookie;
			at = at->parent;
		}
	}
}

/* Do the descriptions refer to inodes that say so? */
static bool
descriptions_ok(const struct storage *storage, uint64_t *out_unlinked)
{
	const struct description *d;
	uint32_t index = 0, used = 0;
	uint64_t locks = 0;

	while ((d = storage_next(storage, &index)) != NULL) {
		if (d->inode == NULL || d->top == NULL ||
		    d->base == NULL || d->inode->references == 0 ||
		    d->top->references == 0 || d->base->references == 0 ||
		    (d->retired && d->inode != d->base) ||
		    (d->subject != NULL && storage->root->subjects.at[
		    d->subject->number] != d->subject))
			return false;
		if (!locks_ok(storage, d, &locks))
			return false;
		for (const struct lock *lock = d->locks; lock != NULL;
		    lock = lock->owner_next)
			*out_unlinked += lock->file->inode->links == 0;
		*out_unlinked += d->inode->links == 0 || d->base->links == 0;
		if (d->joined && (inode_kind(d->inode) != KIND_FIFO ||
		    d->inode->fifo == NULL))
			return false;
		used++;
	}
	return used == storage->root->places.descriptions &&
	    locks == storage->root->locks;
}

static bool
subjects_ok(const struct subjects *subjects)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < SUBJECTS_MAX; i++) {
		if (subjects->at[i] == NULL)
			continue;
		if (subjects->at[i]->number != i ||
		    subjects->at[i]->group_count > STORAGE_GROUPS_MAX)
			return false;
		count++;
	}
	return count == subjects->count;
}

bool
storage_ok(const struct storage *storage)
{
	struct totals totals = { .names = 1 };
	uint64_t unlinked = 0;

	if (!tree_ok(storage, &totals) || !fifos_ok(storage) ||
	    !subjects_ok(&storage->root->subjects) ||
	    !descriptions_ok(storage, &unlinked))
		return false;
	/* Each linked file adds about one; rounding loses less than a half. */
	uint64_t files = (totals.links + (1ul << 31)) >> 32;
	uint64_t linked = files + totals.directories;
	uint64_t inodes = storage->root->inodes;
	return inodes >= linked && (unlinked > 0 || inodes == linked);
}
