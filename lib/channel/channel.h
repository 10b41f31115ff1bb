/* SPDX-License-Identifier: MIT */
/*
 * Channels: messages between threads, processes and services, without copies
 * and without a server on the path. docs/design/channels.md has the design.
 *
 * A channel has a name, a type and a configuration that its creator fixed. Who
 * opens it becomes a member, as sender, receiver or both, by a token
 * (lib/token). Each sender has a lane of its own to each receiver, in memory
 * that only these two share: what a hostile member writes there harms the
 * lanes of that member, nothing else.
 *
 *	type		each message goes to			overflow
 *	ASYNC		one receiver: the one with most room	any
 *	SYNC		the same, who answers			BLOCK, ERROR
 *	BROADCAST	every receiver				any
 *	MULTICAST	every receiver of one of its groups	any
 *	STREAM		the one receiver there may be; bytes	BLOCK, ERROR
 *			without boundaries
 *	BATCH		one receiver; becomes visible together	not DROP_OLDEST
 *			with others, at most `batch`
 *
 * Order is kept per lane: what one sender gives one receiver arrives in order,
 * or is counted as dropped. zero_copy goes with neither DROP_OLDEST nor SYNC.
 *
 *	overflow	when a lane is full
 *	BLOCK		send waits for room; at its deadline ERR_TIMEOUT, and
 *			nobody got the message
 *	DROP_OLDEST	the oldest of the lane goes; the receiver learns how
 *			many
 *	DROP_NEWEST	the new message goes, for the lanes that are full; then
 *			send returns ERR_FULL
 *	ERROR		ERR_FULL, and nobody got the message
 *
 * Without a receiver (MULTICAST: of the groups) send waits, with BLOCK, and
 * returns ERR_EMPTY at its deadline; with the others it returns that at once.
 *
 * Nothing is dropped without being counted. Of one sender, and all that
 * received from it (struct channel_statistics; a broadcast counts once for each
 * lane):
 *
 *	messages offered = sent + dropped_newest + refused
 *	sent = received + dropped_oldest + abandoned + what is in lanes
 *
 * Closing: what was sent before is received first. Then, when senders were
 * there and all are gone, receive returns ERR_GONE until another comes. The
 * death of a member is its close; buffers that it held come back; what it had
 * not received is abandoned. When the creator is gone nothing changes for
 * members, but nobody can join any more.
 *
 * Errors: ERR_RIGHT the token does not allow it or was revoked, ERR_STALE the
 * channel of that name is not the one of the token (and see
 * channel_serializer), ERR_NOENT no such name, ERR_EXIST create: there is,
 * ERR_BUSY open: a STREAM has its receiver, ERR_ARG, ERR_RANGE message too long
 * (or room too small: *length says, the message stays), ERR_TYPE another
 * schema, ERR_TIMEOUT, ERR_STATE not in this role, type or order, ERR_CORRUPT
 * the peer broke the rules: its lane is closed, others go on.
 *
 * Thread safety: a struct channel belongs to one thread at a time; threads open
 * ends of their own. Ownership: out_channel until channel_close.
 */
#pragma once

#include <abi/status.h>
#include <lib/base/linkage.h>
#include <lib/token/token.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

LINKAGE_BEGIN

struct channel;
struct channel_domain;	/* where names are looked up: domain.h */
struct channel_keeper;	/* where a member is kept: keep.h */

enum channel_type {
	CHANNEL_ASYNC, CHANNEL_SYNC, CHANNEL_BROADCAST, CHANNEL_MULTICAST,
	CHANNEL_STREAM, CHANNEL_BATCH,
};

enum channel_overflow {
	CHANNEL_BLOCK, CHANNEL_DROP_OLDEST, CHANNEL_DROP_NEWEST, CHANNEL_ERROR,
};

/*
 * How typed messages (schema is not 0) are written; bytes of schema 0 are never
 * looked at. AUTO takes what the lower trust of the two ends of a lane allows:
 * 0xE RAW, 0x8 LITE, else FULL, and what a member sends to many the strictest
 * of these. A member that asks for a weaker one than its own trust allows is
 * refused (ERR_RIGHT). A message in a weaker one than its lane allows is
 * ERR_CORRUPT for who receives it.
 */
enum channel_serializer {
	CHANNEL_AUTO, CHANNEL_RAW, CHANNEL_LITE, CHANNEL_FULL,
};

#define CHANNEL_NAME_MAX	47u	/* bytes, no control bytes */
#define CHANNEL_NOW		0ul	/* deadlines: monotonic ns */
#define CHANNEL_FOREVER		(~0ul)
#define CHANNEL_DEFAULT		(~0ul - 1)	/* receive: 100 ms from now */

struct channel_config {
	enum channel_type type;
	enum channel_overflow overflow;
	enum channel_serializer serializer;
	bool	 zero_copy;	/* senders have a pool of buffers */
	bool	 pollable;	/* channel_descriptor works */
	uint32_t message_max;	/* bytes; 0: 4096 */
	uint32_t buffer_size;	/* bytes of a lane's ring; 0: 64 KiB or more */
	uint32_t buffers;	/* of message_max bytes, per sender; 0: 16 */
	uint32_t batch;		/* BATCH: messages of a batch; 0: 32 */
	uint64_t schema;	/* type of the messages, 0 = any bytes */
	uint64_t spin_ns;	/* at most, before sleeping; 0: 20 us */
};

#define CHANNEL_SENDER		0x1u
#define CHANNEL_RECEIVER	0x2u

struct channel_options {
	struct channel_domain *domain;	/* NULL: the default of the process */
	unsigned role;			/* CHANNEL_SENDER, CHANNEL_RECEIVER */
	enum channel_serializer serializer;
	uint64_t schema;		/* 0: not checked */
	uint64_t groups;		/* MULTICAST: bits to receive */
	const struct channel_keeper *keeper;	/* NULL: the member is not kept */
};

/*
 * The creator becomes a member with `options->role`, which may be 0. options
 * may be NULL: both roles, nothing else asked for.
 */
status_t channel_create(const char *name, const struct channel_config *config,
    const struct channel_options *options, const struct token *owner,
    struct channel **out_channel);
status_t channel_open(const char *name, const struct channel_options *options,
    const struct token *holder, struct channel **out_channel);
/*
 * NULL is allowed. Makes visible what is staged. The name goes with the channel
 * that created it.
 */
void channel_close(struct channel *channel);

/*
 * token: whoever acts; the same as at open costs a comparison. NULL: that of
 * the open. Without _until: send waits without limit, receive 100 ms.
 */
status_t channel_send(struct channel *channel, const void *message,
    size_t length, const struct token *sender);
status_t channel_send_until(struct channel *channel, const void *message,
    size_t length, const struct token *sender, uint64_t deadline_ns);
/* *length is the room before, the length of the message after. */
status_t channel_receive(struct channel *channel, void *message,
    size_t *length, const struct token *receiver);
status_t channel_receive_until(struct channel *channel, void *message,
    size_t *length, const struct token *receiver, uint64_t deadline_ns);

/*
 * SYNC: sends and waits for the answer. ERR_GONE: the receiver died, closed, or
 * went on without an answer. channel_send on a SYNC channel is a call that does
 * not look at the answer. After ERR_TIMEOUT the request may still be handled;
 * its answer is thrown away. ERR_RANGE: as is an answer longer than its room;
 * answer_length says.
 */
struct channel_exchange {
	const void *request;
	size_t	 request_length;
	void	*answer;
	size_t	 answer_length;		/* room, then length */
	const struct token *sender;
	uint64_t deadline_ns;
};
status_t channel_call(struct channel *channel,
    struct channel_exchange *exchange);
/*
 * Answers the message received last; once, and before the next receive. Never
 * waits: ERR_FULL if the caller does not take its answers.
 */
status_t channel_answer(struct channel *channel, const void *message,
    size_t length);

/*
 * Without copies: the message is made and read where it lies. reserve may be
 * given up with channel_cancel; one at a time. The length may be lowered before
 * commit, which returns what send does. After ERR_FULL (not that of
 * DROP_NEWEST: the message is gone), ERR_TIMEOUT, ERR_EMPTY and ERR_ARG the
 * reservation still stands, after all else it is over. peek shows the same
 * message until release; one message at a time. What peek shows of a lane whose
 * peer has less trust than 0xE can change while it is read. STREAM: what peek
 * shows is at least one byte; release takes view->length of it, which may be
 * lowered.
 */
struct channel_view {
	void	*data;
	size_t	 length;
	uint64_t session;	/* peek: of the sender */
	uint64_t lost;		/* peek: messages dropped before this one */
	uint32_t serializer;	/* peek: of this message; schema 0: AUTO */
	unsigned trust;		/* peek: the lower one of both ends */
	uint64_t identity;	/* peek: of the sender's token; 0: unknown */
};
status_t channel_reserve(struct channel *channel, size_t length,
    struct channel_view *out_view, uint64_t deadline_ns);
status_t channel_commit(struct channel *channel,
    const struct channel_view *view);
void channel_cancel(struct channel *channel, const struct channel_view *view);
status_t channel_peek(struct channel *channel, struct channel_view *out_view,
    uint64_t deadline_ns);
status_t channel_release(struct channel *channel,
    const struct channel_view *view);

/* BATCH: makes visible what was sent since; others: OK, nothing to do. */
status_t channel_flush(struct channel *channel);
/* MULTICAST: groups of what is sent from here on; at first all. */
void channel_set_groups(struct channel *channel, uint64_t groups);
/* Session of what is sent from here on (session.h multiplexes many). */
void channel_set_session(struct channel *channel, uint64_t session);

/*
 * Dependencies: parent -> child. They say two things.
 *
 * Whoever handles a message of the parent may wait for an answer of the child.
 * This concerns all members, in all processes: an edge that would close a cycle
 * is refused (ERR_STATE), so that nobody waits in a circle. It is also added by
 * the first channel_call (or channel_send of SYNC) to the child that a thread
 * makes with a message of the parent in hand: shown by peek and not released,
 * or a request received and not answered. If it is refused the call returns
 * ERR_STATE before anything is sent. Needs a parent that receives.
 *
 * What was sent on the parent and is still staged (BATCH) becomes visible
 * before what is staged on the child: see channel_submit. This concerns the two
 * ends, which from here on belong to the same thread. Needs a parent that
 * sends.
 *
 * The child always is an end that sends, of the same domain (else ERR_ARG). An
 * end keeps an edge once, however often it was added, until the end closes or
 * removes it. A channel is never its own child. ERR_LIMIT too many edges,
 * ERR_NOMEM, ERR_GONE no broker, ERR_NOSYS the domain has no graph; remove:
 * ERR_NOENT. What failed changed nothing. While there is no broker calls go
 * unchecked.
 */
status_t channel_add_dep(struct channel *parent, struct channel *child);
status_t channel_remove_dep(struct channel *parent, struct channel *child);
/*
 * Makes visible what is staged on the ends that come before this one, then on
 * this one: parents before their children, each once. Never waits. ERR_STATE
 * not a sender; nothing staged is no error.
 */
status_t channel_submit(struct channel *channel);

/*
 * Readable when a receive or peek may succeed; needs config.pollable. Whoever
 * waits for it first receives until ERR_TIMEOUT (with CHANNEL_NOW).
 */
status_t channel_descriptor(struct channel *channel, int *out_descriptor);

/* Session identity of the own token (lib/token); 0: there is none. */
uint64_t channel_identity(const struct channel *channel);
const char *channel_name(const struct channel *channel);
const struct channel_config *channel_configuration(
    const struct channel *channel);
/*
 * What a typed message (schema is not 0) sent now is to be written in; AUTO:
 * bytes. That holds until it is asked again. If somebody joined meanwhile who
 * needs a stricter one, send and commit return ERR_STALE, once, and nobody gets
 * the message. An answer is written in what its request was (channel_view).
 */
enum channel_serializer channel_serializer(struct channel *channel);

struct channel_statistics {
	uint64_t sent, received;	/* messages; STREAM: pieces */
	uint64_t bytes_sent, bytes_received;
	uint64_t bytes_copied;		/* by the library, both directions */
	uint64_t zero_copy;		/* sent or received without a copy */
	uint64_t dropped_oldest;	/* known to the receiver */
	uint64_t dropped_newest;
	/* ERR_FULL, ERR_TIMEOUT, ERR_EMPTY, and what ended a wait for room. */
	uint64_t refused;
	uint64_t abandoned;		/* in lanes whose receiver went away */
	uint64_t slow;			/* operations that left the fast path */
	uint64_t slept, woken;		/* itself; others */
	uint64_t corrupt;		/* lanes of peers that broke a rule */
	uint64_t latency[32];		/* 1 of 64 messages: by log2 of ns */
};
void channel_statistics(const struct channel *channel,
    struct channel_statistics *out_statistics);

LINKAGE_END
