/* SPDX-License-Identifier: MIT */
/*
 * Names: making and removing them.
 *
 * Where several things are wrong, the error is the one that programs are used
 * to: first the walk, then whether the name exists, then the permission of the
 * directory.
 */
#include <lib/storage/state.h>

#include <lib/base/string.h>

unsigned
may_create(const struct walk *walk)
{
	const struct inode *directory = walk->directory;

	if (directory->links == 0)
		return E_NOENT;
	return subject_allows(walk->who, directory, WANT_WRITE | WANT_EXEC) ?
	    0 : E_ACCES;
}

unsigned
may_delete(const struct walk *walk, bool want_directory)
{
	const struct inode *directory = walk->directory;
	const struct inode *victim = walk->inode;
	const struct subject *who = walk->who;

	if (!subject_allows(who, directory, WANT_WRITE | WANT_EXEC))
		return E_ACCES;
	if ((directory->mode & MODE_STICKY) != 0 &&
	    who->ids.uid != directory->uid && !subject_owns(who, victim))
		return E_PERM;
	if (want_directory != is_directory(victim))
		return want_directory ? E_NOTDIR : E_ISDIR;
	if (victim == walk->top || victim->parent == victim)
		return E_BUSY;
	return 0;
}

unsigned
walk_new(struct walk *walk, struct storage *storage,
    const struct description *base, struct storage_path path, bool directory)
{
	unsigned error = walk_start(walk, storage, base, path);

	if (error == 0)
		error = walk->late;
	if (error != 0)
		return error;
	if (walk->inode != NULL)
		return E_EXIST;
	return walk->slash && !directory ? E_NOENT : 0;
}

unsigned
link_new(struct walk *walk, struct inode *inode)
{
	struct storage *storage = walk->storage;
	struct entry *entry;
	unsigned error = directory_insert(storage, walk->directory,
	    walk->name, inode, &entry);

	if (error != 0)
		return error;
	if (SAVE_FIELDS(storage, inode, links, entry) != 0)
		return E_NOSPC;
	watch_touch(storage, inode);
	inode->links++;
	if (inode->entry == NULL) {
		inode->entry = entry;
		inode->parent = walk->directory;
	}
	walk->entry = entry;
	walk->inode = inode;
	return 0;
}

/* A new inode of that mode under the new name; group as the directory says. */
static unsigned
create(struct walk *walk, uint32_t mode, struct inode **out_inode)
{
	struct inode *directory = walk->directory;
	unsigned error = may_create(walk);

	if (error == 0)
		error = inode_create(walk->storage, walk->who, mode,
		    out_inode);
	if (error != 0)
		return error;
	if ((directory->mode & MODE_SETGID) != 0) {
		(*out_inode)->gid = directory->gid;
		if (is_directory(*out_inode))
			(*out_inode)->mode |= MODE_SETGID;
		else if ((mode & MODE_GROUP_EXEC) != 0 &&
		    !subject_may_set_gid(walk->who, directory->gid))
			(*out_inode)->mode &= ~MODE_SETGID;
	}
	return link_new(walk, *out_inode);
}

unsigned
storage_mkdir(struct storage *storage, struct description *base,
    struct storage_path path, uint32_t mode)
{
	struct inode *inode;
	struct walk walk;
	unsigned error = walk_new(&walk, storage, base, path, true);

	if (error == 0)
		error = create(&walk, KIND_DIRECTORY << MODE_KIND_SHIFT |
		    (mode & (0777 | MODE_STICKY)), &inode);
	if (error != 0)
		return error;
	if (SAVE(storage, &walk.directory->links) != 0)
		return E_NOSPC;
	/* Its own dot, and the two dots that lead up. */
	inode->links++;
	walk.directory->links++;
	return 0;
}

unsigned
storage_mknod(struct storage *storage, struct description *base,
    struct storage_path path, uint32_t mode, uint64_t device)
{
	unsigned kind = mode >> MODE_KIND_SHIFT;
	struct inode *inode;
	struct walk walk;
	unsigned error;

	if (kind == 0)
		kind = KIND_REGULAR;
	if (kind == KIND_DIRECTORY)
		return E_PERM;
	if (kind != KIND_REGULAR && kind != KIND_FIFO && kind != KIND_SOCKET &&
	    kind != KIND_CHARACTER && kind != KIND_BLOCK)
		return E_INVAL;
	error = walk_new(&walk, storage, base, path, false);
	if (error == 0)
		error = may_create(&walk);
	if (error != 0)
		return error;
	if (kind != KIND_CHARACTER && kind != KIND_BLOCK)
		device = 0;
	else if (!subject_may(walk.who, PRIVILEGE_MKNOD))
		return E_PERM;
	error = create(&walk, kind << MODE_KIND_SHIFT | (mode & MODE_MASK),
	    &inode);
	if (error == 0)
		inode->device = device;
	return error;
}

unsigned
storage_symlink(struct storage *storage, struct description *base,
    struct storage_path target, struct storage_path path)
{
	struct inode *inode;
	struct walk walk;
	unsigned error;

	if (target.length == 0)
		return E_NOENT;
	if (target.length >= STORAGE_PATH_MAX)
		return E_NAMETOOLONG;
	if (memchr(target.text, '\0', target.length) != NULL)
		return E_INVAL;
	error = walk_new(&walk, storage, base, path, false);
	if (error == 0)
		error = create(&walk, KIND_SYMLINK << MODE_KIND_SHIFT | 0777,
		    &inode);
	if (error != 0)
		return error;
	inode->target = arena_alloc(storage->arena, target.length);
	if (inode->target == NULL)
		return E_NOSPC;
	memcpy(inode->target, target.text, target.length);
	inode->target_length = (uint32_t)target.length;
	inode->size = target.length;
	return 0;
}

unsigned
storage_readlink(struct storage *storage, struct description *base,
    struct storage_path path, struct storage_path *out_target)
{
	struct inode *inode;
	unsigned error = walk_at(storage, base, path, AT_NOFOLLOW | AT_HANDLE,
	    &inode);

	if (error != 0)
		return error;
	if (inode_kind(inode) != KIND_SYMLINK)
		return E_INVAL;
	*out_target = (struct storage_path){ inode->target,
		inode->target_length };
	return 0;
}

/* What cannot be unlinked whoever asks. */
static unsigned
unlink_check(const struct walk *walk, bool directory)
{
	if (directory) {
		switch (walk->last) {
		case LAST_DOT:
			return E_INVAL;
		case LAST_DOTDOT:
			return E_NOTEMPTY;
		case LAST_ROOT:
			return E_BUSY;
		default:
			return walk->inode == NULL ? E_NOENT : 0;
		}
	}
	if (walk->last != LAST_NAME)
		return E_ISDIR;
	if (walk->inode == NULL)
		return E_NOENT;
	if (walk->slash)
		return is_directory(walk->inode) ? E_ISDIR : E_NOTDIR;
	return 0;
}

unsigned
storage_unlink(struct storage *storage, struct description *base,
    struct storage_path path, bool directory)
{
	struct walk walk;
	unsigned error = walk_start(&walk, storage, base, path);

	if (error == 0)
		error = walk.late;
	if (error == 0)
		error = unlink_check(&walk, directory);
	if (error == 0)
		error = may_delete(&walk, directory);
	if (error == 0 && directory && walk.inode->count != 0)
		error = E_NOTEMPTY;
	if (error != 0)
		return error;
	error = inode_forget(storage, walk.inode, walk.entry);
	if (error == 0)
		error = directory_remove(storage, walk.directory, walk.entry);
	if (error == 0 && directory) {
		error = SAVE(storage, &walk.directory->links);
		walk.directory->links -= error == 0;
	}
	if (error != 0)
		return error;
	return inode_unlink(storage, walk.inode);
}

unsigned
storage_link(struct storage *storage, struct storage_place from,
    struct storage_place to, unsigned flags)
{
	struct inode *inode;
	struct walk walk;
	unsigned error = walk_at(storage, from.base, from.path, flags, &inode);

	if (error == 0)
		error = walk_new(&walk, storage, to.base, to.path, false);
	if (error == 0 && storage->protects_links &&
	    !subject_may_link(from.base->subject, inode))
		error = E_PERM;
	if (error == 0)
		error = may_create(&walk);
	if (error != 0)
		return error;
	if (is_directory(inode))
		return E_PERM;
	if (inode->links == 0)
		return E_NOENT;
	if (inode->links >= STORAGE_LINKS_PER_FILE)
		return E_MLINK;
	error = inode_changed(storage, inode);
	return error != 0 ? error : link_new(&walk, inode);
}
