/* SPDX-License-Identifier: MIT */
/*
 * Tests of the system's own calls print what calls return, as those of Linux
 * do (say.h), without a C library.
 */
#pragma once

#include <bennu/abi.h>
#include <stdbool.h>

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))

/* No memory is there, and the compiler does not know. */
static inline void *
nowhere(void)
{
	void *address = (void *)8;

	__asm__("" : "+r"(address));
	return address;
}

static inline size_t
length_of(const char *text)
{
	size_t length = 0;

	while (text[length] != 0)
		length++;
	return length;
}

static inline bool
same_text(const char *a, const char *b)
{
	while (*a != 0 && *a == *b)
		a++, b++;
	return *a == *b;
}

static inline void
print(const char *text)
{
	size_t length = length_of(text);

	while (length > 0) {
		ssize_t done = write(1, text, length);
		if (done <= 0)
			return;
		text += done;
		length -= (size_t)done;
	}
}

static inline void
print_number(long value)
{
	char digits[24], *at = digits + sizeof(digits) - 1;
	unsigned long left = value < 0 ? 0 - (unsigned long)value :
	    (unsigned long)value;

	*at = 0;
	do
		*--at = (char)('0' + left % 10);
	while ((left /= 10) != 0);
	if (value < 0)
		*--at = '-';
	print(at);
}

/* "name: result", or "name: -1 ERROR". */
#define TELL(name, call) \
	do { \
		errno = 0; \
		long tell_result = (long)(call); \
		tell(name, tell_result); \
	} while (0)

/* As TELL, for results that are only good or bad: "ok" instead of a number. */
#define TELL_OK(name, call) \
	do { \
		errno = 0; \
		long tell_result = (long)(call); \
		tell(name, tell_result == -1 ? -1 : 0); \
	} while (0)

#define CHECK(condition) \
	print((condition) ? #condition ": yes\n" : #condition ": NO\n")

static inline void
tell(const char *name, long result)
{
	const char *error = error_name(errno);

	print(name);
	print(": ");
	print_number(result);
	if (result == -1) {
		print(" ");
		print(error != NULL ? error : "no such error");
	}
	print("\n");
}
