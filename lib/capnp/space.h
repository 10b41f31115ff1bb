/* SPDX-License-Identifier: MIT */
/*
 * Inside the library: room in a message that is built.
 *
 * None of these calls touches what a pointer named before: that is cleared
 * first, with capnp_clear(). All leave the status of the builder as their
 * result; what they return after an error is empty.
 */
#pragma once

#include <lib/capnp/build.h>
#include <lib/capnp/follow.h>

static inline bool
capnp_builder_good(const struct capnp_builder *builder)
{
	return builder != NULL && builder->reader.status == OK;
}

static inline void
capnp_builder_fail(struct capnp_builder *builder, status_t status)
{
	if (builder != NULL)
		capnp_fail(&builder->reader, status);
}

/* To follow a pointer of a builder. */
struct capnp_place capnp_place_of(struct capnp_pointer pointer);

/* Makes the pointer name words of a segment; makes a pad if there need be. */
void capnp_link(struct capnp_pointer pointer, uint32_t segment, size_t index,
    uint64_t word);

struct capnp_struct_builder capnp_make_struct(struct capnp_pointer pointer,
    uint16_t data_words, uint16_t pointers);
struct capnp_list_builder capnp_make_list(struct capnp_pointer pointer,
    enum capnp_element element, uint32_t count);
struct capnp_list_builder capnp_make_structs(struct capnp_pointer pointer,
    uint32_t count, uint16_t data_words, uint16_t pointers);

/* Zeroes an object and its pads, but not what it points to. */
void capnp_wipe(const struct capnp_target *target);
