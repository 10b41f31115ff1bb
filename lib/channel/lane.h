/* SPDX-License-Identifier: MIT */
/*
 * Lanes: memory of one direction from one member to another. First the ring of
 * messages, then the ring back. Both ends take the sizes from the configuration
 * that the port told them, never from the memory.
 *
 * The kind of a message in a ring says how its bytes are to be read:
 *
 *	LANE_KIND(serializer, where)	where: in the ring or in a buffer, with
 *					or without the time it was sent
 *	LANE_CONTROL			of the library; a word says what
 *
 * A stamped message is followed by the 8 bytes of its time (ns). Lossy rings do
 * not transport the kind: there a word behind all that has it.
 */
#pragma once

#include <lib/channel/channel.h>
#include <lib/pool/pool.h>
#include <lib/ring/ring.h>

#define LANE_STAMPED		1u
#define LANE_BUFFER		2u	/* payload: struct lane_buffer */
#define LANE_SERIALIZER_SHIFT	2u
#define LANE_KIND_MAX		12u
#define LANE_CONTROL		13u
#define LANE_RETURN		14u	/* ring back: struct lane_buffer */

#define LANE_STAMP		8u	/* bytes */
#define LANE_WORD		8u
/* What lossy use needs: the kind, and the number that the ring adds. */
#define LANE_LOSSY		(LANE_WORD + 8u)

/* On the ring back, SYNC: word of a LANE_CONTROL message. */
#define LANE_UNANSWERED		1u

struct lane_buffer {
	uint32_t number;	/* of the buffer; the layout says where it is */
	uint32_t length;	/* of the message; of a return 0 */
};

_Static_assert(sizeof(struct lane_buffer) == 8, "fixed layout");

/* RAW, LITE or FULL; bytes without a schema go as RAW. */
static inline uint32_t
lane_kind(enum channel_serializer serializer, uint32_t where)
{
	return (((uint32_t)serializer - CHANNEL_RAW) << LANE_SERIALIZER_SHIFT |
	    where) + 1;
}

static inline enum channel_serializer
lane_kind_serializer(uint32_t kind)
{
	return (enum channel_serializer)(CHANNEL_RAW +
	    ((kind - 1) >> LANE_SERIALIZER_SHIFT));
}

/* Sizes of a lane; config is filled (config.h). */
uint32_t lane_lines(const struct channel_config *config);
uint32_t lane_return_lines(const struct channel_config *config);
/* Bytes, a multiple of 64. */
size_t lane_size(const struct channel_config *config);
/* By who makes the memory, before anybody knows of it. Aligned to 64. */
void lane_format(void *memory, const struct channel_config *config);
/* The same for memory that is all zero; touches only a little of it. */
void lane_format_zeroed(void *memory, const struct channel_config *config);
/* The pool of a sender: what is where, and bytes of shared memory. */
void lane_pool_layout(const struct channel_config *config,
    struct pool_layout *out_layout);
size_t lane_pool_size(const struct channel_config *config);
/* Longest message that goes through the ring itself, in bytes. */
uint32_t lane_inline_max(const struct channel_config *config);
