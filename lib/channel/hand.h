/* SPDX-License-Identifier: MIT */
/* Of one thread: the ends whose message it is handling. See hand.c. */
#pragma once

#include <lib/channel/port.h>

/*
 * Zeroed at first. When the thread ends, channel_hand_empty; the memory may
 * then serve another thread, but is never freed.
 */
struct channel_hand {
	uint32_t lock;			/* 1: taken; guards the list */
	struct channel *first;
};

void channel_hand_empty(struct channel_hand *hand);
/* hand_host.c: of the calling thread, for ports on Linux. */
struct channel_hand *channel_hand_host(struct channel_domain *domain);
