/* SPDX-License-Identifier: MIT */
/*
 * Inside the library: from a pointer word to the object it names.
 *
 * A pointer word, lowest bits first:
 *
 *	struct	kind 0 (2 bits), offset (30, signed), data words (16),
 *		pointers (16)
 *	list	kind 1, offset (30, signed), element (3), count (29)
 *	far	kind 2, double (1), offset of the pad (29), segment (32)
 *	other	kind 3, zero (30), index of a capability (32)
 *
 * An offset counts words from the end of the pointer to the object. The pad of
 * a far pointer lies in another segment: a pointer to an object there, or, if
 * double, a far pointer to the object and a word that describes it.
 */
#pragma once

#include <lib/capnp/capnp.h>

#define CAPNP_WORD		8u	/* bytes */
#define CAPNP_WORD_BITS		64u

enum capnp_kind { CAPNP_STRUCT, CAPNP_LIST, CAPNP_FAR, CAPNP_OTHER };

/* Segment number of constants of the program: not checked, not counted. */
#define CAPNP_CONSTANT		UINT32_MAX

typedef uint8_t  __attribute__((may_alias)) capnp_u8;
typedef uint16_t __attribute__((may_alias)) capnp_u16;
typedef uint32_t __attribute__((may_alias)) capnp_u32;
typedef uint64_t __attribute__((may_alias)) capnp_u64;

/* Loads a word once: what is decided on is what was looked at. */
static inline uint64_t
capnp_load(const uint64_t *word)
{
	return *(const volatile capnp_u64 *)word;
}

static inline enum capnp_kind
capnp_kind_of(uint64_t word)
{
	return (enum capnp_kind)(word & 3);
}

/* Offset of a struct or list pointer, in words. */
static inline int64_t
capnp_offset_of(uint64_t word)
{
	return (int32_t)(uint32_t)word >> 2;
}

static inline uint16_t
capnp_data_words(uint64_t word)
{
	return (uint16_t)(word >> 32);
}

static inline uint16_t
capnp_pointers_of(uint64_t word)
{
	return (uint16_t)(word >> 48);
}

static inline enum capnp_element
capnp_element_of(uint64_t word)
{
	return (enum capnp_element)(word >> 32 & 7);
}

/* Elements of a list; its words without the tag if composite. */
static inline uint32_t
capnp_count_of(uint64_t word)
{
	return (uint32_t)(word >> 35);
}

/* Elements of a composite list, from its tag; the highest bit is not used. */
static inline uint32_t
capnp_tag_count(uint64_t tag)
{
	return (uint32_t)tag << 1 >> 3;
}

/* Words of the struct that a pointer or tag describes. */
static inline uint32_t
capnp_struct_words(uint64_t word)
{
	return (uint32_t)capnp_data_words(word) + capnp_pointers_of(word);
}

/* Where a pointer is. */
struct capnp_place {
	struct capnp_reader *reader;
	const uint64_t *at;	/* NULL: there is none, it reads as null */
	uint32_t segment;
	uint16_t depth;		/* levels left, this one included */
};

/* What a pointer names. */
struct capnp_target {
	uint64_t pointer;	/* the word that was followed */
	uint64_t word;		/* describes the object; not far; 0 = null */
	const uint64_t *start;
	uint64_t room;		/* words from start to the end of the segment */
	const uint64_t *pad;	/* landing pad of a far pointer, or NULL */
	uint32_t pad_words;
	uint32_t segment;
};

void capnp_fail(struct capnp_reader *reader, status_t status);
/* Counts words against the traversal limit. */
bool capnp_charge(struct capnp_reader *reader, uint64_t words);

/* Follows far pointers. False on an error; start lies in its segment. */
bool capnp_follow(const struct capnp_place *place,
    struct capnp_target *out_target);
/* Checks and counts the object; false on an error. */
bool capnp_open_struct(const struct capnp_place *place,
    const struct capnp_target *target, struct capnp_struct *out);
bool capnp_open_list(const struct capnp_place *place,
    const struct capnp_target *target, struct capnp_list *out);
/* May elements of the list be read as `element`? */
bool capnp_list_suits(const struct capnp_list *list,
    enum capnp_element element);

/*
 * The pointers of an object in order, as words from its first pointer: of a
 * list of structs, `each` of one element, then a gap to those of the next. Two
 * numbers, as a copy may have other gaps.
 */
struct capnp_series {
	size_t	 from, to;
	uint32_t from_gap, to_gap;
	uint32_t left;		/* of the current element */
	uint32_t each;
	uint32_t elements;	/* behind the current one */
};

static inline bool
capnp_series_next(struct capnp_series *series, size_t *out_from,
    size_t *out_to)
{
	if (series->left == 0) {
		if (series->elements == 0)
			return false;
		series->elements--;
		series->left = series->each;
		series->from += series->from_gap;
		series->to += series->to_gap;
	}
	series->left--;
	*out_from = series->from++;
	*out_to = series->to++;
	return true;
}

struct capnp_place capnp_place_in_struct(struct capnp_struct s,
    uint16_t index);
struct capnp_place capnp_place_in_list(struct capnp_list list, uint32_t i);
struct capnp_place capnp_place_of_root(struct capnp_reader *reader);
