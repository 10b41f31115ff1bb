/* SPDX-License-Identifier: MIT */
/* What waits to be received, and whose turn it is. */
#include <lib/channel/session_state.h>

#include <lib/base/string.h>

void
session_add_turn(struct session_mux *mux, struct session *session)
{
	if (session->in_turn)
		return;
	session->in_turn = true;
	session->visited = false;
	session_list_add(mux, LIST_TURNS, session);
}

static void
remove_turn(struct session_mux *mux, struct session *session)
{
	session->in_turn = false;
	session_list_remove(mux, LIST_TURNS, session);
}

/* False: no place is free, which credit rules out. */
bool
session_enqueue(struct session_mux *mux, struct session *session,
    const void *data, uint32_t length)
{
	uint32_t number = mux->free_place;

	if (number == NONE)
		return false;
	struct place *place = &mux->place[number];
	mux->free_place = place->next;
	*place = (struct place){ NONE, length };
	if (length > 0)
		memcpy(mux->bytes + (size_t)number * mux->stride, data, length);
	if (session->last != NONE)
		mux->place[session->last].next = number;
	else
		session->first = number;
	session->last = number;
	session->queued++;
	mux->counters.places++;
	session_add_turn(mux, session);
	return true;
}

/* The first message goes: its credit is to be given back. */
static void
free_first(struct session_mux *mux, struct session *session)
{
	uint32_t number = session->first;

	session->first = mux->place[number].next;
	if (session->first == NONE)
		session->last = NONE;
	mux->place[number].next = mux->free_place;
	mux->free_place = number;
	session->queued--;
	session->owed++;
	mux->counters.places--;
}

void
session_drop_queue(struct session_mux *mux, struct session *session)
{
	if (session->in_turn)
		remove_turn(mux, session);
	while (session->queued > 0) {
		free_first(mux, session);
		mux->counters.dropped++;
	}
}

/*
 * NULL: none. The session whose first message is next, or that has nothing but
 * its end to report. A session that leaves the list loses what was left of its
 * turn.
 */
static struct session *
choose(struct session_mux *mux)
{
	for (;;) {
		struct session *session = session_list_first(mux, LIST_TURNS);

		if (session == NULL || session->queued == 0)
			return session;
		if (!session->visited)
			session->deficit += mux->refill;
		session->visited = true;
		if (mux->place[session->first].length + SESSION_COST <=
		    session->deficit)
			return session;
		remove_turn(mux, session);
		session_add_turn(mux, session);
	}
}

static void
give_back(struct session_mux *mux, struct session *session)
{
	if (!session->got_close && 2 * session->owed >= mux->config.window)
		session_say(mux, session, SESSION_CREDIT);
}

static void
take(struct session_mux *mux, struct session *session, void *data)
{
	uint32_t length = mux->place[session->first].length;

	if (length > 0)
		memcpy(data, mux->bytes + (size_t)session->first * mux->stride,
		    length);
	session->deficit -= length + SESSION_COST;
	mux->counters.received++;
	mux->counters.bytes_received += length;
	free_first(mux, session);
	give_back(mux, session);
	if (session->queued > 0)
		return;
	session->deficit = 0;
	remove_turn(mux, session);
	if (session->got_close)
		session_add_turn(mux, session);
}

status_t
session_receive(struct session_mux *mux, uint32_t *out_session, void *data,
    uint32_t *length)
{
	uint32_t room = *length;

	if (mux->corrupt)
		return ERR_CORRUPT;
	struct session *session = choose(mux);
	if (session == NULL)
		return ERR_EMPTY;
	*out_session = session->number;
	if (session->queued == 0) {
		remove_turn(mux, session);
		session->told = true;
		return ERR_GONE;
	}
	*length = mux->place[session->first].length;
	if (*length > room)
		return ERR_RANGE;
	take(mux, session, data);
	return OK;
}
