/* SPDX-License-Identifier: MIT */
/*
 * Paths that lead to /proc, which proc serves and not storage.
 *
 * The boundary is drawn here, by the letter of the path: absolute, or relative
 * to the root directory or to one in /proc. Proc takes paths relative to /proc
 * only, and tells by E_REMOTE that one leads out again, through a link such as
 * /proc/self/cwd or by "..". What a relative path in /proc means is found with
 * the path of the directory, so "self" is always who asks.
 */
#include "file.h"

#include "linux.h"
#include "service.h"
#include "thread.h"

#include <idl/errno.h>
#include <idl/proc_client.h>
#include <idl/process.h>
#include <idl/storage_client.h>
#include <abi/utcb.h>
#include <lib/base/string.h>

static char joined[STORAGE_PATH_MAX];

/* What follows "/proc" in text, or NULL. */
static char *
after_proc(char *text)
{
	while (*text == '/' ||
	    (text[0] == '.' && (text[1] == '/' || text[1] == 0)))
		text++;
	if (strncmp(text, "proc", 4) != 0 || (text[4] != '/' && text[4] != 0))
		return NULL;
	return text + 4;
}

/* A directory in /proc and a relative path become one that is absolute. */
static long
join(struct path *path)
{
	uint64_t length;
	long error = storage_path(path->base, joined, sizeof(joined) - 1,
	    &length);

	if (error != 0)
		return error;
	if (length >= sizeof(joined) ||
	    path->length + 2 > sizeof(joined) - length)
		return -E_NAMETOOLONG;
	joined[length] = '/';
	memcpy(joined + length + 1, path->text, path->length + 1);
	path->length += length + 1;
	memcpy(path->text, joined, path->length + 1);
	return 0;
}

long
path_enter_proc(struct path *path)
{
	bool relative = path->text[0] != '/';

	/* The base itself. */
	if (path->length == 0)
		return 0;
	if (relative && path->place == PATH_PROC) {
		long error = join(path);
		if (error != 0)
			return error;
		path->base = ROOT_DIRECTORY;
	}
	char *rest = after_proc(path->text);
	if (rest == NULL)
		return 0;
	path->base = PROCESS_PROC;
	path->length = strlen(rest);
	memmove(path->text, rest, path->length + 1);
	if (path->length == 0) {
		path->length = 1;
		path->text[0] = '/';
		path->text[1] = 0;
	}
	return 0;
}

long
path_leave_proc(struct path *path)
{
	const struct proc_leave_args in = {
		.path = { path->text, path->length, 0 },
		.target = { path->text, STORAGE_PATH_MAX - 1, 0 },
	};
	uint64_t length;
	long error = proc_leave(PROCESS_PROC, &in, &length);

	if (error != 0)
		return error;
	if (length == 0 || length >= STORAGE_PATH_MAX)
		return -E_IO;
	path->length = length;
	path->text[path->length] = 0;
	/* A pipe, say: it has no path. */
	if (path->text[0] != '/')
		return -E_NXIO;
	path->base = ROOT_DIRECTORY;
	path->place = PATH_TOP;
	return path_enter_proc(path);
}
