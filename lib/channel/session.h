/* SPDX-License-Identifier: MIT */
/*
 * Sessions: many conversations over one pair of lanes, one in each direction.
 *
 * A mux is one end. The client opens sessions, the server accepts or refuses
 * them; both send. A message of a session carries in its tag
 *
 *	bits 0-19 number, 20-31 incarnation, 32-55 argument, 56-63 kind
 *
 *	kind	argument	payload		direction
 *	DATA	0		the message	both
 *	OPEN	credit		identity (8)	to the server
 *	ACCEPT	credit		none		to the client
 *	REFUSE	0		none		to the client
 *	CREDIT	credit		none		both
 *	CLOSE	0		none		both
 *
 * Credit. Who sends needs a credit for each message, and gets one back when the
 * other side's user took a message out. The receiver reserved a place for each
 * credit it ever granted: what a peer sends within its credit always fits, and
 * one session cannot take the places of another.
 *
 * Fairness. The receiver serves sessions in turn (deficit round robin,
 * Shreedhar and Varghese 1995). A message costs its length and SESSION_COST. In
 * one turn a session gets at most `quantum`, so a message at the head of its
 * session waits for at most one quantum of each other session; what a session
 * left of its turn it has in the next, so in the long run all get the same.
 *
 * Closing. Each side says CLOSE once; the session's place is free when both
 * did. What was sent before is received first, then ERR_GONE. Messages that
 * arrive after the own close are dropped and counted.
 *
 * Identity. 64 bits from the client's token (token_identity, lib/token); it is
 * what the client says, so the server compares it with what the port knows.
 *
 * Trust. The peer may send anything. What breaks the rules is ERR_CORRUPT,
 * sticky; the owner closes the lane.
 *
 * This is a state machine without a channel: the owner hands in what arrived
 * (session_arrive), the mux sends through a callback that may say ERR_FULL.
 * What the mux has to say by itself then waits for session_flush.
 *
 * Thread safety: one thread at a time. Memory is the caller's, of fixed size;
 * nothing takes time in proportion to the number of sessions.
 */
#pragma once

#include <abi/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SESSIONS_MAX		(1u << 20)
#define SESSION_WINDOW_MAX	4096u
#define SESSION_MESSAGE_MAX	(1u << 24)
#define SESSION_COST		64u	/* of a message, beside its length */

enum session_kind {
	SESSION_DATA, SESSION_OPEN, SESSION_ACCEPT, SESSION_REFUSE,
	SESSION_CREDIT, SESSION_CLOSE,
};

struct session_mux;

struct session_config {
	bool	 server;
	uint32_t sessions;	/* at once; the same on both sides */
	uint32_t window;	/* credits of each session, to this side */
	uint32_t places;	/* for messages received; >= window */
	uint32_t message_max;	/* bytes */
	/* At least 2 * (message_max + SESSION_COST) - 1. 0: that. */
	uint32_t quantum;
	/*
	 * Sends, or ERR_FULL: nothing was sent, try later. Any other status is
	 * handed to the caller of the mux.
	 */
	status_t (*send)(void *context, uint64_t tag, const void *data,
	    uint32_t length);
	/* Server: OK, or any error to refuse. NULL accepts all. */
	status_t (*accept)(void *context, uint32_t session, uint64_t identity);
	/* Client: OK accepted, ERR_RIGHT refused (then it is closed). May be
	 * NULL. Neither callback calls the mux. */
	void (*opened)(void *context, uint32_t session, status_t status);
	void	*context;
};

/* Bytes, aligned to 8; 0: out of range. */
size_t session_mux_size(const struct session_config *config);
/* ERR_ARG memory NULL or not aligned, no send; ERR_RANGE a limit or size. */
status_t session_mux_create(void *memory, size_t size,
    const struct session_config *config, struct session_mux **out_mux);

/*
 * Client: a new session, of which nothing can be sent before the server gave
 * credit. ERR_FULL no session free or no places for its window, ERR_STATE a
 * server.
 */
status_t session_open(struct session_mux *mux, uint64_t identity,
    uint32_t *out_session);
/*
 * ERR_NOENT no such session, ERR_GONE closed by the peer, ERR_RANGE too long,
 * ERR_BUSY no credit: wait for the peer, ERR_FULL the lane is full.
 */
status_t session_send(struct session_mux *mux, uint32_t session,
    const void *data, uint32_t length);
/* ERR_NOENT. What was received and not taken is dropped. */
status_t session_close(struct session_mux *mux, uint32_t session);

/* One message of the lane. ERR_CORRUPT: see above. */
status_t session_arrive(struct session_mux *mux, uint64_t tag,
    const void *data, uint32_t length);
/*
 * The next message in fair order. ERR_EMPTY none, ERR_RANGE longer than
 * *length, which says how long (the message stays), ERR_GONE this session ended
 * (once; the caller closes it).
 */
status_t session_receive(struct session_mux *mux, uint32_t *out_session,
    void *data, uint32_t *length);

/*
 * Sends what the mux itself has to say. OK nothing is left, ERR_FULL something
 * is, ERR_CORRUPT. Called after all above, or before the owner sleeps.
 */
status_t session_flush(struct session_mux *mux);

/* Of a session that exists, else 0. */
uint64_t session_identity(const struct session_mux *mux, uint32_t session);
uint32_t session_credit(const struct session_mux *mux, uint32_t session);

struct session_counters {
	uint64_t opened, refused, closed;
	uint64_t sent, received, dropped;	/* messages of users */
	uint64_t bytes_sent, bytes_received;
	uint32_t sessions, places;		/* in use now */
};
void session_counters(const struct session_mux *mux,
    struct session_counters *out_counters);

/* Walks everything: false if something is not as it must be. */
bool session_mux_ok(const struct session_mux *mux);
