/* SPDX-License-Identifier: MIT */
/*
 * Files without a name, and seals: what nobody may do to such a file any more.
 *
 * Nobody tells which clients have mapped a file to write it. So a file that is
 * sealed against writing, and may have been mapped so, gets pages of its own:
 * a copy of that moment. Who had mapped it keeps what he had.
 */
#include <lib/storage/state.h>

#define SEALS	(SEAL_SEAL | SEAL_SHRINK | SEAL_GROW | SEAL_WRITE | \
		SEAL_FUTURE_WRITE)

unsigned
seal_allows_size(const struct inode *inode, uint64_t size)
{
	return (size < inode->size && (inode->seals & SEAL_SHRINK) != 0) ||
	    (size > inode->size && (inode->seals & SEAL_GROW) != 0) ?
	    E_PERM : 0;
}

unsigned
seal_allows_writing(const struct inode *inode)
{
	return (inode->seals & (SEAL_WRITE | SEAL_FUTURE_WRITE)) != 0 ?
	    E_PERM : 0;
}

unsigned
storage_unnamed(struct storage *storage, struct description *base,
    uint32_t mode, uint32_t seals, struct description **out_description)
{
	struct inode *inode;
	unsigned error = inode_create(storage, base->subject,
	    KIND_REGULAR << MODE_KIND_SHIFT | (mode & MODE_MASK), &inode);

	if (error != 0)
		return error;
	inode->seals = SEALABLE | (seals & SEALS);
	return description_create(storage, base, inode, OPEN_READ | OPEN_WRITE,
	    out_description);
}

static unsigned
part_from_writers(struct storage *storage, struct inode *inode)
{
	struct storage_environment *e = &storage->environment;
	uint64_t size = (inode->size + STORAGE_PAGE - 1) & ~(STORAGE_PAGE - 1);
	uint64_t file;
	unsigned error = file_clean(storage, inode);

	if (error == 0)
		error = from_status(e->file_clone(e->context, inode->file,
		    size, &file));
	if (error == 0)
		error = from_status(e->file_destroy(e->context, inode->file));
	if (error != 0)
		return error;
	inode->file = file;
	inode->shared = 0;
	return 0;
}

unsigned
storage_seal(struct storage *storage, struct description *description,
    uint32_t add, uint32_t *out_seals)
{
	struct inode *inode = description->inode;
	unsigned error = 0;

	if ((description->flags & OPEN_PATH) != 0)
		return E_BADF;
	if ((inode->seals & SEALABLE) == 0 || (add & ~SEALS) != 0)
		return E_INVAL;
	*out_seals = inode->seals & SEALS;
	if (add == 0)
		return 0;
	if ((description->flags & OPEN_WRITE) == 0 ||
	    (inode->seals & SEAL_SEAL) != 0)
		return E_PERM;
	if (SAVE(storage, inode) != 0)
		return E_NOSPC;
	if ((add & SEAL_WRITE) != 0 && inode->shared != 0)
		error = part_from_writers(storage, inode);
	inode->seals |= add;
	*out_seals = inode->seals & SEALS;
	return error;
}

uint64_t
storage_inode(const struct description *description)
{
	return description->inode->number;
}
