/* SPDX-License-Identifier: MIT */
/* I/O port ranges. */
#include <kernel/object/ioport.h>

#include <stddef.h>

status_t
ioport_create(struct container *container, uint64_t first, uint64_t count,
    struct ioport **out_ioport)
{
	status_t status;

	if (count == 0 || count > 65536 || first > 65536 - count)
		return ERR_RANGE;
	struct object *object = object_alloc(OBJ_IOPORT, container, &status);
	if (object == NULL)
		return status;
	*out_ioport = (struct ioport *)object;
	(*out_ioport)->first = (uint16_t)first;
	(*out_ioport)->count = (uint32_t)count;
	return OK;
}

status_t
ioport_check(const struct ioport *ioport, uint64_t offset, uint64_t width,
    unsigned *out_port)
{
	if (width != 1 && width != 2 && width != 4)
		return ERR_ARG;
	if (offset >= ioport->count || width > ioport->count - offset)
		return ERR_RANGE;
	*out_port = ioport->first + (unsigned)offset;
	return OK;
}

bool
ioport_destroy(struct object *object)
{
	return true;
}
