/* SPDX-License-Identifier: MIT */
/*
 * Memory functions of the kernel, for small lengths; the host uses its libc.
 *
 * Eight bytes at a time where possible, then single bytes. Unaligned words are
 * accessed through a type that may alias anything. The compiler must not
 * recognise these loops as the functions they implement.
 */
#include <kernel/core/string.h>
#include <stdint.h>

#if !__STDC_HOSTED__

#define NO_IDIOM __attribute__((optimize("no-tree-loop-distribute-patterns")))

typedef uint64_t __attribute__((may_alias, aligned(1))) word_t;

NO_IDIOM void *
memset(void *destination, int value, size_t length)
{
	uint8_t *to = destination;
	uint64_t word = 0x0101010101010101ul * (uint8_t)value;

	for (; length >= sizeof(word); length -= sizeof(word)) {
		*(word_t *)to = word;
		to += sizeof(word);
	}
	while (length-- > 0)
		*to++ = (uint8_t)value;
	return destination;
}

NO_IDIOM static void
copy_forward(uint8_t *to, const uint8_t *from, size_t length)
{
	for (; length >= sizeof(word_t); length -= sizeof(word_t)) {
		*(word_t *)to = *(const word_t *)from;
		to += sizeof(word_t);
		from += sizeof(word_t);
	}
	while (length-- > 0)
		*to++ = *from++;
}

void *
memcpy(void *restrict destination, const void *restrict source, size_t length)
{
	copy_forward(destination, source, length);
	return destination;
}

NO_IDIOM void *
memmove(void *destination, const void *source, size_t length)
{
	uint8_t *to = destination;
	const uint8_t *from = source;

	if (to <= from || to >= from + length) {
		copy_forward(to, from, length);
		return destination;
	}
	for (; length >= sizeof(word_t); length -= sizeof(word_t))
		*(word_t *)(to + length - sizeof(word_t)) =
		    *(const word_t *)(from + length - sizeof(word_t));
	while (length-- > 0)
		to[length] = from[length];
	return destination;
}

int
memcmp(const void *left, const void *right, size_t length)
{
	const uint8_t *a = left, *b = right;

	for (size_t i = 0; i < length; i++)
		if (a[i] != b[i])
			return a[i] - b[i];
	return 0;
}

#endif
