/* SPDX-License-Identifier: MIT */
/* What tests look at memory with: whole ranges of objects and address spaces. */
#include <kernel/arch/host/access.h>
#include <kernel/object/region.h>

#include <string.h>

status_t
memory_read(struct memory *memory, uint64_t offset, void *buffer,
    uint64_t length)
{
	for (uint64_t done = 0; done < length;) {
		uint64_t part = page_rest(offset + done, length - done);
		struct held_page page;
		status_t status = memory_hold(memory, offset + done, &page);

		if (status != OK)
			return status;
		if (page.data == NULL)
			memset((char *)buffer + done, 0, part);
		else
			memcpy((char *)buffer + done, page.data, part);
		memory_let_go(&page);
		done += part;
	}
	return OK;
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
