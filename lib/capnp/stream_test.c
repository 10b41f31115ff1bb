/* SPDX-License-Identifier: MIT */
#include <lib/capnp/stream.h>

#include <stdlib.h>
#include <string.h>

#include <lib/ktap/ktap.h>

#define WORDS	2048u
#define PACKED	(WORDS * 10)

static uint64_t words[WORDS], back[WORDS];
static uint8_t packed[PACKED], again[PACKED];

static size_t
pack(const uint64_t *from, size_t count)
{
	struct capnp_packer packer;

	capnp_pack_init(&packer, from, count);
	return capnp_pack(&packer, packed, PACKED);
}

/* Unpacks in pieces of input and output; false if it does not end cleanly. */
static bool
unpack(const uint8_t *from, size_t length, size_t piece, size_t *out_words)
{
	struct capnp_unpacker unpacker;
	struct capnp_unpacked got;
	size_t at = 0, count = 0;

	capnp_unpack_init(&unpacker);
	do {
		size_t in = length - at < piece ? length - at : piece;
		size_t room = WORDS - count < piece ? WORDS - count : piece;
		got = capnp_unpack(&unpacker, from + at, in, back + count,
		    room);
		at += got.taken;
		count += got.words;
	} while (got.taken > 0 || got.words > 0);
	*out_words = count;
	return at == length && capnp_unpack_between(&unpacker);
}

static void
fill(uint32_t kind, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		words[i] = 0;
		for (uint32_t byte = 0; byte < 8; byte++) {
			uint64_t value = (uint64_t)rand() % 255 + 1;
			if ((uint32_t)rand() % 8 < kind)
				words[i] |= value << 8 * byte;
		}
	}
}

static void
test_known_packings(void)
{
	static const struct {
		uint64_t words[4];
		size_t count;
		const char *packed;
		size_t length;
	} known[] = {
		{ { 0 }, 1, "\0\0", 2 },
		{ { 0, 0, 0, 0 }, 4, "\0\3", 2 },
		{ { 0x0000000c00000001ul }, 1, "\x11\x01\x0c", 3 },
		{ { 0x0807060504030201ul }, 1, "\xff\1\2\3\4\5\6\7\10\0", 10 },
		{ { 0x0807060504030201ul, 0x0007060504030201ul }, 2,
		    "\xff\1\2\3\4\5\6\7\10\1\1\2\3\4\5\6\7\0", 18 },
		{ { 0x0807060504030201ul, 0x0000060504030201ul }, 2,
		    "\xff\1\2\3\4\5\6\7\10\0\x3f\1\2\3\4\5\6", 17 },
		{ { 8, 0, 9 }, 3, "\1\10\0\0\1\11", 6 },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		size_t length = pack(known[i].words, known[i].count);
		KTAP_EQUAL(length, known[i].length);
		KTAP_CHECK(memcmp(packed, known[i].packed, length) == 0);
	}
}

static void
test_runs_are_cut_at_255_words(void)
{
	size_t count;

	for (size_t length = 254; length < 1030; length++) {
		memset(words, 0, sizeof(words));
		KTAP_EQUAL(pack(words, length), (length + 255) / 256 * 2);
		KTAP_REQUIRE(unpack(packed, (length + 255) / 256 * 2, 1000,
		    &count) && count == length);
		memset(words, 1, sizeof(words));
		size_t size = pack(words, length);
		KTAP_EQUAL(size, length * 8 + (length + 255) / 256 * 2);
		KTAP_REQUIRE(unpack(packed, size, 1000, &count));
		KTAP_REQUIRE(count == length &&
		    memcmp(words, back, length * 8) == 0);
	}
}

static void
test_words_come_back_for_every_size_of_pieces(void)
{
	size_t count;

	srand(1);
	for (uint32_t round = 0; round < 400; round++) {
		size_t length = (size_t)rand() % (WORDS / 4);
		size_t piece = 1 + (size_t)rand() % 40;
		fill(round % 10, length);
		size_t size = pack(words, length);
		KTAP_REQUIRE(unpack(packed, size, piece, &count));
		KTAP_REQUIRE(count == length &&
		    memcmp(words, back, length * 8) == 0);
		/* At worst two bytes more for 256 words, or one for each. */
		KTAP_CHECK(size <= length * 10);
	}
}

static void
test_output_in_pieces_is_the_output(void)
{
	struct capnp_packer packer;

	srand(2);
	for (uint32_t round = 0; round < 400; round++) {
		size_t length = (size_t)rand() % (WORDS / 4), at = 0, got;
		size_t piece = 1 + (size_t)rand() % 30;
		fill(round % 10, length);
		size_t size = pack(words, length);
		capnp_pack_init(&packer, words, length);
		while ((got = capnp_pack(&packer, again + at, piece)) > 0)
			at += got;
		KTAP_REQUIRE(at == size && memcmp(packed, again, at) == 0);
	}
}

static void
test_cut_input_is_not_between(void)
{
	size_t count;

	fill(8, 20);
	size_t size = pack(words, 20);
	for (size_t cut = 1; cut < size; cut++)
		KTAP_CHECK(!unpack(packed, cut, 1000, &count));
	KTAP_CHECK(unpack(packed, size, 1000, &count));
	KTAP_CHECK(unpack(packed, 0, 1000, &count));
}

static void
test_unpacking_never_writes_more_than_its_room(void)
{
	static const uint8_t zeros[] = { 0, 255, 0, 255 };
	uint64_t *exact = malloc(3 * sizeof(*exact));
	struct capnp_unpacker unpacker;

	KTAP_REQUIRE(exact != NULL);
	capnp_unpack_init(&unpacker);
	struct capnp_unpacked got = capnp_unpack(&unpacker, zeros, 4, exact,
	    3);
	KTAP_EQUAL(got.words, 3);
	KTAP_EQUAL(got.taken, 2);
	KTAP_CHECK(!capnp_unpack_between(&unpacker));
	free(exact);
}

/* Three messages: one, two and three segments. */
static size_t
three_messages(void)
{
	struct capnp_segment segments[3];
	size_t at = 0, length;

	for (uint32_t i = 0; i < WORDS; i++)
		back[i] = i * 0x0101010101010101ul;
	for (uint32_t n = 1; n <= 3; n++) {
		for (uint32_t i = 0; i < n; i++)
			segments[i] = (struct capnp_segment){ back + i, i + n };
		KTAP_EQUAL(capnp_frame(segments, n, words + at, WORDS - at,
		    &length), OK);
		at += length;
	}
	return at;
}

static void
test_frame_reads_back_its_segments(void)
{
	struct capnp_segment got[3];
	size_t total = three_messages(), at = 0, length;
	uint32_t count;

	for (uint32_t n = 1; n <= 3; n++) {
		KTAP_REQUIRE(capnp_unframe(words + at, total - at, got, 3,
		    &count, &length) == OK);
		KTAP_EQUAL(count, n);
		for (uint32_t i = 0; i < n; i++) {
			KTAP_EQUAL(got[i].count, i + n);
			KTAP_CHECK(memcmp(got[i].words, back + i,
			    (i + n) * sizeof(uint64_t)) == 0);
		}
		at += length;
	}
	KTAP_EQUAL(at, total);
}

static void
test_frame_that_does_not_fit_is_full(void)
{
	struct capnp_segment segments[2] = { { back, 5 }, { back, 6 } };
	size_t length;

	for (size_t room = 0; room < 13; room++)
		KTAP_EQUAL(capnp_frame(segments, 2, words, room, &length),
		    ERR_FULL);
	KTAP_EQUAL(capnp_frame(segments, 2, words, 13, &length), OK);
	KTAP_EQUAL(length, 13);
	KTAP_EQUAL(capnp_frame(segments, 0, words, 13, &length), ERR_RANGE);
	segments[1].count = 1ul << 32;
	KTAP_EQUAL(capnp_frame_table(segments, 2, words, 13), ERR_RANGE);
}

static void
test_stream_in_any_pieces_gives_the_messages(void)
{
	static uint64_t buffer[32];
	struct capnp_stream stream;
	size_t taken;

	size_t total = three_messages() * sizeof(uint64_t);
	for (size_t piece = 1; piece < total; piece++) {
		size_t at = 0;
		uint32_t messages = 0;
		capnp_stream_init(&stream, buffer, 32);
		while (at < total) {
			size_t length = total - at < piece ? total - at :
			    piece;
			status_t status = capnp_stream_feed(&stream,
			    (const uint8_t *)words + at, length, &taken);
			at += taken;
			KTAP_CHECK(status == OK || taken == length);
			if (status != OK)
				continue;
			KTAP_CHECK(memcmp(buffer, (const uint8_t *)words + at -
			    stream.have, stream.have) == 0);
			messages++;
		}
		KTAP_EQUAL(messages, 3);
		KTAP_CHECK(capnp_stream_between(&stream));
	}
}

static void
test_stream_over_its_limits_is_refused(void)
{
	static const uint64_t many[1] = { 512 }, large[1] = { 31ul << 32 };
	static uint64_t buffer[31];
	struct capnp_stream stream;
	size_t taken;

	capnp_stream_init(&stream, buffer, 31);
	KTAP_EQUAL(capnp_stream_feed(&stream, many, 8, &taken), ERR_LIMIT);
	capnp_stream_init(&stream, buffer, 31);
	KTAP_EQUAL(capnp_stream_feed(&stream, large, 8, &taken), ERR_LIMIT);
	capnp_stream_init(&stream, buffer, 0);
	KTAP_EQUAL(capnp_stream_feed(&stream, large, 8, &taken), ERR_LIMIT);
	KTAP_EQUAL(taken, 0);
}

int
main(void)
{
	static const struct ktap_test tests[] = {
		KTAP_TEST(test_known_packings),
		KTAP_TEST(test_runs_are_cut_at_255_words),
		KTAP_TEST(test_words_come_back_for_every_size_of_pieces),
		KTAP_TEST(test_output_in_pieces_is_the_output),
		KTAP_TEST(test_cut_input_is_not_between),
		KTAP_TEST(test_unpacking_never_writes_more_than_its_room),
		KTAP_TEST(test_frame_reads_back_its_segments),
		KTAP_TEST(test_frame_that_does_not_fit_is_full),
		KTAP_TEST(test_stream_in_any_pieces_gives_the_messages),
		KTAP_TEST(test_stream_over_its_limits_is_refused),
	};
	return KTAP_RUN(tests);
}
