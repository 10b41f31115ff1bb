/* SPDX-License-Identifier: MIT */
/*
 * Messages of sd_notify. The kernel says who sent one; only the processes of
 * services are listened to, and only the one that serves changes a state.
 */
#include "server.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define DESCRIPTORS_MAX	253	/* the kernel's own limit for one message */
#define ROUND_MAX	1024u	/* one sender must not keep the loop busy */
#define RECEIVE_BUFFER	(4 << 20)

struct letter {
	struct notify notify;
	pid_t	 sender;
	int	 fd[DESCRIPTORS_MAX];
	unsigned fd_count;
};

static struct process *
find_sender(struct server *server, pid_t sender)
{
	for (unsigned i = 0; i < server->count; i++)
		for (unsigned j = 0; j < 2; j++)
			if (sender > 0 &&
			    server->service[i]->process[j].pid == sender)
				return &server->service[i]->process[j];
	return NULL;
}

static void
drop_descriptors(struct letter *letter)
{
	for (unsigned i = 0; i < letter->fd_count; i++)
		close(letter->fd[i]);
	letter->fd_count = 0;
}

static void
forget(struct service *service, const char *name)
{
	struct place_message message = { .kind = PLACE_FORGET };
	unsigned at = 0;

	memcpy(message.name, name, strlen(name));
	while ((at = store_find(&service->store, name, at)) <
	    service->store.count) {
		if (service->store.entry[at].told_spare)
			(void)child_tell(service_spare(service), &message, -1);
		store_remove(&service->store, at);
	}
}

static void
take_descriptors(struct service *service, struct letter *letter)
{
	if (letter->notify.store) {
		for (unsigned i = 0; i < letter->fd_count; i++) {
			struct store *store = &service->store;

			if (store_put(store, letter->fd[i],
			    letter->notify.name))
				store->entry[store->count - 1].told_main = true;
		}
		letter->fd_count = 0;
		service_push(service);
	}
	if (letter->notify.store_remove)
		forget(service, letter->notify.name);
	if (letter->notify.store || letter->notify.store_remove)
		listener_arm(service);
}

static void
extend(uint64_t *deadline, uint64_t by)
{
	if (*deadline != NEVER && *deadline < by)
		*deadline = by;
}

static void
take_state(struct service *service, const struct notify *notify)
{
	struct server *server = service->server;

	if (notify->has_status)
		memcpy(service->text, notify->status, sizeof(service->text));
	if (notify->extend_ns != 0) {
		extend(&service->start_by, server->now_ns + notify->extend_ns);
		extend(&service->stop_by, server->now_ns + notify->extend_ns);
	}
	if (notify->ready && service->manifest.ready == READY_NOTIFY)
		service_is_ready(service);
	if (notify->watchdog)
		supervise_beat_answered(&server->policy, service->number,
		    service_record(service)->beats_asked, server->now_ns);
	if (notify->watchdog_trigger)
		service_kill(service, SIGABRT);
}

/* Takes the descriptors out of the control part; false if some were lost. */
static bool
open_envelope(struct msghdr *header, struct letter *letter)
{
	for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part != NULL;
	    part = CMSG_NXTHDR(header, part)) {
		size_t bytes = part->cmsg_len - CMSG_LEN(0);

		if (part->cmsg_level != SOL_SOCKET)
			continue;
		if (part->cmsg_type == SCM_CREDENTIALS &&
		    bytes == sizeof(struct ucred)) {
			struct ucred who;

			memcpy(&who, CMSG_DATA(part), sizeof(who));
			letter->sender = who.pid;
		}
		if (part->cmsg_type == SCM_RIGHTS &&
		    bytes <= sizeof(letter->fd)) {
			memcpy(letter->fd, CMSG_DATA(part), bytes);
			letter->fd_count = (unsigned)(bytes / sizeof(int));
		}
	}
	return (header->msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
}

/* False: there is none. */
static bool
receive(struct server *server, struct letter *letter, bool *out_sound)
{
	char text[NOTIFY_BYTES_MAX + 1];
	union {
		char	 bytes[CMSG_SPACE(sizeof(letter->fd)) +
			    CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control;
	struct iovec part = { .iov_base = text, .iov_len = sizeof(text) };
	struct msghdr header = {
		.msg_iov = &part, .msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t length = recvmsg(server->notify.fd, &header,
	    MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	letter->sender = 0;
	letter->fd_count = 0;
	if (length < 0)
		return false;
	*out_sound = open_envelope(&header, letter) &&
	    notify_parse(text, (size_t)length, &letter->notify);
	return true;
}

static void
deliver(struct server *server, struct letter *letter)
{
	struct process *sender = find_sender(server, letter->sender);
	struct service *service;

	if (sender == NULL || sender != service_main(sender->service)) {
		server->refused++;
		return;
	}
	service = sender->service;
	take_descriptors(service, letter);
	take_state(service, &letter->notify);
	if (letter->notify.main_pid || letter->notify.unknown > 0)
		server->refused++;
}

void
messages_take(struct server *server)
{
	static struct letter letter;	/* one thread */
	bool sound;

	for (unsigned i = 0; i < ROUND_MAX &&
	    receive(server, &letter, &sound); i++) {
		if (sound)
			deliver(server, &letter);
		else
			server->refused++;
		/* Also the end of a pipe that a barrier waits for. */
		drop_descriptors(&letter);
	}
}

static void
messages_ready(struct watch *watch, uint32_t events)
{
	messages_take(watch->owner);
}

bool
messages_open(struct server *server, const char *folder)
{
	struct sockaddr_un *address = &server->notify_address;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1, size = RECEIVE_BUFFER;
	int length = snprintf(address->sun_path, sizeof(address->sun_path),
	    "%s/notify", folder);

	if (fd < 0)
		return false;
	server->notify = (struct watch){
		.ready = messages_ready, .owner = server, .fd = fd,
	};
	address->sun_family = AF_UNIX;
	errno = ENAMETOOLONG;
	if (length < 0 || (size_t)length >= sizeof(address->sun_path))
		return false;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	(void)unlink(address->sun_path);
	return setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) ==
	    0 &&
	    bind(fd, (struct sockaddr *)address, sizeof(*address)) == 0 &&
	    chmod(address->sun_path, 0666) == 0 &&
	    watch_add(server, &server->notify, EPOLLIN);
}
