/* SPDX-License-Identifier: MIT */
/*
 * Copies from and to user memory, through the regions and their rights.
 *
 * The page read is held by a reference, not by a lock, so two address spaces
 * are never locked at once; the page written stays under its memory.lock until
 * the bytes are there. What was checked for one page may change before the
 * next: each is looked up again.
 */
#include <kernel/core/string.h>
#include <kernel/object/region.h>

static status_t
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

static status_t
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
vspace_read(struct vspace *vspace, vaddr_t address, void *buffer,
    uint64_t length)
{
	if (length != 0 && !range_is_user(address, length))
		return ERR_FAULT;
	for (uint64_t done = 0; done < length;) {
		uint64_t part = page_rest(address + done, length - done);
		char *to = (char *)buffer + done;
		struct held_page page;
		status_t status = vspace_hold(vspace, address + done, &page);

		if (status != OK)
			return status;
		if (page.data == NULL)
			memset(to, 0, part);
		else
			arch_copy(to, page.data, part);
		memory_let_go(&page);
		done += part;
	}
	return OK;
}

/* May all of the range be accessed? */
static status_t
vspace_access_check(struct vspace *vspace, vaddr_t address, uint64_t length,
    unsigned access)
{
	vaddr_t end = address + length;
	status_t status;

	if (!range_is_user(address, length))
		return ERR_FAULT;
	status = vspace_enter(vspace);
	if (status != OK)
		return status;
	while (status == OK && address < end) {
		struct region *region = region_for(vspace, address, access);

		if (region == NULL)
			status = ERR_FAULT;
		else
			address = region_end(region);
	}
	lock_release(&vspace->lock);
	return status;
}

status_t
vspace_write(struct vspace *vspace, vaddr_t address, const void *buffer,
    uint64_t length)
{
	status_t status;

	if (length == 0)
		return OK;
	status = vspace_access_check(vspace, address, length, MAP_WRITE);
	for (uint64_t done = 0; status == OK && done < length;) {
		uint64_t part = page_rest(address + done, length - done);

		status = vspace_put(vspace, address + done,
		    (const char *)buffer + done, part);
		done += part;
	}
	return status;
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
