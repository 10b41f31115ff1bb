/* SPDX-License-Identifier: MIT */
/* Names of local sockets: a path, or "@x" for an abstract one. */
#pragma once

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static inline socklen_t
name_of(struct sockaddr_un *out, const char *path)
{
	memset(out, 0, sizeof(*out));
	out->sun_family = AF_UNIX;
	/* "@x" is abstract. */
	if (path[0] == '@') {
		strcpy(out->sun_path + 1, path + 1);
		return (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
		    strlen(path));
	}
	strcpy(out->sun_path, path);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
	    strlen(path) + 1);
}

static inline int
bind_to(int fd, const char *path)
{
	struct sockaddr_un name;
	socklen_t length = name_of(&name, path);

	return bind(fd, (struct sockaddr *)&name, length);
}

static inline int
connect_to(int fd, const char *path)
{
	struct sockaddr_un name;
	socklen_t length = name_of(&name, path);

	return connect(fd, (struct sockaddr *)&name, length);
}
