/* SPDX-License-Identifier: MIT */
/* A range of I/O ports. */
#pragma once

#include <kernel/object/object.h>

struct ioport {
	struct object	object;
	uint16_t	first;		/* constant */
	uint32_t	count;		/* constant, 1..65536 */
};

status_t ioport_create(struct container *container, uint64_t first,
    uint64_t count, struct ioport **out_ioport);
/* The absolute port if [offset, offset + width) lies in the range. */
status_t ioport_check(const struct ioport *ioport, uint64_t offset,
    uint64_t width, unsigned *out_port);
