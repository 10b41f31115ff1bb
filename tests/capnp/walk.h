/* SPDX-License-Identifier: MIT */
/*
 * Everything that can be done to a message nobody vouches for.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <lib/capnp/capnp.h>

#define WALK_WORDS	8192u	/* traversal limit, and room of a copy */

/*
 * Reads each byte as a tree without types, and each field of the schema;
 * copies, rewrites, canonicalises. Aborts if what comes out is not well formed.
 */
void walk_message(const struct capnp_segment *segment, uint32_t count);

/*
 * Builds on memory that others may have changed: `words` are `used` words of a
 * message and room behind them. `steps` pick what is done.
 */
void walk_builder(uint64_t *words, size_t used, size_t room, uint64_t steps);
