/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a message: framed, or, if the first byte is odd, as one segment
 * that begins with its root. Reading, copying, rewriting and canonicalising
 * stay inside it, and building on it does too.
 */
#include <stdlib.h>
#include <string.h>

#include <lib/capnp/capnp.h>
#include <tests/capnp/walk.h>

#define SEGMENTS	16u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
walk_framed(const uint64_t *words, size_t count)
{
	struct capnp_segment segments[SEGMENTS];
	uint32_t segment_count;
	size_t length;

	if (capnp_unframe(words, count, segments, SEGMENTS, &segment_count,
	    &length) == OK)
		walk_message(segments, segment_count);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t count = size / sizeof(uint64_t);
	struct capnp_segment only = { .count = count };

	if (size % sizeof(uint64_t) == 0 || count == 0)
		return 0;
	uint64_t *words = malloc(count * sizeof(*words));
	if (words == NULL)
		abort();
	only.words = words;
	memcpy(words, data + 1, count * sizeof(*words));
	if (data[0] % 2 != 0)
		walk_message(&only, 1);
	else
		walk_framed(words, count);
	walk_builder(words, count - data[0] / 2 % count, count, data[0]);
	free(words);
	return 0;
}
