/* SPDX-License-Identifier: MIT */
/*
 * Generated readers and builders, of a schema that has everything: what they
 * read of random messages and write into new ones is the same message, and
 * what they give for fields that are not there is what the schema says.
 */
#include <idl/everything.capnp.h>

#include <stdlib.h>
#include <string.h>
#include <tests/capnp/everything.h>

#include <lib/test/ktap.h>

#define WORDS		(1u << 18)
#define MESSAGES	2000u

typedef struct everything_everything reader_t;	/* whole names are long */
typedef struct everything_everything_builder builder_t;

static uint64_t memory[2][WORDS], canonical[2][WORDS];

static void copy_everything(reader_t from, builder_t to);

static void
copy_small(struct everything_small from, struct everything_small_builder to)
{
	struct capnp_blob name = everything_small_get_name(from);

	everything_small_set_x(to, everything_small_get_x(from));
	everything_small_set_flag(to, everything_small_get_flag(from));
	if (everything_small_has_name(from))
		everything_small_set_name(to, (const char *)name.bytes,
		    name.length);
}

static void
copy_numbers(reader_t from, builder_t to)
{
	everything_everything_set_flag(to,
	    everything_everything_get_flag(from));
	everything_everything_set_int8(to,
	    everything_everything_get_int8(from));
	everything_everything_set_int16(to,
	    everything_everything_get_int16(from));
	everything_everything_set_int32(to,
	    everything_everything_get_int32(from));
	everything_everything_set_int64(to,
	    everything_everything_get_int64(from));
	everything_everything_set_uint8(to,
	    everything_everything_get_uint8(from));
	everything_everything_set_uint16(to,
	    everything_everything_get_uint16(from));
	everything_everything_set_uint32(to,
	    everything_everything_get_uint32(from));
	everything_everything_set_uint64(to,
	    everything_everything_get_uint64(from));
	everything_everything_set_float32(to,
	    everything_everything_get_float32(from));
	everything_everything_set_float64(to,
	    everything_everything_get_float64(from));
	everything_everything_set_colour(to,
	    everything_everything_get_colour(from));
}

/* A list that is copied as a whole, if it is there. */
#define COPY_LIST(field) do { \
	if (everything_everything_has_##field(from)) \
		everything_everything_set_##field(to, \
		    everything_everything_get_##field(from)); \
} while (0)

static void
copy_lists(reader_t from, builder_t to)
{
	COPY_LIST(voids);
	COPY_LIST(flags);
	COPY_LIST(int8s);
	COPY_LIST(int16s);
	COPY_LIST(int32s);
	COPY_LIST(int64s);
	COPY_LIST(float32s);
	COPY_LIST(float64s);
	COPY_LIST(colours);
	COPY_LIST(texts);
	COPY_LIST(datas);
	COPY_LIST(nested);
	COPY_LIST(deep);
}

static void
copy_structs(reader_t from, builder_t to)
{
	struct capnp_list list = everything_everything_get_smalls(from);

	if (everything_everything_has_smalls(from)) {
		struct capnp_list_builder made =
		    everything_everything_init_smalls(to, list.count);

		for (uint32_t i = 0; i < list.count; i++)
			copy_small(everything_small_at(list, i),
			    everything_small_builder_at(made, i));
	}
	list = everything_everything_get_kids(from);
	if (everything_everything_has_kids(from)) {
		struct capnp_list_builder made =
		    everything_everything_init_kids(to, list.count);

		for (uint32_t i = 0; i < list.count; i++)
			copy_everything(everything_everything_at(list, i),
			    everything_everything_builder_at(made, i));
	}
	if (everything_everything_has_small(from))
		copy_small(everything_everything_get_small(from),
		    everything_everything_init_small(to));
}

/* Generic structs: what the parameter stands for is the reader's to know. */
static void
copy_generics(reader_t from, builder_t to)
{
	struct everything_box box = everything_everything_get_box(from);
	struct capnp_blob text = everything_box_text_content(box);

	if (everything_everything_has_box(from)) {
		struct everything_box_builder made =
		    everything_everything_init_box(to);

		everything_box_set_mark(made, everything_box_get_mark(box));
		if (everything_box_has_content(box))
			capnp_set_text(everything_box_pointer_content(made),
			    (const char *)text.bytes, text.length);
	}
	if (everything_everything_has_pair(from))
		everything_everything_set_pair(to,
		    everything_everything_get_pair(from));
	everything_everything_copy_any(from,
	    everything_everything_pointer_any(to));
}

static void
copy_group(struct everything_everything_group from,
    struct everything_everything_group_builder to)
{
	struct capnp_blob text = everything_everything_group_get_high(from);

	everything_everything_group_set_low(to,
	    everything_everything_group_get_low(from));
	if (everything_everything_group_has_high(from))
		everything_everything_group_set_high(to,
		    (const char *)text.bytes, text.length);
	switch (everything_everything_group_which(from)) {
	case EVERYTHING_EVERYTHING_GROUP_IS_ABSENT:
		everything_everything_group_set_absent(to);
		break;
	case EVERYTHING_EVERYTHING_GROUP_IS_NUMBER:
		everything_everything_group_set_number(to,
		    everything_everything_group_get_number(from));
		break;
	case EVERYTHING_EVERYTHING_GROUP_IS_LETTERS:
		text = everything_everything_group_get_letters(from);
		if (everything_everything_group_has_letters(from))
			everything_everything_group_set_letters(to,
			    (const char *)text.bytes, text.length);
		else
			everything_everything_group_clear_letters(to);
		break;
	}
}

static void
copy_both(struct everything_everything_both from,
    struct everything_everything_both_builder to)
{
	everything_everything_both_set_left(to,
	    everything_everything_both_get_left(from));
	if (everything_everything_both_has_right(from))
		everything_everything_both_set_right(to,
		    everything_everything_both_get_right(from));
}

static void
copy_string(reader_t from, builder_t to)
{
	struct capnp_blob text = everything_everything_get_string(from);

	if (everything_everything_has_string(from))
		everything_everything_set_string(to, (const char *)text.bytes,
		    text.length);
	else
		everything_everything_clear_string(to);
}

static void
copy_union(reader_t from, builder_t to)
{
	switch (everything_everything_which(from)) {
	case EVERYTHING_EVERYTHING_IS_NONE:
		everything_everything_set_none(to);
		break;
	case EVERYTHING_EVERYTHING_IS_BIT:
		everything_everything_set_bit(to,
		    everything_everything_get_bit(from));
		break;
	case EVERYTHING_EVERYTHING_IS_WORD:
		everything_everything_set_word(to,
		    everything_everything_get_word(from));
		break;
	case EVERYTHING_EVERYTHING_IS_STRING:
		copy_string(from, to);
		break;
	case EVERYTHING_EVERYTHING_IS_KID:
		everything_everything_clear_kid(to);
		if (everything_everything_has_kid(from))
			copy_everything(everything_everything_get_kid(from),
			    everything_everything_edit_kid(to));
		break;
	case EVERYTHING_EVERYTHING_IS_LIST:
		everything_everything_clear_list(to);
		COPY_LIST(list);
		break;
	case EVERYTHING_EVERYTHING_IS_BOTH:
		copy_both(everything_everything_get_both(from),
		    everything_everything_init_both(to));
		break;
	}
}

static void
copy_everything(reader_t from, builder_t to)
{
	struct capnp_blob blob = everything_everything_get_text(from);

	copy_numbers(from, to);
	if (everything_everything_has_text(from))
		everything_everything_set_text(to, (const char *)blob.bytes,
		    blob.length);
	blob = everything_everything_get_data(from);
	if (everything_everything_has_data(from))
		everything_everything_set_data(to, blob.bytes, blob.length);
	copy_lists(from, to);
	copy_structs(from, to);
	copy_generics(from, to);
	copy_group(everything_everything_get_group(from),
	    everything_everything_edit_group(to));
	copy_union(from, to);
}

static struct capnp_struct
open_built(struct capnp_reader *reader, const struct capnp_builder *builder)
{
	uint32_t count;
	const struct capnp_segment *segments = capnp_builder_segments(builder,
	    &count);

	EXPECT_EQ(capnp_builder_status(builder), OK);
	capnp_reader_init(reader, segments, count, 0, 0);
	return capnp_root(reader);
}

static size_t
canonicalise(struct capnp_struct root, uint64_t *words)
{
	size_t count = 0;

	EXPECT_EQ(capnp_canonicalise(root, words, WORDS, &count), OK);
	return count;
}

TEST(test_what_is_read_and_written_is_the_same_message)
{
	for (uint64_t seed = 1; seed <= MESSAGES; seed++) {
		static struct capnp_builder made, copied;
		struct capnp_reader in, out;
		struct everything_random random;

		everything_seed(&random, seed);
		capnp_builder_init(&made, memory[0], WORDS);
		everything_build(&random, capnp_builder_root(&made));
		reader_t from = { open_built(&in, &made) };
		capnp_builder_init(&copied, memory[1], WORDS);
		copy_everything(from,
		    everything_everything_init_root(&copied));
		struct capnp_struct to = open_built(&out, &copied);
		EXPECT(everything_same(from.at, to));
		size_t a = canonicalise(from.at, canonical[0]);
		size_t b = canonicalise(to, canonical[1]);
		EXPECT(a == b &&
		    memcmp(canonical[0], canonical[1], a * 8) == 0);
		EXPECT_EQ(capnp_status(&in), OK);
		EXPECT_EQ(capnp_status(&out), OK);
	}
}

static bool
blob_is(struct capnp_blob blob, const char *text)
{
	return blob.length == strlen(text) &&
	    memcmp(blob.bytes, text, blob.length) == 0;
}

static void
check_defaults(reader_t r)
{
	struct everything_small small = everything_everything_get_small(r);
	struct capnp_list list = everything_everything_get_int32s(r);
	struct capnp_blob data = everything_everything_get_data(r);

	EXPECT(everything_everything_get_flag(r));
	EXPECT_EQ(everything_everything_get_int8(r), -8);
	EXPECT_EQ(everything_everything_get_int16(r), -1600);
	EXPECT_EQ(everything_everything_get_int64(r), -64000000000);
	EXPECT_EQ(everything_everything_get_uint64(r), 18000000000000000000ul);
	EXPECT_EQ(everything_everything_get_float32(r), 0x3fc00000u);
	EXPECT_EQ(everything_everything_get_float64(r), 0xc002000000000000ul);
	EXPECT_EQ(everything_everything_get_colour(r), EVERYTHING_COLOUR_GREEN);
	EXPECT(blob_is(everything_everything_get_text(r), "by default"));
	EXPECT(data.length == 3 && memcmp(data.bytes, "\0\377\200", 3) == 0);
	EXPECT(everything_small_get_x(small) == 5 &&
	    everything_small_get_flag(small) &&
	    blob_is(everything_small_get_name(small), "default"));
	EXPECT(list.count == 3 && (int32_t)capnp_list_u32(list, 1) == -2);
	EXPECT_EQ(everything_everything_group_get_low(
	    everything_everything_get_group(r)), 3);
	EXPECT(!everything_everything_has_small(r));
}

TEST(test_fields_that_are_not_there_have_their_defaults)
{
	struct capnp_builder builder;
	struct capnp_reader reader;

	check_defaults((reader_t){ 0 });
	capnp_builder_init(&builder, memory[0], WORDS);
	everything_everything_init_root(&builder);
	check_defaults((reader_t){ open_built(&reader, &builder) });
}

TEST(test_editing_begins_with_the_default)
{
	struct capnp_builder builder;
	struct capnp_reader reader;

	capnp_builder_init(&builder, memory[0], WORDS);
	builder_t b = everything_everything_init_root(&builder);
	everything_small_set_x(everything_everything_edit_small(b), 6);
	capnp_put_u32(everything_everything_edit_int32s(b), 0, 9);
	everything_everything_edit_text(b).bytes[0] = 'B';
	reader_t r = { open_built(&reader, &builder) };
	EXPECT_EQ(everything_small_get_x(everything_everything_get_small(r)),
	    6);
	EXPECT(blob_is(everything_small_get_name(
	    everything_everything_get_small(r)), "default"));
	struct capnp_list list = everything_everything_get_int32s(r);
	EXPECT(list.count == 3 && capnp_list_u32(list, 0) == 9 &&
	    capnp_list_u32(list, 2) == 3);
	EXPECT(blob_is(everything_everything_get_text(r), "By default"));
}

TEST(test_a_new_group_forgets_the_old_one)
{
	struct capnp_builder builder;
	struct capnp_reader reader;

	capnp_builder_init(&builder, memory[0], WORDS);
	builder_t b = everything_everything_init_root(&builder);
	struct everything_everything_group_builder group =
	    everything_everything_edit_group(b);
	everything_everything_group_set_low(group, 77);
	everything_everything_group_set_letters(group, "x", 1);
	everything_everything_init_group(b);
	reader_t r = { open_built(&reader, &builder) };
	struct everything_everything_group got =
	    everything_everything_get_group(r);
	EXPECT_EQ(everything_everything_group_get_low(got), 3);
	EXPECT_EQ(everything_everything_group_which(got),
	    EVERYTHING_EVERYTHING_GROUP_IS_ABSENT);
	EXPECT(!everything_everything_group_has_letters(got));
	EXPECT_EQ(capnp_status(&reader), OK);
}

TEST_MAIN(true)
