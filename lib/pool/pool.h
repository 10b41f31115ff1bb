/* SPDX-License-Identifier: MIT */
/*
 * Pool: buffers of a few sizes in memory that its owner writes and others may
 * read, such as the messages that a sender lends to its receivers.
 *
 * Buffers are numbers, from 0, class after class; others learn a number and a
 * length and find the bytes by the layout, which they got from somebody they
 * trust. Reference counts, free lists and what was lent to whom lie in private
 * memory of the owner: whatever stands in the shared memory, nothing here reads
 * it (but pool_writable, which copies it).
 *
 * References. A buffer has one after pool_allocate, one more with each
 * pool_retain and each lane that it is lent to; with the last it is free. A
 * lane can be lent a buffer once at a time. What a lane gives back is checked
 * against what it was lent: a lie is ERR_CORRUPT, is counted for that lane and
 * changes nothing else.
 *
 * Errors: ERR_RANGE no such buffer, lane, or size; ERR_STATE the buffer is
 * free (a bug of the caller).
 *
 * Thread safety: threads of the owner may call everything at once, without
 * locks; create, pool_ok by one. A lane is lent to and reclaimed by one thread
 * at a time, as its other end may be gone only once.
 */
#pragma once

#include <abi/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POOL_CLASSES_MAX	8u
#define POOL_BUFFERS_MAX	(1u << 20)
#define POOL_LANES_MAX		(1u << 16)
#define POOL_ALIGNMENT		64u
#define POOL_ANY_NODE		(~0u)

struct pool_class {
	uint32_t size;		/* bytes, multiple of POOL_ALIGNMENT */
	uint32_t count;		/* of buffers */
};

/* What owner and readers both know. Sizes ascend. */
struct pool_layout {
	struct pool_class class[POOL_CLASSES_MAX];
	unsigned classes;
};

/* Bytes of shared memory; 0: the layout breaks a limit. */
size_t pool_layout_size(const struct pool_layout *layout);
/*
 * For readers: where `length` bytes of a buffer begin, from the begin of the
 * shared memory. ERR_RANGE: no such buffer, or it is shorter.
 */
status_t pool_layout_find(const struct pool_layout *layout, uint32_t buffer,
    uint32_t length, size_t *out_offset);

struct pool;

struct pool_config {
	struct pool_layout layout;
	void	*shared;	/* pool_layout_size bytes, aligned */
	uint32_t lanes;		/* numbers from 0; 0 .. POOL_LANES_MAX */
	/*
	 * Where the memory should come from. bind is called once by create, if
	 * it is not NULL and node is not POOL_ANY_NODE; what it returns, if not
	 * OK, create returns.
	 */
	unsigned node;
	status_t (*bind)(void *context, void *memory, size_t size,
	    unsigned node);
	void	*context;
};

/* Bytes of private memory, aligned to POOL_ALIGNMENT; 0: out of range. */
size_t pool_size(const struct pool_config *config);
/* ERR_ARG memory is NULL or not aligned; ERR_RANGE a limit. Nothing to undo. */
status_t pool_create(void *memory, size_t size,
    const struct pool_config *config, struct pool **out_pool);

/*
 * The smallest buffer that holds `size` bytes, or a larger one. ERR_RANGE none
 * is that large, ERR_FULL none is free (counted as exhausted).
 */
status_t pool_allocate(struct pool *pool, uint32_t size, uint32_t *out_buffer);
status_t pool_retain(struct pool *pool, uint32_t buffer);
status_t pool_release(struct pool *pool, uint32_t buffer);

/* NULL: no such buffer. The owner writes only what it alone refers to. */
void *pool_data(const struct pool *pool, uint32_t buffer);
/* Bytes; 0: no such buffer. */
uint32_t pool_buffer_size(const struct pool *pool, uint32_t buffer);

/*
 * Copy on write: a buffer with the same first `length` bytes that nobody else
 * refers to; it is the same one if that holds for it, else a copy, and the
 * caller's reference moves to it. ERR_FULL: the caller keeps what it had.
 */
status_t pool_writable(struct pool *pool, uint32_t buffer, uint32_t length,
    uint32_t *out_buffer);

/*
 * Adds a reference that the lane holds. The caller has one of its own.
 * ERR_EXIST: the lane holds this buffer already.
 */
status_t pool_lend(struct pool *pool, uint32_t lane, uint32_t buffer);
/*
 * The lane says that it is done with it. ERR_CORRUPT: it was never lent this
 * buffer, or gave it back before, or there is none of that number.
 */
status_t pool_return(struct pool *pool, uint32_t lane, uint32_t buffer);
/* Takes back all that the lane holds; returns how many. */
uint32_t pool_reclaim(struct pool *pool, uint32_t lane);
/* Lies of a lane since it was reclaimed last; 0 also if there is no such. */
uint32_t pool_lies(const struct pool *pool, uint32_t lane);

struct pool_counters {
	uint64_t allocated, freed;	/* buffers, since create */
	uint64_t lent, returned, reclaimed;
	uint64_t copied_bytes;
	uint64_t exhausted, lies;
	unsigned node;
};
void pool_counters(const struct pool *pool,
    struct pool_counters *out_counters);

/* Walks everything: false if something is not as it must be. */
bool pool_ok(const struct pool *pool);
