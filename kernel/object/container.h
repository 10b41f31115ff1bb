/* SPDX-License-Identifier: MIT */
/*
 * Container: accounts frames and objects. A charge counts in the container and
 * all its ancestors and is refused if any of them would exceed its limit. A
 * container whose capabilities are gone stays as a husk until its last charge
 * is released; its ancestors have carried that charge all along.
 */
#pragma once

#include <abi/utcb.h>
#include <kernel/object/object.h>

#define CONTAINER_MAX_DEPTH 8

struct container {
	struct object	object;
	struct container *parent;	/* constant; holds a reference */
	unsigned	depth;		/* constant; root is 0 */

	/* Atomic counters. */
	uint64_t	frames_used, frames_limit;
	uint64_t	objects_used, objects_limit;
};

extern struct container root_container;

status_t container_create(struct container *parent, uint64_t frames_limit,
    uint64_t objects_limit, struct container **out_container);
/* ERR_LIMIT and nothing charged, or OK. */
status_t container_charge_frames(struct container *container, uint64_t count);
void container_release_frames(struct container *container, uint64_t count);
status_t container_charge_object(struct container *container);
void container_release_object(struct container *container);
status_t container_set_limits(struct container *container, uint64_t frames,
    uint64_t objects);
void container_get_info(struct container *container,
    struct container_info *out_info);
