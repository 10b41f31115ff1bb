/* SPDX-License-Identifier: MIT */
#include <lib/cobs/cobs.h>

#include <stdlib.h>
#include <string.h>

#include <lib/cobs/frame.h>
#include <lib/ktap/ktap.h>

#define LONGEST	1200u

/* Feeds all bytes and the zero that ends the frame. */
static ptrdiff_t
decode_all(struct cobs_decoder *decoder, const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (cobs_decode(decoder, bytes[i]) != COBS_MORE)
			return COBS_BAD;
	}
	return cobs_decode(decoder, 0);
}

static bool
round_trip(const uint8_t *data, size_t length)
{
	uint8_t wire[COBS_MAX(LONGEST)], back[LONGEST];
	struct cobs_decoder decoder;

	size_t encoded = cobs_encode(data, length, wire);
	if (encoded > COBS_MAX(length) || memchr(wire, 0, encoded) != NULL)
		return false;
	cobs_decoder_start(&decoder, back, sizeof(back));
	return decode_all(&decoder, wire, encoded) == (ptrdiff_t)length &&
	    memcmp(data, back, length) == 0;
}

static void
test_known_encodings(void)
{
	static const struct {
		const char *plain;
		size_t plain_length;
		const char *wire;
		size_t wire_length;
	} known[] = {
		{ "", 0, "\x01", 1 },
		{ "\0", 1, "\x01\x01", 2 },
		{ "\0\0", 2, "\x01\x01\x01", 3 },
		{ "a", 1, "\x02" "a", 2 },
		{ "a\0b", 3, "\x02" "a\x02" "b", 4 },
		{ "a\0", 2, "\x02" "a\x01", 3 },
	};
	uint8_t wire[16];

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		size_t length = cobs_encode(known[i].plain,
		    known[i].plain_length, wire);
		KTAP_EQUAL(length, known[i].wire_length);
		KTAP_CHECK(memcmp(wire, known[i].wire, length) == 0);
	}
}

static void
test_round_trip_at_every_length_around_a_full_run(void)
{
	uint8_t data[LONGEST];

	for (size_t length = 0; length <= LONGEST; length++) {
		memset(data, 'x', sizeof(data));
		KTAP_REQUIRE(round_trip(data, length));
		if (length > 0)
			data[length - 1] = 0;
		KTAP_REQUIRE(round_trip(data, length));
		memset(data, 0, sizeof(data));
		KTAP_REQUIRE(round_trip(data, length));
	}
}

static void
test_round_trip_of_random_data(void)
{
	uint8_t data[LONGEST];

	srand(1);
	for (unsigned round = 0; round < 2000; round++) {
		size_t length = (size_t)rand() % LONGEST;
		unsigned zeros = 1 + (unsigned)rand() % 300;
		for (size_t i = 0; i < length; i++)
			data[i] = (uint8_t)((unsigned)rand() % zeros);
		KTAP_REQUIRE(round_trip(data, length));
	}
}

static void
test_cut_frame_is_bad_and_the_next_is_good(void)
{
	uint8_t wire[64], back[64];
	struct cobs_decoder decoder;

	size_t length = cobs_encode("hello", 5, wire);
	cobs_decoder_start(&decoder, back, sizeof(back));
	KTAP_EQUAL(decode_all(&decoder, wire, length - 1), COBS_BAD);
	KTAP_EQUAL(decode_all(&decoder, wire, length), 5);
}

static void
test_frame_longer_than_buffer_is_bad(void)
{
	uint8_t wire[64], back[4];
	struct cobs_decoder decoder;

	cobs_decoder_start(&decoder, back, sizeof(back));
	size_t length = cobs_encode("hello", 5, wire);
	KTAP_EQUAL(decode_all(&decoder, wire, length), COBS_BAD);
	length = cobs_encode("hell", 4, wire);
	KTAP_EQUAL(decode_all(&decoder, wire, length), 4);
}

static void
test_crc_of_check_string(void)
{
	KTAP_EQUAL(crc32(0, "123456789", 9), 0xcbf43926u);
	KTAP_EQUAL(crc32(crc32(0, "1234", 4), "56789", 5), 0xcbf43926u);
	KTAP_EQUAL(crc32(0, "", 0), 0);
}

static void
test_frame_comes_back_whole(void)
{
	uint8_t data[FRAME_DATA_MAX], wire[FRAME_WIRE_MAX], back[FRAME_MAX];
	struct cobs_decoder decoder;
	struct frame frame;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)i;
	cobs_decoder_start(&decoder, back, sizeof(back));
	for (size_t length = 0; length <= FRAME_DATA_MAX; length += 128) {
		size_t end = frame_encode(FRAME_OUT, 0x80000001u, data,
		    length, wire);
		KTAP_REQUIRE(end <= sizeof(wire) && wire[end - 1] == 0);
		ptrdiff_t got = decode_all(&decoder, wire, end - 1);
		KTAP_REQUIRE(got == (ptrdiff_t)(length + FRAME_OVERHEAD));
		KTAP_REQUIRE(frame_parse(back, (size_t)got, &frame));
		KTAP_EQUAL(frame.type, FRAME_OUT);
		KTAP_EQUAL(frame.sequence, 0x80000001u);
		KTAP_EQUAL(frame.length, length);
		KTAP_CHECK(memcmp(frame.data, data, length) == 0);
	}
}

static void
test_damaged_frame_is_refused(void)
{
	uint8_t wire[FRAME_WIRE_MAX], back[FRAME_MAX];
	struct cobs_decoder decoder;
	struct frame frame;

	cobs_decoder_start(&decoder, back, sizeof(back));
	size_t end = frame_encode(FRAME_ERR, 7, "text", 4, wire);
	ptrdiff_t got = decode_all(&decoder, wire, end - 1);
	KTAP_REQUIRE(got == 13);
	for (unsigned bit = 0; bit < 13 * 8; bit++) {
		back[bit / 8] ^= (uint8_t)(1u << bit % 8);
		KTAP_CHECK(!frame_parse(back, 13, &frame));
		back[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	KTAP_CHECK(frame_parse(back, 13, &frame));
	for (size_t length = 0; length < 13; length++)
		KTAP_CHECK(!frame_parse(back, length, &frame));
}

int
main(void)
{
	static const struct ktap_test tests[] = {
		KTAP_TEST(test_known_encodings),
		KTAP_TEST(test_round_trip_at_every_length_around_a_full_run),
		KTAP_TEST(test_round_trip_of_random_data),
		KTAP_TEST(test_cut_frame_is_bad_and_the_next_is_good),
		KTAP_TEST(test_frame_longer_than_buffer_is_bad),
		KTAP_TEST(test_crc_of_check_string),
		KTAP_TEST(test_frame_comes_back_whole),
		KTAP_TEST(test_damaged_frame_is_refused),
	};
	return KTAP_RUN(tests);
}
