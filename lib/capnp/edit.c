/* SPDX-License-Identifier: MIT */
/*
 * What is in a message already: clearing, moving, enlarging.
 *
 * An object is cleared by a walk with a stack of fixed size, and counted
 * against the words that are in use: pointers that a peer changes meanwhile
 * cannot keep it busy. It is zeroed after what it points to.
 */
#include <lib/capnp/build.h>

#include <string.h>

#include <lib/capnp/space.h>

#define DATA_WORDS(bytes)	((uint16_t)(((bytes) + 7) / CAPNP_WORD))

struct level {
	struct capnp_series series;
	struct capnp_target object;
	uint64_t *pointers;
};

struct clearing {
	struct capnp_builder *builder;
	uint64_t left;		/* words that may still be cleared */
	uint32_t depth;
	struct level level[CAPNP_DEPTH];
};

static uint16_t
larger(uint16_t a, uint16_t b)
{
	return a > b ? a : b;
}

/* Words of an object with its tag, as its pointer says. */
static uint64_t
words_of(uint64_t word)
{
	static const uint8_t bits[8] = { 0, 1, 8, 16, 32, 64, 64, 64 };
	uint64_t count = capnp_count_of(word);

	if (capnp_kind_of(word) == CAPNP_STRUCT)
		return capnp_struct_words(word);
	if (capnp_kind_of(word) != CAPNP_LIST)
		return 0;
	enum capnp_element element = capnp_element_of(word);
	return (count * bits[element] + CAPNP_WORD_BITS - 1) /
	    CAPNP_WORD_BITS + (element == CAPNP_COMPOSITE ? 1 : 0);
}

void
capnp_wipe(const struct capnp_target *target)
{
	/* All of it is memory of a builder, which it may write. */
	uint64_t words = words_of(target->word);

	if (words > 0 && words <= target->room)
		memset((uint64_t *)target->start, 0, words * CAPNP_WORD);
	if (target->pad != NULL)
		memset((uint64_t *)target->pad, 0,
		    target->pad_words * CAPNP_WORD);
}

/* The pointers of an object as a series. False if there are none. */
static bool
series_of(const struct capnp_place *place, const struct capnp_target *target,
    struct level *out)
{
	struct capnp_struct s;
	struct capnp_list list;

	*out = (struct level){ .object = *target };
	if (capnp_kind_of(target->word) == CAPNP_STRUCT) {
		if (!capnp_open_struct(place, target, &s))
			return false;
		out->pointers = (uint64_t *)s.pointers;
		out->series.left = s.pointer_count;
		return s.pointer_count > 0;
	}
	if (capnp_kind_of(target->word) != CAPNP_LIST ||
	    !capnp_open_list(place, target, &list) ||
	    list.pointer_count == 0 || list.count == 0)
		return false;
	out->pointers = (uint64_t *)(list.data + list.data_bytes);
	out->series = (struct capnp_series){
		.from_gap = list.data_bytes / CAPNP_WORD,
		.left = list.pointer_count,
		.each = list.pointer_count,
		.elements = list.count - 1,
	};
	return true;
}

static void
clear_one(struct clearing *state, struct capnp_pointer pointer)
{
	struct capnp_place place = capnp_place_of(pointer);
	struct capnp_target target;
	struct level *next = &state->level[state->depth];

	if (!capnp_follow(&place, &target) || target.word == 0)
		return;
	*pointer.at = 0;
	uint64_t words = words_of(target.word) + target.pad_words;
	if (words > state->left) {
		capnp_builder_fail(state->builder, ERR_ARG);
		return;
	}
	state->left -= words;
	if (state->depth < CAPNP_DEPTH && series_of(&place, &target, next))
		state->depth++;
	else if (capnp_builder_good(state->builder))
		capnp_wipe(&target);
}

static void
clear_all(struct clearing *state, struct capnp_pointer pointer)
{
	size_t from, to;

	clear_one(state, pointer);
	while (state->depth > 0) {
		struct level *top = &state->level[state->depth - 1];
		if (!capnp_builder_good(state->builder))
			return;
		if (!capnp_series_next(&top->series, &from, &to)) {
			capnp_wipe(&top->object);
			state->depth--;
			continue;
		}
		clear_one(state, (struct capnp_pointer){
			.builder = state->builder,
			.at = top->pointers + from,
			.segment = top->object.segment,
		});
	}
}

void
capnp_clear(struct capnp_pointer pointer)
{
	struct clearing state;

	if (pointer.at == NULL || !capnp_builder_good(pointer.builder) ||
	    capnp_load(pointer.at) == 0)
		return;
	state.builder = pointer.builder;
	state.depth = 0;
	state.left = 0;
	for (uint32_t i = 0; i < pointer.builder->reader.segment_count; i++)
		state.left += pointer.builder->pool.segment[i].count;
	clear_all(&state, pointer);
}

/* Makes `to`, which is null, name what `target` is; `from` becomes null. */
static void
move_target(struct capnp_pointer to, struct capnp_pointer from,
    const struct capnp_target *target)
{
	struct capnp_builder *builder = to.builder;
	uint64_t word = target->word;

	bool near = target->pad == NULL && capnp_kind_of(word) != CAPNP_OTHER
	    && words_of(word) > 0;
	if (near) {
		const uint64_t *base =
		    builder->pool.segment[target->segment].words;
		capnp_link(to, target->segment, (size_t)(target->start - base),
		    word);
	} else if (capnp_kind_of(word) == CAPNP_LIST && target->pad == NULL) {
		/* No words: they are anywhere. */
		capnp_link(to, to.segment, 0, word);
	} else {
		/* Far pointers, capabilities, empty structs. */
		*to.at = target->pointer;
	}
	if (capnp_builder_good(builder))
		*from.at = 0;
}

static void
move_one(struct capnp_pointer to, struct capnp_pointer from)
{
	struct capnp_place place = capnp_place_of(from);
	struct capnp_target target;

	if (capnp_follow(&place, &target) && target.pointer != 0)
		move_target(to, from, &target);
}

void
capnp_move(struct capnp_pointer to, struct capnp_pointer from)
{
	if (to.at == NULL || from.at == NULL || to.at == from.at)
		return;
	capnp_clear(to);
	if (capnp_builder_good(to.builder))
		move_one(to, from);
}

/* Fills a larger struct, which may be that of a list, from a smaller one. */
static void
move_struct(struct capnp_struct_builder to, const struct capnp_struct *from)
{
	if (!capnp_builder_good(to.builder))
		return;
	if (from->data_bytes > 0)
		memcpy(to.data, from->data, from->data_bytes);
	for (uint16_t i = 0; i < from->pointer_count; i++)
		move_one((struct capnp_pointer){ to.builder, to.pointers + i,
		    to.segment }, (struct capnp_pointer){ to.builder,
		    (uint64_t *)from->pointers + i, from->segment });
}

static bool
follow(struct capnp_pointer pointer, struct capnp_place *out_place,
    struct capnp_target *out_target)
{
	if (pointer.at == NULL || !capnp_builder_good(pointer.builder))
		return false;
	*out_place = capnp_place_of(pointer);
	return capnp_follow(out_place, out_target);
}

struct capnp_struct_builder
capnp_edit_struct(struct capnp_pointer pointer, uint16_t data_words,
    uint16_t pointers)
{
	struct capnp_struct_builder s = { .builder = pointer.builder };
	struct capnp_target target;
	struct capnp_place place;
	struct capnp_struct old;

	if (!follow(pointer, &place, &target))
		return s;
	if (target.word == 0)
		return capnp_make_struct(pointer, data_words, pointers);
	if (!capnp_open_struct(&place, &target, &old))
		return s;
	if (old.data_bytes < data_words * CAPNP_WORD ||
	    old.pointer_count < pointers) {
		s = capnp_make_struct(pointer, larger(data_words,
		    DATA_WORDS(old.data_bytes)),
		    larger(pointers, old.pointer_count));
		move_struct(s, &old);
		if (capnp_builder_good(s.builder))
			capnp_wipe(&target);
		return s;
	}
	s.data = (uint8_t *)old.data;
	s.pointers = (uint64_t *)old.pointers;
	s.segment = old.segment;
	s.data_bytes = old.data_bytes;
	s.pointer_count = old.pointer_count;
	return s;
}

static bool
open_list(struct capnp_pointer pointer, enum capnp_element element,
    struct capnp_target *out_target, struct capnp_list *out)
{
	struct capnp_place place;
	struct capnp_list list;

	if (!follow(pointer, &place, out_target) || out_target->word == 0 ||
	    !capnp_open_list(&place, out_target, &list))
		return false;
	if (!capnp_list_suits(&list, element)) {
		capnp_builder_fail(pointer.builder, ERR_ARG);
		return false;
	}
	*out = list;
	return true;
}

static struct capnp_list_builder
as_builder(struct capnp_builder *builder, const struct capnp_list *list)
{
	return (struct capnp_list_builder){
		.builder = builder,
		.data = (uint8_t *)list->data,
		.segment = list->segment,
		.count = list->count,
		.step = list->step,
		.data_bytes = list->data_bytes,
		.pointer_count = list->pointer_count,
		.element = list->element,
	};
}

struct capnp_list_builder
capnp_edit_list(struct capnp_pointer pointer, enum capnp_element element)
{
	struct capnp_list list = { .element = (uint8_t)element };
	struct capnp_target target;

	open_list(pointer, element, &target, &list);
	return as_builder(pointer.builder, &list);
}

struct capnp_list_builder
capnp_edit_structs(struct capnp_pointer pointer, uint16_t data_words,
    uint16_t pointers)
{
	struct capnp_list old = { .element = CAPNP_COMPOSITE };
	struct capnp_target target;

	if (!open_list(pointer, CAPNP_COMPOSITE, &target, &old) ||
	    (old.element == CAPNP_COMPOSITE && old.pointer_count >= pointers &&
	    old.data_bytes >= data_words * CAPNP_WORD))
		return as_builder(pointer.builder, &old);
	struct capnp_list_builder list = capnp_make_structs(pointer, old.count,
	    larger(data_words, DATA_WORDS(old.data_bytes)),
	    larger(pointers, old.pointer_count));
	for (uint32_t i = 0; old.step > 0 && i < list.count; i++) {
		struct capnp_struct from = capnp_list_struct(old, i);
		move_struct(capnp_struct_at(list, i), &from);
	}
	if (capnp_builder_good(list.builder))
		capnp_wipe(&target);
	return list;
}

struct capnp_bytes
capnp_edit_data(struct capnp_pointer pointer)
{
	struct capnp_list list = { 0 };
	struct capnp_target target;

	if (!open_list(pointer, CAPNP_BYTE, &target, &list))
		return (struct capnp_bytes){ 0 };
	if (list.element != CAPNP_BYTE) {
		capnp_builder_fail(pointer.builder, ERR_ARG);
		return (struct capnp_bytes){ 0 };
	}
	return (struct capnp_bytes){ (uint8_t *)list.data, list.count };
}

struct capnp_bytes
capnp_edit_text(struct capnp_pointer pointer)
{
	struct capnp_bytes text = capnp_edit_data(pointer);

	if (text.bytes == NULL)
		return text;
	if (text.length == 0 || *(volatile capnp_u8 *)(text.bytes +
	    text.length - 1) != 0) {
		capnp_builder_fail(pointer.builder, ERR_ARG);
		return (struct capnp_bytes){ 0 };
	}
	text.length--;
	return text;
}
