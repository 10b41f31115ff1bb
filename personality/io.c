/* SPDX-License-Identifier: MIT */
/*
 * Moving bytes between program memory and open files.
 *
 * The program's own buffer is the window of the request; nothing is copied
 * here, except that a vector of small pieces is gathered into one request.
 */
#include "calls.h"
#include "fileops.h"
#include "limit.h"
#include "service.h"
#include "user.h"
#include "watch.h"
#include "window.h"

#include <abi/utcb.h>
#include <idl/console_client.h>
#include <idl/process.h>
#include <idl/storage_client.h>
#include <idl/watches_client.h>
#include <lib/base/string.h>

#define COUNT_MAX	0x7ffff000ul
#define VECTOR_MAX	1024u
#define GATHER_MAX	4096u

/* What one request can do at most. */
static uint64_t
request_part(uint64_t size)
{
	return size < STORAGE_TRANSFER_MAX ? size : STORAGE_TRANSFER_MAX;
}

/*
 * Requests until all is done, or less than asked for; *last is the last
 * answer.
 */
static long
read_parts(const struct file *file, void *buffer, uint64_t size,
    uint64_t offset, struct storage_read_results *last)
{
	uint64_t done = 0, part;

	do {
		part = request_part(size - done);
		long error = storage_read(file->cap, offset,
		    (uint8_t *)buffer + done, part, last);
		if (error != 0)
			return done != 0 ? (long)done : error;
		if (last->data_length > part)
			return -E_IO;
		done += last->data_length;
		if (offset != STORAGE_AT_POSITION)
			offset += last->data_length;
	} while (done < size && last->data_length == part);
	return (long)done;
}

static long
read_storage(struct file *file, void *buffer, uint64_t size, uint64_t offset)
{
	if (file->node == KIND_DIRECTORY)
		return -E_ISDIR;
	bool moves = offset == STORAGE_AT_POSITION && file_is_own(file);
	long done = -1;

	if (moves)
		offset = file->position;
	if (offset != STORAGE_AT_POSITION)
		done = window_read(file, buffer, size, offset);
	if (done < 0) {
		struct storage_read_results last;
		done = read_parts(file, buffer, size, offset, &last);
		if (done >= 0 && offset != STORAGE_AT_POSITION)
			window_note(file, &last, size);
	}
	if (moves && done > 0) {
		file->position += (uint64_t)done;
		file->moved = true;
	}
	return done;
}

static long
write_parts(const struct file *file, const void *buffer, uint64_t size,
    uint64_t offset, uint64_t *out_position)
{
	struct storage_write_results last;
	uint64_t done = 0, part;

	do {
		part = request_part(size - done);
		long error = storage_write(file->cap, offset,
		    (const uint8_t *)buffer + done, part, &last);
		if (error != 0)
			return done != 0 ? (long)done : error;
		if (last.done > part)
			return -E_IO;
		*out_position = last.position;
		done += last.done;
		if (offset != STORAGE_AT_POSITION)
			offset += last.done;
	} while (done < size && last.done != 0);
	return (long)done;
}

/* RLIMIT_FSIZE, which is rarely set, for a write of these bytes. */
static long
check_limit(const struct file *file, uint64_t offset, uint64_t *size)
{
	uint64_t position = offset;
	struct storage_stat stat;
	long error = 0;

	if (file->node != KIND_REGULAR || *size == 0)
		return 0;
	if ((file->flags & L_O_APPEND) != 0) {
		error = file_status(file, &stat);
		position = stat.size;
	} else if (offset == STORAGE_AT_POSITION) {
		error = file_position(file, &position);
	}
	return error != 0 ? error : limit_write(position, size);
}

static long
write_storage(struct file *file, const void *buffer, uint64_t size,
    uint64_t offset)
{
	bool moves = offset == STORAGE_AT_POSITION && file_is_own(file);
	uint64_t position = 0;

	if (limit_of(LIMIT_FILE_SIZE) != LIMIT_NONE) {
		long error = check_limit(file, offset, &size);
		if (error != 0)
			return error;
	}
	long done = write_parts(file, buffer, size,
	    moves ? file->position : offset, &position);

	/* Storage knows where it was: at the end, when appending. */
	if (moves && done > 0) {
		file->position = position;
		file->moved = true;
	}
	return done;
}

static long
read_console(struct file *file, void *buffer, uint64_t size, uint64_t offset)
{
	uint64_t done;
	long error = console_read(PROCESS_CONSOLE, buffer, size, &done);

	if (error != 0)
		return service_waits(error);
	return done <= size ? (long)done : -E_IO;
}

static long
write_stream(uint32_t stream, const void *buffer, uint64_t size)
{
	uint64_t done = 0;

	while (done < size) {
		uint64_t part;
		long error = console_write(PROCESS_CONSOLE, stream,
		    (const uint8_t *)buffer + done, size - done, &part);
		if (error == 0 && (part == 0 || part > size - done))
			error = -E_IO;
		if (error != 0)
			return done != 0 ? (long)done : service_waits(error);
		done += part;
	}
	return (long)done;
}

static long
random_read(void *buffer, uint64_t size)
{
	uint8_t piece[256];

	for (uint64_t done = 0; done < size;) {
		uint64_t step = size - done < sizeof(piece) ? size - done :
		    sizeof(piece);
		random_fill(piece, step);
		if (user_write((uint8_t *)buffer + done, piece, step) != 0)
			return done != 0 ? (long)done : -E_FAULT;
		done += step;
	}
	return (long)size;
}

static long
read_device(struct file *file, void *buffer, uint64_t size, uint64_t offset)
{
	switch (file->device) {
	case DEVICE_NULL:
	case DEVICE_TRACE:
		return 0;
	case DEVICE_RANDOM:
	case DEVICE_URANDOM:
		return random_read(buffer, size);
	case DEVICE_CONTROL:
		return control_read(buffer, size);
	default:
		return user_zero(buffer, size) != 0 ? -E_FAULT : (long)size;
	}
}

static long
write_console(struct file *file, const void *buffer, uint64_t size,
    uint64_t offset)
{
	return write_stream(file->device == CONSOLE_STREAM_ERR ?
	    CONSOLE_STREAM_ERR : CONSOLE_STREAM_OUT, buffer, size);
}

static long
write_device(struct file *file, const void *buffer, uint64_t size,
    uint64_t offset)
{
	if (file->device == DEVICE_CONTROL)
		return control_write(buffer, size);
	if (file->device == DEVICE_TRACE)
		return write_stream(CONSOLE_STREAM_TRACE, buffer, size);
	return file->device == DEVICE_FULL ? -E_NOSPC : (long)size;
}

static long
waiting_storage(struct file *file, uint64_t *out)
{
	struct storage_stat st;
	uint64_t position = 0;

	if (file->node != KIND_REGULAR)
		return -E_NOTTY;
	long error = file_status(file, &st);
	if (error == 0)
		error = file_position(file, &position);
	if (error == 0)
		*out = st.size > position ? st.size - position : 0;
	return error;
}

static long
waiting_console(struct file *file, uint64_t *out)
{
	struct console_poll_results input;

	long error = console_poll(PROCESS_CONSOLE, &input);
	if (error == 0)
		*out = input.waiting;
	return error;
}

static unsigned
poll_console(struct file *file)
{
	unsigned ready = L_POLLOUT | L_POLLWRNORM;
	struct console_poll_results input;

	if (file->can_read && console_poll(PROCESS_CONSOLE, &input) == 0 &&
	    (input.waiting != 0 || input.ended))
		ready |= L_POLLIN | L_POLLRDNORM;
	return ready;
}

static long
watch_console(struct file *file, uint64_t out_key[2])
{
	struct watches_console_results key = { 0, 0 };

	if (!file->can_read)
		return -E_PERM;
	long error = watches_console(PROCESS_PROC, &key);
	out_key[0] = key.key_low;
	out_key[1] = key.key_high;
	return error;
}

static long
status_console(const struct file *file, struct storage_stat *out)
{
	*out = file_local_status(file, 0620);
	out->device = DEVICE_CONSOLE;
	return 0;
}

static long
set_flags_storage(struct file *file, uint32_t flags)
{
	if (((flags ^ file->flags) & L_O_APPEND) == 0)
		return 0;
	return storage_set_flags(file->cap, (flags & L_O_APPEND) != 0 ?
	    OPEN_APPEND : 0);
}

const struct file_ops storage_file_ops = {
	.read = read_storage, .write = write_storage,
	.waiting = waiting_storage, .set_flags = set_flags_storage,
	.seeks = true,
};

const struct file_ops console_file_ops = {
	.read = read_console, .write = write_console, .poll = poll_console,
	.watch_far = watch_console,
	.waiting = waiting_console, .status = status_console,
};

const struct file_ops device_file_ops = {
	.read = read_device, .write = write_device, .seeks = true,
};

long
file_read(struct file *file, void *buffer, uint64_t size, uint64_t offset)
{
	const struct file_ops *ops = file_ops(file);

	return ops->read == NULL ? (ops->anonymous ? -E_INVAL : -E_BADF) :
	    ops->read(file, buffer, size, offset);
}

long
file_write(struct file *file, const void *buffer, uint64_t size,
    uint64_t offset)
{
	const struct file_ops *ops = file_ops(file);

	return ops->write == NULL ? (ops->anonymous ? -E_INVAL : -E_BADF) :
	    ops->write(file, buffer, size, offset);
}

/* offset < 0 (AT_POSITION): at the position; others need a file that seeks. */
static long
transfer(unsigned fd, void *buffer, size_t size, uint64_t offset, bool write)
{
	struct file *file = fd_file(fd);

	if (file == NULL || !(write ? file->can_write : file->can_read))
		return -E_BADF;
	if (offset != STORAGE_AT_POSITION && !file_ops(file)->seeks)
		return -E_SPIPE;
	if (!user_range(buffer, size))
		return -E_FAULT;
	if (size > COUNT_MAX)
		size = COUNT_MAX;
	if (size == 0 && file->kind != FILE_STORAGE &&
	    !file_ops(file)->anonymous)
		return 0;
	if (size == 0 && file->kind == FILE_STORAGE)
		return file->node == KIND_DIRECTORY ? -E_ISDIR : 0;
	return write ? file_write(file, buffer, size, offset) :
	    file_read(file, buffer, size, offset);
}

long
linux_read(unsigned fd, void *buffer, size_t size)
{
	return transfer(fd, buffer, size, STORAGE_AT_POSITION, false);
}

long
linux_write(unsigned fd, const void *buffer, size_t size)
{
	return transfer(fd, (void *)(uintptr_t)buffer, size,
	    STORAGE_AT_POSITION, true);
}

long
linux_pread64(unsigned fd, void *buffer, size_t size, int64_t offset)
{
	if (offset < 0)
		return -E_INVAL;
	return transfer(fd, buffer, size, (uint64_t)offset, false);
}

long
linux_pwrite64(unsigned fd, const void *buffer, size_t size, int64_t offset)
{
	if (offset < 0)
		return -E_INVAL;
	return transfer(fd, (void *)(uintptr_t)buffer, size, (uint64_t)offset,
	    true);
}

/* Vectors */

struct vector {
	struct linux_iovec piece[VECTOR_MAX];
	size_t	 count;
	uint64_t total;
};

static struct vector vector;

static long
vector_get(const struct linux_iovec *from, size_t count)
{
	if (count > VECTOR_MAX)
		return -E_INVAL;
	if (user_read(vector.piece, from, count * sizeof(*from)) != 0)
		return -E_FAULT;
	vector.count = count;
	vector.total = 0;
	for (size_t i = 0; i < count; i++) {
		uint64_t length = vector.piece[i].length;
		if ((int64_t)length < 0)
			return -E_INVAL;
		if (!user_range((void *)vector.piece[i].base, length))
			return -E_FAULT;
		vector.total += length;
		if (vector.total > COUNT_MAX)
			return -E_INVAL;
	}
	return 0;
}

/* A short vector is one request, so that it stays in one piece. */
static long
write_gathered(struct file *file, uint64_t offset)
{
	static uint8_t gather[GATHER_MAX];
	uint64_t filled = 0;

	for (size_t i = 0; i < vector.count; i++) {
		uint64_t length = vector.piece[i].length;
		if (user_copy_raw(gather + filled,
		    (void *)vector.piece[i].base, length) != 0)
			return -E_FAULT;
		filled += length;
	}
	return file_write(file, gather, filled, offset);
}

/* Only files go on after a piece: a pipe or terminal would wait for more. */
static long
transfer_pieces(struct file *file, uint64_t offset, bool write)
{
	uint64_t done = 0;

	for (size_t i = 0; i < vector.count; i++) {
		struct linux_iovec *p = &vector.piece[i];
		if (p->length == 0)
			continue;
		long step = write ? file_write(file, (void *)p->base,
		    p->length, offset) :
		    file_read(file, (void *)p->base, p->length, offset);
		if (step < 0)
			return done != 0 ? (long)done : step;
		done += (uint64_t)step;
		if (offset != STORAGE_AT_POSITION)
			offset += (uint64_t)step;
		if ((uint64_t)step < p->length)
			break;
		if (!write && !file_ops(file)->seeks)
			break;
	}
	return (long)done;
}

static long
transfer_vector(unsigned fd, const struct linux_iovec *from, size_t count,
    uint64_t offset, bool write)
{
	struct file *file = fd_file(fd);

	if (file == NULL || !(write ? file->can_write : file->can_read))
		return -E_BADF;
	if (offset != STORAGE_AT_POSITION && !file_ops(file)->seeks)
		return -E_SPIPE;
	long error = vector_get(from, count);
	if (error != 0 || vector.total == 0)
		return error;
	if (write && count > 1 && vector.total <= GATHER_MAX)
		return write_gathered(file, offset);
	return transfer_pieces(file, offset, write);
}

long
linux_readv(unsigned fd, const struct linux_iovec *from, size_t count)
{
	return transfer_vector(fd, from, count, STORAGE_AT_POSITION, false);
}

long
linux_writev(unsigned fd, const struct linux_iovec *from, size_t count)
{
	return transfer_vector(fd, from, count, STORAGE_AT_POSITION, true);
}

long
linux_preadv(unsigned fd, const struct linux_iovec *from, size_t count,
    int64_t offset)
{
	if (offset < 0)
		return -E_INVAL;
	return transfer_vector(fd, from, count, (uint64_t)offset, false);
}

long
linux_pwritev(unsigned fd, const struct linux_iovec *from, size_t count,
    int64_t offset)
{
	if (offset < 0)
		return -E_INVAL;
	return transfer_vector(fd, from, count, (uint64_t)offset, true);
}

/* From the start or the position of an own file: nobody is asked. */
static long
seek_here(struct file *file, int64_t offset, unsigned whence)
{
	int64_t base = whence == 0 ? 0 : (int64_t)file->position, position;

	if (__builtin_add_overflow(base, offset, &position) || position < 0)
		return -E_INVAL;
	file->position = (uint64_t)position;
	file->moved = true;
	return position;
}

long
linux_lseek(unsigned fd, int64_t offset, unsigned whence)
{
	struct file *file = fd_file(fd);

	if (file == NULL || file->kind == FILE_PATH)
		return -E_BADF;
	if (!file_ops(file)->seeks)
		return -E_SPIPE;
	if (whence > 2)
		return -E_INVAL;
	if (file->kind == FILE_DEVICE || file_ops(file)->anonymous)
		return 0;
	if (whence < 2 && file_is_own(file))
		return seek_here(file, offset, whence);
	uint64_t position;
	long error = storage_seek(file->cap, offset, whence, &position);
	if (error != 0)
		return error;
	if (file_is_own(file))
		file->position = position;
	return (long)position;
}

/* Copies through a buffer of ours; a short write ends it. */
long
linux_sendfile(unsigned out, unsigned in, int64_t *offset, size_t count)
{
	static uint8_t bounce[16384];
	struct file *from = fd_file(in), *to = fd_file(out);
	int64_t at = 0;
	uint64_t done = 0;

	if (from == NULL || to == NULL || !from->can_read || !to->can_write)
		return -E_BADF;
	if (from->kind != FILE_STORAGE || from->node != KIND_REGULAR)
		return -E_INVAL;
	if (offset != NULL && user_read(&at, offset, sizeof(at)) != 0)
		return -E_FAULT;
	if (at < 0)
		return -E_INVAL;
	while (done < count) {
		uint64_t step = count - done < sizeof(bounce) ? count - done :
		    sizeof(bounce);
		long got = file_read(from, bounce, step, offset != NULL ?
		    (uint64_t)at + done : STORAGE_AT_POSITION);
		if (got > 0) {
			long put = file_write(to, bounce, (uint64_t)got,
			    STORAGE_AT_POSITION);
			if (put > 0)
				done += (uint64_t)put;
			/* Give back what could not be written. */
			if (put < got && offset == NULL)
				linux_lseek(in, (put > 0 ? put : 0) - got, 1);
			if (put == got)
				continue;
			got = put;
		}
		if (got < 0 && done == 0)
			return got;
		break;
	}
	at += (int64_t)done;
	if (offset != NULL && user_write(offset, &at, sizeof(at)) != 0)
		return -E_FAULT;
	return (long)done;
}
