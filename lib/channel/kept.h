/* SPDX-License-Identifier: MIT */
/*
 * What a keeper's memory holds, and what the library asks of keep.c. The memory
 * is written by its owner only, so it is checked for sense, not for malice.
 */
#pragma once

#include "state.h"

struct kept_lane {
	uint64_t number;		/* of the lane; 0: free */
	uint64_t sends;			/* 1: this end sends */
	struct ring_mark messages;
	struct ring_mark back;		/* in: producer of the ring back */
	uint64_t sent;			/* out */
};

struct kept {
	uint64_t member;		/* 0: none */
	uint64_t generation;		/* of this member's incarnations */
	struct token token;
	/* SYNC: the request that is still to be answered. */
	uint64_t asked_lane;		/* 0: none */
	uint64_t asked_request, asked_kind;
	struct kept_lane lane[CHANNEL_KEPT_LANES];
};

_Static_assert(sizeof(struct kept) <= CHANNEL_KEPT_SIZE, "fits");

/* Can a member of this role be kept? */
bool channel_may_be_kept(const struct channel *channel);
/* A new member: the memory names it from here on. */
status_t channel_kept_begin(struct channel *channel);
/* As the port's resume; see channel_resume. */
status_t channel_kept_resume(struct channel *channel,
    const struct channel_options *options);
/* Its lanes are there. */
void channel_kept_resumed(struct channel *channel);
/* It leaves; what was not committed is given up. */
void channel_kept_end(struct channel *channel);
/* A lane: opens its ends where they stood, or at the start. */
status_t channel_kept_open_out(struct channel *channel, struct lane_out *lane);
status_t channel_kept_open_in(struct channel *channel, struct lane_in *lane);
/* A lane is dropped: its record is free when that is committed. */
void channel_kept_leave(struct channel *channel, uint64_t number, bool sends);
/* The sleepers of a lane that was resumed; it has its place by now. */
void channel_kept_wake_out(struct channel *channel, struct lane_out *lane);
void channel_kept_wake_in(struct channel *channel, struct lane_in *lane);
