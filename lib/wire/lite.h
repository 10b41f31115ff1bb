/* SPDX-License-Identifier: MIT */
/*
 * Lite messages: a C struct as it lies in memory, with a header in front and
 * its variable parts behind, for peers that are trusted to mean well but may
 * fail.
 *
 *	0	u32	crc	CRC-32C of all that follows
 *	4	u32	length	of the message, header included
 *	8	u64	schema	which struct it is
 *	16		the struct, `size` bytes
 *			the tails, each at the next multiple of 8
 *
 * A tail is named by a struct lite_tail in the struct. Tails lie in the order
 * of the type's list, with no gap but the bytes that align them (zero) and
 * nothing behind the last: so one pass checks all bounds, and no two overlap.
 * Little-endian, as the machines are.
 *
 * A message in memory that somebody else can change is copied before the check
 * (lite_take): what was checked is what is read.
 *
 * Errors: ERR_RANGE the message or a tail is too short, too long, or not where
 * it must be; ERR_TYPE another schema; ERR_CORRUPT the CRC; ERR_FULL no room.
 * Nothing is allocated or kept. Any thread.
 */
#pragma once

#include <abi/status.h>
#include <lib/base/linkage.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

LINKAGE_BEGIN

#define LITE_HEADER	16u
#define LITE_ALIGN	8u

struct lite_header {
	uint32_t crc;
	uint32_t length;
	uint64_t schema;
};

_Static_assert(sizeof(struct lite_header) == LITE_HEADER, "fixed layout");

/* In the struct; set by the builder. Offset from the begin of the message. */
struct lite_tail {
	uint32_t offset;
	uint32_t length;	/* bytes */
};

struct lite_tail_type {
	uint32_t at;		/* of the lite_tail in the struct */
	uint32_t max;		/* bytes */
	uint32_t unit;		/* bytes of an element; length is a multiple */
};

struct lite_type {
	uint64_t schema;
	uint32_t size;		/* of the struct */
	uint32_t tails;
	const struct lite_tail_type *tail;
};

/* Checks everything. message: aligned to 8, nobody changes it meanwhile. */
status_t lite_check(const struct lite_type *type, const void *message,
    size_t length);
/* Copies to `to`, of `room` bytes and aligned to 8; then checks. */
status_t lite_take(const struct lite_type *type, const void *message,
    size_t length, void *to, size_t room);

/* After a check. */
static inline const void *
lite_struct(const void *message)
{
	return (const uint8_t *)message + LITE_HEADER;
}

static inline const void *
lite_tail_bytes(const void *message, const struct lite_tail *tail)
{
	return (const uint8_t *)message + tail->offset;
}

/* Errors stick: build, then ask lite_finish. */
struct lite_builder {
	const struct lite_type *type;
	uint8_t	*message;
	size_t	 room, length;
	uint32_t tails;		/* added so far */
	status_t status;
};

/* message: aligned to 8. The struct is copied; lite_add sets its tails. */
void lite_begin(struct lite_builder *builder, const struct lite_type *type,
    void *message, size_t room, const void *fixed);
/* The next tail of the type's list. length 0 is a tail without bytes. */
void lite_add(struct lite_builder *builder, const void *bytes, size_t length);
/* Tails that were not added are empty. */
status_t lite_finish(struct lite_builder *builder, size_t *out_length);

/*
 * Only a struct, without tails, made in place behind room for the header:
 * writes that. length = LITE_HEADER + size.
 */
void lite_seal(void *message, uint32_t length, uint64_t schema);
/* Takes such a struct out; copies, then checks. */
status_t lite_open(const void *message, size_t length, uint64_t schema,
    void *fixed, uint32_t size);

LINKAGE_END
