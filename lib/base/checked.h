/* SPDX-License-Identifier: MIT */
/*
 * Arithmetic that says when it does not fit. Each returns false then, and
 * leaves the result alone.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

static inline bool
checked_add(uint64_t a, uint64_t b, uint64_t *out_sum)
{
	if (a > UINT64_MAX - b)
		return false;
	*out_sum = a + b;
	return true;
}

static inline bool
checked_multiply(uint64_t a, uint64_t b, uint64_t *out_product)
{
	uint64_t product;

	if (__builtin_mul_overflow(a, b, &product))
		return false;
	*out_product = product;
	return true;
}

/* unit is a power of two. */
static inline bool
checked_round_up(uint64_t value, uint64_t unit, uint64_t *out_rounded)
{
	if (value > UINT64_MAX - (unit - 1))
		return false;
	*out_rounded = (value + unit - 1) & ~(unit - 1);
	return true;
}

/* Does [offset, offset + length) lie in [0, size)? */
static inline bool
checked_within(uint64_t offset, uint64_t length, uint64_t size)
{
	return offset <= size && length <= size - offset;
}
