/* SPDX-License-Identifier: MIT */
/*
 * What a broker tells about itself: part of the protocol and of what users of
 * hosted.h see.
 */
#pragma once

#include <lib/base/linkage.h>
#include <lib/channel/channel.h>
#include <stdint.h>

LINKAGE_BEGIN

#define BROKER_SOCKET		"/run/bennu/broker"
#define BROKER_LISTED		8u	/* channels at a time */

struct broker_listed {
	char	 name[CHANNEL_NAME_MAX + 1];
	uint64_t channel;
	uint32_t uid, pid;		/* of the creator */
	uint32_t members, lanes;
	uint8_t	 type, linked;
	uint16_t zero[3];
};

struct broker_list {
	uint32_t next;			/* where to go on; 0: that was all */
	uint32_t count;
	struct broker_listed channel[BROKER_LISTED];
};

struct broker_watched {
	uint32_t next;			/* where to go on; 0: that was all */
	uint32_t found;			/* 1: this is one, and has a descriptor */
	uint64_t segment, segment_size;
};

struct broker_totals {
	uint64_t processes, channels, members, lanes, segments, pools;
	uint64_t bytes;			/* of segments and pools */
	uint64_t accounts, edges;
	uint64_t descriptors;		/* open in the broker */
	uint64_t refused, malformed;	/* requests, since its start */
};

LINKAGE_END
