/* SPDX-License-Identifier: MIT */
/* Opening: looks up or creates, checks, truncates, makes a description. */
#include <lib/storage/state.h>

#define OPEN_ALL	(OPEN_READ | OPEN_WRITE | OPEN_CREATE | \
	OPEN_EXCLUSIVE | OPEN_TRUNCATE | OPEN_APPEND | OPEN_DIRECTORY | \
	OPEN_NOFOLLOW | OPEN_PATH | OPEN_EXECUTE)

/* The last component, through symbolic links; may be missing. */
static unsigned
find_or_miss(struct walk *walk, struct storage *storage,
    struct description *base, struct storage_path path, unsigned flags)
{
	bool follow = (flags & (OPEN_EXCLUSIVE | OPEN_NOFOLLOW)) == 0;
	unsigned error = walk_start(walk, storage, base, path);

	while (error == 0) {
		if (walk->slash && walk->last == LAST_NAME)
			return E_ISDIR;
		if (walk->late != 0)
			return walk->late;
		if (walk->inode == NULL || !follow ||
		    inode_kind(walk->inode) != KIND_SYMLINK)
			return 0;
		error = walk_follow(walk);
	}
	return error;
}

/* A new regular file where the walk found nothing. */
static unsigned
create(struct walk *walk, uint32_t mode)
{
	struct inode *directory = walk->directory, *inode;
	unsigned error = may_create(walk);

	if (error == 0)
		error = inode_create(walk->storage, walk->who,
		    KIND_REGULAR << MODE_KIND_SHIFT | (mode & MODE_MASK),
		    &inode);
	if (error != 0)
		return error;
	if ((directory->mode & MODE_SETGID) != 0) {
		inode->gid = directory->gid;
		if ((mode & MODE_GROUP_EXEC) != 0 &&
		    !subject_may_set_gid(walk->who, directory->gid))
			inode->mode &= ~MODE_SETGID;
	}
	return link_new(walk, inode);
}

static unsigned
check_kind(const struct inode *inode, unsigned flags)
{
	if ((flags & OPEN_DIRECTORY) != 0 && !is_directory(inode))
		return E_NOTDIR;
	if ((flags & OPEN_PATH) != 0)
		return 0;
	if (inode_kind(inode) == KIND_SYMLINK)
		return E_LOOP;
	if (inode_kind(inode) == KIND_SOCKET)
		return E_NXIO;
	if (is_directory(inode) &&
	    (flags & (OPEN_WRITE | OPEN_TRUNCATE | OPEN_CREATE)) != 0)
		return E_ISDIR;
	return 0;
}

static unsigned
check_rights(const struct subject *who, const struct inode *inode,
    unsigned flags)
{
	unsigned want = 0;

	if ((flags & OPEN_PATH) != 0)
		return 0;
	if ((flags & OPEN_READ) != 0)
		want |= WANT_READ;
	if ((flags & (OPEN_WRITE | OPEN_TRUNCATE)) != 0)
		want |= WANT_WRITE;
	if ((flags & OPEN_EXECUTE) != 0)
		want |= WANT_EXEC;
	return subject_allows(who, inode, want) ? 0 : E_ACCES;
}

/* The inode that is opened; *out_created: it is new. */
static unsigned
find(struct storage *storage, struct description *base,
    struct storage_path path, unsigned flags, uint32_t mode,
    struct inode **out_inode, bool *out_created)
{
	struct walk walk;
	unsigned error;

	*out_created = false;
	if ((flags & OPEN_CREATE) == 0) {
		error = walk_all(&walk, storage, base, path,
		    (flags & OPEN_NOFOLLOW) == 0);
		*out_inode = walk.inode;
		return error;
	}
	error = find_or_miss(&walk, storage, base, path, flags);
	if (error != 0)
		return error;
	if (walk.inode == NULL) {
		error = create(&walk, mode);
		*out_created = true;
	} else if ((flags & OPEN_EXCLUSIVE) != 0) {
		error = E_EXIST;
	}
	*out_inode = walk.inode;
	return error;
}

/* All but the description. */
static unsigned
open_inode(struct storage *storage, struct description *base,
    struct storage_path path, unsigned *flags, uint32_t mode,
    struct storage_opened *out_opened, struct inode **out_inode)
{
	struct inode *inode;
	bool created;

	if ((*flags & ~OPEN_ALL) != 0)
		return E_INVAL;
	if ((*flags & OPEN_PATH) != 0)
		*flags &= OPEN_PATH | OPEN_DIRECTORY | OPEN_NOFOLLOW;
	if ((*flags & OPEN_CREATE) != 0 && (*flags & OPEN_DIRECTORY) != 0)
		return E_INVAL;
	if ((*flags & OPEN_CREATE) == 0)
		*flags &= ~OPEN_EXCLUSIVE;
	unsigned error = find(storage, base, path, *flags, mode, &inode,
	    &created);
	if (error == 0 && !created) {
		error = check_kind(inode, *flags);
		if (error == 0)
			error = check_rights(base->subject, inode, *flags);
		if (error == 0 && (*flags & OPEN_TRUNCATE) != 0 &&
		    inode_kind(inode) == KIND_REGULAR)
			error = file_set_size(storage, base->subject, inode, 0);
	}
	if (error != 0)
		return error;
	*flags &= OPEN_READ | OPEN_WRITE | OPEN_APPEND | OPEN_PATH;
	*out_opened = (struct storage_opened){ inode_kind(inode),
		inode->device, inode->size, inode->number };
	*out_inode = inode;
	return 0;
}

unsigned
storage_open(struct storage *storage, struct description *base,
    struct storage_path path, unsigned flags, uint32_t mode,
    struct description **out_description, struct storage_opened *out_opened)
{
	struct inode *inode;
	unsigned error = open_inode(storage, base, path, &flags, mode,
	    out_opened, &inode);

	return error != 0 ? error : description_create(storage, base, inode,
	    flags, out_description);
}

unsigned
storage_reopen(struct storage *storage, struct description *description,
    struct storage_path path, unsigned flags, uint32_t mode,
    struct storage_opened *out_opened)
{
	struct inode *inode;

	if (!description->retired)
		return E_INVAL;
	unsigned error = open_inode(storage, description, path, &flags, mode,
	    out_opened, &inode);
	return error != 0 ? error : description_rebind(storage, description,
	    inode, flags);
}
