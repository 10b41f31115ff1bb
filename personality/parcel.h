/* SPDX-License-Identifier: MIT */
/*
 * An open file on its way to another process (parcel.c). Kinds that are more
 * than one capability and their flags say in file_ops how they are packed.
 */
#pragma once

#include <abi/object.h>
#include <stdint.h>

#define PARCEL_CAPS	8u
#define PARCEL_WORDS	4u

struct parcel_file {
	uint8_t	 kind, node;		/* as in struct file */
	uint8_t	 can_read, can_write;
	uint8_t	 place;
	uint8_t	 count;			/* of cap[] */
	uint16_t terminal;
	uint32_t flags, device;
	uint64_t word[PARCEL_WORDS];	/* of the kind */
	cap_t	 cap[PARCEL_CAPS];	/* not part of what is sent as bytes */
};
_Static_assert(sizeof(struct parcel_file) ==
    16 + 8 * (PARCEL_WORDS + PARCEL_CAPS), "no padding");
