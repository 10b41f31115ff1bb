/* SPDX-License-Identifier: MIT */
/*
 * What the peer says. Each function here returns false if the peer may not say
 * that now; nothing has changed then but the mux being corrupt.
 */
#include <lib/channel/session_state.h>

#include <lib/base/string.h>

struct arrival {
	struct session *session;
	uint32_t number, argument;
	const void *data;
	uint32_t length;
};

/* The place of a new session is free, and the incarnation is the next. */
static bool
open_is_sound(const struct session_mux *mux, const struct arrival *arrival)
{
	const struct session *session = arrival->session;

	return mux->config.server && session->state == STATE_FREE &&
	    arrival->number == session->number + (1u << INDEX_BITS) &&
	    arrival->length == IDENTITY_BYTES && arrival->argument != 0 &&
	    arrival->argument <= SESSION_WINDOW_MAX;
}

static bool
arrive_open(struct session_mux *mux, const struct arrival *arrival)
{
	struct session *session = arrival->session;
	uint64_t identity;

	if (!open_is_sound(mux, arrival))
		return false;
	memcpy(&identity, arrival->data, sizeof(identity));
	session->number = arrival->number;
	session_list_remove(mux, LIST_FREE, session);
	if (mux->config.places - mux->reserved < mux->config.window ||
	    (mux->config.accept != NULL && mux->config.accept(
	    mux->config.context, arrival->number, identity) != OK)) {
		session_begin(mux, session, STATE_REFUSING, identity);
		session_say(mux, session, SESSION_REFUSE);
		mux->counters.refused++;
		return true;
	}
	session_begin(mux, session, STATE_OPEN, identity);
	session->credit = session->credit_max = arrival->argument;
	session_say(mux, session, SESSION_ACCEPT);
	mux->counters.opened++;
	return true;
}

/* Has the client said OPEN, and heard nothing since? */
static bool
waits_for_answer(const struct arrival *arrival)
{
	const struct session *session = arrival->session;

	return session->number == arrival->number &&
	    session->state == STATE_OPENING &&
	    (session->words & WORD(SESSION_OPEN)) == 0 && arrival->length == 0;
}

static void
tell_opened(const struct session_mux *mux, const struct session *session,
    status_t status)
{
	if (mux->config.opened != NULL && !session->own_close)
		mux->config.opened(mux->config.context, session->number,
		    status);
}

static bool
arrive_accept(struct session_mux *mux, const struct arrival *arrival)
{
	struct session *session = arrival->session;

	if (!waits_for_answer(arrival) || arrival->argument == 0 ||
	    arrival->argument > SESSION_WINDOW_MAX)
		return false;
	session->state = STATE_OPEN;
	session->credit = session->credit_max = arrival->argument;
	tell_opened(mux, session, OK);
	return true;
}

static bool
arrive_refuse(struct session_mux *mux, const struct arrival *arrival)
{
	if (!waits_for_answer(arrival) || arrival->argument != 0)
		return false;
	mux->counters.refused++;
	tell_opened(mux, arrival->session, ERR_RIGHT);
	session_end(mux, arrival->session);
	return true;
}

/* May the peer still say something in this session? */
static bool
is_open(const struct arrival *arrival)
{
	const struct session *session = arrival->session;

	return session->number == arrival->number &&
	    session->state == STATE_OPEN && !session->got_close;
}

static bool
arrive_data(struct session_mux *mux, const struct arrival *arrival)
{
	struct session *session = arrival->session;

	if (!is_open(arrival) || arrival->argument != 0 ||
	    session->outstanding == 0 ||
	    arrival->length > mux->config.message_max)
		return false;
	if (session->own_close) {
		mux->counters.dropped++;
		session->owed++;
	} else if (!session_enqueue(mux, session, arrival->data,
	    arrival->length)) {
		return false;
	}
	session->outstanding--;
	return true;
}

static bool
arrive_credit(struct session_mux *mux, const struct arrival *arrival)
{
	struct session *session = arrival->session;

	if (!is_open(arrival) || arrival->length != 0 ||
	    arrival->argument == 0 ||
	    arrival->argument > session->credit_max - session->credit)
		return false;
	session->credit += arrival->argument;
	return true;
}

/*
 * A client may close what the server has just refused: it did not know yet. So
 * a server forgives a CLOSE of the last session of a place.
 */
static bool
arrive_close(struct session_mux *mux, const struct arrival *arrival)
{
	struct session *session = arrival->session;

	if (arrival->length != 0 || arrival->argument != 0)
		return false;
	if (!is_open(arrival))
		return mux->config.server &&
		    session->number == arrival->number &&
		    (session->state == STATE_FREE ||
		    session->state == STATE_REFUSING);
	session->got_close = true;
	if (!session->own_close)
		session_add_turn(mux, session);
	session_maybe_end(mux, session);
	return true;
}

static bool
arrive(struct session_mux *mux, unsigned kind, const struct arrival *arrival)
{
	switch (kind) {
	case SESSION_DATA:
		return arrive_data(mux, arrival);
	case SESSION_OPEN:
		return arrive_open(mux, arrival);
	case SESSION_ACCEPT:
		return arrive_accept(mux, arrival);
	case SESSION_REFUSE:
		return arrive_refuse(mux, arrival);
	case SESSION_CREDIT:
		return arrive_credit(mux, arrival);
	case SESSION_CLOSE:
		return arrive_close(mux, arrival);
	default:
		return false;
	}
}

status_t
session_arrive(struct session_mux *mux, uint64_t tag, const void *data,
    uint32_t length)
{
	struct arrival arrival = {
		.number = (uint32_t)tag,
		.argument = (uint32_t)(tag >> 32) & 0xffffff,
		.data = data,
		.length = length,
	};
	uint32_t index = arrival.number & INDEX_MASK;

	if (mux->corrupt)
		return ERR_CORRUPT;
	arrival.session = index < mux->config.sessions ?
	    &mux->session[index] : NULL;
	mux->corrupt = arrival.session == NULL ||
	    !arrive(mux, (unsigned)(tag >> 56), &arrival);
	return mux->corrupt ? ERR_CORRUPT : OK;
}
