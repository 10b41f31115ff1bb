/* SPDX-License-Identifier: MIT */
/*
 * The serial line: frames out, frames in, and when to be interrupted.
 *
 * The interrupt may be edge triggered, so each pump ends with a look at the
 * cause register: it is left alone only when nothing is pending, which means
 * that the next event makes a new edge.
 */
#include <lib/console/console.h>

#include <lib/console/state.h>
#include <lib/console/uart.h>

#define ROOM_POLLS	16u	/* before waiting for the interrupt */
#define IDLE_POLLS	1000u	/* one character time, and a good bit more */
#define RECEIVE_MAX	2048u	/* bytes in one transaction */
#define BAD_PER_HELLO	8u	/* more than can be in flight twice */
#define HELLO_SIZE	8u
#define SIZE_SIZE	4u

static uint8_t
uart_in(const struct console_line *line, unsigned offset)
{
	return line->port->in(line->port->context, offset);
}

static void
uart_out(const struct console_line *line, unsigned offset, uint8_t value)
{
	line->port->out(line->port->context, offset, value);
}

void
console_open(struct console_line *line, struct console *console,
    struct arena *arena, const struct console_port *port, uint32_t incarnation)
{
	*line = (struct console_line){
		.port = port,
		.arena = arena,
		.console = console,
		.incarnation = incarnation,
		.hello_due = true,
		.acknowledged = console->expected,
	};
	cobs_decoder_start(&line->decoder, line->received,
	    sizeof(line->received));
	/* 115200 baud. The FIFO bits stay as they are if they were set. */
	uart_out(line, UART_LINE_CONTROL, UART_LINE_DIVISOR | UART_LINE_8N1);
	uart_out(line, 0, 1);
	uart_out(line, 1, 0);
	uart_out(line, UART_LINE_CONTROL, UART_LINE_8N1);
	uart_out(line, UART_FIFO_CONTROL, UART_FIFO_ENABLE);
	uart_out(line, UART_MODEM_CONTROL, UART_MODEM_ON);
	uart_out(line, UART_INTERRUPTS, UART_INTERRUPT_RECEIVE);
	line->interrupts = UART_INTERRUPT_RECEIVE;
}

/* Puts the next thing to send into wire; false if there is none. */
static bool
wire_load(struct console_line *line)
{
	const struct console *console = line->console;
	const struct console_frame *frame = &console->frame;
	uint8_t data[HELLO_SIZE];
	size_t length = 0;

	line->wire_sent = 0;
	line->wire_is_frame = false;
	if (line->hello_due) {
		/* Ends whatever an earlier incarnation left unfinished. */
		line->wire[0] = 0;
		frame_put_u32(data, line->incarnation);
		frame_put_u32(data + 4, console->expected);
		length = 1 + frame_encode(FRAME_HELLO, 0, data, 8,
		    line->wire + 1);
		line->hello_due = false;
		line->acknowledged = console->expected;
	} else if (console_ack_due(line)) {
		frame_put_u32(data, console->expected);
		length = frame_encode(FRAME_ACK, 0, data, 4, line->wire);
		line->acknowledged = console->expected;
	} else if (frame->type != 0) {
		length = frame_encode(frame->type, frame->sequence,
		    frame->data, frame->length, line->wire);
		line->wire_is_frame = true;
	}
	line->wire_length = length;
	return length > 0;
}

/* Sends what the UART takes; false if it takes no more for now. */
static bool
wire_push(struct console_line *line)
{
	while (line->wire_sent < line->wire_length) {
		size_t part = line->wire_length - line->wire_sent;
		unsigned polls = 0;

		while (!(uart_in(line, UART_LINE_STATUS) & UART_STATUS_ROOM)) {
			if (++polls == ROOM_POLLS)
				return false;
		}
		if (part > UART_FIFO)
			part = UART_FIFO;
		line->port->send(line->port->context,
		    line->wire + line->wire_sent, part);
		line->wire_sent += part;
	}
	return true;
}

/* All of wire is in the UART. */
static void
wire_done(struct console_line *line)
{
	if (!line->wire_is_frame)
		return;
	line->wire_is_frame = false;
	line->frames_sent++;
	/* After an exit frame the machine is switched off. */
	if (line->console->frame.type == FRAME_EXIT) {
		for (unsigned polls = 0; polls < IDLE_POLLS; polls++) {
			if (uart_in(line, UART_LINE_STATUS) & UART_STATUS_IDLE)
				break;
		}
	}
	console_frame_left(line);
}

/* Sends what was committed before this transaction; false if blocked. */
static bool
transmit(struct console_line *line)
{
	do {
		if (!wire_push(line))
			return false;
		wire_done(line);
	} while (wire_load(line));
	return true;
}

/* A frame was damaged or is missing: asks for what is expected. */
static void
frame_bad(struct console_line *line)
{
	/* Frames still under way are out of order too: do not ask for each. */
	if (line->bad_frames++ % BAD_PER_HELLO == 0) {
		line->hello_due = true;
		line->resyncs++;
	}
}

static void
ring_put(struct console_line *line, const struct frame *frame)
{
	struct console *console = line->console;
	uint32_t start = (uint32_t)(console->ring_tail % CONSOLE_RING);
	size_t first = CONSOLE_RING - start;

	if (first > frame->length)
		first = frame->length;
	console_hold(line, &console->ring_tail, sizeof(console->ring_tail));
	console_hold(line, console->ring + start, first);
	if (frame->length > first)
		console_hold(line, console->ring, frame->length - first);
	for (size_t i = 0; i < frame->length; i++)
		console->ring[(start + i) % CONSOLE_RING] = frame->data[i];
	console->ring_tail += (uint32_t)frame->length;
	line->port->notify(line->port->context);
}

static void
size_take(struct console_line *line, const struct frame *frame)
{
	struct console *console = line->console;
	const uint8_t *data = frame->data;

	if (frame->length != SIZE_SIZE)
		return;
	console_hold(line, &console->rows, 2 * sizeof(console->rows));
	console->rows = data[0] | (uint32_t)data[1] << 8;
	console->columns = data[2] | (uint32_t)data[3] << 8;
	line->port->notify(line->port->context);
}

/* Takes the expected frame; false if there is no room for it. */
static bool
frame_take(struct console_line *line, const struct frame *frame)
{
	struct console *console = line->console;

	if (frame->type == FRAME_INPUT && !console->end) {
		if (frame->length > console_room(console))
			return false;
		if (frame->length > 0)
			ring_put(line, frame);
	} else if (frame->type == FRAME_INPUT_END) {
		console_hold(line, &console->end, sizeof(console->end));
		console->end = 1;
		line->port->notify(line->port->context);
	} else if (frame->type == FRAME_SIZE) {
		size_take(line, frame);
	} else if (frame->type == FRAME_CONTROL) {
		if (!console_control_take(line, frame))
			return false;
	}
	console_hold(line, &console->expected, sizeof(console->expected));
	console->expected++;
	line->bad_frames = 0;
	line->frames_taken++;
	return true;
}

/* The decoder has a frame of `length` bytes in `received`. */
static void
frame_arrived(struct console_line *line, ptrdiff_t length)
{
	struct frame frame;

	if (length == 0)
		return;
	if (length < 0 ||
	    !frame_parse(line->received, (size_t)length, &frame) ||
	    (frame.type != FRAME_INPUT && frame.type != FRAME_INPUT_END &&
	    frame.type != FRAME_CONTROL && frame.type != FRAME_SIZE)) {
		frame_bad(line);
		return;
	}
	int32_t ahead = (int32_t)(frame.sequence - line->console->expected);
	if (ahead > 0) {
		frame_bad(line);
	} else if (ahead < 0) {
		/* Taken before; the host may have missed that. */
		line->acknowledged = line->console->expected - 1;
	} else if (!frame_take(line, &frame)) {
		line->held = frame;
		line->holding = true;
	}
}

/* Empties the receiver; false if there may be more. */
static bool
receive(struct console_line *line)
{
	for (unsigned count = 0; count < RECEIVE_MAX; count++) {
		if (line->holding) {
			if (!frame_take(line, &line->held))
				return true;
			line->holding = false;
		}
		if (!(uart_in(line, UART_LINE_STATUS) & UART_STATUS_RECEIVED))
			return true;
		ptrdiff_t length = cobs_decode(&line->decoder,
		    uart_in(line, UART_DATA));
		if (length != COBS_MORE)
			frame_arrived(line, length);
		if (line->holding)
			console_deliver(line);
	}
	return false;
}

/* The frame that is held back could be taken now. */
static bool
held_fits(const struct console_line *line)
{
	const struct console *console = line->console;

	if (!line->holding)
		return false;
	return line->held.type == FRAME_CONTROL ?
	    console->control.state == CONTROL_FREE :
	    line->held.length <= console_room(console);
}

static void
set_interrupts(struct console_line *line, bool blocked)
{
	unsigned interrupts = (line->holding ? 0 : UART_INTERRUPT_RECEIVE) |
	    (blocked ? UART_INTERRUPT_TRANSMIT : 0);

	if (line->interrupts == interrupts)
		return;
	line->interrupts = (uint8_t)interrupts;
	uart_out(line, UART_INTERRUPTS, line->interrupts);
}

void
console_pump(struct console_line *line)
{
	line->answered = 0;
	console_control_step(line);
	bool blocked = !transmit(line);
	bool more = !receive(line);

	console_deliver(line);
	console_feed(line);
	set_interrupts(line, blocked);
	if (!blocked && (line->hello_due || console_ack_due(line) ||
	    line->console->frame.type != 0))
		more = true;
	/* Readers made room for a frame that waits, or an answer left. */
	if (held_fits(line) || line->console->control.state == CONTROL_TAKEN)
		more = true;
	if (!console_may_answer(line))
		more = true;
	if (!(uart_in(line, UART_CAUSE) & UART_CAUSE_NONE))
		more = true;
	if (more)
		line->port->again(line->port->context);
}
