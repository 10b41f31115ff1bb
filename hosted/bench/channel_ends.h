/* SPDX-License-Identifier: MIT */
/* Two channels, there and back, between the sides of a peer. */
#pragma once

#include "bench.h"

#include <hosted/demo/meeting.h>
#include <lib/channel/channel.h>

#define SPIN_ALWAYS	1000000000ul	/* ns: longer than any wait here */
#define SPIN_NEVER	1ul

struct channel_ends {
	struct channel *out, *in;
	struct channel_config config;
	struct meeting *meeting;	/* not owned */
	struct attendance attendance;
};

/*
 * The server creates both channels, the client opens them. SYNC: only the way
 * there. config and meeting are set before. False: nothing is open.
 */
bool channel_ends_open(struct channel_ends *ends, enum bench_side side);
void channel_ends_close(struct channel_ends *ends);
