/* SPDX-License-Identifier: MIT */
/*
 * Clients: what goes out to a process. An answer that its socket does not take
 * is kept, and the client is not read from until it is gone; events stay where
 * they hang. So a client that does not read costs one packet and delays nobody.
 *
 * A client that is to be ended is only marked. It is freed at the end of the
 * turn, when nobody holds a pointer to it.
 */
#include "state.h"

#include <linux/futex.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* What goes beside a packet. */
struct files {
	unsigned count;
	int	 file[BROKER_DESCRIPTORS];
};

static bool
page_make(struct client *client)
{
	void *page;

	client->page_file = memory_create("bennu-page", sizeof(*client->page));
	if (client->page_file < 0)
		return false;
	page = mmap(NULL, sizeof(*client->page), PROT_READ | PROT_WRITE,
	    MAP_SHARED, client->page_file, 0);
	if (page == MAP_FAILED)
		goto fail;
	client->page = page;
	/* From here on nobody else can get to write it. */
	if (fcntl(client->page_file, F_ADD_SEALS,
	    F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) == 0)
		return true;
	munmap(page, sizeof(*client->page));
fail:
	close(client->page_file);
	return false;
}

/* Says who is at the other end; the kernel vouches for it. */
static bool
find_subject(struct client *client)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);
	socklen_t groups = sizeof(client->subject.group);

	if (getsockopt(client->socket, SOL_SOCKET, SO_PEERCRED, &peer,
	    &length) != 0)
		return false;
	client->pid = (uint32_t)peer.pid;
	client->subject.uid = peer.uid;
	if (getsockopt(client->socket, SOL_SOCKET, SO_PEERGROUPS,
	    client->subject.group, &groups) == 0)
		client->subject.group_count = groups / sizeof(gid_t);
	else	/* more than the array holds: only the main one counts */
		client->subject.group_count = 0;
	if (client->subject.group_count < POLICY_GROUPS_MAX)
		client->subject.group[client->subject.group_count++] = peer.gid;
	return true;
}

/* Clients are aligned: the lowest bit is free. */
void *
client_end_mark(struct client *client)
{
	return (char *)client + 1;
}

struct client *
client_ended(void *what)
{
	return ((uintptr_t)what & 1) == 0 ? NULL :
	    (struct client *)(void *)((char *)what - 1);
}

/*
 * A child of fork may hold the socket open when the process is dead. Without
 * such a descriptor (another name space of processes) only the socket tells.
 */
static void
watch_process(struct client *client)
{
	struct epoll_event event = {
		.events = EPOLLIN, .data.ptr = client_end_mark(client),
	};

	client->process = client->pid == 0 ? -1 :
	    (int)syscall(SYS_pidfd_open, client->pid, 0);
	if (client->process >= 0)
		(void)epoll_ctl(client->broker->epoll, EPOLL_CTL_ADD,
		    client->process, &event);
}

static bool
client_admit(struct client *client)
{
	struct broker *broker = client->broker;
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = client };

	if (!find_subject(client))
		return false;
	policy_limits_of(broker->policy, &client->subject, &client->limits);
	client->account = account_take(broker, client->subject.uid);
	if (client->account == NULL)
		return false;
	if (account_charge(&client->account->used.processes,
	    client->limits.processes, 1) != OK)
		goto fail_account;
	if (!page_make(client))
		goto fail_charge;
	if (epoll_ctl(broker->epoll, EPOLL_CTL_ADD, client->socket,
	    &event) == 0)
		return true;
	munmap(client->page, sizeof(*client->page));
	close(client->page_file);
fail_charge:
	client->account->used.processes--;
fail_account:
	account_put(client->account);
	return false;
}

struct client *
client_make(struct broker *broker, int socket)
{
	struct client *client;

	if (broker->client_count >= CLIENTS_MAX)
		return NULL;
	client = calloc(1, sizeof(*client));
	if (client == NULL)
		return NULL;
	client->broker = broker;
	client->socket = socket;
	client->can_write = true;
	client->watched_file = -1;
	client->interest = EPOLLIN;
	list_clear(&client->members);
	list_clear(&client->news);
	list_clear(&client->revoked);
	list_clear(&client->dirty);
	list_clear(&client->dead);
	if (!client_admit(client)) {
		free(client);
		return NULL;
	}
	watch_process(client);
	client->number = ++broker->last_client;
	list_append(&broker->clients, &client->in_broker);
	broker->client_count++;
	return client;
}

static uint64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ul + (uint64_t)now.tv_nsec;
}

/* Also one that waited, for the second and last time. */
void
client_kill(struct client *client)
{
	if (client->is_dead && client->waits_until_ns == 0)
		return;
	client->broker->waiting -= client->waits_until_ns != 0;
	client->waits_until_ns = 0;
	client->is_dead = true;
	list_append(&client->broker->dead, &client->dead);
}

/* Closing also takes it out of epoll. */
static void
client_disconnect(struct client *client)
{
	if (client->socket >= 0)
		close(client->socket);
	if (client->process >= 0)
		close(client->process);
	client->socket = client->process = -1;
}

/*
 * What is kept stays with the dead client: peers see no difference. True: there
 * is such a thing, for the first time.
 */
static bool
leave_kept(struct client *client)
{
	LIST_EACH(&client->members, link, following) {
		struct member *member = LIST_ENTRY(link, struct member,
		    in_client);

		if (!member->kept || !member->connected)
			member_close(member);
	}
	if (list_is_empty(&client->members))
		return false;
	client_disconnect(client);
	client->waits_until_ns = now_ns() + KEPT_NS;
	client->broker->waiting++;
	list_remove(&client->dead);
	return true;
}

static void
client_free(struct client *client)
{
	struct broker *broker = client->broker;

	/* Who was connected until now dies for the first time. */
	if (client->socket >= 0 && !broker->ending && leave_kept(client))
		return;
	while (!list_is_empty(&client->members))
		member_close(LIST_ENTRY(client->members.next, struct member,
		    in_client));
	client_disconnect(client);
	munmap(client->page, sizeof(*client->page));
	if (client->page_file >= 0)
		close(client->page_file);
	if (client->watched_file >= 0)
		close(client->watched_file);
	list_remove(&client->in_broker);
	list_remove(&client->dirty);
	list_remove(&client->dead);
	client->account->used.processes--;
	account_put(client->account);
	broker->client_count--;
	free(client);
}

void
clients_bury(struct broker *broker)
{
	while (!list_is_empty(&broker->dead))
		client_free(LIST_ENTRY(broker->dead.next, struct client, dead));
}

void
clients_expire(struct broker *broker)
{
	uint64_t now = broker->waiting == 0 ? 0 : now_ns();

	LIST_EACH(&broker->clients, link, following) {
		struct client *client = LIST_ENTRY(link, struct client,
		    in_broker);

		if (client->waits_until_ns != 0 &&
		    client->waits_until_ns <= now)
			client_kill(client);
	}
}

void
clients_end(struct broker *broker)
{
	broker->ending = true;
	LIST_EACH(&broker->clients, link, following)
		client_kill(LIST_ENTRY(link, struct client, in_broker));
	clients_bury(broker);
}

void
client_touch(struct client *client)
{
	if (list_is_empty(&client->dirty))
		list_append(&client->broker->dirty, &client->dirty);
}

void
client_untell(struct client *client)
{
	if (client->page->held != 0)
		client_touch(client);
}

/* Says whether the socket is to be read, written, or left alone. */
static void
client_watch(struct client *client)
{
	struct epoll_event event = {
		.events = client->answer_length != 0 ? 0 : EPOLLIN,
		.data.ptr = client,
	};

	if (!client->can_write)
		event.events |= EPOLLOUT;
	if (client->interest == event.events)
		return;
	client->interest = event.events;
	if (epoll_ctl(client->broker->epoll, EPOLL_CTL_MOD, client->socket,
	    &event) != 0)
		client_kill(client);
}

static void
attach(struct msghdr *message, void *control, const struct files *files)
{
	struct cmsghdr *head = control;
	size_t bytes = files->count * sizeof(int);

	message->msg_control = control;
	message->msg_controllen = CMSG_SPACE(bytes);
	memset(control, 0, CMSG_SPACE(bytes));
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(bytes);
	memcpy(CMSG_DATA(head), files->file, bytes);
}

/* false: not now. What can never be sent ends the client. */
static bool
packet_send(struct client *client, struct broker_packet *packet,
    const struct files *files)
{
	_Alignas(struct cmsghdr) char control[
	    CMSG_SPACE(BROKER_DESCRIPTORS * sizeof(int))];
	struct iovec bytes = {
		packet, broker_answer_length(packet->head.kind,
		    packet->head.status),
	};
	struct msghdr message = { .msg_iov = &bytes, .msg_iovlen = 1 };

	if (files->count != 0)
		attach(&message, control, files);
	if (sendmsg(client->socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return true;
	/* Too many descriptors on their way: others have to read theirs. */
	if (errno == ETOOMANYREFS || errno == ENOBUFS || errno == ENOMEM ||
	    errno == EAGAIN || errno == EINTR) {
		client->broker->blocked |= errno != EAGAIN;
		client->can_write &= errno != EAGAIN;
		return false;
	}
	client_kill(client);
	return false;
}

static void
lane_describe(const struct lane_side *side, struct broker_lane *out)
{
	const struct lane *lane = side->lane;
	bool is_sender = side == &lane->side[LANE_SENDER];
	const struct lane_side *other = &lane->side[is_sender];
	const struct member *peer = other->member;

	*out = (struct broker_lane){
		.member = side->member->number,
		.lane = lane->number,
		.peer = peer != NULL ? peer->number : lane->peer,
		.trust = lane->trust, .identity = lane->identity,
		.segment = lane->segment->number,
		.segment_size = lane->segment->size,
		.offset = (uint64_t)lane->slot * lane->segment->slot_size,
		.out = is_sender,
		.has_bell = side->bell >= 0,
		.revoked = lane->cut,
	};
	if (!is_sender)
		out->groups = side->member->groups;
	if (!is_sender && lane->pool != NULL) {
		out->pool = lane->pool->number;
		out->pool_size = lane->pool->size;
	}
	if (peer == NULL)
		return;
	out->trust = peer->token.trust;
	if (token_identity(peer->client->broker->authority, &peer->token,
	    &out->identity) != OK)
		out->identity = 0;
	if (is_sender)
		out->groups = peer->groups;
}

static bool
tell_lane(struct client *client, struct lane_side *side)
{
	struct broker_packet packet = {
		.head.kind = BROKER_EVENT_LANE,
	};
	struct files files = { 1, { side->lane->segment->file } };

	lane_describe(side, &packet.lane);
	if (packet.lane.pool_size != 0)
		files.file[files.count++] = side->lane->pool->file;
	if (side->bell >= 0)
		files.file[files.count++] = side->bell;
	if (!packet_send(client, &packet, &files))
		return false;
	if (side->bell >= 0)
		close(side->bell);
	side->bell = -1;
	side->told = true;
	side->state = side->state == SIDE_LATE ? SIDE_GONE : SIDE_KNOWN;
	return true;
}

static bool
tell_gone(struct client *client, struct lane_side *side)
{
	struct broker_packet packet = {
		.head.kind = BROKER_EVENT_GONE,
	};

	lane_describe(side, &packet.lane);
	if (!packet_send(client, &packet, &(struct files){ 0 }))
		return false;
	side->state = SIDE_OWED;
	return true;
}

static void
tell_sides(struct client *client)
{
	while (!list_is_empty(&client->news) &&
	    client->unread < BROKER_WINDOW) {
		struct lane_side *side = LIST_ENTRY(client->news.next,
		    struct lane_side, news);

		if (!(side->state == SIDE_GONE ? tell_gone : tell_lane)(client,
		    side))
			return;
		client->unread++;
		/* One that came late has its end to be told yet. */
		if (side->state != SIDE_GONE)
			list_remove(&side->news);
	}
}

static void
tell_revoked(struct client *client)
{
	while (!list_is_empty(&client->revoked) &&
	    client->unread < BROKER_WINDOW) {
		struct member *member = LIST_ENTRY(client->revoked.next,
		    struct member, revoked);
		struct broker_packet packet = {
			.head.kind = BROKER_EVENT_REVOKED,
			.value = member->number,
		};

		if (!packet_send(client, &packet, &(struct files){ 0 }))
			return;
		list_remove(&member->revoked);
		client->unread++;
	}
}

static bool
holds_revocation(const struct client *client)
{
	const struct lane_side *first = LIST_ENTRY(client->news.next,
	    const struct lane_side, news);

	return !list_is_empty(&client->revoked) ||
	    (!list_is_empty(&client->news) && first->state == SIDE_GONE &&
	    first->lane->cut);
}

static void
page_advance(struct client *client)
{
	uint64_t *generation = &client->page->generation;

	__atomic_store_n(&client->page->held, holds_revocation(client),
	    __ATOMIC_SEQ_CST);
	__atomic_store_n(generation, *generation + 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, generation, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void
clients_tell(struct broker *broker)
{
	while (!list_is_empty(&broker->dirty)) {
		struct client *client = LIST_ENTRY(broker->dirty.next,
		    struct client, dirty);

		list_remove(&client->dirty);
		if (client->is_dead)
			continue;
		if (client->can_write) {
			tell_revoked(client);
			tell_sides(client);
		}
		page_advance(client);
		client_watch(client);
	}
}

/* Those that nobody needs any more once they were given. */
static void
forget_files(struct client *client)
{
	if (client->watched_file >= 0)
		close(client->watched_file);
	client->watched_file = -1;
	if (client->answer.head.kind == BROKER_HELLO &&
	    client->answer.head.status == OK) {
		close(client->page_file);
		client->page_file = -1;
	}
}

static void
answer_send(struct client *client)
{
	struct files files = { .count = client->answer_files };

	memcpy(files.file, client->answer_file, sizeof(files.file));
	if (packet_send(client, &client->answer, &files)) {
		client->answer_length = 0;
		forget_files(client);
	}
	client_watch(client);
}

void
client_answer(struct client *client)
{
	client->answer_length = broker_answer_length(client->answer.head.kind,
	    client->answer.head.status);
	if (client->can_write)
		answer_send(client);
	else
		client_watch(client);
}

void
client_writable(struct client *client)
{
	client->can_write = true;
	if (client->answer_length != 0)
		answer_send(client);
	else
		client_watch(client);
	if (client->can_write && !client->is_dead)
		client_touch(client);
}
