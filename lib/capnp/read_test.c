/* SPDX-License-Identifier: MIT */
#include <lib/capnp/capnp.h>

#include <stdlib.h>
#include <string.h>

#include <lib/ktap/ktap.h>

/*
 * What `capnp encode` makes of
 *
 *	(a = 7, b = 1000000, c = 0x1122334455667788, on = true,
 *	 text = "hello", data = "\x00\xff", nums = [1, 2, 65535],
 *	 bits = [true, false, true, true, false, false, false, false, true],
 *	 kids = [(a = 1, text = "x"), (b = 2)], names = ["p", "", "qr"],
 *	 one = (c = 9, nums = []), nested = [[1, -1], [], [5]])
 *
 * with a :UInt8, b :UInt32, c :UInt64, on :Bool, and the pointers in order.
 */
static const uint64_t reference[] = {
	0x0000003a00000000ul, 0x0008000200000000ul,
	0x000f424000000107ul, 0x1122334455667788ul,
	0x000000320000001dul, 0x000000120000001dul,
	0x0000001b0000001dul, 0x000000490000001dul,
	0x000000a70000001dul, 0x0000001e00000071ul,
	0x0008000200000084ul, 0x0000001e000000a9ul,
	0x0000006f6c6c6568ul, 0x000000000000ff00ul,
	0x0000ffff00020001ul, 0x000000000000010dul,
	0x0008000200000008ul, 0x0000000000000001ul,
	0x0000000000000000ul, 0x0000001200000045ul,
	0x0000000000000000ul, 0x0000000000000000ul,
	0x0000000000000000ul, 0x0000000000000000ul,
	0x0000000000000000ul, 0x0000000000000000ul,
	0x0000000000000000ul, 0x0000000200000000ul,
	0x0000000000000000ul, 0x0000000000000000ul,
	0x0000000000000000ul, 0x0000000000000000ul,
	0x0000000000000000ul, 0x0000000000000000ul,
	0x0000000000000000ul, 0x0000000000000000ul,
	0x0000000000000000ul, 0x0000000000000078ul,
	0x0000001200000009ul, 0x0000000a00000009ul,
	0x0000001a00000009ul, 0x0000000000000070ul,
	0x0000000000000000ul, 0x0000000000007271ul,
	0x0000000000000000ul, 0x0000000000000009ul,
	0x0000000000000000ul, 0x0000000000000000ul,
	0x0000000300000015ul, 0x0000000000000000ul,
	0x0000000000000000ul, 0x0000000000000000ul,
	0x0000000000000000ul, 0x0000000000000000ul,
	0x0000001200000009ul, 0x0000000200000009ul,
	0x0000000a00000005ul, 0x000000000000ff01ul,
	0x0000000000000005ul,
};
#define REFERENCE_WORDS	(sizeof(reference) / sizeof(reference[0]))

enum { TEXT, DATA, NUMS, BITS, KIDS, NAMES, ONE, NESTED };

static struct capnp_segment segments[5];
static struct capnp_reader reader;

/* Memory that ends where the message does, so that a check sees overruns. */
static uint64_t *
copy(const uint64_t *words, size_t count)
{
	uint64_t *to = malloc(count * sizeof(*to));

	if (to == NULL)
		abort();
	memcpy(to, words, count * sizeof(*to));
	return to;
}

static struct capnp_struct
open_reference(void)
{
	uint32_t count;
	size_t words;

	if (!KTAP_EQUAL(capnp_unframe(reference, REFERENCE_WORDS, segments, 4,
	    &count, &words), OK))
		abort();
	KTAP_EQUAL(count, 1);
	KTAP_EQUAL(words, REFERENCE_WORDS);
	capnp_reader_init(&reader, segments, count, 0, 0);
	return capnp_root(&reader);
}

/* The root of a message of one segment. */
static struct capnp_struct
open_words(const uint64_t *words, size_t count)
{
	segments[0] = (struct capnp_segment){ words, count };
	capnp_reader_init(&reader, segments, 1, 0, 0);
	return capnp_root(&reader);
}

static bool
blob_is(struct capnp_blob blob, const char *bytes, size_t length)
{
	return blob.length == length &&
	    memcmp(blob.bytes, bytes, length) == 0;
}

static void
test_numbers_read_as_the_reference_wrote_them(void)
{
	struct capnp_struct root = open_reference();

	KTAP_EQUAL(capnp_get_u8(root, 0), 7);
	KTAP_EQUAL(capnp_get_u32(root, 4), 1000000);
	KTAP_EQUAL(capnp_get_u64(root, 8), 0x1122334455667788ul);
	KTAP_EQUAL(capnp_get_u16(root, 8), 0x7788);
	KTAP_CHECK(capnp_get_bit(root, 8));
	KTAP_CHECK(!capnp_get_bit(root, 9));
	KTAP_EQUAL(capnp_get_u64(root, 16), 0);
	KTAP_EQUAL(capnp_get_u8(root, UINT32_MAX), 0);
	KTAP_EQUAL(capnp_status(&reader), OK);
}

static void
test_pointers_read_as_the_reference_wrote_them(void)
{
	static const int8_t nested[] = { 1, -1, 0, 0, 5 };
	struct capnp_struct root = open_reference();

	KTAP_CHECK(blob_is(capnp_get_text(root, TEXT), "hello", 5));
	KTAP_CHECK(blob_is(capnp_get_data(root, DATA), "\0\xff", 2));
	struct capnp_list list = capnp_get_list(root, NUMS, CAPNP_TWO_BYTES);
	KTAP_EQUAL(list.count, 3);
	KTAP_EQUAL(capnp_list_u16(list, 2), 65535);
	list = capnp_get_list(root, BITS, CAPNP_BIT);
	KTAP_EQUAL(list.count, 9);
	for (uint32_t i = 0; i < 9; i++)
		KTAP_EQUAL(capnp_list_bit(list, i), 0x10d >> i & 1);
	list = capnp_get_list(root, KIDS, CAPNP_COMPOSITE);
	KTAP_EQUAL(list.count, 2);
	KTAP_CHECK(blob_is(capnp_get_text(capnp_list_struct(list, 0), TEXT),
	    "x", 1));
	KTAP_EQUAL(capnp_get_u32(capnp_list_struct(list, 1), 4), 2);
	list = capnp_get_list(root, NAMES, CAPNP_POINTER);
	KTAP_EQUAL(list.count, 3);
	KTAP_CHECK(blob_is(capnp_list_text(list, 1), "", 0));
	KTAP_CHECK(blob_is(capnp_list_text(list, 2), "qr", 2));
	KTAP_EQUAL(capnp_get_u64(capnp_get_struct(root, ONE), 8), 9);
	list = capnp_get_list(root, NESTED, CAPNP_POINTER);
	KTAP_EQUAL(list.count, 3);
	for (uint32_t i = 0; i < 3; i += 2) {
		struct capnp_list inner = capnp_list_list(list, i, CAPNP_BYTE);
		KTAP_EQUAL(inner.count, 2 - i / 2);
		KTAP_EQUAL((int8_t)capnp_list_u8(inner, 0), nested[2 * i]);
	}
	KTAP_EQUAL(capnp_status(&reader), OK);
}

static void
test_what_is_missing_reads_as_default(void)
{
	static const uint64_t empty[] = { 0 };
	struct capnp_struct root = open_words(empty, 1);

	KTAP_EQUAL(capnp_get_u64(root, 0), 0);
	KTAP_CHECK(!capnp_has(root, 0));
	KTAP_EQUAL(capnp_get_struct(root, 3).data_bytes, 0);
	KTAP_EQUAL(capnp_get_list(root, 0, CAPNP_POINTER).count, 0);
	KTAP_CHECK(blob_is(capnp_get_text(root, 0), "", 0));
	KTAP_EQUAL(capnp_get_u8((struct capnp_struct){ 0 }, 0), 0);
	KTAP_CHECK(blob_is(capnp_get_data((struct capnp_struct){ 0 }, 0), "",
	    0));
	KTAP_EQUAL(capnp_status(&reader), OK);
}

static void
test_first_error_sticks_and_ends_following(void)
{
	struct capnp_struct root = open_reference();

	KTAP_EQUAL(capnp_get_list(root, TEXT, CAPNP_TWO_BYTES).count, 0);
	KTAP_EQUAL(capnp_status(&reader), ERR_ARG);
	capnp_list_u8((struct capnp_list){ .reader = &reader }, 0);
	KTAP_EQUAL(capnp_status(&reader), ERR_ARG);
	KTAP_CHECK(blob_is(capnp_get_text(root, TEXT), "", 0));
	KTAP_EQUAL(capnp_get_u8(root, 0), 7);
}

static void
test_every_cut_of_a_frame_asks_for_more(void)
{
	size_t need = 0, words;
	uint32_t count;

	while (need < REFERENCE_WORDS) {
		uint64_t *part = copy(reference, need);
		KTAP_EQUAL(capnp_unframe(part, need, segments, 4, &count,
		    &words), ERR_EMPTY);
		free(part);
		KTAP_REQUIRE(words > need);
		need = words;
	}
	KTAP_EQUAL(need, REFERENCE_WORDS);
}

static void
test_frame_of_too_many_segments_is_over_the_limit(void)
{
	static const uint64_t none[] = { 0x00000000fffffffful };
	static const uint64_t five[] = { 0x4, 0, 0 };
	size_t words;
	uint32_t count;

	KTAP_EQUAL(capnp_unframe(none, 1, segments, 4, &count, &words),
	    ERR_LIMIT);
	KTAP_EQUAL(capnp_unframe(five, 3, segments, 4, &count, &words),
	    ERR_LIMIT);
	KTAP_EQUAL(capnp_unframe(five, 3, segments, 5, &count, &words), OK);
	KTAP_EQUAL(count, 5);
}

int
main(void)
{
	static const struct ktap_test tests[] = {
		KTAP_TEST(test_numbers_read_as_the_reference_wrote_them),
		KTAP_TEST(test_pointers_read_as_the_reference_wrote_them),
		KTAP_TEST(test_what_is_missing_reads_as_default),
		KTAP_TEST(test_first_error_sticks_and_ends_following),
		KTAP_TEST(test_every_cut_of_a_frame_asks_for_more),
		KTAP_TEST(test_frame_of_too_many_segments_is_over_the_limit),
	};
	return KTAP_RUN(tests);
}
