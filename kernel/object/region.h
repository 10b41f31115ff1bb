/* SPDX-License-Identifier: MIT */
/*
 * The sorted array of regions of an address space. Inside of vspace*.c only;
 * vspace.lock is held, and memory.lock is not.
 */
#pragma once

#include <kernel/object/vspace.h>

#define MAP_RIGHTS	(MAP_READ | MAP_WRITE | MAP_EXEC)

/* Regions paid for and not yet in the array. */
struct region_reserve {
	struct region *regions[2];
	unsigned count;
};

static inline vaddr_t
region_end(const struct region *region)
{
	return region->start + region->length;
}

static inline bool
range_is_user(vaddr_t address, uint64_t length)
{
	return address >= USER_LOW && address < USER_HIGH &&
	    length <= USER_HIGH - address;
}

/* Index of the first region that ends above the address. */
uint32_t region_find(const struct vspace *vspace, vaddr_t address);
/* Region that contains the address, or NULL. */
struct region *region_at(const struct vspace *vspace, vaddr_t address);
/* Region that allows the access at an address, or NULL. */
struct region *region_for(const struct vspace *vspace, vaddr_t address,
    unsigned access);

/* Up to two regions, and room for them in the array. */
status_t region_reserve(struct vspace *vspace, unsigned count,
    struct region_reserve *out_reserve);
void region_give_back(struct vspace *vspace, struct region_reserve *reserve);

/*
 * Adds a copy of `wanted`; ERR_EXIST if anything is mapped there, ERR_RANGE if
 * it reaches beyond `size` of its memory.
 */
status_t region_add(struct vspace *vspace, const struct region *wanted,
    uint64_t size);
/* Forgets a region that is in no list of mappings any more. */
void region_remove(struct vspace *vspace, uint32_t index);
/* Cuts a region in two at the address; the upper half is a reserved one. */
void region_split(struct vspace *vspace, uint32_t index, vaddr_t address,
    struct region_reserve *reserve);
/* Joins a region with the next one if they are one mapping. */
void region_merge(struct vspace *vspace, uint32_t index);
void region_array_free(struct vspace *vspace);

/* Locks the space unless it is being taken apart: ERR_HANDLE. */
status_t vspace_enter(struct vspace *vspace);

/*
 * One page of a copy: the bytes at the address, held for reading, or put there.
 * The region's rights count.
 */
status_t vspace_hold(struct vspace *vspace, vaddr_t address,
    struct held_page *out_page);
status_t vspace_put(struct vspace *vspace, vaddr_t address, const void *data,
    uint64_t length);
