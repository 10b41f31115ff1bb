/* SPDX-License-Identifier: MIT */
/* Hash functions for tables in memory. Not for signatures. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* A bijection of 64-bit values: each input bit changes half of the output. */
static inline uint64_t
hash_mix(uint64_t value)
{
	value ^= value >> 33;
	value *= 0xff51afd7ed558ccdul;
	value ^= value >> 33;
	value *= 0xc4ceb9fe1a85ec53ul;
	value ^= value >> 33;
	return value;
}

/*
 * Bytes, eight at a time. With a seed that others do not know, they cannot
 * choose names that collide easily.
 */
static inline uint64_t
hash_bytes(uint64_t seed, const void *data, size_t length)
{
	const uint8_t *bytes = data;
	uint64_t state = seed ^ (length * 0x9e3779b97f4a7c15ul);

	for (; length >= 8; length -= 8, bytes += 8) {
		uint64_t word;

		__builtin_memcpy(&word, bytes, 8);
		state = hash_mix(state ^ word) + 0x9e3779b97f4a7c15ul;
	}
	uint64_t rest = 0;
	for (size_t i = 0; i < length; i++)
		rest |= (uint64_t)bytes[i] << (8 * i);
	return hash_mix(state ^ rest);
}
