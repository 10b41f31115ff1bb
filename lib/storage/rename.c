/* SPDX-License-Identifier: MIT */
/*
 * Rename: replaces, refuses to, or exchanges.
 *
 * A directory must not become its own ancestor; with the tree connected, that
 * would cut a ring off. The order of checks is the usual one (see link.c).
 */
#include <lib/storage/state.h>

/* Is `directory` the inode, or below it? */
static bool
is_below(const struct inode *directory, const struct inode *inode)
{
	for (;; directory = directory->parent) {
		if (directory == inode)
			return true;
		if (directory->parent == directory)
			return false;
	}
}

static unsigned
check_names(const struct walk *from, const struct walk *to, unsigned flags)
{
	bool exchange = (flags & RENAME_EXCHANGE) != 0;

	if (from->inode == NULL)
		return from->late != 0 ? from->late : E_NOENT;
	if (to->late != 0)
		return to->late;
	if ((flags & RENAME_NOREPLACE) != 0 && to->inode != NULL)
		return E_EXIST;
	if (exchange && to->inode == NULL)
		return E_NOENT;
	if (exchange && to->slash && !is_directory(to->inode))
		return E_NOTDIR;
	if (!is_directory(from->inode) &&
	    (from->slash || (!exchange && to->slash)))
		return E_NOTDIR;
	if (is_directory(from->inode) &&
	    is_below(to->directory, from->inode))
		return E_INVAL;
	if (to->inode != NULL && is_directory(to->inode) &&
	    is_below(from->directory, to->inode))
		return exchange ? E_INVAL : E_NOTEMPTY;
	return 0;
}

/* A directory that changes its parent is written to: its `..`. */
static unsigned
check_parents(const struct walk *from, const struct walk *to, bool exchange)
{
	if (from->directory == to->directory)
		return 0;
	if (is_directory(from->inode) &&
	    !subject_allows(from->who, from->inode, WANT_WRITE))
		return E_ACCES;
	if (exchange && is_directory(to->inode) &&
	    !subject_allows(from->who, to->inode, WANT_WRITE))
		return E_ACCES;
	return 0;
}

static unsigned
check_rights(const struct walk *from, const struct walk *to, unsigned flags)
{
	bool exchange = (flags & RENAME_EXCHANGE) != 0;
	bool directory = is_directory(from->inode);
	unsigned error = may_delete(from, directory);

	if (error != 0)
		return error;
	if (to->inode == NULL)
		error = may_create(to);
	else
		error = may_delete(to, exchange ? is_directory(to->inode) :
		    directory);
	if (error != 0)
		return error;
	error = check_parents(from, to, exchange);
	if (error == 0 && !exchange && to->inode != NULL && directory &&
	    to->inode->count != 0)
		error = E_NOTEMPTY;
	return error;
}

/* The inode goes from one name to another. */
static unsigned
move(struct storage *storage, struct inode *inode, const struct walk *from,
    struct inode *directory, struct entry *entry)
{
	if (inode_changed(storage, inode) != 0 ||
	    SAVE_FIELDS(storage, inode, parent, entry) != 0 ||
	    (is_directory(inode) &&
	    (SAVE(storage, &from->directory->links) != 0 ||
	    SAVE(storage, &directory->links) != 0)))
		return E_NOSPC;
	if (inode->entry == from->entry || inode->entry == NULL) {
		inode->entry = entry;
		inode->parent = directory;
	}
	if (is_directory(inode)) {
		from->directory->links--;
		directory->links++;
	}
	return 0;
}

static unsigned
exchange(struct storage *storage, struct walk *from, struct walk *to)
{
	unsigned error = inode_modified(storage, from->directory);

	if (error == 0)
		error = inode_modified(storage, to->directory);
	if (error == 0)
		error = move(storage, from->inode, from, to->directory,
		    to->entry);
	if (error == 0)
		error = move(storage, to->inode, to, from->directory,
		    from->entry);
	if (error != 0 || SAVE(storage, &from->entry->inode) != 0 ||
	    SAVE(storage, &to->entry->inode) != 0)
		return E_NOSPC;
	from->entry->inode = to->inode;
	to->entry->inode = from->inode;
	return 0;
}

/* The name is taken over; what it named loses a link. */
static unsigned
replace(struct storage *storage, struct walk *to, struct inode *inode)
{
	struct inode *victim = to->inode;

	if (inode_modified(storage, to->directory) != 0 ||
	    SAVE(storage, &to->entry->inode) != 0 ||
	    (is_directory(victim) &&
	    SAVE(storage, &to->directory->links) != 0) ||
	    inode_forget(storage, victim, to->entry) != 0)
		return E_NOSPC;
	to->entry->inode = inode;
	if (is_directory(victim))
		to->directory->links--;
	return inode_unlink(storage, victim);
}

static unsigned
rename_walked(struct storage *storage, struct walk *from, struct walk *to)
{
	struct inode *inode = from->inode;
	struct entry *entry = to->entry;
	unsigned error;

	if (to->inode != NULL)
		error = replace(storage, to, inode);
	else
		error = directory_insert(storage, to->directory, to->name,
		    inode, &entry);
	if (error == 0)
		error = move(storage, inode, from, to->directory, entry);
	if (error == 0)
		error = directory_remove(storage, from->directory,
		    from->entry);
	return error;
}

unsigned
storage_rename(struct storage *storage, struct storage_place from,
    struct storage_place to, unsigned flags)
{
	struct walk old, new;
	unsigned error;

	if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE)) != 0 ||
	    flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
		return E_INVAL;
	error = walk_start(&old, storage, from.base, from.path);
	if (error == 0)
		error = walk_start(&new, storage, to.base, to.path);
	if (error != 0)
		return error;
	if (old.last != LAST_NAME)
		return E_BUSY;
	if (new.last != LAST_NAME)
		return (flags & RENAME_NOREPLACE) != 0 ? E_EXIST : E_BUSY;
	error = check_names(&old, &new, flags);
	if (error != 0 || old.inode == new.inode)
		return error;
	error = check_rights(&old, &new, flags);
	if (error != 0)
		return error;
	if ((flags & RENAME_EXCHANGE) != 0)
		return exchange(storage, &old, &new);
	return rename_walked(storage, &old, &new);
}
