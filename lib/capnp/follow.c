/* SPDX-License-Identifier: MIT */
#include <lib/capnp/follow.h>

#define FAR_DOUBLE	4u
#define EMPTY_STRUCT	0xfffffffcul	/* offset -1, no words */

/* Bits of an element of each size; a composite one says its own. */
static const uint8_t element_bits[8] = { 0, 1, 8, 16, 32, 64, 64, 0 };

void
capnp_fail(struct capnp_reader *reader, status_t status)
{
	if (reader != NULL && reader->status == OK)
		reader->status = status;
}

bool
capnp_charge(struct capnp_reader *reader, uint64_t words)
{
	if (words > reader->words_left) {
		capnp_fail(reader, ERR_LIMIT);
		return false;
	}
	reader->words_left -= words;
	return true;
}

static bool
refuse(const struct capnp_place *place, status_t status)
{
	capnp_fail(place->reader, status);
	return false;
}

/*
 * Names the word `index` of a segment. Outside it that is its end, where an
 * object of no words may be and no other is: the reference does the same.
 */
static bool
target_at(const struct capnp_place *place, uint32_t segment, int64_t index,
    struct capnp_target *out)
{
	const struct capnp_reader *reader = place->reader;

	if (segment >= reader->segment_count)
		return refuse(place, ERR_RANGE);
	const struct capnp_segment *in = &reader->segment[segment];
	if (index < 0 || (uint64_t)index > in->count)
		index = (int64_t)in->count;
	out->segment = segment;
	out->start = in->words + index;
	out->room = in->count - (uint64_t)index;
	return true;
}

/* The object that starts `offset` words behind the word at `at`. */
static bool
target_behind(const struct capnp_place *place, uint32_t segment,
    const uint64_t *at, int64_t offset, struct capnp_target *out)
{
	if (segment == CAPNP_CONSTANT) {
		out->segment = segment;
		out->start = at + 1 + offset;
		out->room = UINT64_MAX;
		return true;
	}
	const uint64_t *base = place->reader->segment[segment].words;
	return target_at(place, segment, at - base + 1 + offset, out);
}

/* What a pad describes is there, even if all its bits are 0. */
static uint64_t
described(uint64_t word)
{
	return word != 0 ? word : EMPTY_STRUCT;
}

static bool
follow_far(const struct capnp_place *place, uint64_t far,
    struct capnp_target *out)
{
	uint32_t words = (far & FAR_DOUBLE) != 0 ? 2 : 1;
	struct capnp_target pad;

	if (place->segment == CAPNP_CONSTANT)
		return refuse(place, ERR_ARG);
	if (!target_at(place, (uint32_t)(far >> 32),
	    (int64_t)((uint32_t)far >> 3), &pad))
		return false;
	if (pad.room < words)
		return refuse(place, ERR_RANGE);
	if (!capnp_charge(place->reader, words))
		return false;
	out->pad = pad.start;
	out->pad_words = words;
	uint64_t first = capnp_load(pad.start);
	if (words == 1) {
		if (capnp_kind_of(first) == CAPNP_FAR)
			return refuse(place, ERR_ARG);
		out->word = described(first);
		return target_behind(place, pad.segment, pad.start,
		    capnp_offset_of(first), out);
	}
	out->word = described(capnp_load(pad.start + 1));
	if (capnp_kind_of(first) != CAPNP_FAR ||
	    capnp_kind_of(out->word) == CAPNP_FAR)
		return refuse(place, ERR_ARG);
	return target_at(place, (uint32_t)(first >> 32),
	    (int64_t)((uint32_t)first >> 3), out);
}

bool
capnp_follow(const struct capnp_place *place, struct capnp_target *out_target)
{
	*out_target = (struct capnp_target){ 0 };
	if (place->at == NULL)
		return true;
	if (place->segment != CAPNP_CONSTANT && place->reader->status != OK)
		return false;
	uint64_t word = capnp_load(place->at);
	out_target->pointer = word;
	if (word == 0)
		return true;
	if (capnp_kind_of(word) == CAPNP_FAR)
		return follow_far(place, word, out_target);
	out_target->word = word;
	if (capnp_kind_of(word) == CAPNP_OTHER)
		return true;
	return target_behind(place, place->segment, place->at,
	    capnp_offset_of(word), out_target);
}

/* Checks that an object of so many words is there, and counts `charge`. */
static bool
admit(const struct capnp_place *place, const struct capnp_target *target,
    uint64_t words, uint64_t charge)
{
	if (place->depth == 0)
		return refuse(place, ERR_LIMIT);
	if (target->segment == CAPNP_CONSTANT)
		return true;
	if (words > target->room)
		return refuse(place, ERR_RANGE);
	return capnp_charge(place->reader, charge);
}

bool
capnp_open_struct(const struct capnp_place *place,
    const struct capnp_target *target, struct capnp_struct *out)
{
	uint32_t words = capnp_struct_words(target->word);

	if (capnp_kind_of(target->word) != CAPNP_STRUCT)
		return refuse(place, ERR_ARG);
	if (!admit(place, target, words, words))
		return false;
	*out = (struct capnp_struct){
		.reader = place->reader,
		.data = (const uint8_t *)target->start,
		.pointers = target->start + capnp_data_words(target->word),
		.segment = target->segment,
		.data_bytes = capnp_data_words(target->word) * CAPNP_WORD,
		.pointer_count = capnp_pointers_of(target->word),
		.depth = (uint16_t)(place->depth - 1),
	};
	return true;
}

static bool
open_composite(const struct capnp_place *place,
    const struct capnp_target *target, struct capnp_list *out)
{
	uint64_t words = capnp_count_of(target->word);

	if (!admit(place, target, words + 1, words + 1))
		return false;
	uint64_t tag = capnp_load(target->start);
	uint32_t each = capnp_struct_words(tag);
	uint32_t count = capnp_tag_count(tag);
	if (capnp_kind_of(tag) != CAPNP_STRUCT)
		return refuse(place, ERR_ARG);
	if ((uint64_t)each * count > words)
		return refuse(place, ERR_RANGE);
	/* Without this 2^30 empty structs would cost one word. */
	if (each == 0 && target->segment != CAPNP_CONSTANT &&
	    !capnp_charge(place->reader, count))
		return false;
	out->data = (const uint8_t *)(target->start + 1);
	out->count = count;
	out->step = each * CAPNP_WORD_BITS;
	out->data_bytes = capnp_data_words(tag) * CAPNP_WORD;
	out->pointer_count = capnp_pointers_of(tag);
	return true;
}

static bool
open_plain(const struct capnp_place *place, const struct capnp_target *target,
    struct capnp_list *out)
{
	uint32_t count = capnp_count_of(target->word);
	uint32_t step = element_bits[out->element];
	uint64_t words = ((uint64_t)count * step + CAPNP_WORD_BITS - 1) /
	    CAPNP_WORD_BITS;

	if (!admit(place, target, words, step == 0 ? count : words))
		return false;
	bool pointers = out->element == CAPNP_POINTER;
	out->data = (const uint8_t *)target->start;
	out->count = count;
	out->step = step;
	out->data_bytes = pointers ? 0 : step / 8;
	out->pointer_count = pointers ? 1 : 0;
	return true;
}

bool
capnp_open_list(const struct capnp_place *place,
    const struct capnp_target *target, struct capnp_list *out)
{
	struct capnp_list list = {
		.reader = place->reader,
		.segment = target->segment,
		.element = (uint8_t)capnp_element_of(target->word),
	};

	if (capnp_kind_of(target->word) != CAPNP_LIST)
		return refuse(place, ERR_ARG);
	bool good = list.element == CAPNP_COMPOSITE ?
	    open_composite(place, target, &list) :
	    open_plain(place, target, &list);
	if (!good)
		return false;
	list.depth = (uint16_t)(place->depth - 1);
	*out = list;
	return true;
}

/*
 * A list may have become a list of larger elements, or of structs whose first
 * field is the old element. Bits are the exception: they are packed.
 */
bool
capnp_list_suits(const struct capnp_list *list, enum capnp_element element)
{
	switch (element) {
	case CAPNP_ANY:
		return true;
	case CAPNP_BIT:
		return list->element == CAPNP_BIT || (list->data_bytes > 0 &&
		    list->element != CAPNP_COMPOSITE);
	case CAPNP_VOID:
		return list->element != CAPNP_BIT;
	case CAPNP_POINTER:
		return list->pointer_count > 0;
	case CAPNP_COMPOSITE:
		return list->element != CAPNP_BIT;
	default:
		return list->data_bytes >= element_bits[element] / 8;
	}
}

struct capnp_place
capnp_place_in_struct(struct capnp_struct s, uint16_t index)
{
	return (struct capnp_place){
		.reader = s.reader,
		.at = index < s.pointer_count ? s.pointers + index : NULL,
		.segment = s.segment,
		.depth = s.depth,
	};
}

struct capnp_place
capnp_place_in_list(struct capnp_list list, uint32_t i)
{
	struct capnp_place place = {
		.reader = list.reader,
		.segment = list.segment,
		.depth = list.depth,
	};

	if (i >= list.count)
		capnp_fail(list.reader, ERR_RANGE);
	else if (list.pointer_count > 0)
		place.at = (const uint64_t *)(list.data +
		    (uint64_t)i * list.step / 8 + list.data_bytes);
	return place;
}

struct capnp_place
capnp_place_of_root(struct capnp_reader *reader)
{
	struct capnp_place place = {
		.reader = reader,
		.depth = (uint16_t)reader->depth,
	};

	if (reader->segment_count == 0 || reader->segment[0].count == 0)
		capnp_fail(reader, ERR_RANGE);
	else if (capnp_charge(reader, 1))
		place.at = reader->segment[0].words;
	return place;
}
