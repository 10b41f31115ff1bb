/* SPDX-License-Identifier: MIT */
/* What frame.c keeps, for frame.c and the tests that walk it. */
#pragma once

#include <kernel/core/frame.h>
#include <kernel/core/list.h>
#include <kernel/core/lock.h>

#define FRAME_ABSENT	0u
#define FRAME_RESERVED	1u
#define FRAME_USED	2u
#define FRAME_FREE	3u

#define ORDER_COUNT	(FRAME_MAX_ORDER + 1)

struct frame {
	uint32_t references;	/* atomic */
	uint8_t	 state;
	uint8_t	 order;
	uint16_t note;		/* of its owner; 0 when free */
};

extern struct frame *frames;	/* by number; constant after boot */
extern uint64_t frame_count;

struct frame_node {
	struct list	blocks[ORDER_COUNT];
	uint64_t	free, total;
} __attribute__((aligned(256)));	/* a power of two is quickly indexed */

extern struct lock frame_lock;	/* guards the rest */
extern struct frame_node frame_nodes[NODE_MAX];

struct frame_node *frame_node_of(uint64_t number);
