/* SPDX-License-Identifier: MIT */
/*
 * Contents of files: where bytes lie, and sizes.
 *
 * A page object is as large as its file, rounded up to pages, or larger when a
 * transaction that grew it was undone. `clean` says in which epoch all beyond
 * the size was zero (see storage.h).
 */
#include <lib/storage/state.h>

#define DAY_NS	86400000000000ul

static uint64_t
page_round(uint64_t size)
{
	return (size + STORAGE_PAGE - 1) & ~(STORAGE_PAGE - 1);
}

unsigned
file_clean(struct storage *storage, struct inode *inode)
{
	struct storage_environment *e = &storage->environment;
	uint64_t end = page_round(inode->size);
	status_t status = OK;

	if (inode->file == 0 || inode->clean == storage->epoch)
		return 0;
	status = e->file_resize(e->context, inode->file, end);
	if (status == OK && end != inode->size)
		status = e->file_clear(e->context, inode->file, inode->size,
		    end - inode->size);
	if (status == OK)
		inode->clean = storage->epoch;
	return from_status(status);
}

/* Size, times and pages: all that growing changes. */
static unsigned
save_content(struct storage *storage, struct inode *inode)
{
	return SAVE_FIELDS(storage, inode, mtime_ns, file);
}

/* The page object reaches to size. Content is saved. */
static unsigned
grow(struct storage *storage, struct inode *inode, uint64_t size)
{
	struct storage_environment *e = &storage->environment;
	status_t status = OK;
	unsigned error;

	if (size > STORAGE_FILE_MAX)
		return E_FBIG;
	if (inode->file == 0) {
		status = e->file_create(e->context, page_round(size),
		    &inode->file);
		inode->clean = storage->epoch;
		return from_status(status);
	}
	storage->growing = true;
	storage->growing_commits = arena_commits(storage->arena);
	error = file_clean(storage, inode);
	if (error == 0 && page_round(size) > page_round(inode->size))
		status = e->file_resize(e->context, inode->file,
		    page_round(size));
	return error != 0 ? error : from_status(status);
}

/* Writing as an ordinary user takes the rights of others away. */
static unsigned
drop_set_id(struct storage *storage, const struct subject *who,
    struct inode *inode)
{
	uint32_t mode;

	if ((inode->mode & (MODE_SETUID | MODE_SETGID)) == 0 ||
	    (who != NULL && subject_may(who, PRIVILEGE_FSETID)))
		return 0;
	mode = inode_without_set_id(who, inode);
	if (mode == inode->mode)
		return 0;
	if (SAVE(storage, &inode->mode) != 0)
		return E_NOSPC;
	inode->mode = mode;
	return 0;
}

unsigned
file_set_size(struct storage *storage, const struct subject *who,
    struct inode *inode, uint64_t size)
{
	struct storage_environment *e = &storage->environment;
	status_t status = OK;
	unsigned error = save_content(storage, inode);

	if (error == 0)
		error = inode_modified(storage, inode);
	if (error == 0 && size > inode->size)
		error = grow(storage, inode, size);
	if (error == 0)
		error = drop_set_id(storage, who, inode);
	if (error != 0)
		return error;
	if (size < inode->size && inode->file != 0) {
		if (size % STORAGE_PAGE != 0)
			inode->clean = 0;
		status = e->file_shrink(e->context, inode->file,
		    page_round(size));
	}
	inode->size = size;
	return from_status(status);
}

static unsigned
check_data(const struct description *description, unsigned need)
{
	const struct inode *inode = description->inode;

	if ((description->flags & OPEN_PATH) != 0 ||
	    (description->flags & need) == 0)
		return E_BADF;
	if (is_directory(inode))
		return E_ISDIR;
	return inode_kind(inode) == KIND_REGULAR ? 0 : E_INVAL;
}

unsigned
storage_read_begin(struct storage *storage, struct description *description,
    uint64_t offset, uint64_t length, struct storage_transfer *out_transfer)
{
	struct inode *inode = description->inode;
	struct storage_transfer t = { .moves = offset == STORAGE_AT_POSITION };
	unsigned error = check_data(description, OPEN_READ);

	(void)storage;
	if (error != 0)
		return error;
	t.offset = t.moves ? description->position : offset;
	t.file = inode->file;
	if (t.offset < inode->size)
		t.length = inode->size - t.offset;
	if (t.length > length)
		t.length = length;
	*out_transfer = t;
	return 0;
}

/* Once a day, or when the content is newer: enough for who asks. */
bool
file_wants_atime(const struct inode *inode, uint64_t time)
{
	return inode->atime_ns <= inode->mtime_ns ||
	    inode->atime_ns <= inode->ctime_ns ||
	    time - inode->atime_ns > DAY_NS;
}

unsigned
storage_read_end(struct storage *storage, struct description *description,
    struct storage_transfer *transfer, uint64_t done)
{
	struct inode *inode = description->inode;
	uint64_t time = now(storage);

	transfer->position = transfer->offset + done;
	if (transfer->moves && done > 0) {
		if (SAVE(storage, &description->position) != 0)
			return E_NOSPC;
		description->position = transfer->position;
	}
	if (done == 0 || !file_wants_atime(inode, time))
		return 0;
	if (SAVE(storage, &inode->atime_ns) != 0)
		return E_NOSPC;
	inode->atime_ns = time;
	return 0;
}

unsigned
storage_write_begin(struct storage *storage, struct description *description,
    uint64_t offset, uint64_t length, struct storage_transfer *out_transfer)
{
	struct inode *inode = description->inode;
	struct storage_transfer t = { .moves = offset == STORAGE_AT_POSITION };
	unsigned error = check_data(description, OPEN_WRITE);

	if (error != 0)
		return error;
	t.offset = t.moves ? description->position : offset;
	if ((description->flags & OPEN_APPEND) != 0)
		t.offset = inode->size;
	if (length > 0 && t.offset >= STORAGE_FILE_MAX)
		return E_FBIG;
	if (length > STORAGE_FILE_MAX - t.offset && length > 0)
		length = STORAGE_FILE_MAX - t.offset;
	bool grows = length > 0 && t.offset + length > inode->size;

	error = grows ? save_content(storage, inode) :
	    SAVE_FIELDS(storage, inode, mtime_ns, ctime_ns);
	if (error == 0 && t.moves)
		error = SAVE(storage, &description->position);
	if (error == 0 && length > 0)
		error = drop_set_id(storage, description->subject, inode);
	if (error == 0 && grows)
		error = grow(storage, inode, t.offset + length);
	t.file = inode->file;
	t.length = length;
	*out_transfer = t;
	return error;
}

unsigned
storage_write_end(struct storage *storage, struct description *description,
    struct storage_transfer *transfer, uint64_t done)
{
	struct inode *inode = description->inode;

	transfer->position = transfer->offset + done;
	if (done < transfer->length) {
		if (SAVE(storage, &inode->clean) != 0)
			return E_NOSPC;
		inode->clean = 0;
	}
	if (done == 0)
		return 0;
	if (transfer->position > inode->size)
		inode->size = transfer->position;
	if (transfer->moves)
		description->position = transfer->position;
	return inode_modified(storage, inode);
}

unsigned
storage_seek(struct storage *storage, struct description *description,
    uint64_t offset, unsigned whence, uint64_t *out_position)
{
	const struct inode *inode = description->inode;
	uint64_t base;

	if ((description->flags & OPEN_PATH) != 0)
		return E_BADF;
	if (inode_kind(inode) == KIND_FIFO || inode_kind(inode) == KIND_SOCKET)
		return E_SPIPE;
	switch (whence) {
	case 0:
		base = 0;
		break;
	case 1:
		base = description->position;
		break;
	case 2:
		base = inode->size;
		break;
	default:
		return E_INVAL;
	}
	/* offset is signed; base is at most 2^63 - 1. */
	if ((int64_t)offset > 0 && offset > INT64_MAX - base)
		return E_INVAL;
	if ((int64_t)(base + offset) < 0)
		return E_INVAL;
	if (SAVE(storage, &description->position) != 0)
		return E_NOSPC;
	description->position = *out_position = base + offset;
	return 0;
}

unsigned
storage_truncate(struct storage *storage, struct description *description,
    uint64_t size)
{
	struct inode *inode = description->inode;

	if ((description->flags & OPEN_PATH) != 0)
		return E_BADF;
	if ((description->flags & OPEN_WRITE) == 0 ||
	    inode_kind(inode) != KIND_REGULAR || size > INT64_MAX)
		return E_INVAL;
	if (size > STORAGE_FILE_MAX)
		return E_FBIG;
	return file_set_size(storage, description->subject, inode, size);
}

unsigned
storage_map(struct storage *storage, struct description *description,
    uint64_t *out_size, uint64_t *out_file)
{
	struct inode *inode = description->inode;
	unsigned error = 0;

	if ((description->flags & OPEN_PATH) != 0)
		return E_BADF;
	if (inode_kind(inode) != KIND_REGULAR)
		return E_NODEV;
	if ((description->flags & OPEN_READ) == 0)
		return E_ACCES;
	if (inode->file == 0 || inode->clean != storage->epoch) {
		if (save_content(storage, inode) != 0)
			return E_NOSPC;
		error = inode->file == 0 ? grow(storage, inode, 0) :
		    file_clean(storage, inode);
	}
	*out_size = inode->size;
	*out_file = inode->file;
	return error;
}
