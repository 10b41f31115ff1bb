/* SPDX-License-Identifier: MIT */
/*
 * The program's memory. Every mapping is a region over a memory object, which
 * the region keeps alive; of some the process keeps the handle (backing.h).
 */
#pragma once

#include "backing.h"
#include "vma.h"

#include <abi/object.h>
#include <idl/errno.h>
#include <idl/process.h>
#include <stddef.h>
#include <stdint.h>

/* Program break and the end of what is accessible for it so far. */
struct memory_layout {
	uint64_t heap_start, heap_break, heap_ready, heap_end;
	uint64_t map_top;	/* mmap looks downward from here */
};

extern struct vma_list memory_vmas;
extern struct memory_layout memory_layout;

#define MEMORY_STACK_SIZE	(8ul << 20)
#define MEMORY_HEAP_MAX		(32ul << 30)
#define MEMORY_LOW		0x10000ul	/* vm.mmap_min_addr */

static inline uint64_t
memory_round_up(uint64_t value)
{
	return (value + PAGE_MASK) & ~PAGE_MASK;
}

/* Removes all mappings of the program. No way back. */
void memory_reset(uint64_t map_top);
/*
 * Maps what the range says: zero pages, those of its backing, or with VMA_COPY
 * a copy of them. The range must be free. 0 or -E_*.
 */
long memory_map(const struct vma *range);
/* The same pages as if just mapped, in the place of what is in the range. */
long memory_replace(const struct vma *range);
long memory_map_zero(uint64_t start, uint64_t length, unsigned protection,
    unsigned vma_flags);
/* Pages of an object that is no backing; takes nothing. */
long memory_map_object(const struct vma *range, cap_t object);
long memory_unmap(uint64_t start, uint64_t length);
/* MAP_* of the kernel for a range with that protection. */
unsigned memory_region_flags(const struct vma *range, unsigned protection);
/* A fault where the list allows it: true if the access can be made again. */
bool memory_fault(uint64_t address);
/* In the child: what MADV_DONTFORK and MADV_WIPEONFORK said. */
void memory_after_fork(void);
/*
 * For waits on words of shared memory: the same key and offset for everybody
 * who has the word, in whatever place. False: it is not shared.
 */
bool memory_shared_key(uint64_t address, uint64_t out_key[2],
    uint64_t *out_offset);
long memory_set_heap(uint64_t start);

/* mmap.c */

/* Where a mapping of that length may lie, 0: nowhere. */
uint64_t memory_find_free(uint64_t hint, uint64_t length);
/* Has the pages present, as far as they can be. */
void memory_touch(uint64_t start, uint64_t end);
