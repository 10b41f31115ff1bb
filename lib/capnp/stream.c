/* SPDX-License-Identifier: MIT */
#include <lib/capnp/stream.h>

#include <string.h>

#include <lib/capnp/follow.h>

status_t
capnp_frame_table(const struct capnp_segment *segment, uint32_t count,
    uint64_t *words, size_t room)
{
	size_t table = CAPNP_TABLE_WORDS(count);

	if (count == 0)
		return ERR_RANGE;
	if (table > room)
		return ERR_FULL;
	memset(words, 0, table * CAPNP_WORD);
	words[0] = count - 1;
	for (uint32_t i = 0; i < count; i++) {
		if (segment[i].count > UINT32_MAX)
			return ERR_RANGE;
		words[(i + 1) / 2] |= (uint64_t)segment[i].count <<
		    ((i + 1) % 2 * 32);
	}
	return OK;
}

status_t
capnp_frame(const struct capnp_segment *segment, uint32_t count,
    uint64_t *words, size_t room, size_t *out_words)
{
	size_t at = CAPNP_TABLE_WORDS(count);

	*out_words = 0;
	status_t status = capnp_frame_table(segment, count, words, room);
	if (status != OK)
		return status;
	for (uint32_t i = 0; i < count; i++) {
		if (segment[i].count > room - at)
			return ERR_FULL;
		if (segment[i].count > 0)
			memcpy(words + at, segment[i].words,
			    segment[i].count * CAPNP_WORD);
		at += segment[i].count;
	}
	*out_words = at;
	return OK;
}

void
capnp_stream_init(struct capnp_stream *stream, uint64_t *words, size_t room)
{
	*stream = (struct capnp_stream){
		.words = words,
		.room = room,
		.need = CAPNP_WORD,
	};
}

/* What the part that is there says of the length. */
static status_t
measure(struct capnp_stream *stream)
{
	size_t need;
	uint32_t count;

	status_t status = capnp_unframe(stream->words, stream->have /
	    CAPNP_WORD, NULL, CAPNP_SEGMENTS_MAX, &count, &need);
	if (need > stream->room)
		return ERR_LIMIT;
	stream->need = need * CAPNP_WORD;
	return status;
}

status_t
capnp_stream_feed(struct capnp_stream *stream, const void *bytes,
    size_t length, size_t *out_taken)
{
	const uint8_t *from = bytes;
	size_t taken = 0;
	status_t status = ERR_EMPTY;

	if (stream->have == stream->need)
		capnp_stream_init(stream, stream->words, stream->room);
	if (stream->room == 0)
		status = ERR_LIMIT;
	while (status == ERR_EMPTY && taken < length) {
		size_t piece = stream->need - stream->have;
		if (piece > length - taken)
			piece = length - taken;
		memcpy((uint8_t *)stream->words + stream->have, from + taken,
		    piece);
		stream->have += piece;
		taken += piece;
		if (stream->have == stream->need)
			status = measure(stream);
	}
	*out_taken = taken;
	return status;
}

bool
capnp_stream_between(const struct capnp_stream *stream)
{
	return stream->have == 0 || stream->have == stream->need;
}
