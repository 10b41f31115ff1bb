/* SPDX-License-Identifier: MIT */
#include <lib/capnp/space.h>

#include <string.h>

#define FAR_DOUBLE	4u
#define OFFSET_MASK	0xfffffffcul

static bool
grow(struct capnp_builder *builder, size_t least)
{
	struct capnp_pool *pool = &builder->pool;
	uint32_t next = builder->reader.segment_count;
	size_t got = 0;

	if (next == pool->room || pool->allocate == NULL) {
		capnp_builder_fail(builder, ERR_FULL);
		return false;
	}
	uint64_t *words = least > CAPNP_SEGMENT_WORDS ? NULL :
	    pool->allocate(pool->context, least, &got);
	if (words == NULL || got < least) {
		capnp_builder_fail(builder, ERR_NOMEM);
		return false;
	}
	pool->segment[next] = (struct capnp_segment){ words, 0 };
	pool->size[next] = got < CAPNP_SEGMENT_WORDS ? got :
	    CAPNP_SEGMENT_WORDS;
	builder->reader.segment_count++;
	return true;
}

static uint64_t *
word_at(struct capnp_builder *builder, uint32_t segment, size_t index)
{
	/* Segments are of the builder's own memory, which it may write. */
	return (uint64_t *)builder->pool.segment[segment].words + index;
}

/* Takes zeroed words of a segment; false if it has not so many left. */
static bool
take(struct capnp_builder *builder, uint32_t segment, size_t words,
    size_t *out_index)
{
	struct capnp_segment *in = &builder->pool.segment[segment];

	if (words > builder->pool.size[segment] - in->count)
		return false;
	*out_index = in->count;
	if (words > 0)
		memset(word_at(builder, segment, in->count), 0,
		    words * CAPNP_WORD);
	in->count += words;
	return true;
}

/* Takes words in any segment but `full`. */
static bool
take_elsewhere(struct capnp_builder *builder, uint32_t full, size_t words,
    uint32_t *out_segment, size_t *out_index)
{
	uint32_t last = builder->reader.segment_count - 1;

	if (last != full && take(builder, last, words, out_index)) {
		*out_segment = last;
		return true;
	}
	if (!grow(builder, words))
		return false;
	*out_segment = last + 1;
	return take(builder, last + 1, words, out_index);
}

static void
start(struct capnp_builder *builder)
{
	size_t root;

	/* Limits are for messages of others. */
	capnp_reader_init(&builder->reader, builder->pool.segment, 0,
	    UINT64_MAX, 0);
	if (builder->pool.allocate == NULL)
		builder->reader.segment_count = 1;
	else if (!grow(builder, 1))
		return;
	if (!take(builder, 0, 1, &root))
		capnp_builder_fail(builder, ERR_FULL);
}

void
capnp_builder_init(struct capnp_builder *builder, uint64_t *words,
    size_t count)
{
	builder->only = (struct capnp_segment){ words, 0 };
	builder->only_size = count < CAPNP_SEGMENT_WORDS ? count :
	    CAPNP_SEGMENT_WORDS;
	builder->pool = (struct capnp_pool){
		.segment = &builder->only,
		.size = &builder->only_size,
		.room = 1,
	};
	start(builder);
}

void
capnp_builder_init_pool(struct capnp_builder *builder,
    const struct capnp_pool *pool)
{
	builder->pool = *pool;
	start(builder);
}

status_t
capnp_builder_status(const struct capnp_builder *builder)
{
	return builder->reader.status;
}

const struct capnp_segment *
capnp_builder_segments(const struct capnp_builder *builder,
    uint32_t *out_count)
{
	*out_count = builder->reader.segment_count;
	return builder->pool.segment;
}

struct capnp_pointer
capnp_builder_root(struct capnp_builder *builder)
{
	return (struct capnp_pointer){
		.builder = builder,
		.at = capnp_builder_good(builder) ? word_at(builder, 0, 0) :
		    NULL,
	};
}

struct capnp_place
capnp_place_of(struct capnp_pointer pointer)
{
	return (struct capnp_place){
		.reader = &pointer.builder->reader,
		.at = pointer.at,
		.segment = pointer.segment,
		.depth = CAPNP_DEPTH,
	};
}

static void
store(uint64_t *at, uint64_t word)
{
	*(volatile capnp_u64 *)at = word;
}

static uint64_t
with_offset(uint64_t word, int64_t offset)
{
	return (word & ~OFFSET_MASK) | (uint32_t)((uint64_t)offset << 2);
}

static uint64_t
far_to(uint32_t segment, size_t index, bool is_double)
{
	return (uint64_t)segment << 32 | (uint64_t)index << 3 |
	    (is_double ? FAR_DOUBLE : 0) | CAPNP_FAR;
}

void
capnp_link(struct capnp_pointer pointer, uint32_t segment, size_t index,
    uint64_t word)
{
	struct capnp_builder *builder = pointer.builder;
	uint32_t pad_segment;
	size_t pad;

	if (segment == pointer.segment) {
		store(pointer.at, with_offset(word, word_at(builder, segment,
		    index) - pointer.at - 1));
	} else if (take(builder, segment, 1, &pad)) {
		store(word_at(builder, segment, pad), with_offset(word,
		    (int64_t)index - (int64_t)pad - 1));
		store(pointer.at, far_to(segment, pad, false));
	} else if (take_elsewhere(builder, segment, 2, &pad_segment, &pad)) {
		store(word_at(builder, pad_segment, pad),
		    far_to(segment, index, false));
		store(word_at(builder, pad_segment, pad + 1),
		    with_offset(word, 0));
		store(pointer.at, far_to(pad_segment, pad, true));
	}
}

/* Takes words for an object and makes the pointer name it. */
static uint64_t *
place_object(struct capnp_pointer *pointer, size_t words, uint64_t word)
{
	struct capnp_builder *builder = pointer->builder;
	uint32_t segment = pointer->segment;
	size_t index;

	if (pointer->at == NULL || !capnp_builder_good(builder))
		return NULL;
	if (word == 0) {
		/* An offset of -1 tells an empty struct from no pointer. */
		store(pointer->at, with_offset(word, -1));
		return pointer->at;
	}
	if (take(builder, segment, words, &index)) {
		capnp_link(*pointer, segment, index, word);
		return word_at(builder, segment, index);
	}
	if (!take_elsewhere(builder, segment, words + 1, &segment, &index))
		return NULL;
	store(word_at(builder, segment, index), word);
	store(pointer->at, far_to(segment, index, false));
	pointer->segment = segment;
	return word_at(builder, segment, index + 1);
}

struct capnp_struct_builder
capnp_make_struct(struct capnp_pointer pointer, uint16_t data_words,
    uint16_t pointers)
{
	struct capnp_struct_builder s = { .builder = pointer.builder };
	uint64_t word = (uint64_t)pointers << 48 | (uint64_t)data_words << 32;

	uint64_t *words = place_object(&pointer, capnp_struct_words(word),
	    word);
	if (words == NULL)
		return s;
	s.data = (uint8_t *)words;
	s.pointers = words + data_words;
	s.segment = pointer.segment;
	s.data_bytes = data_words * CAPNP_WORD;
	s.pointer_count = pointers;
	return s;
}

/* The elements, behind a tag if there is one. */
static struct capnp_list_builder
make_list(struct capnp_pointer pointer, struct capnp_list_builder list,
    uint64_t tag)
{
	bool tagged = list.element == CAPNP_COMPOSITE;
	uint64_t words = ((uint64_t)list.count * list.step +
	    CAPNP_WORD_BITS - 1) / CAPNP_WORD_BITS;
	uint64_t number = tagged ? words : list.count;
	uint64_t *at = NULL;

	if (list.count > CAPNP_LIST_MAX || number > CAPNP_LIST_MAX)
		capnp_builder_fail(pointer.builder, ERR_RANGE);
	else
		at = place_object(&pointer, words + tagged, number << 35 |
		    (uint64_t)list.element << 32 | CAPNP_LIST);
	if (at == NULL) {
		list.count = 0;
		return list;
	}
	if (tagged)
		store(at++, tag);
	list.data = (uint8_t *)at;
	list.segment = pointer.segment;
	return list;
}

struct capnp_list_builder
capnp_make_list(struct capnp_pointer pointer, enum capnp_element element,
    uint32_t count)
{
	static const uint8_t bits[7] = { 0, 1, 8, 16, 32, 64, 64 };
	bool pointers = element == CAPNP_POINTER;
	uint8_t step = element < CAPNP_COMPOSITE ? bits[element] : 0;

	if (element >= CAPNP_COMPOSITE) {
		capnp_builder_fail(pointer.builder, ERR_ARG);
		count = 0;
	}
	return make_list(pointer, (struct capnp_list_builder){
		.builder = pointer.builder,
		.count = count,
		.step = step,
		.data_bytes = pointers ? 0 : step / 8,
		.pointer_count = pointers,
		.element = (uint8_t)element,
	}, 0);
}

struct capnp_list_builder
capnp_make_structs(struct capnp_pointer pointer, uint32_t count,
    uint16_t data_words, uint16_t pointers)
{
	uint64_t tag = (uint64_t)pointers << 48 | (uint64_t)data_words << 32 |
	    (uint32_t)(count << 2);

	return make_list(pointer, (struct capnp_list_builder){
		.builder = pointer.builder,
		.count = count,
		.step = capnp_struct_words(tag) * CAPNP_WORD_BITS,
		.data_bytes = data_words * CAPNP_WORD,
		.pointer_count = pointers,
		.element = CAPNP_COMPOSITE,
	}, tag);
}
