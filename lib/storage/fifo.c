/* SPDX-License-Identifier: MIT */
/*
 * Named pipes: where readers and writers meet. The bytes go through memory
 * that they share (personality/ring.h); here is who has it open.
 *
 * A pipe has memory and a notification from its first opening to its last
 * closing. Each description that joins counts as reader, writer or both until
 * it is closed. The counts are told in the memory, before the commit like
 * watches, and the notification is signalled after it: whoever sleeps looks at
 * the counts again. Openings are counted as well, so that one who waits for
 * a writer sees that there was one.
 *
 * Counts that a transaction told and did not commit are told anew when it is
 * executed again, or else by the next incarnation (storage_resume).
 */
#include <lib/storage/state.h>

static void
tell(struct storage *storage, const struct fifo *fifo)
{
	struct storage_environment *e = &storage->environment;

	e->fifo_tell(e->context, fifo->objects.memory, &fifo->counts);
}

static unsigned
signal(struct storage *storage, const struct fifo *fifo)
{
	struct storage_environment *e = &storage->environment;

	return from_status(e->fifo_signal(e->context, &fifo->objects));
}

static unsigned
create(struct storage *storage, struct inode *inode)
{
	struct storage_environment *e = &storage->environment;
	struct storage_root *root = storage->root;
	struct fifo *fifo = arena_alloc(storage->arena, sizeof(*fifo));

	if (fifo == NULL || SAVE(storage, &inode->fifo) != 0 ||
	    SAVE(storage, &root->fifos) != 0 ||
	    (root->fifos != NULL && SAVE(storage, &root->fifos->prev) != 0))
		return E_NOSPC;
	fifo->next = root->fifos;
	if (fifo->next != NULL)
		fifo->next->prev = fifo;
	root->fifos = inode->fifo = fifo;
	return from_status(e->fifo_create(e->context, &fifo->objects));
}

static unsigned
destroy(struct storage *storage, struct inode *inode)
{
	struct storage_environment *e = &storage->environment;
	struct storage_root *root = storage->root;
	struct fifo *fifo = inode->fifo, *next = fifo->next;
	struct fifo **link = fifo->prev != NULL ? &fifo->prev->next :
	    &root->fifos;

	if (SAVE(storage, link) != 0 || SAVE(storage, &inode->fifo) != 0 ||
	    (next != NULL && SAVE(storage, &next->prev) != 0))
		return E_NOSPC;
	*link = next;
	if (next != NULL)
		next->prev = fifo->prev;
	inode->fifo = NULL;
	unsigned error = from_status(e->fifo_destroy(e->context,
	    &fifo->objects));
	if (error == 0 && arena_free(storage->arena, fifo) != OK)
		error = E_NOSPC;
	return error;
}

unsigned
storage_fifo(struct storage *storage, struct description *description,
    bool nowait, struct storage_fifo *out_fifo,
    struct storage_fifo_counts *out_counts)
{
	struct inode *inode = description->inode;
	struct fifo *fifo = inode->fifo;
	bool reads = (description->flags & OPEN_READ) != 0;
	bool writes = (description->flags & OPEN_WRITE) != 0;
	unsigned error = 0;

	if ((description->flags & OPEN_PATH) != 0)
		return E_BADF;
	if (inode_kind(inode) != KIND_FIFO)
		return E_INVAL;
	if (description->joined) {
		*out_fifo = fifo->objects;
		*out_counts = fifo->counts;
		return 0;
	}
	if (nowait && !reads && (fifo == NULL || fifo->counts.readers == 0))
		return E_NXIO;
	if (fifo == NULL)
		error = create(storage, inode);
	fifo = inode->fifo;
	if (error == 0 && (SAVE(storage, &fifo->counts) != 0 ||
	    SAVE(storage, &description->joined) != 0))
		error = E_NOSPC;
	if (error != 0)
		return error;
	description->joined = true;
	fifo->counts.readers += reads;
	fifo->counts.reader_openings += reads;
	fifo->counts.writers += writes;
	fifo->counts.writer_openings += writes;
	*out_fifo = fifo->objects;
	*out_counts = fifo->counts;
	tell(storage, fifo);
	return signal(storage, fifo);
}

unsigned
fifo_leave(struct storage *storage, struct description *description)
{
	struct inode *inode = description->inode;
	struct fifo *fifo = inode->fifo;

	if (!description->joined)
		return 0;
	if (SAVE(storage, &fifo->counts) != 0 ||
	    SAVE(storage, &description->joined) != 0)
		return E_NOSPC;
	description->joined = false;
	fifo->counts.readers -= (description->flags & OPEN_READ) != 0;
	fifo->counts.writers -= (description->flags & OPEN_WRITE) != 0;
	if (fifo->counts.readers == 0 && fifo->counts.writers == 0)
		return destroy(storage, inode);
	tell(storage, fifo);
	return signal(storage, fifo);
}

void
storage_resume(struct storage *storage)
{
	for (const struct fifo *fifo = storage->root->fifos; fifo != NULL;
	    fifo = fifo->next)
		tell(storage, fifo);
}

bool
fifos_ok(const struct storage *storage)
{
	const struct fifo *prev = NULL, *fifo = storage->root->fifos;

	for (; fifo != NULL; prev = fifo, fifo = fifo->next)
		if (fifo->prev != prev ||
		    fifo->counts.readers + fifo->counts.writers == 0 ||
		    fifo->counts.readers > fifo->counts.reader_openings ||
		    fifo->counts.writers > fifo->counts.writer_openings)
			return false;
	return true;
}
