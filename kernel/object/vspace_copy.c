/* SPDX-License-Identifier: MIT */
/*
 * Copies from and to user memory, through the regions and their rights.
 *
 * The page read is held by a reference, not by a lock, so two address spaces
 * are never locked at once; the page written stays under its memory.lock until
 * the bytes are there. What was checked for one page may change before the
 * next: each is looked up again.
 */
#include <kernel/object/region.h>

status_t
vspace_hold(struct vspace *vspace, vaddr_t address, struct held_page *out_page)
{
	status_t status = vspace_enter(vspace);

	if (status != OK)
		return status;

	struct region *region = region_for(vspace, address, MAP_READ);

	status = ERR_FAULT;
	if (region != NULL)
		status = memory_hold(region->memory,
		    region->offset + (address - region->start), out_page);
	lock_release(&vspace->lock);
	return status == ERR_RANGE ? ERR_FAULT : status;
}

status_t
vspace_put(struct vspace *vspace, vaddr_t address, const void *data,
    uint64_t length)
{
	status_t status = vspace_enter(vspace);

	if (status != OK)
		return status;

	struct region *region = region_for(vspace, address, MAP_WRITE);

	status = ERR_FAULT;
	if (region != NULL)
		status = memory_put(region->memory,
		    region->offset + (address - region->start), data, length);
	lock_release(&vspace->lock);
	return status == ERR_RANGE ? ERR_FAULT : status;
}

status_t
vspace_memory_step(struct vspace *vspace, vaddr_t address,
    struct memory *memory, uint64_t offset, uint64_t length, bool into_vspace,
    uint64_t *out_done)
{
	uint64_t part = page_rest(address, page_rest(offset, length));
	struct held_page page;
	status_t status;

	*out_done = 0;
	if (length == 0)
		return OK;
	if (!range_is_user(address, part))
		return ERR_FAULT;
	status = into_vspace ? memory_hold(memory, offset, &page) :
	    vspace_hold(vspace, address, &page);
	if (status != OK)
		return status;
	status = into_vspace ? vspace_put(vspace, address, page.data, part) :
	    memory_put(memory, offset, page.data, part);
	memory_let_go(&page);
	if (status == OK)
		*out_done = part;
	return status;
}

status_t
vspace_vspace_step(struct vspace *to, vaddr_t to_address, struct vspace *from,
    vaddr_t from_address, uint64_t length, uint64_t *out_done)
{
	uint64_t part = page_rest(to_address, page_rest(from_address, length));
	struct held_page page;
	status_t status;

	*out_done = 0;
	if (length == 0)
		return OK;
	if (!range_is_user(to_address, part) ||
	    !range_is_user(from_address, part))
		return ERR_FAULT;
	status = vspace_hold(from, from_address, &page);
	if (status != OK)
		return status;
	status = vspace_put(to, to_address, page.data, part);
	memory_let_go(&page);
	if (status == OK)
		*out_done = part;
	return status;
}
