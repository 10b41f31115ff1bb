/* SPDX-License-Identifier: MIT */
/*
 * What bennu-top knows: a sample is the statistics pages of all members that it
 * may see, at one moment; a summary is the difference of two samples, by
 * channel.
 *
 * Pages are written by their members, who are not trusted: names are cleaned,
 * types that do not exist show as "?", numbers are taken for numbers.
 */
#pragma once

#include <lib/channel/port.h>
#include <lib/channel/statistics.h>

#define SAMPLE_MEMBERS_MAX	(1u << 20)

struct sample {
	struct statistics_page *member;	/* sorted by channel, then member */
	size_t	 count, room;
	uint64_t time_ns;
};

/* Frees what is in it, which may be nothing. */
void sample_clear(struct sample *sample);
/* ERR_NOMEM, ERR_LIMIT, or what the broker says. */
status_t sample_take(struct channel_domain *domain, struct sample *sample);
/* Copies a page if it is one. ERR_NOMEM, ERR_LIMIT. */
status_t sample_add(struct sample *sample, const void *page);
/* After the last was added. */
void sample_sort(struct sample *sample);

struct summary_row {
	char	 name[48];
	const char *type;
	uint64_t channel;
	uint64_t senders, receivers;	/* a member with both roles is both */
	double	 messages, bytes;	/* sent in a second */
	double	 sleeps;		/* in a second */
	uint64_t p50_ns, p99_ns;	/* at most twice as long as was; 0: none */
	uint64_t dropped;		/* since its members came */
	double	 slow, zero_copy;	/* parts of all operations, 0 .. 1 */
};

struct summary {
	struct summary_row *row;	/* busiest first */
	size_t	 count;
};

/* before: NULL or empty, then rates are 0. False: no memory. */
bool summary_make(const struct sample *before, const struct sample *now,
    struct summary *out_summary);
void summary_clear(struct summary *summary);
