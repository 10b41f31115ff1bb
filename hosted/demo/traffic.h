/* SPDX-License-Identifier: MIT */
/*
 * Producers and consumers on one typed channel, and the book that shows at the
 * end that nothing was lost, doubled, changed or put out of order: each keeps
 * totals of its own in memory that all processes share.
 */
#pragma once

#include "meeting.h"

#include <lib/channel/channel.h>

#include <pthread.h>

#define TRAFFIC_MEMBERS_MAX	64u	/* producers, and consumers */

/* On a cache line of its own; written by its member only. */
struct traffic_totals {
	uint64_t messages, sum;
	uint64_t wrong;		/* changed, or out of order */
	uint64_t status;	/* status_t that ended it, OK: as planned */
	uint64_t unused[4];
};

struct traffic_shared {
	pthread_barrier_t open;	/* all members, before the first message */
	uint32_t stop;		/* producers: enough */
	struct traffic_totals producer[TRAFFIC_MEMBERS_MAX];
	struct traffic_totals consumer[TRAFFIC_MEMBERS_MAX];
};

struct traffic {
	struct meeting *meeting;
	unsigned producers, consumers;
	uint64_t count;		/* messages of each producer; 0: until stop */
	enum channel_serializer serializer;
	struct traffic_shared *shared;
};

struct traffic_sums {
	struct traffic_totals sent, received;
};

/* False: no memory. */
bool traffic_create(struct traffic *traffic);
void traffic_destroy(struct traffic *traffic);
/* The life of a member; number counts from 0 among its kind. */
void traffic_produce(struct traffic *traffic, unsigned number);
void traffic_consume(struct traffic *traffic, unsigned number);
/*
 * The channel must be there before the first member and go after the last:
 * *out_channel is for traffic_close.
 */
status_t traffic_open(struct traffic *traffic, struct attendance *attendance,
    struct channel **out_channel);
struct traffic_sums traffic_sums(const struct traffic *traffic);
/* Everything that was sent was received, once, whole and in order. */
bool traffic_is_exact(const struct traffic *traffic);
