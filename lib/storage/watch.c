/* SPDX-License-Identifier: MIT */
/*
 * Watches: how a client that reads a page object by itself learns that the
 * size it knows may be wrong.
 *
 * A watch is a counter that clients can see and only this service changes. It
 * advances before the transaction commits that changes the inode, and is not
 * taken back when that is undone. So whoever sees the version that was told
 * together with a size reads a state that was true a moment ago; whoever sees
 * another asks, and is answered after the commit. A service that dies between
 * the two runs the request again, which advances the watch again.
 *
 * A file has a watch from the first WINDOW until nobody has it open. Free
 * watches are a list; a counter is never set back, so a version of a former
 * file is not one of the next.
 */
#include <lib/storage/state.h>

void
watch_touch(const struct storage *storage, const struct inode *inode)
{
	const struct storage_environment *e = &storage->environment;

	if (inode->watch != 0)
		e->watch_changed(e->context, inode->watch - 1);
}

unsigned
watch_take(struct storage *storage, struct inode *inode)
{
	struct storage_root *root = storage->root;
	uint32_t watch = root->watch_free;

	if (inode->watch != 0 || storage->environment.watch_changed == NULL ||
	    (watch == 0 && root->watch_ready == STORAGE_WATCHES))
		return 0;
	if (SAVE(storage, &inode->watch) != 0 ||
	    SAVE(storage, &root->watch_free) != 0 ||
	    SAVE(storage, &root->watch_ready) != 0)
		return E_NOSPC;
	if (watch != 0)
		root->watch_free = root->watch_next[watch - 1];
	else
		watch = ++root->watch_ready;
	inode->watch = watch;
	watch_touch(storage, inode);
	return 0;
}

unsigned
watch_release(struct storage *storage, struct inode *inode)
{
	struct storage_root *root = storage->root;
	uint32_t watch = inode->watch;

	if (watch == 0)
		return 0;
	if (SAVE(storage, &inode->watch) != 0 ||
	    SAVE(storage, &root->watch_free) != 0 ||
	    SAVE(storage, &root->watch_next[watch - 1]) != 0)
		return E_NOSPC;
	watch_touch(storage, inode);
	root->watch_next[watch - 1] = (uint16_t)root->watch_free;
	root->watch_free = watch;
	inode->watch = 0;
	return 0;
}

uint64_t
storage_version(const struct storage *storage,
    const struct description *description)
{
	const struct storage_environment *e = &storage->environment;
	const struct inode *inode = description->inode;

	if (inode->watch == 0 || file_wants_atime(inode, now(storage)))
		return 0;
	return e->watch_version(e->context, inode->watch - 1);
}

uint64_t
storage_size(const struct description *description)
{
	return description->inode->size;
}

unsigned
storage_window(struct storage *storage, struct description *description,
    struct storage_window *out_window)
{
	struct storage_mapping mapping;
	unsigned error = storage_map(storage, description, false, &mapping);

	out_window->size = mapping.size;
	out_window->file = mapping.file;
	if (error == 0)
		error = watch_take(storage, description->inode);
	if (error != 0)
		return error;
	out_window->version = storage_version(storage, description);
	out_window->watch = description->inode->watch - 1;
	if (description->inode->watch == 0)
		out_window->watch = 0;
	return 0;
}

uint64_t
storage_archive(const struct storage *storage, uint64_t *out_offset)
{
	*out_offset = storage->root->archive_offset;
	return storage->root->archive_memory;
}

unsigned
storage_set_archive(struct storage *storage, uint64_t memory,
    uint64_t offset)
{
	struct storage_root *root = storage->root;

	if (SAVE_FIELDS(storage, root, archive_memory, archive_offset) != 0)
		return E_NOSPC;
	root->archive_memory = memory;
	root->archive_offset = offset;
	return 0;
}

uint64_t
storage_watch_memory(const struct storage *storage)
{
	return storage->root->watch_memory;
}

unsigned
storage_set_watch_memory(struct storage *storage, uint64_t memory)
{
	if (SAVE(storage, &storage->root->watch_memory) != 0)
		return E_NOSPC;
	storage->root->watch_memory = memory;
	return 0;
}
