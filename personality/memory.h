/* SPDX-License-Identifier: MIT */
/*
 * The program's memory. Every mapping is a region over a memory object; the
 * handle of an object is deleted once it is mapped, the region keeps it alive.
 */
#pragma once

#include "vma.h"

#include <abi/object.h>
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

/* Removes all mappings of the program. No way back. */
void memory_reset(uint64_t map_top);
/* Fresh zero pages; the range must be free. 0 or -E_*. */
long memory_map_zero(uint64_t start, uint64_t length, unsigned protection,
    unsigned vma_flags);
/* Pages of an object; takes nothing. */
long memory_map_object(uint64_t start, cap_t object, uint64_t offset,
    uint64_t length, unsigned protection, unsigned vma_flags);
/* Private, writable copy of pages of an object. */
long memory_map_copy(uint64_t start, cap_t object, uint64_t offset,
    uint64_t length, unsigned protection);
long memory_unmap(uint64_t start, uint64_t length);
long memory_set_heap(uint64_t start);
/* Where a mapping of that length may lie, 0: nowhere. */
uint64_t memory_find_free(uint64_t length);
