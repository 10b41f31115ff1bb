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
 *   - The line at position p (a 64-bit count of bytes, a multiple of 64, that
 *     never wraps in practice) starts a message iff its sequence is the low 32
 *     bits of p. It is stored last, with release order.
 *   - Before a message from p to q is published, the sequence of the line at q
 *     is set to q + 1, "empty": what a lap before left there (payload, any
 *     bytes) can not be taken for a message. One line is therefore always free.
 *     Line 0 never holds payload, and each lap starts with a message there: at
 *     the end of a lap "empty" goes to the line behind the last one.
 *   - A message does not wrap: padding fills the end of the ring. No message is
 *     longer than half of the ring, so one that finds the ring empty always
 *     fits. Padding is never at line 0, so two never follow each other.
 *   - Behind the last line there is one more that never starts a message. An
 *     end that gets there goes on at line 0; so the end of the ring needs no
 *     look of its own.
 *   - head, what the consumer gave back, lies in the consumer's line and is
 *     read by the producer only when its own copy says the ring is full.
 *
 * Trust: neither side believes the other. All that is read from shared memory
 * is loaded once and checked (sequence, length within the ring, head between
 * the producer's last known and what it published); a violation is ERR_CORRUPT,
 * sticky for this end, and never an access outside of the ring. Payload seen
 * through peek is memory that a hostile producer can still change.
 *
 * Waiting: each side has a flag line of its own. Who finds nothing sets its
 * flag, looks again, sleeps on the flag as a futex word; who publishes looks at
 * the other's flag behind a full barrier. No wake-up is lost
 * (ring_model_test.c tries every interleaving). The barrier is the dearest part
 * of a message (about twenty cycles), and it is needed once per question, not
 * per message: ask once after several messages, but before anything that may
 * block. Who knows that the other side never sleeps need not ask at all. The
 * flag's line is written only around sleeps; otherwise both sides share it.
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
#define RING_LINES_MAX		(1u << 22)
/* A length in a header; messages end at half of the ring, before that. */
#define RING_LENGTH_MAX		((1u << 28) - 1)

/* Kinds of messages, 1 to RING_KIND_MAX. */
#define RING_DATA		1u	/* payload is the message */
#define RING_BUFFER		2u	/* payload names buffers of a pool */
#define RING_CONTROL		3u	/* of the channel itself */
#define RING_KIND_MAX		16u

struct ring_message {
	const void *data;	/* in the ring, until released; 16-aligned */
	uint32_t length;
	uint32_t kind;
	uint64_t tag;		/* free for the user: session, type ... */
	uint64_t position;	/* counts messages of this ring, from 0 */
};

/* What lies in shared memory. */
struct ring_line {
	uint32_t sequence;	/* see the invariants */
	uint32_t shape;		/* length, and kind - 1 in the top 4 bits */
	uint64_t tag;
	uint64_t payload[RING_INLINE / 8];
};

struct ring_memory {
	uint64_t head;			/* the consumer writes */
	uint64_t consumer_generation;	/* too; see Coming back */
	uint64_t unused_consumer[6];
	uint32_t consumer_asleep;	/* both; see Waiting */
	uint32_t unused_flag[15];
	uint32_t producer_asleep;	/* both */
	uint32_t unused_flag_too[15];
	uint64_t closed;		/* the producer writes this line */
	uint64_t oldest;		/* lossy: before this all is lost */
	uint64_t producer_generation;	/* see Coming back */
	uint64_t unused_producer[5];
	struct ring_line lines[];	/* and one more */
};

/*
 * An end, in private memory: embed it, open it, leave its fields alone. It
 * holds no resource and needs no close. The position of a line in the current
 * lap is its address plus bias.
 */
struct ring_producer {
	struct ring_line *line;		/* where the next message starts */
	struct ring_line *stop;		/* up to here is room, beside "empty" */
	struct ring_line *first;	/* staged or padding; NULL: no such */
	uint64_t bias;
	struct ring_memory *memory;
	uint64_t first_position;
	uint64_t head;			/* as last read */
	uint64_t oldest;		/* lossy: of the oldest message */
	uint64_t count;			/* lossy: messages written */
	uint32_t size;			/* bytes of the lines */
	uint32_t longest;		/* bytes of a message */
	bool	 corrupt;
};

struct ring_consumer {
	struct ring_line *line;		/* of the next message */
	struct ring_line *next;		/* behind what peek showed, or line */
	uint64_t bias;
	struct ring_line *end;		/* behind the last line */
	struct ring_memory *memory;
	uint64_t count;			/* messages released */
	uint32_t size;			/* bytes of the lines */
	bool	 corrupt;
};

/* Where an end stands; what its owner commits, in memory that outlives it. */
struct ring_mark {
	uint64_t first;		/* producer: from here on staged; else position */
	uint64_t position;	/* where the next message starts */
	uint64_t count;		/* consumer: messages before that */
};

/* Bytes of shared memory for a ring of so many lines. */
size_t ring_size(uint32_t lines);
/* Bytes of the longest message of a ring of so many lines: half of it. */
uint32_t ring_length_max(uint32_t lines);
/*
 * Makes an empty ring: by who makes the memory, before anybody opens it.
 * memory: ring_size(lines) bytes, aligned to a line.
 */
void ring_format(void *memory, uint32_t lines);
/* The same for memory that is all zero; touches only a few lines of it. */
void ring_format_zeroed(void *memory, uint32_t lines);

/*
 * `lines` is what the opener was told by somebody it trusts, not what the
 * memory says. ERR_ARG not a power of two, out of range, memory not aligned.
 */
status_t ring_producer_open(struct ring_producer *producer, void *memory,
    uint32_t lines);
status_t ring_consumer_open(struct ring_consumer *consumer, void *memory,
    uint32_t lines);

/*
 * Producer. reserve gives room for `length` bytes in place, 16-aligned:
 * ERR_FULL, ERR_CORRUPT, ERR_ARG longer than the ring can ever hold. Nothing is
 * seen before commit, whose length may be smaller; a new reserve takes the
 * place of one that was not committed. stage is a commit that is not yet seen:
 * publish makes all that was staged seen at once, in order. Staged messages
 * take room: who gets ERR_FULL publishes before it waits.
 *
 * To commit more than was reserved is a bug of the caller: it traps if there is
 * no room, and else sends what lies there. So does a kind that does not exist.
 */
static inline status_t ring_reserve(struct ring_producer *producer,
    uint32_t length, void **out_data);
static inline void ring_commit(struct ring_producer *producer, uint32_t length,
    uint32_t kind, uint64_t tag);
static inline void ring_stage(struct ring_producer *producer, uint32_t length,
    uint32_t kind, uint64_t tag);
static inline void ring_publish(struct ring_producer *producer);
/* reserve, copy, commit as RING_DATA. */
static inline status_t ring_send(struct ring_producer *producer,
    const void *data, uint32_t length, uint64_t tag);

/*
 * Consumer: ERR_EMPTY, ERR_CORRUPT. peek again gives the same message. release
 * gives back what the last peek showed; without one it does nothing.
 */
static inline status_t ring_peek(struct ring_consumer *consumer,
    struct ring_message *out_message);
static inline void ring_release(struct ring_consumer *consumer);

/*
 * Coming back. An end whose owner dies is opened in the middle by the next
 * incarnation, from the mark that was committed last. For that, the owner keeps
 * an order:
 *
 *	producer	stage, then commit the mark, then publish
 *	consumer	peek and pass, then commit the mark, then give_back
 *
 * A death before the commit: what was staged is invisible and is written over,
 * what was passed was not given back and is there again. A death behind it:
 * open_at publishes what the mark calls staged, or gives back what lies before
 * it; both have no effect the second time. So each message is in the ring until
 * its consumer has committed that it took it, and is seen only when its producer
 * has committed that it sent it. Nothing of this is believed by the peer, which
 * notices at most a new generation: a hint, as is all that the header says.
 *
 * pass is a release that gives nothing back: that the line may be reused is said
 * by give_back, for all that was passed.
 *
 * open_at: ERR_ARG also if the mark cannot be one of such a ring. Whoever opened
 * asks ring_*_must_wake, and wakes the sleepers on the other's word whatever
 * that says: the dead may have lowered the flag and not come to the wake. Not
 * for lossy use.
 */
static inline void ring_pass(struct ring_consumer *consumer);
static inline void ring_give_back(struct ring_consumer *consumer);
void ring_producer_mark(const struct ring_producer *producer,
    struct ring_mark *out_mark);
void ring_consumer_mark(const struct ring_consumer *consumer,
    struct ring_mark *out_mark);
status_t ring_producer_open_at(struct ring_producer *producer, void *memory,
    uint32_t lines, const struct ring_mark *mark, uint64_t generation);
status_t ring_consumer_open_at(struct ring_consumer *consumer, void *memory,
    uint32_t lines, const struct ring_mark *mark, uint64_t generation);
/*
 * For a producer that publishes without a commit: moves a mark, of any time
 * before its death, behind what it has published since. A consumer that spoiled
 * the ring can make this end early or fail (ERR_CORRUPT), at its own cost.
 */
status_t ring_producer_find(void *memory, uint32_t lines,
    struct ring_mark *mark);
/* Changes with each incarnation of the other end, if that is honest. */
uint64_t ring_producer_generation(const void *memory);
uint64_t ring_consumer_generation(const void *memory);

/*
 * Lossy use, for "drop oldest": overwrite never finds the ring full, take
 * copies the oldest message that is still whole and says how many were lost
 * before it. Both ends of a ring use these or neither does. The payload is 8
 * bytes shorter: the number of the message goes with it.
 *
 * overwrite: ERR_ARG too long, ERR_CORRUPT. take: ERR_EMPTY, ERR_CORRUPT,
 * ERR_BUSY the producer overtook this end every time it looked; ERR_RANGE
 * longer than room (then out_message->length says), the message stays.
 */
status_t ring_overwrite(struct ring_producer *producer, const void *data,
    uint32_t length, uint64_t tag);
status_t ring_take(struct ring_consumer *consumer, void *data, uint32_t room,
    struct ring_message *out_message, uint64_t *out_lost);

/*
 * Waiting. prepare returns false if there is something to do by now (the flag
 * is down again): a message, a close, a corrupt ring. After true the caller
 * sleeps while the word at ring_*_word() is 1, then calls ring_*_awake. The
 * publishing side asks ring_*_must_wake after commit, close or release: true
 * once per sleep; then it wakes the sleepers on the other's word, whose value
 * is 0 by then. A hostile other side can cause or keep back wake-ups at will:
 * who depends on it needs a deadline.
 */
bool ring_consumer_prepare_sleep(struct ring_consumer *consumer);
void ring_consumer_awake(struct ring_consumer *consumer);
uint32_t *ring_consumer_word(void *memory);
static inline bool ring_producer_must_wake(struct ring_producer *producer);
/* Until `length` bytes fit. */
bool ring_producer_prepare_sleep(struct ring_producer *producer,
    uint32_t length);
void ring_producer_awake(struct ring_producer *producer);
uint32_t *ring_producer_word(void *memory);
static inline bool ring_consumer_must_wake(struct ring_consumer *consumer);

/*
 * No message follows (sticky); what was staged is published first. A consumer
 * sees it behind the last message. To send after it is a bug of the caller.
 */
void ring_close(struct ring_producer *producer);
bool ring_is_closed(const struct ring_consumer *consumer);

/*
 * Messages in the ring as far as this end can see, never more than lines. For
 * statistics: it looks at each of their headers.
 */
uint64_t ring_depth(const struct ring_consumer *consumer);

/*
 * Lines that are free, as far as this end needs to know: it looks at the other
 * side's position only when less than half seems free. 0 if corrupt. Not for
 * lossy use.
 */
uint64_t ring_room(struct ring_producer *producer);
/*
 * Messages, staged ones included, that the consumer has not released; in lossy
 * use (untaken), that it has neither taken nor counted as lost. For the books
 * of a producer whose consumer is gone: a hostile one can make the number wrong,
 * but ring_unread never larger than the lines, ring_untaken than what was sent.
 */
uint64_t ring_unread(struct ring_producer *producer);
uint64_t ring_untaken(const struct ring_producer *producer);

#include <lib/ring/ring_inline.h>
