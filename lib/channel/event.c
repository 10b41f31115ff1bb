/* SPDX-License-Identifier: MIT */
/*
 * What happens around a member: lanes come and go, tokens are revoked.
 *
 * The port tells it as events, and changes the generation behind them. A lane
 * that ends is only marked, because the caller may hold memory of it (a
 * reserved or shown message, a call that waits): the sweep drops it when
 * nothing does.
 */
#include "kept.h"

void *
channel_back_memory(const struct lane_place *place)
{
	return (uint8_t *)place->memory + ring_size(place->lines);
}

static unsigned
lower(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static status_t
grow(struct channel *channel, struct lane_list *list)
{
	const struct channel_port *port = channel->domain->port;
	uint32_t room = list->room == 0 ? 4 : 2 * list->room;

	if (list->count < list->room)
		return OK;
	void **lane = port->allocate(channel->domain, room * sizeof(*lane));
	if (lane == NULL)
		return ERR_NOMEM;
	if (list->room != 0) {
		memcpy(lane, list->lane, list->count * sizeof(*lane));
		port->release(channel->domain, list->lane,
		    list->room * sizeof(*lane));
	}
	list->lane = lane;
	list->room = room;
	return OK;
}

/* One word per lane, for whoever sleeps on all of them. */
static status_t
grow_words(struct channel *channel)
{
	const struct channel_port *port = channel->domain->port;
	uint32_t room = channel->in.room > channel->out.room ?
	    channel->in.room : channel->out.room;

	if (room <= channel->words_room)
		return OK;
	uint32_t **words = port->allocate(channel->domain,
	    room * sizeof(*words));
	if (words == NULL)
		return ERR_NOMEM;
	if (channel->words_room != 0)
		port->release(channel->domain, channel->words,
		    channel->words_room * sizeof(*words));
	channel->words = words;
	channel->words_room = room;
	return OK;
}

static status_t
make_room(struct channel *channel, struct lane_list *list)
{
	status_t status = grow(channel, list);

	return status == OK ? grow_words(channel) : status;
}

/* A kept member has a record for each lane. */
static bool
has_no_record_left(const struct channel *channel)
{
	return channel->kept && channel->out.count + channel->in.count >=
	    CHANNEL_KEPT_LANES;
}

static status_t
add_out(struct channel *channel, const struct lane_place *place)
{
	const struct channel_port *port = channel->domain->port;
	status_t status = make_room(channel, &channel->out);

	if (status == OK && has_no_record_left(channel))
		status = ERR_LIMIT;
	if (status != OK)
		return status;
	struct lane_out *lane = port->allocate(channel->domain, sizeof(*lane));
	if (lane == NULL)
		return ERR_NOMEM;
	lane->place = *place;
	lane->strictness = channel_serializer_for(lower(place->trust,
	    channel->member.trust));
	status = channel->kept ? channel_kept_open_out(channel, lane) :
	    ring_producer_open(&lane->messages, place->memory, place->lines);
	if (status == OK)
		status = ring_consumer_open(&lane->back,
		    channel_back_memory(place), place->return_lines);
	if (status == OK)
		status = channel_buffers_join(channel, lane);
	if (status != OK) {
		port->release(channel->domain, lane, sizeof(*lane));
		return status;
	}
	channel->out.lane[channel->out.count++] = lane;
	if (channel->kept)
		channel_kept_wake_out(channel, lane);
	return OK;
}

static status_t
add_in(struct channel *channel, const struct lane_place *place)
{
	const struct channel_port *port = channel->domain->port;
	status_t status = make_room(channel, &channel->in);

	if (status == OK && has_no_record_left(channel))
		status = ERR_LIMIT;
	if (status != OK)
		return status;
	if (place->pool_size < lane_pool_size(&channel->member.config))
		return ERR_ARG;
	struct lane_in *lane = port->allocate(channel->domain, sizeof(*lane));
	if (lane == NULL)
		return ERR_NOMEM;
	lane->place = *place;
	lane->trust = lower(place->trust, channel->member.trust);
	lane->strictness = channel_serializer_for(lane->trust);
	status = channel->kept ? channel_kept_open_in(channel, lane) :
	    ring_consumer_open(&lane->messages, place->memory, place->lines);
	if (status == OK && !channel->kept)
		status = ring_producer_open(&lane->back,
		    channel_back_memory(place), place->return_lines);
	if (status != OK) {
		port->release(channel->domain, lane, sizeof(*lane));
		return status;
	}
	channel->in.lane[channel->in.count++] = lane;
	if (channel->kept)
		channel_kept_wake_in(channel, lane);
	channel->had_senders = true;
	return OK;
}

static void
remove_from(struct lane_list *list, uint32_t i)
{
	list->lane[i] = list->lane[--list->count];
	if (list->turn >= list->count)
		list->turn = 0;
}

static void
drop_out(struct channel *channel, uint32_t i)
{
	const struct channel_port *port = channel->domain->port;
	struct lane_out *lane = lane_out_at(channel, i);

	if (channel->batch_lane == lane) {
		channel->batch_lane = NULL;
		channel->batched = 0;
	}
	channel_kept_leave(channel, lane->place.number, true);
	channel_buffers_leave(channel, lane);
	remove_from(&channel->out, i);
	port->drop_lane(channel->domain, &channel->member, &lane->place);
	port->release(channel->domain, lane, sizeof(*lane));
}

/* What a sender without its right left in the lane is not received. */
static void
count_refused(struct channel *channel, struct lane_in *lane)
{
	struct ring_message message;
	uint32_t lines = lane->place.lines;

	if (channel_is_lossy(channel))
		return;
	for (; lines != 0 && ring_peek(&lane->messages, &message) == OK;
	    lines--) {
		count_add(&channel->counters->abandoned, 1);
		ring_release(&lane->messages);
	}
}

static void
drop_in(struct channel *channel, uint32_t i)
{
	const struct channel_port *port = channel->domain->port;
	struct lane_in *lane = lane_in_at(channel, i);

	channel_kept_leave(channel, lane->place.number, false);
	if (lane->refused)
		count_refused(channel, lane);
	if (channel->asked.lane == lane) {
		channel->asked.lane = NULL;
		channel_let_go(channel);
	}
	remove_from(&channel->in, i);
	channel->share = 0;
	port->drop_lane(channel->domain, &channel->member, &lane->place);
	port->release(channel->domain, lane, sizeof(*lane));
}

static bool
has_come_to_its_end(const struct channel *channel, const struct lane_in *lane)
{
	return channel->shown.lane != lane && !lane->moved &&
	    (lane->refused || (lane->gone && lane->finished));
}

static void weigh_lanes(struct channel *channel);

void
channel_sweep(struct channel *channel)
{
	bool waits = false;

	for (uint32_t i = channel->out.count; i-- > 0;) {
		struct lane_out *lane = lane_out_at(channel, i);

		if (!lane->gone)
			continue;
		if (channel->made.lane == lane || channel->calling == lane) {
			waits = true;
			continue;
		}
		count_add(&channel->counters->abandoned,
		    channel_is_lossy(channel) ?
		    ring_untaken(&lane->messages) :
		    ring_unread(&lane->messages));
		drop_out(channel, i);
	}
	for (uint32_t i = channel->in.count; i-- > 0;) {
		/* What was received of it may still be undone. */
		waits |= lane_in_at(channel, i)->moved;
		if (has_come_to_its_end(channel, lane_in_at(channel, i)))
			drop_in(channel, i);
	}
	channel->ending = waits;
	weigh_lanes(channel);
}

void
channel_corrupt_out(struct channel *channel, struct lane_out *lane)
{
	if (lane->gone)
		return;
	count_add(&channel->counters->corrupt, 1);
	lane->gone = true;
	channel->ending = true;
}

void
channel_corrupt_in(struct channel *channel, struct lane_in *lane)
{
	if (lane->refused)
		return;
	count_add(&channel->counters->corrupt, 1);
	lane->refused = true;
	channel->ending = true;
}

/* The memory says which lane; NULL: all of the peer. */
static bool
is_meant(const struct lane_place *own, const struct lane_place *event)
{
	return own->peer == event->peer &&
	    (event->memory == NULL || event->memory == own->memory);
}

static void
peer_left(struct channel *channel, const struct lane_place *place, bool revoked)
{
	for (uint32_t i = 0; i < channel->out.count; i++) {
		struct lane_out *lane = lane_out_at(channel, i);

		if (!is_meant(&lane->place, place))
			continue;
		lane->gone = true;
		lane->refused = lane->refused || revoked;
	}
	for (uint32_t i = 0; i < channel->in.count; i++) {
		struct lane_in *lane = lane_in_at(channel, i);

		if (!is_meant(&lane->place, place))
			continue;
		lane->gone = true;
		lane->refused |= revoked;
	}
}

static void
take_event(struct channel *channel, struct channel_event *event)
{
	status_t status = OK;

	switch (event->kind) {
	case CHANNEL_LANE_OUT:
		status = add_out(channel, &event->place);
		break;
	case CHANNEL_LANE_IN:
		status = add_in(channel, &event->place);
		break;
	case CHANNEL_PEER_GONE:
	case CHANNEL_PEER_REVOKED:
		peer_left(channel, &event->place,
		    event->kind == CHANNEL_PEER_REVOKED);
		break;
	case CHANNEL_REVOKED:
		channel->revoked = true;
		break;
	}
	/* Without memory for it the lane can only be given back. */
	if (status != OK)
		channel->domain->port->drop_lane(channel->domain,
		    &channel->member, &event->place);
}

status_t
channel_catch_up(struct channel *channel)
{
	const struct channel_port *port = channel->domain->port;
	uint64_t generation = ring_load(channel->generation, RING_ACQUIRE);
	struct channel_event event;

	if (generation != channel->member.generation_seen) {
		channel->member.generation_seen = generation;
		memset(channel->known, 0, sizeof(channel->known));
		while (port->next_event(channel->domain, &channel->member,
		    &event) == OK)
			take_event(channel, &event);
		channel_sweep(channel);
		channel_page_lanes(channel);
	}
	return channel->revoked ? ERR_RIGHT : OK;
}

/* Rights of a token that is not the one of the open. */
static unsigned
rights_of(struct channel *channel, const struct token *token)
{
	struct known_token *known = channel->known;

	for (uint32_t i = 0; i < TOKENS_KNOWN; i++)
		if (known[i].rights != 0 && memcmp(&known[i].token, token,
		    sizeof(*token)) == 0)
			return known[i].rights;
	unsigned rights = channel->domain->port->rights(channel->domain,
	    &channel->member, token);
	known += channel->known_next;
	channel->known_next = (channel->known_next + 1) % TOKENS_KNOWN;
	*known = (struct known_token){ .token = *token, .rights = rights };
	return rights;
}

/* What waited goes on only with a right that it still has. */
status_t
channel_go_on(struct channel *channel)
{
	status_t status = channel_catch_up(channel);
	unsigned needs = channel->acting_needs;

	if (status == OK && channel->acting != NULL &&
	    (rights_of(channel, channel->acting) & needs) != needs)
		status = ERR_RIGHT;
	return status;
}

status_t
channel_check(struct channel *channel, const struct token *token,
    unsigned needed)
{
	unsigned role = needed == TOKEN_SEND ? CHANNEL_SENDER :
	    CHANNEL_RECEIVER;
	bool own = token == NULL ||
	    token_difference(&channel->token, token) == 0;

	channel->acting = own ? NULL : token;
	channel->acting_needs = needed;
	status_t status = channel_go_on(channel);
	count_add(&channel->counters->slow, 1);
	if (status != OK)
		return status;
	if ((channel->role & role) == 0)
		return ERR_STATE;
	if (needed != TOKEN_SEND || !channel->stale)
		return OK;
	channel_promise(channel);
	return ERR_STALE;
}

static enum channel_serializer
strictest(const struct channel *channel)
{
	enum channel_serializer most = channel->serializer;

	if (channel->member.config.serializer > most)
		most = channel->member.config.serializer;
	if (most == CHANNEL_AUTO)
		most = channel_serializer_for(channel->member.trust);
	for (uint32_t i = 0; i < channel->out.count; i++)
		if (lane_out_at(channel, i)->strictness > most)
			most = lane_out_at(channel, i)->strictness;
	return most;
}

void
channel_promise(struct channel *channel)
{
	channel->kind = lane_kind(channel->member.config.schema == 0 ?
	    CHANNEL_RAW : strictest(channel), 0);
	channel->stale = channel->changed = false;
	channel_set_fast(channel);
	channel_page_lanes(channel);
}

static bool
may_send_fast(const struct channel *channel)
{
	if (channel->revoked || channel->stale ||
	    (channel->fast_role & CHANNEL_SENDER) == 0 || channel->out.count != 1 || channel->made.where != MADE_NOT ||
	    lane_out_at(channel, 0)->gone || channel_is_lossy(channel))
		return false;
	switch (channel->member.config.type) {
	case CHANNEL_MULTICAST:
		return (lane_out_at(channel, 0)->place.groups &
		    channel->groups) != 0;
	case CHANNEL_SYNC:
	case CHANNEL_BATCH:
		return false;
	default:
		return true;
	}
}

static bool
may_receive_fast(const struct channel *channel)
{
	enum channel_type type = channel->member.config.type;

	return !channel->revoked &&
	    (channel->fast_role & CHANNEL_RECEIVER) != 0 &&
	    channel->in.count == 1 && channel->shown.lane == NULL &&
	    !lane_in_at(channel, 0)->refused && !channel_is_lossy(channel) &&
	    type != CHANNEL_SYNC && type != CHANNEL_STREAM;
}

void
channel_set_fast(struct channel *channel)
{
	channel->fast_out = may_send_fast(channel) ?
	    lane_out_at(channel, 0) : NULL;
	channel->fast_in = may_receive_fast(channel) ?
	    lane_in_at(channel, 0) : NULL;
}

/* What follows from the lanes there are. */
static void
weigh_lanes(struct channel *channel)
{
	const struct channel_config *config = &channel->member.config;

	channel->changed = true;
	channel->stale = config->schema != 0 &&
	    strictest(channel) > lane_kind_serializer(channel->kind);
	channel_set_fast(channel);
	channel->plain = channel->fast_in == NULL ? 0 :
	    lane_kind(config->schema == 0 ? CHANNEL_RAW :
	    lane_in_at(channel, 0)->strictness, 0);
	channel->fast_max = config->message_max < channel->inline_max ?
	    config->message_max : channel->inline_max;
}

void
channel_forget_lanes(struct channel *channel)
{
	const struct channel_port *port = channel->domain->port;

	while (channel->out.count != 0)
		drop_out(channel, channel->out.count - 1);
	while (channel->in.count != 0)
		drop_in(channel, channel->in.count - 1);
	if (channel->out.room != 0)
		port->release(channel->domain, channel->out.lane,
		    channel->out.room * sizeof(void *));
	if (channel->in.room != 0)
		port->release(channel->domain, channel->in.lane,
		    channel->in.room * sizeof(void *));
	if (channel->words_room != 0)
		port->release(channel->domain, channel->words,
		    channel->words_room * sizeof(*channel->words));
}
