/* SPDX-License-Identifier: MIT */
/*
 * Paths: copied from the program first, so that a server reads them once and
 * from memory that no thread of the program changes meanwhile. A path is
 * resolved by storage, or by proc if it leads to /proc; only own descriptors
 * (/proc/self/fd, /dev/fd, /dev/std*) are found here.
 */
#include "calls.h"
#include "fileops.h"
#include "service.h"
#include "spare.h"
#include "thread.h"
#include "user.h"
#include "view.h"

#include <idl/process.h>
#include <idl/storage_client.h>
#include <lib/base/string.h>
#include <abi/utcb.h>
#include <lib/sys/sys.h>

char path_a[STORAGE_PATH_MAX], path_b[STORAGE_PATH_MAX];

static cap_t working_directory;	/* CAP_NONE: the root */
static enum path_place working_place = PATH_TOP;
static uint64_t root_inode;	/* 0: not known yet */

cap_t
path_working_directory(void)
{
	return working_directory != CAP_NONE ? working_directory :
	    ROOT_DIRECTORY;
}

static long
base_of(int base, bool allow_file, struct path *path)
{
	if (base == L_AT_FDCWD) {
		path->base = path_working_directory();
		path->place = working_place;
		return 0;
	}
	const struct file *file = fd_file((unsigned)base);
	if (file == NULL)
		return -E_BADF;
	if (file->cap == CAP_NONE || file_ops(file)->own_cap)
		return allow_file ? -E_INVAL : -E_NOTDIR;
	if (!allow_file && file->node != KIND_DIRECTORY)
		return -E_NOTDIR;
	path->base = file->adopted != CAP_NONE ? file->adopted : file->cap;
	path->place = file->place;
	return 0;
}

long
path_get(int base, const char *text, bool allow_empty, char *buffer,
    struct path *out_path)
{
	long length = user_string(buffer, text, STORAGE_PATH_MAX);

	if (length < 0)
		return length;
	if (length == 0 && !allow_empty)
		return -E_NOENT;
	out_path->text = buffer;
	out_path->length = (uint64_t)length;
	out_path->links = 0;
	if (buffer[0] == '/') {
		out_path->base = ROOT_DIRECTORY;
		out_path->place = PATH_TOP;
	} else {
		long error = base_of(base, length == 0, out_path);
		if (error != 0)
			return error;
	}
	return out_path->place == PATH_STORAGE ? 0 : path_enter_proc(out_path);
}

bool
path_goes_on(struct path *path, long *error)
{
	if (__builtin_expect(*error != -E_REMOTE, 1)) {
		if (__builtin_expect(*error != -E_KEYREVOKED, 1))
			return false;
		*error = path_adopt(&path->base);
		return *error == 0;
	}
	*error = path->links++ < STORAGE_LINKS_MAX ? path_leave_proc(path) :
	    -E_LOOP;
	return *error == 0;
}

long
path_open(struct path *path, unsigned flags,
    struct storage_open_results *out_opened, cap_t *out_cap)
{
	long error;

	do {
		const struct storage_open_args in = {
			.flags = flags,
			.path = { path->text, path->length, 0 },
		};
		error = storage_open(path->base, &in, out_opened, out_cap);
	} while (path_goes_on(path, &error));
	return error;
}

enum path_place
path_place_of(const struct path *path, uint64_t inode)
{
	struct storage_stat_at_results root;

	if (path->base == PROCESS_PROC)
		return PATH_PROC;
	if (root_inode == 0 && storage_stat_at(ROOT_DIRECTORY, AT_HANDLE, path_b,
	    0, &root) == 0)
		root_inode = root.inode;
	return inode != 0 && inode == root_inode ? PATH_TOP : PATH_STORAGE;
}

static const char *
after_prefix(const char *text, const char *prefix)
{
	while (*prefix != 0) {
		if (*text++ != *prefix++)
			return NULL;
	}
	return text;
}

/* After "/self", "/thread-self" or the own number. */
static const char *
after_self(const char *text)
{
	const char *rest = after_prefix(text, "/self");
	uint32_t pid = 0;

	if (rest == NULL)
		rest = after_prefix(text, "/thread-self");
	if (rest != NULL || *text != '/')
		return rest;
	for (text++; *text >= '0' && *text <= '9' && pid < 100000000; text++)
		pid = pid * 10 + (uint32_t)(*text - '0');
	return pid == INFO->pid ? text : NULL;
}

int
path_descriptor(const struct path *path)
{
	static const char names[3][12] = { "/dev/stdin", "/dev/stdout",
	    "/dev/stderr" };
	const char *text = path->text, *digits = NULL;
	int fd = 0;

	if (path->base == PROCESS_PROC) {
		digits = after_self(text);
		if (digits != NULL)
			digits = after_prefix(digits, "/fd/");
	}
	/* Most paths are no descriptor's: see that soon. */
	if (digits == NULL && (text[0] != '/' || text[1] != 'd'))
		return -1;
	for (int i = 0; i < 3; i++) {
		if (strcmp(text, names[i]) == 0)
			return i;
	}
	if (digits == NULL)
		digits = after_prefix(text, "/dev/fd/");
	if (digits == NULL || *digits == 0)
		return -1;
	for (; *digits != 0; digits++) {
		if (*digits < '0' || *digits > '9' || fd > 100000)
			return -1;
		fd = fd * 10 + (*digits - '0');
	}
	return fd;
}

static void
set_working_directory(cap_t take_cap, enum path_place place)
{
	if (working_directory != CAP_NONE)
		sys_cap_delete(0, working_directory);
	working_directory = libos_view.working_directory = take_cap;
	working_place = place;
}

/* Who holds it lets the old one go, unless it is a file of its own. */
long
path_adopt(cap_t *cap)
{
	struct file *file = NULL;
	cap_t adopted;

	if (*cap != working_directory)
		file = file_of_cap(*cap);
	if (*cap != working_directory && file == NULL)
		return -E_ACCES;
	long error = storage_adopt(ROOT_DIRECTORY, *cap, &adopted);
	if (error != 0)
		return error == -E_KEYREVOKED ? -E_ACCES : error;
	if (file == NULL) {
		set_working_directory(adopted, working_place);
	} else {
		if (file->adopted != CAP_NONE)
			sys_cap_delete(0, file->adopted);
		file->adopted = adopted;
	}
	*cap = adopted;
	return 0;
}

void
path_renew(void)
{
	cap_t directory = working_directory;

	spare_drop_all();
	/* If it cannot be now, it is when it is used. */
	if (directory != CAP_NONE && working_place != PATH_PROC)
		path_adopt(&directory);
	libos_view.working_directory = path_working_directory();
}

static long
may_search(cap_t directory)
{
	return storage_access_at(directory, 1, AT_HANDLE, path_b, 0);
}

long
linux_chdir(const char *text)
{
	struct path path;
	struct storage_open_results opened;
	cap_t directory = CAP_NONE;
	long error = path_get(L_AT_FDCWD, text, false, path_a, &path);

	if (error != 0)
		return error;
	error = path_open(&path, OPEN_PATH | OPEN_DIRECTORY, &opened,
	    &directory);
	if (error != 0)
		return error;
	enum path_place place = path_place_of(&path, opened.inode);
	error = may_search(directory);
	if (error != 0) {
		sys_cap_delete(0, directory);
		return error;
	}
	set_working_directory(directory, place);
	return 0;
}

long
linux_fchdir(unsigned fd)
{
	struct file *file = fd_file(fd);
	cap_t copy;

	if (file == NULL)
		return -E_BADF;
	if (file->node != KIND_DIRECTORY || file->cap == CAP_NONE)
		return -E_NOTDIR;
	cap_t directory = file->adopted != CAP_NONE ? file->adopted :
	    file->cap;
	long error = may_search(directory);
	if (error == -E_KEYREVOKED && (error = path_adopt(&directory)) == 0)
		error = may_search(directory);
	if (error != 0)
		return error;
	status_t status = sys_cap_copy(directory, 0, CAP_ANY_SLOT, RIGHT_ALL,
	    TRUST_MAX, 0, &copy);
	if (status != OK)
		return service_error(status);
	set_working_directory(copy, file->place);
	/* The description outlives the file: it must not be retired. */
	file->lineage = 0;
	return 0;
}

static long
path_of(cap_t handle, char *buffer, uint64_t size)
{
	uint64_t length;
	long error = storage_path(handle, buffer, size, &length);

	if (error != 0)
		return error;
	return length <= size ? (long)length : -E_IO;
}

long
linux_getcwd(char *buffer, size_t size)
{
	long length = path_of(path_working_directory(), path_a, sizeof(path_a) - 1);

	if (length < 0)
		return length;
	path_a[length] = 0;
	if ((size_t)length + 1 > size)
		return -E_RANGE;
	if (user_write(buffer, path_a, (size_t)length + 1) != 0)
		return -E_FAULT;
	return length + 1;
}

/* To path_b. */
static long
readlink_at(const struct path *path, uint64_t *out_length)
{
	const struct storage_readlink_at_args in = {
		.path = { path->text, path->length, 0 },
		.target = { path_b, sizeof(path_b), 0 },
	};
	long error = storage_readlink_at(path->base, &in, out_length);

	return error == 0 && *out_length > sizeof(path_b) ? -E_IO : error;
}

long
linux_readlinkat(int base, const char *text, char *buffer, size_t size)
{
	struct path path;
	long error = path_get(base, text, true, path_a, &path);

	if (error != 0)
		return error;
	if ((int)size <= 0)
		return -E_INVAL;
	uint64_t length = 0;
	do
		error = readlink_at(&path, &length);
	while (path_goes_on(&path, &error));
	if (error != 0)
		return error;
	if (length > size)
		length = size;
	if (user_write(buffer, path_b, length) != 0)
		return -E_FAULT;
	return (long)length;
}

long
linux_readlink(const char *path, char *buffer, size_t size)
{
	return linux_readlinkat(L_AT_FDCWD, path, buffer, size);
}
