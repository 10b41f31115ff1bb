/* SPDX-License-Identifier: MIT */
/*
 * Drives the table of sockets in tests: one transaction for each request.
 * Capabilities are numbers drawn here; dropped ones are noted, and undone with
 * the transaction.
 */
#pragma once

#include <idl/errno.h>
#include <lib/proc/socket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef ARENA_SIZE
#define ARENA_SIZE	(4u << 20)
#endif
#define CAPS_MAX	4096u
#define ANSWERS_MAX	64u

struct answered {
	uint64_t order;
	int	 error;
	uint32_t pid;
};

/* All that the port changes or is asked. */
static struct outside {
	uint64_t next_cap, next_order, next_token;
	uint8_t	 dropped[CAPS_MAX];	/* how often */
	struct answered answer[ANSWERS_MAX];
	unsigned answers, wakes;
	uint8_t	 gone[CAPS_MAX];	/* watches whose peer is gone */
	uint8_t	 held[CAPS_MAX];	/* ends that processes have */
} outside, saved_outside;

static _Alignas(4096) uint8_t memory[ARENA_SIZE];
static struct sockets sockets;

static inline void
port_drop(void *context, uint64_t cap)
{
	(void)context;
	if (cap == 0 || cap >= CAPS_MAX)
		abort();
	outside.dropped[cap]++;
}

static inline void
port_ready(void *context, const struct socket_bound *bound)
{
	(void)context, (void)bound;
	outside.wakes++;
}

static inline void
port_answer(void *context, struct proc_call call, int error,
    const struct socket_who *who)
{
	(void)context;
	if (outside.answers == ANSWERS_MAX)
		abort();
	outside.answer[outside.answers++] = (struct answered){ call.order,
	    error, error == 0 ? who->pid : 0 };
}

static inline bool
port_gone(void *context, uint64_t watch)
{
	(void)context;
	return outside.gone[watch];
}

static inline bool
port_held(void *context, uint64_t end)
{
	(void)context;
	return outside.held[end];
}

static const struct socket_port port = {
	.drop = port_drop, .ready = port_ready, .answer = port_answer,
	.gone = port_gone, .held = port_held,
};

static inline uint64_t
new_cap(void)
{
	if (outside.next_cap + 1 == CAPS_MAX)
		abort();
	return ++outside.next_cap;
}

static inline struct proc_call
new_call(void)
{
	outside.next_order++;
	return (struct proc_call){ 3, outside.next_order };
}

static inline void
begin(void)
{
	saved_outside = outside;
	tx_begin(sockets.arena);
}

static inline int
end(int error)
{
	if (error > 0) {
		tx_abort(sockets.arena);
		outside = saved_outside;
	} else {
		tx_commit(sockets.arena);
	}
	return error;
}

static inline void
fail_arena(const char *reason)
{
	printf("# arena: %s\n", reason);
	abort();
}

static inline bool
open_sockets(void)
{
	static const struct arena_environment environment = {
		.fail = fail_arena, .sums = true,
	};

	if (arena_open(memory, sizeof(memory), 1, &environment,
	    &sockets.arena) != OK)
		return false;
	sockets.table = arena_root(sockets.arena);
	sockets.port = &port;
	return true;
}

static inline void
boot_sockets(void)
{
	memset(memory, 0, sizeof(memory));
	memset(&outside, 0, sizeof(outside));
	if (!open_sockets())
		abort();
	begin();
	sockets.table = arena_alloc(sockets.arena, sizeof(*sockets.table));
	if (sockets.table == NULL ||
	    arena_set_root(sockets.arena, sockets.table) != OK ||
	    sockets_start(&sockets, 7) != 0)
		abort();
	end(0);
}

static inline struct socket_name
name_of(uint32_t kind, const char *text)
{
	struct socket_name name = { .kind = kind };

	name.length = (uint32_t)strlen(text);
	memcpy(name.bytes, text, name.length);
	return name;
}

/* In a transaction. */
static inline int
bind_now(uint32_t type, const char *text, struct socket_bound **out)
{
	const struct socket_name name = name_of(SOCKETS_ABSTRACT, text);
	bool datagrams = type == SOCKET_DATAGRAM;
	const struct socket_caps caps = {
		.memory = datagrams ? new_cap() : 0,
		.note = datagrams ? new_cap() : 0,
		.watch = datagrams ? new_cap() : 0,
	};
	uint64_t number;
	int error = sockets_bind(&sockets, type, &name, &caps, out, &number);

	if (error == 0)
		(*out)->session = new_cap();
	return error;
}

static inline int
listen_now(struct socket_bound *bound, uint32_t pid, uint32_t backlog)
{
	const struct socket_listen in = { .who = { pid, 0, 0 },
		.backlog = backlog, .note = new_cap(), .key = { 5, 6 } };

	return sockets_listen(&sockets, bound, &in);
}

static inline int
connect_now(struct socket_bound *bound, uint32_t pid, bool wait, bool *parked)
{
	const struct socket_connect in = { .bound = bound,
		.caps = { new_cap(), new_cap(), new_cap(), new_cap() },
		.who = { pid, 0, 0 }, .call = new_call(), .wait = wait };

	return sockets_connect(&sockets, &in, parked);
}

/* To who holds `receiver`, whose watch is of that number, too. */
static inline int
pack_now(uint64_t receiver, struct socket_parcel **out)
{
	const struct socket_who who = { 9, 0, 0 };
	const uint64_t token[2] = { ++outside.next_token, 77 };
	int error = sockets_pack(&sockets, token, &who, receiver, receiver);

	*out = error == 0 ? sockets_parcel(&sockets, token) : NULL;
	return error;
}

/* With `end`, 0 for none. */
static inline int
add_now(struct socket_parcel *parcel, uint64_t end)
{
	struct socket_entry entry = { .length = 5, .count = 2,
		.cap = { new_cap(), new_cap() }, .end = { 0, end } };

	return sockets_add(&sockets, parcel, &entry);
}

static inline void
work_all(void)
{
	while (sockets_has_work(&sockets)) {
		begin();
		if (end(sockets_work(&sockets)) != 0)
			abort();
	}
}
