/* SPDX-License-Identifier: MIT */
/*
 * Nodes of local sockets. Storage keeps nothing of them but a key, drawn by who
 * made the node and told to who may write it: by that the two meet at proc.
 */
#include <lib/storage/storage.h>

#include <lib/storage/state.h>

unsigned
storage_socket(struct storage *storage, struct description *base,
    struct storage_path path, uint32_t mode, const uint64_t key[2])
{
	struct inode *inode;
	unsigned error = storage_mknod(storage, base, path,
	    KIND_SOCKET << MODE_KIND_SHIFT | (mode & MODE_MASK), 0);

	if (error == 0)
		error = walk_at(storage, base, path, AT_NOFOLLOW, &inode);
	if (error != 0)
		return error;
	/* New in this transaction: it needs no saving. */
	inode->key[0] = key[0];
	inode->key[1] = key[1];
	return 0;
}

unsigned
storage_rendezvous(struct storage *storage, struct description *base,
    struct storage_path path, uint64_t out_key[2])
{
	struct inode *inode;
	unsigned error = walk_at(storage, base, path, 0, &inode);

	if (error != 0)
		return error;
	if (!subject_allows(base->subject, inode, WANT_WRITE))
		return E_ACCES;
	if (inode_kind(inode) != KIND_SOCKET)
		return E_CONNREFUSED;
	out_key[0] = inode->key[0];
	out_key[1] = inode->key[1];
	return 0;
}
