/* SPDX-License-Identifier: MIT */
/*
 * Memory of a socket: two sides, and a ring for each direction, in one object
 * that both ends of a connection map. ring[i] is read by side i. A datagram
 * socket has one of its own, and only ring[0]: all who send to it write there.
 *
 * A ring holds bytes, and marks beside them. In a byte stream a mark says that a
 * parcel (descriptors, credentials) came with the bytes that it covers; of
 * messages each has a mark, which is also the border. So:
 *
 *	stream	 written is what commits; a mark is stored before it, and one
 *		 that covers nothing below `written` never happened
 *	messages marks_written and marks_taken are what commits; written and
 *		 taken are not used: bytes end where the last mark ends
 *
 * Positions count bytes since creation and never wrap in practice. A writer that
 * finds the ring empty lets it begin anew at its first byte (origin), so that
 * two who talk in turn touch one page: nobody reads while it is empty, and the
 * new origin is seen by whoever sees what is written next.
 *
 * Nobody trusts the other side: each word is read once into a register and
 * checked, offsets are masked. A lie spoils the contents of this socket.
 *
 * Locks, sleeping, waking and watches are as in ring.h.
 */
#pragma once

#include "linux.h"

#include <idl/socketname.h>
#include <lib/ring/watch.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef RING_EXPLORED
#define SOCKET_RING		262144u		/* bytes; a power of two */
#define SOCKET_MARKS		256u
#else
#define SOCKET_RING		16u
#define SOCKET_MARKS		2u
#endif
#define SOCKET_TOKEN		16u

#define MARK_PARCEL		0x1u	/* token names a parcel at proc */

struct socket_mark {
	uint64_t start;		/* position of its first byte */
	uint32_t length;	/* with the name */
	uint16_t name;		/* messages: so many bytes are the sender's */
	uint16_t flags;		/* MARK_* */
	uint8_t	 token[SOCKET_TOKEN];
};

/* As it lies in memory: start; length, name, flags; token. */
struct socket_mark_words {
	uint64_t word[4];
};

struct socket_ring {
	uint64_t written;		/* writers, under write_lock */
	uint64_t marks_written;
	uint64_t origin;
	uint64_t write_lock;
	uint32_t writers_asleep;
	uint32_t shut;			/* nothing more comes or is wanted */
	uint8_t	 pad1[64 - 40];
	struct watch readable;		/* of who polls for reading */
	uint8_t	 pad2[128 - 96];
	uint64_t taken;			/* readers, under read_lock */
	uint64_t marks_taken;
	uint64_t read_lock;
	uint32_t readers_asleep;
	uint32_t closings;		/* descriptors closed: look at the peer */
	uint8_t	 pad3[64 - 32];
	struct watch writable;
	uint8_t	 pad4[128 - 96];
};
_Static_assert(sizeof(struct socket_ring) == 256, "ring");

#define SIDE_PASS_CREDENTIALS	0x1u
#define SIDE_ACCEPTED		0x2u	/* of the one that accept() made */
#define SIDE_RESET_TOLD		0x4u	/* ECONNRESET was */

/* What all who have the socket share, whichever process they are. */
struct socket_side {
	uint32_t flags;			/* SIDE_*, atomic */
	uint32_t peek;			/* SO_PEEK_OFF + 1, 0: off */
	uint32_t send_limit, receive_limit;
	uint64_t send_timeout, receive_timeout;	/* ns; 0: none */
	uint64_t only;			/* datagrams: connected to that end */
	uint32_t parcels;		/* on the way to this side, roughly */
	uint8_t	 pad[20];
	struct socket_shared_name name;
	uint8_t	 pad2[256 - 64 - sizeof(struct socket_shared_name)];
};
_Static_assert(sizeof(struct socket_side) == 256, "side");

struct socket_memory {
	struct socket_side side[2];
	uint8_t	 pad[4096 - 2 * sizeof(struct socket_side) -
		    2 * sizeof(struct socket_ring)];
	struct socket_ring ring[2];
	struct socket_mark_words marks[2][SOCKET_MARKS];
	uint8_t	 data[2][SOCKET_RING];
};
_Static_assert(offsetof(struct socket_memory, marks) == 4096, "layout");
_Static_assert(offsetof(struct socket_memory, side[1].name) ==
    SOCKET_SHARED_NAME_AT, "layout");
#ifndef RING_EXPLORED
_Static_assert(sizeof(struct socket_memory) % 4096 == 0, "layout");
#endif

/* One direction, as seen by one end. */
struct socket_lane {
	struct socket_ring *ring;
	struct socket_mark_words *marks;
	uint8_t	*data;
};

/* What of a message does not go through the program's buffer. */
struct socket_extra {
	const uint8_t *name;	/* in memory of the libOS */
	uint16_t name_length;
	uint16_t flags;		/* MARK_* */
	uint8_t	 token[SOCKET_TOKEN];
};

/* Program memory, in pieces. */
struct socket_pieces {
	const struct linux_iovec *from;	/* of the program; NULL: only one */
	uint64_t left;			/* pieces behind this one */
	uint64_t base, length;		/* the present one */
};

static inline struct socket_lane
socket_lane(struct socket_memory *memory, unsigned reader)
{
	return (struct socket_lane){ &memory->ring[reader],
	    memory->marks[reader], memory->data[reader] };
}

/* Bytes that were taken. */
struct socket_taken {
	uint64_t bytes;		/* copied */
	uint64_t length;	/* of the message; stream: as bytes */
	uint16_t name_length;
	uint16_t flags;		/* MARK_*, of what begins here */
	uint8_t	 token[SOCKET_TOKEN];
	uint8_t	 name[SOCKET_NAME_MAX + 2];
};

#define RING_BROKEN	(-1L)	/* nonsense in the ring */
#define RING_FAULT	(-2L)	/* of the program's memory */
#define RING_FULL	(-3L)
#define RING_EMPTY	(-4L)

/*
 * The caller holds the lock of its side of the ring. `limit` is how many bytes
 * may lie in it; both return bytes or RING_*.
 *
 * Streams: as many as there is room for, at least one; what has a parcel needs a
 * free mark. Messages: all or nothing.
 */
long socket_put_stream(const struct socket_lane *lane,
    struct socket_pieces *pieces, uint64_t size, uint64_t limit,
    const struct socket_extra *extra);
long socket_put_message(const struct socket_lane *lane,
    struct socket_pieces *pieces, uint64_t size, uint64_t limit,
    const struct socket_extra *extra);

/*
 * Streams stop behind bytes that came with a parcel and, if apart is set,
 * before them too. skip: bytes not to look at (peek only). Nothing is given
 * back if peek is set.
 */
struct socket_look {
	bool	 peek, apart;
	uint64_t skip;
};
long socket_take_stream(const struct socket_lane *lane,
    struct socket_pieces *pieces, uint64_t size,
    const struct socket_look *look, struct socket_taken *out);
/* What does not fit of the message is lost. */
long socket_take_message(const struct socket_lane *lane,
    struct socket_pieces *pieces, uint64_t size,
    const struct socket_look *look, struct socket_taken *out);

/* For poll and FIONREAD, without a lock. */
bool socket_lane_readable(const struct socket_lane *lane, bool messages);
/* Bytes in the ring; of messages those of the first one, for its reader. */
uint64_t socket_lane_bytes(const struct socket_lane *lane, bool messages);
uint64_t socket_lane_first(const struct socket_lane *lane);
bool socket_lane_writable(const struct socket_lane *lane, bool messages,
    uint64_t limit);

/* Total of the pieces: bytes, -1 a fault, -2 too many. */
long socket_pieces_total(const struct socket_pieces *pieces);
