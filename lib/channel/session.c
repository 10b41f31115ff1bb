/* SPDX-License-Identifier: MIT */
/* The life of sessions, and what this side says. */
#include <lib/channel/session_state.h>

#include <lib/base/string.h>

static uint32_t
cost_max(const struct session_config *config)
{
	return config->message_max + SESSION_COST;
}

static uint32_t
stride_of(const struct session_config *config)
{
	return (config->message_max + 7) & ~7u;
}

size_t
session_mux_size(const struct session_config *config)
{
	if (config->sessions == 0 || config->sessions > SESSIONS_MAX ||
	    config->window == 0 || config->window > SESSION_WINDOW_MAX ||
	    config->places < config->window || config->places == NONE ||
	    config->message_max > SESSION_MESSAGE_MAX ||
	    (config->quantum != 0 &&
	    config->quantum < 2 * cost_max(config) - 1))
		return 0;
	return sizeof(struct session_mux) +
	    (size_t)config->sessions * sizeof(struct session) +
	    (size_t)config->places * (sizeof(struct place) + stride_of(config));
}

static void
lay_out(struct session_mux *mux)
{
	const struct session_config *config = &mux->config;

	mux->session = (struct session *)(mux + 1);
	mux->place = (struct place *)(mux->session + config->sessions);
	mux->bytes = (uint8_t *)(mux->place + config->places);
	for (unsigned list = 0; list < LISTS; list++)
		mux->ends[list] = (struct link){ NONE, NONE };
	for (uint32_t i = 0; i < config->sessions; i++) {
		mux->session[i].number = i;
		session_list_add(mux, LIST_FREE, &mux->session[i]);
	}
	for (uint32_t i = 0; i < config->places; i++)
		mux->place[i].next = i + 1 < config->places ? i + 1 : NONE;
}

status_t
session_mux_create(void *memory, size_t size,
    const struct session_config *config, struct session_mux **out_mux)
{
	struct session_mux *mux = memory;
	size_t needed = session_mux_size(config);

	if (memory == NULL || (uintptr_t)memory % sizeof(uint64_t) != 0 ||
	    config->send == NULL)
		return ERR_ARG;
	if (needed == 0 || size < needed)
		return ERR_RANGE;
	memset(memory, 0, needed);
	mux->config = *config;
	if (mux->config.quantum == 0)
		mux->config.quantum = 2 * cost_max(config) - 1;
	mux->refill = mux->config.quantum - cost_max(config) + 1;
	mux->stride = stride_of(config);
	lay_out(mux);
	*out_mux = mux;
	return OK;
}

/* NULL: none of that number that the user may name. */
static struct session *
find(const struct session_mux *mux, uint32_t number)
{
	uint32_t index = number & INDEX_MASK;

	if (index >= mux->config.sessions)
		return NULL;
	struct session *session = &mux->session[index];
	return session->number == number && !session->own_close &&
	    (session->state == STATE_OPENING || session->state == STATE_OPEN) ?
	    session : NULL;
}

void
session_begin(struct session_mux *mux, struct session *session,
    enum session_state state, uint64_t identity)
{
	*session = (struct session){
		.number = session->number,
		.identity = identity,
		.state = (uint8_t)state,
		.first = NONE, .last = NONE,
	};
	if (state == STATE_REFUSING)
		return;
	session->outstanding = mux->config.window;
	mux->reserved += mux->config.window;
	mux->counters.sessions++;
}

void
session_end(struct session_mux *mux, struct session *session)
{
	if (session->words != 0)
		session_list_remove(mux, LIST_WORDS, session);
	session->words = 0;
	if (session->state != STATE_REFUSING) {
		mux->reserved -= mux->config.window;
		mux->counters.sessions--;
		mux->counters.closed++;
	}
	session->state = STATE_FREE;
	session_list_add(mux, LIST_FREE, session);
}

void
session_maybe_end(struct session_mux *mux, struct session *session)
{
	if (session->got_close && session->own_close &&
	    (session->words & WORD(SESSION_CLOSE)) == 0)
		session_end(mux, session);
}

void
session_say(struct session_mux *mux, struct session *session,
    enum session_kind kind)
{
	if (session->words == 0)
		session_list_add(mux, LIST_WORDS, session);
	session->words |= (uint8_t)WORD(kind);
}

/* One word of a session, and what it means once it is said. */
static status_t
say(struct session_mux *mux, struct session *session, enum session_kind kind)
{
	uint32_t argument = kind == SESSION_OPEN || kind == SESSION_ACCEPT ?
	    mux->config.window : kind == SESSION_CREDIT ? session->owed : 0;
	status_t status = mux->config.send(mux->config.context,
	    tag_of(kind, argument, session->number), &session->identity,
	    kind == SESSION_OPEN ? IDENTITY_BYTES : 0);

	if (status != OK)
		return status;
	session->words &= (uint8_t)~WORD(kind);
	if (kind == SESSION_CREDIT) {
		session->outstanding += session->owed;
		session->owed = 0;
	}
	return OK;
}

/* All words of a session, in the order of their kinds. */
static status_t
say_all(struct session_mux *mux, struct session *session)
{
	for (unsigned kind = SESSION_OPEN; kind <= SESSION_CLOSE; kind++) {
		if ((session->words & WORD(kind)) == 0)
			continue;
		status_t status = say(mux, session, kind);
		if (status != OK)
			return status;
	}
	session_list_remove(mux, LIST_WORDS, session);
	if (session->state == STATE_REFUSING)
		session_end(mux, session);
	else
		session_maybe_end(mux, session);
	return OK;
}

status_t
session_flush(struct session_mux *mux)
{
	struct session *session;

	if (mux->corrupt)
		return ERR_CORRUPT;
	while ((session = session_list_first(mux, LIST_WORDS)) != NULL) {
		status_t status = say_all(mux, session);
		if (status != OK)
			return status;
	}
	return OK;
}

status_t
session_open(struct session_mux *mux, uint64_t identity, uint32_t *out_session)
{
	struct session *session = session_list_first(mux, LIST_FREE);

	if (mux->corrupt)
		return ERR_CORRUPT;
	if (mux->config.server)
		return ERR_STATE;
	if (session == NULL ||
	    mux->config.places - mux->reserved < mux->config.window)
		return ERR_FULL;
	session_list_remove(mux, LIST_FREE, session);
	session->number += 1u << INDEX_BITS;
	session_begin(mux, session, STATE_OPENING, identity);
	session_say(mux, session, SESSION_OPEN);
	mux->counters.opened++;
	*out_session = session->number;
	return OK;
}

status_t
session_send(struct session_mux *mux, uint32_t number, const void *data,
    uint32_t length)
{
	struct session *session = find(mux, number);

	if (mux->corrupt)
		return ERR_CORRUPT;
	if (session == NULL)
		return ERR_NOENT;
	if (session->got_close)
		return ERR_GONE;
	if (length > mux->config.message_max)
		return ERR_RANGE;
	if (session->credit == 0)
		return ERR_BUSY;
	/* The client must hear of the session before it hears from it. */
	if ((session->words & WORD(SESSION_ACCEPT)) != 0) {
		status_t status = session_flush(mux);
		if (status != OK)
			return status;
	}
	status_t status = mux->config.send(mux->config.context,
	    tag_of(SESSION_DATA, 0, number), data, length);
	if (status != OK)
		return status;
	session->credit--;
	mux->counters.sent++;
	mux->counters.bytes_sent += length;
	return OK;
}

/* Nobody heard of it yet: as if it had never been. */
static void
take_back_open(struct session_mux *mux, struct session *session)
{
	session_end(mux, session);
	session->number -= 1u << INDEX_BITS;
}

status_t
session_close(struct session_mux *mux, uint32_t number)
{
	struct session *session = find(mux, number);

	if (session == NULL)
		return ERR_NOENT;
	session_drop_queue(mux, session);
	session->own_close = true;
	if ((session->words & WORD(SESSION_OPEN)) != 0)
		take_back_open(mux, session);
	else
		session_say(mux, session, SESSION_CLOSE);
	return OK;
}

uint64_t
session_identity(const struct session_mux *mux, uint32_t number)
{
	const struct session *session = find(mux, number);

	return session == NULL ? 0 : session->identity;
}

uint32_t
session_credit(const struct session_mux *mux, uint32_t number)
{
	const struct session *session = find(mux, number);

	return session == NULL ? 0 : session->credit;
}

void
session_counters(const struct session_mux *mux,
    struct session_counters *out_counters)
{
	*out_counters = mux->counters;
}
