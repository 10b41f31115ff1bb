/* SPDX-License-Identifier: MIT */
/*
 * Slabs: fixed-size kernel structures carved out of frames. Debug builds
 * poison freed objects and check for double free and use of foreign pointers.
 */
#pragma once

#include <kernel/core/list.h>
#include <kernel/core/lock.h>

struct slab {
	const char	*name;
	uint32_t	size;		/* bytes, multiple of 16, <= 2048 */

	struct lock	lock;		/* guards the rest */
	struct list	partial;	/* slab frames with a free place */
	uint64_t	live;		/* objects handed out */
	uint64_t	frames;
};

/* Header of a frame; private, but for debug/address.c. */
struct slab_frame {
	struct slab	*slab;		/* owner; foreign pointers lack it */
	struct list	link;		/* slab.partial */
	void		*free;		/* linked through the first word */
	uint32_t	live;
	uint32_t	capacity;
	uint64_t	unused;		/* objects are aligned to 16 bytes */
#ifdef BENNU_DEBUG
	uint64_t	forbidden[4];	/* a bit for each 16 bytes of the frame */
#endif
};

#define SLAB_INITIALIZER(slab_name, type) \
	{ .name = slab_name, .size = (sizeof(type) + 15) & ~15u }

/* Zeroed object, or NULL. Charging is the caller's business. */
void *slab_alloc(struct slab *slab);
void slab_free(struct slab *slab, void *object);
/* Walks all frames with a free place; true if they are consistent. */
bool slab_ok(struct slab *slab);
