/* SPDX-License-Identifier: MIT */
/*
 * For tests of the broker: a running one, and two connections of this process,
 * `left` and `right`, whose ends talk to it at the level of the port. Included
 * by one file of each test.
 */
#pragma once

#include "harness_host.h"

#include <lib/channel/config.h>
#include <lib/test/ktap.h>

#define SECOND_NS	1000000000ul

static const struct channel_config small = {
	.type = CHANNEL_ASYNC, .message_max = 48, .buffer_size = 1024,
};
static const struct channel_options sends = { .role = CHANNEL_SENDER };
static const struct channel_options receives = { .role = CHANNEL_RECEIVER };

/* One end at the level of the port. */
struct end {
	struct channel_domain *domain;
	struct channel_member member;
	struct channel_event event;
};

static inline status_t
end_create(struct end *end, const char *name,
    const struct channel_config *config, const struct channel_options *options)
{
	struct channel_config filled;
	status_t status = channel_config_fill(config, &filled);

	return status != OK ? status : end->domain->port->create(end->domain,
	    name, &filled, options, NULL, &end->member);
}

static inline status_t
end_open(struct end *end, const char *name,
    const struct channel_options *options)
{
	return end->domain->port->open(end->domain, name, options, NULL,
	    &end->member);
}

static inline status_t
end_next(struct end *end)
{
	return end->domain->port->next_event(end->domain, &end->member,
	    &end->event);
}

/* The next event, if need be after a while. */
static inline status_t
end_await(struct end *end)
{
	uint64_t deadline = end->domain->port->now_ns(end->domain) +
	    5 * SECOND_NS;
	status_t status;

	while ((status = end_next(end)) == ERR_EMPTY)
		if (end->domain->port->sleep(end->domain, &end->member, NULL,
		    0, deadline) == ERR_TIMEOUT)
			return ERR_TIMEOUT;
	return status;
}

static inline void
end_close(struct end *end)
{
	end->domain->port->close(end->domain, &end->member);
}

static inline void
end_drop(struct end *end)
{
	end->domain->port->drop_lane(end->domain, &end->member,
	    &end->event.place);
}

static struct harness harness;
static struct end left, right;

static inline void
start(const char *policy)
{
	harness_start(&harness, policy);
	left.domain = harness_connect(&harness);
	right.domain = harness_connect(&harness);
	if (left.domain == NULL || right.domain == NULL)
		abort();
}

static inline void
finish(void)
{
	struct broker_totals totals;

	channel_domain_hosted_close(left.domain);
	channel_domain_hosted_close(right.domain);
	EXPECT(harness_is_empty(&harness, &totals));
	EXPECT_EQ(harness_end(&harness), 0);
}
