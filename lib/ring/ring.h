/* SPDX-License-Identifier: MIT */
/*
 * Line ring: a queue of messages in shared memory, one producer, one consumer.
 *
 * The ring is a power of two of 64-byte lines. A message takes consecutive
 * lines; the first begins with a header of 16 bytes and holds 48 bytes of
 * payload, so a message of up to 48 bytes is one cache line and moves with one
 * cache miss: the consumer polls the header itself, not an index.
 *
 * Invariants
 *   - The line at position p (a 64-bit count that never wraps in practice)
 *     starts a message iff its sequence is the low 32 bits of p + 1. It is
 *     stored last, with release order.
 *   - Before a message at p of n lines is published, the sequence of line p + n
 *     is set to "empty": what a lap before left there (payload, any bytes) can
 *     not be taken for a message. One line is therefore always free.
 *   - A message does not wrap: a padding message fills the end of the ring.
 *   - head, what the consumer gave back, lies in the consumer's line and is
 *     read by the producer only when its own copy says the ring is full.
 *
 * Trust: neither side believes the other. All that is read from shared memory
 * is loaded once and checked (sequence, length within the ring, head between
 * the producer's last known and its tail); a violation is ERR_CORRUPT, sticky
 * for this end, and never an access outside of the ring. Payload seen through
 * peek is memory that a hostile producer can still change.
 *
 * Waiting: each side has a flag line of its own. Who finds nothing sets its
 * flag, looks again, sleeps on the flag as a futex word; who publishes looks at
 * the other's flag behind a full barrier. No wake-up is lost
 * (ring_model_test.c tries every interleaving).
 *
 * Thread safety: an end belongs to one thread at a time.
 */
#pragma once

#include <abi/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RING_LINE		64u
#define RING_HEADER		16u
#define RING_INLINE		(RING_LINE - RING_HEADER)
#define RING_LINES_MIN		4u
#define RING_LINES_MAX		(1u << 24)

/* Kinds of messages; 0 is padding and never seen outside. */
#define RING_DATA		1u	/* payload is the message */
#define RING_BUFFER		2u	/* payload names buffers of a pool */
#define RING_CONTROL		3u	/* of the channel itself */
#define RING_KIND_MAX		15u

struct ring_message {
	const void *data;	/* in the ring, until released */
	uint32_t length;
	uint32_t kind;
	uint64_t tag;		/* free for the user: session, type ... */
	uint64_t position;	/* counts messages of this ring, from 0 */
};

/* Private state of an end: fields are those of ring.c and ring_inline.h. */
struct ring_producer;
struct ring_consumer;

/* Bytes of shared memory for a ring of so many lines. */
size_t ring_size(uint32_t lines);
/* Makes an empty ring: by who makes the memory, before anybody opens it. */
void ring_format(void *memory, uint32_t lines);

/*
 * `lines` is what the opener was told by somebody it trusts, not what the
 * memory says. ERR_ARG not a power of two or out of range.
 */
status_t ring_producer_open(struct ring_producer *producer, void *memory,
    uint32_t lines);
status_t ring_consumer_open(struct ring_consumer *consumer, void *memory,
    uint32_t lines);

/*
 * Producer. reserve gives room for `length` bytes in place: ERR_FULL, ERR_ARG
 * longer than the ring can ever hold. Nothing is seen before commit, whose
 * length may be smaller. stage is a commit that is not yet seen: publish makes
 * all that was staged seen at once, in order.
 */
status_t ring_reserve(struct ring_producer *producer, uint32_t length,
    void **out_data);
void ring_commit(struct ring_producer *producer, uint32_t length, uint32_t kind,
    uint64_t tag);
void ring_stage(struct ring_producer *producer, uint32_t length, uint32_t kind,
    uint64_t tag);
void ring_publish(struct ring_producer *producer);
status_t ring_send(struct ring_producer *producer, const void *data,
    uint32_t length, uint64_t tag);

/* Consumer: ERR_EMPTY, ERR_CORRUPT. peek again gives the same message. */
status_t ring_peek(struct ring_consumer *consumer,
    struct ring_message *out_message);
void ring_release(struct ring_consumer *consumer);

/*
 * Lossy use, for "drop oldest": overwrite never finds the ring full, take
 * copies the oldest message that is still whole and says how many were lost
 * before it. Both ends of a ring use these or neither does. ERR_RANGE: longer
 * than room (then *out_length says), the message stays.
 */
status_t ring_overwrite(struct ring_producer *producer, const void *data,
    uint32_t length, uint64_t tag);
status_t ring_take(struct ring_consumer *consumer, void *data, uint32_t room,
    struct ring_message *out_message, uint64_t *out_lost);

/*
 * Waiting. prepare returns false if there is something to do by now (the flag
 * is down again); after true the caller sleeps while the word at
 * ring_*_word() is 1, then calls ring_*_awake. The publishing side asks
 * ring_*_must_wake after commit (or release): true once per sleep; then it
 * wakes the sleepers on the other's word, whose value is 0 by then.
 */
bool ring_consumer_prepare_sleep(struct ring_consumer *consumer);
void ring_consumer_awake(struct ring_consumer *consumer);
uint32_t *ring_consumer_word(void *memory);
bool ring_producer_must_wake(struct ring_producer *producer);
/* Until `length` bytes fit. */
bool ring_producer_prepare_sleep(struct ring_producer *producer,
    uint32_t length);
void ring_producer_awake(struct ring_producer *producer);
uint32_t *ring_producer_word(void *memory);
bool ring_consumer_must_wake(struct ring_consumer *consumer);

/* No message follows (sticky); a consumer sees it behind the last message. */
void ring_close(struct ring_producer *producer);
bool ring_is_closed(const struct ring_consumer *consumer);

/* Messages in the ring as far as this end knows; for statistics. */
uint64_t ring_depth(const struct ring_consumer *consumer);
