/* SPDX-License-Identifier: MIT */
/* Opening files, and what changes the tree of names. */
#include "fileops.h"

#include "calls.h"
#include "pipe.h"
#include "limit.h"
#include "service.h"
#include "spare.h"
#include "terminal.h"
#include "thread.h"
#include "user.h"

#include <idl/console.h>
#include <idl/process.h>
#include <idl/storage_client.h>
#include <abi/utcb.h>
#include <lib/sys/sys.h>

static unsigned umask_bits = 022;

static unsigned
flag_of(unsigned flags, unsigned linux_flag, unsigned storage_flag)
{
	return (flags & linux_flag) != 0 ? storage_flag : 0;
}

static unsigned
open_flags(unsigned flags)
{
	unsigned access = flags & L_O_ACCMODE;
	unsigned out = flag_of(flags, L_O_DIRECTORY, OPEN_DIRECTORY) |
	    flag_of(flags, L_O_NOFOLLOW, OPEN_NOFOLLOW);

	if ((flags & L_O_PATH) != 0)
		return OPEN_PATH | out;
	out |= access == L_O_WRONLY ? OPEN_WRITE :
	    access == L_O_RDWR ? OPEN_READ | OPEN_WRITE : OPEN_READ;
	out |= flag_of(flags, L_O_CREAT, OPEN_CREATE) |
	    flag_of(flags, L_O_TRUNC, OPEN_TRUNCATE) |
	    flag_of(flags, L_O_APPEND, OPEN_APPEND);
	/* Without CREAT, EXCL means nothing. */
	if ((flags & L_O_CREAT) != 0)
		out |= flag_of(flags, L_O_EXCL, OPEN_EXCLUSIVE);
	return out;
}

/* The terminal's description takes the place of the node's. */
static long
open_terminal(struct file *file, uint64_t device, unsigned flags)
{
	sys_cap_delete(0, file->cap);
	file->cap = CAP_NONE;
	return terminal_file_open(file, device, flags);
}

/* A device node: the number says who serves it. */
static long
open_device(struct file *file, uint32_t device, unsigned flags)
{
	if (terminal_is_node(device))
		return open_terminal(file, device, flags);
	switch (device) {
	case DEVICE_NULL:
	case DEVICE_ZERO:
	case DEVICE_FULL:
	case DEVICE_RANDOM:
	case DEVICE_URANDOM:
	case DEVICE_CONTROL:
	case DEVICE_TRACE:
		file->kind = FILE_DEVICE;
		file->device = device;
		return 0;
	case DEVICE_CONSOLE:
		file->kind = FILE_CONSOLE;
		file->device = CONSOLE_STREAM_OUT;
		return 0;
	default:
		return -E_NXIO;
	}
}

static long
install_opened(unsigned flags, const struct storage_open_results *opened,
    cap_t take_cap, const struct path *path, cap_t base)
{
	struct file *file = file_new();
	unsigned access = flags & L_O_ACCMODE;
	bool path_only = (flags & L_O_PATH) != 0;
	long error = 0;

	*file = (struct file){
		.kind = path_only ? FILE_PATH : FILE_STORAGE,
		.node = (uint8_t)opened->kind,
		.can_read = !path_only && access != L_O_WRONLY,
		.can_write = !path_only && access != 0,
		.flags = flags & (L_O_ACCMODE | L_O_APPEND | L_O_NONBLOCK |
		    L_O_DIRECTORY | L_O_NOFOLLOW | L_O_PATH | L_O_DSYNC),
		.cap = take_cap,
		.base = base,
		.inode = opened->inode,
		.lineage = file_lineage(),
		.place = (uint8_t)path_place_of(path, opened->inode),
	};
	/* There the position is always with the server. */
	if (file->place == PATH_PROC)
		file->lineage = 0;
	if (!path_only && (file->node == KIND_CHARACTER ||
	    file->node == KIND_BLOCK))
		error = open_device(file, (uint32_t)opened->device, flags);
	else if (!path_only && file->node == KIND_FIFO)
		error = pipe_open_named(file);
	else if (!path_only && file->node == KIND_SOCKET)
		error = -E_NXIO;
	if (error != 0) {
		file_drop(file);
		return error;
	}
	return fd_install(file, 0, (flags & L_O_CLOEXEC) != 0);
}

long
linux_openat(int base, const char *text, unsigned flags, unsigned mode)
{
	struct storage_open_results opened;
	struct path path;
	cap_t cap = CAP_NONE, from = CAP_NONE;
	long error = path_get(base, text, false, path_a, &path);

	if (error != 0)
		return error;
	if ((flags & L_O_TMPFILE) != 0)
		return -E_OPNOTSUPP;
	int own = path_descriptor(&path);
	if (own >= 0 && (flags & L_O_PATH) == 0) {
		long copy = linux_fcntl((unsigned)own,
		    (flags & L_O_CLOEXEC) != 0 ? L_F_DUPFD_CLOEXEC : L_F_DUPFD,
		    0);
		return copy == -E_BADF ? -E_NOENT : copy;
	}
	if (!fd_may_open())
		return -E_MFILE;
	do {
		const struct storage_open_args in = {
			.flags = open_flags(flags),
			.mode = mode & 07777 & ~umask_bits,
			.path = { path.text, path.length, 0 },
		};
		error = spare_open(path.base, &in, &opened, &cap, &from);
	} while (path_goes_on(&path, &error));
	if (error != 0)
		return error;
	return install_opened(flags, &opened, cap, &path, from);
}

long
linux_open(const char *path, unsigned flags, unsigned mode)
{
	return linux_openat(L_AT_FDCWD, path, flags, mode);
}

long
linux_creat(const char *path, unsigned mode)
{
	return linux_openat(L_AT_FDCWD, path,
	    L_O_CREAT | L_O_WRONLY | L_O_TRUNC, mode);
}

long
linux_umask(unsigned mask)
{
	unsigned old = umask_bits;

	umask_bits = mask & 0777;
	return old;
}

long
linux_getdents64(unsigned fd, void *buffer, unsigned size)
{
	struct file *file = fd_file(fd);

	if (file == NULL || file->kind == FILE_PATH)
		return -E_BADF;
	if (file->kind != FILE_STORAGE || file->node != KIND_DIRECTORY)
		return -E_NOTDIR;
	if (!user_range(buffer, size))
		return -E_FAULT;
	uint64_t length;
	long error = storage_readdir(file->cap, buffer, size, &length);
	return error != 0 ? error : (long)length;
}

/* Memory objects of files */

long
file_memory_check(int fd, bool shared, unsigned protection)
{
	const struct file *file = fd_file((unsigned)fd);
	bool write = shared && (protection & L_PROT_WRITE) != 0;

	if (file == NULL || file->kind == FILE_PATH)
		return -E_BADF;
	if (!file->can_read || (write && !file->can_write))
		return -E_ACCES;
	if (file->kind != FILE_STORAGE || file->node != KIND_REGULAR)
		return -E_NODEV;
	return write ? -E_NODEV : 0;
}

long
file_memory(int fd, bool write, cap_t *out_object, uint64_t *out_size)
{
	const struct file *file = fd_file((unsigned)fd);
	if (write || file == NULL)
		return -E_NODEV;
	return storage_map(file->cap, out_size, out_object);
}

/* Requests on one path */

long
linux_mkdirat(int base, const char *text, unsigned mode)
{
	struct path path;
	long error = path_get(base, text, false, path_a, &path);

	if (error != 0)
		return error;
	do
		error = storage_mkdir_at(path.base, mode & 01777 & ~umask_bits,
		    path.text, path.length);
	while (path_goes_on(&path, &error));
	return error;
}

long
linux_mkdir(const char *path, unsigned mode)
{
	return linux_mkdirat(L_AT_FDCWD, path, mode);
}

long
linux_mknodat(int base, const char *text, unsigned mode, uint64_t device)
{
	uint64_t kind = mode & L_S_IFMT;
	struct path path;

	if (kind == 0)
		mode |= KIND_REGULAR << 12;
	else if (kind == KIND_DIRECTORY << 12)
		return -E_PERM;
	long error = path_get(base, text, false, path_a, &path);
	if (error != 0)
		return error;
	do
		error = storage_mknod_at(path.base, mode & ~umask_bits, device,
		    path.text, path.length);
	while (path_goes_on(&path, &error));
	return error;
}

long
linux_mknod(const char *path, unsigned mode, uint64_t device)
{
	return linux_mknodat(L_AT_FDCWD, path, mode, device);
}

long
linux_unlinkat(int base, const char *text, unsigned flags)
{
	struct path path;

	if ((flags & ~(unsigned)L_AT_REMOVEDIR) != 0)
		return -E_INVAL;
	long error = path_get(base, text, false, path_a, &path);
	if (error != 0)
		return error;
	do
		error = storage_unlink_at(path.base, flags != 0, path.text,
		    path.length);
	while (path_goes_on(&path, &error));
	return error;
}

long
linux_unlink(const char *path)
{
	return linux_unlinkat(L_AT_FDCWD, path, 0);
}

long
linux_rmdir(const char *path)
{
	return linux_unlinkat(L_AT_FDCWD, path, L_AT_REMOVEDIR);
}

/* Two paths; the second has a base of its own. */
struct two_paths {
	struct path from, to;
};

static long
two_paths_get(struct two_paths *paths, int bases[2], const char *texts[2],
    bool allow_empty)
{
	long error = path_get(bases[0], texts[0], allow_empty, path_a,
	    &paths->from);

	if (error == 0)
		error = path_get(bases[1], texts[1], false, path_b,
		    &paths->to);
	if (error != 0)
		return error;
	/* Nothing in /proc gets a name, or another one. */
	if (paths->from.base == PROCESS_PROC || paths->to.base == PROCESS_PROC)
		return paths->from.base == paths->to.base ? -E_PERM : -E_XDEV;
	return 0;
}

/* Again, with bases that are of use to who the process is now. */
static bool
two_paths_go_on(struct two_paths *paths, long *error)
{
	if (*error != -E_KEYREVOKED)
		return false;
	long from = path_adopt(&paths->from.base);
	long to = path_adopt(&paths->to.base);

	/* The root directory is never among those. */
	if (from != 0 && to != 0)
		*error = from;
	return from == 0 || to == 0;
}

long
linux_renameat2(int old_base, const char *old, int new_base, const char *new,
    unsigned flags)
{
	struct two_paths paths;

	if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE)) != 0 || flags == 3)
		return -E_INVAL;
	long error = two_paths_get(&paths, (int[]){ old_base, new_base },
	    (const char *[]){ old, new }, false);
	if (error != 0)
		return error;
	do
		error = storage_rename_at(paths.from.base,
		    &(const struct storage_rename_at_args){
			.flags = flags,
			.old = { paths.from.text, paths.from.length, 0 },
			.new = { paths.to.text, paths.to.length, 0 },
			.new_base = paths.to.base,
		    });
	while (two_paths_go_on(&paths, &error));
	return error;
}

long
linux_renameat(int old_base, const char *old, int new_base, const char *new)
{
	return linux_renameat2(old_base, old, new_base, new, 0);
}

long
linux_rename(const char *old, const char *new)
{
	return linux_renameat2(L_AT_FDCWD, old, L_AT_FDCWD, new, 0);
}

long
linux_linkat(int old_base, const char *old, int new_base, const char *new,
    unsigned flags)
{
	bool empty = (flags & L_AT_EMPTY_PATH) != 0;
	bool follow = (flags & L_AT_SYMLINK_FOLLOW) != 0;
	struct two_paths paths;

	if ((flags & ~(unsigned)(L_AT_EMPTY_PATH | L_AT_SYMLINK_FOLLOW)) != 0)
		return -E_INVAL;
	long error = two_paths_get(&paths, (int[]){ old_base, new_base },
	    (const char *[]){ old, new }, empty);
	if (error != 0)
		return error;
	do
		error = storage_link_at(paths.from.base,
		    &(const struct storage_link_at_args){
			.flags = (follow ? 0 : AT_NOFOLLOW) |
			    (empty ? AT_HANDLE : 0),
			.old = { paths.from.text, paths.from.length, 0 },
			.new = { paths.to.text, paths.to.length, 0 },
			.new_base = paths.to.base,
		    });
	while (two_paths_go_on(&paths, &error));
	return error;
}

long
linux_link(const char *old, const char *new)
{
	return linux_linkat(L_AT_FDCWD, old, L_AT_FDCWD, new, 0);
}

long
linux_symlinkat(const char *target, int base, const char *text)
{
	struct path path;
	long length = user_string(path_b, target, sizeof(path_b));

	if (length <= 0)
		return length == 0 ? -E_NOENT : length;
	long error = path_get(base, text, false, path_a, &path);
	if (error != 0)
		return error;
	while (error == 0 && path.base == PROCESS_PROC)
		error = path_leave_proc(&path);
	if (error != 0)
		return error;
	do
		error = storage_symlink_at(path.base, path_b,
		    (uint64_t)length, path.text, path.length);
	while (path_goes_on(&path, &error));
	return error;
}

long
linux_symlink(const char *target, const char *path)
{
	return linux_symlinkat(target, L_AT_FDCWD, path);
}

/* Sizes and durability */

/* Only what grows has to keep to RLIMIT_FSIZE. */
static long
set_size(cap_t file, uint64_t size)
{
	struct storage_stat_at_results now;

	if (limit_of(LIMIT_FILE_SIZE) != LIMIT_NONE) {
		long error = storage_stat_at(file, AT_HANDLE, path_b, 0, &now);
		if (error == 0 && size > now.size_or_device)
			error = limit_grow(size);
		if (error != 0)
			return error;
	}
	return storage_truncate(file, size);
}

long
linux_ftruncate(unsigned fd, int64_t size)
{
	struct file *file = fd_file(fd);

	if (file == NULL)
		return -E_BADF;
	if (size < 0 || file->kind != FILE_STORAGE || !file->can_write)
		return -E_INVAL;
	return set_size(file->cap, (uint64_t)size);
}

#define FALLOCATE_KEEP_SIZE	1u

/*
 * The size only: pages come when they are written, from memory that may be
 * short by then.
 */
long
linux_fallocate(unsigned fd, unsigned mode, int64_t offset, int64_t length)
{
	const struct file *file = fd_file(fd);
	struct storage_stat stat;

	if (file == NULL || file->kind == FILE_PATH)
		return -E_BADF;
	if (offset < 0 || length <= 0)
		return -E_INVAL;
	if ((mode & ~FALLOCATE_KEEP_SIZE) != 0)
		return -E_OPNOTSUPP;
	if (!file->can_write)
		return -E_BADF;
	if (file_ops(file)->streams)
		return -E_SPIPE;
	if (file->kind != FILE_STORAGE)
		return -E_NODEV;
	if (length > INT64_MAX - offset)
		return -E_FBIG;
	long error = file_status(file, &stat);
	if (error != 0 || mode != 0 ||
	    stat.size >= (uint64_t)(offset + length))
		return error;
	return linux_ftruncate(fd, offset + length);
}

long
linux_truncate(const char *text, int64_t size)
{
	struct storage_open_results opened;
	struct path path;
	cap_t cap = CAP_NONE;
	long error = path_get(L_AT_FDCWD, text, false, path_a, &path);

	if (error != 0)
		return error;
	if (size < 0)
		return -E_INVAL;
	error = path_open(&path, OPEN_WRITE, &opened, &cap);
	if (error != 0)
		return error;
	error = opened.kind == KIND_REGULAR ?
	    set_size(cap, (uint64_t)size) : -E_INVAL;
	sys_cap_delete(0, cap);
	return error;
}

long
linux_fsync(unsigned fd)
{
	struct file *file = fd_file(fd);

	if (file == NULL || file->kind == FILE_PATH)
		return -E_BADF;
	if (file->kind != FILE_STORAGE)
		return -E_INVAL;
	return storage_sync(file->cap);
}

long
linux_sync(void)
{
	return storage_sync(ROOT_DIRECTORY);
}

/* Advice, and there is nothing to prefetch: storage is in memory. */
long
linux_fadvise64(unsigned fd, int64_t offset, size_t length, int advice)
{
	const struct file *file = fd_file(fd);

	(void)offset;
	if (file == NULL)
		return -E_BADF;
	if (file_ops(file)->streams)
		return -E_SPIPE;
	return (int64_t)length < 0 || advice < 0 || advice > 5 ? -E_INVAL : 0;
}
