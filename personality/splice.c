/* SPDX-License-Identifier: MIT */
/*
 * Bytes from one open file to another: sendfile, splice, tee, copy_file_range.
 *
 * Between files of storage it copies; anything else goes through a piece of the
 * stack. Where the source seeks, only what the other side took counts; where it
 * does not, as much is read as the other side has room for.
 */
#include "calls.h"
#include "fileops.h"
#include "pipe.h"
#include "service.h"
#include "user.h"
#include "watch.h"

#include <abi/utcb.h>
#include <idl/storage_client.h>
#include <lib/sys/sys.h>

#define PIECE		4096u
#define COUNT_MAX	0x7ffff000ul

#define SPLICE_NONBLOCK	2u
#define SPLICE_ALL	15u

/* One side: at a place of its own, or at the file's position. */
struct side {
	struct file *file;
	int64_t	*given;		/* of the program; NULL: the position */
	uint64_t at;
	bool	 seeks;
};

static bool
is_pipe(const struct file *file)
{
	return file->kind == FILE_PIPE || file->kind == FILE_FIFO;
}

static long
side_open(struct side *side, struct file *file, int64_t *given)
{
	int64_t at;

	*side = (struct side){ .file = file, .given = given,
		.seeks = file->kind == FILE_STORAGE };
	if (given == NULL)
		return side->seeks ? file_position(file, &side->at) : 0;
	if (is_pipe(file) || !file_ops(file)->seeks)
		return -E_SPIPE;
	if (user_read(&at, given, sizeof(at)) != 0)
		return -E_FAULT;
	side->at = (uint64_t)at;
	side->seeks = true;
	return at < 0 ? -E_INVAL : 0;
}

static uint64_t
side_offset(const struct side *side)
{
	return side->seeks ? side->at : STORAGE_AT_POSITION;
}

/* The bytes moved: tells the program or the file. */
static long
side_close(struct side *side)
{
	int64_t at = (int64_t)side->at;
	uint64_t position;

	if (!side->seeks)
		return 0;
	if (side->given != NULL)
		return user_write(side->given, &at, sizeof(at));
	if (file_is_own(side->file)) {
		side->file->position = side->at;
		side->file->moved = true;
		return 0;
	}
	service_insist_begin();
	long error = storage_seek(side->file->cap, at, 0, &position);
	service_insist_end();
	return error;
}

static bool
is_regular(const struct file *file)
{
	return file->kind == FILE_STORAGE && file->node == KIND_REGULAR &&
	    file->place != PATH_PROC;
}

/* Storage copies; bytes or -E_*. */
static long
copy_range(struct side *from, struct side *to, uint64_t size)
{
	uint64_t total = 0, done = 1;

	while (total < size && done != 0) {
		const struct storage_copy_args in = {
			.from_offset = from->at, .to_offset = to->at,
			.length = size - total < STORAGE_TRANSFER_MAX ?
			    size - total : STORAGE_TRANSFER_MAX,
			.from = from->file->cap,
		};
		long error = storage_copy(to->file->cap, &in, &done);

		if (error != 0)
			return total != 0 ? (long)total : error;
		if (done > in.length)
			return -E_IO;
		from->at += done;
		to->at += done;
		total += done;
	}
	return (long)total;
}

static bool
is_ready(struct file *file, unsigned bits)
{
	const struct file_ops *ops = file_ops(file);

	return ops->poll == NULL || (ops->poll(file) & bits) != 0;
}

/* Would moving another piece not wait? */
static bool
both_ready(struct file *from, struct file *to)
{
	return is_ready(from, L_POLLIN | L_POLLHUP) &&
	    is_ready(to, L_POLLOUT | L_POLLERR);
}

static bool
has_room(struct file *file, uint64_t size)
{
	(void)size;
	return is_ready(file, L_POLLOUT | L_POLLERR);
}

/*
 * What is taken from a pipe must not be lost: the other side has room before,
 * and a signal waits until it is written.
 */
static long
copy_taken(struct side *from, struct side *to, uint64_t size)
{
	uint8_t piece[PIECE];
	uint64_t step = size < PIECE ? size : PIECE;
	long got, put;

	while (!has_room(to->file, step)) {
		long error = file_wait(to->file, true, has_room,
		    step);

		if (error != 0)
			return error;
	}
	got = file_read(from->file, piece, step, side_offset(from));
	if (got <= 0)
		return got;
	service_insist_begin();
	put = file_write(to->file, piece, (uint64_t)got, side_offset(to));
	service_insist_end();
	if (put > 0)
		to->at += (uint64_t)put;
	return put;
}

static long
copy_piece(struct side *from, struct side *to, uint64_t size)
{
	uint8_t piece[PIECE];
	uint64_t step = size < PIECE ? size : PIECE;
	long got, put;

	if (!from->seeks)
		return copy_taken(from, to, size);
	got = file_read(from->file, piece, step, from->at);
	if (got <= 0)
		return got;
	put = file_write(to->file, piece, (uint64_t)got, side_offset(to));
	if (put > 0) {
		from->at += (uint64_t)put;
		to->at += (uint64_t)put;
	}
	return put;
}

/* The first piece may wait, unless told not to; others come if they can. */
static long
copy_pieces(struct side *from, struct side *to, uint64_t size, bool wait)
{
	uint64_t total = 0;

	while (total < size) {
		long step;

		if ((total != 0 || !wait) && !both_ready(from->file, to->file))
			return total != 0 ? (long)total : -E_AGAIN;
		step = copy_piece(from, to, size - total);
		if (step <= 0)
			return total != 0 ? (long)total : step;
		total += (uint64_t)step;
	}
	return (long)total;
}

static long
check_sides(const struct file *from, const struct file *to)
{
	if (from == NULL || to == NULL || !from->can_read || !to->can_write)
		return -E_BADF;
	return 0;
}

static long
close_sides(struct side *from, struct side *to, long done)
{
	if (done <= 0)
		return done;
	long error = side_close(from);
	if (error == 0 && to != NULL)
		error = side_close(to);
	return error != 0 ? error : done;
}

long
linux_sendfile(unsigned out, unsigned in, int64_t *offset, size_t count)
{
	struct file *from = fd_file(in), *to = fd_file(out);
	struct side sides[2];
	long error = check_sides(from, to), done;

	if (error != 0)
		return error;
	if (from->kind != FILE_STORAGE || from->node != KIND_REGULAR ||
	    (to->flags & L_O_APPEND) != 0)
		return -E_INVAL;
	error = side_open(&sides[0], from, offset);
	if (error == 0)
		error = side_open(&sides[1], to, NULL);
	if (error != 0)
		return error;
	if (count > COUNT_MAX)
		count = COUNT_MAX;
	if (is_regular(from) && is_regular(to) && from->inode != to->inode) {
		done = copy_range(&sides[0], &sides[1], count);
	} else {
		uint64_t total = 0;

		/* As write does, it waits until all is there. */
		do {
			done = copy_piece(&sides[0], &sides[1],
			    count - total);
			total += done > 0 ? (uint64_t)done : 0;
		} while (done > 0 && total < count);
		done = total != 0 ? (long)total : done;
	}
	return close_sides(&sides[0], &sides[1], done);
}

long
linux_splice(unsigned in, int64_t *in_offset, unsigned out,
    int64_t *out_offset, size_t size, unsigned flags)
{
	struct file *from = fd_file(in), *to = fd_file(out);
	struct side sides[2];
	long error = check_sides(from, to);

	if (size == 0)
		return 0;
	if ((flags & ~SPLICE_ALL) != 0)
		return -E_INVAL;
	if (error != 0)
		return error;
	if ((is_pipe(from) && in_offset != NULL) ||
	    (is_pipe(to) && out_offset != NULL))
		return -E_SPIPE;
	if ((!is_pipe(from) && !is_pipe(to)) ||
	    (is_pipe(from) && is_pipe(to) && from->pipe == to->pipe) ||
	    (!is_pipe(to) && (to->flags & L_O_APPEND) != 0))
		return -E_INVAL;
	error = side_open(&sides[0], from, in_offset);
	if (error == 0)
		error = side_open(&sides[1], to, out_offset);
	if (error != 0)
		return error;
	bool wait = (flags & SPLICE_NONBLOCK) == 0 &&
	    (to->flags & L_O_NONBLOCK) == 0;
	return close_sides(&sides[0], &sides[1],
	    copy_pieces(&sides[0], &sides[1],
	    size < COUNT_MAX ? size : COUNT_MAX, wait));
}

long
linux_tee(unsigned in, unsigned out, size_t size, unsigned flags)
{
	struct file *from = fd_file(in), *to = fd_file(out);
	uint8_t piece[PIECE];
	long error = check_sides(from, to), got;

	if ((flags & ~SPLICE_ALL) != 0)
		return -E_INVAL;
	if (size == 0)
		return 0;
	if (error != 0)
		return error;
	if (!is_pipe(from) || !is_pipe(to) || from->pipe == to->pipe)
		return -E_INVAL;
	if (((flags & SPLICE_NONBLOCK) != 0 ||
	    (to->flags & L_O_NONBLOCK) != 0) && !both_ready(from, to))
		return -E_AGAIN;
	got = pipe_look(from, piece, size < PIECE ? size : PIECE);
	return got <= 0 ? got : file_write(to, piece, (uint64_t)got,
	    STORAGE_AT_POSITION);
}

/* The pages are copied: nobody can tell, unless he changes them too soon. */
long
linux_vmsplice(unsigned fd, const struct linux_iovec *from, size_t count,
    unsigned flags)
{
	struct file *file = fd_file(fd);

	if ((flags & ~SPLICE_ALL) != 0)
		return -E_INVAL;
	if (file == NULL || !is_pipe(file))
		return -E_BADF;
	if ((flags & SPLICE_NONBLOCK) != 0 && !is_ready(file,
	    file->can_write ? L_POLLOUT | L_POLLERR : L_POLLIN | L_POLLHUP))
		return -E_AGAIN;
	return file->can_write ? linux_writev(fd, from, count) :
	    linux_readv(fd, from, count);
}

long
linux_copy_file_range(unsigned in, int64_t *in_offset, unsigned out,
    int64_t *out_offset, size_t size, unsigned flags)
{
	struct file *from = fd_file(in), *to = fd_file(out);
	struct side sides[2];
	long error = flags != 0 ? -E_INVAL : check_sides(from, to);

	if (error != 0)
		return from != NULL && to != NULL && flags == 0 &&
		    (from->node == KIND_DIRECTORY ||
		    to->node == KIND_DIRECTORY) ? -E_ISDIR : error;
	if (from->node == KIND_DIRECTORY || to->node == KIND_DIRECTORY)
		return -E_ISDIR;
	if (from->node != KIND_REGULAR || to->node != KIND_REGULAR)
		return -E_INVAL;
	if (!is_regular(from) || !is_regular(to))
		return -E_XDEV;
	if ((to->flags & L_O_APPEND) != 0)
		return -E_BADF;
	error = side_open(&sides[0], from, in_offset);
	if (error == 0)
		error = side_open(&sides[1], to, out_offset);
	if (error != 0)
		return error;
	if (size > INT64_MAX - sides[0].at || size > INT64_MAX - sides[1].at)
		return -E_OVERFLOW;
	if (from->inode == to->inode && from == to && in_offset == NULL &&
	    out_offset == NULL && size != 0)
		return -E_INVAL;
	return close_sides(&sides[0], &sides[1], copy_range(&sides[0],
	    &sides[1], size < COUNT_MAX ? size : COUNT_MAX));
}
