/* SPDX-License-Identifier: MIT */
/*
 * Cap'n Proto messages: reading without allocation, in place.
 *
 * A message is a set of segments of 64-bit words; nothing is copied or checked
 * in advance. Each getter follows at most one pointer (with its far and
 * double-far hops), loads every word that it decides on exactly once, and
 * checks bounds before it touches memory: so a message in memory that a hostile
 * peer still writes to may give any values, but never an access out of bounds.
 *
 * Errors stick to the reader: the first one is kept. From there on no pointer
 * is followed: getters of pointers return defaults, as they do for whatever the
 * message lacks (empty lists, empty text, structs that have only defaults). A
 * user reads what it needs, then asks capnp_status() once.
 *
 *	ERR_RANGE	a pointer or list leaves its segment
 *	ERR_ARG		a pointer of the wrong kind, a malformed word, text
 *			without its NUL
 *	ERR_LIMIT	traversal or depth limit: words are counted when a
 *			pointer is followed, lists of zero-sized elements by
 *			element, so that no small message costs much
 *
 * Source: the encoding specification of Cap'n Proto (capnproto.org/encoding).
 * Thread safety: a reader belongs to one thread; segments may be shared.
 * Little-endian machines only, as the format is.
 */
#pragma once

#include <abi/status.h>
#include <lib/base/linkage.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

LINKAGE_BEGIN

#define CAPNP_TRAVERSAL_WORDS	(8ul << 20)	/* 64 MiB, as the reference */
#define CAPNP_DEPTH		64u
#define CAPNP_SEGMENTS_MAX	512u

struct capnp_segment {
	const uint64_t *words;
	size_t	 count;		/* words */
};

struct capnp_reader {
	const struct capnp_segment *segment;
	uint32_t segment_count;
	uint32_t depth;		/* limit */
	uint64_t words_left;	/* of the traversal limit */
	status_t status;	/* first error */
};

/* Where a struct lies; all zero is a struct that has only defaults. */
struct capnp_struct {
	struct capnp_reader *reader;
	const uint8_t *data;
	const uint64_t *pointers;
	uint32_t segment;
	uint32_t data_bytes;	/* size of the data section */
	uint16_t pointer_count;
	uint16_t depth;		/* levels left below */
};

/* Element sizes as in list pointers; CAPNP_ANY asks for a list of whatever. */
enum capnp_element {
	CAPNP_VOID, CAPNP_BIT, CAPNP_BYTE, CAPNP_TWO_BYTES, CAPNP_FOUR_BYTES,
	CAPNP_EIGHT_BYTES, CAPNP_POINTER, CAPNP_COMPOSITE, CAPNP_ANY,
};

struct capnp_list {
	struct capnp_reader *reader;
	const uint8_t *data;	/* first element (behind the tag) */
	uint32_t segment;
	uint32_t count;		/* elements */
	uint32_t step;		/* bits from one to the next */
	uint32_t data_bytes;	/* of the data section of an element; bits: 0 */
	uint16_t pointer_count;	/* of an element */
	uint16_t depth;
	uint8_t	 element;	/* enum capnp_element */
};

/* Not NUL terminated by contract; text excludes its NUL. Never NULL. */
struct capnp_blob {
	const uint8_t *bytes;
	size_t	 length;
};

/* Limits of 0 mean the defaults above. */
void capnp_reader_init(struct capnp_reader *reader,
    const struct capnp_segment *segment, uint32_t count,
    uint64_t traversal_words, uint32_t depth);
status_t capnp_status(const struct capnp_reader *reader);

/*
 * Reads the segment table of a framed message (stream format). `segment` has
 * room for `room` segments; words must be 8-byte aligned. *out_words is how
 * many the message takes. ERR_EMPTY when more words are needed (then
 * *out_words says how many at least: each call with so many gets further),
 * ERR_LIMIT too many segments. `segment` may be NULL, to learn the length only.
 */
status_t capnp_unframe(const uint64_t *words, size_t count,
    struct capnp_segment *segment, uint32_t room, uint32_t *out_count,
    size_t *out_words);

struct capnp_struct capnp_root(struct capnp_reader *reader);

/*
 * Offsets in bytes, multiples of the size read; what lies beyond the data
 * section reads as 0. Defaults are the caller's: the encoding stores a value
 * exclusive-or its default. Floating-point numbers are read as their bits.
 */
uint8_t capnp_get_u8(struct capnp_struct s, uint32_t offset);
uint16_t capnp_get_u16(struct capnp_struct s, uint32_t offset);
uint32_t capnp_get_u32(struct capnp_struct s, uint32_t offset);
uint64_t capnp_get_u64(struct capnp_struct s, uint32_t offset);
bool capnp_get_bit(struct capnp_struct s, uint32_t bit);

/* Pointer fields by index. The kind is for pointers of any type. */
enum capnp_pointer_kind {
	CAPNP_IS_NULL, CAPNP_IS_STRUCT, CAPNP_IS_LIST, CAPNP_IS_CAPABILITY,
};

bool capnp_has(struct capnp_struct s, uint16_t index);
enum capnp_pointer_kind capnp_kind(struct capnp_struct s, uint16_t index);
struct capnp_struct capnp_get_struct(struct capnp_struct s, uint16_t index);
/*
 * Elements at least as large as `element`: a list may have become one of larger
 * elements or of structs, whose first field is then read, and a list of any
 * size but bits may be read as structs (CAPNP_COMPOSITE). ERR_ARG otherwise.
 */
struct capnp_list capnp_get_list(struct capnp_struct s, uint16_t index,
    enum capnp_element element);
struct capnp_blob capnp_get_text(struct capnp_struct s, uint16_t index);
struct capnp_blob capnp_get_data(struct capnp_struct s, uint16_t index);

/*
 * The same with a default for a pointer that is null or bad. A struct or list
 * is a constant of the program: one segment that begins with its pointer, well
 * formed and without far pointers; it is neither checked nor counted.
 */
struct capnp_struct capnp_get_struct_or(struct capnp_struct s, uint16_t index,
    const uint64_t *fallback);
struct capnp_list capnp_get_list_or(struct capnp_struct s, uint16_t index,
    enum capnp_element element, const uint64_t *fallback);
struct capnp_blob capnp_get_text_or(struct capnp_struct s, uint16_t index,
    struct capnp_blob fallback);
struct capnp_blob capnp_get_data_or(struct capnp_struct s, uint16_t index,
    struct capnp_blob fallback);

/* Index into the capability table of the message; false if null. */
bool capnp_get_capability(struct capnp_struct s, uint16_t index,
    uint32_t *out_index);

/*
 * Elements. An index out of range is ERR_RANGE, an element too small for the
 * number asked for ERR_ARG; both give a default.
 */
struct capnp_struct capnp_list_struct(struct capnp_list list, uint32_t i);
uint64_t capnp_list_u64(struct capnp_list list, uint32_t i);
uint32_t capnp_list_u32(struct capnp_list list, uint32_t i);
uint16_t capnp_list_u16(struct capnp_list list, uint32_t i);
uint8_t capnp_list_u8(struct capnp_list list, uint32_t i);
bool capnp_list_bit(struct capnp_list list, uint32_t i);
enum capnp_pointer_kind capnp_list_kind(struct capnp_list list, uint32_t i);
struct capnp_list capnp_list_list(struct capnp_list list, uint32_t i,
    enum capnp_element element);
struct capnp_blob capnp_list_text(struct capnp_list list, uint32_t i);
struct capnp_blob capnp_list_data(struct capnp_list list, uint32_t i);
bool capnp_list_capability(struct capnp_list list, uint32_t i,
    uint32_t *out_index);

LINKAGE_END
