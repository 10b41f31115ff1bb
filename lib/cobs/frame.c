/* SPDX-License-Identifier: MIT */
#include <lib/cobs/frame.h>

#include <string.h>

#define HEADER		5u	/* type and sequence */
#define CHECKSUM	4u

uint32_t
frame_get_u32(const uint8_t *bytes)
{
	return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
	    (uint32_t)bytes[3] << 24;
}

void
frame_put_u32(uint8_t *bytes, uint32_t value)
{
	bytes[0] = (uint8_t)value;
	bytes[1] = (uint8_t)(value >> 8);
	bytes[2] = (uint8_t)(value >> 16);
	bytes[3] = (uint8_t)(value >> 24);
}

size_t
frame_encode(uint8_t type, uint32_t sequence, const void *data, size_t length,
    uint8_t *out)
{
	uint8_t plain[FRAME_MAX];

	plain[0] = type;
	frame_put_u32(plain + 1, sequence);
	if (length > 0)
		memcpy(plain + HEADER, data, length);
	length += HEADER;
	frame_put_u32(plain + length, crc32(0, plain, length));
	size_t end = cobs_encode(plain, length + CHECKSUM, out);
	out[end] = 0;
	return end + 1;
}

bool
frame_parse(const uint8_t *bytes, size_t length, struct frame *out_frame)
{
	if (length < HEADER + CHECKSUM || length > FRAME_MAX)
		return false;
	length -= CHECKSUM;
	if (crc32(0, bytes, length) != frame_get_u32(bytes + length))
		return false;
	*out_frame = (struct frame){
		.type = bytes[0],
		.sequence = frame_get_u32(bytes + 1),
		.data = bytes + HEADER,
		.length = length - HEADER,
	};
	return true;
}
