/* SPDX-License-Identifier: MIT */
/*
 * A fixed struct as a framed Cap'n Proto message: its bytes are the data
 * section of the root. For peers that are not trusted at all: whatever a
 * message says, reading it gives values or an error (lib/capnp).
 *
 *	0	segment table: one segment
 *	8	root pointer
 *	16	the struct, filled up to a multiple of 8 with zeros
 *
 * That is what writing makes. Reading takes any message whose root has data, as
 * Cap'n Proto lets a type grow: what a shorter one lacks is 0, what a longer
 * one has more is left out. Any thread.
 */
#pragma once

#include <abi/status.h>
#include <stddef.h>
#include <stdint.h>

#define FLAT_HEADER	16u
#define FLAT_MAX	(65535u * 8u)	/* bytes of a data section */

/* Bytes of the message for a struct of so many. */
static inline uint32_t
flat_length(uint32_t size)
{
	return FLAT_HEADER + ((size + 7) & ~7u);
}

/*
 * Only a struct, made in place behind room for the header: writes that, and
 * what fills the end up. message: flat_length(size) bytes, aligned to 8;
 * size <= FLAT_MAX.
 */
void flat_seal(void *message, uint32_t size);
/*
 * Takes the struct out. ERR_RANGE, ERR_ARG, ERR_LIMIT: malformed. The message
 * (aligned to 8) may change meanwhile: then values are any.
 */
status_t flat_open(const void *message, size_t length, void *fixed,
    uint32_t size);
