/* SPDX-License-Identifier: MIT */
#include <lib/capnp/build.h>

#include <stdlib.h>
#include <string.h>

#include <lib/ktap/ktap.h>

#define SEGMENTS	64u
#define WORDS		4096u

static struct capnp_segment segments[SEGMENTS];
static size_t sizes[SEGMENTS];
static uint64_t *memory[SEGMENTS];
static uint32_t memory_count;
static size_t segment_words;	/* of the next segments, at least */
static struct capnp_builder builder;
static struct capnp_reader reader;

/* Memory of its own for each segment, full of dirt. */
static uint64_t *
allocate(void *context, size_t least, size_t *out_words)
{
	size_t words = least > segment_words ? least : segment_words;

	uint64_t *at = malloc(words * sizeof(*at));
	if (at == NULL || memory_count == SEGMENTS)
		abort();
	memset(at, 0xa5, words * sizeof(*at));
	memory[memory_count++] = at;
	*out_words = words;
	return at;
}

static struct capnp_pointer
start(size_t words)
{
	segment_words = words;
	capnp_builder_init_pool(&builder, &(struct capnp_pool){
		.segment = segments,
		.size = sizes,
		.room = SEGMENTS,
		.allocate = allocate,
	});
	return capnp_builder_root(&builder);
}

static void
end(void)
{
	while (memory_count > 0)
		free(memory[--memory_count]);
}

static struct capnp_struct
read_built(void)
{
	uint32_t count;
	const struct capnp_segment *built = capnp_builder_segments(&builder,
	    &count);

	KTAP_EQUAL(capnp_builder_status(&builder), OK);
	capnp_reader_init(&reader, built, count, 0, 0);
	return capnp_root(&reader);
}

static bool
blob_is(struct capnp_blob blob, const char *text)
{
	return blob.length == strlen(text) &&
	    memcmp(blob.bytes, text, blob.length) == 0;
}

/* One object of each kind. */
static void
build_all(struct capnp_pointer root)
{
	static const enum capnp_element sizes_of[] = { CAPNP_VOID, CAPNP_BIT,
	    CAPNP_BYTE, CAPNP_TWO_BYTES, CAPNP_FOUR_BYTES, CAPNP_EIGHT_BYTES };
	struct capnp_struct_builder s = capnp_init_struct(root, 2, 12);
	struct capnp_list_builder list[6];

	capnp_set_u8(s, 0, 1);
	capnp_set_u16(s, 2, 2);
	capnp_set_u32(s, 4, 3);
	capnp_set_u64(s, 8, 4);
	capnp_set_bit(s, 9, true);
	capnp_set_text(capnp_pointer_of(s, 0), "text", 4);
	capnp_set_data(capnp_pointer_of(s, 1), "data", 4);
	capnp_set_capability(capnp_pointer_of(s, 2), 77);
	capnp_set_u32(capnp_init_struct(capnp_pointer_of(s, 3), 1, 0), 0, 5);
	capnp_init_struct(capnp_pointer_of(s, 4), 0, 0);
	for (uint16_t i = 0; i < 6; i++)
		list[i] = capnp_init_list(capnp_pointer_of(s, 5 + i),
		    sizes_of[i], 3);
	for (uint32_t i = 0; i < 3; i++) {
		capnp_put_bit(list[1], i, i != 1);
		capnp_put_u8(list[2], i, (uint8_t)(10 + i));
		capnp_put_u16(list[3], i, (uint16_t)(20 + i));
		capnp_put_u32(list[4], i, 30 + i);
		capnp_put_u64(list[5], i, 40 + i);
	}
	struct capnp_list_builder kids = capnp_init_structs(
	    capnp_pointer_of(s, 11), 2, 1, 1);
	for (uint32_t i = 0; i < 2; i++) {
		struct capnp_struct_builder kid = capnp_struct_at(kids, i);
		capnp_set_u32(kid, 0, i + 50);
		struct capnp_list_builder names = capnp_init_list(
		    capnp_pointer_of(kid, 0), CAPNP_POINTER, 2);
		capnp_set_text(capnp_pointer_at(names, i), "name", 4);
	}
}

static void
check_lists(struct capnp_struct s)
{
	struct capnp_list bits = capnp_get_list(s, 6, CAPNP_BIT);
	struct capnp_list bytes = capnp_get_list(s, 7, CAPNP_BYTE);
	struct capnp_list two = capnp_get_list(s, 8, CAPNP_TWO_BYTES);
	struct capnp_list four = capnp_get_list(s, 9, CAPNP_FOUR_BYTES);
	struct capnp_list eight = capnp_get_list(s, 10, CAPNP_EIGHT_BYTES);

	KTAP_EQUAL(capnp_get_list(s, 5, CAPNP_VOID).count, 3);
	KTAP_EQUAL(bits.count, 3);
	for (uint32_t i = 0; i < 3; i++) {
		KTAP_EQUAL(capnp_list_bit(bits, i), i != 1);
		KTAP_EQUAL(capnp_list_u8(bytes, i), 10 + i);
		KTAP_EQUAL(capnp_list_u16(two, i), 20 + i);
		KTAP_EQUAL(capnp_list_u32(four, i), 30 + i);
		KTAP_EQUAL(capnp_list_u64(eight, i), 40 + i);
	}
}

static void
check_all(struct capnp_struct s)
{
	uint32_t capability;

	KTAP_EQUAL(capnp_get_u8(s, 0), 1);
	KTAP_EQUAL(capnp_get_u16(s, 2), 2);
	KTAP_EQUAL(capnp_get_u32(s, 4), 3);
	KTAP_EQUAL(capnp_get_u64(s, 8), 4);
	KTAP_CHECK(capnp_get_bit(s, 9));
	KTAP_CHECK(blob_is(capnp_get_text(s, 0), "text"));
	KTAP_CHECK(blob_is(capnp_get_data(s, 1), "data"));
	KTAP_CHECK(capnp_get_capability(s, 2, &capability));
	KTAP_EQUAL(capability, 77);
	KTAP_EQUAL(capnp_get_u32(capnp_get_struct(s, 3), 0), 5);
	KTAP_CHECK(capnp_has(s, 4));
	check_lists(s);
	struct capnp_list kids = capnp_get_list(s, 11, CAPNP_COMPOSITE);
	KTAP_EQUAL(kids.count, 2);
	for (uint32_t i = 0; i < kids.count; i++) {
		struct capnp_struct kid = capnp_list_struct(kids, i);
		KTAP_EQUAL(capnp_get_u32(kid, 0), i + 50);
		struct capnp_list names = capnp_get_list(kid, 0,
		    CAPNP_POINTER);
		KTAP_EQUAL(names.count, 2);
		KTAP_CHECK(blob_is(capnp_list_text(names, i), "name"));
		KTAP_CHECK(blob_is(capnp_list_text(names, 1 - i), ""));
	}
	KTAP_EQUAL(capnp_status(s.reader), OK);
}

static void
test_what_was_built_reads_back_for_every_size_of_segments(void)
{
	for (size_t words = 1; words < 100; words++) {
		build_all(start(words));
		check_all(read_built());
		end();
	}
}

static void
test_buffer_too_small_is_full_and_never_overrun(void)
{
	uint64_t *words;

	build_all(start(WORDS));
	size_t need = segments[0].count;
	end();
	for (size_t room = 1; room <= need; room++) {
		words = malloc(room * sizeof(*words));
		if (words == NULL)
			abort();
		memset(words, 0xff, room * sizeof(*words));
		capnp_builder_init(&builder, words, room);
		build_all(capnp_builder_root(&builder));
		KTAP_EQUAL(capnp_builder_status(&builder),
		    room < need ? ERR_FULL : OK);
		free(words);
	}
}

static void
test_copy_equals_its_source_for_every_size_of_segments(void)
{
	static uint64_t from[WORDS];
	struct capnp_builder source;

	capnp_builder_init(&source, from, WORDS);
	build_all(capnp_builder_root(&source));
	for (size_t words = 1; words < 100; words++) {
		capnp_reader_init(&reader, &source.only, 1, 0, 0);
		struct capnp_pointer root = start(words);
		capnp_set_struct(root, capnp_root(&reader));
		check_all(read_built());
		end();
	}
}

static bool
all_zero(const uint64_t *words, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		if (words[i] != 0)
			return false;
	}
	return true;
}

static void
test_cleared_message_is_all_zero(void)
{
	for (size_t words = 1; words < 100; words++) {
		struct capnp_pointer root = start(words);
		build_all(root);
		capnp_clear(root);
		KTAP_EQUAL(capnp_builder_status(&builder), OK);
		for (uint32_t i = 0; i < memory_count; i++)
			KTAP_CHECK(all_zero(memory[i], 0, segments[i].count));
		end();
	}
}

static void
test_moved_object_is_named_through_double_far_if_need_be(void)
{
	struct capnp_struct_builder s = capnp_init_struct(start(4), 0, 3);
	uint32_t far = 0;

	/* A segment that is full: neither the object nor a pad fits later. */
	struct capnp_list_builder list = capnp_init_list(
	    capnp_pointer_of(s, 1), CAPNP_EIGHT_BYTES, 9);
	capnp_put_u64(list, 8, 99);
	struct capnp_struct_builder other = capnp_init_struct(
	    capnp_pointer_of(s, 0), 0, 2);
	struct capnp_struct_builder near = capnp_init_struct(
	    capnp_pointer_of(other, 0), 1, 0);
	capnp_set_u64(near, 0, 7);
	KTAP_EQUAL(near.segment, other.segment);
	capnp_init_data(capnp_pointer_of(other, 1), (sizes[other.segment] -
	    segments[other.segment].count) * 8);
	capnp_move(capnp_pointer_of(s, 2), capnp_pointer_of(other, 0));
	for (uint32_t i = 0; i < builder.reader.segment_count; i++) {
		for (size_t word = 0; word < segments[i].count; word++)
			far += (segments[i].words[word] & 7) == 6;
	}
	KTAP_CHECK(far >= 1);
	struct capnp_struct root = read_built();
	KTAP_EQUAL(capnp_get_u64(capnp_get_struct(root, 2), 0), 7);
	KTAP_CHECK(!capnp_has(capnp_get_struct(root, 0), 0));
	KTAP_EQUAL(capnp_list_u64(capnp_get_list(root, 1, CAPNP_EIGHT_BYTES),
	    8), 99);
	capnp_clear(capnp_builder_root(&builder));
	for (uint32_t i = 0; i < memory_count; i++)
		KTAP_CHECK(all_zero(memory[i], 0, segments[i].count));
	end();
}

static void
test_struct_is_enlarged_with_all_it_has(void)
{
	for (size_t words = 1; words < 100; words++) {
		struct capnp_pointer root = start(words);
		build_all(root);
		struct capnp_struct_builder s = capnp_edit_struct(root, 2, 12);
		KTAP_CHECK(s.data_bytes == 16 && s.pointer_count == 12);
		s = capnp_edit_struct(root, 3, 11);
		KTAP_CHECK(s.data_bytes == 24 && s.pointer_count == 12);
		s = capnp_edit_struct(root, 1, 14);
		KTAP_CHECK(s.data_bytes == 24 && s.pointer_count == 14);
		capnp_set_u64(s, 16, 123);
		struct capnp_struct got = read_built();
		check_all(got);
		KTAP_EQUAL(capnp_get_u64(got, 16), 123);
		end();
	}
}

static void
test_list_of_numbers_becomes_one_of_structs(void)
{
	struct capnp_struct_builder s = capnp_init_struct(start(WORDS), 0, 12);

	struct capnp_pointer at = capnp_pointer_of(s, 0);
	struct capnp_list_builder list = capnp_init_list(at, CAPNP_TWO_BYTES,
	    5);
	for (uint32_t i = 0; i < 5; i++)
		capnp_put_u16(list, i, (uint16_t)(600 + i));
	list = capnp_edit_structs(at, 2, 1);
	KTAP_EQUAL(list.count, 5);
	for (uint32_t i = 0; i < list.count; i++)
		capnp_set_u64(capnp_struct_at(list, i), 8, i);
	struct capnp_struct root = read_built();
	struct capnp_list as_numbers = capnp_get_list(root, 0,
	    CAPNP_TWO_BYTES);
	struct capnp_list as_structs = capnp_get_list(root, 0,
	    CAPNP_COMPOSITE);
	for (uint32_t i = 0; i < 5; i++) {
		KTAP_EQUAL(capnp_list_u16(as_numbers, i), 600 + i);
		KTAP_EQUAL(capnp_get_u64(capnp_list_struct(as_structs, i), 8),
		    i);
	}
	capnp_init_list(at, CAPNP_BIT, 5);
	KTAP_EQUAL(capnp_edit_structs(at, 1, 0).count, 0);
	KTAP_EQUAL(capnp_builder_status(&builder), ERR_ARG);
	end();
}

static void
test_field_that_is_not_there_cannot_be_written(void)
{
	struct capnp_struct_builder s = capnp_init_struct(start(WORDS), 1, 1);

	capnp_set_u64(s, 0, 1);
	KTAP_EQUAL(capnp_builder_status(&builder), OK);
	capnp_set_u8(s, 8, 1);
	KTAP_EQUAL(capnp_builder_status(&builder), ERR_RANGE);
	end();
	s = capnp_init_struct(start(WORDS), 1, 1);
	capnp_set_text(capnp_pointer_of(s, 1), "x", 1);
	KTAP_EQUAL(capnp_builder_status(&builder), ERR_RANGE);
	KTAP_EQUAL(capnp_init_data(capnp_pointer_of(s, 0), 4).length, 0);
	end();
	s = capnp_init_struct(start(WORDS), 1, 1);
	capnp_put_bit(capnp_init_list(capnp_pointer_of(s, 0), CAPNP_BIT, 9), 9,
	    true);
	KTAP_EQUAL(capnp_builder_status(&builder), ERR_RANGE);
	end();
}

static void
test_constant_is_a_default_and_can_be_copied(void)
{
	static uint64_t words[WORDS];
	struct capnp_builder source;

	capnp_builder_init(&source, words, WORDS);
	build_all(capnp_builder_root(&source));
	check_all(capnp_root((capnp_reader_init(&reader, &source.only, 1, 0,
	    0), &reader)));
	struct capnp_struct_builder s = capnp_init_struct(start(3), 0, 2);
	struct capnp_struct root = read_built();
	check_all(capnp_get_struct_or(root, 0, words));
	capnp_set_constant(capnp_pointer_of(s, 1), words);
	check_all(capnp_get_struct(read_built(), 1));
	end();
}

static void
test_what_is_there_can_be_edited_in_place(void)
{
	for (size_t words = 1; words < 100; words++) {
		struct capnp_pointer root = start(words);
		build_all(root);
		struct capnp_struct_builder s = capnp_edit_struct(root, 2, 12);
		struct capnp_bytes text = capnp_edit_text(
		    capnp_pointer_of(s, 0));
		KTAP_EQUAL(text.length, 4);
		memcpy(text.bytes, "TEXT", text.length);
		struct capnp_bytes bytes = capnp_edit_data(
		    capnp_pointer_of(s, 1));
		KTAP_EQUAL(bytes.length, 4);
		memcpy(bytes.bytes, "DATA", bytes.length);
		struct capnp_list_builder list = capnp_edit_list(
		    capnp_pointer_of(s, 8), CAPNP_TWO_BYTES);
		KTAP_EQUAL(list.count, 3);
		capnp_put_u16(list, 2, 999);
		list = capnp_edit_structs(capnp_pointer_of(s, 11), 1, 1);
		capnp_set_u32(capnp_struct_at(list, 1), 0, 888);
		struct capnp_struct got = read_built();
		KTAP_CHECK(blob_is(capnp_get_text(got, 0), "TEXT"));
		KTAP_CHECK(blob_is(capnp_get_data(got, 1), "DATA"));
		KTAP_EQUAL(capnp_list_u16(capnp_get_list(got, 8,
		    CAPNP_TWO_BYTES), 2), 999);
		KTAP_EQUAL(capnp_get_u32(capnp_list_struct(capnp_get_list(got,
		    11, CAPNP_COMPOSITE), 1), 0), 888);
		end();
	}
}

static void
test_what_is_not_there_is_edited_as_empty(void)
{
	struct capnp_struct_builder s = capnp_init_struct(start(WORDS), 0, 1);
	struct capnp_pointer at = capnp_pointer_of(s, 0);

	KTAP_EQUAL(capnp_edit_text(at).length, 0);
	KTAP_EQUAL(capnp_edit_data(at).length, 0);
	KTAP_EQUAL(capnp_edit_list(at, CAPNP_BYTE).count, 0);
	KTAP_EQUAL(capnp_edit_structs(at, 1, 1).count, 0);
	KTAP_CHECK(capnp_pointer_is_null(at));
	KTAP_EQUAL(capnp_edit_struct(at, 1, 1).data_bytes, 8);
	KTAP_CHECK(!capnp_pointer_is_null(at));
	KTAP_EQUAL(capnp_builder_status(&builder), OK);
	KTAP_EQUAL(capnp_edit_list(at, CAPNP_BYTE).count, 0);
	KTAP_EQUAL(capnp_builder_status(&builder), ERR_ARG);
	end();
}

static void
test_copy_into_an_element_loses_what_it_lacks(void)
{
	static uint64_t words[WORDS];
	struct capnp_builder source;
	uint32_t capability;

	capnp_builder_init(&source, words, WORDS);
	build_all(capnp_builder_root(&source));
	capnp_reader_init(&reader, &source.only, 1, 0, 0);
	struct capnp_struct from = capnp_root(&reader);
	struct capnp_struct_builder s = capnp_init_struct(start(5), 0, 1);
	struct capnp_list_builder list = capnp_init_structs(
	    capnp_pointer_of(s, 0), 2, 1, 3);
	capnp_set_u64(capnp_struct_at(list, 1), 0, ~0ul);
	capnp_copy_struct(capnp_struct_at(list, 1), from);
	struct capnp_struct got = capnp_list_struct(capnp_get_list(
	    read_built(), 0, CAPNP_COMPOSITE), 1);
	KTAP_EQUAL(capnp_get_u64(got, 0), capnp_get_u64(from, 0));
	KTAP_CHECK(blob_is(capnp_get_text(got, 0), "text"));
	KTAP_CHECK(capnp_get_capability(got, 2, &capability));
	KTAP_CHECK(!capnp_has(got, 3));
	/* From a shorter one: what is not in it becomes zero. */
	capnp_copy_struct(capnp_struct_at(list, 1),
	    (struct capnp_struct){ 0 });
	KTAP_EQUAL(capnp_get_u64(got, 0), 0);
	KTAP_CHECK(!capnp_has(got, 0) && !capnp_has(got, 2));
	KTAP_EQUAL(capnp_builder_status(&builder), OK);
	end();
}

static void
test_canonical_form_has_no_capability_and_needs_room(void)
{
	static uint64_t words[WORDS], out[WORDS];
	struct capnp_builder source;
	size_t length, need;

	capnp_builder_init(&source, words, WORDS);
	build_all(capnp_builder_root(&source));
	capnp_reader_init(&reader, &source.only, 1, 0, 0);
	KTAP_EQUAL(capnp_canonicalise(capnp_root(&reader), out, WORDS,
	    &length), ERR_ARG);
	capnp_clear(capnp_pointer_of(capnp_edit_struct(
	    capnp_builder_root(&source), 2, 12), 2));
	struct capnp_struct root = capnp_root(&reader);
	KTAP_EQUAL(capnp_canonicalise(root, out, WORDS, &need), OK);
	for (size_t room = 1; room < need; room++)
		KTAP_EQUAL(capnp_canonicalise(root, out, room, &length),
		    ERR_FULL);
	KTAP_EQUAL(capnp_canonicalise(root, out, need, &length), OK);
}

static uint64_t *
allocate_once(void *context, size_t least, size_t *out_words)
{
	return memory_count == 0 ? allocate(context, least, out_words) : NULL;
}

static void
test_no_more_memory_is_told(void)
{
	segment_words = 4;
	capnp_builder_init_pool(&builder, &(struct capnp_pool){
		.segment = segments,
		.size = sizes,
		.room = SEGMENTS,
		.allocate = allocate_once,
	});
	build_all(capnp_builder_root(&builder));
	KTAP_EQUAL(capnp_builder_status(&builder), ERR_NOMEM);
	end();
	struct capnp_pointer root = start(1);
	KTAP_EQUAL(capnp_init_list(root, CAPNP_VOID, CAPNP_LIST_MAX).count,
	    CAPNP_LIST_MAX);
	KTAP_EQUAL(capnp_builder_status(&builder), OK);
	KTAP_EQUAL(capnp_init_list(root, CAPNP_VOID, CAPNP_LIST_MAX +
	    1).count, 0);
	KTAP_EQUAL(capnp_builder_status(&builder), ERR_RANGE);
	end();
}

int
main(void)
{
	static const struct ktap_test tests[] = {
	    KTAP_TEST(
		test_what_was_built_reads_back_for_every_size_of_segments),
	    KTAP_TEST(test_buffer_too_small_is_full_and_never_overrun),
	    KTAP_TEST(test_copy_equals_its_source_for_every_size_of_segments),
	    KTAP_TEST(test_cleared_message_is_all_zero),
	    KTAP_TEST(test_moved_object_is_named_through_double_far_if_need_be),
	    KTAP_TEST(test_struct_is_enlarged_with_all_it_has),
	    KTAP_TEST(test_list_of_numbers_becomes_one_of_structs),
	    KTAP_TEST(test_field_that_is_not_there_cannot_be_written),
	    KTAP_TEST(test_constant_is_a_default_and_can_be_copied),
	    KTAP_TEST(test_what_is_there_can_be_edited_in_place),
	    KTAP_TEST(test_what_is_not_there_is_edited_as_empty),
	    KTAP_TEST(test_copy_into_an_element_loses_what_it_lacks),
	    KTAP_TEST(test_canonical_form_has_no_capability_and_needs_room),
	    KTAP_TEST(test_no_more_memory_is_told),
	};
	return KTAP_RUN(tests);
}
