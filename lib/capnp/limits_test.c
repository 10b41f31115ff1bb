/* SPDX-License-Identifier: MIT */
/*
 * Messages written by hand, word by word: what is refused, what it costs, and
 * what a list may be read as.
 */
#include <lib/capnp/build.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <lib/capnp/stream.h>
#include <lib/ktap/ktap.h>

#define STRUCT(offset, data, pointers) \
	((uint64_t)(pointers) << 48 | (uint64_t)(data) << 32 | \
	 (uint32_t)((offset) * 4))
#define LIST(offset, element, count) \
	((uint64_t)(count) << 35 | (uint64_t)(element) << 32 | \
	 (uint32_t)((offset) * 4) | 1)
#define TAG(count, data, pointers)	STRUCT(count, data, pointers)
#define FAR(segment, pad)	((uint64_t)(segment) << 32 | (pad) * 8ul | 2)
#define FAR_DOUBLE(segment, pad)	(FAR(segment, pad) | 4)
#define CAPABILITY(index)	((uint64_t)(index) << 32 | 3)

static struct capnp_segment segments[4];
static struct capnp_reader reader;

static struct capnp_struct
open_one(const uint64_t *words, size_t count)
{
	segments[0] = (struct capnp_segment){ words, count };
	capnp_reader_init(&reader, segments, 1, 0, 0);
	return capnp_root(&reader);
}

#define OPEN(words)	open_one(words, sizeof(words) / sizeof((words)[0]))

static bool
ends_with(status_t status)
{
	return KTAP_EQUAL(capnp_status(&reader), status);
}

static void
test_object_may_end_with_its_segment_and_not_behind(void)
{
	static const struct {
		uint64_t word;
		size_t fits;	/* words of the segment */
	} cases[] = {
		{ STRUCT(0, 3, 0), 4 }, { STRUCT(0, 1, 2), 4 },
		{ STRUCT(2, 1, 0), 4 },
	};
	uint64_t words[8] = { 0 };

	for (size_t i = 0; i < 3; i++) {
		words[0] = cases[i].word;
		open_one(words, cases[i].fits);
		ends_with(OK);
		open_one(words, cases[i].fits - 1);
		ends_with(ERR_RANGE);
	}
	words[0] = STRUCT(-2, 1, 0);
	open_one(words, 8);
	ends_with(ERR_RANGE);
}

static void
test_list_may_end_with_its_segment_and_not_behind(void)
{
	static const struct {
		uint64_t word;
		size_t words;
	} lists[] = {
		{ LIST(0, CAPNP_BIT, 64), 1 }, { LIST(0, CAPNP_BIT, 65), 2 },
		{ LIST(0, CAPNP_BYTE, 8), 1 }, { LIST(0, CAPNP_BYTE, 9), 2 },
		{ LIST(0, CAPNP_TWO_BYTES, 5), 2 },
		{ LIST(0, CAPNP_FOUR_BYTES, 3), 2 },
		{ LIST(0, CAPNP_EIGHT_BYTES, 2), 2 },
		{ LIST(0, CAPNP_POINTER, 2), 2 },
		{ LIST(0, CAPNP_COMPOSITE, 2), 3 },
		{ LIST(0, CAPNP_VOID, 1000), 0 },
	};
	uint64_t words[8] = { 0 };

	words[0] = STRUCT(0, 0, 1);
	words[2] = TAG(2, 1, 0);
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		words[1] = lists[i].word;
		capnp_get_list(open_one(words, 2 + lists[i].words), 0,
		    CAPNP_ANY);
		ends_with(OK);
		if (lists[i].words == 0)
			continue;
		capnp_get_list(open_one(words, 1 + lists[i].words), 0,
		    CAPNP_ANY);
		ends_with(ERR_RANGE);
	}
}

static void
test_elements_lie_inside_the_words_of_their_list(void)
{
	uint64_t words[16] = { STRUCT(0, 0, 1), LIST(0, CAPNP_COMPOSITE, 4) };

	words[2] = TAG(2, 1, 1);
	KTAP_EQUAL(capnp_get_list(open_one(words, 16), 0, CAPNP_VOID).count,
	    2);
	ends_with(OK);
	words[2] = TAG(3, 1, 1);
	KTAP_EQUAL(capnp_get_list(open_one(words, 16), 0, CAPNP_VOID).count,
	    0);
	ends_with(ERR_RANGE);
	words[2] = LIST(2, 1, 1);
	capnp_get_list(open_one(words, 16), 0, CAPNP_VOID);
	ends_with(ERR_ARG);
}

static void
test_far_pointer_needs_its_whole_pad(void)
{
	uint64_t first[1] = { FAR(1, 2) };
	uint64_t second[4] = { 7, 8, STRUCT(-3, 1, 0), STRUCT(0, 1, 0) };

	segments[0] = (struct capnp_segment){ first, 1 };
	segments[1] = (struct capnp_segment){ second, 3 };
	capnp_reader_init(&reader, segments, 2, 0, 0);
	KTAP_EQUAL(capnp_get_u64(capnp_root(&reader), 0), 7);
	ends_with(OK);
	first[0] = FAR(1, 3);
	capnp_reader_init(&reader, segments, 2, 0, 0);
	capnp_root(&reader);
	ends_with(ERR_RANGE);
	first[0] = FAR(2, 2);
	capnp_reader_init(&reader, segments, 2, 0, 0);
	capnp_root(&reader);
	ends_with(ERR_RANGE);
	first[0] = FAR_DOUBLE(1, 2);
	capnp_reader_init(&reader, segments, 2, 0, 0);
	capnp_root(&reader);
	ends_with(ERR_RANGE);
	segments[1].count = 4;
	second[2] = FAR(1, 1);
	capnp_reader_init(&reader, segments, 2, 0, 0);
	KTAP_EQUAL(capnp_get_u64(capnp_root(&reader), 0), 8);
	ends_with(OK);
}

static void
test_far_pointer_to_far_pointer_is_refused(void)
{
	uint64_t words[4] = { FAR(0, 1), FAR(0, 2), STRUCT(0, 0, 0), 0 };

	OPEN(words);
	ends_with(ERR_ARG);
	words[0] = FAR_DOUBLE(0, 1);
	words[2] = FAR(0, 3);
	OPEN(words);
	ends_with(ERR_ARG);
	words[1] = STRUCT(0, 0, 0);
	words[2] = STRUCT(0, 1, 0);
	OPEN(words);
	ends_with(ERR_ARG);
}

static void
test_pointer_of_another_kind_is_refused(void)
{
	uint64_t words[4] = { STRUCT(0, 0, 2), LIST(1, CAPNP_BYTE, 1), 0, 0 };
	uint32_t index;

	capnp_get_struct(OPEN(words), 0);
	ends_with(ERR_ARG);
	capnp_get_capability(OPEN(words), 0, &index);
	ends_with(ERR_ARG);
	words[1] = STRUCT(1, 1, 0);
	capnp_get_list(OPEN(words), 0, CAPNP_VOID);
	ends_with(ERR_ARG);
	capnp_get_text(OPEN(words), 0);
	ends_with(ERR_ARG);
	words[1] = CAPABILITY(5);
	capnp_get_struct(OPEN(words), 0);
	ends_with(ERR_ARG);
	KTAP_CHECK(capnp_get_capability(OPEN(words), 0, &index));
	KTAP_EQUAL(index, 5);
	words[1] = CAPABILITY(5) | 4;
	KTAP_CHECK(!capnp_get_capability(OPEN(words), 0, &index));
	ends_with(ERR_ARG);
}

static void
test_text_without_its_nul_is_refused_and_data_is_not(void)
{
	uint64_t words[3] = { STRUCT(0, 0, 1), LIST(0, CAPNP_BYTE, 4),
	    0x0064636261ul };

	KTAP_EQUAL(capnp_get_text(OPEN(words), 0).length, 0);
	ends_with(ERR_ARG);
	KTAP_EQUAL(capnp_get_data(OPEN(words), 0).length, 4);
	ends_with(OK);
	words[1] = LIST(0, CAPNP_BYTE, 5);
	KTAP_EQUAL(capnp_get_text(OPEN(words), 0).length, 4);
	ends_with(OK);
	words[1] = LIST(0, CAPNP_BYTE, 0);
	capnp_get_text(OPEN(words), 0);
	ends_with(ERR_ARG);
	words[1] = LIST(0, CAPNP_TWO_BYTES, 3);
	capnp_get_text(OPEN(words), 0);
	ends_with(ERR_ARG);
}

static void
test_list_of_nothing_costs_its_count(void)
{
	uint64_t words[3] = { STRUCT(0, 0, 1),
	    LIST(0, CAPNP_VOID, CAPNP_LIST_MAX) };

	KTAP_EQUAL(capnp_get_list(OPEN(words), 0, CAPNP_VOID).count, 0);
	ends_with(ERR_LIMIT);
	words[1] = LIST(0, CAPNP_COMPOSITE, 0);
	words[2] = TAG(CAPNP_LIST_MAX, 0, 0);
	KTAP_EQUAL(capnp_get_list(OPEN(words), 0, CAPNP_VOID).count, 0);
	ends_with(ERR_LIMIT);
	words[2] = TAG(100, 0, 0);
	uint64_t before = CAPNP_TRAVERSAL_WORDS;
	KTAP_EQUAL(capnp_get_list(OPEN(words), 0, CAPNP_VOID).count, 100);
	/* The root pointer, the root, the tag, the elements. */
	KTAP_EQUAL(before - reader.words_left, 1 + 1 + 1 + 100);
}

static void
test_following_again_costs_again(void)
{
	uint64_t words[12] = { STRUCT(0, 0, 1), STRUCT(0, 10, 0) };
	uint32_t times = 0;

	segments[0] = (struct capnp_segment){ words, 12 };
	capnp_reader_init(&reader, segments, 1, 100, 0);
	struct capnp_struct root = capnp_root(&reader);
	while (capnp_get_struct(root, 0).data_bytes > 0)
		times++;
	KTAP_EQUAL(times, (100 - 2) / 10);
	ends_with(ERR_LIMIT);
}

static void
test_message_may_not_be_nested_deeper_than_the_limit(void)
{
	uint64_t words[1] = { STRUCT(-1, 0, 1) };	/* contains itself */
	uint32_t levels = 0;

	for (uint32_t limit = 1; limit < 100; limit += 7) {
		segments[0] = (struct capnp_segment){ words, 1 };
		capnp_reader_init(&reader, segments, 1, 0, limit);
		struct capnp_struct s = capnp_root(&reader);
		for (levels = 0; s.pointer_count > 0; levels++)
			s = capnp_get_struct(s, 0);
		KTAP_EQUAL(levels, limit);
		ends_with(ERR_LIMIT);
	}
}

static void
test_copy_of_what_contains_itself_ends_at_a_limit(void)
{
	static uint64_t out[1 << 16];
	uint64_t words[3] = { STRUCT(0, 0, 2), STRUCT(-2, 0, 2),
	    STRUCT(-3, 0, 2) };
	size_t length;

	/* Two branches each: without counting it would be 2^64 structs. */
	segments[0] = (struct capnp_segment){ words, 3 };
	capnp_reader_init(&reader, segments, 1, 10000, 0);
	KTAP_EQUAL(capnp_canonicalise(capnp_root(&reader), out, 1 << 16,
	    &length), ERR_LIMIT);
	ends_with(ERR_LIMIT);
	KTAP_CHECK(!capnp_is_canonical(segments, 1));
}

/* A list of 3 elements of `element`, or structs (2 words, 1 pointer). */
static struct capnp_struct
list_message(uint64_t *words, enum capnp_element element)
{
	words[0] = STRUCT(0, 0, 1);
	words[1] = LIST(0, element, 3);
	for (uint32_t i = 2; i < 12; i++)
		words[i] = 0;
	if (element == CAPNP_COMPOSITE) {
		words[1] = LIST(0, element, 9);
		words[2] = TAG(3, 2, 1);
		words[3] = 0x1817161514131211ul;
	} else if (element != CAPNP_POINTER) {
		words[2] = 0x1817161514131211ul;
	}
	return open_one(words, 12);
}

static bool
reads(uint64_t *words, enum capnp_element as, enum capnp_element is)
{
	struct capnp_struct root = list_message(words, is);

	struct capnp_list list = capnp_get_list(root, 0, as);
	bool good = capnp_status(&reader) == OK;
	KTAP_EQUAL(list.count, good ? 3 : 0);
	KTAP_EQUAL(capnp_status(&reader), good ? OK : ERR_ARG);
	return good;
}

static void
test_list_is_read_as_smaller_elements_or_structs_only(void)
{
	/* Rows: what is read; columns: what is there. By the reference. */
	static const char allowed[8][9] = {
		"10111111", "01111100", "00111101", "00011101",
		"00001101", "00000101", "00000011", "10111111",
	};
	uint64_t words[12];

	for (int as = CAPNP_VOID; as <= CAPNP_COMPOSITE; as++) {
		for (int is = CAPNP_VOID; is <= CAPNP_COMPOSITE; is++)
			KTAP_EQUAL(reads(words, (enum capnp_element)as,
			    (enum capnp_element)is),
			    allowed[as][is] == '1');
	}
}

static void
test_first_field_of_a_struct_is_the_old_element(void)
{
	uint64_t words[12];

	struct capnp_struct root = list_message(words, CAPNP_COMPOSITE);
	KTAP_EQUAL(capnp_list_u64(capnp_get_list(root, 0, CAPNP_EIGHT_BYTES),
	    0), 0x1817161514131211ul);
	KTAP_EQUAL(capnp_list_u8(capnp_get_list(root, 0, CAPNP_BYTE), 0),
	    0x11);
	words[5] = LIST(5, CAPNP_BYTE, 1);
	KTAP_EQUAL(capnp_list_data(capnp_get_list(root, 0, CAPNP_POINTER),
	    0).length, 1);
	root = list_message(words, CAPNP_TWO_BYTES);
	struct capnp_list list = capnp_get_list(root, 0, CAPNP_COMPOSITE);
	for (uint32_t i = 0; i < 3; i++) {
		struct capnp_struct s = capnp_list_struct(list, i);
		KTAP_EQUAL(capnp_get_u16(s, 0), 0x1211 + 0x202 * i);
		KTAP_EQUAL(capnp_get_u32(s, 0), 0);
		KTAP_EQUAL(capnp_get_u16(s, 2), 0);
	}
	ends_with(OK);
}

static void
test_element_that_is_not_there_is_an_error(void)
{
	uint64_t words[12];

	struct capnp_struct root = list_message(words, CAPNP_BYTE);
	struct capnp_list list = capnp_get_list(root, 0, CAPNP_BYTE);
	KTAP_EQUAL(capnp_list_u8(list, 2), 0x13);
	ends_with(OK);
	KTAP_EQUAL(capnp_list_u8(list, 3), 0);
	ends_with(ERR_RANGE);
	list = capnp_get_list(list_message(words, CAPNP_BIT), 0, CAPNP_BIT);
	KTAP_CHECK(!capnp_list_bit(list, 3));
	ends_with(ERR_RANGE);
	list = capnp_get_list(list_message(words, CAPNP_BYTE), 0, CAPNP_BYTE);
	KTAP_EQUAL(capnp_list_u32(list, 0), 0);
	ends_with(ERR_ARG);
}

static void
test_canonical_form_has_no_holes_and_no_ends(void)
{
	static const struct {
		uint64_t words[5];
		size_t count;
		bool canonical;
	} cases[] = {
		{ { 0 }, 1, true },
		{ { STRUCT(-1, 0, 0) }, 1, true },
		{ { STRUCT(0, 0, 0), 0 }, 2, false },
		{ { STRUCT(0, 1, 0), 5 }, 2, true },
		{ { STRUCT(0, 1, 0), 5, 0 }, 3, false },
		{ { STRUCT(0, 1, 0), 0 }, 2, false },
		{ { STRUCT(1, 1, 0), 0, 5 }, 3, false },
		{ { STRUCT(0, 0, 1), 0 }, 2, false },
		{ { STRUCT(0, 0, 1), LIST(0, CAPNP_BIT, 3), 7 }, 3, true },
		{ { STRUCT(0, 0, 1), LIST(0, CAPNP_BIT, 3), 8 }, 3, false },
		{ { STRUCT(0, 0, 1), CAPABILITY(1) }, 2, false },
		{ { STRUCT(0, 0, 1), FAR(0, 2), STRUCT(0, 1, 0), 5 }, 4,
		    false },
		{ { STRUCT(0, 0, 1), LIST(0, CAPNP_COMPOSITE, 0),
		    TAG(0, 0, 0) }, 3, true },
		{ { STRUCT(0, 0, 1), LIST(0, CAPNP_COMPOSITE, 1),
		    TAG(1, 1, 0), 5 }, 4, true },
		{ { STRUCT(0, 0, 1), LIST(0, CAPNP_COMPOSITE, 1),
		    TAG(1, 1, 0), 0 }, 4, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		segments[0] = (struct capnp_segment){ cases[i].words,
		    cases[i].count };
		KTAP_EQUAL(capnp_is_canonical(segments, 1),
		    cases[i].canonical);
		KTAP_CHECK(!capnp_is_canonical(segments, 2));
	}
}

struct peer {
	volatile uint64_t *words;
	size_t	 count;
	atomic_bool stop;
};

/* Swaps good pointers for bad ones as fast as it can. */
static void *
scribble(void *context)
{
	static const uint64_t bad[] = { STRUCT(1000, 9, 9), LIST(0,
	    CAPNP_EIGHT_BYTES, 1u << 20), FAR(0, 3), 0, ~0ul,
	    LIST(0, CAPNP_COMPOSITE, 2), TAG(1000, 9, 9) };
	struct peer *peer = context;
	uint32_t i = 0;

	while (!peer->stop) {
		volatile uint64_t *at = &peer->words[i % peer->count];
		uint64_t good = *at;
		*at = bad[i++ % (sizeof(bad) / sizeof(bad[0]))];
		*at = good;
	}
	return NULL;
}

static void
test_reader_stays_inside_while_a_peer_writes(void)
{
	static const uint64_t good[] = { STRUCT(0, 1, 2), 5,
	    LIST(1, CAPNP_COMPOSITE, 2), LIST(3, CAPNP_BYTE, 8), TAG(2, 0, 1),
	    STRUCT(0, 0, 0), STRUCT(-1, 0, 0), 0x41 };
	size_t count = sizeof(good) / sizeof(good[0]), length;
	uint64_t *words = malloc(sizeof(good)), out[64];
	struct peer peer = { words, count, false };
	pthread_t thread;

	KTAP_REQUIRE(words != NULL);
	memcpy(words, good, sizeof(good));
	KTAP_REQUIRE(pthread_create(&thread, NULL, scribble, &peer) == 0);
	for (uint32_t i = 0; i < 100000; i++) {
		struct capnp_struct root = open_one(words, count);
		struct capnp_list list = capnp_get_list(root, 0,
		    CAPNP_COMPOSITE);
		for (uint32_t k = 0; k < list.count && k < 9; k++)
			capnp_get_struct(capnp_list_struct(list, k), 0);
		capnp_get_text(root, 1);
		reader.status = OK;
		capnp_canonicalise(root, out, 64, &length);
	}
	peer.stop = true;
	pthread_join(thread, NULL);
	free(words);
}

int
main(void)
{
	static const struct ktap_test tests[] = {
	    KTAP_TEST(test_object_may_end_with_its_segment_and_not_behind),
	    KTAP_TEST(test_list_may_end_with_its_segment_and_not_behind),
	    KTAP_TEST(test_elements_lie_inside_the_words_of_their_list),
	    KTAP_TEST(test_far_pointer_needs_its_whole_pad),
	    KTAP_TEST(test_far_pointer_to_far_pointer_is_refused),
	    KTAP_TEST(test_pointer_of_another_kind_is_refused),
	    KTAP_TEST(test_text_without_its_nul_is_refused_and_data_is_not),
	    KTAP_TEST(test_list_of_nothing_costs_its_count),
	    KTAP_TEST(test_following_again_costs_again),
	    KTAP_TEST(test_message_may_not_be_nested_deeper_than_the_limit),
	    KTAP_TEST(test_copy_of_what_contains_itself_ends_at_a_limit),
	    KTAP_TEST(test_list_is_read_as_smaller_elements_or_structs_only),
	    KTAP_TEST(test_first_field_of_a_struct_is_the_old_element),
	    KTAP_TEST(test_element_that_is_not_there_is_an_error),
	    KTAP_TEST(test_canonical_form_has_no_holes_and_no_ends),
	    KTAP_TEST(test_reader_stays_inside_while_a_peer_writes),
	};
	return KTAP_RUN(tests);
}
