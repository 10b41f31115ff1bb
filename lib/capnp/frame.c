/* SPDX-License-Identifier: MIT */
#include <lib/capnp/capnp.h>

#include <lib/capnp/follow.h>

/* Word i of the table holds the numbers 2 * i and 2 * i + 1. */
static uint32_t
half(uint64_t word, uint32_t i)
{
	return (uint32_t)(i % 2 == 0 ? word : word >> 32);
}

status_t
capnp_unframe(const uint64_t *words, size_t count,
    struct capnp_segment *segment, uint32_t room, uint32_t *out_count,
    size_t *out_words)
{
	uint64_t word;

	*out_count = 0;
	*out_words = 1;
	if (count == 0)
		return ERR_EMPTY;
	word = capnp_load(words);
	uint64_t segments = (uint64_t)half(word, 0) + 1;
	if (segments > CAPNP_SEGMENTS_MAX || segments > room)
		return ERR_LIMIT;
	/* The table: the count less one, then a size for each segment. */
	size_t total = segments / 2 + 1;
	*out_words = total;
	if (count < total)
		return ERR_EMPTY;
	for (uint32_t i = 1; i <= segments; i++) {
		if (i % 2 == 0)
			word = capnp_load(words + i / 2);
		if (segment != NULL)
			segment[i - 1] = (struct capnp_segment){
				.words = words + total,
				.count = half(word, i),
			};
		total += half(word, i);
	}
	*out_words = total;
	if (count < total)
		return ERR_EMPTY;
	*out_count = (uint32_t)segments;
	return OK;
}
