/* SPDX-License-Identifier: MIT */
/*
 * Statistics pages: what a member tells about itself, in memory that tools
 * (bennu-top) map read-only. One page per member, written by that member only,
 * each field by an atomic store of 64 bits: a reader sees whole fields, but not
 * all of the same moment. The writer is not trusted: a reader takes numbers for
 * numbers and ends the name itself.
 *
 * The page begins with STATISTICS_MAGIC once the fields that do not change were
 * written. Little-endian, no pointers; new fields are added at the end, and
 * `size` says up to where the writer knows them.
 */
#pragma once

#include <lib/base/linkage.h>
#include <lib/channel/channel.h>

LINKAGE_BEGIN

#define STATISTICS_MAGIC	0x3130544154534e42ul	/* "BNSTAT01" */
#define STATISTICS_SAMPLE	64u	/* one in so many is timed */
#define STATISTICS_PAGE		1024u	/* bytes a port sets aside */

struct statistics_page {
	uint64_t magic;
	uint64_t size;		/* sizeof(struct statistics_page) */
	uint64_t channel, member;	/* numbers of the domain */
	uint64_t type, overflow;	/* enums of channel.h */
	uint64_t role;		/* CHANNEL_SENDER, CHANNEL_RECEIVER */
	char	 name[48];	/* of the channel */
	/* From here on they change. */
	uint64_t serializer;	/* enum channel_serializer */
	uint64_t lanes_out, lanes_in;
	struct channel_statistics counters;
};

_Static_assert(sizeof(struct statistics_page) <= STATISTICS_PAGE,
    "room that ports set aside");
_Static_assert(CHANNEL_NAME_MAX < 48, "the name and its end");

LINKAGE_END
