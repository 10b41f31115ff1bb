/* SPDX-License-Identifier: MIT */
/*
 * Test programs print what calls return, in words that do not differ between
 * systems: the scenario runner compares the output with that of the host.
 */
#pragma once

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* "name: result", or "name: -1 ERROR". */
#define SAY(name, call) \
	do { \
		errno = 0; \
		long say_result = (long)(call); \
		say(name, say_result, errno); \
	} while (0)

/* As SAY, for results that are only good or bad: "ok" instead of a number. */
#define SAY_OK(name, call) \
	do { \
		errno = 0; \
		long say_result = (long)(call); \
		say(name, say_result < 0 ? -1 : 0, errno); \
	} while (0)

#define CHECK(condition) \
	printf("%s: %s\n", #condition, (condition) ? "yes" : "NO")

static inline const char *
error_name(int error)
{
	static const struct {
		int number;
		const char *name;
	} names[] = {
		{ EPERM, "EPERM" }, { ENOENT, "ENOENT" }, { ESRCH, "ESRCH" },
		{ EINTR, "EINTR" }, { EIO, "EIO" }, { E2BIG, "E2BIG" },
		{ ENOEXEC, "ENOEXEC" }, { EBADF, "EBADF" },
		{ ECHILD, "ECHILD" }, { EAGAIN, "EAGAIN" },
		{ ENOMEM, "ENOMEM" }, { EACCES, "EACCES" },
		{ EFAULT, "EFAULT" }, { EEXIST, "EEXIST" },
		{ EXDEV, "EXDEV" }, { ENODEV, "ENODEV" },
		{ ENOTDIR, "ENOTDIR" }, { EISDIR, "EISDIR" },
		{ EINVAL, "EINVAL" }, { EMFILE, "EMFILE" },
		{ ENOTTY, "ENOTTY" }, { ENOSPC, "ENOSPC" },
		{ ESPIPE, "ESPIPE" }, { EPIPE, "EPIPE" },
		{ ERANGE, "ERANGE" }, { ENAMETOOLONG, "ENAMETOOLONG" },
		{ ENOSYS, "ENOSYS" }, { ENOTEMPTY, "ENOTEMPTY" },
		{ ELOOP, "ELOOP" }, { EOVERFLOW, "EOVERFLOW" },
		{ EDEADLK, "EDEADLK" }, { ENOLCK, "ENOLCK" },
		{ ENXIO, "ENXIO" }, { EOPNOTSUPP, "EOPNOTSUPP" },
		{ EBUSY, "EBUSY" }, { EFBIG, "EFBIG" }, { ENODATA, "ENODATA" },
		{ EROFS, "EROFS" },
		{ ETIMEDOUT, "ETIMEDOUT" }, { ELIBBAD, "ELIBBAD" },
		{ ETXTBSY, "ETXTBSY" },
	};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].number == error)
			return names[i].name;
	}
	return strerror(error);
}

static inline void
say(const char *name, long result, int error)
{
	if (result == -1)
		printf("%s: -1 %s\n", name, error_name(error));
	else
		printf("%s: %ld\n", name, result);
}
