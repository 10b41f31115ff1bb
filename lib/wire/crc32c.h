/* SPDX-License-Identifier: MIT */
/*
 * CRC-32C (Castagnoli 1993, as in RFC 3720): finds damage, not malice. Any
 * thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Begin with 0; what it returns goes on with the bytes behind. */
uint32_t crc32c(uint32_t crc, const void *data, size_t length);

/* The two ways it is computed. The second only if the processor has it. */
uint32_t crc32c_table(uint32_t crc, const void *data, size_t length);
bool crc32c_has_instruction(void);
uint32_t crc32c_instruction(uint32_t crc, const void *data, size_t length);
