/* SPDX-License-Identifier: MIT */
#include <lib/cobs/cobs.h>

/*
 * The remainder of a byte is the exclusive or of the remainders of its bits,
 * so eight constants give the table.
 */
#define BIT(i, n, r)	((uint32_t)(((i) >> (n)) & 1) * (r))
#define ENTRY(i) \
	(BIT(i, 0, 0x77073096u) ^ BIT(i, 1, 0xee0e612cu) ^ \
	 BIT(i, 2, 0x076dc419u) ^ BIT(i, 3, 0x0edb8832u) ^ \
	 BIT(i, 4, 0x1db71064u) ^ BIT(i, 5, 0x3b6e20c8u) ^ \
	 BIT(i, 6, 0x76dc4190u) ^ BIT(i, 7, 0xedb88320u))
#define ROW4(i)		ENTRY(i), ENTRY((i) + 1), ENTRY((i) + 2), ENTRY((i) + 3)
#define ROW16(i)	ROW4(i), ROW4((i) + 4), ROW4((i) + 8), ROW4((i) + 12)
#define ROW64(i)	ROW16(i), ROW16((i) + 16), ROW16((i) + 32), \
			ROW16((i) + 48)

static const uint32_t remainder_of[256] = {
	ROW64(0), ROW64(64), ROW64(128), ROW64(192),
};

uint32_t
crc32(uint32_t crc, const void *data, size_t length)
{
	const uint8_t *in = data;

	crc = ~crc;
	for (size_t i = 0; i < length; i++)
		crc = crc >> 8 ^ remainder_of[(crc ^ in[i]) & 0xff];
	return ~crc;
}
