/* SPDX-License-Identifier: MIT */
#include <lib/capnp/capnp.h>

#include <string.h>

#include <lib/capnp/follow.h>

#define DEPTH_MAX	UINT16_MAX	/* a level fits struct capnp_struct */

static const uint8_t nothing[1];

void
capnp_reader_init(struct capnp_reader *reader,
    const struct capnp_segment *segment, uint32_t count,
    uint64_t traversal_words, uint32_t depth)
{
	if (depth == 0)
		depth = CAPNP_DEPTH;
	*reader = (struct capnp_reader){
		.segment = segment,
		.segment_count = count,
		.depth = depth < DEPTH_MAX ? depth : DEPTH_MAX,
		.words_left = traversal_words != 0 ? traversal_words :
		    CAPNP_TRAVERSAL_WORDS,
		.status = OK,
	};
}

status_t
capnp_status(const struct capnp_reader *reader)
{
	return reader->status;
}

static bool
within(struct capnp_struct s, uint32_t offset, uint32_t bytes)
{
	return offset <= s.data_bytes && bytes <= s.data_bytes - offset;
}

uint8_t
capnp_get_u8(struct capnp_struct s, uint32_t offset)
{
	return within(s, offset, 1) ?
	    *(const volatile capnp_u8 *)(s.data + offset) : 0;
}

uint16_t
capnp_get_u16(struct capnp_struct s, uint32_t offset)
{
	return within(s, offset, 2) ?
	    *(const volatile capnp_u16 *)(s.data + offset) : 0;
}

uint32_t
capnp_get_u32(struct capnp_struct s, uint32_t offset)
{
	return within(s, offset, 4) ?
	    *(const volatile capnp_u32 *)(s.data + offset) : 0;
}

uint64_t
capnp_get_u64(struct capnp_struct s, uint32_t offset)
{
	return within(s, offset, 8) ?
	    *(const volatile capnp_u64 *)(s.data + offset) : 0;
}

bool
capnp_get_bit(struct capnp_struct s, uint32_t bit)
{
	return (capnp_get_u8(s, bit / 8) >> bit % 8 & 1) != 0;
}

/* The place of the pointer that a constant of the program begins with. */
static struct capnp_place
constant(const struct capnp_place *place, const uint64_t *words)
{
	return (struct capnp_place){
		.reader = place->reader,
		.at = words,
		.segment = CAPNP_CONSTANT,
		.depth = CAPNP_DEPTH,
	};
}

static struct capnp_struct
struct_at(struct capnp_place place, const uint64_t *fallback)
{
	struct capnp_struct s = { .reader = place.reader };
	struct capnp_target target;

	if (capnp_follow(&place, &target) && target.word != 0 &&
	    capnp_open_struct(&place, &target, &s))
		return s;
	if (fallback == NULL)
		return s;
	place = constant(&place, fallback);
	if (capnp_follow(&place, &target) && target.word != 0)
		capnp_open_struct(&place, &target, &s);
	return s;
}

static bool
open_suitable(const struct capnp_place *place, enum capnp_element element,
    struct capnp_list *out)
{
	struct capnp_target target;
	struct capnp_list list;

	if (!capnp_follow(place, &target) || target.word == 0 ||
	    !capnp_open_list(place, &target, &list))
		return false;
	if (!capnp_list_suits(&list, element)) {
		capnp_fail(place->reader, ERR_ARG);
		return false;
	}
	*out = list;
	return true;
}

static struct capnp_list
list_at(struct capnp_place place, enum capnp_element element,
    const uint64_t *fallback)
{
	struct capnp_list list = {
		.reader = place.reader,
		.element = (uint8_t)element,
	};

	if (open_suitable(&place, element, &list) || fallback == NULL)
		return list;
	place = constant(&place, fallback);
	open_suitable(&place, element, &list);
	return list;
}

/* Bytes are no level of nesting. */
static bool
open_blob(struct capnp_place place, struct capnp_blob *out)
{
	struct capnp_target target;
	struct capnp_list list;

	place.depth = 1;
	if (!capnp_follow(&place, &target) || target.word == 0 ||
	    !capnp_open_list(&place, &target, &list))
		return false;
	if (list.element != CAPNP_BYTE) {
		capnp_fail(place.reader, ERR_ARG);
		return false;
	}
	*out = (struct capnp_blob){ list.data, list.count };
	return true;
}

static struct capnp_blob
blob_or(struct capnp_blob fallback)
{
	return fallback.bytes != NULL ? fallback :
	    (struct capnp_blob){ nothing, 0 };
}

static struct capnp_blob
data_at(struct capnp_place place, struct capnp_blob fallback)
{
	struct capnp_blob blob;

	return open_blob(place, &blob) ? blob : blob_or(fallback);
}

static struct capnp_blob
text_at(struct capnp_place place, struct capnp_blob fallback)
{
	struct capnp_blob blob;

	if (!open_blob(place, &blob))
		return blob_or(fallback);
	if (blob.length == 0 || *(const volatile capnp_u8 *)(blob.bytes +
	    blob.length - 1) != 0) {
		capnp_fail(place.reader, ERR_ARG);
		return blob_or(fallback);
	}
	blob.length--;
	return blob;
}

static bool
capability_at(struct capnp_place place, uint32_t *out_index)
{
	uint64_t word = place.at != NULL ? capnp_load(place.at) : 0;

	*out_index = 0;
	if (word == 0)
		return false;
	if ((uint32_t)word != CAPNP_OTHER) {
		capnp_fail(place.reader, ERR_ARG);
		return false;
	}
	*out_index = (uint32_t)(word >> 32);
	return true;
}

static enum capnp_pointer_kind
kind_at(struct capnp_place place)
{
	struct capnp_target target;

	if (!capnp_follow(&place, &target) || target.word == 0)
		return CAPNP_IS_NULL;
	switch (capnp_kind_of(target.word)) {
	case CAPNP_STRUCT:
		return CAPNP_IS_STRUCT;
	case CAPNP_LIST:
		return CAPNP_IS_LIST;
	default:
		break;
	}
	if ((uint32_t)target.word == CAPNP_OTHER)
		return CAPNP_IS_CAPABILITY;
	capnp_fail(place.reader, ERR_ARG);
	return CAPNP_IS_NULL;
}

struct capnp_struct
capnp_root(struct capnp_reader *reader)
{
	return struct_at(capnp_place_of_root(reader), NULL);
}

bool
capnp_has(struct capnp_struct s, uint16_t index)
{
	struct capnp_place place = capnp_place_in_struct(s, index);

	return place.at != NULL && capnp_load(place.at) != 0;
}

enum capnp_pointer_kind
capnp_kind(struct capnp_struct s, uint16_t index)
{
	return kind_at(capnp_place_in_struct(s, index));
}

struct capnp_struct
capnp_get_struct(struct capnp_struct s, uint16_t index)
{
	return struct_at(capnp_place_in_struct(s, index), NULL);
}

struct capnp_struct
capnp_get_struct_or(struct capnp_struct s, uint16_t index,
    const uint64_t *fallback)
{
	return struct_at(capnp_place_in_struct(s, index), fallback);
}

struct capnp_list
capnp_get_list(struct capnp_struct s, uint16_t index,
    enum capnp_element element)
{
	return list_at(capnp_place_in_struct(s, index), element, NULL);
}

struct capnp_list
capnp_get_list_or(struct capnp_struct s, uint16_t index,
    enum capnp_element element, const uint64_t *fallback)
{
	return list_at(capnp_place_in_struct(s, index), element, fallback);
}

struct capnp_blob
capnp_get_text(struct capnp_struct s, uint16_t index)
{
	return text_at(capnp_place_in_struct(s, index),
	    (struct capnp_blob){ 0 });
}

struct capnp_blob
capnp_get_text_or(struct capnp_struct s, uint16_t index,
    struct capnp_blob fallback)
{
	return text_at(capnp_place_in_struct(s, index), fallback);
}

struct capnp_blob
capnp_get_data(struct capnp_struct s, uint16_t index)
{
	return data_at(capnp_place_in_struct(s, index),
	    (struct capnp_blob){ 0 });
}

struct capnp_blob
capnp_get_data_or(struct capnp_struct s, uint16_t index,
    struct capnp_blob fallback)
{
	return data_at(capnp_place_in_struct(s, index), fallback);
}

bool
capnp_get_capability(struct capnp_struct s, uint16_t index,
    uint32_t *out_index)
{
	return capability_at(capnp_place_in_struct(s, index), out_index);
}

struct capnp_struct
capnp_list_struct(struct capnp_list list, uint32_t i)
{
	struct capnp_struct s = { .reader = list.reader };

	if (i >= list.count) {
		capnp_fail(list.reader, ERR_RANGE);
		return s;
	}
	if (list.depth == 0) {
		capnp_fail(list.reader, ERR_LIMIT);
		return s;
	}
	s.data = list.data + (uint64_t)i * list.step / 8;
	s.segment = list.segment;
	s.data_bytes = list.data_bytes;
	s.pointers = list.pointer_count == 0 ? NULL :
	    (const uint64_t *)(s.data + list.data_bytes);
	s.pointer_count = list.pointer_count;
	s.depth = (uint16_t)(list.depth - 1);
	return s;
}

/* An element as a struct, for its data only: no level of nesting. */
static struct capnp_struct
element_of(struct capnp_list list, uint32_t i, uint32_t bytes)
{
	list.depth = 1;
	if (i < list.count && list.data_bytes < bytes)
		capnp_fail(list.reader, ERR_ARG);
	return capnp_list_struct(list, i);
}

uint64_t
capnp_list_u64(struct capnp_list list, uint32_t i)
{
	return capnp_get_u64(element_of(list, i, 8), 0);
}

uint32_t
capnp_list_u32(struct capnp_list list, uint32_t i)
{
	return capnp_get_u32(element_of(list, i, 4), 0);
}

uint16_t
capnp_list_u16(struct capnp_list list, uint32_t i)
{
	return capnp_get_u16(element_of(list, i, 2), 0);
}

uint8_t
capnp_list_u8(struct capnp_list list, uint32_t i)
{
	return capnp_get_u8(element_of(list, i, 1), 0);
}

bool
capnp_list_bit(struct capnp_list list, uint32_t i)
{
	if (list.element != CAPNP_BIT)
		return (capnp_get_u8(element_of(list, i, 1), 0) & 1) != 0;
	if (i >= list.count) {
		capnp_fail(list.reader, ERR_RANGE);
		return false;
	}
	return (*(const volatile capnp_u8 *)(list.data + i / 8) >> i % 8 & 1)
	    != 0;
}

enum capnp_pointer_kind
capnp_list_kind(struct capnp_list list, uint32_t i)
{
	return kind_at(capnp_place_in_list(list, i));
}

struct capnp_list
capnp_list_list(struct capnp_list list, uint32_t i, enum capnp_element element)
{
	return list_at(capnp_place_in_list(list, i), element, NULL);
}

struct capnp_blob
capnp_list_text(struct capnp_list list, uint32_t i)
{
	return text_at(capnp_place_in_list(list, i),
	    (struct capnp_blob){ 0 });
}

struct capnp_blob
capnp_list_data(struct capnp_list list, uint32_t i)
{
	return data_at(capnp_place_in_list(list, i),
	    (struct capnp_blob){ 0 });
}

bool
capnp_list_capability(struct capnp_list list, uint32_t i, uint32_t *out_index)
{
	return capability_at(capnp_place_in_list(list, i), out_index);
}
