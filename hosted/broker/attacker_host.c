/* SPDX-License-Identifier: MIT */
#include "attacker_host.h"

#include <lib/channel/config.h>
#include <lib/channel/hosted/depend.h>
#include <lib/channel/hosted/protocol.h>
#include <lib/channel/lane.h>
#include <lib/channel/statistics.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MEMBERS		4u
#define LANES		64u
#define SCRIBBLES	20000u
#define FLOOD		400u

static const char *path;
static uint32_t state;
static volatile struct attack *report;

struct target {
	uint8_t	*memory;
	size_t	 size;
};

static struct target target[LANES];
static unsigned targets;

static uint32_t
next(void)
{
	state = state * 1664525 + 1013904223;
	return state >> 8;
}

static uint64_t
wide(void)
{
	return (uint64_t)next() << 48 ^ (uint64_t)next() << 24 ^ next();
}

static void
add_target(void *memory, size_t size)
{
	if (memory != NULL && targets < LANES)
		target[targets++] = (struct target){ memory, size };
}

/* Values that mean something to a ring, and those that mean nothing. */
static uint64_t
evil(uint64_t old)
{
	switch (next() % 8) {
	case 0:
		return old + 1;
	case 1:
		return old - 1;
	case 2:
		return 0;
	case 3:
		return UINT64_MAX;
	case 4:
		return next() % 64;
	case 5:
		return 1ul << next() % 64;
	case 6:
		return old ^ 1ul << next() % 64;
	default:
		return wide();
	}
}

static void
scribble(unsigned count)
{
	for (unsigned i = 0; i < count && targets != 0; i++) {
		const struct target *where = &target[next() % targets];
		/* Half of it where heads and flags are. */
		size_t words = where->size / 8;
		size_t span = next() % 2 == 0 && words > 32 ? 32 : words;
		uint64_t *word = (uint64_t *)(void *)where->memory +
		    next() % span;
		uint64_t old = __atomic_load_n(word, __ATOMIC_RELAXED);

		if (next() % 2 == 0)
			__atomic_store_n(word, evil(old), __ATOMIC_RELAXED);
		else
			__atomic_store_n((uint32_t *)word, (uint32_t)evil(old),
			    __ATOMIC_RELAXED);
	}
	report->scribbled += count;
}

static const char *
prey_name(void)
{
	static const char *const names[] = {
		"prey-0", "prey-1", "prey-2", "prey-3", "mixed", "own",
	};

	return names[next() % 6];
}

static void
take_events(struct channel_domain *domain, struct channel_member *member)
{
	struct channel_event event;

	while (domain->port->next_event(domain, member, &event) == OK) {
		if (event.kind == CHANNEL_LANE_OUT ||
		    event.kind == CHANNEL_LANE_IN) {
			add_target(event.place.memory,
			    lane_size(&member->config));
			for (unsigned i = next() % 300; i > 0; i--)
				domain->port->wake(domain, &event.place,
				    event.place.memory);
		} else if (next() % 2 == 0 && event.place.memory != NULL) {
			/* Goes on writing where it said it would not. */
			for (unsigned i = 0; i < targets; i++)
				if (target[i].memory == event.place.memory)
					target[i--] = target[--targets];
			domain->port->drop_lane(domain, member, &event.place);
		}
	}
}

/* A member by the book, but for what it does to the memory. */
static void
scribble_as_member(void)
{
	struct channel_domain *domain;
	struct channel_member member[MEMBERS];
	unsigned count = 0, wanted = 1 + next() % MEMBERS;

	if (channel_domain_hosted(path, &domain) != OK)
		return;
	for (unsigned i = 0; i < 2 * wanted && count < wanted; i++) {
		struct channel_options options = { .role = 1 + next() % 3 };

		if (domain->port->open(domain, prey_name(), &options, NULL,
		    &member[count]) != OK)
			continue;
		if (member[count].pool != NULL)
			add_target(member[count].pool,
			    lane_pool_size(&member[count].config));
		add_target(member[count].statistics, STATISTICS_PAGE);
		count++;
	}
	for (unsigned round = next() % 8; round > 0; round--) {
		for (unsigned i = 0; i < count; i++)
			take_events(domain, &member[i]);
		scribble(next() % SCRIBBLES);
		if (next() % 4 == 0)
			usleep(next() % 5000);
	}
	if (next() % 2 == 0)
		return;		/* dies with all of it open */
	targets = 0;
	while (count > 0)
		domain->port->close(domain, &member[--count]);
	channel_domain_hosted_close(domain);
}

static int
raw_connect(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_usec = 50000 };
	int file = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (file < 0 || connect(file, (struct sockaddr *)&address,
	    sizeof(address)) != 0) {
		close(file);
		return -1;
	}
	setsockopt(file, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return file;
}

static void
raw_send(int file, struct broker_packet *packet, uint32_t kind)
{
	packet->head = (struct broker_head){ .kind = kind };
	(void)!send(file, packet, broker_request_length(kind),
	    MSG_NOSIGNAL | MSG_DONTWAIT);
	report->packets++;
}

static void
raw_greet(int file)
{
	struct broker_packet packet = { .value = BROKER_VERSION };

	raw_send(file, &packet, BROKER_HELLO);
}

/* Of a member, lane or channel that somebody has, with some luck. */
static uint64_t
guess(void)
{
	return (uint64_t)(1 + next() % 4) << 32 | next() % 32;
}

static void
random_join(struct broker_join *join)
{
	snprintf(join->name, sizeof(join->name), "%s", prey_name());
	join->role = next() % 4;
	join->config = (struct broker_config){
		.type = next() % 6, .overflow = next() % 4,
		.flags = next() % 4, .message_max = next() % 2000,
		.buffers = next() % 64,
	};
	join->has_token = next() % 8 == 0;
	join->token.object = next() % 16;
	join->groups = wide();
}

/* Well-formed, most of them, so that they get further than the first check. */
static void
random_request(struct broker_packet *packet, uint32_t kind)
{
	uint8_t *bytes = (uint8_t *)packet;

	memset(packet, 0, sizeof(*packet));
	switch (kind) {
	case BROKER_CREATE:
	case BROKER_OPEN:
		random_join(&packet->join);
		break;
	case BROKER_MINT:
		snprintf(packet->token.name, sizeof(packet->token.name), "%s",
		    prey_name());
		packet->token.rights = next() % 16;
		break;
	case BROKER_DERIVE:
	case BROKER_REVOKE:
	case BROKER_RIGHTS:
		packet->token.token.object = next() % 16;
		packet->token.token.tag = wide();
		packet->token.rights = next() % 16;
		break;
	case BROKER_ACK:
		packet->value = next() % 8;
		break;
	default:
		packet->drop.member = guess();
		packet->drop.lane = guess();
		break;
	}
	if (next() % 64 == 0)
		bytes[next() % 256] = (uint8_t)evil(0);
}

/* More requests than it reads answers to. */
static void
flood(void)
{
	int file = raw_connect();
	struct broker_packet packet;
	char answer[2048];

	if (file < 0)
		return;
	if (next() % 8 != 0)
		raw_greet(file);
	for (unsigned i = 0; i < FLOOD; i++) {
		uint32_t kind = BROKER_CREATE + next() %
		    (BROKER_KINDS - BROKER_CREATE);

		random_request(&packet, kind);
		raw_send(file, &packet, kind);
		if (next() % 256 == 0)
			(void)!send(file, &packet, next() % sizeof(packet),
			    MSG_NOSIGNAL | MSG_DONTWAIT);
		/* Sometimes it reads, sometimes it lets all pile up. */
		if (next() % 4 != 0)
			(void)!recv(file, answer, sizeof(answer),
			    MSG_DONTWAIT);
	}
	if (next() % 2 == 0)
		close(file);
}

static void
breach(bool happened)
{
	report->breaches += happened;
}

/* What must stay impossible with a descriptor that came with a packet. */
static void
abuse_file(int file, bool is_pool_of_other)
{
	struct stat info;
	void *memory;

	report->files++;
	if (fstat(file, &info) != 0 || !S_ISREG(info.st_mode)) {
		/* A bell. */
		while (send(file, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
			;
		(void)shutdown(file, SHUT_RDWR);
		(void)fcntl(file, F_SETFL, 0);
		return;
	}
	breach(ftruncate(file, 0) == 0 && info.st_size != 0);
	breach(ftruncate(file, info.st_size + 4096) == 0);
	(void)fcntl(file, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_FUTURE_WRITE);
	(void)fcntl(file, F_SETLEASE, F_WRLCK);
	if (!is_pool_of_other) {
		(void)fallocate(file,
		    FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
		    info.st_size);
		return;
	}
	memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	breach(memory != MAP_FAILED);
	breach(pwrite(file, "x", 1, 0) == 1);
	breach(fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
	    4096) == 0);
}

/* As link.c does it, but keeps what comes. */
static ssize_t
receive_files(int socket, struct broker_packet *packet, int *files,
    unsigned *out_count)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(3 * sizeof(int))];
	struct iovec bytes = { packet, sizeof(*packet) };
	struct msghdr message = {
		.msg_iov = &bytes, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	ssize_t length = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	struct cmsghdr *head = length > 0 ? CMSG_FIRSTHDR(&message) : NULL;

	*out_count = 0;
	if (head != NULL && head->cmsg_type == SCM_RIGHTS) {
		*out_count = (unsigned)((head->cmsg_len - CMSG_LEN(0)) /
		    sizeof(int));
		memcpy(files, CMSG_DATA(head), *out_count * sizeof(int));
	}
	return length;
}

static void
abuse_files(void)
{
	int file = raw_connect();
	struct broker_packet packet;
	int files[3];
	unsigned count;

	if (file < 0)
		return;
	raw_greet(file);
	for (unsigned i = 0; i < 4; i++) {
		memset(&packet, 0, sizeof(packet));
		snprintf(packet.join.name, sizeof(packet.join.name), "%s",
		    prey_name());
		packet.join.role = 1 + next() % 3;
		raw_send(file, &packet, BROKER_OPEN);
	}
	for (unsigned i = 0; i < 12 && receive_files(file, &packet, files,
	    &count) > 0; i++) {
		bool lane_in = packet.head.kind == BROKER_EVENT_LANE &&
		    !packet.lane.out && packet.lane.pool_size != 0;
		bool page = packet.head.kind == BROKER_HELLO;

		for (unsigned j = 0; j < count; j++) {
			abuse_file(files[j], page || (lane_in && j == 1));
			if (next() % 4 != 0)
				close(files[j]);
		}
	}
	close(file);
}

/* As much as the policy lets it have, and more. */
static void
hoard(void)
{
	struct channel_domain *domain;
	struct channel_member member;
	struct channel_options options = { .role = 1 + next() % 3 };
	struct channel_config config = { .buffer_size = 1 << 16 }, filled;

	config.zero_copy = next() % 2;
	config.pollable = next() % 2;
	if (channel_config_fill(&config, &filled) != OK ||
	    channel_domain_hosted(path, &domain) != OK)
		return;
	for (unsigned i = 0; i < 100; i++) {
		char name[32];

		snprintf(name, sizeof(name), "own-%u", next() % 1000);
		(void)domain->port->create(domain, name, &filled, &options,
		    NULL, &member);
		(void)domain->port->open(domain, prey_name(), &options, NULL,
		    &member);
	}
}

_Noreturn void
attacker_live(const char *socket, uint32_t seed,
    volatile struct attack *attack)
{
	path = socket;
	state = seed;
	report = attack;
	report->lives++;
	for (unsigned i = 1 + next() % 3; i > 0; i--) {
		switch (next() % 6) {
		case 0:
			flood();
			break;
		case 1:
			abuse_files();
			break;
		case 2:
			hoard();
			break;
		default:
			scribble_as_member();
			break;
		}
	}
	if (next() % 2 == 0)
		kill(getpid(), SIGKILL);
	_exit(0);
}
