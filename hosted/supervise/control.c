/* SPDX-License-Identifier: MIT */
/*
 * The control socket: one line in, one text out, the connection ends. The first
 * line of the text is "ok" or "error". Root and the supervisor's own user may.
 */
#include "server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG	16

static void
client_end(struct client *client)
{
	watch_close(&client->watch);
	free(client->reply);
	client->reply = NULL;
	client->request_length = client->reply_length = client->sent = 0;
}

static void
client_send(struct client *client)
{
	struct epoll_event event = {
		.events = EPOLLOUT, .data.ptr = &client->watch,
	};
	ssize_t sent = send(client->watch.fd, client->reply + client->sent,
	    client->reply_length - client->sent, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (sent > 0)
		client->sent += (size_t)sent;
	if (client->sent == client->reply_length ||
	    (sent < 0 && errno != EAGAIN))
		client_end(client);
	else if (epoll_ctl(client->server->epoll, EPOLL_CTL_MOD,
	    client->watch.fd, &event) != 0)
		client_end(client);
}

static void
client_serve(struct client *client, const char *line)
{
	FILE *reply = open_memstream(&client->reply, &client->reply_length);

	if (reply == NULL) {
		client_end(client);
		return;
	}
	command_run(client->server, line, reply);
	if (fclose(reply) != 0)
		client_end(client);
	else
		client_send(client);
}

static void
client_ready(struct watch *watch, uint32_t events)
{
	struct client *client = watch->owner;
	char *end;
	ssize_t length;

	if (client->reply != NULL) {
		client_send(client);
		return;
	}
	length = recv(watch->fd, client->request + client->request_length,
	    sizeof(client->request) - client->request_length, MSG_DONTWAIT);
	if (length <= 0) {
		client_end(client);
		return;
	}
	client->request_length += (size_t)length;
	end = memchr(client->request, '\n', client->request_length);
	if (end != NULL) {
		*end = '\0';
		client_serve(client, client->request);
	} else if (client->request_length == sizeof(client->request)) {
		client_end(client);
	}
}

static bool
may_command(int fd)
{
	struct ucred who;
	socklen_t length = sizeof(who);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length) == 0 &&
	    (who.uid == 0 || who.uid == geteuid());
}

static void
control_ready(struct watch *watch, uint32_t events)
{
	struct server *server = watch->owner;
	int fd = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct client *client = server->client;

	if (fd < 0)
		return;
	while (client < server->client + CONTROL_CLIENTS &&
	    client->watch.fd >= 0)
		client++;
	if (client == server->client + CONTROL_CLIENTS || !may_command(fd)) {
		close(fd);
		return;
	}
	client->server = server;
	client->watch = (struct watch){
		.ready = client_ready, .owner = client, .fd = fd,
	};
	if (!watch_add(server, &client->watch, EPOLLIN))
		client_end(client);
}

/* Another supervisor in the same folder would take this one's messages. */
static bool
is_served(const struct sockaddr_un *address)
{
	int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool served = probe >= 0 && connect(probe,
	    (const struct sockaddr *)address, sizeof(*address)) == 0;

	if (probe >= 0)
		close(probe);
	return served;
}

bool
control_open(struct server *server, const char *folder)
{
	struct sockaddr_un *address = &server->control_address;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    0);
	int length = snprintf(address->sun_path, sizeof(address->sun_path),
	    "%s/control", folder);
	mode_t mask;
	bool bound;

	if (fd < 0)
		return false;
	server->control = (struct watch){
		.ready = control_ready, .owner = server, .fd = fd,
	};
	address->sun_family = AF_UNIX;
	errno = ENAMETOOLONG;
	if (length < 0 || (size_t)length >= sizeof(address->sun_path))
		return false;
	errno = EADDRINUSE;
	if (is_served(address))
		return false;
	(void)unlink(address->sun_path);
	mask = umask(0177);
	bound = bind(fd, (struct sockaddr *)address, sizeof(*address)) == 0;
	umask(mask);
	return bound && listen(fd, BACKLOG) == 0 &&
	    watch_add(server, &server->control, EPOLLIN);
}

void
control_close(struct server *server)
{
	for (unsigned i = 0; i < CONTROL_CLIENTS; i++)
		client_end(&server->client[i]);
	if (server->control.fd >= 0)
		(void)unlink(server->control_address.sun_path);
	watch_close(&server->control);
}
