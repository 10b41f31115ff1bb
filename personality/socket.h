/* SPDX-License-Identifier: MIT */
/*
 * Local sockets (docs/design/sockets.md). A socket has memory, a notification
 * that wakes who sleeps on it, and an end that lives as long as anybody has
 * the socket. A connection is one memory and one notification for both sides;
 * each also has the watch of the other's end. A datagram socket that is
 * connected has memory, notification and watch of the other.
 *
 * What of a socket can be different in two processes that share it lies in
 * struct socket: what they mapped, and who the peer was when it was connected.
 */
#pragma once

#include "file.h"
#include "socketring.h"

#define SOCKETS_MAX	FILE_MAX
#define SOCKET_PLACE	0x7e6000000000ul	/* above the libOS */
#define SOCKET_STRIDE	0x200000ul
#define SOCKET_PEER_AT	0x90000ul
#define SOCKET_OTHER_AT	0x120000ul	/* where one message goes */

#define SOCKET_LIMIT		212992u		/* of a buffer, as told */
#define SOCKET_LIMIT_MOST	425984u
#define SOCKET_LIMIT_LEAST	4608u

struct socket_who {
	uint32_t pid, uid, gid;
};

/* Where datagrams go. */
struct socket_target {
	struct socket_memory *memory;	/* NULL: none */
	cap_t	 object, note, watch;
};

struct socket {
	bool	 used, connected, listens;
	uint8_t	 type;			/* L_SOCK_* */
	uint8_t	 side;			/* which one of the memory is ours */
	bool	 keyed;			/* peer_key says who the target is */
	uint32_t closings_seen;
	uint64_t asked_tsc;		/* last look at the peer */
	cap_t	 memory, note, end;
	cap_t	 watch;			/* of the peer; datagrams: own */
	cap_t	 session;		/* it has a name: what proc gave */
	struct socket_target target;
	uint64_t peer_key[2];
	struct socket_who peer;
};

extern struct socket socket_table[SOCKETS_MAX];

static inline struct socket *
socket_of(const struct file *file)
{
	return &socket_table[file->pipe];
}

static inline struct socket_memory *
socket_memory(const struct socket *s)
{
	return (struct socket_memory *)(SOCKET_PLACE +
	    (uint64_t)(s - socket_table) * SOCKET_STRIDE);
}

static inline struct socket_side *
socket_side(const struct socket *s)
{
	return &socket_memory(s)->side[s->side];
}

static inline bool
socket_is_stream(const struct socket *s)
{
	return s->type == L_SOCK_STREAM;
}

static inline bool
socket_is_datagram(const struct socket *s)
{
	return s->type == L_SOCK_DGRAM;
}

/* What it receives. */
static inline struct socket_lane
socket_in(const struct socket *s)
{
	return socket_lane(socket_memory(s), s->side);
}

/* Where it sends to: of a connection. */
static inline struct socket_lane
socket_out(const struct socket *s)
{
	return socket_lane(socket_memory(s), 1u - s->side);
}

static inline uint32_t
socket_limit(uint32_t kept)
{
	return kept == 0 ? SOCKET_LIMIT : kept;
}

/* socket.c */

/* The socket of a descriptor: NULL, and -E_BADF or -E_NOTSOCK in *error. */
struct file *socket_file(unsigned fd, long *error);
/* A free place, with memory if `fresh`; -E_*. */
long socket_new(unsigned type, bool fresh, struct socket **out);
void socket_free(struct socket *s);
/* An open file for it; on failure it is freed. Descriptor or -E_*. */
long socket_install(struct socket *take_s, unsigned flags);
/* The peer's pair: its end for it, the watch of that for us. */
long socket_make_pair(cap_t note, cap_t *out_end, cap_t *out_watch);
long socket_map(const struct socket *s);
long socket_copy_cap(cap_t cap, cap_t *out);
/* All of a connection: nobody has the other end. */
bool socket_watch_gone(cap_t watch);
uint64_t socket_number(cap_t cap);
/* Maps what a target names at `place`; on failure it is closed. */
long socket_target_map(struct socket_target *take_target, uint64_t place);
void socket_target_close(struct socket_target *target);
/* Of a datagram socket: it is connected to nobody. */
void socket_disconnect(struct file *file);
/* Says to all who wait at the socket that something is different. */
void socket_stir(const struct socket *s);

/* socketmove.c */

struct socket_out {
	struct socket_pieces pieces;
	uint64_t size;
	unsigned flags;			/* L_MSG_* */
	struct socket_extra extra;	/* flags MARK_PARCEL: consumed */
	const struct linux_sockaddr_un *address;	/* copied; NULL: none */
	unsigned address_length;
};
/* Bytes or -E_*. A parcel that did not leave is dropped. */
long socket_send(struct file *file, struct socket_out *out);

struct socket_receipt {
	struct socket_pieces pieces;
	uint64_t size;
	unsigned flags;
	struct socket_taken taken;	/* flags: of the first parcel */
	bool	 cut;			/* bytes of the message were lost */
};
/* taken is set by receiving only: it is large. */
static inline void
socket_receipt_init(struct socket_receipt *receipt, unsigned flags)
{
	receipt->flags = flags;
	receipt->cut = false;
	receipt->taken.flags = 0;
	receipt->taken.name_length = 0;
}

long socket_receive(struct file *file, struct socket_receipt *receipt);
unsigned socket_poll(struct file *file);
cap_t socket_announce(struct file *file, uint64_t *out_seen);
struct watch *socket_watch(struct file *file, bool out);
long socket_watch_far(struct file *file, uint64_t out_key[2]);
long socket_bytes(struct file *file, uint64_t *out_bytes);
/* Waits for the notification to move. 0, -E_AGAIN at the deadline, -RESTART_*. */
long socket_sleep(cap_t note, uint64_t seen, uint64_t deadline);
/* From a time limit, 0 for none. */
uint64_t socket_deadline(uint64_t timeout_ns);
/* The error that is told once, and no more. */
uint32_t socket_take_error(const struct socket *s);

/* socketcall.c */

/* A vector of the program. How many bytes it has, or -E_*. */
long socket_take_pieces(const struct linux_iovec *from, size_t count,
    struct socket_pieces *out);

/* socketname.c */

/* The target of a datagram to that address. */
long socket_find_target(struct socket *s,
    const struct linux_sockaddr_un *address, unsigned length,
    struct socket_target *out);
long socket_name_self(struct socket *s);
long socket_give_name(const struct socket_shared_name *name,
    struct linux_sockaddr_un *address, unsigned *length);
long socket_take_address(const struct linux_sockaddr_un *address,
    unsigned length, struct linux_sockaddr_un *out);

/* socketcontrol.c */

/* What a message says beside its bytes, made a parcel if need be. */
long socket_control_out(const struct socket *s, cap_t watch,
    const struct linux_msghdr *header, struct socket_extra *out);
/* Credentials, if who receives wants them: for calls without a header. */
long socket_credentials_out(const struct socket *s,
    const struct socket_side *receiver, cap_t watch,
    struct socket_extra *extra);
/* To the program; header->control_length and ->flags become what was done. */
long socket_control_in(const struct socket *s, const struct socket_taken *in,
    struct linux_msghdr *header, unsigned flags);
void socket_parcel_drop(const uint8_t token[SOCKET_TOKEN]);

/* parcel.c */
long parcel_add_file(const uint64_t token[2], struct file *file);
/* *inout_index is advanced past the entries of the file. */
long parcel_take_file(const uint64_t token[2], uint32_t *inout_index,
    bool close_on_exec);
