/* SPDX-License-Identifier: MIT */
/*
 * Memory and string functions of the guest.
 *
 * From 64 bytes on, copies and fills use REP MOVSQ and STOSQ: one instruction
 * per eight bytes to an emulator that counts instructions, and fast on real
 * processors. REP MOVSB, which is as good on hardware, costs an emulator eight
 * times as much. Below 64 bytes, plain words win over the start of a REP.
 *
 * Unaligned words are accessed through a type that may alias anything. The
 * compiler must not recognise these loops as the functions they implement, nor
 * add stack checks to functions that run before the guard is set.
 */
#include <lib/base/string.h>
#include <stdint.h>

#define REP_MIN		64u
#define WORD		sizeof(uint64_t)

#define PLAIN __attribute__((optimize("no-tree-loop-distribute-patterns")))

typedef uint64_t __attribute__((may_alias, aligned(1))) word_t;

PLAIN static void
copy_forward(uint8_t *to, const uint8_t *from, size_t length)
{
	if (length >= REP_MIN) {
		size_t words = length / WORD;

		__asm__ volatile("rep movsq"
		    : "+D"(to), "+S"(from), "+c"(words) :: "memory");
		length %= WORD;
	}
	for (; length >= WORD; length -= WORD) {
		*(word_t *)to = *(const word_t *)from;
		to += WORD;
		from += WORD;
	}
	while (length-- > 0)
		*to++ = *from++;
}

/* From the end; words first, so that any distance of at least one works. */
PLAIN static void
copy_backward(uint8_t *to, const uint8_t *from, size_t length)
{
	for (; length >= WORD; length -= WORD)
		*(word_t *)(to + length - WORD) =
		    *(const word_t *)(from + length - WORD);
	while (length-- > 0)
		to[length] = from[length];
}

void *
memcpy(void *restrict destination, const void *restrict source, size_t length)
{
	copy_forward(destination, source, length);
	return destination;
}

void *
memmove(void *destination, const void *source, size_t length)
{
	uint8_t *to = destination;
	const uint8_t *from = source;

	if ((uintptr_t)to - (uintptr_t)from >= length)
		copy_forward(to, from, length);
	else
		copy_backward(to, from, length);
	return destination;
}

PLAIN void *
memset(void *destination, int value, size_t length)
{
	uint8_t *to = destination;
	uint64_t word = 0x0101010101010101ul * (uint8_t)value;

	if (length >= REP_MIN) {
		size_t words = length / WORD;

		__asm__ volatile("rep stosq"
		    : "+D"(to), "+c"(words) : "a"(word) : "memory");
		length %= WORD;
	}
	for (; length >= WORD; length -= WORD) {
		*(word_t *)to = word;
		to += WORD;
	}
	while (length-- > 0)
		*to++ = (uint8_t)value;
	return destination;
}

int
memcmp(const void *left, const void *right, size_t length)
{
	const uint8_t *a = left, *b = right;

	for (; length >= WORD; length -= WORD) {
		if (*(const word_t *)a != *(const word_t *)b)
			break;
		a += WORD;
		b += WORD;
	}
	for (size_t i = 0; i < length; i++)
		if (a[i] != b[i])
			return a[i] - b[i];
	return 0;
}

void *
memchr(const void *memory, int value, size_t length)
{
	const uint8_t *bytes = memory;

	for (size_t i = 0; i < length; i++)
		if (bytes[i] == (uint8_t)value)
			return (void *)(uintptr_t)&bytes[i];
	return NULL;
}

PLAIN size_t
strlen(const char *text)
{
	size_t length = 0;

	while (text[length] != '\0')
		length++;
	return length;
}

PLAIN size_t
strnlen(const char *text, size_t limit)
{
	size_t length = 0;

	while (length < limit && text[length] != '\0')
		length++;
	return length;
}

int
strcmp(const char *left, const char *right)
{
	return strncmp(left, right, SIZE_MAX);
}

int
strncmp(const char *left, const char *right, size_t limit)
{
	for (size_t i = 0; i < limit; i++) {
		uint8_t a = (uint8_t)left[i], b = (uint8_t)right[i];

		if (a != b)
			return a - b;
		if (a == '\0')
			break;
	}
	return 0;
}

char *
strchr(const char *text, int value)
{
	for (;; text++) {
		if (*text == (char)value)
			return (char *)(uintptr_t)text;
		if (*text == '\0')
			return NULL;
	}
}

char *
strrchr(const char *text, int value)
{
	const char *found = NULL;

	for (;; text++) {
		if (*text == (char)value)
			found = text;
		if (*text == '\0')
			return (char *)(uintptr_t)found;
	}
}
