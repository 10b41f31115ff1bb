/* SPDX-License-Identifier: MIT */
/*
 * SYNC channels: a request goes through the lane, its answer comes through the
 * ring back, with the number of the request as its tag. Both ends count the
 * messages of the lane, so the number need not be sent. A caller that gave up
 * finds the late answer at its next call, and throws it away.
 */
#include "state.h"

/* Sends on the ring back; never waits. */
static status_t
put_back(struct channel *channel, const void *data, uint32_t length,
    uint32_t kind)
{
	struct lane_in *lane = channel->asked.lane;
	void *room;
	status_t status = ring_reserve(&lane->back, length, &room);

	channel->asked.lane = NULL;
	channel_let_go(channel);
	if (status == ERR_CORRUPT)
		channel_corrupt_in(channel, lane);
	if (status != OK) {
		count_add(&channel->counters->refused, 1);
		return status;
	}
	ring_copy_in(room, data, length);
	ring_stage(&lane->back, length, kind, channel->asked.request);
	lane->moved = channel->kept;
	if (lane->moved)
		return OK;
	ring_publish(&lane->back);
	if (ring_producer_must_wake(&lane->back))
		channel_wake(channel, &lane->place,
		    ring_consumer_word(channel_back_memory(&lane->place)));
	return OK;
}

status_t
channel_answer(struct channel *channel, const void *message, size_t length)
{
	status_t status = channel_check(channel, NULL, TOKEN_RECEIVE);

	if (status != OK)
		return status;
	if (length > channel->member.config.message_max)
		return ERR_RANGE;
	if (channel->asked.lane == NULL)
		return ERR_STATE;
	if (channel->asked.lane->gone || channel->asked.lane->finished) {
		channel->asked.lane = NULL;
		channel_let_go(channel);
		return ERR_GONE;
	}
	status = put_back(channel, length != 0 ? message : "",
	    (uint32_t)length, channel->asked.kind);
	if (status == OK) {
		count_add(&channel->counters->bytes_sent, length);
		count_add(&channel->counters->bytes_copied, length);
	}
	if (channel->ending)
		channel_sweep(channel);
	return status;
}

void
channel_leave_unanswered(struct channel *channel)
{
	uint32_t word = LANE_UNANSWERED;

	if (channel->asked.lane != NULL)
		put_back(channel, &word, sizeof(word), LANE_CONTROL);
}

/* The answer, whose tag fits. */
static status_t
take_answer(struct channel *channel, struct lane_out *lane,
    struct channel_exchange *exchange, const struct ring_message *message)
{
	const struct channel_config *config = &channel->member.config;
	size_t room = exchange->answer_length;
	status_t status = OK;

	exchange->answer_length = 0;
	if (message->kind == LANE_CONTROL) {
		status = ERR_GONE;
	} else if (message->kind - 1 >= LANE_KIND_MAX ||
	    ((message->kind - 1) & (LANE_BUFFER | LANE_STAMPED)) != 0 ||
	    message->length > config->message_max || (config->schema != 0 &&
	    lane_kind_serializer(message->kind) < lane->strictness)) {
		channel_corrupt_out(channel, lane);
		status = ERR_CORRUPT;
	} else if (exchange->answer != NULL) {
		exchange->answer_length = message->length;
		if (message->length > room)
			status = ERR_RANGE;
		else
			ring_copy_out(exchange->answer, message->data,
			    message->length);
	}
	ring_release(&lane->back);
	if (status == OK && exchange->answer != NULL) {
		count_add(&channel->counters->bytes_received, message->length);
		count_add(&channel->counters->bytes_copied, message->length);
	}
	return status;
}

/*
 * ERR_EMPTY: not there yet. Throws away what is too late. Requests are answered
 * in their order, each once: so this comes to an end whatever is there.
 */
static status_t
find_answer(struct channel *channel, struct lane_out *lane,
    struct channel_exchange *exchange, uint64_t request)
{
	struct ring_message message;
	status_t status;

	for (;;) {
		status = ring_peek(&lane->back, &message);
		if (status == OK && (message.tag > request ||
		    message.tag < lane->answered))
			status = ERR_CORRUPT;
		if (status == ERR_CORRUPT)
			channel_corrupt_out(channel, lane);
		if (status != OK)
			return status;
		lane->promises = 0;
		lane->answered = message.tag + 1;
		if (message.tag == request)
			return take_answer(channel, lane, exchange, &message);
		ring_release(&lane->back);
	}
}

/* The answer first, then the generation: as with messages (receive.c). */
static status_t
check_answer(struct channel *channel, struct lane_out *lane, status_t status)
{
	status_t check = channel_has_changed(channel) ?
	    channel_go_on(channel) : OK;

	if (check != OK)
		return check;
	return lane->refused ? ERR_GONE : status;
}

static status_t
wait_for_answer(struct channel *channel, struct channel_exchange *exchange,
    struct lane_out *lane, uint64_t request)
{
	struct channel_wait wait = {
		.what = WAIT_BACK, .only = lane,
		.deadline_ns = exchange->deadline_ns,
	};

	for (;;) {
		/* In this order: an answer before the death counts. */
		bool gone = lane->gone;
		status_t status = find_answer(channel, lane, exchange,
		    request);

		if (status != ERR_EMPTY)
			return check_answer(channel, lane, status);
		if (gone)
			return ERR_GONE;
		status = channel_wait(channel, &wait);
		if (status == OK)
			status = channel_go_on(channel);
		if (status != OK)
			return status;
	}
}

status_t
channel_call(struct channel *channel, struct channel_exchange *exchange)
{
	status_t status = channel_check(channel, exchange->sender, TOKEN_SEND);
	struct channel_offer offer = {
		.data = exchange->request_length != 0 ? exchange->request : "",
		.kind = channel->kind, .deadline_ns = exchange->deadline_ns,
	};

	if (status != OK)
		return status;
	if (channel->member.config.type != CHANNEL_SYNC)
		return ERR_STATE;
	if (exchange->request_length > channel->member.config.message_max)
		return ERR_RANGE;
	offer.length = offer.bytes = (uint32_t)exchange->request_length;
	status = channel_depend_on_held(channel);
	if (status != OK)
		return status;
	status = channel_put(channel, &offer);
	if (status != OK)
		return status;
	channel->calling = offer.lane;
	status = wait_for_answer(channel, exchange, offer.lane,
	    offer.lane->sent - 1);
	channel->calling = NULL;
	channel_sweep(channel);
	return status;
}
