/* SPDX-License-Identifier: MIT */
/*
 * Sockets that outlive the processes that serve them. With `accept`, the
 * supervisor accepts as well: a connection is in the store before a process
 * sees it.
 */
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG		4096
#define ACCEPTED_MAX	32	/* in one round: others want to be served, too */

struct address {
	int	 type;
	socklen_t length;
	union {
		struct sockaddr any;
		struct sockaddr_un local;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} of;
};

static const struct {
	const char *prefix;
	bool	 local;
	int	 type;
} kinds[] = {
	{ "unix:", true, SOCK_STREAM },
	{ "unix-packet:", true, SOCK_SEQPACKET },
	{ "unix-datagram:", true, SOCK_DGRAM },
	{ "tcp:", false, SOCK_STREAM },
	{ "udp:", false, SOCK_DGRAM },
};

static bool
parse_local(const char *text, struct address *out)
{
	size_t length = strlen(text);

	if (length < 2 || length >= sizeof(out->of.local.sun_path) ||
	    (text[0] != '/' && text[0] != '@'))
		return false;
	out->of.local.sun_family = AF_UNIX;
	memcpy(out->of.local.sun_path, text, length);
	out->length = (socklen_t)sizeof(out->of.local);
	if (text[0] == '@') {
		out->of.local.sun_path[0] = '\0';
		out->length = (socklen_t)(offsetof(struct sockaddr_un,
		    sun_path) + length);
	}
	return true;
}

/* ADDRESS:PORT, both numbers; an address of IPv6 stands in brackets. */
static bool
parse_internet(const char *text, struct address *out)
{
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + 2], *end;
	size_t length = colon == NULL ? 0 : (size_t)(colon - text);
	unsigned long port;

	if (length == 0 || length >= sizeof(host))
		return false;
	memcpy(host, text, length);
	host[length] = '\0';
	errno = 0;
	port = strtoul(colon + 1, &end, 10);
	if (colon[1] < '0' || colon[1] > '9' || *end != '\0' || port > 65535)
		return false;
	if (host[0] == '[' && host[length - 1] == ']') {
		host[length - 1] = '\0';
		out->of.v6.sin6_family = AF_INET6;
		out->of.v6.sin6_port = htons((uint16_t)port);
		out->length = (socklen_t)sizeof(out->of.v6);
		return inet_pton(AF_INET6, host + 1, &out->of.v6.sin6_addr) ==
		    1;
	}
	out->of.v4.sin_family = AF_INET;
	out->of.v4.sin_port = htons((uint16_t)port);
	out->length = (socklen_t)sizeof(out->of.v4);
	return inet_pton(AF_INET, host, &out->of.v4.sin_addr) == 1;
}

static bool
parse(const char *text, struct address *out)
{
	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t length = strlen(kinds[i].prefix);

		if (strncmp(text, kinds[i].prefix, length) != 0)
			continue;
		out->type = kinds[i].type;
		return kinds[i].local ? parse_local(text + length, out) :
		    parse_internet(text + length, out);
	}
	return false;
}

/* A socket that nobody serves any more may be replaced, nothing else. */
static bool
clear_path(const struct address *address)
{
	const char *path = address->of.local.sun_path;
	struct stat info;
	int probe;
	bool served;

	if (address->of.any.sa_family != AF_UNIX || path[0] == '\0' ||
	    lstat(path, &info) != 0)
		return true;
	errno = EADDRINUSE;
	if (!S_ISSOCK(info.st_mode))
		return false;
	probe = socket(AF_UNIX, address->type | SOCK_CLOEXEC, 0);
	served = probe < 0 || connect(probe, &address->of.any,
	    address->length) == 0 || errno != ECONNREFUSED;
	if (probe >= 0)
		close(probe);
	errno = EADDRINUSE;
	return !served && unlink(path) == 0;
}

static bool
bind_there(int fd, const struct address *address)
{
	int one = 1;

	if (address->of.any.sa_family != AF_UNIX)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one,
		    sizeof(one));
	if (!clear_path(address) ||
	    bind(fd, &address->of.any, address->length) != 0)
		return false;
	if (address->of.any.sa_family == AF_UNIX &&
	    address->of.local.sun_path[0] != '\0')
		(void)chmod(address->of.local.sun_path, 0666);
	return address->type == SOCK_DGRAM || listen(fd, BACKLOG) == 0;
}

static void
accept_some(struct watch *watch, uint32_t events)
{
	struct listener *listener = (struct listener *)(void *)watch;
	struct service *service = watch->owner;
	char name[PLACE_NAME_MAX + 1];

	for (int i = 0; i < ACCEPTED_MAX && store_has_room(&service->store);
	    i++) {
		int fd = accept4(listener->watch.fd, NULL, NULL,
		    SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0)
			break;
		snprintf(name, sizeof(name), "%.8s.%llu", listener->name,
		    (unsigned long long)service->accepted++);
		(void)store_put(&service->store, fd, name);
	}
	service_push(service);
	listener_arm(service);
}

/* [NAME=]ADDRESS */
static const char *
split_name(const char *text, char *name)
{
	size_t length = strcspn(text, "=:/");

	strcpy(name, "listen");
	if (text[length] != '=' || length == 0 || length > PLACE_NAME_MAX)
		return text;
	memcpy(name, text, length);
	name[length] = '\0';
	return text + length + 1;
}

bool
listener_open(struct listener *listener, const char *text,
    const char **out_why)
{
	static char why[256];
	struct address address;
	const char *at = split_name(text, listener->name);
	int fd;

	*out_why = why;
	if (!parse(at, &address)) {
		snprintf(why, sizeof(why), "key 'listen': '%s' is no address",
		    text);
		return false;
	}
	fd = socket(address.of.any.sa_family,
	    address.type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || !bind_there(fd, &address)) {
		snprintf(why, sizeof(why), "key 'listen': %s: %s", text,
		    strerror(errno));
		if (fd >= 0)
			close(fd);
		return false;
	}
	if (address.of.any.sa_family == AF_UNIX)
		memcpy(listener->unlink, address.of.local.sun_path,
		    sizeof(listener->unlink));
	listener->watch = (struct watch){ .ready = accept_some, .fd = fd };
	return true;
}

void
listener_close(struct listener *listener)
{
	if (listener->watch.fd >= 0 && listener->unlink[0] != '\0')
		(void)unlink(listener->unlink);
	watch_close(&listener->watch);
}

/*
 * While the service is away connections are taken as well: they wait in the
 * store or in the backlog, to the client it is the same. A draining service
 * gets no new ones.
 */
void
listener_arm(struct service *service)
{
	struct epoll_event event = { .events = EPOLLIN };
	bool wanted = service->manifest.accept &&
	    service_record(service)->draining == 0 &&
	    store_has_room(&service->store);

	for (unsigned i = 0; i < service->manifest.listen_count; i++) {
		struct listener *listener = &service->listener[i];

		if (listener->armed == wanted)
			continue;
		event.data.ptr = &listener->watch;
		if (epoll_ctl(service->server->epoll,
		    wanted ? EPOLL_CTL_ADD : EPOLL_CTL_DEL,
		    listener->watch.fd, &event) == 0)
			listener->armed = wanted;
	}
}
