/* SPDX-License-Identifier: MIT */
/* What the tests of channels share: members in a private domain, numbers. */
#pragma once

#include "state.h"

#include <lib/ktap/ktap.h>
#include <stdlib.h>

#define NOTHING	(~0ul)

/* One per program. */
static struct channel_domain *domain;

struct pair {
	struct channel *sender, *receiver;	/* the receiver created it */
};

static inline uint64_t
now(void)
{
	return domain->port->now_ns(domain);
}

static inline uint64_t
soon(void)
{
	return now() + 2000000;
}

static inline void
must(status_t status, const char *what)
{
	if (status == OK)
		return;
	printf("# %s: status %lu\n", what, (unsigned long)status);
	exit(1);
}

static inline struct channel *
create(const char *name, unsigned role, const struct channel_config *config)
{
	struct channel_options options = { .domain = domain, .role = role };
	struct channel *channel;

	must(channel_create(name, config, &options, NULL, &channel), "create");
	return channel;
}

static inline struct channel *
join(const char *name, unsigned role, uint64_t groups)
{
	struct channel_options options = {
		.domain = domain, .role = role, .groups = groups,
	};
	struct channel *channel;

	must(channel_open(name, &options, NULL, &channel), "open");
	return channel;
}

static inline struct pair
pair_open(const struct channel_config *config)
{
	struct pair pair;

	pair.receiver = create("pair", CHANNEL_RECEIVER, config);
	pair.sender = join("pair", CHANNEL_SENDER, 0);
	return pair;
}

static inline void
pair_close(struct pair *pair)
{
	channel_close(pair->sender);
	channel_close(pair->receiver);
}

static inline void
fill(uint8_t *bytes, size_t length, uint64_t seed)
{
	for (size_t i = 0; i < length; i++) {
		seed = seed * 6364136223846793005ul + 1442695040888963407ul;
		bytes[i] = (uint8_t)(seed >> 56);
	}
}

static inline status_t
send_now(struct channel *channel, const void *message, size_t length)
{
	return channel_send_until(channel, message, length, NULL, CHANNEL_NOW);
}

static inline status_t
receive_now(struct channel *channel, void *message, size_t *length)
{
	return channel_receive_until(channel, message, length, NULL,
	    CHANNEL_NOW);
}

static inline status_t
send_number(struct channel *channel, uint64_t number)
{
	return send_now(channel, &number, sizeof(number));
}

/* NOTHING: none there, or none is to come. */
static inline uint64_t
receive_number(struct channel *channel)
{
	uint64_t number;
	size_t length = sizeof(number);

	if (receive_now(channel, &number, &length) != OK ||
	    length != sizeof(number))
		return NOTHING;
	return number;
}

static inline struct channel_statistics
statistic(const struct channel *channel)
{
	struct channel_statistics statistics;

	channel_statistics(channel, &statistics);
	return statistics;
}
