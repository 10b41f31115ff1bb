/* SPDX-License-Identifier: MIT */
/*
 * One side of an exchange of messages with the reference implementation; the
 * other is peer.cpp. Both know the same modes:
 *
 *	make SEED COUNT		random messages
 *	verify SEED COUNT	are these those of `make`?
 *	rewrite			each field is read and written again
 *	canonical		in canonical form
 *	judge			a word for each: is it in canonical form?
 *	spoil SEED COUNT	messages with a few words that are wrong
 *	survive			the canonical form, or a 0 if there is an error
 *	pack, unpack		with the same segments
 *
 * Messages are framed (packed: framed, then packed) on standard input and
 * output. Without arguments it is a test that needs no other side.
 */
#include <lib/capnp/stream.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lib/ktap/ktap.h>
#include <tests/capnp/everything.h>

#define WORDS		(1u << 18)	/* longest message */
#define PACKED		(WORDS * 10)
#define LARGEST		(CAPNP_TRAVERSAL_WORDS + 1)
#define ALONE		500u		/* messages without another side */

static uint64_t message[WORDS], other[WORDS], canonical[LARGEST + 1];
static uint8_t packed[PACKED];
static struct capnp_segment read_segments[CAPNP_SEGMENTS_MAX];
static struct capnp_reader reader;

/* A builder whose segments are pieces of one buffer. */
struct maker {
	struct capnp_builder builder;
	struct capnp_segment segment[CAPNP_SEGMENTS_MAX];
	size_t	 size[CAPNP_SEGMENTS_MAX];
	uint64_t words[WORDS];
	size_t	 used;
	size_t	 next;		/* words of the next segment, at least */
};

static struct maker makers[2];

static uint64_t *
allocate(void *context, size_t least, size_t *out_words)
{
	struct maker *maker = context;
	size_t words = least > maker->next ? least : maker->next;

	if (words > WORDS - maker->used)
		return NULL;
	uint64_t *at = maker->words + maker->used;
	memset(at, 0x5a, words * sizeof(*at));
	maker->used += words;
	*out_words = words;
	/* Later ones are larger: the number of segments has a limit. */
	maker->next += maker->next / 4;
	return at;
}

static struct capnp_pointer
start(struct maker *maker, uint64_t chance)
{
	static const size_t words[] = { 1, 4, 16, 64, 1024, WORDS / 2 };

	maker->used = 0;
	maker->next = words[chance % 6];
	capnp_builder_init_pool(&maker->builder, &(struct capnp_pool){
		.segment = maker->segment,
		.size = maker->size,
		.room = CAPNP_SEGMENTS_MAX,
		.allocate = allocate,
		.context = maker,
	});
	return capnp_builder_root(&maker->builder);
}

static void
need(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "exchange: %s\n", what);
	exit(1);
}

/* Frames what a maker has into `to`. Returns the words. */
static size_t
finish(const struct maker *maker, uint64_t *to)
{
	uint32_t count;
	size_t words;
	const struct capnp_segment *segments = capnp_builder_segments(
	    &maker->builder, &count);

	need(capnp_builder_status(&maker->builder) == OK, "cannot build");
	need(capnp_frame(segments, count, to, WORDS, &words) == OK,
	    "cannot frame");
	return words;
}

static struct capnp_struct
open_words(const uint64_t *words, size_t count)
{
	uint32_t segments;
	size_t length;

	need(capnp_unframe(words, count, read_segments, CAPNP_SEGMENTS_MAX,
	    &segments, &length) == OK && length == count, "cannot unframe");
	capnp_reader_init(&reader, read_segments, segments, 0, 0);
	return capnp_root(&reader);
}

static size_t
make(uint64_t seed, uint64_t *to)
{
	struct everything_random random;

	everything_seed(&random, seed);
	everything_build(&random, start(&makers[0],
	    everything_next(&random)));
	return finish(&makers[0], to);
}

/* The canonical form as a message of its own. 0 if there is none. */
static size_t
make_canonical(struct capnp_struct root)
{
	struct capnp_segment only = { canonical + 1, 0 };

	if (capnp_canonicalise(root, canonical + 1, LARGEST, &only.count)
	    != OK)
		return 0;
	need(capnp_is_canonical(&only, 1), "canonical form is not canonical");
	need(capnp_frame_table(&only, 1, canonical, 1) == OK, "cannot frame");
	return only.count + 1;
}

static size_t
rewrite(const uint64_t *words, size_t count, uint64_t *to)
{
	everything_rewrite(open_words(words, count), start(&makers[1],
	    words[count - 1]));
	need(capnp_status(&reader) == OK, "cannot read");
	return finish(&makers[1], to);
}

static size_t
pack(const uint64_t *words, size_t count)
{
	struct capnp_packer packer;
	size_t bytes = 0;

	uint32_t segments;
	size_t length;
	need(capnp_unframe(words, count, read_segments, CAPNP_SEGMENTS_MAX,
	    &segments, &length) == OK, "cannot unframe");
	size_t table = CAPNP_TABLE_WORDS(segments);
	for (uint32_t i = 0; i <= segments; i++) {
		if (i == 0)
			capnp_pack_init(&packer, words, table);
		else
			capnp_pack_init(&packer, read_segments[i - 1].words,
			    read_segments[i - 1].count);
		bytes += capnp_pack(&packer, packed + bytes, PACKED - bytes);
	}
	return bytes;
}

static void
put(const void *words, size_t bytes)
{
	need(fwrite(words, 1, bytes, stdout) == bytes, "cannot write");
}

/* Reads the next message; 0 at the end of the input. */
static size_t
next_message(void)
{
	static struct capnp_stream stream;
	static uint8_t input[1 << 16];
	static size_t at, have;
	status_t status = ERR_EMPTY;
	size_t taken;

	if (stream.words == NULL)
		capnp_stream_init(&stream, message, WORDS);
	while (status == ERR_EMPTY) {
		if (at == have) {
			at = 0;
			have = fread(input, 1, sizeof(input), stdin);
			if (have == 0)
				break;
		}
		status = capnp_stream_feed(&stream, input + at, have - at,
		    &taken);
		at += taken;
	}
	if (status == ERR_EMPTY) {
		need(capnp_stream_between(&stream), "input is cut");
		return 0;
	}
	need(status == OK, "bad input");
	return stream.have / sizeof(uint64_t);
}

static void
do_make(uint64_t seed, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		put(message, make(seed + i, message) * sizeof(uint64_t));
}

static void
do_verify(uint64_t seed, uint64_t count)
{
	struct capnp_reader copy;
	size_t words;

	for (uint64_t i = 0; i < count; i++) {
		need((words = next_message()) > 0, "messages are missing");
		struct capnp_struct root = open_words(message, words);
		make(seed + i, other);
		uint32_t segments;
		const struct capnp_segment *segment = capnp_builder_segments(
		    &makers[0].builder, &segments);
		capnp_reader_init(&copy, segment, segments, 0, 0);
		need(everything_same(capnp_root(&copy), root), "differs");
		need(capnp_status(&reader) == OK &&
		    capnp_status(&copy) == OK, "cannot read");
	}
	need(next_message() == 0, "more messages than expected");
}

static void
do_rewrite(void)
{
	size_t words;

	while ((words = next_message()) > 0)
		put(other, rewrite(message, words, other) * sizeof(uint64_t));
}

static void
do_canonical(void)
{
	size_t words;

	while ((words = next_message()) > 0) {
		struct capnp_struct root = open_words(message, words);
		words = make_canonical(root);
		need(words > 0, "cannot canonicalise");
		put(canonical, words * sizeof(uint64_t));
	}
}

/* Changes that are likely to make another pointer of one. */
static void
spoil(struct everything_random *random, uint64_t *word)
{
	uint64_t chance = everything_next(random);

	switch (chance % 8) {
	case 0:
		*word = everything_next(random);
		break;
	case 1:
		*word = chance >> 32;
		break;
	case 2:
		*word += (chance >> 32) % 5 * 4 - 8;
		break;
	case 3:
		*word = (*word & 0xffffffff) | (chance >> 56) << 32;
		break;
	case 4:
		*word ^= 1ul << (chance >> 32) % 3;
		break;
	default:
		*word ^= 1ul << (chance >> 32) % 64;
		break;
	}
}

static void
do_spoil(uint64_t seed, uint64_t count)
{
	struct everything_random random;

	for (uint64_t i = 0; i < count; i++) {
		size_t words = make(seed + i, message);
		size_t table = CAPNP_TABLE_WORDS(message[0] % (1ul << 32) + 1);
		everything_seed(&random, ~(seed + i));
		for (uint64_t n = everything_next(&random) % 4 + 1; n > 0; n--)
			spoil(&random, &message[table +
			    everything_next(&random) % (words - table)]);
		put(message, words * sizeof(uint64_t));
	}
}

static void
do_survive(void)
{
	const uint64_t none = 0;
	size_t words;

	while ((words = next_message()) > 0) {
		size_t got = make_canonical(open_words(message, words));
		put(got > 0 ? canonical : &none,
		    (got > 0 ? got : 1) * sizeof(uint64_t));
	}
}

static void
do_judge(void)
{
	size_t words;

	while ((words = next_message()) > 0) {
		open_words(message, words);
		uint64_t is = capnp_is_canonical(read_segments,
		    reader.segment_count);
		put(&is, sizeof(is));
	}
}

static void
do_pack(void)
{
	size_t words;

	while ((words = next_message()) > 0)
		put(packed, pack(message, words));
}

static void
do_unpack(void)
{
	static uint8_t input[1 << 12];
	struct capnp_unpacker unpacker;
	size_t have, at;

	capnp_unpack_init(&unpacker);
	while ((have = fread(input, 1, sizeof(input), stdin)) > 0) {
		struct capnp_unpacked got;
		at = 0;
		do {
			got = capnp_unpack(&unpacker, input + at, have - at,
			    other, 100);
			at += got.taken;
			put(other, got.words * sizeof(uint64_t));
		} while (at < have || got.words == 100);
	}
	need(capnp_unpack_between(&unpacker), "packed input is cut");
}

static void
test_what_was_framed_reads_back_the_same(void)
{
	struct capnp_reader first;

	for (uint64_t seed = 0; seed < ALONE; seed++) {
		size_t words = make(seed, message);
		uint32_t segments;
		const struct capnp_segment *segment = capnp_builder_segments(
		    &makers[0].builder, &segments);
		capnp_reader_init(&first, segment, segments, 0, 0);
		KTAP_REQUIRE(everything_same(capnp_root(&first),
		    open_words(message, words)));
		KTAP_EQUAL(capnp_status(&reader), OK);
		KTAP_EQUAL(capnp_status(&first), OK);
	}
}

static void
test_rewritten_message_has_the_same_canonical_form(void)
{
	for (uint64_t seed = 0; seed < ALONE; seed++) {
		size_t words = make(seed, message);
		size_t again = rewrite(message, words, other);
		size_t length = make_canonical(open_words(message, words));
		memcpy(message, canonical, length * sizeof(uint64_t));
		KTAP_REQUIRE(make_canonical(open_words(other, again)) ==
		    length);
		KTAP_REQUIRE(memcmp(message, canonical, length *
		    sizeof(uint64_t)) == 0);
	}
}

static void
test_canonical_form_is_its_own_canonical_form(void)
{
	for (uint64_t seed = 0; seed < ALONE; seed++) {
		size_t words = make(seed, message);
		size_t length = make_canonical(open_words(message, words));
		memcpy(message, canonical, length * sizeof(uint64_t));
		KTAP_REQUIRE(make_canonical(open_words(message, length)) ==
		    length);
		KTAP_REQUIRE(memcmp(message, canonical, length *
		    sizeof(uint64_t)) == 0);
	}
}

static void
test_packed_message_unpacks_to_itself(void)
{
	struct capnp_unpacker unpacker;

	for (uint64_t seed = 0; seed < ALONE; seed++) {
		size_t words = make(seed, message);
		size_t bytes = pack(message, words);
		capnp_unpack_init(&unpacker);
		struct capnp_unpacked got = capnp_unpack(&unpacker, packed,
		    bytes, other, WORDS);
		KTAP_EQUAL(got.taken, bytes);
		KTAP_EQUAL(got.words, words);
		KTAP_CHECK(capnp_unpack_between(&unpacker));
		KTAP_REQUIRE(memcmp(message, other, words * 8) == 0);
	}
}

static int
run(int argc, char **argv)
{
	uint64_t seed = argc > 2 ? strtoul(argv[2], NULL, 0) : 0;
	uint64_t count = argc > 3 ? strtoul(argv[3], NULL, 0) : 0;

	if (strcmp(argv[1], "make") == 0)
		do_make(seed, count);
	else if (strcmp(argv[1], "spoil") == 0)
		do_spoil(seed, count);
	else if (strcmp(argv[1], "survive") == 0)
		do_survive();
	else if (strcmp(argv[1], "verify") == 0)
		do_verify(seed, count);
	else if (strcmp(argv[1], "rewrite") == 0)
		do_rewrite();
	else if (strcmp(argv[1], "canonical") == 0)
		do_canonical();
	else if (strcmp(argv[1], "judge") == 0)
		do_judge();
	else if (strcmp(argv[1], "pack") == 0)
		do_pack();
	else if (strcmp(argv[1], "unpack") == 0)
		do_unpack();
	else
		need(false, "no such mode");
	need(fflush(stdout) == 0, "cannot write");
	return 0;
}

int
main(int argc, char **argv)
{
	static const struct ktap_test tests[] = {
		KTAP_TEST(test_what_was_framed_reads_back_the_same),
		KTAP_TEST(test_rewritten_message_has_the_same_canonical_form),
		KTAP_TEST(test_canonical_form_is_its_own_canonical_form),
		KTAP_TEST(test_packed_message_unpacks_to_itself),
	};
	return argc > 1 ? run(argc, argv) : KTAP_RUN(tests);
}
