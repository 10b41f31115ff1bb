/* SPDX-License-Identifier: MIT */
/*
 * Sending: which lanes a message goes to, and what happens when they are full.
 *
 * A message to one receiver goes to the lane with the most room. One to many is
 * put in two passes: room in every lane, then the message into every lane; so a
 * policy that gives it to nobody gives it to nobody.
 */
#include "state.h"

/* NULL: the caller wrote it there. What names a buffer is not a copy. */
static void
write_message(struct channel *channel, uint8_t *room,
    const struct channel_offer *offer)
{
	if (offer->data == NULL)
		return;
	ring_copy_in(room, offer->data, offer->length);
	if (((offer->kind - 1) & LANE_BUFFER) == 0)
		count_add(&channel->counters->bytes_copied, offer->length);
}

static void
count_sent(struct channel *channel, const struct channel_offer *offer)
{
	count_add(&channel->counters->sent, 1);
	count_add(&channel->counters->bytes_sent, offer->bytes);
	count_add(&channel->counters->zero_copy, offer->in_place);
}

void
channel_publish(struct channel *channel)
{
	struct lane_out *lane = channel->batch_lane;

	channel->batched = 0;
	channel->batch_lane = NULL;
	if (lane == NULL)
		return;
	ring_publish(&lane->messages);
	lane_wake_receiver(channel, lane);
}

/* Until the batch is full, or the owner of a kept member has committed. */
static void
stay_staged(struct channel *channel, struct lane_out *lane)
{
	if (channel->kept) {
		lane->moved = true;
		return;
	}
	channel->batch_lane = lane;
	if (++channel->batched >= channel->member.config.batch)
		channel_publish(channel);
}

void
channel_commit_in(struct channel *channel, struct lane_out *lane,
    void *room, const struct channel_offer *offer)
{
	uint32_t length = offer->length, kind = offer->kind;
	bool named = ((kind - 1) & LANE_BUFFER) != 0;

	write_message(channel, room, offer);
	if (offer->stamp != 0) {
		ring_copy_in((uint8_t *)room + length, &offer->stamp,
		    LANE_STAMP);
		length += LANE_STAMP;
		kind += LANE_STAMPED;
	}
	if (named)
		pool_lend(channel->pool, lane->number,
		    ((const struct lane_buffer *)offer->data)->number);
	count_sent(channel, offer);
	lane->sent++;
	ring_stage(&lane->messages, length, kind, channel->session);
	if (!channel->publishes) {
		stay_staged(channel, lane);
		return;
	}
	ring_publish(&lane->messages);
	lane_wake_receiver(channel, lane);
}

/* The whole of a message for a lossy ring is made apart. */
static status_t
overwrite(struct channel *channel, struct lane_out *lane,
    const struct channel_offer *offer)
{
	uint32_t length = offer->length;
	uint64_t word = offer->kind;

	if (offer->data != channel->apart) {
		memcpy(channel->apart, offer->data, length);
		count_add(&channel->counters->bytes_copied, length);
	}
	if (offer->stamp != 0) {
		memcpy(channel->apart + length, &offer->stamp, LANE_STAMP);
		length += LANE_STAMP;
		word += LANE_STAMPED;
	}
	memcpy(channel->apart + length, &word, LANE_WORD);
	length += LANE_WORD;
	status_t status = ring_overwrite(&lane->messages, channel->apart,
	    length, channel->session);
	if (status != OK)
		return status;
	count_add(&channel->counters->bytes_copied, offer->length);
	count_sent(channel, offer);
	lane_wake_receiver(channel, lane);
	return OK;
}

status_t
channel_pick(struct channel *channel, struct lane_out **out_lane)
{
	struct lane_list *list = &channel->out;
	uint64_t most = 0;
	bool found = false;

	if (channel->batch_lane != NULL && !channel->batch_lane->gone) {
		*out_lane = channel->batch_lane;
		return OK;
	}
	for (uint32_t i = 0, at = list->turn; i < list->count; i++) {
		struct lane_out *lane = list->lane[at];
		/* Of lossy rings nobody knows how full they are. */
		uint64_t room = channel_is_lossy(channel) ? 1 :
		    ring_room(&lane->messages);

		if (++at == list->count)
			at = 0;
		if (lane->gone || (found && room <= most))
			continue;
		found = true;
		most = room;
		*out_lane = lane;
		list->turn = at;
	}
	return found ? OK : ERR_EMPTY;
}

static status_t
put_in(struct channel *channel, struct lane_out *lane,
    struct channel_offer *offer)
{
	void *room;

	offer->lane = lane;
	if (channel_is_lossy(channel))
		return overwrite(channel, lane, offer);
	status_t status = ring_reserve(&lane->messages,
	    offer->length + (offer->stamp != 0 ? LANE_STAMP : 0), &room);
	if (status == OK)
		channel_commit_in(channel, lane, room, offer);
	return status;
}

static status_t
put_to_one(struct channel *channel, struct channel_offer *offer)
{
	struct lane_out *lane;
	status_t status = channel_pick(channel, &lane);

	if (status == OK)
		status = put_in(channel, lane, offer);
	if (status == ERR_FULL && lane == channel->batch_lane) {
		/* The batch ends early; another receiver may have room. */
		channel_publish(channel);
		status = channel_pick(channel, &lane);
		if (status == OK)
			status = put_in(channel, lane, offer);
	}
	if (status == ERR_CORRUPT)
		channel_corrupt_out(channel, lane);
	return status;
}

/* Does a message of the present groups go there? */
static bool
is_wanted(const struct channel *channel, const struct lane_out *lane)
{
	return !lane->gone && (channel->member.config.type !=
	    CHANNEL_MULTICAST || (lane->place.groups & channel->groups) != 0);
}

/* Room in one lane; ERR_FULL only if that ends the pass. */
static status_t
find_room_in(struct channel *channel, struct lane_out *lane,
    struct channel_offer *offer, uint32_t *out_missed)
{
	uint32_t length = offer->length + (offer->stamp != 0 ? LANE_STAMP : 0);
	status_t status;

	if (channel_is_lossy(channel))
		return OK;
	status = ring_reserve(&lane->messages, length, &lane->room);
	if (status == OK)
		return OK;
	if (status != ERR_FULL) {
		channel_corrupt_out(channel, lane);
		return ERR_CORRUPT;
	}
	offer->lane = lane;
	if (channel->member.config.overflow != CHANNEL_DROP_NEWEST)
		return ERR_FULL;
	++*out_missed;
	return OK;
}

/* First pass. ERR_EMPTY, ERR_CORRUPT: no lane; ERR_FULL: offer->lane is. */
static status_t
find_rooms(struct channel *channel, struct channel_offer *offer,
    uint32_t *out_missed)
{
	status_t end = ERR_EMPTY;

	for (uint32_t i = 0; i < channel->out.count; i++) {
		struct lane_out *lane = lane_out_at(channel, i);

		lane->room = NULL;
		if (!is_wanted(channel, lane))
			continue;
		status_t status = find_room_in(channel, lane, offer,
		    out_missed);
		if (status == ERR_FULL)
			return status;
		if (end != OK)
			end = status;
	}
	return end;
}

static void
fill_rooms(struct channel *channel, const struct channel_offer *offer)
{
	for (uint32_t i = 0; i < channel->out.count; i++) {
		struct lane_out *lane = lane_out_at(channel, i);

		if (!is_wanted(channel, lane))
			continue;
		if (!channel_is_lossy(channel)) {
			if (lane->room != NULL)
				channel_commit_in(channel, lane, lane->room,
				    offer);
		} else if (overwrite(channel, lane, offer) != OK) {
			channel_corrupt_out(channel, lane);
		}
	}
}

static status_t
put_to_many(struct channel *channel, struct channel_offer *offer)
{
	uint32_t missed = 0;
	status_t status = find_rooms(channel, offer, &missed);

	if (status != OK)
		return status;
	fill_rooms(channel, offer);
	count_add(&channel->counters->dropped_newest, missed);
	/* Not ERR_FULL: that part is done and counted. */
	return missed != 0 ? ERR_LIMIT : OK;
}

status_t
channel_blocked(struct channel *channel, status_t status,
    const struct channel_wait *wait)
{
	struct channel_wait wanted = *wait;
	status_t end = ERR_TIMEOUT;

	if (status == ERR_EMPTY) {
		wanted.what = WAIT_EVENT;
		end = ERR_EMPTY;
	}
	if (channel->member.config.overflow == CHANNEL_BLOCK) {
		if (channel_wait(channel, &wanted) == OK) {
			status = channel_go_on(channel);
			if (status == OK && !channel->stale)
				return OK;
			end = status != OK ? status : ERR_STALE;
			channel_promise(channel);
		}
	} else {
		end = status;
	}
	if (end == ERR_FULL &&
	    channel->member.config.overflow == CHANNEL_DROP_NEWEST)
		count_add(&channel->counters->dropped_newest, 1);
	else
		count_add(&channel->counters->refused, 1);
	return end;
}

status_t
channel_put(struct channel *channel, struct channel_offer *offer)
{
	bool many = channel_is_to_many(channel);
	status_t status;

	offer->stamp = channel_stamp(channel);
	for (;;) {
		status = many ? put_to_many(channel, offer) :
		    put_to_one(channel, offer);
		if (status == ERR_LIMIT)
			return ERR_FULL;
		if (channel->ending)
			channel_sweep(channel);
		if (status == ERR_CORRUPT)
			count_add(&channel->counters->refused, 1);
		if (status != ERR_FULL && status != ERR_EMPTY)
			return status;
		struct channel_wait wait = {
			.what = WAIT_ROOM, .only = many ? offer->lane : NULL,
			.length = offer->length + LANE_STAMP,
			.deadline_ns = offer->deadline_ns,
		};
		status = channel_blocked(channel, status, &wait);
		if (status != OK)
			return status;
	}
}

static status_t
send_slow(struct channel *channel, const void *message, size_t length,
    const struct token *sender, uint64_t deadline_ns)
{
	enum channel_type type = channel->member.config.type;
	status_t status = channel_check(channel, sender, TOKEN_SEND);

	if (status != OK)
		return status;
	if (channel->made.where != MADE_NOT)
		return ERR_STATE;
	if (length > channel->member.config.message_max)
		return ERR_RANGE;
	if (type == CHANNEL_STREAM && length == 0)
		return OK;
	if (type == CHANNEL_SYNC)
		return channel_call(channel, &(struct channel_exchange){
			.request = message, .request_length = length,
			.sender = sender, .deadline_ns = deadline_ns,
		});
	struct channel_offer offer = {
		.data = length != 0 ? message : "", .length = (uint32_t)length,
		.bytes = (uint32_t)length, .kind = channel->kind,
		.deadline_ns = deadline_ns,
	};
	if (length > channel->inline_max)
		return channel_buffer_send(channel, message, &offer);
	return channel_put(channel, &offer);
}

status_t
channel_send_until(struct channel *channel, const void *message,
    size_t length, const struct token *sender, uint64_t deadline_ns)
{
	struct lane_out *lane = channel->fast_out;
	void *room;

	/* An empty message (the first comparison wraps) goes the slow way. */
	if (unlikely(lane == NULL || length - 1 >= channel->fast_max ||
	    !channel_is_known(channel, sender) || channel->until_sample == 1 ||
	    ring_reserve(&lane->messages, (uint32_t)length, &room) != OK))
		return send_slow(channel, message, length, sender,
		    deadline_ns);
	ring_copy_in(room, message, length);
	ring_commit(&lane->messages, (uint32_t)length, channel->kind,
	    channel->session);
	channel->until_sample--;
	count_add(&channel->counters->sent, 1);
	count_add(&channel->counters->bytes_sent, length);
	count_add(&channel->counters->bytes_copied, length);
	lane_wake_receiver(channel, lane);
	return OK;
}

status_t
channel_send(struct channel *channel, const void *message, size_t length,
    const struct token *sender)
{
	return channel_send_until(channel, message, length, sender,
	    CHANNEL_FOREVER);
}

status_t
channel_flush(struct channel *channel)
{
	if ((channel->role & CHANNEL_SENDER) == 0)
		return ERR_STATE;
	channel_publish(channel);
	return OK;
}

void
channel_set_groups(struct channel *channel, uint64_t groups)
{
	channel->groups = groups;
	channel_set_fast(channel);
}

void
channel_set_session(struct channel *channel, uint64_t session)
{
	channel->session = session;
}
