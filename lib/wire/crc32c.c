/* SPDX-License-Identifier: MIT */
/*
 * CRC-32C eight bytes at a time. slice[k][b] is what a byte b adds that has k
 * more bytes of the eight behind it. The remainder of a byte is the exclusive
 * or of the remainders of its bits, so eight constants give a table.
 *
 * The instruction of SSE4.2 does the same for eight bytes in three cycles, in
 * general registers; whether it is there is asked once.
 */
#include <lib/wire/crc32c.h>

#include <cpuid.h>

#define BIT(i, n, r)	((uint32_t)(((i) >> (n)) & 1) * (r))
#define SLICE0(i) \
	(BIT(i, 0, 0xf26b8303u) ^ BIT(i, 1, 0xe13b70f7u) ^ \
	 BIT(i, 2, 0xc79a971fu) ^ BIT(i, 3, 0x8ad958cfu) ^ \
	 BIT(i, 4, 0x105ec76fu) ^ BIT(i, 5, 0x20bd8edeu) ^ \
	 BIT(i, 6, 0x417b1dbcu) ^ BIT(i, 7, 0x82f63b78u))
#define SLICE1(i) \
	(BIT(i, 0, 0x13a29877u) ^ BIT(i, 1, 0x274530eeu) ^ \
	 BIT(i, 2, 0x4e8a61dcu) ^ BIT(i, 3, 0x9d14c3b8u) ^ \
	 BIT(i, 4, 0x3fc5f181u) ^ BIT(i, 5, 0x7f8be302u) ^ \
	 BIT(i, 6, 0xff17c604u) ^ BIT(i, 7, 0xfbc3faf9u))
#define SLICE2(i) \
	(BIT(i, 0, 0xa541927eu) ^ BIT(i, 1, 0x4f6f520du) ^ \
	 BIT(i, 2, 0x9edea41au) ^ BIT(i, 3, 0x38513ec5u) ^ \
	 BIT(i, 4, 0x70a27d8au) ^ BIT(i, 5, 0xe144fb14u) ^ \
	 BIT(i, 6, 0xc76580d9u) ^ BIT(i, 7, 0x8b277743u))
#define SLICE3(i) \
	(BIT(i, 0, 0xdd45aab8u) ^ BIT(i, 1, 0xbf672381u) ^ \
	 BIT(i, 2, 0x7b2231f3u) ^ BIT(i, 3, 0xf64463e6u) ^ \
	 BIT(i, 4, 0xe964b13du) ^ BIT(i, 5, 0xd725148bu) ^ \
	 BIT(i, 6, 0xaba65fe7u) ^ BIT(i, 7, 0x52a0c93fu))
#define SLICE4(i) \
	(BIT(i, 0, 0x38116facu) ^ BIT(i, 1, 0x7022df58u) ^ \
	 BIT(i, 2, 0xe045beb0u) ^ BIT(i, 3, 0xc5670b91u) ^ \
	 BIT(i, 4, 0x8f2261d3u) ^ BIT(i, 5, 0x1ba8b557u) ^ \
	 BIT(i, 6, 0x37516aaeu) ^ BIT(i, 7, 0x6ea2d55cu))
#define SLICE5(i) \
	(BIT(i, 0, 0xef306b19u) ^ BIT(i, 1, 0xdb8ca0c3u) ^ \
	 BIT(i, 2, 0xb2f53777u) ^ BIT(i, 3, 0x6006181fu) ^ \
	 BIT(i, 4, 0xc00c303eu) ^ BIT(i, 5, 0x85f4168du) ^ \
	 BIT(i, 6, 0x0e045bebu) ^ BIT(i, 7, 0x1c08b7d6u))
#define SLICE6(i) \
	(BIT(i, 0, 0x68032cc8u) ^ BIT(i, 1, 0xd0065990u) ^ \
	 BIT(i, 2, 0xa5e0c5d1u) ^ BIT(i, 3, 0x4e2dfd53u) ^ \
	 BIT(i, 4, 0x9c5bfaa6u) ^ BIT(i, 5, 0x3d5b83bdu) ^ \
	 BIT(i, 6, 0x7ab7077au) ^ BIT(i, 7, 0xf56e0ef4u))
#define SLICE7(i) \
	(BIT(i, 0, 0x493c7d27u) ^ BIT(i, 1, 0x9278fa4eu) ^ \
	 BIT(i, 2, 0x211d826du) ^ BIT(i, 3, 0x423b04dau) ^ \
	 BIT(i, 4, 0x847609b4u) ^ BIT(i, 5, 0x0d006599u) ^ \
	 BIT(i, 6, 0x1a00cb32u) ^ BIT(i, 7, 0x34019664u))
#define ROW4(s, i)	s(i), s((i) + 1), s((i) + 2), s((i) + 3)
#define ROW16(s, i)	ROW4(s, i), ROW4(s, (i) + 4), ROW4(s, (i) + 8), \
			ROW4(s, (i) + 12)
#define ROW64(s, i)	ROW16(s, i), ROW16(s, (i) + 16), \
			ROW16(s, (i) + 32), ROW16(s, (i) + 48)
#define TABLE(s)	{ ROW64(s, 0), ROW64(s, 64), ROW64(s, 128), \
			ROW64(s, 192) }

static const uint32_t slice[8][256] = {
	TABLE(SLICE0), TABLE(SLICE1), TABLE(SLICE2), TABLE(SLICE3),
	TABLE(SLICE4), TABLE(SLICE5), TABLE(SLICE6), TABLE(SLICE7),
};

static uint64_t
load_word(const uint8_t *bytes)
{
	uint64_t word;

	__builtin_memcpy(&word, bytes, sizeof(word));
	return word;
}

static uint32_t
add_byte(uint32_t crc, uint8_t byte)
{
	return crc >> 8 ^ slice[0][(crc ^ byte) & 0xff];
}

uint32_t
crc32c_table(uint32_t crc, const void *data, size_t length)
{
	const uint8_t *in = data;

	crc = ~crc;
	for (; length >= 8; length -= 8, in += 8) {
		uint64_t word = load_word(in) ^ crc;

		crc = 0;
		for (unsigned k = 0; k < 8; k++)
			crc ^= slice[7 - k][word >> 8 * k & 0xff];
	}
	for (; length != 0; length--)
		crc = add_byte(crc, *in++);
	return ~crc;
}

bool
crc32c_has_instruction(void)
{
	/* 0: not asked yet. Threads that ask at once find the same. */
	static uint32_t answer;
	uint32_t known = __atomic_load_n(&answer, __ATOMIC_RELAXED);

	if (known == 0) {
		unsigned a, b, c = 0, d;

		known = __get_cpuid(1, &a, &b, &c, &d) != 0 &&
		    (c & bit_SSE4_2) != 0 ? 2 : 1;
		__atomic_store_n(&answer, known, __ATOMIC_RELAXED);
	}
	return known == 2;
}

uint32_t
crc32c_instruction(uint32_t crc, const void *data, size_t length)
{
	const uint8_t *in = data;
	uint64_t sum = ~crc;

	for (; length >= 8; length -= 8, in += 8)
		__asm__("crc32q %1, %0" : "+r"(sum) : "rm"(load_word(in)));
	for (; length != 0; length--, in++)
		__asm__("crc32b %1, %0" : "+r"(sum) : "rm"(*in));
	return ~(uint32_t)sum;
}

uint32_t
crc32c(uint32_t crc, const void *data, size_t length)
{
	return crc32c_has_instruction() ?
	    crc32c_instruction(crc, data, length) :
	    crc32c_table(crc, data, length);
}
