/* SPDX-License-Identifier: MIT */
#include "channel_ends.h"

static status_t
end_open(struct channel_ends *ends, enum bench_side side, bool sends,
    const char *name)
{
	struct channel_options options = { .domain = ends->attendance.domain,
		.role = sends ? CHANNEL_SENDER : CHANNEL_RECEIVER,
		.groups = 1 };
	struct channel **out_channel = sends ? &ends->out : &ends->in;

	if (side == BENCH_SERVER)
		return channel_create(name, &ends->config, &options,
		    ends->attendance.token, out_channel);
	return channel_open(name, &options, ends->attendance.token,
	    out_channel);
}

bool
channel_ends_open(struct channel_ends *ends, enum bench_side side)
{
	bool client = side == BENCH_CLIENT;

	ends->out = ends->in = NULL;
	if (!meeting_enter(ends->meeting, &ends->attendance))
		return false;
	if (end_open(ends, side, client, "there") == OK &&
	    (ends->config.type == CHANNEL_SYNC ||
	    end_open(ends, side, !client, "back") == OK))
		return true;
	channel_ends_close(ends);
	return false;
}

void
channel_ends_close(struct channel_ends *ends)
{
	channel_close(ends->out);
	channel_close(ends->in);
	ends->out = ends->in = NULL;
	meeting_leave(ends->meeting, &ends->attendance);
}
