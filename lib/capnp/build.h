/* SPDX-License-Identifier: MIT */
/*
 * Cap'n Proto messages: building in memory of the caller.
 *
 * A builder hands out words of its segments in order and never takes any back:
 * an object that is replaced is zeroed and stays as a hole. A pointer to an
 * object in its own segment is plain; if that is full, the object goes to
 * another segment behind a landing pad (far pointer).
 *
 * The memory may be shared with a hostile peer while it is built: whatever is
 * read back is loaded once and checked as in a reader. What is written can be
 * spoiled that way, memory outside the segments cannot.
 *
 * Errors stick, as in a reader: after the first one no object is made, and what
 * is handed out is empty. Ask capnp_builder_status() once at the end.
 *
 *	ERR_FULL	no room in the segments, or in the table of segments
 *	ERR_NOMEM	`allocate` gave none
 *	ERR_RANGE	a field or element that the object does not have, or an
 *			object larger than the format allows
 *	ERR_ARG		an object of another kind than asked for
 *	ERR_LIMIT	a source that is over its limits, or nested more than
 *			CAPNP_DEPTH levels
 *
 * Numbers are written as they are: exclusive-or with a default is the
 * caller's. Offsets are in bytes and multiples of the size written.
 *
 * Copying and clearing need up to 12 KB of stack.
 *
 * Thread safety: a builder belongs to one thread. A builder is not copied or
 * moved once it is initialized.
 */
#pragma once

#include <lib/base/linkage.h>
#include <lib/capnp/capnp.h>

LINKAGE_BEGIN

#define CAPNP_SEGMENT_WORDS	((size_t)(1u << 29) - 1)
#define CAPNP_LIST_MAX		((1u << 29) - 1)	/* elements, or words */

/* Memory for a builder. The arrays stay the caller's, for its whole life. */
struct capnp_pool {
	struct capnp_segment *segment;	/* `room` of them */
	size_t	*size;			/* the same number: words each has */
	uint32_t room;
	/* At least so many words, 8-byte aligned; NULL = no more. */
	uint64_t *(*allocate)(void *context, size_t least, size_t *out_words);
	void	*context;
};

struct capnp_builder {
	struct capnp_reader reader;	/* of what was built, without limits */
	struct capnp_pool pool;
	struct capnp_segment only;	/* for a builder of one buffer */
	size_t	 only_size;
};

/* A pointer that can be set: of a struct, of a list, or the root. */
struct capnp_pointer {
	struct capnp_builder *builder;
	uint64_t *at;		/* NULL: an error came before */
	uint32_t segment;
};

struct capnp_struct_builder {
	struct capnp_builder *builder;
	uint8_t	*data;
	uint64_t *pointers;
	uint32_t segment;
	uint32_t data_bytes;
	uint16_t pointer_count;
};

struct capnp_list_builder {
	struct capnp_builder *builder;
	uint8_t	*data;		/* first element (behind the tag) */
	uint32_t segment;
	uint32_t count;		/* elements; 0 after an error */
	uint32_t step;		/* bits from one to the next */
	uint32_t data_bytes;	/* of the data section of an element; bits: 0 */
	uint16_t pointer_count;	/* of an element */
	uint8_t	 element;	/* enum capnp_element */
};

/* Bytes of text (without its NUL) or data, zeroed; length 0 after an error. */
struct capnp_bytes {
	uint8_t	*bytes;
	size_t	 length;
};

/* One segment, which need not be zeroed. `count` is at least 1. */
void capnp_builder_init(struct capnp_builder *builder, uint64_t *words,
    size_t count);
/* Segments as they are needed. */
void capnp_builder_init_pool(struct capnp_builder *builder,
    const struct capnp_pool *pool);
status_t capnp_builder_status(const struct capnp_builder *builder);
/* What was built so far, for a reader or for framing. */
const struct capnp_segment *capnp_builder_segments(
    const struct capnp_builder *builder, uint32_t *out_count);

struct capnp_pointer capnp_builder_root(struct capnp_builder *builder);
struct capnp_pointer capnp_pointer_of(struct capnp_struct_builder s,
    uint16_t index);
struct capnp_pointer capnp_pointer_at(struct capnp_list_builder list,
    uint32_t i);

/*
 * New objects, all zero, in the place of what the pointer named. Sizes in
 * words and pointers; capnp_init_list() makes lists of all sizes but structs.
 */
struct capnp_struct_builder capnp_init_struct(struct capnp_pointer pointer,
    uint16_t data_words, uint16_t pointers);
struct capnp_list_builder capnp_init_list(struct capnp_pointer pointer,
    enum capnp_element element, uint32_t count);
struct capnp_list_builder capnp_init_structs(struct capnp_pointer pointer,
    uint32_t count, uint16_t data_words, uint16_t pointers);
struct capnp_bytes capnp_init_text(struct capnp_pointer pointer,
    size_t length);
struct capnp_bytes capnp_init_data(struct capnp_pointer pointer,
    size_t length);
void capnp_set_text(struct capnp_pointer pointer, const char *text,
    size_t length);
void capnp_set_data(struct capnp_pointer pointer, const void *bytes,
    size_t length);
/* Index into the capability table of the message. */
void capnp_set_capability(struct capnp_pointer pointer, uint32_t index);
void capnp_clear(struct capnp_pointer pointer);
bool capnp_pointer_is_null(struct capnp_pointer pointer);

/*
 * What the pointer names already. A struct that is not there is made; structs
 * smaller than asked for are moved to larger ones, the old place is zeroed. A
 * list that is not there has no elements. Rules of list sizes as in
 * capnp_get_list(), but a list of numbers is made one of structs by moving it.
 */
struct capnp_struct_builder capnp_edit_struct(struct capnp_pointer pointer,
    uint16_t data_words, uint16_t pointers);
struct capnp_list_builder capnp_edit_list(struct capnp_pointer pointer,
    enum capnp_element element);
struct capnp_list_builder capnp_edit_structs(struct capnp_pointer pointer,
    uint16_t data_words, uint16_t pointers);
struct capnp_bytes capnp_edit_text(struct capnp_pointer pointer);
struct capnp_bytes capnp_edit_data(struct capnp_pointer pointer);

/*
 * Deep copies. The source counts against the limits of its reader, must not lie
 * in what is replaced, and keeps its size; capabilities keep their index.
 * capnp_set_any() copies whatever pointer `index` of `from` names,
 * capnp_set_constant() a constant as in capnp_get_struct_or().
 */
void capnp_set_struct(struct capnp_pointer pointer, struct capnp_struct from);
void capnp_set_list(struct capnp_pointer pointer, struct capnp_list from);
void capnp_set_any(struct capnp_pointer pointer, struct capnp_struct from,
    uint16_t index);
void capnp_set_constant(struct capnp_pointer pointer, const uint64_t *words);
/* Into a struct that is there, such as an element; what it lacks is lost. */
void capnp_copy_struct(struct capnp_struct_builder to,
    struct capnp_struct from);
/*
 * Makes `to` name what `from` named, which becomes null. Both are of the same
 * builder, and `to` does not lie in what moves.
 */
void capnp_move(struct capnp_pointer to, struct capnp_pointer from);

void capnp_set_u8(struct capnp_struct_builder s, uint32_t offset,
    uint8_t value);
void capnp_set_u16(struct capnp_struct_builder s, uint32_t offset,
    uint16_t value);
void capnp_set_u32(struct capnp_struct_builder s, uint32_t offset,
    uint32_t value);
void capnp_set_u64(struct capnp_struct_builder s, uint32_t offset,
    uint64_t value);
void capnp_set_bit(struct capnp_struct_builder s, uint32_t bit, bool value);

struct capnp_struct_builder capnp_struct_at(struct capnp_list_builder list,
    uint32_t i);
void capnp_put_u8(struct capnp_list_builder list, uint32_t i, uint8_t value);
void capnp_put_u16(struct capnp_list_builder list, uint32_t i,
    uint16_t value);
void capnp_put_u32(struct capnp_list_builder list, uint32_t i,
    uint32_t value);
void capnp_put_u64(struct capnp_list_builder list, uint32_t i,
    uint64_t value);
void capnp_put_bit(struct capnp_list_builder list, uint32_t i, bool value);

/* To read what was built; errors stick to the builder. */
struct capnp_struct capnp_as_struct(struct capnp_struct_builder s);
struct capnp_list capnp_as_list(struct capnp_list_builder list);

/*
 * Canonical form: one segment, objects in the order of a depth-first walk,
 * trailing zeros of structs cut, no far pointers: equal values are equal bytes.
 * Writes the segment, with the root pointer first. ERR_ARG if there is a
 * capability, ERR_FULL if there is no room; limits are those of the reader. If
 * the source changes meanwhile the result may be any message.
 */
status_t capnp_canonicalise(struct capnp_struct root, uint64_t *words,
    size_t room, size_t *out_words);
/* Nested more than CAPNP_DEPTH levels is not. */
bool capnp_is_canonical(const struct capnp_segment *segment, uint32_t count);

LINKAGE_END
