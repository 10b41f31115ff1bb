/* SPDX-License-Identifier: MIT */
/* Two channels, there and back, between the sides of a peer. */
#pragma once

#include "bench.h"

#include <lib/channel/channel.h>
#include <lib/channel/port.h>

#define SPIN_ALWAYS	1000000000ul	/* ns: longer than any wait here */
#define SPIN_NEVER	1ul

struct channel_ends {
	struct channel *out, *in;
	struct token token;
	struct channel_config config;
	struct channel_domain *domain;	/* own, closed with it; or NULL */
};

/* Where the two sides meet, and their token. */
struct channel_place {
	struct channel_domain *domain;
	struct token_authority *authority;
	void	*memory;		/* of the authority */
	struct token token;
};

/* NULL: no memory. Threads of this process. */
struct channel_place *channel_place_private(void);
void channel_place_close(struct channel_place *place);

/*
 * The server creates both channels, the client opens them. SYNC: only the way
 * there. False: ends is as before.
 */
bool channel_ends_open(struct channel_ends *ends, enum bench_side side);
void channel_ends_close(struct channel_ends *ends);
