/* SPDX-License-Identifier: MIT */
/*
 * Byte strings in arena structures. An all-zero one is empty. Short ones lie in
 * the structure itself, others in a block of the heap.
 */
#pragma once

#include <lib/arena/arena.h>

#define ARENA_STRING_INSIDE	16u	/* bytes */

struct arena_string {
	uint32_t length;
	uint32_t capacity;	/* of the block; 0: the bytes lie here */
	union {
		uint8_t	 inside[ARENA_STRING_INSIDE];
		uint8_t	*block;
	};
};

/* The bytes must not be those of the string. ERR_RANGE: 4 GiB or more. */
status_t arena_string_set(struct arena *arena, struct arena_string *string,
    const void *bytes, size_t length);
status_t arena_string_append(struct arena *arena, struct arena_string *string,
    const void *bytes, size_t length);
/* Empty again, and its block is free. */
status_t arena_string_clear(struct arena *arena, struct arena_string *string);
bool arena_string_equals(const struct arena_string *string, const void *bytes,
    size_t length);
bool arena_string_ok(const struct arena_string *string);

static inline const uint8_t *
arena_string_bytes(const struct arena_string *string)
{
	return string->capacity != 0 ? string->block : string->inside;
}
