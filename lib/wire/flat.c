/* SPDX-License-Identifier: MIT */
/* Fixed structs as Cap'n Proto messages: see flat.h. */
#include <lib/wire/flat.h>

#include <lib/base/string.h>
#include <lib/capnp/capnp.h>

void
flat_seal(void *message, uint32_t size)
{
	uint64_t words = (size + 7) / 8;
	/* One segment: a count of 0, then its words with the root pointer. */
	uint64_t header[2] = { (words + 1) << 32, words << 32 };
	uint8_t *bytes = message;

	memcpy(bytes, header, sizeof(header));
	memset(bytes + FLAT_HEADER + size, 0, words * 8 - size);
}

status_t
flat_open(const void *message, size_t length, void *fixed, uint32_t size)
{
	struct capnp_segment segment[CAPNP_SEGMENTS_MAX / 64];
	struct capnp_reader reader;
	uint32_t count;
	size_t words;
	status_t status = capnp_unframe(message, length / 8, segment,
	    sizeof(segment) / sizeof(segment[0]), &count, &words);

	if (status == ERR_EMPTY || length % 8 != 0)
		return ERR_RANGE;
	if (status != OK)
		return status;
	capnp_reader_init(&reader, segment, count, 0, 0);
	struct capnp_struct root = capnp_root(&reader);
	uint32_t there = root.data_bytes < size ? root.data_bytes : size;
	if (there != 0)
		memcpy(fixed, root.data, there);
	memset((uint8_t *)fixed + there, 0, size - there);
	return capnp_status(&reader);
}
