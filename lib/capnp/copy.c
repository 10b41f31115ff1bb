/* SPDX-License-Identifier: MIT */
/*
 * Deep copies, in the order of a depth-first walk, with a stack of fixed size:
 * an object is made and filled, then its pointers are copied one by one.
 *
 * In canonical form trailing zeros of structs are cut first; the elements of a
 * list are cut to the size of the largest.
 */
#include <lib/capnp/build.h>

#include <string.h>

#include <lib/capnp/space.h>

struct level {
	struct capnp_series series;
	const uint64_t *from;	/* first pointer of the object */
	uint64_t *to;
	uint32_t from_segment, to_segment;
	uint16_t depth;		/* of the source */
};

struct copying {
	struct capnp_reader *from;
	struct capnp_builder *to;
	bool	 canonical;
	uint32_t depth;
	struct level level[CAPNP_DEPTH];
};

struct size {
	uint16_t data_words;
	uint16_t pointers;
};

static uint16_t
words_for(uint32_t bytes)
{
	return (uint16_t)((bytes + CAPNP_WORD - 1) / CAPNP_WORD);
}

/* The size of a struct without trailing zeros, or `least` if that is more. */
static struct size
trimmed(struct capnp_struct s, struct size least)
{
	while (words_for(s.data_bytes) > least.data_words &&
	    capnp_get_u8(s, s.data_bytes - 1) == 0)
		s.data_bytes--;
	while (s.pointer_count > least.pointers &&
	    !capnp_has(s, s.pointer_count - 1))
		s.pointer_count--;
	if (words_for(s.data_bytes) > least.data_words)
		least.data_words = words_for(s.data_bytes);
	if (s.pointer_count > least.pointers)
		least.pointers = s.pointer_count;
	return least;
}

static struct size
size_of_struct(const struct copying *state, struct capnp_struct s)
{
	if (state->canonical)
		return trimmed(s, (struct size){ 0 });
	return (struct size){ words_for(s.data_bytes), s.pointer_count };
}

static struct size
size_of_elements(const struct copying *state, struct capnp_list list)
{
	struct size size = { 0 };

	if (!state->canonical)
		return (struct size){ words_for(list.data_bytes),
		    list.pointer_count };
	for (uint32_t i = 0; list.step > 0 && i < list.count; i++)
		size = trimmed(capnp_list_struct(list, i), size);
	return size;
}

static bool
good(const struct copying *state)
{
	return capnp_builder_good(state->to) &&
	    (state->from == NULL || state->from->status == OK);
}

/* The next level to fill, or NULL if the source is nested too deeply. */
static struct level *
descend(struct copying *state, uint16_t depth)
{
	if (state->depth == CAPNP_DEPTH) {
		capnp_builder_fail(state->to, ERR_LIMIT);
		return NULL;
	}
	struct level *level = &state->level[state->depth++];
	*level = (struct level){ .depth = depth };
	return level;
}

static void
copy_data(uint8_t *to, uint32_t to_bytes, struct capnp_struct from)
{
	uint32_t bytes = from.data_bytes < to_bytes ? from.data_bytes :
	    to_bytes;

	if (bytes > 0)
		memcpy(to, from.data, bytes);
}

static void
copy_struct(struct copying *state, struct capnp_pointer to,
    struct capnp_struct from)
{
	struct size size = size_of_struct(state, from);

	struct capnp_struct_builder s = capnp_make_struct(to, size.data_words,
	    size.pointers);
	if (!good(state))
		return;
	copy_data(s.data, s.data_bytes, from);
	struct level *level = size.pointers > 0 ?
	    descend(state, from.depth) : NULL;
	if (level == NULL)
		return;
	level->from = from.pointers;
	level->from_segment = from.segment;
	level->to = s.pointers;
	level->to_segment = s.segment;
	level->series.left = size.pointers;
}

static void
copy_structs(struct copying *state, struct capnp_pointer to,
    struct capnp_list from)
{
	/* Elements are a level of their own. */
	if (from.count > 0 && from.depth == 0)
		capnp_fail(state->from, ERR_LIMIT);
	struct size size = size_of_elements(state, from);
	struct capnp_list_builder list = capnp_make_structs(to, from.count,
	    size.data_words, size.pointers);
	if (!good(state))
		return;
	for (uint32_t i = 0; size.data_words > 0 && i < list.count; i++)
		copy_data(capnp_struct_at(list, i).data, list.data_bytes,
		    capnp_list_struct(from, i));
	struct level *level = size.pointers > 0 && list.count > 0 ?
	    descend(state, (uint16_t)(from.depth - 1)) : NULL;
	if (level == NULL)
		return;
	level->from = (const uint64_t *)(from.data + from.data_bytes);
	level->from_segment = from.segment;
	level->to = (uint64_t *)(list.data + list.data_bytes);
	level->to_segment = list.segment;
	level->series = (struct capnp_series){
		.from_gap = from.step / CAPNP_WORD_BITS - size.pointers,
		.to_gap = size.data_words,
		.left = size.pointers,
		.each = size.pointers,
		.elements = list.count - 1,
	};
}

static void
copy_list(struct copying *state, struct capnp_pointer to,
    struct capnp_list from)
{
	if (from.element == CAPNP_COMPOSITE) {
		copy_structs(state, to, from);
		return;
	}
	struct capnp_list_builder list = capnp_make_list(to,
	    (enum capnp_element)from.element, from.count);
	if (!good(state) || from.count == 0)
		return;
	if (from.element == CAPNP_POINTER) {
		struct level *level = descend(state, from.depth);
		if (level == NULL)
			return;
		level->from = (const uint64_t *)from.data;
		level->from_segment = from.segment;
		level->to = (uint64_t *)list.data;
		level->to_segment = list.segment;
		level->series.left = from.count;
		return;
	}
	uint64_t bits = (uint64_t)from.count * from.step;
	if (bits >= 8)
		memcpy(list.data, from.data, bits / 8);
	if (bits % 8 != 0)
		list.data[bits / 8] = (uint8_t)(from.data[bits / 8] &
		    ((1u << bits % 8) - 1));
}

static void
copy_other(struct copying *state, struct capnp_pointer to, uint64_t word)
{
	if ((uint32_t)word != CAPNP_OTHER)
		capnp_fail(state->from, ERR_ARG);
	else if (state->canonical)
		capnp_builder_fail(state->to, ERR_ARG);
	else
		*to.at = word;
}

static void
copy_pointer(struct copying *state, struct capnp_pointer to,
    const struct capnp_place *place)
{
	struct capnp_target target;
	struct capnp_struct s;
	struct capnp_list list;

	if (!capnp_follow(place, &target) || target.word == 0)
		return;
	switch (capnp_kind_of(target.word)) {
	case CAPNP_STRUCT:
		if (capnp_open_struct(place, &target, &s))
			copy_struct(state, to, s);
		break;
	case CAPNP_LIST:
		if (capnp_open_list(place, &target, &list))
			copy_list(state, to, list);
		break;
	default:
		copy_other(state, to, target.word);
		break;
	}
}

/* Copies what the levels so far still lack. */
static void
finish(struct copying *state)
{
	size_t from, to;

	while (state->depth > 0 && good(state)) {
		struct level *top = &state->level[state->depth - 1];
		if (!capnp_series_next(&top->series, &from, &to)) {
			state->depth--;
			continue;
		}
		struct capnp_place place = {
			.reader = state->from,
			.at = top->from + from,
			.segment = top->from_segment,
			.depth = top->depth,
		};
		copy_pointer(state, (struct capnp_pointer){
			.builder = state->to,
			.at = top->to + to,
			.segment = top->to_segment,
		}, &place);
	}
	if (state->from != NULL && state->from->status != OK)
		capnp_builder_fail(state->to, state->from->status);
}

static void
start(struct copying *state, struct capnp_builder *to,
    struct capnp_reader *from)
{
	state->from = from;
	state->to = to;
	state->canonical = false;
	state->depth = 0;
}

void
capnp_set_struct(struct capnp_pointer pointer, struct capnp_struct from)
{
	struct copying state;

	start(&state, pointer.builder, from.reader);
	capnp_clear(pointer);
	copy_struct(&state, pointer, from);
	finish(&state);
}

void
capnp_set_list(struct capnp_pointer pointer, struct capnp_list from)
{
	struct copying state;

	start(&state, pointer.builder, from.reader);
	capnp_clear(pointer);
	copy_list(&state, pointer, from);
	finish(&state);
}

static void
set_from(struct capnp_pointer pointer, const struct capnp_place *place)
{
	struct copying state;

	start(&state, pointer.builder, place->reader);
	capnp_clear(pointer);
	if (pointer.at != NULL && good(&state))
		copy_pointer(&state, pointer, place);
	finish(&state);
}

void
capnp_set_any(struct capnp_pointer pointer, struct capnp_struct from,
    uint16_t index)
{
	struct capnp_place place = capnp_place_in_struct(from, index);

	set_from(pointer, &place);
}

void
capnp_set_constant(struct capnp_pointer pointer, const uint64_t *words)
{
	set_from(pointer, &(struct capnp_place){
		.at = words,
		.segment = CAPNP_CONSTANT,
		.depth = CAPNP_DEPTH,
	});
}

void
capnp_copy_struct(struct capnp_struct_builder to, struct capnp_struct from)
{
	struct copying state;

	start(&state, to.builder, from.reader);
	if (!good(&state))
		return;
	if (to.data_bytes > 0)
		memset(to.data, 0, to.data_bytes);
	copy_data(to.data, to.data_bytes, from);
	for (uint16_t i = 0; i < to.pointer_count; i++)
		capnp_set_any(capnp_pointer_of(to, i), from, i);
}

status_t
capnp_canonicalise(struct capnp_struct root, uint64_t *words, size_t room,
    size_t *out_words)
{
	struct capnp_builder builder;
	struct copying state;

	*out_words = 0;
	capnp_builder_init(&builder, words, room);
	start(&state, &builder, root.reader);
	state.canonical = true;
	copy_struct(&state, capnp_builder_root(&builder), root);
	finish(&state);
	*out_words = builder.only.count;
	return capnp_builder_status(&builder);
}
