/* SPDX-License-Identifier: MIT */
/* The world of the storage core in tests (see fake_host.h). */
#include "fake_host.h"

#include <lib/base/hash.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct fake_root *
fake_root(const struct fake *fake)
{
	return (struct fake_root *)fake->storage.root;
}

size_t
fake_size(const struct fake *fake)
{
	return fake->arena_size + fake->files * (sizeof(struct fake_file) +
	    fake->pages * STORAGE_PAGE) + FAKE_WATCHES * sizeof(uint64_t);
}

/* Like page objects they outlive crashes, and nothing undoes a change. */
uint64_t *
fake_watches(const struct fake *fake)
{
	return (uint64_t *)(fake->base + fake_size(fake)) - FAKE_WATCHES;
}

static void
fake_watch_changed(void *context, uint32_t watch)
{
	fake_watches(context)[watch % FAKE_WATCHES]++;
}

static uint64_t
fake_watch_version(void *context, uint32_t watch)
{
	return fake_watches(context)[watch % FAKE_WATCHES];
}

struct fake_file *
fake_files(const struct fake *fake)
{
	return (struct fake_file *)(fake->base + fake->arena_size);
}

/* NULL if the handle is stale. */
static struct fake_file *
find_file(const struct fake *fake, uint64_t file)
{
	uint64_t index = (uint32_t)file - 1ul;
	struct fake_file *f = &fake_files(fake)[index];

	return index < fake->files && f->used &&
	    f->generation == file >> 32 ? f : NULL;
}

uint8_t *
fake_data(const struct fake *fake, uint64_t file)
{
	return fake->base + fake->arena_size +
	    fake->files * sizeof(struct fake_file) +
	    ((uint32_t)file - 1ul) * fake->pages * STORAGE_PAGE;
}

static bool
fails(struct fake *fake)
{
	return fake->fail_in != 0 && --fake->fail_in == 0;
}

static uint64_t
fake_now(void *context)
{
	return ((struct fake *)context)->clock++;
}

static status_t
fake_file_resize(void *context, uint64_t file, uint64_t size)
{
	struct fake *fake = context;
	struct fake_file *f = find_file(fake, file);

	if (f == NULL || size % STORAGE_PAGE != 0)
		abort();
	if (size > fake->pages * STORAGE_PAGE)
		return ERR_NOMEM;
	if (size > f->size && fails(fake))
		return ERR_NOMEM;
	if (size < f->size)
		memset(fake_data(fake, file) + size, 0, f->size - size);
	f->size = size;
	return OK;
}

static status_t
fake_file_create(void *context, uint64_t size, uint64_t *out_file)
{
	struct fake *fake = context;
	struct fake_file *files = fake_files(fake);

	if (fails(fake) || size > fake->pages * STORAGE_PAGE)
		return ERR_NOMEM;
	for (unsigned i = 0; i < fake->files; i++) {
		if (files[i].used)
			continue;
		files[i].generation++;
		files[i].size = size;
		files[i].used = true;
		fake->created = true;
		*out_file = files[i].generation << 32 | (i + 1);
		return OK;
	}
	return ERR_LIMIT;
}

static status_t
fake_file_clear(void *context, uint64_t file, uint64_t offset, uint64_t length)
{
	struct fake_file *f = find_file(context, file);

	if (f == NULL || offset + length > f->size)
		abort();
	memset(fake_data(context, file) + offset, 0, length);
	return OK;
}

static status_t
fake_file_load(void *context, uint64_t file, uint64_t offset, uint64_t length)
{
	struct fake *fake = context;
	struct fake_file *f = find_file(fake, file);

	if (f == NULL || length > f->size)
		abort();
	memcpy(fake_data(fake, file), fake->archive + offset, length);
	return OK;
}

static status_t
list_begin(struct fake *fake)
{
	struct fake_root *root = fake_root(fake);

	if (tx_add(fake->storage.arena, &root->effects,
	    sizeof(root->effects)) != OK)
		return ERR_NOMEM;
	if (!fake->listed)
		root->effects = 0;
	fake->listed = true;
	return OK;
}

static status_t
list_effect(struct fake *fake, uint64_t file, uint64_t size)
{
	struct fake_root *root = fake_root(fake);
	struct arena *arena = fake->storage.arena;

	if (list_begin(fake) != OK || root->effects == FAKE_EFFECTS)
		return ERR_NOMEM;
	struct fake_effect *effect = &root->effect[root->effects];
	if (tx_add(arena, effect, sizeof(*effect)) != OK)
		return ERR_NOMEM;
	*effect = (struct fake_effect){ file, size };
	root->effects++;
	return OK;
}

static status_t
fake_file_shrink(void *context, uint64_t file, uint64_t size)
{
	return list_effect(context, file, size);
}

static status_t
fake_file_destroy(void *context, uint64_t file)
{
	return list_effect(context, file, UINT64_MAX);
}

static status_t
fake_answer(void *context, struct storage_call call, unsigned error)
{
	struct fake *fake = context;
	struct fake_root *root = fake_root(fake);
	struct fake_answer *answer =
	    &root->answer[root->answers % FAKE_ANSWERS];

	if (tx_add(fake->storage.arena, answer, sizeof(*answer)) != OK ||
	    tx_add(fake->storage.arena, &root->answers,
	    sizeof(root->answers)) != OK)
		return ERR_NOMEM;
	*answer = (struct fake_answer){ call, error };
	root->answers++;
	return OK;
}

static status_t
fake_fifo_create(void *context, struct storage_fifo *out_fifo)
{
	out_fifo->moved = 1;
	return fake_file_create(context, STORAGE_PAGE, &out_fifo->memory);
}

static status_t
fake_fifo_destroy(void *context, const struct storage_fifo *fifo)
{
	return list_effect(context, fifo->memory, UINT64_MAX);
}

/* Signals are hints: the counts are what matters. */
static status_t
fake_fifo_signal(void *context, const struct storage_fifo *fifo)
{
	(void)fifo;
	return list_begin(context);
}

static void
fake_fifo_tell(void *context, uint64_t memory,
    const struct storage_fifo_counts *counts)
{
	memcpy(fake_data(context, memory) + FIFO_COUNTS, counts,
	    sizeof(*counts));
}

static void
destroy(struct fake *fake, uint64_t file)
{
	struct fake_file *f = find_file(fake, file);

	memset(fake_data(fake, file), 0, f->size);
	f->used = false;
}

static void
do_effects(struct fake *fake)
{
	const struct fake_root *root = fake_root(fake);

	for (uint64_t i = 0; i < root->effects; i++) {
		const struct fake_effect *effect = &root->effect[i];

		if (find_file(fake, effect->file) == NULL)
			continue;
		if (effect->size == UINT64_MAX)
			destroy(fake, effect->file);
		else
			fake_file_resize(fake, effect->file, effect->size);
	}
}

static void
fake_space(void *context, uint64_t *out_total, uint64_t *out_free)
{
	const struct fake *fake = context;

	*out_total = fake->files * fake->pages * STORAGE_PAGE;
	*out_free = *out_total / 2;
}

static void
fake_fail(const char *reason)
{
	fprintf(stderr, "arena: %s\n", reason);
	abort();
}

static bool
open_world(struct fake *fake)
{
	static const struct arena_environment environment = {
		.fail = fake_fail, .sums = true,
	};
	struct storage *s = &fake->storage;

	if (arena_open(fake->base, fake->arena_size, 1, &environment,
	    &s->arena) != OK)
		return false;
	s->root = arena_root(s->arena);
	s->environment = (struct storage_environment){
		.context = fake, .now_ns = fake_now,
		.file_create = fake_file_create,
		.file_resize = fake_file_resize,
		.file_clear = fake_file_clear, .file_load = fake_file_load,
		.file_shrink = fake_file_shrink,
		.file_destroy = fake_file_destroy, .space = fake_space,
		.answer = fake_answer,
		.fifo_create = fake_fifo_create,
		.fifo_destroy = fake_fifo_destroy,
		.fifo_signal = fake_fifo_signal,
		.fifo_tell = fake_fifo_tell,
		.watch_changed = fake_watch_changed,
		.watch_version = fake_watch_version,
	};
	storage_start(s, ++fake->incarnation);
	return true;
}

void
fake_create(struct fake *fake, size_t arena_size, unsigned files,
    unsigned pages)
{
	struct fake_root *root;

	*fake = (struct fake){ .arena_size = arena_size, .files = files,
		.pages = pages, .base = FAKE_BASE, .clock = 1000 };
	if (mmap(fake->base, fake_size(fake), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) !=
	    fake->base || !open_world(fake))
		abort();
	fake_begin(fake);
	root = arena_alloc(fake->storage.arena, sizeof(*root));
	fake->storage.root = &root->storage;
	if (root == NULL || arena_set_root(fake->storage.arena, root) != OK ||
	    storage_create(&fake->storage, 12345) != 0)
		abort();
	fake_end(fake, 0);
}

/* --- Sweeping: what neither a name nor a description leads to goes. --- */

static void
mark(const struct fake *fake, const struct inode *inode, bool *named)
{
	if (inode_kind(inode) == KIND_REGULAR && inode->file != 0) {
		if (find_file(fake, inode->file) == NULL)
			abort();	/* a file lost its pages */
		named[(uint32_t)inode->file - 1] = true;
	}
	if (inode_kind(inode) == KIND_FIFO && inode->fifo != NULL)
		named[(uint32_t)inode->fifo->objects.memory - 1] = true;
	if (!is_directory(inode))
		return;
	for (const struct entry *e = directory_next(inode, 0); e != NULL;
	    e = directory_next(inode, e->cookie))
		mark(fake, e->inode, named);
}

static bool *
mark_all(const struct fake *fake)
{
	bool *named = calloc(fake->files, sizeof(*named));
	const struct description *d;
	uint32_t index = 0;

	mark(fake, fake->storage.root->top, named);
	while ((d = storage_next(&fake->storage, &index)) != NULL) {
		mark(fake, d->inode, named);
		for (const struct lock *l = d->locks; l != NULL;
		    l = l->owner_next)
			mark(fake, l->file->inode, named);
	}
	return named;
}

static void
sweep(struct fake *fake)
{
	bool *named = mark_all(fake);

	for (unsigned i = 0; i < fake->files; i++) {
		struct fake_file *f = &fake_files(fake)[i];

		if (f->used && !named[i])
			destroy(fake, f->generation << 32 | (i + 1));
	}
	free(named);
}

bool
fake_resume(struct fake *fake)
{
	if (!open_world(fake))
		return false;
	if (fake->storage.root == NULL)
		return false;
	do_effects(fake);
	sweep(fake);
	storage_resume(&fake->storage);
	return true;
}

void
fake_begin(struct fake *fake)
{
	fake->listed = fake->created = false;
	tx_begin(fake->storage.arena);
	if (fake->storage.root != NULL)
		storage_begin(&fake->storage);
}

unsigned
fake_end(struct fake *fake, unsigned error)
{
	/* The answer is on the list too: it always begins anew. */
	if (error == 0 && list_begin(fake) != OK)
		error = E_NOSPC;
	if (error == 0) {
		tx_commit(fake->storage.arena);
		do_effects(fake);
		return 0;
	}
	tx_abort(fake->storage.arena);
	if (fake->created)
		sweep(fake);
	return error;
}

unsigned
fake_used(const struct fake *fake)
{
	unsigned used = 0;

	for (unsigned i = 0; i < fake->files; i++)
		used += fake_files(fake)[i].used;
	return used;
}

unsigned
fake_named(const struct fake *fake)
{
	bool *named = mark_all(fake);
	unsigned count = 0;

	for (unsigned i = 0; i < fake->files; i++)
		count += named[i];
	free(named);
	return count;
}

static uint64_t
digest_inode(const struct fake *fake, const struct inode *inode, uint64_t hash)
{
	uint64_t fields[] = { inode->number, inode->mode, inode->links,
		inode->uid, inode->gid, inode->device, inode->size,
		inode->references };

	hash = hash_bytes(hash, fields, sizeof(fields));
	if (inode_kind(inode) == KIND_FIFO)
		return inode->fifo == NULL ? hash : hash_bytes(hash,
		    fake_data(fake, inode->fifo->objects.memory) + FIFO_COUNTS,
		    sizeof(inode->fifo->counts));
	if (inode_kind(inode) == KIND_SYMLINK)
		return hash_bytes(hash, inode->target, inode->target_length);
	if (inode_kind(inode) == KIND_REGULAR)
		return inode->size == 0 ? hash : hash_bytes(hash,
		    fake_data(fake, inode->file), inode->size);
	if (!is_directory(inode))
		return hash;
	for (const struct entry *e = directory_next(inode, 0); e != NULL;
	    e = directory_next(inode, e->cookie)) {
		hash = hash_bytes(hash + e->cookie, e->name, e->length);
		hash = digest_inode(fake, e->inode, hash);
	}
	return hash;
}

static uint64_t
digest_tree(const struct lock *lock, uint64_t hash)
{
	if (lock == NULL)
		return hash;
	uint64_t fields[] = { lock->first, lock->last, lock->write,
		lock->whole, lock->pid, lock->owner->index };

	hash = digest_tree(lock->left, hash);
	return digest_tree(lock->right, hash_bytes(hash, fields,
	    sizeof(fields)));
}

/* Locks of the files that an owner has some in, who waits, what was told. */
static uint64_t
digest_locks(const struct fake *fake, const struct description *owner,
    uint64_t hash)
{
	hash += owner->lock_count;
	for (const struct lock *l = owner->locks; l != NULL;
	    l = l->owner_next) {
		hash = digest_tree(l->file->records, hash);
		hash = digest_tree(l->file->whole, hash);
		for (const struct lock_wait *w = l->file->first_wait;
		    w != NULL; w = w->next)
			hash = hash_mix(hash + w->call.order);
	}
	return hash_mix(hash + fake_root(fake)->answers);
}

uint64_t
fake_digest(const struct fake *fake)
{
	const struct storage_root *root = fake->storage.root;
	uint64_t hash = hash_mix(root->inodes + (root->next_inode << 20));
	const struct description *d;
	uint32_t index = 0;

	hash = digest_inode(fake, root->top, hash);
	while ((d = storage_next(&fake->storage, &index)) != NULL) {
		/* The generation depends on the incarnation. */
		uint64_t fields[] = { d->index, d->flags, d->position,
			d->subject == NULL ? UINT64_MAX :
			    d->subject->number, d->session };

		hash = hash_bytes(hash, fields, sizeof(fields));
		hash = digest_inode(fake, d->inode, hash);
		hash = digest_locks(fake, d, hash);
	}
	return hash;
}

unsigned
fake_attach(struct fake *fake, uint32_t id,
    struct description **out_description)
{
	uint64_t privileges = id == 0 ? PRIVILEGES_ALL : 0;
	const struct storage_who who = { .ids = {
		.uid = id, .gid = id, .real_uid = id, .real_gid = id,
		.privileges = privileges, .real_privileges = privileges,
	} };

	return storage_attach(&fake->storage, &who, out_description);
}
