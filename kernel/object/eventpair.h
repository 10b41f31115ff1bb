/* SPDX-License-Identifier: MIT */
/*
 * Event pair: two ends, each of which learns when the last capability of the
 * other is gone. End A may be bound to an endpoint at creation: a call through
 * it arrives there with the pair's badge. That makes A a session.
 */
#pragma once

#include <kernel/object/notification.h>

struct endpoint;

struct eventpair {
	struct object	object;
	struct endpoint	*endpoint;	/* constant; reference or NULL */
	uint64_t	badge;		/* constant */

	/* derivation_lock guards the rest. Index 0 is end A, 1 is end B. */
	uint32_t	holders[2];	/* capabilities of that end */
	bool		gone[2];	/* the last one was dropped */
	struct event	event[2];	/* tells end i that the other is gone */
};

status_t eventpair_create(struct container *container,
    struct endpoint *endpoint, uint64_t badge, struct eventpair **out_pair);
/* Called by the table code for every capability made and deleted. */
void eventpair_end_hold(struct object *object, unsigned type);
void eventpair_end_drop(struct object *object, unsigned type);
