/* SPDX-License-Identifier: MIT */
#include "socketring.h"

#include "socketatomic.h"
#include "user.h"

#include <lib/base/string.h>

#define TOTAL_MAX	0x7ffff000ul

/* -- program memory -- */

/* The next piece that is not empty; false at the end or at a fault. */
static bool
next_piece(struct socket_pieces *pieces, bool *out_fault)
{
	struct linux_iovec next;

	while (pieces->length == 0 && pieces->left > 0) {
		if (user_copy_raw(&next, pieces->from, sizeof(next)) != 0 ||
		    !user_range((void *)next.base, next.length)) {
			*out_fault = true;
			return false;
		}
		pieces->from++;
		pieces->left--;
		pieces->base = next.base;
		pieces->length = next.length;
	}
	return pieces->length != 0;
}

long
socket_pieces_total(const struct socket_pieces *pieces)
{
	struct socket_pieces p = *pieces;
	uint64_t total = p.length;
	struct linux_iovec next;

	for (; p.left > 0; p.left--, p.from++) {
		if (user_copy_raw(&next, p.from, sizeof(next)) != 0)
			return -1;
		if (next.length > TOTAL_MAX - total)
			return -2;
		if (!user_range((void *)next.base, next.length))
			return -1;
		total += next.length;
	}
	return (long)total;
}

/* Between the program and `inside`; bytes moved, fewer only at a fault. */
static uint64_t
move(struct socket_pieces *pieces, uint8_t *inside, uint64_t size, bool in)
{
	uint64_t done = 0;
	bool fault = false;

	while (done < size && next_piece(pieces, &fault)) {
		uint64_t step = pieces->length < size - done ? pieces->length :
		    size - done;
		void *outside = (void *)pieces->base;
		uint64_t left = in ?
		    user_copy_raw(inside + done, outside, step) :
		    user_copy_raw(outside, inside + done, step);
		done += step - left;
		pieces->base += step - left;
		pieces->length -= step - left;
		if (left != 0)
			break;
	}
	return done;
}

/* -- positions -- */

static uint8_t *
place(const struct socket_lane *lane, uint64_t offset, uint64_t size,
    uint64_t *out_length)
{
	uint64_t at = offset & (SOCKET_RING - 1);

	*out_length = size < SOCKET_RING - at ? size : SOCKET_RING - at;
	return lane->data + at;
}

/* To or from the ring, at `offset` from its first byte. */
static uint64_t
move_ring(const struct socket_lane *lane, uint64_t offset,
    struct socket_pieces *pieces, uint64_t size, bool in)
{
	uint64_t done = 0, step;

	while (done < size) {
		uint8_t *at = place(lane, offset + done, size - done, &step);
		uint64_t moved = move(pieces, at, step, in);
		done += moved;
		if (moved < step)
			break;
	}
	return done;
}

static void
copy_in(const struct socket_lane *lane, uint64_t offset, const uint8_t *from,
    uint64_t size)
{
	for (uint64_t done = 0, step; done < size; done += step) {
		uint8_t *at = place(lane, offset + done, size - done, &step);
		memcpy(at, from + done, step);
	}
}

static void
copy_out(const struct socket_lane *lane, uint64_t offset, uint8_t *to,
    uint64_t size)
{
	for (uint64_t done = 0, step; done < size; done += step) {
		const uint8_t *at = place(lane, offset + done, size - done,
		    &step);
		memcpy(to + done, at, step);
	}
}

static struct socket_mark
mark_at(const struct socket_lane *lane, uint64_t index)
{
	const struct socket_mark_words *at = &lane->marks[index %
	    SOCKET_MARKS];
	/* Of one that never was it may be half of the next, and is not used. */
	uint64_t sizes = SHARED_PEEK(&at->word[1]);
	uint64_t token[2] = { SHARED_PEEK(&at->word[2]),
		SHARED_PEEK(&at->word[3]) };
	struct socket_mark mark = {
		.start = SHARED_PEEK(&at->word[0]),
		.length = (uint32_t)sizes, .name = (uint16_t)(sizes >> 32),
		.flags = (uint16_t)(sizes >> 48),
	};

	memcpy(mark.token, token, sizeof(token));
	return mark;
}

/* Where messages end so far: a mark stays until its place is used again. */
static uint64_t
messages_end(const struct socket_lane *lane, uint64_t marks_written)
{
	struct socket_mark last;

	if (marks_written == 0)
		return 0;
	last = mark_at(lane, marks_written - 1);
	return last.start + last.length;
}

/* -- putting -- */

struct writing {
	uint64_t end;		/* position behind what is there */
	uint64_t used;
	uint64_t offset;	/* of `end` from the first byte of the ring */
	uint64_t marks, marks_used;
};

static bool
writing_begin(const struct socket_lane *lane, bool messages,
    struct writing *out)
{
	struct socket_ring *ring = lane->ring;
	uint64_t marks_taken = SHARED_LOAD(&ring->marks_taken);

	out->marks = SHARED_LOAD(&ring->marks_written);
	out->marks_used = out->marks - marks_taken;
	if (messages) {
		out->end = messages_end(lane, out->marks);
		out->used = out->marks_used == 0 ? 0 :
		    out->end - mark_at(lane, marks_taken).start;
	} else {
		out->end = SHARED_LOAD(&ring->written);
		out->used = out->end - SHARED_LOAD(&ring->taken);
	}
	if (out->used > SOCKET_RING || out->marks_used > SOCKET_MARKS)
		return false;
	/* Left by a writer that died before it committed the bytes. */
	if (!messages && out->marks_used != 0 &&
	    mark_at(lane, out->marks - 1).start >= out->end) {
		SHARED_PUBLISH(&ring->marks_written, --out->marks);
		out->marks_used--;
	}
	if (messages ? out->marks_used == 0 : out->used == 0)
		SHARED_STORE(&ring->origin, out->end);
	out->offset = out->end - SHARED_PEEK(&ring->origin);
	return true;
}

static void
put_mark(const struct socket_lane *lane, const struct writing *at,
    uint64_t length, const struct socket_extra *extra)
{
	struct socket_mark_words *to = &lane->marks[at->marks % SOCKET_MARKS];
	uint64_t sizes = length, token[2] = { 0, 0 };

	if (extra != NULL) {
		sizes |= (uint64_t)extra->name_length << 32 |
		    (uint64_t)extra->flags << 48;
		memcpy(token, extra->token, sizeof(token));
	}
	SHARED_STORE(&to->word[0], at->end);
	SHARED_STORE(&to->word[1], sizes);
	SHARED_STORE(&to->word[2], token[0]);
	SHARED_STORE(&to->word[3], token[1]);
	SHARED_PUBLISH(&lane->ring->marks_written, at->marks + 1);
}

static uint64_t
room(uint64_t used, uint64_t limit)
{
	if (limit > SOCKET_RING)
		limit = SOCKET_RING;
	return used < limit ? limit - used : 0;
}

long
socket_put_stream(const struct socket_lane *lane, struct socket_pieces *pieces,
    uint64_t size, uint64_t limit, const struct socket_extra *extra)
{
	struct writing at;

	if (!writing_begin(lane, false, &at))
		return RING_BROKEN;
	uint64_t space = room(at.used, limit);
	if (space == 0 || (extra != NULL && at.marks_used == SOCKET_MARKS))
		return RING_FULL;
	if (size > space)
		size = space;
	uint64_t done = move_ring(lane, at.offset, pieces, size, true);
	if (done == 0)
		return RING_FAULT;
	if (extra != NULL)
		put_mark(lane, &at, done, extra);
	SHARED_PUBLISH(&lane->ring->written, at.end + done);
	return (long)done;
}

long
socket_put_message(const struct socket_lane *lane,
    struct socket_pieces *pieces, uint64_t size, uint64_t limit,
    const struct socket_extra *extra)
{
	uint64_t name = extra != NULL ? extra->name_length : 0;
	struct writing at;

	if (!writing_begin(lane, true, &at))
		return RING_BROKEN;
	if (room(at.used, limit) < size + name ||
	    at.marks_used == SOCKET_MARKS)
		return RING_FULL;
	if (name != 0)
		copy_in(lane, at.offset, extra->name, name);
	if (move_ring(lane, at.offset + name, pieces, size, true) != size)
		return RING_FAULT;
	put_mark(lane, &at, size + name, extra);
	return (long)size;
}

/* -- taking -- */

/* The mark that begins next: 0, RING_EMPTY, or RING_BROKEN. */
static long
look_for_mark(const struct socket_lane *lane, uint64_t marks_taken,
    struct socket_mark *out)
{
	uint64_t marks = SHARED_LOAD(&lane->ring->marks_written) - marks_taken;

	if (marks == 0 || marks > SOCKET_MARKS)
		return marks == 0 ? RING_EMPTY : RING_BROKEN;
	*out = mark_at(lane, marks_taken);
	return 0;
}

static bool
next_mark(const struct socket_lane *lane, uint64_t marks_taken,
    struct socket_mark *out)
{
	return look_for_mark(lane, marks_taken, out) == 0;
}

static uint64_t
offset_of(const struct socket_lane *lane, uint64_t position)
{
	return position - SHARED_PEEK(&lane->ring->origin);
}

static void
tell_mark(const struct socket_mark *mark, struct socket_taken *out)
{
	out->flags = mark->flags;
	memcpy(out->token, mark->token, SOCKET_TOKEN);
}

/*
 * How far bytes from `position` on belong together. *out_first: they begin a
 * mark or reach into one that begins later.
 */
static uint64_t
stretch(uint64_t position, uint64_t end, const struct socket_mark *mark,
    bool apart, bool *out_first)
{
	uint64_t mark_end = mark->start + mark->length;

	*out_first = false;
	/* Begun by an earlier read: its rest stands alone. */
	if (mark->start < position)
		return mark_end - position <= end - position ? mark_end : end;
	if (mark->start - position >= end - position)
		return end;
	if (apart && mark->start != position)
		return mark->start;
	*out_first = true;
	return mark_end - position <= end - position ? mark_end : end;
}

/* Marks that end at or before `position` are done with. */
static uint64_t
marks_behind(const struct socket_lane *lane, uint64_t position,
    uint64_t marks_taken)
{
	struct socket_mark mark;

	while (next_mark(lane, marks_taken, &mark) &&
	    (int64_t)(mark.start + mark.length - position) <= 0)
		marks_taken++;
	return marks_taken;
}

long
socket_take_stream(const struct socket_lane *lane,
    struct socket_pieces *pieces, uint64_t size,
    const struct socket_look *look, struct socket_taken *out)
{
	struct socket_ring *ring = lane->ring;
	uint64_t taken = SHARED_LOAD(&ring->taken);
	uint64_t written = SHARED_LOAD(&ring->written);
	uint64_t marks_taken = SHARED_LOAD(&ring->marks_taken);
	uint64_t from = taken + look->skip;
	struct socket_mark mark;
	bool first = false;

	out->flags = 0;
	if (written - taken > SOCKET_RING)
		return RING_BROKEN;
	if (written == taken || look->skip >= written - taken)
		return RING_EMPTY;
	uint64_t marks = marks_behind(lane, from, marks_taken);
	uint64_t end = next_mark(lane, marks, &mark) ?
	    stretch(from, written, &mark, look->apart, &first) : written;
	if (size > end - from)
		size = end - from;
	out->bytes = move_ring(lane, offset_of(lane, from), pieces, size,
	    false);
	out->length = out->bytes;
	if (out->bytes == 0 && size != 0)
		return RING_FAULT;
	if (first && mark.start - from < out->bytes)
		tell_mark(&mark, out);
	if (look->peek)
		return (long)out->bytes;
	/* Who dies in between leaves a mark of bytes that are gone: no harm. */
	SHARED_PUBLISH(&ring->taken, from + out->bytes);
	marks = marks_behind(lane, from + out->bytes, marks_taken);
	if (marks != marks_taken)
		SHARED_PUBLISH(&ring->marks_taken, marks);
	return (long)out->bytes;
}

long
socket_take_message(const struct socket_lane *lane,
    struct socket_pieces *pieces, uint64_t size,
    const struct socket_look *look, struct socket_taken *out)
{
	struct socket_ring *ring = lane->ring;
	uint64_t marks_taken = SHARED_LOAD(&ring->marks_taken);
	struct socket_mark mark;
	long error = look_for_mark(lane, marks_taken, &mark);

	if (error != 0)
		return error;
	if (mark.length > SOCKET_RING ||
	    mark.name > mark.length || mark.name > SOCKET_NAME_MAX)
		return RING_BROKEN;
	uint64_t offset = offset_of(lane, mark.start) + mark.name;
	copy_out(lane, offset - mark.name, out->name, mark.name);
	out->name_length = mark.name;
	out->length = mark.length - mark.name;
	tell_mark(&mark, out);
	uint64_t skip = look->skip < out->length ? look->skip : out->length;
	if (size > out->length - skip)
		size = out->length - skip;
	out->bytes = move_ring(lane, offset + skip, pieces, size, false);
	if (out->bytes < size)
		return RING_FAULT;
	if (look->peek)
		return (long)out->bytes;
	SHARED_PUBLISH(&ring->marks_taken, marks_taken + 1);
	return (long)out->bytes;
}

/* -- looking -- */

bool
socket_lane_readable(const struct socket_lane *lane, bool messages)
{
	const struct socket_ring *ring = lane->ring;

	return messages ?
	    SHARED_LOAD(&ring->marks_written) != SHARED_LOAD(&ring->marks_taken) :
	    SHARED_LOAD(&ring->written) != SHARED_LOAD(&ring->taken);
}

uint64_t
socket_lane_bytes(const struct socket_lane *lane, bool messages)
{
	const struct socket_ring *ring = lane->ring;
	uint64_t marks_taken = SHARED_LOAD(&ring->marks_taken);
	uint64_t marks = SHARED_LOAD(&ring->marks_written);
	uint64_t used = messages ? marks == marks_taken ? 0 :
	    messages_end(lane, marks) - mark_at(lane, marks_taken).start :
	    SHARED_LOAD(&ring->written) - SHARED_LOAD(&ring->taken);

	return used <= SOCKET_RING ? used : 0;
}

uint64_t
socket_lane_first(const struct socket_lane *lane)
{
	struct socket_mark mark;

	if (!next_mark(lane, SHARED_LOAD(&lane->ring->marks_taken), &mark) ||
	    mark.length > SOCKET_RING || mark.name > mark.length)
		return 0;
	return mark.length - mark.name;
}

bool
socket_lane_writable(const struct socket_lane *lane, bool messages,
    uint64_t limit)
{
	const struct socket_ring *ring = lane->ring;
	uint64_t marks = SHARED_LOAD(&ring->marks_written) -
	    SHARED_LOAD(&ring->marks_taken);

	if (limit > SOCKET_RING)
		limit = SOCKET_RING;
	return socket_lane_bytes(lane, messages) * 4 <= limit &&
	    (!messages || marks < SOCKET_MARKS);
}
