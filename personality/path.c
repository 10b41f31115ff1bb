/* SPDX-License-Identifier: MIT */
/*
 * Paths: copied from the program first, so that a server reads them once and
 * from memory that no thread of the program changes meanwhile. A path is
 * resolved by storage; only what names this process itself is answered here:
 * descriptors (/proc/self/fd, /dev/fd, /dev/std*) and /proc/self/exe.
 */
#include "calls.h"
#include "file.h"
#include "service.h"
#include "terminal.h"
#include "user.h"

#include <idl/proc.h>
#include <lib/base/string.h>
#include <abi/utcb.h>
#include <lib/sys/sys.h>

char path_a[STORAGE_PATH_MAX], path_b[STORAGE_PATH_MAX];

static cap_t working_directory = PROCESS_ROOT;

cap_t
path_working_directory(void)
{
	return working_directory;
}

static long
base_of(int base, bool allow_file, cap_t *out_base)
{
	if (base == L_AT_FDCWD) {
		*out_base = working_directory;
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
	*out_base = file->cap;
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
		return 0;
	}
	return base_of(base, length == 0, &out_path->base);
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
path_request(const struct path *path, struct message *message,
    cap_t *out_caps)
{
	return path_request_at(path->base, path, message, out_caps);
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

int
path_descriptor(const char *text)
{
	static const char names[3][12] = { "/dev/stdin", "/dev/stdout",
	    "/dev/stderr" };
	const char *digits = after_prefix(text, "/proc/self/fd/");
	int fd = 0;

	/* Most paths are no descriptor's: see that soon. */
	if (text[0] != '/' || (text[1] != 'd' && text[1] != 'p'))
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
set_working_directory(cap_t take_cap)
{
	if (working_directory != PROCESS_ROOT)
		sys_cap_delete(0, working_directory);
	working_directory = take_cap;
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
	error = may_search(caps[0]);
	if (error != 0) {
		sys_cap_delete(0, caps[0]);
		return error;
	}
	set_working_directory(caps[0]);
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
	set_working_directory(copy);
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

/* What a link of /proc/self says; 0: not one of ours. */
static long
own_link(const char *text, char *out)
{
	static const char kinds[][12] = {
		[FILE_PIPE] = "pipe:[1]", [FILE_CONSOLE] = "/dev/console",
	};
	const char *answer = NULL;
	int fd = path_descriptor(text);

	if (strcmp(text, "/proc/self/exe") == 0) {
		answer = process_path;
	} else if (fd >= 0 && after_prefix(text, "/proc/self/fd/") != NULL) {
		const struct file *file = fd_file((unsigned)fd);
		if (file == NULL)
			return -E_NOENT;
		if (file->kind == FILE_STORAGE || file->kind == FILE_PATH)
			return path_of(file->cap, out, STORAGE_PATH_MAX);
		if (file->kind == FILE_TERMINAL)
			return (long)terminal_path(file, out);
		answer = file->kind == FILE_DEVICE ? "/dev/null" :
		    kinds[file->kind];
	}
	if (answer == NULL)
		return 0;
	size_t length = strlen(answer);
	memcpy(out, answer, length);
	return (long)length;
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
	long length = own_link(path_a, path_b);
	if (length == 0) {
		struct message m = { { STORAGE_READLINK_AT } };
		path_window(0, &path);
		service_window(1, path_b, sizeof(path_b), WINDOW_WRITE);
		length = service_call(path.base, &m, 2, 0, NULL);
		if (length == 0)
			length = m.word[1] <= sizeof(path_b) ?
			    (long)m.word[1] : -E_IO;
	}
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
