/* SPDX-License-Identifier: MIT */
/*
 * Sessions over a pair of channels (session_channel.h).
 *
 * The tag of the mux travels as the session of the message. Whoever sent the
 * first message is the peer from there on; a member that comes later is a
 * stranger, even with the same token.
 *
 * What the mux has to say and finds no room for waits in it. A channel tells
 * nobody about room while its owner waits for messages, so then the wait for a
 * message is short (RETRY_NS), and the flush is tried again.
 */
#include <lib/channel/session_channel.h>

#include "state.h"

#define RETRY_NS	1000000ul
#define SHARE		64u	/* messages taken over before one is given */

struct session_channel {
	struct channel_domain *domain;
	struct channel *out, *in;
	struct session_mux *mux;
	status_t (*accept)(void *user, uint32_t session, uint64_t identity);
	void (*opened)(void *user, uint32_t session, status_t status);
	void	*user;
	uint64_t peer;		/* member; 0: none was heard yet */
	uint64_t identity;	/* of who sent the message in hand */
	uint64_t strangers, imposters;
	bool	 waiting;	/* the mux has something to say */
	size_t	 size;		/* of the memory behind mux */
};

/* To the mux a channel without a receiver yet, or without room, is full. */
static status_t
send(void *context, uint64_t tag, const void *data, uint32_t length)
{
	struct session_channel *sessions = context;
	status_t status;

	channel_set_session(sessions->out, tag);
	status = channel_send_until(sessions->out, data, length, NULL,
	    CHANNEL_NOW);
	return status == ERR_TIMEOUT || status == ERR_EMPTY ? ERR_FULL :
	    status;
}

static status_t
accept(void *context, uint32_t session, uint64_t identity)
{
	struct session_channel *sessions = context;

	if (identity != sessions->identity) {
		sessions->imposters++;
		return ERR_RIGHT;
	}
	return sessions->accept == NULL ? OK :
	    sessions->accept(sessions->user, session, identity);
}

static void
opened(void *context, uint32_t session, status_t status)
{
	struct session_channel *sessions = context;

	if (sessions->opened != NULL)
		sessions->opened(sessions->user, session, status);
}

static bool
is_fit(const struct channel *channel, unsigned role)
{
	const struct channel_config *config = channel_configuration(channel);

	return (channel->role & role) != 0 && config->type == CHANNEL_ASYNC &&
	    config->schema == 0 && (config->overflow == CHANNEL_BLOCK ||
	    config->overflow == CHANNEL_ERROR);
}

static bool
is_long_enough(const struct channel *channel, uint32_t length)
{
	const struct channel_config *config = channel_configuration(channel);

	return config->message_max >= length &&
	    config->message_max >= sizeof(uint64_t);
}

status_t
session_channel_create(const struct session_channel_config *config,
    struct session_channel **out_sessions)
{
	struct channel_domain *domain = config->out->domain;
	struct session_config mux = config->mux;
	struct session_channel *sessions;
	status_t status;

	if (!is_fit(config->out, CHANNEL_SENDER) ||
	    !is_fit(config->in, CHANNEL_RECEIVER) ||
	    config->in->domain != domain)
		return ERR_ARG;
	size_t size = session_mux_size(&mux);
	if (size == 0 || !is_long_enough(config->out, mux.message_max) ||
	    !is_long_enough(config->in, mux.message_max))
		return ERR_RANGE;
	size += (sizeof(*sessions) + 63) & ~63ul;
	sessions = domain->port->allocate(domain, size);
	if (sessions == NULL)
		return ERR_NOMEM;
	*sessions = (struct session_channel){
		.domain = domain, .out = config->out, .in = config->in,
		.accept = config->accept, .opened = config->opened,
		.user = config->user, .size = size,
	};
	mux.send = send;
	mux.accept = accept;
	mux.opened = opened;
	mux.context = sessions;
	status = session_mux_create((uint8_t *)sessions +
	    ((sizeof(*sessions) + 63) & ~63ul), session_mux_size(&mux), &mux,
	    &sessions->mux);
	if (status != OK) {
		session_channel_destroy(sessions);
		return status;
	}
	*out_sessions = sessions;
	return OK;
}

void
session_channel_destroy(struct session_channel *sessions)
{
	if (sessions == NULL)
		return;
	sessions->domain->port->release(sessions->domain, sessions,
	    sessions->size);
}

/* What the mux has to say; that it could not is not the caller's trouble. */
static status_t
flush(struct session_channel *sessions, status_t status)
{
	status_t flushed = session_flush(sessions->mux);

	sessions->waiting = flushed == ERR_FULL;
	if (status == OK && flushed != OK && flushed != ERR_FULL)
		return flushed;
	return status;
}

status_t
session_channel_open(struct session_channel *sessions, uint32_t *out_session)
{
	return flush(sessions, session_open(sessions->mux,
	    channel_identity(sessions->out), out_session));
}

status_t
session_channel_send(struct session_channel *sessions, uint32_t session,
    const void *message, uint32_t length)
{
	return flush(sessions, session_send(sessions->mux, session, message,
	    length));
}

status_t
session_channel_close(struct session_channel *sessions, uint32_t session)
{
	return flush(sessions, session_close(sessions->mux, session));
}

/* The message that is shown goes to the mux. */
static status_t
take(struct session_channel *sessions, const struct channel_view *view)
{
	uint64_t sender = sessions->in->shown.lane->place.peer;
	status_t status = OK;

	if (sessions->peer == 0)
		sessions->peer = sender;
	sessions->identity = view->identity;
	if (sender == sessions->peer)
		status = session_arrive(sessions->mux, view->session,
		    view->data, (uint32_t)view->length);
	else
		sessions->strangers++;
	channel_release(sessions->in, view);
	return status;
}

/* ERR_TIMEOUT: nothing came. */
static status_t
take_over(struct session_channel *sessions, uint64_t deadline_ns)
{
	struct channel_view view;
	status_t status = channel_peek(sessions->in, &view, deadline_ns);

	for (uint32_t i = 0; status == OK && i < SHARE; i++) {
		status = take(sessions, &view);
		if (status == OK)
			status = channel_peek(sessions->in, &view,
			    CHANNEL_NOW);
		/* At least one came. */
		if (status == ERR_TIMEOUT)
			return OK;
	}
	return status;
}

static uint64_t
now(const struct session_channel *sessions)
{
	return sessions->domain->port->now_ns(sessions->domain);
}

/* Until when a message is waited for, if room is waited for as well. */
static uint64_t
not_too_long(const struct session_channel *sessions, uint64_t deadline_ns)
{
	uint64_t soon;

	if (!sessions->waiting || deadline_ns == CHANNEL_NOW)
		return deadline_ns;
	soon = now(sessions) + RETRY_NS;
	return soon < deadline_ns ? soon : deadline_ns;
}

/* A peer that keeps talking does not keep the caller. */
static bool
is_over(const struct session_channel *sessions, uint64_t deadline_ns,
    uint64_t *limit_ns)
{
	if (*limit_ns == CHANNEL_NOW)
		*limit_ns = deadline_ns != CHANNEL_NOW ? deadline_ns :
		    now(sessions) + RETRY_NS;
	return *limit_ns != CHANNEL_FOREVER && now(sessions) >= *limit_ns;
}

status_t
session_channel_receive(struct session_channel *sessions,
    uint32_t *out_session, void *message, uint32_t *length,
    uint64_t deadline_ns)
{
	uint64_t until = CHANNEL_NOW, limit = CHANNEL_NOW;
	uint32_t room = *length;

	if (deadline_ns == CHANNEL_DEFAULT)
		deadline_ns = now(sessions) + RECEIVE_NS;
	for (;;) {
		status_t gone = take_over(sessions, until);
		status_t status;

		if (gone != OK && gone != ERR_TIMEOUT && gone != ERR_GONE)
			return gone;
		*length = room;
		status = flush(sessions, session_receive(sessions->mux,
		    out_session, message, length));
		if (status != ERR_EMPTY)
			return status;
		if (gone == ERR_GONE)
			return ERR_EMPTY;
		if (gone == ERR_TIMEOUT ? until == deadline_ns :
		    is_over(sessions, deadline_ns, &limit))
			return ERR_TIMEOUT;
		until = not_too_long(sessions, deadline_ns);
	}
}

const struct session_mux *
session_channel_mux(const struct session_channel *sessions)
{
	return sessions->mux;
}

uint64_t
session_channel_strangers(const struct session_channel *sessions)
{
	return sessions->strangers;
}

uint64_t
session_channel_imposters(const struct session_channel *sessions)
{
	return sessions->imposters;
}
