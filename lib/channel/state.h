/* SPDX-License-Identifier: MIT */
/*
 * Inside of the channel library: what a member keeps, and what the files share.
 *
 * Lanes are separate pieces of memory behind an array of pointers: a lane stays
 * where it is while others come and go. The fast path needs none of that: when
 * an operation can only concern one lane and nothing unusual is going on,
 * fast_out or fast_in points to it; else it is NULL and the slow path decides.
 */
#pragma once

#include <lib/base/string.h>
#include <lib/channel/config.h>
#include <lib/channel/hand.h>
#include <lib/channel/keep.h>
#include <lib/channel/lane.h>
#include <lib/channel/port.h>
#include <lib/channel/statistics.h>
#include <lib/ring/ring.h>

#define unlikely(condition)	__builtin_expect(!!(condition), 0)

#define LANE_SHARE	16u	/* messages of a lane before the next's turn */
#define RECEIVE_NS	100000000ul	/* CHANNEL_DEFAULT */
#define PROMISES_MAX	100u	/* in a row: the peer keeps us awake */
#define POOL_LANES	256u	/* receivers of a sender with buffers */
#define TOKENS_KNOWN	4u	/* verdicts about tokens other than the own */
#define EDGES_KNOWN	8u	/* channels called while handling a message */

struct lane_out {
	struct ring_producer messages;
	struct ring_consumer back;	/* released buffers, answers */
	struct lane_place place;
	enum channel_serializer strictness;	/* what it may use at least */
	uint64_t sent;		/* SYNC: messages, the next request's number */
	uint64_t answered;	/* SYNC: requests before this one */
	uint32_t number;	/* in the books of the pool */
	void	*room;		/* between the two passes of a send to many */
	uint32_t promises;	/* something on the ring back, not found */
	bool	 moved;		/* kept: used since the last settle */
	bool	 gone;		/* is dropped as soon as nothing uses it */
	bool	 refused;	/* its receiver lost the right: no answers */
};

struct lane_in {
	struct ring_consumer messages;
	struct ring_producer back;
	struct lane_place place;
	enum channel_serializer strictness;
	unsigned trust;		/* the lower one of both ends */
	uint32_t promises;	/* of a message, not found */
	bool	 moved;		/* kept: used since the last settle */
	bool	 gone;		/* sender went away: drain, then drop */
	bool	 refused;	/* is dropped as soon as nothing shows it */
	bool	 finished;	/* closed and drained; waits for its end */
};

struct lane_list {
	void	**lane;		/* struct lane_out * or struct lane_in * */
	uint32_t count, room;
	uint32_t turn;		/* whose turn it is */
};

/* The message that reserve gave out. */
enum made_where { MADE_NOT, MADE_IN_RING, MADE_APART, MADE_IN_POOL };

struct channel_made {
	enum made_where where;
	struct lane_out *lane;	/* IN_RING; NULL: it went away */
	void	*data;
	uint32_t room;
	uint32_t buffer;	/* IN_POOL */
	uint64_t deadline_ns;
};

/* The message that peek shows. */
struct channel_shown {
	struct lane_in *lane;	/* NULL: none */
	uint8_t	*data;
	uint32_t length;
	uint32_t taken;		/* STREAM: bytes of it */
	uint32_t kind;
	uint32_t buffer;	/* number, if LANE_BUFFER is in kind */
	uint64_t session, lost;
};

/* SYNC: whose request was received last. */
struct channel_asked {
	struct lane_in *lane;	/* NULL: none, or it was answered */
	uint32_t kind;		/* of the answer */
	uint64_t request;	/* number of the message in its lane, from 0 */
};

struct known_token {
	struct token token;
	unsigned rights;
};

/* An order of delivery: what the parent has staged before the child's. */
struct dependency {
	struct channel *parent, *child;
	struct dependency *next_child;	/* of the parent */
	struct dependency *next_parent;	/* of the child */
};

struct channel {
	/* What every operation reads. */
	const uint64_t *generation;
	struct token token;	/* of the open */
	struct lane_out *fast_out;
	struct lane_in *fast_in;
	struct channel_statistics *counters;
	uint64_t session;	/* of what is sent */
	uint32_t kind;		/* of what is sent */
	uint32_t plain;		/* kind that the fast path receives */
	uint32_t fast_max;	/* bytes that may go the fast way */
	uint32_t until_sample;	/* messages to the next stamped one */
	uint32_t share;		/* messages of the lane whose turn it is */
	struct channel_domain *domain;

	struct channel_keeper keeper;
	bool	 kept;		/* keep.h: nothing is seen before settle */
	/* What follows from config, role and kept; constant. */
	bool	 publishes;	/* what is sent is seen at once */
	bool	 releases;	/* what was received is given back at once */
	unsigned fast_role;	/* in which role it may go the fast way */
	uint32_t lanes_left;	/* kept: records of lanes that are gone, bits */
	struct channel_member member;
	unsigned role;
	enum channel_serializer serializer;	/* asked for by this member */
	struct known_token known[TOKENS_KNOWN];
	uint32_t known_next;
	/* Of the operation that runs; NULL: the token of the open. */
	const struct token *acting;
	unsigned acting_needs;	/* TOKEN_* */
	bool	 revoked;
	bool	 stale;		/* kind is weaker than some lane allows */
	bool	 had_senders;
	bool	 ending;	/* some lane waits for the sweep */
	bool	 changed;	/* lanes, since the last promise */
	uint32_t inline_max;	/* bytes of a message in a ring */
	uint64_t groups;	/* MULTICAST: of what is sent */
	uint32_t batched;	/* messages staged */
	struct lane_out *batch_lane;
	struct lane_out *calling;	/* SYNC: waits for its answer */

	struct lane_list out, in;
	struct channel_made made;
	struct channel_shown shown;
	struct channel_asked asked;
	/* A message outside of lanes, apart_size bytes; NULL: not yet. */
	uint8_t	*apart;		/* to send: lossy, reserve */
	uint8_t	*taken;		/* received: lossy */
	size_t	 apart_size;
	uint32_t **words;	/* for sleep: one per lane */
	uint32_t words_room;

	/* See hand.c; the list is guarded by the lock of the hand. */
	struct channel_hand *hand;	/* NULL: no message in hand */
	struct channel *hand_next, *hand_previous;
	uint64_t edge[EDGES_KNOWN];	/* channels this one leads to; 0 */
	uint32_t edge_next;
	struct dependency *children, *parents;
	uint64_t search;	/* the last that found this end */
	struct channel *work;	/* next of that search */
	uint32_t before;	/* parents that come first, in a submit */

	struct pool_layout layout;	/* zero_copy: of every sender's pool */
	struct pool *pool;	/* own; NULL: none */
	void	*pool_private;
	size_t	 pool_private_size;
	uint64_t pool_lanes[POOL_LANES / 64];	/* numbers in use */

	uint64_t wait_average;	/* ns; see wait.c */
	uint32_t waits;

	struct statistics_page *page;
	struct statistics_page own_page;	/* when the port has none */
	char	 name[CHANNEL_NAME_MAX + 1];
};

/* Counters are read by others while they are written (statistics.h). */
static inline void
count_add(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) +
	    n, __ATOMIC_RELAXED);
}

static inline struct lane_out *
lane_out_at(const struct channel *channel, uint32_t i)
{
	return channel->out.lane[i];
}

static inline struct lane_in *
lane_in_at(const struct channel *channel, uint32_t i)
{
	return channel->in.lane[i];
}

static inline bool
channel_is_lossy(const struct channel *channel)
{
	return channel->member.config.overflow == CHANNEL_DROP_OLDEST;
}

/* Something happened since the member caught up. */
static inline bool
channel_has_changed(const struct channel *channel)
{
	return ring_load(channel->generation, RING_ACQUIRE) !=
	    channel->member.generation_seen;
}

/* The token is that of the open, and nothing happened since it was checked. */
static inline bool
channel_is_known(const struct channel *channel, const struct token *token)
{
	return (token == NULL ||
	    token_difference(&channel->token, token) == 0) &&
	    !channel_has_changed(channel);
}

/* To every receiver that may have it, or to one of them? */
static inline bool
channel_is_to_many(const struct channel *channel)
{
	return channel->member.config.type == CHANNEL_BROADCAST ||
	    channel->member.config.type == CHANNEL_MULTICAST;
}

/* event.c */
/*
 * Takes over what happened: lanes, revocation. ERR_RIGHT: the own token was
 * revoked. Lanes that made, shown or calling use stay until they do not.
 */
status_t channel_catch_up(struct channel *channel);
/* May who acts do this? needed: TOKEN_*. Catches up first. */
status_t channel_check(struct channel *channel, const struct token *token,
    unsigned needed);
/* Catches up, in the middle of an operation: may it go on? ERR_RIGHT. */
status_t channel_go_on(struct channel *channel);
/* Decides anew what the fast path may do. */
void channel_set_fast(struct channel *channel);
/* From here on messages are marked with what all lanes allow. */
void channel_promise(struct channel *channel);
/* Drops lanes that have come to their end. */
void channel_sweep(struct channel *channel);
/* The other end broke the rules. */
void channel_corrupt_out(struct channel *channel, struct lane_out *lane);
void channel_corrupt_in(struct channel *channel, struct lane_in *lane);
/* The second ring of a lane. */
void *channel_back_memory(const struct lane_place *place);
/* Frees the arrays and the lanes that are left. */
void channel_forget_lanes(struct channel *channel);

/* wait.c */
/* WAIT_BACK: something on the ring back. WAIT_EVENT: lanes come or go. */
enum wait_for { WAIT_MESSAGE, WAIT_ROOM, WAIT_BACK, WAIT_EVENT };

struct channel_wait {
	enum wait_for what;
	struct lane_out *only;	/* ROOM, BACK: this lane; NULL: any */
	uint32_t length;	/* ROOM: bytes to fit */
	uint64_t deadline_ns;
};

/* OK: look again, whatever the reason. ERR_TIMEOUT. */
status_t channel_wait(struct channel *channel, const struct channel_wait *wait);

static inline void
channel_wake(struct channel *channel, const struct lane_place *place,
    uint32_t *word)
{
	count_add(&channel->counters->woken, 1);
	channel->domain->port->wake(channel->domain, place, word);
}

/* After messages in the lane became visible. */
static inline void
lane_wake_receiver(struct channel *channel, struct lane_out *lane)
{
	if (ring_producer_must_wake(&lane->messages))
		channel_wake(channel, &lane->place,
		    ring_consumer_word(lane->place.memory));
}

/* After a message was released. Only who blocks sleeps until there is room. */
static inline void
lane_wake_sender(struct channel *channel, struct lane_in *lane)
{
	if (channel->member.config.overflow == CHANNEL_BLOCK &&
	    ring_consumer_must_wake(&lane->messages))
		channel_wake(channel, &lane->place,
		    ring_producer_word(lane->place.memory));
}

/* send.c */
struct channel_offer {		/* a message on its way into lanes */
	const void *data;	/* NULL: it lies in the lane's room already */
	uint32_t length;
	uint32_t bytes;		/* of the message; length may be of its name */
	uint32_t kind;		/* without LANE_STAMPED */
	uint64_t stamp;		/* when it was sent, or 0 */
	uint64_t deadline_ns;
	struct lane_out *lane;	/* out: where it went, if to one */
	bool	 in_place;	/* made where it lies */
};

/* Puts the message into lanes; waits, drops or refuses when it can not. */
status_t channel_put(struct channel *channel, struct channel_offer *offer);
/* The lane that a message to one receiver goes to; ERR_EMPTY there is none. */
status_t channel_pick(struct channel *channel, struct lane_out **out_lane);
/*
 * After ERR_FULL or ERR_EMPTY: OK means try again, all else is what the caller
 * returns, and is counted. `wait` says for what, if for room.
 */
status_t channel_blocked(struct channel *channel, status_t status,
    const struct channel_wait *wait);
/* The lane has room for it: makes it a message, visible unless BATCH. */
void channel_commit_in(struct channel *channel, struct lane_out *lane,
    void *room, const struct channel_offer *offer);
/* BATCH: makes visible what is staged, and wakes. */
void channel_publish(struct channel *channel);

/* buffer.c */
status_t channel_buffers_open(struct channel *channel);
void channel_buffers_close(struct channel *channel);
/* A lane gets its number; ERR_LIMIT. And gives back all that it was lent. */
status_t channel_buffers_join(struct channel *channel, struct lane_out *lane);
void channel_buffers_leave(struct channel *channel, struct lane_out *lane);
/* A buffer with one reference, the caller's. ERR_FULL: all are lent. */
status_t channel_buffer_take(struct channel *channel, uint32_t length,
    uint32_t *out_buffer);
/* The same, but waits, drops or refuses as the policy says. */
status_t channel_buffer_wait(struct channel *channel, uint32_t length,
    uint64_t deadline_ns, uint32_t *out_buffer);
/* Puts its name into lanes. The caller keeps its reference. */
status_t channel_buffer_put(struct channel *channel, uint32_t buffer,
    uint32_t length, struct channel_offer *offer);
/* A message too long for the ring; offer has its length. */
status_t channel_buffer_send(struct channel *channel, const void *message,
    struct channel_offer *offer);
/* The shown one, to its sender. false: there should have been room. */
bool channel_buffer_give_back(struct channel *channel, struct lane_in *lane);

/*
 * The fast way of a receive; false: not this way. The lane is the only one, and
 * what lies there is in the serializer that its trust asks for, no other.
 */
static inline bool
channel_receive_fast(struct channel *channel, void *message, size_t *length,
    const struct token *receiver)
{
	struct lane_in *lane = channel->fast_in;
	struct ring_message found;

	/* In this order: a message brings the news of a revocation along. */
	if (unlikely(lane == NULL || ring_peek(&lane->messages, &found) != OK ||
	    !channel_is_known(channel, receiver) ||
	    found.kind != channel->plain ||
	    found.length > *length || found.length > channel->fast_max))
		return false;
	ring_copy_out(message, found.data, found.length);
	*length = found.length;
	ring_release(&lane->messages);
	count_add(&channel->counters->received, 1);
	count_add(&channel->counters->bytes_received, found.length);
	count_add(&channel->counters->bytes_copied, found.length);
	lane_wake_sender(channel, lane);
	return true;
}

/* receive.c */
/*
 * Waits for the next message: channel->shown. What it shows stays until
 * channel_done. ERR_TIMEOUT, ERR_GONE, ERR_CORRUPT, ERR_RIGHT.
 */
status_t channel_show(struct channel *channel, uint64_t deadline_ns);
/* Gives back what is shown. */
void channel_done(struct channel *channel);

/* view.c: peek, but nobody gets the message in hand. */
status_t channel_look(struct channel *channel, struct channel_view *out_view,
    uint64_t deadline_ns);

/* hand.c */
/* The message of this end is in the hand of the calling thread from here on. */
void channel_hold(struct channel *channel);
/* No more, unless something of it is still to be released or answered. */
void channel_let_go(struct channel *channel);
/*
 * May the calling thread wait for this channel? Adds an edge from each channel
 * of which it has a message in hand. ERR_STATE: it could wait for itself.
 */
status_t channel_depend_on_held(struct channel *channel);
/* Adds the edge, if it is not remembered; needs what the port needs. */
status_t channel_remember_edge(struct channel *parent,
    const struct channel *child);
void channel_forget_edge(struct channel *parent, const struct channel *child);

/* depend.c */
/* The end closes: others wait for it no more. */
void channel_forget_deps(struct channel *channel);

/* channel.c */
/* Makes channel->apart or ->taken, if it is not there. ERR_NOMEM. */
status_t channel_need_apart(struct channel *channel, uint8_t **memory);

/* call.c */
/* A request that was not answered: tells its caller. */
void channel_leave_unanswered(struct channel *channel);

/* statistics.c */
/* Of a message that was released as if it had not been copied. */
void channel_count_copy(struct channel *channel, uint64_t bytes);
uint64_t channel_stamp(struct channel *channel);
void channel_count_latency(struct channel *channel, uint64_t sent_ns);
void channel_page_begin(struct channel *channel);
void channel_page_lanes(struct channel *channel);
