/* SPDX-License-Identifier: MIT */
/*
 * Messages that are made and read where they lie.
 *
 * A reserved message lies in the ring if it goes to one lane, is short enough
 * and the ring is not lossy; else in a buffer of the pool if the channel has
 * one; else apart, and is copied when it is committed. Whoever reserved does
 * not see which.
 */
#include "state.h"

/* The only lane a message could go to now; NULL: there are none or many. */
static status_t
only_lane(struct channel *channel, struct lane_out **out_lane)
{
	*out_lane = NULL;
	if (!channel_is_to_many(channel))
		return channel_pick(channel, out_lane);
	if (channel->out.count == 0)
		return ERR_EMPTY;
	if (channel->fast_out != NULL)
		*out_lane = channel->fast_out;
	return OK;
}

/* In the ring of the lane, with room for the time. */
static status_t
reserve_in_ring(struct channel *channel, uint32_t length,
    struct lane_out *lane)
{
	struct channel_made *made = &channel->made;
	status_t status = ring_reserve(&lane->messages, length + LANE_STAMP,
	    &made->data);

	if (status == OK) {
		made->where = MADE_IN_RING;
		made->lane = lane;
	}
	if (status == ERR_CORRUPT)
		channel_corrupt_out(channel, lane);
	return status;
}

static status_t
reserve_apart(struct channel *channel)
{
	status_t status = channel_need_apart(channel, &channel->apart);

	if (status != OK)
		return status;
	channel->made.data = channel->apart;
	channel->made.where = MADE_APART;
	return OK;
}

static status_t
reserve_in_pool(struct channel *channel, uint32_t length)
{
	struct channel_made *made = &channel->made;
	status_t status = channel_buffer_take(channel, length, &made->buffer);

	if (status == OK) {
		made->data = pool_data(channel->pool, made->buffer);
		made->where = MADE_IN_POOL;
	}
	return status;
}

/* ERR_FULL: no room now; ERR_EMPTY: no lane now. out_wait: for what, then. */
static status_t
reserve_once(struct channel *channel, uint32_t length,
    struct channel_wait *out_wait)
{
	struct lane_out *lane = NULL;
	bool lossy = channel_is_lossy(channel);
	status_t status = lossy ? OK : only_lane(channel, &lane);

	if (status != OK)
		return status;
	out_wait->what = WAIT_BACK;
	out_wait->only = NULL;
	if (lane != NULL && length <= channel->inline_max) {
		out_wait->what = WAIT_ROOM;
		if (channel_is_to_many(channel))
			out_wait->only = lane;
		status = reserve_in_ring(channel, length, lane);
		/* A batch that fills its lane ends early. */
		if (status == ERR_FULL && lane == channel->batch_lane)
			channel_publish(channel);
		return status;
	}
	if (lossy || channel->pool == NULL)
		return reserve_apart(channel);
	return reserve_in_pool(channel, length);
}

static status_t
reserve(struct channel *channel, uint32_t length, uint64_t deadline_ns)
{
	struct channel_wait wait = {
		.length = length + LANE_STAMP, .deadline_ns = deadline_ns,
	};

	for (;;) {
		status_t status = reserve_once(channel, length, &wait);

		if (channel->ending)
			channel_sweep(channel);
		if (status != ERR_FULL && status != ERR_EMPTY)
			return status;
		status = channel_blocked(channel, status, &wait);
		if (status != OK)
			return status;
	}
}

status_t
channel_reserve(struct channel *channel, size_t length,
    struct channel_view *out_view, uint64_t deadline_ns)
{
	const struct channel_config *config = &channel->member.config;
	status_t status = channel_check(channel, NULL, TOKEN_SEND);

	if (status != OK)
		return status;
	if (config->type == CHANNEL_SYNC || channel->made.where != MADE_NOT)
		return ERR_STATE;
	if (config->type == CHANNEL_STREAM && length == 0)
		return ERR_ARG;
	if (length > config->message_max)
		return ERR_RANGE;
	status = reserve(channel, (uint32_t)length, deadline_ns);
	if (status != OK)
		return status;
	channel->made.room = (uint32_t)length;
	channel->made.deadline_ns = deadline_ns;
	channel_set_fast(channel);
	*out_view = (struct channel_view){
		.data = channel->made.data, .length = length,
		.session = channel->session,
	};
	return OK;
}

/* The reservation is over, whatever became of it. */
static void
end_made(struct channel *channel)
{
	if (channel->made.where == MADE_IN_POOL)
		pool_release(channel->pool, channel->made.buffer);
	channel->made = (struct channel_made){ .where = MADE_NOT };
	if (channel->ending)
		channel_sweep(channel);
	else
		channel_set_fast(channel);
}

static status_t
commit_in_ring(struct channel *channel, uint32_t length)
{
	struct lane_out *lane = channel->made.lane;
	struct channel_offer offer = {
		.length = length, .bytes = length, .kind = channel->kind,
		.in_place = true,
	};

	if (lane->gone) {
		count_add(&channel->counters->refused, 1);
		end_made(channel);
		return ERR_GONE;
	}
	offer.stamp = channel_stamp(channel);
	channel_commit_in(channel, lane, channel->made.data, &offer);
	end_made(channel);
	return OK;
}

status_t
channel_commit(struct channel *channel, const struct channel_view *view)
{
	struct channel_made *made = &channel->made;
	status_t status;

	if (made->where == MADE_NOT)
		return ERR_STATE;
	if (view->length > made->room)
		return ERR_ARG;
	status = channel_check(channel, NULL, TOKEN_SEND);
	if (status != OK) {
		/* Without the right, or in the wrong serializer: never. */
		end_made(channel);
		return status;
	}
	uint32_t length = (uint32_t)view->length;
	if (made->where == MADE_IN_RING)
		return commit_in_ring(channel, length);
	struct channel_offer offer = {
		.data = channel->apart, .length = length,
		.bytes = length, .kind = channel->kind,
		.deadline_ns = made->deadline_ns,
		.in_place = made->where == MADE_IN_POOL,
	};
	status = offer.in_place ? channel_buffer_put(channel, made->buffer,
	    length, &offer) : channel_put(channel, &offer);
	/* What was dropped for one receiver may be with another: not again. */
	if ((status != ERR_FULL && status != ERR_TIMEOUT &&
	    status != ERR_EMPTY) || (status == ERR_FULL &&
	    channel->member.config.overflow == CHANNEL_DROP_NEWEST))
		end_made(channel);
	return status;
}

void
channel_cancel(struct channel *channel, const struct channel_view *view)
{
	(void)view;
	end_made(channel);
}

status_t
channel_look(struct channel *channel, struct channel_view *out_view,
    uint64_t deadline_ns)
{
	const struct channel_shown *shown = &channel->shown;
	status_t status = channel_check(channel, NULL, TOKEN_RECEIVE);

	if (status == OK)
		status = channel_show(channel, deadline_ns);
	if (status != OK)
		return status;
	channel_set_fast(channel);
	*out_view = (struct channel_view){
		.data = shown->data + shown->taken,
		.length = shown->length - shown->taken,
		.session = shown->session, .lost = shown->lost,
		.serializer = channel->member.config.schema == 0 ?
		    CHANNEL_AUTO : lane_kind_serializer(shown->kind),
		.trust = shown->lane->trust,
		.identity = shown->lane->place.identity,
	};
	return OK;
}

status_t
channel_peek(struct channel *channel, struct channel_view *out_view,
    uint64_t deadline_ns)
{
	status_t status = channel_look(channel, out_view, deadline_ns);

	if (status == OK)
		channel_hold(channel);
	return status;
}

status_t
channel_release(struct channel *channel, const struct channel_view *view)
{
	struct channel_shown *shown = &channel->shown;
	uint32_t left = shown->length - shown->taken;

	if (shown->lane == NULL)
		return ERR_STATE;
	if (view->length > left)
		return ERR_ARG;
	if (channel->member.config.type == CHANNEL_STREAM)
		left = (uint32_t)view->length;
	shown->taken += left;
	count_add(&channel->counters->bytes_received, left);
	if (shown->taken != shown->length)
		return OK;
	if (channel_is_lossy(channel))
		count_add(&channel->counters->bytes_copied, left);
	else
		count_add(&channel->counters->zero_copy, 1);
	channel_done(channel);
	return OK;
}
