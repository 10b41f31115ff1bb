/* SPDX-License-Identifier: MIT */
/*
 * Open descriptions: a growing table of chunks, and a list of free places.
 *
 * A badge is generation << 32 | index + 1, in the bits that a service may use
 * (the session flag and the epoch lie above). The generation of a place advances
 * when it is closed, so a badge is never valid twice (until 2^23 closes of one
 * place, when its holder is long gone). It advances by the incarnation when it
 * is opened: an opening that a crash undid leaves an event pair, and the event
 * of its sweep must not close what is opened in its stead.
 */
#include <lib/storage/state.h>

#define GENERATION_MASK	0x7fffffu

static uint32_t
next_generation(uint32_t generation, uint64_t steps)
{
	uint32_t next = (uint32_t)(generation + steps) & GENERATION_MASK;

	return next != 0 ? next : 1;
}

static struct description *
at(const struct storage_root *root, uint32_t index)
{
	return &root->chunk[index / DESCRIPTIONS_PER_CHUNK]->
	    description[index % DESCRIPTIONS_PER_CHUNK];
}

static unsigned
add_chunk(struct storage *storage)
{
	struct storage_root *root = storage->root;
	uint32_t first = root->places.chunks * DESCRIPTIONS_PER_CHUNK;

	if (root->places.chunks == CHUNKS_MAX)
		return E_NFILE;
	struct chunk *chunk = arena_alloc(storage->arena, sizeof(*chunk));
	if (chunk == NULL || SAVE(storage, &root->chunk[root->places.chunks]) != 0 ||
	    SAVE(storage, &root->places) != 0)
		return E_NOSPC;
	for (uint32_t i = 0; i < DESCRIPTIONS_PER_CHUNK; i++) {
		chunk->description[i].index = first + i;
		chunk->description[i].generation = 1;
		chunk->description[i].next_free =
		    i + 1 < DESCRIPTIONS_PER_CHUNK ? first + i + 2 : 0;
	}
	root->chunk[root->places.chunks++] = chunk;
	root->places.free = first + 1;
	return 0;
}

unsigned
description_create(struct storage *storage, const struct description *base,
    struct inode *inode, unsigned flags, struct description **out_description)
{
	struct storage_root *root = storage->root;
	struct description *d;
	unsigned error;

	if (root->places.free == 0 && (error = add_chunk(storage)) != 0)
		return error;
	d = at(root, root->places.free - 1);
	if (SAVE(storage, &root->places) != 0 || SAVE(storage, d) != 0)
		return E_NOSPC;
	root->places.free = d->next_free;
	root->places.descriptions++;
	d->used = true;
	d->generation = next_generation(d->generation, storage->attempt);
	d->flags = flags;
	d->subject = base->subject;
	d->inode = inode;
	d->top = base->top;
	d->base = base->inode != NULL && is_directory(base->inode) ?
	    base->inode : base->top;
	d->retired = d->attached = false;
	d->position = 0;
	d->session = 0;
	d->joined = false;
	d->locks = NULL;
	d->lock_count = 0;
	d->waits = NULL;
	error = inode_reference(storage, d->inode);
	if (error == 0)
		error = inode_reference(storage, d->top);
	if (error == 0)
		error = inode_reference(storage, d->base);
	*out_description = d;
	return error;
}

unsigned
storage_close(struct storage *storage, struct description *description)
{
	struct storage_root *root = storage->root;
	struct inode *inode = description->inode, *top = description->top;
	struct inode *base = description->base;
	bool retired = description->retired;
	unsigned error = locks_release(storage, description);

	if (error == 0)
		error = fifo_leave(storage, description);
	if (error != 0)
		return error;
	if (SAVE(storage, &root->places) != 0 ||
	    SAVE_FIELDS(storage, description, generation, used) != 0)
		return E_NOSPC;
	description->used = false;
	description->generation = next_generation(description->generation, 1);
	description->next_free = root->places.free;
	root->places.free = description->index + 1;
	root->places.descriptions--;
	error = retired ? 0 : inode_unreference(storage, inode);
	if (error == 0)
		error = inode_unreference(storage, base);
	return error != 0 ? error : inode_unreference(storage, top);
}

unsigned
storage_retire(struct storage *storage, struct description *description)
{
	struct inode *inode = description->inode;
	unsigned error;

	if (description->retired)
		return 0;
	/* It would be opened again for nobody, or is what others rely on. */
	if (description->subject == NULL || description->attached)
		return E_BADF;
	error = locks_release(storage, description);
	if (error == 0)
		error = fifo_leave(storage, description);
	if (error != 0)
		return error;
	if (SAVE_FIELDS(storage, description, retired, inode) != 0)
		return E_NOSPC;
	description->retired = true;
	description->inode = description->base;
	description->flags = OPEN_PATH;
	return inode_unreference(storage, inode);
}

unsigned
description_rebind(struct storage *storage, struct description *description,
    struct inode *inode, unsigned flags)
{
	if (SAVE_FIELDS(storage, description, retired, inode) != 0)
		return E_NOSPC;
	description->retired = false;
	description->inode = inode;
	description->flags = flags;
	description->position = 0;
	return inode_reference(storage, inode);
}

struct description *
storage_find(const struct storage *storage, uint64_t badge)
{
	uint32_t index = (uint32_t)badge - 1;

	if (index / DESCRIPTIONS_PER_CHUNK >= storage->root->places.chunks)
		return NULL;
	struct description *d = at(storage->root, index);
	return d->used && d->generation == badge >> 32 ? d : NULL;
}

uint64_t
storage_badge(const struct description *description)
{
	return (uint64_t)description->generation << 32 |
	    (description->index + 1);
}

bool
storage_is_badge(uint64_t badge)
{
	return badge >> 32 != 0;
}

uint64_t
storage_session(const struct description *description)
{
	return description->session;
}

unsigned
storage_set_session(struct storage *storage, struct description *description,
    uint64_t session)
{
	if (SAVE(storage, &description->session) != 0)
		return E_NOSPC;
	description->session = session;
	return 0;
}

unsigned
storage_set_flags(struct storage *storage, struct description *description,
    unsigned flags)
{
	if ((flags & ~OPEN_APPEND) != 0)
		return E_INVAL;
	if (SAVE(storage, &description->flags) != 0)
		return E_NOSPC;
	description->flags = (description->flags & ~OPEN_APPEND) | flags;
	return 0;
}

struct description *
storage_next(const struct storage *storage, uint32_t *index)
{
	const struct storage_root *root = storage->root;

	for (; *index < root->places.chunks * DESCRIPTIONS_PER_CHUNK; ++*index)
		if (at(root, *index)->used)
			return at(root, (*index)++);
	return NULL;
}
