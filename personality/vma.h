/* SPDX-License-Identifier: MIT */
/*
 * What a program has mapped: a sorted list of ranges that share no page.
 *
 * The kernel knows its regions; this list knows the same ranges as the program
 * asked for them, so that free space is found, overlaps are refused and forks
 * and faults are explained without a native call. Pure data, no pointers: a
 * forked child has a valid copy.
 *
 * Neighbours with equal attributes are merged. Addresses are page aligned.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define VMA_MAX		4096u

/* Protection is MAP_READ, MAP_WRITE, MAP_EXEC of abi/object.h. */
#define VMA_SHARED	0x1u	/* shared with children */
#define VMA_FILE	0x2u	/* a file's memory object itself */
#define VMA_COPY	0x4u	/* private copy of a file */
#define VMA_STACK	0x8u
#define VMA_HEAP	0x10u
#define VMA_NOFORK	0x20u	/* children do not have it */
#define VMA_WIPE	0x40u	/* children have zeros in its place */
#define VMA_VDSO	0x80u

/* Ranges over the same backing merge only where one goes on with the other. */
struct vma {
	uint64_t start, end;
	uint64_t offset;	/* of start in the backing; 0 without one */
	uint16_t backing;	/* backing.h, or 0 */
	uint8_t	 protection;
	uint8_t	 flags;
};

struct vma_list {
	uint32_t   count;
	struct vma entry[VMA_MAX];
};

void vma_clear(struct vma_list *list);
/* Room for any one change below; check before the kernel is asked. */
bool vma_has_room(const struct vma_list *list);
/* First range that ends above address, or NULL. */
const struct vma *vma_at_or_above(const struct vma_list *list,
    uint64_t address);
const struct vma *vma_find(const struct vma_list *list, uint64_t address);
bool vma_is_free(const struct vma_list *list, uint64_t start, uint64_t end);
/* No hole in the range. */
bool vma_is_mapped(const struct vma_list *list, uint64_t start, uint64_t end);
/* The range must be free. */
void vma_insert(struct vma_list *list, const struct vma *range);
void vma_remove(struct vma_list *list, uint64_t start, uint64_t end);
/* Changes what is mapped in the range. */
void vma_protect(struct vma_list *list, uint64_t start, uint64_t end,
    unsigned protection);
/* Highest free range of that length in [low, high), or 0. */
uint64_t vma_find_free(const struct vma_list *list, uint64_t length,
    uint64_t low, uint64_t high);
/* Other flags for what is mapped in the range: `clear` go, then `set` come. */
void vma_mark(struct vma_list *list, uint64_t start, uint64_t end,
    unsigned clear, unsigned set);
uint64_t vma_total(const struct vma_list *list);
bool vma_ok(const struct vma_list *list);
