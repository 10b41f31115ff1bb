/* SPDX-License-Identifier: MIT */
#include <lib/channel/session_state.h>

/* Sessions of a list, which must hold together; NONE if it does not. */
static uint32_t
list_length(const struct session_mux *mux, enum session_list list)
{
	uint32_t length = 0, previous = NONE, index;

	for (index = mux->ends[list].next; index != NONE;
	    index = mux->session[index].link[list].next) {
		if (index >= mux->config.sessions ||
		    length == mux->config.sessions ||
		    mux->session[index].link[list].previous != previous)
			return NONE;
		previous = index;
		length++;
	}
	return mux->ends[list].previous == previous ? length : NONE;
}

static bool
queue_ok(const struct session_mux *mux, const struct session *session)
{
	uint32_t length = 0, last = NONE;

	for (uint32_t at = session->first; at != NONE;
	    at = mux->place[at].next) {
		if (at >= mux->config.places || length == session->queued ||
		    mux->place[at].length > mux->config.message_max)
			return false;
		last = at;
		length++;
	}
	return length == session->queued && last == session->last;
}

static bool
session_ok(const struct session_mux *mux, const struct session *session)
{
	bool end = session->got_close && !session->own_close && !session->told;

	if (index_of(session) != (uint32_t)(session - mux->session))
		return false;
	if (session->state == STATE_FREE || session->state == STATE_REFUSING)
		return !session->in_turn && session->queued == 0 &&
		    (session->words != 0) == (session->state != STATE_FREE);
	return session->outstanding + session->queued + session->owed ==
	    mux->config.window && session->credit <= session->credit_max &&
	    session->deficit <= mux->config.quantum &&
	    session->in_turn == (session->queued > 0 || end) &&
	    !(session->own_close && session->queued > 0) &&
	    queue_ok(mux, session);
}

static bool
places_ok(const struct session_mux *mux)
{
	uint32_t free = 0;

	for (uint32_t at = mux->free_place; at != NONE;
	    at = mux->place[at].next) {
		if (at >= mux->config.places || free == mux->config.places)
			return false;
		free++;
	}
	return free + mux->counters.places == mux->config.places &&
	    mux->reserved <= mux->config.places &&
	    mux->reserved == mux->counters.sessions * mux->config.window;
}

bool
session_mux_ok(const struct session_mux *mux)
{
	uint32_t sum[LISTS] = { 0 }, existing = 0, queued = 0;

	for (uint32_t i = 0; i < mux->config.sessions; i++) {
		const struct session *session = &mux->session[i];

		if (!session_ok(mux, session))
			return false;
		sum[LIST_FREE] += session->state == STATE_FREE;
		sum[LIST_TURNS] += session->in_turn;
		sum[LIST_WORDS] += session->words != 0;
		existing += session->state == STATE_OPEN ||
		    session->state == STATE_OPENING;
		queued += session->queued;
	}
	for (unsigned list = 0; list < LISTS; list++) {
		if (list_length(mux, list) != sum[list])
			return false;
	}
	return existing == mux->counters.sessions &&
	    queued == mux->counters.places && places_ok(mux);
}
