/* SPDX-License-Identifier: MIT */
/* Attributes, listings, and the path of what is open. */
#include <lib/storage/state.h>

#include <lib/base/string.h>

#define ENTRY_SIZE	32u	/* reported size of a directory, per name */

static void
fill_stat(const struct inode *inode, struct storage_stat *out_stat)
{
	uint64_t size = inode->size;

	if (is_directory(inode))
		size = (inode->count + 2) * ENTRY_SIZE;
	*out_stat = (struct storage_stat){
		.inode = inode->number,
		.mode = inode->mode,
		.links = inode->links,
		.uid = inode->uid,
		.gid = inode->gid,
		.device = inode->device,
		.size = size,
		.blocks = inode_kind(inode) != KIND_REGULAR ? 0 :
		    (size + STORAGE_PAGE - 1) / STORAGE_PAGE *
		    (STORAGE_PAGE / 512),
		.atime_ns = inode->atime_ns,
		.mtime_ns = inode->mtime_ns,
		.ctime_ns = inode->ctime_ns,
	};
}

void
storage_stat(struct storage *storage, const struct description *description,
    struct storage_stat *out_stat)
{
	(void)storage;
	fill_stat(description->inode, out_stat);
}

unsigned
storage_stat_at(struct storage *storage, struct description *base,
    struct storage_path path, unsigned flags, struct storage_stat *out_stat)
{
	struct inode *inode;
	unsigned error = walk_at(storage, base, path, flags, &inode);

	if (error == 0)
		fill_stat(inode, out_stat);
	return error;
}

unsigned
storage_chmod(struct storage *storage, struct description *base,
    struct storage_path path, uint32_t mode, unsigned flags)
{
	struct inode *inode;
	unsigned error = walk_at(storage, base, path, flags, &inode);

	if (error != 0)
		return error;
	if (inode_kind(inode) == KIND_SYMLINK)
		return E_NOTSUP;
	if (!subject_owns(base->subject, inode))
		return E_PERM;
	mode &= MODE_MASK;
	if (!subject_may_set_gid(base->subject, inode->gid))
		mode &= ~MODE_SETGID;
	error = inode_changed(storage, inode);
	if (error == 0)
		error = SAVE(storage, &inode->mode);
	if (error == 0)
		inode->mode = (inode->mode & ~MODE_MASK) | mode;
	return error;
}

static bool
may_chown(const struct subject *who, const struct inode *inode,
    struct storage_owner owner)
{
	bool own = who->ids.uid == inode->uid;

	if (!subject_may(who, PRIVILEGE_CHOWN) &&
	    ((owner.uid != UINT32_MAX && (!own || owner.uid != inode->uid)) ||
	    (owner.gid != UINT32_MAX && (!own || (owner.gid != inode->gid &&
	    !subject_in_group(who, owner.gid))))))
		return false;
	/* What a new owner must not get is taken away, as by chmod. */
	return is_directory(inode) || subject_owns(who, inode) ||
	    inode_without_set_id(who, inode) == inode->mode;
}

unsigned
storage_chown(struct storage *storage, struct description *base,
    struct storage_path path, struct storage_owner owner, unsigned flags)
{
	struct inode *inode;
	uint32_t mode;
	unsigned error = walk_at(storage, base, path, flags, &inode);

	if (error != 0)
		return error;
	if (!may_chown(base->subject, inode, owner))
		return E_PERM;
	mode = inode_without_set_id(base->subject, inode);
	error = inode_changed(storage, inode);
	if (error == 0)
		error = SAVE_FIELDS(storage, inode, uid, mode);
	if (error != 0)
		return error;
	if (owner.uid != UINT32_MAX)
		inode->uid = owner.uid;
	if (owner.gid != UINT32_MAX)
		inode->gid = owner.gid;
	if (!is_directory(inode))
		inode->mode = mode;
	return 0;
}

unsigned
storage_utimens(struct storage *storage, struct description *base,
    struct storage_path path, struct storage_times times, unsigned flags)
{
	bool both_now = times.atime_ns == TIME_NOW &&
	    times.mtime_ns == TIME_NOW;
	uint64_t time = now(storage);
	struct inode *inode;

	unsigned error = walk_at(storage, base, path, flags, &inode);
	if (error != 0)
		return error;
	if (times.atime_ns == TIME_OMIT && times.mtime_ns == TIME_OMIT)
		return 0;
	if (!subject_owns(base->subject, inode) &&
	    !(both_now && subject_allows(base->subject, inode, WANT_WRITE)))
		return both_now ? E_ACCES : E_PERM;
	if (SAVE_FIELDS(storage, inode, atime_ns, ctime_ns) != 0)
		return E_NOSPC;
	watch_touch(storage, inode);
	if (times.atime_ns != TIME_OMIT)
		inode->atime_ns = times.atime_ns == TIME_NOW ? time :
		    times.atime_ns;
	if (times.mtime_ns != TIME_OMIT)
		inode->mtime_ns = times.mtime_ns == TIME_NOW ? time :
		    times.mtime_ns;
	inode->ctime_ns = time;
	return 0;
}

unsigned
storage_access(struct storage *storage, struct description *base,
    struct storage_path path, unsigned want, unsigned flags)
{
	struct description who = *base;
	struct subject real;
	struct inode *inode;
	unsigned error;

	if ((want & ~(WANT_READ | WANT_WRITE | WANT_EXEC)) != 0)
		return E_INVAL;
	if (base->subject != NULL && (flags & AT_REAL) != 0) {
		real = *base->subject;
		real.ids.uid = real.ids.real_uid;
		real.ids.gid = real.ids.real_gid;
		real.ids.privileges = real.ids.real_privileges;
		who.subject = &real;
	}
	error = walk_at(storage, &who, path, flags, &inode);
	if (error != 0)
		return error;
	return subject_allows(who.subject, inode, want) ? 0 : E_ACCES;
}

void
storage_statfs(struct storage *storage, struct storage_statfs *out_statfs)
{
	struct storage_environment *e = &storage->environment;
	uint64_t total = 0, free = 0;

	if (e->space != NULL)
		e->space(e->context, &total, &free);
	*out_statfs = (struct storage_statfs){
		.blocks = total / STORAGE_PAGE,
		.blocks_free = free / STORAGE_PAGE,
		.files = storage->root->inodes + free / STORAGE_PAGE,
		.files_free = free / STORAGE_PAGE,
	};
}

/* --- Listing. --- */

/* The entry behind a position, `.` and `..` first; false at the end. */
static bool
entry_after(const struct description *d, uint64_t position,
    struct storage_path *out_name, const struct inode **out_inode,
    uint64_t *out_next)
{
	const struct inode *directory = d->inode;
	const struct entry *entry;

	if (position < COOKIE_DOT) {
		*out_name = (struct storage_path){ ".", 1 };
		*out_inode = directory;
		*out_next = COOKIE_DOT;
		return true;
	}
	if (position < COOKIE_DOTDOT) {
		*out_name = (struct storage_path){ "..", 2 };
		*out_inode = directory == d->top ? directory :
		    directory->parent;
		*out_next = COOKIE_DOTDOT;
		return true;
	}
	entry = directory_next(directory, position);
	if (entry == NULL)
		return false;
	*out_name = (struct storage_path){ entry->name, entry->length };
	*out_inode = entry->inode;
	*out_next = entry->cookie;
	return true;
}

unsigned
storage_readdir(struct storage *storage, struct description *description,
    void *buffer, size_t size, size_t *out_length)
{
	uint64_t position = description->position, next;
	const struct inode *inode;
	struct storage_path name;
	size_t used = 0;

	if ((description->flags & OPEN_PATH) != 0 ||
	    (description->flags & OPEN_READ) == 0)
		return E_BADF;
	if (!is_directory(description->inode))
		return E_NOTDIR;
	/* A removed directory lists nothing. */
	while (description->inode->links != 0 &&
	    entry_after(description, position, &name, &inode, &next)) {
		size_t plain = offsetof(struct storage_entry, name) +
		    name.length + 1, length = (plain + 7) & ~(size_t)7;
		struct storage_entry *entry = (void *)((char *)buffer + used);

		if (length > size - used) {
			if (used == 0)
				return E_INVAL;
			break;
		}
		entry->inode = inode->number;
		entry->next = next;
		entry->length = (uint16_t)length;
		entry->kind = (uint8_t)inode_kind(inode);
		memcpy(entry->name, name.text, name.length);
		memset(entry->name + name.length, 0, length - plain + 1);
		used += length;
		position = next;
	}
	*out_length = used;
	if (used == 0)
		return 0;
	if (SAVE(storage, &description->position) != 0)
		return E_NOSPC;
	description->position = position;
	return 0;
}

/* From the end of the buffer to its start, then moved to the front. */
unsigned
storage_path_of(struct storage *storage, const struct description *description,
    char *buffer, size_t size, size_t *out_length)
{
	const struct inode *inode = description->inode;
	size_t at = size;

	(void)storage;
	if (inode == description->top) {
		if (size == 0)
			return E_RANGE;
		buffer[0] = '/';
		*out_length = 1;
		return 0;
	}
	for (; inode != description->top; inode = inode->parent) {
		const struct entry *entry = inode->entry;

		if (entry == NULL)
			return E_NOENT;
		if (entry->length + 1u > at)
			return E_RANGE;
		at -= entry->length + 1u;
		buffer[at] = '/';
		memcpy(buffer + at + 1, entry->name, entry->length);
	}
	memmove(buffer, buffer + at, size - at);
	*out_length = size - at;
	return 0;
}
