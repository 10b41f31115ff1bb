/* SPDX-License-Identifier: MIT */
/*
 * The side of a program; see place.h. The arena is mapped before the wait, so
 * that a spare has its page tables when its turn comes; nobody looks into it
 * before that.
 */
#include "place.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define FIRST_DESCRIPTOR	3
#define PAGE			4096ul
#define SECOND_NS		1000000000ul

/* Pages that are writable in this transaction; beyond that, all are. */
#define OPEN_MAX		64u

static struct {
	uintptr_t start, end;	/* of the arena */
	uintptr_t kept, kept_end;	/* always writable: arena_tables */
	uintptr_t page[OPEN_MAX];
	unsigned count;
	bool	 all;
} protection;

/* --- Descriptors from the start ------------------------------------------- */

/* -1: there is none of that name. */
static int
find_descriptor(const char *name)
{
	const char *names = getenv("LISTEN_FDNAMES");
	const char *pid = getenv("LISTEN_PID");
	size_t length = strlen(name);
	int fd = FIRST_DESCRIPTOR;

	if (names == NULL || pid == NULL || atoi(pid) != (int)getpid())
		return -1;
	for (; *names != '\0'; fd++) {
		size_t part = strcspn(names, ":");

		if (part == length && memcmp(names, name, length) == 0)
			return fd;
		names += part + (names[part] == ':');
	}
	return -1;
}

static void *
map_shared(int fd, void *address, size_t *out_size)
{
	struct stat info;
	void *memory;
	int flags = address == NULL ? MAP_SHARED :
	    MAP_SHARED | MAP_FIXED_NOREPLACE;

	if (fstat(fd, &info) != 0 || info.st_size <= 0)
		return NULL;
	memory = mmap(address, (size_t)info.st_size, PROT_READ | PROT_WRITE,
	    flags, fd, 0);
	if (memory == MAP_FAILED || (address != NULL && memory != address))
		return NULL;
	/* A child must not write what its parent's successor owns. */
	(void)madvise(memory, (size_t)info.st_size, MADV_DONTFORK);
	*out_size = (size_t)info.st_size;
	return memory;
}

static status_t
map_all(struct bennu_place *place)
{
	int arena = find_descriptor(PLACE_FD_ARENA);
	int status = find_descriptor(PLACE_FD_STATUS);
	size_t size;

	place->messages = find_descriptor(PLACE_FD_START);
	if (place->messages < 0 || status < 0)
		return ERR_NOENT;
	place->status = map_shared(status, NULL, &size);
	if (place->status == NULL || size < sizeof(*place->status))
		return ERR_NOMEM;
	close(status);
	if (arena < 0)
		return OK;
	place->memory = map_shared(arena, (void *)PLACE_ADDRESS, &place->size);
	close(arena);
	return place->memory == NULL ? ERR_NOMEM : OK;
}

/* --- Messages --------------------------------------------------------------- */

/* OK, ERR_EMPTY, ERR_GONE. *out_fd is -1 if none came with it. */
static status_t
receive(const struct bennu_place *place, bool wait,
    struct place_message *out_message, int *out_fd)
{
	union {
		char	 bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec part = {
		.iov_base = out_message, .iov_len = sizeof(*out_message),
	};
	struct msghdr header = {
		.msg_iov = &part, .msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *rights;
	ssize_t length;

	do {
		length = recvmsg(place->messages, &header,
		    MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
	} while (length < 0 && errno == EINTR);
	*out_fd = -1;
	if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return ERR_EMPTY;
	if (length != (ssize_t)sizeof(*out_message))
		return ERR_GONE;
	rights = CMSG_FIRSTHDR(&header);
	if (rights != NULL && rights->cmsg_type == SCM_RIGHTS)
		memcpy(out_fd, CMSG_DATA(rights), sizeof(*out_fd));
	return OK;
}

static void
take_go(struct bennu_place *place, const struct place_message *message)
{
	place->incarnation = message->incarnation;
	place->cold = message->cold;
	place->refused_count = message->refused_count < PLACE_REFUSED ?
	    message->refused_count : PLACE_REFUSED;
	memcpy(place->refused, message->refused, sizeof(place->refused));
}

static void
act(struct bennu_place *place, struct place_message *message, int fd)
{
	const struct bennu_place_operations *operations = &place->operations;

	message->name[PLACE_NAME_MAX] = '\0';
	if (message->kind == PLACE_TAKE && fd >= 0 &&
	    operations->take != NULL) {
		operations->take(operations->context, message->name, fd);
		fd = -1;
	}
	if (message->kind == PLACE_FORGET && operations->forget != NULL)
		operations->forget(operations->context, message->name);
	if (message->kind == PLACE_GO)
		take_go(place, message);
	if ((message->kind == PLACE_DRAIN ||
	    (message->kind == PLACE_GO && message->argument != 0)) &&
	    operations->drain != NULL)
		operations->drain(operations->context,
		    message->argument != 0);
	if (fd >= 0)
		close(fd);
}

status_t
bennu_place_open(struct bennu_place *place,
    const struct bennu_place_operations *operations)
{
	static const struct place_message waiting = { .kind = PLACE_WAITING };
	status_t status;

	memset(place, 0, sizeof(*place));
	place->operations = *operations;
	status = map_all(place);
	if (status != OK)
		return status;
	if (send(place->messages, &waiting, sizeof(waiting), MSG_NOSIGNAL) < 0)
		return ERR_GONE;
	while (place->incarnation == 0) {
		struct place_message message;
		int fd;

		status = receive(place, true, &message, &fd);
		if (status != OK)
			return status;
		act(place, &message, fd);
	}
	return OK;
}

status_t
bennu_place_read(struct bennu_place *place)
{
	for (;;) {
		struct place_message message;
		int fd;
		status_t status = receive(place, false, &message, &fd);

		if (status != OK)
			return status == ERR_EMPTY ? OK : status;
		act(place, &message, fd);
	}
}

/* --- The arena -------------------------------------------------------------- */

static void
set_pages(uintptr_t start, size_t length, int protect)
{
	if (mprotect((void *)start, length, protect) != 0)
		abort();
}

static void
expose(void *context, void *start, size_t length)
{
	uintptr_t first = (uintptr_t)start & ~(PAGE - 1);
	uintptr_t end = ((uintptr_t)start + length + PAGE - 1) & ~(PAGE - 1);

	(void)context;
	for (uintptr_t page = first; page < end && !protection.all;
	    page += PAGE) {
		unsigned i = 0;

		if (page >= protection.kept && page < protection.kept_end)
			continue;
		while (i < protection.count && protection.page[i] != page)
			i++;
		if (i < protection.count)
			continue;
		if (protection.count == OPEN_MAX) {
			protection.all = true;
			set_pages(protection.start,
			    protection.end - protection.start,
			    PROT_READ | PROT_WRITE);
			return;
		}
		set_pages(page, PAGE, PROT_READ | PROT_WRITE);
		protection.page[protection.count++] = page;
	}
}

static void
close_arena(void)
{
	set_pages(protection.start, protection.end - protection.start,
	    PROT_READ);
	set_pages(protection.kept, protection.kept_end - protection.kept,
	    PROT_READ | PROT_WRITE);
}

static void
close_all(void *context)
{
	(void)context;
	if (protection.all)
		close_arena();
	for (unsigned i = 0; i < protection.count && !protection.all; i++)
		set_pages(protection.page[i], PAGE, PROT_READ);
	protection.all = false;
	protection.count = 0;
}

_Noreturn static void
fail(const char *reason)
{
	fprintf(stderr, "arena: %s\n", reason);
	abort();
}

status_t
bennu_place_arena(struct bennu_place *place, uint64_t layout_version,
    struct arena **out_arena)
{
	static const struct arena_environment environment = {
		.expose = expose, .close_all = close_all, .fail = fail,
		.sums = true,
	};
	void *kept;
	size_t kept_length;
	status_t status;

	if (place->memory == NULL)
		return ERR_NOENT;
	protection.start = (uintptr_t)place->memory;
	protection.end = protection.start + place->size;
	status = arena_open(place->memory, place->size, layout_version,
	    &environment, out_arena);
	if (status != OK)
		return status;
	if (arena_layout_version(*out_arena) != layout_version)
		return ERR_STATE;
	arena_tables(*out_arena, &kept, &kept_length);
	protection.kept = (uintptr_t)kept;
	protection.kept_end = protection.kept + kept_length;
	close_arena();
	return OK;
}

/* --- sd_notify -------------------------------------------------------------- */

static status_t
notify(const char *text, int fd)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	union {
		char	 bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { .bytes = { 0 } };
	struct iovec part = {
		.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text),
	};
	struct msghdr header = {
		.msg_name = &address, .msg_namelen = sizeof(address),
		.msg_iov = &part, .msg_iovlen = 1,
	};
	static int sender = -1;

	if (path == NULL || strlen(path) >= sizeof(address.sun_path))
		return ERR_GONE;
	memcpy(address.sun_path, path, strlen(path));
	if (sender < 0)
		sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		struct cmsghdr *rights;

		header.msg_control = control.bytes;
		header.msg_controllen = sizeof(control.bytes);
		rights = CMSG_FIRSTHDR(&header);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(rights), &fd, sizeof(fd));
	}
	return sender >= 0 && sendmsg(sender, &header, MSG_NOSIGNAL) >= 0 ?
	    OK : ERR_GONE;
}

status_t
bennu_place_say(const char *message)
{
	return notify(message, -1);
}

status_t
bennu_place_ready(struct bennu_place *place)
{
	(void)place;
	return notify("READY=1", -1);
}

status_t
bennu_place_keep(int fd, const char *name)
{
	char text[32 + PLACE_NAME_MAX];

	if (strlen(name) > PLACE_NAME_MAX)
		return ERR_RANGE;
	snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s", name);
	return notify(text, fd);
}

status_t
bennu_place_forget(const char *name)
{
	char text[32 + PLACE_NAME_MAX];

	if (strlen(name) > PLACE_NAME_MAX)
		return ERR_RANGE;
	snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s", name);
	return notify(text, -1);
}

/* --- Requests --------------------------------------------------------------- */

static uint64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

bool
bennu_place_begin(struct bennu_place *place, uint64_t order, uint64_t tag)
{
	volatile struct place_status *status = place->status;

	place->began_ns = now_ns();
	status->tag = tag;
	status->order = order;
	for (uint64_t i = 0; i < place->refused_count; i++)
		if (place->refused[i] == order)
			return false;
	return true;
}

void
bennu_place_end(struct bennu_place *place, bool refused)
{
	volatile struct place_status *status = place->status;

	status->busy_ns += now_ns() - place->began_ns;
	status->errors += refused;
	status->answered++;
	status->order = 0;
}
