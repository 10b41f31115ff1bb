/* SPDX-License-Identifier: MIT */
/*
 * Buffers: messages that lie in the sender's pool, and are named in the ring.
 *
 * The sender refers to a buffer from its allocation until it is in all lanes
 * that it goes to; each lane refers to it from then until its receiver gives it
 * back through the ring back, or is gone (lib/pool keeps the books). The ring
 * back holds as many names as there are buffers, so a receiver always finds
 * room in it; one that finds none, or gives back what it was not lent, is up to
 * no good.
 */
#include "state.h"

#define LANE_WORDS	(POOL_LANES / 64)

status_t
channel_buffers_open(struct channel *channel)
{
	const struct channel_config *config = &channel->member.config;
	const struct channel_port *port = channel->domain->port;

	if (!config->zero_copy)
		return OK;
	lane_pool_layout(config, &channel->layout);
	if ((channel->role & CHANNEL_SENDER) == 0)
		return OK;
	struct pool_config pool = {
		.layout = channel->layout, .shared = channel->member.pool,
		.lanes = POOL_LANES, .node = POOL_ANY_NODE,
	};
	channel->pool_private_size = pool_size(&pool);
	channel->pool_private = port->allocate(channel->domain,
	    channel->pool_private_size);
	if (channel->pool_private == NULL)
		return ERR_NOMEM;
	return pool_create(channel->pool_private, channel->pool_private_size,
	    &pool, &channel->pool);
}

void
channel_buffers_close(struct channel *channel)
{
	if (channel->pool_private != NULL)
		channel->domain->port->release(channel->domain,
		    channel->pool_private, channel->pool_private_size);
}

status_t
channel_buffers_join(struct channel *channel, struct lane_out *lane)
{
	if (channel->pool == NULL)
		return OK;
	for (uint32_t i = 0; i < LANE_WORDS; i++) {
		uint64_t clear = ~channel->pool_lanes[i];

		if (clear == 0)
			continue;
		uint32_t bit = (uint32_t)__builtin_ctzl(clear);
		channel->pool_lanes[i] |= 1ul << bit;
		lane->number = 64 * i + bit;
		return OK;
	}
	return ERR_LIMIT;
}

void
channel_buffers_leave(struct channel *channel, struct lane_out *lane)
{
	if (channel->pool == NULL)
		return;
	pool_reclaim(channel->pool, lane->number);
	channel->pool_lanes[lane->number / 64] &= ~(1ul << lane->number % 64);
}

/* false: the lane gives back what it was not lent. */
static bool
collect_from(struct channel *channel, struct lane_out *lane)
{
	struct ring_message message;
	status_t status;

	while ((status = ring_peek(&lane->back, &message)) == OK) {
		struct lane_buffer name;

		if (message.kind != LANE_RETURN ||
		    message.length != sizeof(name))
			return false;
		ring_copy_out(&name, message.data, sizeof(name));
		ring_release(&lane->back);
		lane->promises = 0;
		if (pool_return(channel->pool, lane->number, name.number) !=
		    OK)
			return false;
	}
	return status == ERR_EMPTY;
}

static void
collect(struct channel *channel)
{
	for (uint32_t i = 0; i < channel->out.count; i++) {
		struct lane_out *lane = lane_out_at(channel, i);

		if (!lane->gone && !collect_from(channel, lane))
			channel_corrupt_out(channel, lane);
	}
	if (channel->ending)
		channel_sweep(channel);
}

status_t
channel_buffer_take(struct channel *channel, uint32_t length,
    uint32_t *out_buffer)
{
	status_t status = pool_allocate(channel->pool, length, out_buffer);

	if (status != ERR_FULL)
		return status;
	collect(channel);
	return pool_allocate(channel->pool, length, out_buffer);
}

status_t
channel_buffer_wait(struct channel *channel, uint32_t length,
    uint64_t deadline_ns, uint32_t *out_buffer)
{
	struct channel_wait wait = {
		.what = WAIT_BACK, .deadline_ns = deadline_ns,
	};
	status_t status;

	while ((status = channel_buffer_take(channel, length, out_buffer)) ==
	    ERR_FULL) {
		status = channel_blocked(channel, ERR_FULL, &wait);
		if (status != OK)
			return status;
	}
	return status;
}

status_t
channel_buffer_put(struct channel *channel, uint32_t buffer, uint32_t length,
    struct channel_offer *offer)
{
	struct lane_buffer name = { .number = buffer, .length = length };

	offer->data = &name;
	offer->length = sizeof(name);
	offer->bytes = length;
	offer->kind = channel->kind + LANE_BUFFER;
	return channel_put(channel, offer);
}

status_t
channel_buffer_send(struct channel *channel, const void *message,
    struct channel_offer *offer)
{
	uint32_t buffer, length = offer->length;
	status_t status = channel_buffer_wait(channel, length,
	    offer->deadline_ns, &buffer);

	if (status != OK)
		return status;
	memcpy(pool_data(channel->pool, buffer), message, length);
	count_add(&channel->counters->bytes_copied, length);
	status = channel_buffer_put(channel, buffer, length, offer);
	pool_release(channel->pool, buffer);
	return status;
}

bool
channel_buffer_give_back(struct channel *channel, struct lane_in *lane)
{
	struct lane_buffer name = { .number = channel->shown.buffer };
	void *room;

	if (ring_reserve(&lane->back, sizeof(name), &room) != OK)
		return false;
	ring_copy_in(room, &name, sizeof(name));
	ring_stage(&lane->back, sizeof(name), LANE_RETURN, 0);
	if (channel->kept)
		return true;
	ring_publish(&lane->back);
	if (ring_producer_must_wake(&lane->back))
		channel_wake(channel, &lane->place,
		    ring_consumer_word(channel_back_memory(&lane->place)));
	return true;
}
