/* SPDX-License-Identifier: MIT */
/*
 * The memory of a mux: this structure, the sessions, the places, their bytes.
 *
 * Invariants of a session that exists
 *   - outstanding + queued + owed = window: each credit ever granted is with
 *     the peer, has become a message that waits here, or is to be given back.
 *   - It is in the list of turns iff it has a message, or an end, to report.
 *   - It is in the list of words iff `words` is not 0.
 */
#pragma once

#include <lib/channel/session.h>

#define NONE		UINT32_MAX
#define INDEX_BITS	20u
#define INDEX_MASK	((1u << INDEX_BITS) - 1)
#define IDENTITY_BYTES	8u

enum session_state {
	STATE_FREE,
	STATE_OPENING,		/* client: not answered */
	STATE_REFUSING,		/* server: not said yet */
	STATE_OPEN,
};

#define WORD(kind)	(1u << (kind))	/* of enum session_kind: to be sent */

enum session_list {
	LIST_FREE,		/* longest free first */
	LIST_TURNS, LIST_WORDS,
	LISTS,
};

struct link {
	uint32_t previous, next;	/* sessions by index */
};

struct session {
	uint64_t identity;
	uint32_t number;	/* incarnation above index; kept while free */
	uint32_t credit, credit_max;	/* to send */
	uint32_t outstanding, owed;	/* to receive: see above */
	uint32_t queued, first, last;	/* places */
	uint32_t deficit;
	struct link link[LISTS];
	uint8_t	 state;
	uint8_t	 words;
	bool	 in_turn;	/* in that list */
	bool	 visited;	/* its turn began */
	bool	 got_close;	/* by the peer */
	bool	 own_close;	/* by the user, said or to be said */
	bool	 told;		/* ERR_GONE */
};

struct place {
	uint32_t next, length;
};

struct session_mux {
	struct session_config config;
	uint32_t refill;	/* what a turn adds to the deficit */
	uint32_t stride;	/* bytes of a place */
	uint32_t reserved;	/* places promised to sessions */
	uint32_t free_place;
	bool	 corrupt;
	struct link ends[LISTS];	/* previous: last, next: first */
	struct session *session;
	struct place *place;
	uint8_t	*bytes;
	struct session_counters counters;
};

static inline uint64_t
tag_of(enum session_kind kind, uint32_t argument, uint32_t number)
{
	return (uint64_t)kind << 56 | (uint64_t)argument << 32 | number;
}

static inline uint32_t
index_of(const struct session *session)
{
	return session->number & INDEX_MASK;
}

/* session_list.c: to the end; from anywhere. */
void session_list_add(struct session_mux *mux, enum session_list list,
    struct session *session);
void session_list_remove(struct session_mux *mux, enum session_list list,
    struct session *session);
/* NULL: empty. */
struct session *session_list_first(const struct session_mux *mux,
    enum session_list list);

/* session.c */
void session_begin(struct session_mux *mux, struct session *session,
    enum session_state state, uint64_t identity);
/* Free when both sides said CLOSE. */
void session_maybe_end(struct session_mux *mux, struct session *session);
void session_end(struct session_mux *mux, struct session *session);
/* The mux has to say something; session_flush says it. */
void session_say(struct session_mux *mux, struct session *session,
    enum session_kind kind);

/* session_turn.c */
void session_add_turn(struct session_mux *mux, struct session *session);
bool session_enqueue(struct session_mux *mux, struct session *session,
    const void *data, uint32_t length);
void session_drop_queue(struct session_mux *mux, struct session *session);
