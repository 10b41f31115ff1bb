/* SPDX-License-Identifier: MIT */
/*
 * The statistics page of a member, and the latency of one message in 64: its
 * sender puts the time behind it, its receiver counts the difference.
 */
#include "state.h"

#define STATISTIC_COUNT	(sizeof(struct channel_statistics) / sizeof(uint64_t))

static void
store(uint64_t *field, uint64_t value)
{
	__atomic_store_n(field, value, __ATOMIC_RELAXED);
}

void
channel_page_begin(struct channel *channel)
{
	struct statistics_page *page = channel->page;
	const struct channel_member *member = &channel->member;

	page->size = sizeof(*page);
	page->channel = member->channel;
	page->member = member->number;
	page->type = member->config.type;
	page->overflow = member->config.overflow;
	page->role = channel->role;
	memcpy(page->name, channel->name, sizeof(channel->name));
	__atomic_store_n(&page->magic, STATISTICS_MAGIC, __ATOMIC_RELEASE);
}

void
channel_page_lanes(struct channel *channel)
{
	store(&channel->page->serializer,
	    channel->member.config.schema == 0 ? CHANNEL_AUTO :
	    lane_kind_serializer(channel->kind));
	store(&channel->page->lanes_out, channel->out.count);
	store(&channel->page->lanes_in, channel->in.count);
}

/* The time for a message whose turn it is to be stamped, else 0. */
uint64_t
channel_stamp(struct channel *channel)
{
	if (--channel->until_sample != 0)
		return 0;
	channel->until_sample = STATISTICS_SAMPLE;
	return channel->domain->port->now_ns(channel->domain);
}

void
channel_count_latency(struct channel *channel, uint64_t sent_ns)
{
	uint64_t now = channel->domain->port->now_ns(channel->domain);
	uint32_t i = 0;

	/* A time to come is a lie or another clock. */
	if (sent_ns > now)
		return;
	if (now != sent_ns)
		i = 63 - (uint32_t)__builtin_clzl(now - sent_ns);
	count_add(&channel->counters->latency[i < 31 ? i : 31], 1);
}

void
channel_count_copy(struct channel *channel, uint64_t bytes)
{
	count_add(&channel->counters->bytes_copied, bytes);
	if (!channel_is_lossy(channel))
		count_add(&channel->counters->zero_copy, ~0ul);
}

void
channel_statistics(const struct channel *channel,
    struct channel_statistics *out_statistics)
{
	const uint64_t *from = (const uint64_t *)channel->counters;
	uint64_t *to = (uint64_t *)out_statistics;

	for (size_t i = 0; i < STATISTIC_COUNT; i++)
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}
