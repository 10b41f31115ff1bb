/* SPDX-License-Identifier: MIT */
/* Between console.c (requests and queues) and line.c (the serial line). */
#pragma once

#include <lib/console/console.h>

/* Makes [pointer, pointer + length) ours to change in this transaction. */
void console_hold(struct console_line *line, void *pointer, size_t length);

/* Fills the free frame from the queue of writers, answers who is done. */
void console_feed(struct console_line *line);

/* Fills the free frame with bytes put, if it is their turn. */
bool console_feed_put(struct console_line *line);

/* control.c: false if the command before is not answered yet. */
bool console_control_take(struct console_line *line,
    const struct frame *frame);
/* Carries out what an earlier transaction took. */
void console_control_step(struct console_line *line);
/* Fills the free frame with a piece of the answer, if there is one. */
bool console_feed_answer(struct console_line *line);

/* Hands input to parked readers. */
void console_deliver(struct console_line *line);

/* The frame has left: frees it and answers an exit. */
void console_frame_left(struct console_line *line);

/* The list of answers of a transaction is short; the rest comes in the next. */
static inline bool
console_may_answer(const struct console_line *line)
{
	return line->answered < CONSOLE_ANSWERS;
}

static inline uint32_t
console_fill(const struct console *console)
{
	return (uint32_t)(console->ring_tail - console->ring_head);
}

static inline uint32_t
console_room(const struct console *console)
{
	return CONSOLE_RING - console_fill(console);
}

/* True if the host may be told what has been taken. */
static inline bool
console_ack_due(const struct console_line *line)
{
	return line->acknowledged != line->console->expected &&
	    console_room(line->console) >= CONSOLE_IN_FLIGHT * FRAME_INPUT_MAX;
}
