/* SPDX-License-Identifier: MIT */
/* Attributes of files: what stat tells, and the calls that change them. */
#include "calls.h"
#include "fileops.h"
#include "service.h"
#include "terminal.h"
#include "thread.h"
#include "user.h"

#include <idl/storage_client.h>
#include <lib/base/string.h>
#include <abi/utcb.h>
#include <lib/sys/sys.h>

#define NS		1000000000ul
#define BLOCK		4096
#define DEVICE_OF_ROOT	1	/* st_dev of storage */
#define DEVICE_OF_PIPES	2
#define DEVICE_OF_PROC	3
#define TMPFS_MAGIC	0x01021994
#define PROC_MAGIC	0x9fa0

#define STAT_FLAGS	(L_AT_SYMLINK_NOFOLLOW | L_AT_NO_AUTOMOUNT | \
			L_AT_EMPTY_PATH | L_AT_STATX_SYNC)

struct storage_stat
file_local_status(const struct file *file, unsigned mode)
{
	return (struct storage_stat){
		.inode = 1, .mode = (unsigned)file->node << 12 | mode,
		.links = 1, .uid = INFO->euid, .gid = INFO->egid,
		.device = file->device,
	};
}

/* Only device nodes have a device there: of others it is where they lie. */
static void
status_from(const struct storage_stat_at_results *results, bool of_proc,
    struct storage_stat *out)
{
	*out = file_status_unpack(results);
	if (of_proc)
		out->device = DEVICE_OF_PROC;
}

long
file_status(const struct file *file, struct storage_stat *out)
{
	struct storage_stat_at_results results;

	if (file_ops(file)->status != NULL)
		return file_ops(file)->status(file, out);
	if (file->cap == CAP_NONE) {
		*out = file_local_status(file, 0620);
		return 0;
	}
	long error = storage_stat_at(file->cap, AT_HANDLE, path_b, 0, &results);
	if (error == 0)
		status_from(&results, file->place == PATH_PROC, out);
	return error;
}

/* The status of a path, or of base itself when the path is empty. */
static long
status_at(int base, const char *text, unsigned flags,
    struct storage_stat *out)
{
	struct path path;
	bool empty = (flags & L_AT_EMPTY_PATH) != 0;

	if (empty && base != L_AT_FDCWD) {
		char first;
		if (user_read(&first, text, 1) != 0)
			return -E_FAULT;
		const struct file *file = fd_file((unsigned)base);
		if (first == 0)
			return file == NULL ? -E_BADF : file_status(file, out);
	}
	long error = path_get(base, text, empty, path_a, &path);
	if (error != 0)
		return error;
	int own = path_descriptor(&path);
	if (own >= 0 && (flags & L_AT_SYMLINK_NOFOLLOW) == 0) {
		const struct file *file = fd_file((unsigned)own);
		return file == NULL ? -E_NOENT : file_status(file, out);
	}
	struct storage_stat_at_results results;
	unsigned at = (flags & L_AT_SYMLINK_NOFOLLOW) != 0 ? AT_NOFOLLOW : 0;
	do
		error = storage_stat_at(path.base,
		    at | (path.length == 0 ? AT_HANDLE : 0), path.text,
		    path.length, &results);
	while (path_goes_on(&path, &error));
	if (error == 0)
		status_from(&results, path.base == PROCESS_PROC ||
		    (path.length == 0 && path.place == PATH_PROC), out);
	return error;
}

static bool
is_device(const struct storage_stat *s)
{
	return s->mode >> 12 == KIND_CHARACTER || s->mode >> 12 == KIND_BLOCK;
}

static uint64_t
device_of(const struct storage_stat *s)
{
	if (!is_device(s) && s->device != 0)
		return s->device;
	return s->mode >> 12 == KIND_FIFO ? DEVICE_OF_PIPES : DEVICE_OF_ROOT;
}

static long
give_stat(const struct storage_stat *s, struct linux_stat *out)
{
	struct linux_stat st = {
		.dev = device_of(s), .ino = s->inode, .nlink = s->links,
		.mode = s->mode, .uid = s->uid, .gid = s->gid,
		.rdev = is_device(s) ? s->device : 0, .size = (int64_t)s->size, .blksize = BLOCK,
		.blocks = (int64_t)s->blocks,
		.atime = s->atime_ns / NS, .atime_nsec = s->atime_ns % NS,
		.mtime = s->mtime_ns / NS, .mtime_nsec = s->mtime_ns % NS,
		.ctime = s->ctime_ns / NS, .ctime_nsec = s->ctime_ns % NS,
	};

	return user_write(out, &st, sizeof(st));
}

long
linux_newfstatat(int base, const char *path, struct linux_stat *out,
    unsigned flags)
{
	struct storage_stat s;

	if ((flags & ~(unsigned)STAT_FLAGS) != 0)
		return -E_INVAL;
	long error = status_at(base, path, flags, &s);
	return error != 0 ? error : give_stat(&s, out);
}

long
linux_stat(const char *path, struct linux_stat *out)
{
	return linux_newfstatat(L_AT_FDCWD, path, out, 0);
}

long
linux_lstat(const char *path, struct linux_stat *out)
{
	return linux_newfstatat(L_AT_FDCWD, path, out, L_AT_SYMLINK_NOFOLLOW);
}

long
linux_fstat(unsigned fd, struct linux_stat *out)
{
	const struct file *file = fd_file(fd);
	struct storage_stat s;

	if (file == NULL)
		return -E_BADF;
	long error = file_status(file, &s);
	return error != 0 ? error : give_stat(&s, out);
}

static struct linux_statx_time
statx_time(uint64_t ns)
{
	return (struct linux_statx_time){ (int64_t)(ns / NS),
	    (uint32_t)(ns % NS), 0 };
}

long
linux_statx(int base, const char *path, unsigned flags, unsigned mask,
    struct linux_statx *out)
{
	struct storage_stat s;

	if ((flags & ~(unsigned)STAT_FLAGS) != 0 || (mask & 0x80000000u) != 0)
		return -E_INVAL;
	long error = status_at(base, path, flags, &s);
	if (error != 0)
		return error;
	struct linux_statx st = {
		.mask = L_STATX_BASIC, .blksize = BLOCK,
		.nlink = s.links, .uid = s.uid, .gid = s.gid,
		.mode = (uint16_t)s.mode, .ino = s.inode, .size = s.size,
		.blocks = s.blocks, .atime = statx_time(s.atime_ns),
		.ctime = statx_time(s.ctime_ns),
		.mtime = statx_time(s.mtime_ns),
		.dev_minor = (uint32_t)device_of(&s),
	};
	if (is_device(&s)) {
		st.rdev_major = (uint32_t)(s.device >> 8 & 0xfff);
		st.rdev_minor = (uint32_t)(s.device & 0xff);
	}
	return user_write(out, &st, sizeof(st));
}

static long
give_statfs(bool of_proc, struct linux_statfs *out)
{
	struct storage_statfs s;
	long error = storage_statfs(ROOT_DIRECTORY, &s);
	if (error != 0)
		return error;
	if (of_proc)
		s = (struct storage_statfs){ 0 };
	struct linux_statfs st = {
		.type = of_proc ? PROC_MAGIC : TMPFS_MAGIC, .bsize = BLOCK, .frsize = BLOCK,
		.blocks = (int64_t)s.blocks, .bfree = (int64_t)s.blocks_free,
		.bavail = (int64_t)s.blocks_free, .files = (int64_t)s.files,
		.ffree = (int64_t)s.files_free, .namelen = STORAGE_NAME_MAX,
	};
	return user_write(out, &st, sizeof(st));
}

long
linux_statfs(const char *path, struct linux_statfs *out)
{
	struct storage_stat s;
	long error = status_at(L_AT_FDCWD, path, 0, &s);

	return error != 0 ? error :
	    give_statfs(device_of(&s) == DEVICE_OF_PROC, out);
}

long
linux_fstatfs(unsigned fd, struct linux_statfs *out)
{
	const struct file *file = fd_file(fd);

	if (file == NULL)
		return -E_BADF;
	return give_statfs(file->place == PATH_PROC, out);
}

/* AT_* for Linux's. */
static unsigned
at_flags(unsigned flags)
{
	return ((flags & L_AT_SYMLINK_NOFOLLOW) != 0 ? AT_NOFOLLOW : 0) |
	    ((flags & L_AT_EMPTY_PATH) != 0 ? AT_HANDLE : 0);
}

/* Permission questions */

long
linux_faccessat2(int base, const char *text, unsigned mode, unsigned flags)
{
	struct path path;
	bool empty = (flags & L_AT_EMPTY_PATH) != 0;
	unsigned known = L_AT_SYMLINK_NOFOLLOW | L_AT_EACCESS | L_AT_EMPTY_PATH;

	if ((mode & ~7u) != 0 || (flags & ~known) != 0)
		return -E_INVAL;
	long error = path_get(base, text, empty, path_a, &path);
	if (error != 0)
		return error;
	do
		error = storage_access_at(path.base, mode, at_flags(flags) |
		    ((flags & L_AT_EACCESS) != 0 ? 0 : AT_REAL), path.text,
		    path.length);
	while (path_goes_on(&path, &error));
	return error;
}

long
linux_faccessat(int base, const char *path, unsigned mode)
{
	return linux_faccessat2(base, path, mode, 0);
}

long
linux_access(const char *path, unsigned mode)
{
	return linux_faccessat2(L_AT_FDCWD, path, mode, 0);
}

/* Changes */

/* The path of an open file: empty, relative to its own handle. */
static long
open_file_path(unsigned fd, struct path *out_path)
{
	const struct file *file = fd_file(fd);

	if (file == NULL || file->kind == FILE_PATH)
		return -E_BADF;
	if (file->kind == FILE_TERMINAL) {
		*out_path = (struct path){ .base = ROOT_DIRECTORY,
		    .text = path_a, .length = terminal_path(file, path_a) };
		return 0;
	}
	if (file->cap == CAP_NONE || file_ops(file)->own_cap)
		return -E_PERM;
	*out_path = (struct path){ .text = path_a, .base =
	    file->adopted != CAP_NONE ? file->adopted : file->cap };
	return 0;
}

static long
change_mode(struct path *path, unsigned mode, unsigned at)
{
	long error;

	do
		error = storage_chmod_at(path->base, mode & 07777, at,
		    path->text, path->length);
	while (path_goes_on(path, &error));
	return error;
}

static long
change_owner(struct path *path, unsigned uid, unsigned gid, unsigned at)
{
	long error;

	do {
		const struct storage_chown_at_args in = {
			.uid = uid, .gid = gid, .flags = at,
			.path = { path->text, path->length, 0 },
		};
		error = storage_chown_at(path->base, &in);
	} while (path_goes_on(path, &error));
	return error;
}

static long
change_times(struct path *path, const uint64_t ns[2], unsigned at)
{
	long error;

	do {
		const struct storage_utimens_at_args in = {
			.atime_ns = ns[0], .mtime_ns = ns[1], .flags = at,
			.path = { path->text, path->length, 0 },
		};
		error = storage_utimens_at(path->base, &in);
	} while (path_goes_on(path, &error));
	return error;
}

long
linux_fchmodat(int base, const char *text, unsigned mode)
{
	struct path path;
	long error = path_get(base, text, false, path_a, &path);

	return error != 0 ? error : change_mode(&path, mode, 0);
}

long
linux_chmod(const char *path, unsigned mode)
{
	return linux_fchmodat(L_AT_FDCWD, path, mode);
}

long
linux_fchmod(unsigned fd, unsigned mode)
{
	struct path path;
	long error = open_file_path(fd, &path);

	return error != 0 ? error : change_mode(&path, mode, AT_HANDLE);
}

long
linux_fchownat(int base, const char *text, unsigned uid, unsigned gid,
    unsigned flags)
{
	struct path path;

	if ((flags & ~(unsigned)(L_AT_SYMLINK_NOFOLLOW | L_AT_EMPTY_PATH)) != 0)
		return -E_INVAL;
	long error = path_get(base, text, (flags & L_AT_EMPTY_PATH) != 0,
	    path_a, &path);
	return error != 0 ? error :
	    change_owner(&path, uid, gid, at_flags(flags));
}

long
linux_chown(const char *path, unsigned uid, unsigned gid)
{
	return linux_fchownat(L_AT_FDCWD, path, uid, gid, 0);
}

long
linux_lchown(const char *path, unsigned uid, unsigned gid)
{
	return linux_fchownat(L_AT_FDCWD, path, uid, gid,
	    L_AT_SYMLINK_NOFOLLOW);
}

long
linux_fchown(unsigned fd, unsigned uid, unsigned gid)
{
	struct path path;
	long error = open_file_path(fd, &path);

	return error != 0 ? error : change_owner(&path, uid, gid, AT_HANDLE);
}

/* Times; ns[] may hold TIME_NOW and TIME_OMIT. */
static long
set_times(int base, const char *text, const uint64_t ns[2], unsigned flags)
{
	struct path path;
	long error;

	if (ns[0] == TIME_OMIT && ns[1] == TIME_OMIT)
		return 0;
	if (text == NULL && base != L_AT_FDCWD) {
		flags = L_AT_EMPTY_PATH;
		error = open_file_path((unsigned)base, &path);
	} else {
		error = path_get(base, text, (flags & L_AT_EMPTY_PATH) != 0,
		    path_a, &path);
	}
	return error != 0 ? error : change_times(&path, ns, at_flags(flags));
}

#define UTIME_NOW	0x3fffffff
#define UTIME_OMIT	0x3ffffffe

static bool
time_from(int64_t seconds, int64_t part, uint64_t unit, uint64_t *out)
{
	if (part < 0 || (uint64_t)part * unit >= NS)
		return false;
	if (seconds < 0)
		seconds = part = 0;	/* before 1970 is not kept */
	*out = (uint64_t)seconds * NS + (uint64_t)part * unit;
	return true;
}

long
linux_utimensat(int base, const char *path,
    const struct linux_timespec *times, unsigned flags)
{
	uint64_t ns[2] = { TIME_NOW, TIME_NOW };
	struct linux_timespec given[2];

	if (times != NULL) {
		if (user_read(given, times, sizeof(given)) != 0)
			return -E_FAULT;
		for (int i = 0; i < 2; i++) {
			if (given[i].nanoseconds == UTIME_NOW)
				continue;
			if (given[i].nanoseconds == UTIME_OMIT)
				ns[i] = TIME_OMIT;
			else if (!time_from(given[i].seconds,
			    given[i].nanoseconds, 1, &ns[i]))
				return -E_INVAL;
		}
	}
	if ((flags & ~(unsigned)(L_AT_SYMLINK_NOFOLLOW | L_AT_EMPTY_PATH)) != 0)
		return -E_INVAL;
	return set_times(base, path, ns, flags);
}

long
linux_futimesat(int base, const char *path, const struct linux_timeval *times)
{
	uint64_t ns[2] = { TIME_NOW, TIME_NOW };
	struct linux_timeval given[2];

	if (times != NULL) {
		if (user_read(given, times, sizeof(given)) != 0)
			return -E_FAULT;
		for (int i = 0; i < 2; i++) {
			if (!time_from(given[i].seconds, given[i].microseconds,
			    1000, &ns[i]))
				return -E_INVAL;
		}
	}
	return set_times(base, path, ns, 0);
}

long
linux_utimes(const char *path, const struct linux_timeval *times)
{
	return linux_futimesat(L_AT_FDCWD, path, times);
}

long
linux_utime(const char *path, const int64_t *times)
{
	uint64_t ns[2] = { TIME_NOW, TIME_NOW };
	int64_t given[2];

	if (times != NULL) {
		if (user_read(given, times, sizeof(given)) != 0)
			return -E_FAULT;
		time_from(given[0], 0, 1, &ns[0]);
		time_from(given[1], 0, 1, &ns[1]);
	}
	return set_times(L_AT_FDCWD, path, ns, 0);
}
