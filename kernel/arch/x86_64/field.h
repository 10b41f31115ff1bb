/* SPDX-License-Identifier: MIT */
/*
 * Fields of ACPI tables: little-endian, and not aligned. Each file that reads
 * tables has its copy, in the boot stage.
 */
#pragma once

#include "machine/section.h"

#include <stdint.h>

BOOT_CODE static uint64_t
field(const uint8_t *at, unsigned size)
{
	uint64_t value = 0;

	while (size-- > 0)
		value = value << 8 | at[size];
	return value;
}
