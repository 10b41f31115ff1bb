/* SPDX-License-Identifier: MIT */
/*
 * Byte ring of a pipe: one page of header, then RING_SIZE bytes, in a memory
 * object that every holder of the pipe maps.
 *
 * written and taken count bytes since creation and never wrap in practice;
 * data is published by one store of the index. The peer is not trusted: the
 * distance of the indices is checked at each use and offsets are masked, so a
 * hostile peer can only spoil the contents of its own pipe.
 *
 * Locks hold the thread id of their owner, 0 when free. They guard only the
 * copy and the store of the index, so the lock of a dead owner can be taken
 * over as it is: what the owner had not published never happened.
 *
 * Sleeping: the sleeper reads the count of its notification, sets its asleep
 * flag, looks at the indices again, then waits for the count to move. The other
 * side stores its index, then reads the flag. Who waits for several things has
 * a watch instead.
 */
#pragma once

#include <idl/storage.h>
#include <lib/ring/watch.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RING_SIZE	65536u
#define RING_HEADER	4096u
#define RING_ATOMIC	4096u	/* PIPE_BUF */

struct ring {
	uint64_t written;		/* writers, under write_lock */
	uint64_t write_lock;
	uint32_t writers_asleep;
	uint32_t reader_closings;	/* descriptors closed: look at the peer */
	uint8_t	 pad1[64 - 24];
	struct watch readable;		/* of who polls the read end */
	uint8_t	 pad2[128 - 96];
	uint64_t taken;			/* readers, under read_lock */
	uint64_t read_lock;
	uint32_t readers_asleep;
	uint8_t	 pad3[64 - 20];
	struct watch writable;
	uint8_t	 pad4[FIFO_COUNTS - 128 - 96];
	struct storage_fifo_counts named;	/* storage's, if it has a name */
	uint8_t	 pad5[RING_HEADER - FIFO_COUNTS - 16];
	uint8_t	 data[RING_SIZE];
};

_Static_assert(sizeof(struct ring) == RING_HEADER + RING_SIZE &&
    sizeof(struct ring) == FIFO_SIZE &&
    offsetof(struct ring, named) == FIFO_COUNTS, "ring");

/* A stretch of the ring: two pieces when it wraps. */
struct ring_span {
	uint8_t	*piece[2];
	uint64_t length[2];
};

static inline uint64_t
ring_load(const uint64_t *index)
{
	return __atomic_load_n(index, __ATOMIC_ACQUIRE);
}

/* Full barrier: the asleep flag of the other side is read after this. */
static inline void
ring_publish(uint64_t *index, uint64_t value)
{
	__atomic_store_n(index, value, __ATOMIC_SEQ_CST);
}

/* False: the indices make no sense, the peer broke the ring. */
static inline bool
ring_used(const struct ring *ring, uint64_t *out_used)
{
	uint64_t taken = ring_load(&ring->taken);
	uint64_t written = ring_load(&ring->written);

	*out_used = written - taken;
	return *out_used <= RING_SIZE;
}

/* Of `length` bytes from position on. length <= RING_SIZE. */
static inline void
ring_span(struct ring *ring, uint64_t position, uint64_t length,
    struct ring_span *out_span)
{
	uint64_t start = position % RING_SIZE;
	uint64_t first = RING_SIZE - start;

	if (first > length)
		first = length;
	out_span->piece[0] = ring->data + start;
	out_span->length[0] = first;
	out_span->piece[1] = ring->data;
	out_span->length[1] = length - first;
}

/* One try; *out_owner is who holds the lock when it fails. */
static inline bool
ring_try_lock(uint64_t *lock, uint64_t self, uint64_t *out_owner)
{
	*out_owner = 0;
	return __atomic_compare_exchange_n(lock, out_owner, self, false,
	    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* Takes the lock over from an owner that is known to be dead. */
bool ring_take_over(uint64_t *lock, uint64_t self, uint64_t owner);

/* Does nothing if a hostile peer gave the lock to another. */
static inline void
ring_unlock(uint64_t *lock, uint64_t self)
{
	__atomic_compare_exchange_n(lock, &self, 0, false, __ATOMIC_RELEASE,
	    __ATOMIC_RELAXED);
}
