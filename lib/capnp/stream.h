/* SPDX-License-Identifier: MIT */
/*
 * Cap'n Proto messages on their way: framing, reassembly, packing.
 *
 * A framed message is a table (u32 count of segments less one, then u32 words
 * of each segment, padded to a word) and the segments.
 *
 * Packing takes out zero bytes. A word becomes a tag, whose bit i says that
 * byte i is not zero, and those bytes. Behind the tag 0x00 a byte counts
 * further words of zeros, behind the eight bytes of the tag 0xff a byte counts
 * words that follow as they are.
 *
 * Memory is the caller's; it may change while it is read, which can only spoil
 * the bytes that come out. Errors are told with each call.
 */
#pragma once

#include <lib/base/linkage.h>
#include <lib/capnp/capnp.h>

LINKAGE_BEGIN

/* Words of the table of a framed message. */
#define CAPNP_TABLE_WORDS(segments)	((size_t)(segments) / 2 + 1)

/*
 * Writes the table; the segments follow it. ERR_RANGE when there is no segment
 * or one of more than 2^32 - 1 words, ERR_FULL when there is no room.
 */
status_t capnp_frame_table(const struct capnp_segment *segment, uint32_t count,
    uint64_t *words, size_t room);
/* Writes the whole message, with the same errors. */
status_t capnp_frame(const struct capnp_segment *segment, uint32_t count,
    uint64_t *words, size_t room, size_t *out_words);

/* Puts messages of a stream of bytes together, in a buffer of the caller. */
struct capnp_stream {
	uint64_t *words;
	size_t	 room;		/* words: the longest message */
	size_t	 have;		/* bytes of the message so far */
	size_t	 need;		/* bytes it takes, at least */
};

void capnp_stream_init(struct capnp_stream *stream, uint64_t *words,
    size_t room);
/*
 * Takes bytes up to the end of one message, and says how many. OK when the
 * message is whole: read it with capnp_unframe(stream->words, stream->have /
 * 8, ...); the next call begins a new one. ERR_EMPTY: all bytes were taken,
 * more are needed. ERR_LIMIT: too many segments, or longer than the buffer; the
 * stream is of no use any more.
 */
status_t capnp_stream_feed(struct capnp_stream *stream, const void *bytes,
    size_t length, size_t *out_taken);
/* Did the stream end between messages? */
bool capnp_stream_between(const struct capnp_stream *stream);

/*
 * Packs words of one piece of memory. The reference packs the table and each
 * segment of a message as a piece of its own, so runs end there.
 */
struct capnp_packer {
	const uint64_t *words;	/* not packed yet */
	size_t	 left;		/* of them */
	size_t	 raw;		/* of them, words to copy as they are */
	size_t	 raw_byte;	/* bytes of the first of these that are out */
	uint8_t	 pending[10];	/* made, not out yet */
	uint8_t	 pending_next;
	uint8_t	 pending_end;
};

void capnp_pack_init(struct capnp_packer *packer, const uint64_t *words,
    size_t count);
/* Returns the bytes written; fewer than `room` when all is packed. */
size_t capnp_pack(struct capnp_packer *packer, uint8_t *out, size_t room);

struct capnp_unpacker {
	uint64_t word;		/* the part that is known */
	uint32_t zeros;		/* words of zeros to come */
	uint32_t raw;		/* words to come as they are */
	uint8_t	 tag;
	uint8_t	 byte;		/* of the word, next */
	uint8_t	 state;
};

struct capnp_unpacked {
	size_t	 taken;		/* bytes of the input */
	size_t	 words;		/* written */
};

/* All zero is a new one as well. */
void capnp_unpack_init(struct capnp_unpacker *unpacker);
/*
 * Goes on until the input is used up or the room is full. Any bytes mean
 * something; two bytes give up to 256 words, so `room` is the limit.
 */
struct capnp_unpacked capnp_unpack(struct capnp_unpacker *unpacker,
    const uint8_t *in, size_t length, uint64_t *out, size_t room);
/* Does no word or run lack anything? True at the end of a good input. */
bool capnp_unpack_between(const struct capnp_unpacker *unpacker);

LINKAGE_END
