/* SPDX-License-Identifier: MIT */
/* Opening files, and what changes the tree of names. */
#include "file.h"

#include "calls.h"
#include "service.h"
#include "spare.h"
#include "terminal.h"
#include "user.h"

#include <idl/console.h>
#include <idl/process.h>
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
install_opened(unsigned flags, const struct message *reply, cap_t take_cap,
    const struct path *path, cap_t base)
{
	struct file *file = file_new();
	unsigned access = flags & L_O_ACCMODE;
	bool path_only = (flags & L_O_PATH) != 0;
	long error = 0;

	*file = (struct file){
		.kind = path_only ? FILE_PATH : FILE_STORAGE,
		.node = (uint8_t)reply->word[1],
		.can_read = !path_only && access != L_O_WRONLY,
		.can_write = !path_only && access != 0,
		.flags = flags & (L_O_ACCMODE | L_O_APPEND | L_O_NONBLOCK |
		    L_O_DIRECTORY | L_O_NOFOLLOW | L_O_PATH | L_O_DSYNC),
		.cap = take_cap,
		.base = base,
		.lineage = file_lineage(),
		.place = (uint8_t)path_place_of(path, reply->word[4]),
	};
	/* There the position is always with the server. */
	if (file->place == PATH_PROC)
		file->lineage = 0;
	if (!path_only && (file->node == KIND_CHARACTER ||
	    file->node == KIND_BLOCK))
		error = open_device(file, (uint32_t)reply->word[2], flags);
	else if (!path_only && (file->node == KIND_FIFO ||
	    file->node == KIND_SOCKET))
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
	struct path path;
	unsigned links = 0;
	cap_t cap, from;
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
	struct message m = { { STORAGE_OPEN, open_flags(flags),
	    mode & 07777 & ~umask_bits } };
	struct message request = m;
	while ((error = spare_open(&path, &m, &cap, &from)) == -E_REMOTE) {
		error = links++ < STORAGE_LINKS_MAX ? path_leave_proc(&path) :
		    -E_LOOP;
		if (error != 0)
			return error;
		m = request;
	}
	if (error != 0)
		return error;
	return install_opened(flags, &m, cap, &path, from);
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
	struct message m = { { STORAGE_READDIR, size } };
	service_window(0, buffer, size, WINDOW_WRITE);
	long error = service_call(file->cap, &m, 1, 0, NULL);
	return error != 0 ? error : (long)m.word[1];
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
	struct message m = { { STORAGE_MAP } };
	cap_t caps[2];

	if (write || file == NULL)
		return -E_NODEV;
	long error = service_call(file->cap, &m, 0, 0, caps);
	if (error != 0)
		return error;
	*out_object = caps[0];
	*out_size = m.word[1];
	return 0;
}

/* Requests on one path */

long
file_at(int base, const char *text, bool allow_empty, uint64_t tag,
    const uint64_t words[3])
{
	struct path path;
	long error = path_get(base, text, allow_empty, path_a, &path);

	if (error != 0)
		return error;
	struct message m = { { tag, words[0], words[1], words[2] } };
	/* The others need the words that a short path is carried in. */
	if (tag != STORAGE_CHOWN_AT && tag != STORAGE_UTIMENS_AT)
		return path_request(&path, &m, NULL);
	return path_call(&path, &m, 1);
}

long
linux_mkdirat(int base, const char *path, unsigned mode)
{
	return file_at(base, path, false, STORAGE_MKDIR_AT,
	    (uint64_t[3]){ mode & 01777 & ~umask_bits });
}

long
linux_mkdir(const char *path, unsigned mode)
{
	return linux_mkdirat(L_AT_FDCWD, path, mode);
}

long
linux_mknodat(int base, const char *path, unsigned mode, uint64_t device)
{
	uint64_t kind = mode & L_S_IFMT;

	if (kind == 0)
		mode |= KIND_REGULAR << 12;
	else if (kind == KIND_DIRECTORY << 12)
		return -E_PERM;
	return file_at(base, path, false, STORAGE_MKNOD_AT,
	    (uint64_t[3]){ mode & ~umask_bits, device });
}

long
linux_mknod(const char *path, unsigned mode, uint64_t device)
{
	return linux_mknodat(L_AT_FDCWD, path, mode, device);
}

long
linux_unlinkat(int base, const char *path, unsigned flags)
{
	if ((flags & ~(unsigned)L_AT_REMOVEDIR) != 0)
		return -E_INVAL;
	return file_at(base, path, false, STORAGE_UNLINK_AT,
	    (uint64_t[3]){ flags != 0 });
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

/* Requests on two paths; the second has a base of its own. */
static long
two_paths(int old_base, const char *old, int new_base, const char *new,
    bool allow_empty, struct message *m)
{
	struct path from, to;
	long error = path_get(old_base, old, allow_empty, path_a, &from);

	if (error == 0)
		error = path_get(new_base, new, false, path_b, &to);
	if (error != 0)
		return error;
	/* Nothing in /proc gets a name, or another one. */
	if (from.base == PROCESS_PROC || to.base == PROCESS_PROC)
		return from.base == to.base ? -E_PERM : -E_XDEV;
	path_window(0, &from);
	path_window(1, &to);
	((volatile struct utcb *)LIBOS_UTCB)->caps_out[0] = to.base;
	return service_call(from.base, m, 2, 1, NULL);
}

long
linux_renameat2(int old_base, const char *old, int new_base, const char *new,
    unsigned flags)
{
	struct message m = { { STORAGE_RENAME_AT, flags } };

	if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE)) != 0 || flags == 3)
		return -E_INVAL;
	return two_paths(old_base, old, new_base, new, false, &m);
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
	struct message m = { { STORAGE_LINK_AT,
	    (follow ? 0 : AT_NOFOLLOW) | (empty ? AT_HANDLE : 0) } };

	if ((flags & ~(unsigned)(L_AT_EMPTY_PATH | L_AT_SYMLINK_FOLLOW)) != 0)
		return -E_INVAL;
	return two_paths(old_base, old, new_base, new, empty, &m);
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
	struct message m = { { STORAGE_SYMLINK_AT } };
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
	service_window(0, path_b, (uint64_t)length, WINDOW_READ);
	path_window(1, &path);
	return service_call(path.base, &m, 2, 0, NULL);
}

long
linux_symlink(const char *target, const char *path)
{
	return linux_symlinkat(target, L_AT_FDCWD, path);
}

/* Sizes and durability */

long
linux_ftruncate(unsigned fd, int64_t size)
{
	struct file *file = fd_file(fd);

	if (file == NULL)
		return -E_BADF;
	if (size < 0 || file->kind != FILE_STORAGE || !file->can_write)
		return -E_INVAL;
	struct message m = { { STORAGE_TRUNCATE, (uint64_t)size } };
	return service_request(file->cap, &m);
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
	if (file->kind == FILE_PIPE)
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
	struct path path;
	cap_t caps[2];
	long error = path_get(L_AT_FDCWD, text, false, path_a, &path);

	if (error != 0)
		return error;
	if (size < 0)
		return -E_INVAL;
	struct message m = { { STORAGE_OPEN, OPEN_WRITE, 0 } };
	error = path_request(&path, &m, caps);
	if (error != 0)
		return error;
	if (m.word[1] == KIND_REGULAR) {
		m = (struct message){ { STORAGE_TRUNCATE, (uint64_t)size } };
		error = service_request(caps[0], &m);
	} else {
		error = -E_INVAL;
	}
	sys_cap_delete(0, caps[0]);
	return error;
}

long
linux_fsync(unsigned fd)
{
	struct file *file = fd_file(fd);
	struct message m = { { STORAGE_SYNC } };

	if (file == NULL || file->kind == FILE_PATH)
		return -E_BADF;
	if (file->kind != FILE_STORAGE)
		return -E_INVAL;
	return service_request(file->cap, &m);
}

long
linux_sync(void)
{
	struct message m = { { STORAGE_SYNC } };

	return service_request(PROCESS_ROOT, &m);
}

/* Advice, and there is nothing to prefetch: storage is in memory. */
long
linux_fadvise64(unsigned fd, int64_t offset, size_t length, int advice)
{
	const struct file *file = fd_file(fd);

	(void)offset;
	if (file == NULL)
		return -E_BADF;
	if (file->kind == FILE_PIPE)
		return -E_SPIPE;
	return (int64_t)length < 0 || advice < 0 || advice > 5 ? -E_INVAL : 0;
}
