/* SPDX-License-Identifier: MIT */
/*
 * Receiving: lanes have their turn, LANE_SHARE messages each. What lies in a
 * lane is not believed: length, kind, serializer and buffer are loaded once and
 * checked here, before anybody sees the message.
 */
#include "state.h"

/*
 * How often a receive that does not wait looks again, when something changed
 * while it got ready to be told by its descriptor.
 */
#define LOOKS_NOW	8u

/* Cuts the last 8 bytes off the message: the kind of lossy rings, the time. */
static bool
cut_word(struct ring_message *message, uint64_t *out_word)
{
	if (message->length < LANE_WORD)
		return false;
	message->length -= LANE_WORD;
	ring_copy_out(out_word, (const uint8_t *)message->data +
	    message->length, LANE_WORD);
	return true;
}

static bool
find_buffer(struct channel *channel, const struct lane_place *place,
    const struct ring_message *message)
{
	struct channel_shown *shown = &channel->shown;
	struct lane_buffer name;
	size_t offset;

	if (message->length != sizeof(name))
		return false;
	memcpy(&name, message->data, sizeof(name));
	if (pool_layout_find(&channel->layout, name.number, name.length,
	    &offset) != OK)
		return false;
	shown->data = (uint8_t *)place->pool + offset;
	shown->length = name.length;
	shown->buffer = name.number;
	return true;
}

/* From what is in the ring to what is shown; false: it breaks the rules. */
static bool
understand(struct channel *channel, struct lane_in *lane,
    struct ring_message *message)
{
	const struct channel_config *config = &channel->member.config;
	struct channel_shown *shown = &channel->shown;
	uint64_t kind = message->kind, stamp = 0;

	if (channel_is_lossy(channel) && !cut_word(message, &kind))
		return false;
	if (kind - 1 >= LANE_KIND_MAX)
		return false;
	shown->kind = (uint32_t)kind;
	if (config->schema != 0 &&
	    lane_kind_serializer(shown->kind) < lane->strictness)
		return false;
	if (((kind - 1) & LANE_STAMPED) != 0 && !cut_word(message, &stamp))
		return false;
	shown->data = (uint8_t *)message->data;
	shown->length = message->length;
	if (((kind - 1) & LANE_BUFFER) != 0 &&
	    !find_buffer(channel, &lane->place, message))
		return false;
	if (shown->length > config->message_max ||
	    (config->type == CHANNEL_STREAM && shown->length == 0))
		return false;
	if (stamp != 0)
		channel_count_latency(channel, stamp);
	shown->session = message->tag;
	return true;
}

/* ERR_EMPTY, ERR_CORRUPT. */
static status_t
look_in(struct channel *channel, struct lane_in *lane)
{
	struct channel_shown *shown = &channel->shown;
	struct ring_message message;
	status_t status;

	if (lane->finished || lane->refused)
		return ERR_EMPTY;
	shown->lost = 0;
	if (channel_is_lossy(channel))
		status = ring_take(&lane->messages, channel->taken,
		    (uint32_t)channel->apart_size, &message, &shown->lost);
	else
		status = ring_peek(&lane->messages, &message);
	if (status == ERR_BUSY)
		return ERR_EMPTY;
	if (status == ERR_EMPTY) {
		/* The dead had written all before this end heard of it. */
		lane->finished = lane->gone ||
		    ring_is_closed(&lane->messages);
		return status;
	}
	if (status != OK || !understand(channel, lane, &message))
		return ERR_CORRUPT;
	count_add(&channel->counters->dropped_oldest, shown->lost);
	lane->promises = 0;
	shown->lane = lane;
	shown->taken = 0;
	channel->asked = (struct channel_asked){
		.lane = channel->member.config.type == CHANNEL_SYNC ?
		    lane : NULL,
		.kind = lane_kind(lane_kind_serializer(shown->kind), 0),
		.request = message.position,
	};
	return OK;
}

static void
next_turn(struct channel *channel)
{
	channel->share = 0;
	if (++channel->in.turn >= channel->in.count)
		channel->in.turn = 0;
}

/* Is there a sender of whom something can still come? */
static bool
has_senders(const struct channel *channel)
{
	for (uint32_t i = 0; i < channel->in.count; i++) {
		const struct lane_in *lane = lane_in_at(channel, i);

		if (!lane->finished && !lane->refused)
			return true;
	}
	return false;
}

static status_t
look(struct channel *channel)
{
	if (channel->shown.lane != NULL)
		return OK;
	channel_leave_unanswered(channel);
	if (channel->share >= LANE_SHARE)
		next_turn(channel);
	for (uint32_t i = 0; i < channel->in.count; i++) {
		struct lane_in *lane = lane_in_at(channel, channel->in.turn);
		status_t status = look_in(channel, lane);

		if (status == ERR_CORRUPT)
			channel_corrupt_in(channel, lane);
		if (status == OK)
			channel->share++;
		if (status != ERR_EMPTY)
			return status;
		channel->ending |= lane->gone;
		next_turn(channel);
	}
	return channel->had_senders && !has_senders(channel) ? ERR_GONE :
	    ERR_EMPTY;
}

/* As if it had not been found; who sent it, or this end, lost the right. */
static void
withdraw(struct channel *channel)
{
	/* What lies in other rings is counted when their lane is dropped. */
	if (channel_is_lossy(channel))
		count_add(&channel->counters->abandoned, 1);
	channel->shown.lane = NULL;
	channel->asked.lane = NULL;
	channel_sweep(channel);
}

/*
 * The message first, then the generation: a message that was committed after a
 * revocation brings the news of it along.
 */
static status_t
look_again_if_changed(struct channel *channel)
{
	bool found_before = channel->shown.lane != NULL;
	status_t status = look(channel);

	while (status == OK && !found_before && channel_has_changed(channel)) {
		status = channel_go_on(channel);
		if (status == OK && !channel->shown.lane->refused)
			break;
		withdraw(channel);
		if (status == OK)
			status = look(channel);
	}
	return status;
}

status_t
channel_show(struct channel *channel, uint64_t deadline_ns)
{
	struct channel_wait wait = {
		.what = WAIT_MESSAGE, .deadline_ns = deadline_ns,
	};
	uint32_t looks = 0;

	for (;;) {
		status_t status = look_again_if_changed(channel);

		if (channel->ending)
			channel_sweep(channel);
		if (status != ERR_EMPTY)
			return status;
		/* The clock is read only if there is no message yet. */
		if (wait.deadline_ns == CHANNEL_DEFAULT)
			wait.deadline_ns = RECEIVE_NS +
			    channel->domain->port->now_ns(channel->domain);
		/* A lane may promise what it does not hold: not forever. */
		status = deadline_ns == CHANNEL_NOW && looks++ == LOOKS_NOW ?
		    ERR_TIMEOUT : channel_wait(channel, &wait);
		if (status == OK)
			status = channel_go_on(channel);
		if (status != OK)
			return status;
	}
}

void
channel_done(struct channel *channel)
{
	struct lane_in *lane = channel->shown.lane;

	count_add(&channel->counters->received, 1);
	channel->shown.lane = NULL;
	if (((channel->shown.kind - 1) & LANE_BUFFER) != 0 &&
	    !channel_buffer_give_back(channel, lane))
		channel_corrupt_in(channel, lane);
	if (channel->releases) {
		ring_release(&lane->messages);
		lane_wake_sender(channel, lane);
	} else if (channel->kept) {
		ring_pass(&lane->messages);
		lane->moved = true;
	}
	channel_let_go(channel);
	if (lane->gone || lane->refused)
		channel_sweep(channel);
	else
		channel_set_fast(channel);
}

/* STREAM: as many bytes as there are, without waiting for more. */
static size_t
take_bytes(struct channel *channel, uint8_t *to, size_t room)
{
	struct channel_shown *shown = &channel->shown;
	size_t done = 0;

	do {
		size_t n = shown->length - shown->taken;

		if (n > room - done)
			n = room - done;
		ring_copy_out(to + done, shown->data + shown->taken, n);
		shown->taken += (uint32_t)n;
		done += n;
		if (shown->taken == shown->length)
			channel_done(channel);
	} while (done < room && look_again_if_changed(channel) == OK);
	return done;
}

static status_t
take_message(struct channel *channel, void *message, size_t *length)
{
	const struct channel_shown *shown = &channel->shown;
	size_t room = *length;

	*length = shown->length;
	if (room < shown->length) {
		channel_set_fast(channel);
		return ERR_RANGE;
	}
	ring_copy_out(message, shown->data, shown->length);
	channel_done(channel);
	return OK;
}

static status_t
receive_slow(struct channel *channel, void *message, size_t *length,
    const struct token *receiver, uint64_t deadline_ns)
{
	bool stream = channel->member.config.type == CHANNEL_STREAM;
	status_t status = channel_check(channel, receiver, TOKEN_RECEIVE);

	if (status != OK)
		return status;
	if (stream && *length == 0)
		return ERR_ARG;
	status = channel_show(channel, deadline_ns);
	if (status != OK)
		return status;
	if (stream)
		*length = take_bytes(channel, message, *length);
	else
		status = take_message(channel, message, length);
	if (status != OK)
		return status;
	if (channel->asked.lane != NULL)
		channel_hold(channel);
	count_add(&channel->counters->bytes_received, *length);
	count_add(&channel->counters->bytes_copied, *length);
	return OK;
}

status_t
channel_receive_until(struct channel *channel, void *message,
    size_t *length, const struct token *receiver, uint64_t deadline_ns)
{
	if (channel_receive_fast(channel, message, length, receiver))
		return OK;
	return receive_slow(channel, message, length, receiver, deadline_ns);
}

status_t
channel_receive(struct channel *channel, void *message, size_t *length,
    const struct token *receiver)
{
	return channel_receive_until(channel, message, length, receiver,
	    CHANNEL_DEFAULT);
}
