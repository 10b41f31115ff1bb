/* SPDX-License-Identifier: MIT */
/*
 * Address space: a sorted array of regions over one page-table tree.
 *
 * vspace.lock guards the regions and the growth of the page tables. Leaf
 * entries of a region belong to the lock of the memory object it maps (see
 * memory.h). A region holds a reference on its memory object.
 *
 * Long operations (unmap, clone) do a bounded piece and return ERR_RETRY with
 * their progress in the arguments; the system call layer restarts them after
 * a look at pending interrupts.
 */
#pragma once

#include <kernel/core/cpu.h>
#include <kernel/object/memory.h>

struct region {
	struct list	link;		/* memory.mappings, memory.lock */
	struct vspace	*vspace;
	struct memory	*memory;
	vaddr_t		start;
	uint64_t	length;
	uint64_t	offset;		/* into memory */
	uint32_t	flags;		/* MAP_* */
	uint32_t	limit;		/* MAP_READ, WRITE, EXEC it may ever have */
};

/*
 * Kernel-internal part of vspace_map() flags: the rights of the memory
 * capability, which vspace_protect() may grant later. RIGHT_READ, WRITE and
 * EXEC have the values of MAP_*. Without it only the rights mapped with.
 */
#define MAP_LIMIT_SHIFT		16
#define MAP_LIMIT(rights)	(((rights) & 7u) << MAP_LIMIT_SHIFT)

struct vspace {
	struct object	object;
	struct arch_vspace arch;
	uint64_t	active_cpus;	/* atomic mask: loaded there now */

	struct lock	lock;		/* guards the rest */
	struct region	**regions;	/* sorted by start */
	uint32_t	region_count;
	uint32_t	region_capacity;
	unsigned	region_order;	/* block order of the array */
};

status_t vspace_create(struct container *container, struct vspace **out_vspace);
/* Fails with ERR_EXIST if anything in the range is mapped. */
status_t vspace_map(struct vspace *vspace, vaddr_t address,
    struct memory *memory, uint64_t offset, uint64_t length, unsigned flags);
/* Removes whatever lies in the range, splitting regions at its ends. On
 * ERR_RETRY *address and *length name what is left. */
status_t vspace_unmap(struct vspace *vspace, vaddr_t *address,
    uint64_t *length);
/*
 * The whole range must be mapped; splits regions at its ends. flags replace
 * all of the old ones. ERR_RIGHT if they exceed the limit of a region.
 */
status_t vspace_protect(struct vspace *vspace, vaddr_t address,
    uint64_t length, unsigned flags);
/*
 * Fork: every region of source without MAP_NOCLONE appears in destination;
 * MAP_SHARED ones, those that can never be written through, and those of
 * contiguous or physical memory map the same object, others a copy-on-write
 * clone charged to container. Start with
 * *cursor = 0. On failure the caller destroys the destination.
 */
status_t vspace_clone(struct vspace *source, struct vspace *destination,
    struct container *container, vaddr_t *cursor);
/* Resolves a fault: OK and mapped, ERR_FAULT (no region or no right),
 * ERR_NOMEM or ERR_LIMIT. access: MAP_READ, MAP_WRITE or MAP_EXEC. */
status_t vspace_fault(struct vspace *vspace, vaddr_t address, unsigned access);
/* Moves up to one page between user memory and a memory object. */
status_t vspace_memory_step(struct vspace *vspace, vaddr_t address,
    struct memory *memory, uint64_t offset, uint64_t length, bool into_vspace,
    uint64_t *out_done);
/* Moves up to one page between two address spaces. */
status_t vspace_vspace_step(struct vspace *to, vaddr_t to_address,
    struct vspace *from, vaddr_t from_address, uint64_t length,
    uint64_t *out_done);
/* Region at or above address. */
status_t vspace_query(struct vspace *vspace, vaddr_t address,
    vaddr_t *out_start, uint64_t *out_length, unsigned *out_flags);
bool vspace_ok(struct vspace *vspace);

/*
 * For memory.c, under the lock of the memory object mapped there: remove or
 * narrow leaf entries, and flush. vspace_remove_pages() stops after *pages
 * pages and returns false if some are left.
 */
bool vspace_remove_pages(struct vspace *vspace, vaddr_t start, vaddr_t end,
    uint64_t *pages);
void vspace_limit_rights(struct vspace *vspace, vaddr_t start,
    uint64_t length, unsigned flags);
