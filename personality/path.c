/* SPDX-License-Identifier: MIT */
/*
 * Paths: copied from the program first, so that a server reads them once and
 * from memory that no thread of the program changes meanwhile. A path is
 * resolved by storage, or by proc if it leads to /proc; only own descriptors
 * (/proc/self/fd, /dev/fd, /dev/std*) are found here.
 */
#include "calls.h"
#include "file.h"
#include "service.h"
#include "thread.h"
#include "user.h"
#include "view.h"

#include <idl/process.h>
#include <lib/base/string.h>
#include <abi/utcb.h>
#include <lib/sys/sys.h>

char path_a[STORAGE_PATH_MAX], path_b[STORAGE_PATH_MAX];

static cap_t working_directory = PROCESS_ROOT;
static enum path_place working_place = PATH_TOP;
static uint64_t root_inode;	/* 0: not known yet */

cap_t
path_working_directory(void)
{
	return working_directory;
}

static long
base_of(int base, bool allow_file, struct path *path)
{
	if (base == L_AT_FDCWD) {
		path->base = working_directory;
		path->place = working_place;
		return 0;
	}
	const struct file *file = fd_file((unsigned)base);
	if (file == NULL)
		return -E_BADF;
	if (file->cap == CAP_NONE || file->kind == FILE_PIPE ||
	    file->kind == FILE_TERMINAL)
		return allow_file ? -E_INVAL : -E_NOTDIR;
	if (!allow_file && file->node != KIND_DIRECTORY)
		return -E_NOTDIR;
	path->base = file->cap;
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
	if (buffer[0] == '/') {
		out_path->base = PROCESS_ROOT;
		out_path->place = PATH_TOP;
	} else {
		long error = base_of(base, length == 0, out_path);
		if (error != 0)
			return error;
	}
	return out_path->place == PATH_STORAGE ? 0 : path_enter_proc(out_path);
}

void
path_window(unsigned index, const struct path *path)
{
	service_window(index, path->text, path->length, WINDOW_READ);
}

/* Every buffer of a path is longer than a short path. */
long
path_request_at(cap_t target, const struct path *path,
    struct message *message, cap_t *out_caps)
{
	if (path->length > STORAGE_SHORT_MAX) {
		path_window(0, path);
		return service_call(target, message, 1, 0, out_caps);
	}
	memcpy(&message->word[3], path->text, STORAGE_SHORT_MAX);
	message->word[7] = STORAGE_SHORT | path->length;
	return service_call(target, message, 0, 0, out_caps);
}

long
path_request(struct path *path, struct message *message, cap_t *out_caps)
{
	struct message request = *message;
	long error = -E_REMOTE;

	for (unsigned i = 0; i < STORAGE_LINKS_MAX && error == -E_REMOTE; i++) {
		*message = request;
		error = path_request_at(path->base, path, message, out_caps);
		if (error != -E_REMOTE)
			return error;
		error = path_leave_proc(path);
		if (error == 0)
			error = -E_REMOTE;
	}
	return error == -E_REMOTE ? -E_LOOP : error;
}

long
path_call(struct path *path, struct message *message, unsigned windows)
{
	struct message request = *message;
	long error = -E_REMOTE;

	for (unsigned i = 0; i < STORAGE_LINKS_MAX && error == -E_REMOTE; i++) {
		*message = request;
		path_window(0, path);
		error = service_call(path->base, message, windows, 0, NULL);
		if (error != -E_REMOTE)
			return error;
		error = path_leave_proc(path);
		if (error == 0)
			error = -E_REMOTE;
	}
	return error == -E_REMOTE ? -E_LOOP : error;
}

enum path_place
path_place_of(const struct path *path, uint64_t inode)
{
	struct message m = { { STORAGE_STAT } };

	if (path->base == PROCESS_PROC)
		return PATH_PROC;
	if (root_inode == 0 && service_request(PROCESS_ROOT, &m) == 0)
		root_inode = m.word[1];
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
	if (working_directory != PROCESS_ROOT)
		sys_cap_delete(0, working_directory);
	working_directory = libos_view.working_directory = take_cap;
	working_place = place;
}

static long
may_search(cap_t directory)
{
	struct message m = { { STORAGE_ACCESS_AT, 1, AT_HANDLE } };

	service_window(0, path_b, 0, WINDOW_READ);
	return service_call(directory, &m, 1, 0, NULL);
}

long
linux_chdir(const char *text)
{
	struct path path;
	cap_t caps[2];
	long error = path_get(L_AT_FDCWD, text, false, path_a, &path);

	if (error != 0)
		return error;
	struct message m = { { STORAGE_OPEN, OPEN_PATH | OPEN_DIRECTORY, 0 } };
	error = path_request(&path, &m, caps);
	if (error != 0)
		return error;
	enum path_place place = path_place_of(&path, m.word[4]);
	error = may_search(caps[0]);
	if (error != 0) {
		sys_cap_delete(0, caps[0]);
		return error;
	}
	set_working_directory(caps[0], place);
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
	long error = may_search(file->cap);
	if (error != 0)
		return error;
	status_t status = sys_cap_copy(file->cap, 0, CAP_ANY_SLOT, RIGHT_ALL,
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
	struct message m = { { STORAGE_PATH } };

	service_window(0, buffer, size, WINDOW_WRITE);
	long error = service_call(handle, &m, 1, 0, NULL);
	if (error != 0)
		return error;
	return m.word[1] <= size ? (long)m.word[1] : -E_IO;
}

long
linux_getcwd(char *buffer, size_t size)
{
	long length = path_of(working_directory, path_a, sizeof(path_a) - 1);

	if (length < 0)
		return length;
	path_a[length] = 0;
	if ((size_t)length + 1 > size)
		return -E_RANGE;
	if (user_write(buffer, path_a, (size_t)length + 1) != 0)
		return -E_FAULT;
	return length + 1;
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
	struct message m = { { STORAGE_READLINK_AT } };
	service_window(1, path_b, sizeof(path_b), WINDOW_WRITE);
	error = path_call(&path, &m, 2);
	if (error != 0)
		return error;
	long length = m.word[1] <= sizeof(path_b) ? (long)m.word[1] : -E_IO;
	if (length < 0)
		return length;
	if ((size_t)length > size)
		length = (long)size;
	if (user_write(buffer, path_b, (size_t)length) != 0)
		return -E_FAULT;
	return length;
}

long
linux_readlink(const char *path, char *buffer, size_t size)
{
	return linux_readlinkat(L_AT_FDCWD, path, buffer, size);
}
