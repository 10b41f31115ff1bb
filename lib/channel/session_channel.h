/* SPDX-License-Identifier: MIT */
/*
 * Sessions over channels: session.h has the rules, two channels carry what the
 * two sides say.
 *
 * Each side has an end that sends (`out`) and one that receives (`in`); what is
 * `out` for one is `in` for the other. Both channels are ASYNC, of bytes
 * (schema 0), with BLOCK or ERROR, and have one sender and one receiver: who
 * else sends there is not listened to, and counted. The ends stay the owner's,
 * who closes them when it likes, and does nothing else with them.
 *
 * Identity. A client says the identity of the token of its `out`. The server
 * compares it with what the port knows of whoever sent it, and refuses a claim
 * that differs before `accept` is asked.
 *
 * Threads: one at a time, which also has both ends. Nothing is done between the
 * calls: who does not receive gives no credit.
 *
 * Errors besides those of session.h: ERR_ARG an end of another kind, ERR_RANGE
 * messages longer than the channels take, ERR_NOMEM, ERR_RIGHT the token was
 * revoked. ERR_CORRUPT: the peer broke the rules, and that stays so.
 */
#pragma once

#include <lib/channel/channel.h>
#include <lib/channel/session.h>

struct session_channel;

struct session_channel_config {
	struct channel *out, *in;	/* borrowed */
	/*
	 * As in session.h. send, accept, opened and context are the library's:
	 * those below are called instead, with `user`.
	 */
	struct session_config mux;
	status_t (*accept)(void *user, uint32_t session, uint64_t identity);
	void (*opened)(void *user, uint32_t session, status_t status);
	void	*user;
};

status_t session_channel_create(const struct session_channel_config *config,
    struct session_channel **out_sessions);
/* NULL is allowed. Says nothing to the peer: close the sessions before. */
void session_channel_destroy(struct session_channel *sessions);

/* As session_open, with the identity of the own token. */
status_t session_channel_open(struct session_channel *sessions,
    uint32_t *out_session);
/* As session_send and session_close; they never wait. */
status_t session_channel_send(struct session_channel *sessions,
    uint32_t session, const void *message, uint32_t length);
status_t session_channel_close(struct session_channel *sessions,
    uint32_t session);
/*
 * As session_receive, but waits until the deadline (ERR_TIMEOUT). Also takes
 * what else the peer says, so a client calls it to learn that it was accepted
 * or has credit again. ERR_EMPTY: the peer is gone, and nothing is left.
 * CHANNEL_NOW: a peer that says much and sends nothing is heard for 1 ms.
 */
status_t session_channel_receive(struct session_channel *sessions,
    uint32_t *out_session, void *message, uint32_t *length,
    uint64_t deadline_ns);

/* For session_credit, session_counters and the like. */
const struct session_mux *session_channel_mux(
    const struct session_channel *sessions);
/* Messages of others than the peer; claims that did not match. */
uint64_t session_channel_strangers(const struct session_channel *sessions);
uint64_t session_channel_imposters(const struct session_channel *sessions);
