/* SPDX-License-Identifier: MIT */
#include "sample.h"

#include <stdlib.h>
#include <string.h>

#define COUNTERS	(sizeof(struct channel_statistics) / sizeof(uint64_t))
#define BUCKETS		32u

static const char *const types[] = {
	[CHANNEL_ASYNC] = "async", [CHANNEL_SYNC] = "sync",
	[CHANNEL_BROADCAST] = "broadcast", [CHANNEL_MULTICAST] = "multicast",
	[CHANNEL_STREAM] = "stream", [CHANNEL_BATCH] = "batch",
};

static const struct statistics_page *
find_member(const struct sample *sample, const struct statistics_page *wanted)
{
	size_t low = 0, high = sample == NULL ? 0 : sample->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct statistics_page *page = &sample->member[middle];

		if (page->channel == wanted->channel &&
		    page->member == wanted->member)
			return page;
		if (page->channel < wanted->channel ||
		    (page->channel == wanted->channel &&
		    page->member < wanted->member))
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* A counter that went back was written by somebody who lies. */
static void
add_difference(struct channel_statistics *sum,
    const struct channel_statistics *before,
    const struct channel_statistics *now)
{
	uint64_t *to = (uint64_t *)sum;
	const uint64_t *from = (const uint64_t *)now;
	const uint64_t *old = (const uint64_t *)before;

	for (size_t i = 0; i < COUNTERS; i++)
		to[i] += old == NULL ? from[i] : from[i] < old[i] ? 0
		    : from[i] - old[i];
}

/* The end of the bucket in which that part of all messages lies. */
static uint64_t
quantile(const uint64_t latency[BUCKETS], double part)
{
	double total = 0, seen = 0;

	for (unsigned i = 0; i < BUCKETS; i++)
		total += (double)latency[i];
	for (unsigned i = 0; i < BUCKETS; i++) {
		seen += (double)latency[i];
		if (latency[i] != 0 && seen >= part * total)
			return 2ul << i;
	}
	return 0;
}

static double
part_of(uint64_t some, uint64_t all)
{
	return all == 0 ? 0 : some >= all ? 1 : (double)some / (double)all;
}

struct sums {
	struct channel_statistics all, recent;
};

static void
fill_row(struct summary_row *row, const struct sums *sums, double seconds)
{
	const struct channel_statistics *all = &sums->all;
	const struct channel_statistics *recent = &sums->recent;
	uint64_t operations = all->sent + all->received;

	if (seconds > 0) {
		row->messages = (double)recent->sent / seconds;
		row->bytes = (double)recent->bytes_sent / seconds;
		row->sleeps = (double)recent->slept / seconds;
	}
	row->p50_ns = quantile(recent->latency, 0.5);
	row->p99_ns = quantile(recent->latency, 0.99);
	row->dropped = all->dropped_oldest + all->dropped_newest;
	row->slow = part_of(all->slow, operations);
	row->zero_copy = part_of(all->zero_copy, operations);
}

/* The members of one channel follow each other. Returns how many. */
static size_t
summarize_channel(const struct sample *before, const struct sample *now,
    size_t first, struct summary_row *row)
{
	const struct statistics_page *head = &now->member[first];
	bool rates = before != NULL && before->time_ns < now->time_ns;
	struct sums sums = { 0 };
	size_t count = 0;

	*row = (struct summary_row){ .channel = head->channel,
		.type = head->type < sizeof(types) / sizeof(types[0])
		    ? types[head->type] : "?" };
	memcpy(row->name, head->name, sizeof(row->name));
	while (first + count < now->count &&
	    now->member[first + count].channel == head->channel) {
		const struct statistics_page *page =
		    &now->member[first + count++];
		const struct statistics_page *old = find_member(before, page);

		row->senders += (page->role & CHANNEL_SENDER) != 0;
		row->receivers += (page->role & CHANNEL_RECEIVER) != 0;
		add_difference(&sums.all, NULL, &page->counters);
		add_difference(&sums.recent, old == NULL ? NULL
		    : &old->counters, &page->counters);
	}
	fill_row(row, &sums, rates
	    ? (double)(now->time_ns - before->time_ns) / 1e9 : 0);
	return count;
}

static int
compare_rows(const void *a, const void *b)
{
	const struct summary_row *x = a, *y = b;

	if (x->messages != y->messages)
		return x->messages > y->messages ? -1 : 1;
	return strcmp(x->name, y->name);
}

bool
summary_make(const struct sample *before, const struct sample *now,
    struct summary *out_summary)
{
	size_t next = 0;

	*out_summary = (struct summary){
		.row = calloc(now->count + 1, sizeof(struct summary_row)) };
	if (out_summary->row == NULL)
		return false;
	while (next < now->count)
		next += summarize_channel(before, now, next,
		    &out_summary->row[out_summary->count++]);
	qsort(out_summary->row, out_summary->count,
	    sizeof(*out_summary->row), compare_rows);
	return true;
}

void
summary_clear(struct summary *summary)
{
	free(summary->row);
	*summary = (struct summary){ 0 };
}
