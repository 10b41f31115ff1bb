/* SPDX-License-Identifier: MIT */
/*
 * Physical memory: 4 KiB frames with reference counts, contiguous blocks by
 * buddies. Charging a container is the caller's business (object/container.h).
 */
#pragma once

#include <kernel/core/arch.h>
#include <abi/utcb.h>

#define FRAME_NONE	((paddr_t)0)
#define FRAME_MAX_ORDER	11	/* 8 MiB blocks */

struct frame_statistics {
	uint64_t total, free, reserved;
	struct node_frames node[NODE_MAX];
};

extern unsigned frame_node_count;	/* constant after boot */
/* Per node all nodes, nearest first, beginning with itself. Boot sets it. */
extern uint8_t frame_node_order[NODE_MAX][NODE_MAX];

/*
 * Boot: the architecture calls frame_add_range() for each usable range (the
 * bookkeeping array is taken out of the largest one), after frame_init() with
 * the highest usable address. Ranges given to frame_reserve_range() first are
 * left out.
 */
void frame_reserve_range(paddr_t base, uint64_t length);
void frame_init(paddr_t top, paddr_t bookkeeping);
uint64_t frame_bookkeeping_size(paddr_t top);
void frame_add_range(paddr_t base, uint64_t length);

/*
 * Before that: memory from `base` on is of `node`, until the next call, in
 * ascending order. Without a call there is one node. A node begins where a
 * block of the largest order does, so that no block lies in two of them.
 */
void frame_node_begins(paddr_t base, unsigned node);

/* One frame of the nearest node that has one, content undefined, one reference; FRAME_NONE if none is free. */
paddr_t frame_alloc(void);
/* 2^order contiguous frames, naturally aligned, one reference each. */
paddr_t frame_alloc_block(unsigned order);
void frame_reference(paddr_t frame);
/* Drops a reference; the last one frees the frame. */
void frame_release(paddr_t frame);
uint32_t frame_references(paddr_t frame);
/* A number that the owner of a frame keeps with it, and leaves at 0. */
uint16_t *frame_note(const void *in_page);
/* First entry from `from` on that is not 0, or `end`, a multiple of 8. */
unsigned frame_scan(const void *page, unsigned from, unsigned end);
bool frame_is_ram(paddr_t frame);
bool frame_is_free(paddr_t frame);
void frame_get_statistics(struct frame_statistics *out_statistics);
/* Debug: the n-th allocation from now fails; 0 = off. */
void frame_fail_nth(uint64_t n);
/* Walks all bookkeeping; true if it is consistent. */
bool frame_ok(void);
