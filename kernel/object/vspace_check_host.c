/* SPDX-License-Identifier: MIT */
/*
 * Are the regions and page tables of an address space sound? Asked by tests only,
 * so no kernel image holds it.
 */
#include <kernel/arch/host/host.h>
#include <kernel/object/region.h>

/* Page-table entries show pages of the memory, and no right too much. */
static bool
region_ok(struct vspace *vspace, const struct region *region)
{
	vaddr_t end = region_end(region), at = region->start;
	bool ok = true;

	lock_acquire(&region->memory->lock);
	while (ok && (at = arch_next_mapped(&vspace->arch, at, end)) < end) {
		paddr_t mapped, frame = FRAME_NONE;
		unsigned flags;
		bool writable = false;

		ok = arch_page_lookup(&vspace->arch, at, &mapped, &flags) &&
		    memory_page_present(region->memory,
		    region->offset + (at - region->start), &frame,
		    &writable) && mapped == frame &&
		    (flags & MAP_RIGHTS & ~region->flags) == 0 &&
		    (writable || (flags & MAP_WRITE) == 0);
		at += PAGE_SIZE;
	}
	lock_release(&region->memory->lock);
	return ok;
}

bool
vspace_ok(struct vspace *vspace)
{
	vaddr_t gap = USER_LOW;
	bool ok = true;

	lock_acquire(&vspace->lock);
	for (uint32_t i = 0; ok && i < vspace->region_count; i++) {
		const struct region *region = vspace->regions[i];

		ok = region->vspace == vspace && region->start >= gap &&
		    region->length != 0 && region_end(region) <= USER_HIGH &&
		    (region->flags & MAP_RIGHTS & ~region->limit) == 0 &&
		    arch_next_mapped(&vspace->arch, gap, region->start) ==
		    region->start && region_ok(vspace, region);
		gap = region_end(region);
	}
	ok = ok && arch_next_mapped(&vspace->arch, gap, USER_HIGH) == USER_HIGH;
	lock_release(&vspace->lock);
	return ok;
}
