/* SPDX-License-Identifier: MIT */
#include <lib/capnp/stream.h>

#include <string.h>

#include <lib/capnp/follow.h>

#define RUN_MAX		255u	/* words */
#define TAG_ZEROS	0x00u
#define TAG_RAW		0xffu

static uint8_t
byte_of(uint64_t word, uint32_t i)
{
	return (uint8_t)(word >> 8 * i);
}

void
capnp_pack_init(struct capnp_packer *packer, const uint64_t *words,
    size_t count)
{
	*packer = (struct capnp_packer){ .words = words, .left = count };
}

static void
put_pending(struct capnp_packer *packer, uint8_t byte)
{
	packer->pending[packer->pending_end++] = byte;
}

static uint8_t
zero_run(const struct capnp_packer *packer)
{
	uint8_t run = 0;

	while (run < RUN_MAX && run < packer->left &&
	    capnp_load(packer->words + run) == 0)
		run++;
	return run;
}

static uint32_t
zero_bytes(uint64_t word)
{
	uint32_t zeros = 0;

	for (uint32_t i = 0; i < CAPNP_WORD; i++)
		zeros += byte_of(word, i) == 0;
	return zeros;
}

/* Words that would not shrink: at most one byte of each is zero. */
static uint8_t
raw_run(const struct capnp_packer *packer)
{
	uint8_t run = 0;

	while (run < RUN_MAX && run < packer->left &&
	    zero_bytes(capnp_load(packer->words + run)) < 2)
		run++;
	return run;
}

static void
advance(struct capnp_packer *packer, size_t words)
{
	packer->words += words;
	packer->left -= words;
}

static void
pack_word(struct capnp_packer *packer)
{
	uint64_t word = capnp_load(packer->words);
	uint8_t tag = 0;

	advance(packer, 1);
	packer->pending_next = 0;
	packer->pending_end = 0;
	put_pending(packer, 0);
	for (uint32_t i = 0; i < CAPNP_WORD; i++) {
		if (byte_of(word, i) == 0)
			continue;
		tag |= (uint8_t)(1u << i);
		put_pending(packer, byte_of(word, i));
	}
	packer->pending[0] = tag;
	if (tag == TAG_ZEROS) {
		uint8_t run = zero_run(packer);
		put_pending(packer, run);
		advance(packer, run);
	} else if (tag == TAG_RAW) {
		packer->raw = raw_run(packer);
		put_pending(packer, (uint8_t)packer->raw);
	}
}

static size_t
put_raw(struct capnp_packer *packer, uint8_t *out, size_t room)
{
	size_t piece = packer->raw * CAPNP_WORD - packer->raw_byte;

	if (piece > room)
		piece = room;
	memcpy(out, (const uint8_t *)packer->words + packer->raw_byte, piece);
	packer->raw_byte += piece;
	if (packer->raw_byte == packer->raw * CAPNP_WORD) {
		advance(packer, packer->raw);
		packer->raw = 0;
		packer->raw_byte = 0;
	}
	return piece;
}

size_t
capnp_pack(struct capnp_packer *packer, uint8_t *out, size_t room)
{
	size_t at = 0;

	while (at < room) {
		if (packer->pending_next < packer->pending_end)
			out[at++] = packer->pending[packer->pending_next++];
		else if (packer->raw > 0)
			at += put_raw(packer, out + at, room - at);
		else if (packer->left > 0)
			pack_word(packer);
		else
			break;
	}
	return at;
}

enum unpack_state { AT_TAG, IN_WORD, AT_ZEROS, AT_RAW, IN_RAW };

void
capnp_unpack_init(struct capnp_unpacker *unpacker)
{
	*unpacker = (struct capnp_unpacker){ .state = AT_TAG };
}

bool
capnp_unpack_between(const struct capnp_unpacker *unpacker)
{
	return unpacker->state == AT_TAG && unpacker->zeros == 0;
}

/* Passes over the bytes of a word that are not in the input. */
static void
skip_zeros(struct capnp_unpacker *unpacker)
{
	while (unpacker->byte < CAPNP_WORD &&
	    (unpacker->tag >> unpacker->byte & 1) == 0)
		unpacker->byte++;
}

static void
take_byte(struct capnp_unpacker *unpacker, uint8_t byte)
{
	switch (unpacker->state) {
	case AT_TAG:
		unpacker->tag = byte;
		unpacker->word = 0;
		unpacker->byte = 0;
		unpacker->state = IN_WORD;
		skip_zeros(unpacker);
		break;
	case AT_ZEROS:
		unpacker->zeros = byte;
		unpacker->state = AT_TAG;
		break;
	case AT_RAW:
		unpacker->raw = byte;
		unpacker->byte = 0;
		unpacker->word = 0;
		unpacker->state = byte > 0 ? IN_RAW : AT_TAG;
		break;
	default:
		unpacker->word |= (uint64_t)byte << 8 * unpacker->byte++;
		skip_zeros(unpacker);
		break;
	}
}

/* A word is whole: what comes behind it? */
static uint64_t
end_word(struct capnp_unpacker *unpacker)
{
	uint64_t word = unpacker->word;

	unpacker->word = 0;
	unpacker->byte = 0;
	if (unpacker->state == IN_RAW)
		unpacker->state = --unpacker->raw > 0 ? IN_RAW : AT_TAG;
	else if (unpacker->tag == TAG_RAW)
		unpacker->state = AT_RAW;
	else
		unpacker->state = unpacker->tag == TAG_ZEROS ? AT_ZEROS :
		    AT_TAG;
	return word;
}

static bool
word_is_whole(const struct capnp_unpacker *unpacker)
{
	return (unpacker->state == IN_WORD || unpacker->state == IN_RAW) &&
	    unpacker->byte == CAPNP_WORD;
}

struct capnp_unpacked
capnp_unpack(struct capnp_unpacker *unpacker, const uint8_t *in,
    size_t length, uint64_t *out, size_t room)
{
	struct capnp_unpacked done = { 0 };

	for (;;) {
		if (unpacker->zeros > 0) {
			if (done.words == room)
				return done;
			out[done.words++] = 0;
			unpacker->zeros--;
		} else if (word_is_whole(unpacker)) {
			if (done.words == room)
				return done;
			out[done.words++] = end_word(unpacker);
		} else {
			if (done.taken == length)
				return done;
			take_byte(unpacker, in[done.taken++]);
		}
	}
}
