/* SPDX-License-Identifier: MIT */
/* Inodes: creation, counting (structures in state.h). */
#include <lib/storage/state.h>

unsigned
save(struct storage *storage, void *pointer, size_t length)
{
	return tx_add(storage->arena, pointer, length) == OK ? 0 : E_NOSPC;
}

uint64_t
now(const struct storage *storage)
{
	return storage->environment.now_ns(storage->environment.context);
}

unsigned
from_status(status_t status)
{
	switch (status) {
	case OK:
		return 0;
	case ERR_NOMEM:
	case ERR_LIMIT:
	case ERR_FULL:
		return E_NOSPC;
	case ERR_RANGE:
		return E_FBIG;
	default:
		return E_IO;
	}
}

unsigned
inode_create(struct storage *storage, const struct subject *owner,
    uint32_t mode, struct inode **out_inode)
{
	struct storage_root *root = storage->root;
	struct inode *inode = arena_alloc(storage->arena, sizeof(*inode));

	if (inode == NULL || SAVE(storage, &root->next_inode) != 0 ||
	    SAVE(storage, &root->inodes) != 0)
		return E_NOSPC;
	inode->number = ++root->next_inode;
	root->inodes++;
	inode->mode = mode;
	inode->uid = owner->ids.uid;
	inode->gid = owner->ids.gid;
	inode->atime_ns = inode->mtime_ns = inode->ctime_ns = now(storage);
	*out_inode = inode;
	return 0;
}

static unsigned
free_content(struct storage *storage, struct inode *inode)
{
	struct storage_environment *e = &storage->environment;

	if (inode_kind(inode) == KIND_REGULAR && inode->file != 0)
		return from_status(e->file_destroy(e->context, inode->file));
	if (inode_kind(inode) == KIND_SYMLINK &&
	    arena_free(storage->arena, inode->target) != OK)
		return E_NOSPC;
	return 0;
}

/*
 * Frees the inode, of which nothing is left. A removed directory held its
 * parent; that may go too, and so on upwards.
 */
static unsigned
free_from(struct storage *storage, struct inode *inode)
{
	while (inode != NULL) {
		struct inode *parent = is_directory(inode) ?
		    inode->parent : NULL;
		unsigned error = free_content(storage, inode);

		if (error != 0)
			return error;
		if (SAVE(storage, &storage->root->inodes) != 0 ||
		    arena_free(storage->arena, inode) != OK)
			return E_NOSPC;
		storage->root->inodes--;
		if (parent != NULL) {
			if (SAVE(storage, &parent->references) != 0)
				return E_NOSPC;
			parent->references--;
			if (parent->links != 0 || parent->references != 0)
				parent = NULL;
		}
		inode = parent;
	}
	return 0;
}

unsigned
inode_reference(struct storage *storage, struct inode *inode)
{
	if (SAVE(storage, &inode->references) != 0)
		return E_NOSPC;
	inode->references++;
	return 0;
}

unsigned
inode_unreference(struct storage *storage, struct inode *inode)
{
	if (SAVE(storage, &inode->references) != 0)
		return E_NOSPC;
	inode->references--;
	if (inode->references == 0 && watch_release(storage, inode) != 0)
		return E_NOSPC;
	return inode->links == 0 && inode->references == 0 ?
	    free_from(storage, inode) : 0;
}

bool
inode_is_last(const struct inode *inode)
{
	return !is_directory(inode) && inode->links == 1 &&
	    inode->references == 0;
}

unsigned
inode_forget(struct storage *storage, struct inode *inode,
    const struct entry *entry)
{
	if (is_directory(inode) || inode->entry != entry ||
	    inode_is_last(inode))
		return 0;
	if (SAVE_FIELDS(storage, inode, links, entry) != 0)
		return E_NOSPC;
	inode->entry = NULL;
	inode->parent = NULL;
	return 0;
}

/* One link less; a directory loses all at once and holds its parent. */
unsigned
inode_unlink(struct storage *storage, struct inode *inode)
{
	unsigned error;

	/* What goes need not be saved field by field. */
	if (inode_is_last(inode))
		return free_from(storage, inode);
	error = inode_changed(storage, inode);
	if (error != 0 || SAVE_FIELDS(storage, inode, links, entry) != 0)
		return E_NOSPC;
	if (!is_directory(inode)) {
		inode->links--;
		return 0;
	}
	inode->links = 0;
	inode->entry = NULL;
	error = inode_reference(storage, inode->parent);
	return error == 0 && inode->references == 0 ?
	    free_from(storage, inode) : error;
}

unsigned
inode_modified(struct storage *storage, struct inode *inode)
{
	if (SAVE_FIELDS(storage, inode, mtime_ns, ctime_ns) != 0)
		return E_NOSPC;
	watch_touch(storage, inode);
	inode->mtime_ns = inode->ctime_ns = now(storage);
	return 0;
}

unsigned
inode_changed(struct storage *storage, struct inode *inode)
{
	if (SAVE(storage, &inode->ctime_ns) != 0)
		return E_NOSPC;
	watch_touch(storage, inode);
	inode->ctime_ns = now(storage);
	return 0;
}
