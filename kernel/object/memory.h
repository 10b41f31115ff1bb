/* SPDX-License-Identifier: MIT */
/*
 * Memory object: a sparse array of pages.
 *
 * Kinds: anonymous (zero-filled on first touch), contiguous (one block, present
 * from creation, never cloned, pinned: UTCBs and DMA), physical (device
 * registers or boot memory, not counted, never cloned).
 *
 * Pages hang in a radix tree of frames with 512 entries. An entry is the frame
 * address; frames shared by clones have more than one reference and are mapped
 * read-only until a write copies them. Each object pays for every page it
 * holds, shared or not, so breaking a share can fail only when the machine has
 * no free frame.
 *
 * memory.lock guards the pages, the list of mappings, and all leaf page-table
 * entries of regions that map this object, in whatever address space. A page
 * fault takes vspace.lock, then memory.lock; operations on the object
 * (clone, resize, copy-on-write break) need memory.lock only and change page
 * tables of the mappers without their vspace.lock. That is safe because
 * page-table frames are only added while an address space lives.
 */
#pragma once

#include <kernel/core/frame.h>
#include <kernel/core/list.h>
#include <kernel/core/lock.h>
#include <kernel/object/object.h>

struct memory {
	struct object	object;
	uint32_t	flags;		/* MEMORY_*; constant */
	paddr_t		base;		/* contiguous and physical; constant */

	struct lock	lock;		/* guards the rest */
	uint64_t	size;		/* bytes, page aligned */
	uint64_t	resident;	/* pages held */
	paddr_t		root;		/* radix root or FRAME_NONE */
	unsigned	height;		/* radix levels: 0 = none, 1 = leaf only ... */
	uint64_t	table_frames;	/* radix nodes, charged too */
	struct list	mappings;	/* of struct region */
};

/* A page that stays in memory while its content is copied. */
struct held_page {
	const void	*data;		/* NULL: all zero */
	paddr_t		frame;		/* reference, or FRAME_NONE */
};

#define MEMORY_MAX_SIZE	(1ul << 42)

status_t memory_create(struct container *container, uint64_t size,
    uint32_t flags, paddr_t physical, struct memory **out_memory);
/*
 * Copy-on-write snapshot of [offset, offset + length), page aligned. One piece
 * of work, in proportion to the pages present. Anonymous memory only, else
 * ERR_STATE.
 */
status_t memory_clone(struct memory *source, uint64_t offset, uint64_t length,
    struct container *container, struct memory **out_memory);
/*
 * As memory_clone(), by steps: adds the pages of [from, from + length) of the
 * source to `clone` at `to`, which must have none there. Pages above the size
 * of the source are absent. *out_done is a whole number of pages, at least one;
 * less than length means: call again.
 */
status_t memory_share_step(struct memory *source, uint64_t from,
    struct memory *clone, uint64_t to, uint64_t length, uint64_t *out_done);
/*
 * The new size holds at once; pages above it are dropped by steps, and growth
 * waits for that: ERR_RETRY = call again.
 */
status_t memory_resize(struct memory *memory, uint64_t size);
/*
 * The frame of a page, made present. With write = true it is unshared first
 * (all mappings of the old frame are removed). memory.lock is held.
 * out_writable: may be mapped writable now.
 */
status_t memory_page(struct memory *memory, uint64_t offset, bool write,
    paddr_t *out_frame, bool *out_writable);
/* Fills in the batch what is present of its pages from offset on. */
void memory_pages_present(struct memory *memory, uint64_t offset,
    struct page_batch *batch);
/* The same for one page if it is present, else false. */
bool memory_page_present(struct memory *memory, uint64_t offset,
    paddr_t *out_frame, bool *out_writable);
/* How much of length lies in the page of offset. */
static inline uint64_t
page_rest(uint64_t offset, uint64_t length)
{
	uint64_t rest = PAGE_SIZE - (offset & PAGE_MASK);

	return length < rest ? length : rest;
}

/*
 * One page or less for copying: hold the source, put it, let it go. No lock is
 * held in between. ERR_STATE for uncached memory, which the kernel cannot see.
 */
status_t memory_hold(struct memory *memory, uint64_t offset,
    struct held_page *out_page);
void memory_let_go(struct held_page *page);
/* data == NULL writes zeros; must not cross a page. */
status_t memory_put(struct memory *memory, uint64_t offset, const void *data,
    uint64_t length);
/* Copies between object and kernel buffer, across pages; locks inside. */
status_t memory_write(struct memory *memory, uint64_t offset,
    const void *buffer, uint64_t length);
/* Copies up to one page; *out_done bytes were copied. */
status_t memory_copy_step(struct memory *destination, uint64_t to,
    struct memory *source, uint64_t from, uint64_t length, uint64_t *out_done);
bool memory_ok(struct memory *memory);
