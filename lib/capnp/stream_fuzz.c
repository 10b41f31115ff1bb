/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a stream: messages come out the same whether it arrives whole or
 * in pieces. Any bytes as packed words: pieces make no difference, and what
 * came out, packed again, unpacks to itself.
 */
#include <lib/capnp/stream.h>

#include <stdlib.h>
#include <string.h>

#define WORDS	4096u
#define PIECE	7u	/* bytes, and words of room */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
need(bool condition)
{
	if (!condition)
		abort();
}

/* Feeds from `at` in pieces. Returns the status of the last one. */
static status_t
feed(struct capnp_stream *stream, const uint8_t *data, size_t size,
    size_t piece, size_t *at)
{
	status_t status = ERR_EMPTY;
	size_t taken;

	while (status == ERR_EMPTY && *at < size) {
		size_t length = size - *at < piece ? size - *at : piece;
		status = capnp_stream_feed(stream, data + *at, length,
		    &taken);
		*at += taken;
	}
	return status;
}

static void
check_stream(const uint8_t *data, size_t size)
{
	static uint64_t buffers[2][WORDS];
	struct capnp_segment segments[CAPNP_SEGMENTS_MAX];
	struct capnp_stream whole, cut;
	size_t whole_at = 0, cut_at = 0, length;
	status_t status;
	uint32_t count;

	capnp_stream_init(&whole, buffers[0], WORDS);
	capnp_stream_init(&cut, buffers[1], WORDS);
	do {
		status = feed(&whole, data, size, size, &whole_at);
		need(feed(&cut, data, size, PIECE, &cut_at) == status);
		need(whole_at == cut_at && whole.have == cut.have);
		need(memcmp(buffers[0], buffers[1], whole.have) == 0);
		if (status == OK)
			need(capnp_unframe(whole.words, whole.have / 8,
			    segments, CAPNP_SEGMENTS_MAX, &count, &length) ==
			    OK && length * 8 == whole.have);
	} while (status == OK);
	need(whole_at == size || status == ERR_LIMIT);
}

static size_t
unpack(const uint8_t *data, size_t size, uint64_t *out, size_t room,
    size_t piece)
{
	struct capnp_unpacker unpacker;
	size_t at = 0, words = 0;

	capnp_unpack_init(&unpacker);
	while (words < room) {
		size_t length = size - at < piece ? size - at : piece;
		size_t left = room - words < piece ? room - words : piece;
		struct capnp_unpacked got = capnp_unpack(&unpacker, data + at,
		    length, out + words, left);
		at += got.taken;
		words += got.words;
		if (at == size && got.words < left)
			break;
	}
	return words;
}

static void
check_packed(const uint8_t *data, size_t size)
{
	static uint64_t whole[WORDS], cut[WORDS];
	static uint8_t packed[WORDS * 10], again[WORDS * 10];
	struct capnp_packer packer;
	size_t bytes = 0, got;

	size_t words = unpack(data, size, whole, WORDS, SIZE_MAX);
	need(unpack(data, size, cut, WORDS, PIECE) == words);
	need(memcmp(whole, cut, words * sizeof(uint64_t)) == 0);
	capnp_pack_init(&packer, whole, words);
	size_t length = capnp_pack(&packer, packed, sizeof(packed));
	capnp_pack_init(&packer, whole, words);
	while ((got = capnp_pack(&packer, again + bytes, PIECE)) > 0)
		bytes += got;
	need(bytes == length && memcmp(packed, again, bytes) == 0);
	need(unpack(packed, length, cut, WORDS, SIZE_MAX) == words);
	need(memcmp(whole, cut, words * sizeof(uint64_t)) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_stream(data, size);
	check_packed(data, size);
	return 0;
}
