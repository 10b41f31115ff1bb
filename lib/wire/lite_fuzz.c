/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a lite message: what passes the check can be read to its last
 * byte, and is what the builder makes of its parts. Half of the inputs get a
 * right header, so that the bounds are reached.
 */
#include <lib/wire/flat.h>
#include <lib/wire/lite.h>

#include <stdlib.h>
#include <string.h>

#define SCHEMA	1ul
#define ROOM	4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct note {
	uint32_t number;
	struct lite_tail text;
	struct lite_tail values;
	uint32_t more;
};

static const struct lite_tail_type tails[] = {
	{ .at = offsetof(struct note, text), .max = 1000, .unit = 1 },
	{ .at = offsetof(struct note, values), .max = 800, .unit = 8 },
};
static const struct lite_type type = {
	.schema = SCHEMA, .size = sizeof(struct note), .tails = 2,
	.tail = tails,
};

static void
check_rebuilt(const uint8_t *message, size_t length)
{
	static uint64_t again[ROOM / 8];
	const struct note *note = lite_struct(message);
	struct lite_builder builder;
	size_t rebuilt;

	lite_begin(&builder, &type, again, sizeof(again), note);
	lite_add(&builder, lite_tail_bytes(message, &note->text),
	    note->text.length);
	lite_add(&builder, lite_tail_bytes(message, &note->values),
	    note->values.length);
	if (lite_finish(&builder, &rebuilt) != OK || rebuilt != length ||
	    memcmp(lite_struct(again), note, sizeof(*note)) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t fixed[4];

	if (size > ROOM)
		return 0;
	/* Of exactly this length, so that one byte more is found. */
	uint8_t *message = aligned_alloc(8, (size + 8) & ~(size_t)7);
	uint8_t *end = message + ((size + 8) & ~(size_t)7) - size;
	end -= (uintptr_t)end % 8;
	memcpy(end, data, size);
	if (size >= LITE_HEADER && data[0] % 2 == 0)
		lite_seal(end, (uint32_t)size, SCHEMA);
	if (lite_check(&type, end, size) == OK)
		check_rebuilt(end, size);
	lite_open(end, size, SCHEMA, fixed, sizeof(fixed));
	flat_open(end, size, fixed, sizeof(fixed));
	free(message);
	return 0;
}
