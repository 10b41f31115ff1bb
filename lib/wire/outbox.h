/* SPDX-License-Identifier: MIT */
/*
 * Exactly once between services, for methods with $replay(keyed).
 *
 * The caller commits what it wants done to its outbox, with an id, and calls in
 * a later transaction: whether or not it dies in between, it calls until there
 * is an answer, always with that id. The server keeps its last reply to each
 * caller, in the transaction that does the work: a call with the same id is
 * answered with it and does nothing.
 *
 * Ids of an outbox only grow, and there is one outbox for one server, whose
 * entries are called in order, each once the one before it was answered. So a
 * call acknowledges the replies to all before it, and one reply is enough.
 * After a cold start ids go on above the old ones, for they begin with the
 * clock.
 *
 * Both structs lie in an arena, zeroed at first; one of each per pair of
 * services. An error is not kept: with it nothing was done, and the next call
 * may have better luck.
 */
#pragma once

#include <lib/arena/arena.h>
#include <lib/wire/wire.h>

#define WIRE_OUTBOX_MAX	16u
#define WIRE_KEPT_MAX	32u	/* callers, which are places */
#define WIRE_ID_WORD	7u	/* of the request */

struct wire_outbox_entry {
	uint64_t id;		/* 0: free */
	struct message request;
};

struct wire_outbox {
	uint64_t last_id;
	struct wire_outbox_entry entry[WIRE_OUTBOX_MAX];
};

/*
 * In a transaction: lists the request, with its id in WIRE_ID_WORD. now_ns is
 * since boot. ERR_FULL, ERR_NOMEM.
 */
status_t wire_outbox_add(struct arena *arena, struct wire_outbox *outbox,
    uint64_t now_ns, const struct message *request);
/* The one to be called next, in another transaction; NULL: none. */
const struct wire_outbox_entry *wire_outbox_first(
    const struct wire_outbox *outbox);
/* In the transaction that uses the answer. ERR_NOENT, ERR_NOMEM. */
status_t wire_outbox_done(struct arena *arena, struct wire_outbox *outbox,
    uint64_t id);

struct wire_kept {
	uint64_t badge;		/* of the caller; 0: free */
	uint64_t id;
	struct message reply;
};

struct wire_kept_table {
	struct wire_kept entry[WIRE_KEPT_MAX];
};

typedef enum {
	WIRE_NEW,		/* to be done */
	WIRE_KEPT,		/* was done: *out_reply is the answer */
	WIRE_OLD,		/* was done and acknowledged, or has no id */
} wire_keyed;

wire_keyed wire_kept_find(const struct wire_kept_table *table, uint64_t badge,
    uint64_t id, struct message *out_reply);
/* In the transaction that does it. ERR_FULL, ERR_NOMEM. */
status_t wire_kept_put(struct arena *arena, struct wire_kept_table *table,
    uint64_t badge, uint64_t id, const struct message *reply);
