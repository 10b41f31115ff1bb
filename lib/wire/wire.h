/* SPDX-License-Identifier: MIT */
/*
 * What generated protocols (docs/design/interfaces.md) share: bytes that do not
 * fit into the words of a message travel in windows of the caller's memory.
 *
 * The same structs hold arguments on both sides. The caller says where the
 * bytes are; the server finds NULL there and the number of the window, from
 * which it copies, or a short text in place, inside the message.
 */
#pragma once

#include <abi/syscall.h>
#include <abi/utcb.h>
#include <idl/message.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of the caller, for the server to read. */
struct wire_bytes {
	const void *bytes;
	uint64_t length;
	unsigned window;	/* only servers look */
};

/* Of the caller, for the server to write. */
struct wire_room {
	void	*bytes;
	uint64_t length;
	unsigned window;	/* only servers look */
};

/*
 * A short text travels in words 3 to 6, without a window, which is faster; bit
 * 63 of word 7 says so. All the words are copied: so many bytes must be there
 * to be read, whatever the length.
 */
#define WIRE_SHORT		(1ul << 63)
#define WIRE_SHORT_WORD		3u
#define WIRE_SHORT_MAX		32u

static inline struct window
wire_window_bytes(const void *bytes, uint64_t length)
{
	return (struct window){ (uint64_t)bytes, length << 2 | WINDOW_READ };
}

static inline struct window
wire_window_room(const void *bytes, uint64_t length)
{
	return (struct window){ (uint64_t)bytes, length << 2 | WINDOW_WRITE };
}

static inline struct window
wire_window_both(const void *bytes, uint64_t length)
{
	return (struct window){ (uint64_t)bytes,
	    length << 2 | WINDOW_READ | WINDOW_WRITE };
}

/* What CALL is told: windows and capabilities. */
static inline uint64_t
wire_transfer(unsigned windows, unsigned caps)
{
	return (uint64_t)windows << IPC_WINDOWS_SHIFT | caps;
}

/*
 * A text in words, padded with NUL; what does not fit is cut. The last byte is
 * a NUL, whoever sent the words.
 */
static inline void
wire_text_set(char *to, size_t size, const char *from)
{
	size_t i = 0;

	for (; i < size - 1 && from[i] != '\0'; i++)
		to[i] = from[i];
	for (; i < size; i++)
		to[i] = '\0';
}
