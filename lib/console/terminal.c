/* SPDX-License-Identifier: MIT */
/*
 * The console for a service that runs its line discipline: bytes by position.
 *
 * A position that this side does not know means that it was started anew with
 * an empty arena: it goes on where the other side is.
 */
#include <lib/console/console.h>

#include <idl/errno.h>
#include <lib/console/state.h>

static uint32_t
smaller(uint64_t a, uint64_t b)
{
	return (uint32_t)(a < b ? a : b);
}

/* The next free part of the ring, up to its end; false if unreachable. */
static bool
put_part(struct console_line *line, struct console_call call, uint64_t offset,
    uint32_t length)
{
	struct console *console = line->console;
	uint8_t *to = console->put + console->put_tail % CONSOLE_PUT_RING;

	console_hold(line, to, length);
	if (line->port->copy_in(line->port->context, call, offset, to,
	    length) != OK)
		return false;
	console->put_tail += length;
	return true;
}

console_outcome
console_put(struct console_line *line, struct console_call call,
    uint64_t position, uint64_t length, uint64_t *out_value)
{
	struct console *console = line->console;
	uint64_t end = position + length;

	console_hold(line, &console->put_waits,
	    offsetof(struct console, put) -
	    offsetof(struct console, put_waits));
	if (position > console->put_tail)
		console->put_head = console->put_tail = position;
	while (console->put_tail < end) {
		uint64_t fill = console->put_tail - console->put_head;
		uint32_t at = (uint32_t)(console->put_tail % CONSOLE_PUT_RING);
		uint32_t part = smaller(CONSOLE_PUT_RING - fill,
		    CONSOLE_PUT_RING - at);

		part = smaller(part, end - console->put_tail);
		if (part == 0)
			break;
		if (!put_part(line, call, console->put_tail - position,
		    part)) {
			*out_value = E_FAULT;
			return CONSOLE_ERROR;
		}
	}
	if (console->put_tail < end)
		console->put_waits = 1;
	if (console->put_tail > console->put_head)
		line->port->again(line->port->context);
	*out_value = console->put_tail;
	return CONSOLE_DONE;
}

/* Writers come in between, but not into the bytes of one write. */
static bool
put_is_next(struct console_line *line)
{
	struct console *console = line->console;
	const struct console_queue *queue = &console->writers;
	const struct console_waiter *first = &queue->waiter[queue->head];

	if (console->put_head == console->put_tail)
		return false;
	if (queue->count == 0 || first->type == FRAME_EXIT)
		return true;
	if (first->done > 0)
		return false;
	console_hold(line, &console->put_turn, sizeof(console->put_turn));
	console->put_turn = !console->put_turn;
	return !console->put_turn;
}

bool
console_feed_put(struct console_line *line)
{
	struct console *console = line->console;
	struct console_frame *frame = &console->frame;
	uint32_t at = (uint32_t)(console->put_head % CONSOLE_PUT_RING);

	if (frame->type != 0 || !put_is_next(line))
		return false;
	uint32_t length = smaller(console->put_tail - console->put_head,
	    CONSOLE_PUT_RING - at);
	length = smaller(length, FRAME_DATA_MAX);
	console_hold(line, frame, sizeof(*frame));
	console_hold(line, &console->sequence, sizeof(console->sequence));
	console_hold(line, &console->put_waits, sizeof(console->put_waits));
	console_hold(line, &console->put_head, sizeof(console->put_head));
	for (uint32_t i = 0; i < length; i++)
		frame->data[i] = console->put[at + i];
	frame->type = FRAME_OUT;
	frame->length = length;
	frame->sequence = console->sequence++;
	console->put_head += length;
	if (console->put_waits) {
		console->put_waits = 0;
		line->port->notify(line->port->context);
	}
	return true;
}

static bool
take_copy(struct console_line *line, struct console_call call,
    uint32_t length)
{
	struct console *console = line->console;
	const struct console_port *port = line->port;
	uint32_t at = (uint32_t)(console->ring_head % CONSOLE_RING);
	uint32_t first = smaller(length, CONSOLE_RING - at);

	if (first > 0 && port->copy_out(port->context, call, 0,
	    console->ring + at, first) != OK)
		return false;
	return length == first || port->copy_out(port->context, call, first,
	    console->ring, length - first) == OK;
}

console_outcome
console_take(struct console_line *line, struct console_call call,
    uint64_t position, uint64_t length, struct console_taken *out_taken)
{
	struct console *console = line->console;
	bool frees = position > console->ring_head;

	if (frees) {
		console_hold(line, &console->ring_head,
		    2 * sizeof(console->ring_head));
		console->ring_head = position;
		if (console->ring_tail < position)
			console->ring_tail = position;
	}
	uint32_t part = smaller(length, console_fill(console));
	if (!take_copy(line, call, part))
		return CONSOLE_ERROR;
	if (line->holding || console_ack_due(line))
		line->port->again(line->port->context);
	*out_taken = (struct console_taken){
		.done = part,
		.position = console->ring_head,
		.end = console->end && part == console_fill(console),
	};
	return CONSOLE_DONE;
}
