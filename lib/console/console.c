/* SPDX-License-Identifier: MIT */
/*
 * The requests of the console, and the queues of calls that wait.
 */
#include <lib/console/console.h>

#include <idl/errno.h>
#include <lib/console/state.h>

static uint32_t
smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static bool
same_call(struct console_call a, struct console_call b)
{
	return a.reply == b.reply && a.order == b.order;
}

void
console_hold(struct console_line *line, void *pointer, size_t length)
{
	if (tx_add(line->arena, pointer, length) != OK)
		line->port->fail(line->port->context, "undo log full");
}

static void
answer(struct console_line *line, struct console_call call, uint64_t error,
    uint64_t value)
{
	line->answered++;
	line->port->answer(line->port->context, call, error, value);
}

static void
again(struct console_line *line)
{
	line->port->again(line->port->context);
}

static struct console_waiter *
queue_at(struct console_queue *queue, uint32_t index)
{
	return &queue->waiter[(queue->head + index) % CONSOLE_CALLS];
}

static void
queue_push(struct console_line *line, struct console_queue *queue,
    const struct console_waiter *waiter)
{
	struct console_waiter *place = queue_at(queue, queue->count);

	console_hold(line, place, sizeof(*place));
	*place = *waiter;
	console_hold(line, &queue->count, sizeof(queue->count));
	queue->count++;
}

static void
queue_pop(struct console_line *line, struct console_queue *queue)
{
	console_hold(line, queue, offsetof(struct console_queue, waiter));
	queue->head = (queue->head + 1) % CONSOLE_CALLS;
	queue->count--;
}

static void
queue_remove(struct console_line *line, struct console_queue *queue,
    uint32_t index)
{
	console_hold(line, queue, sizeof(*queue));
	for (; index + 1 < queue->count; index++)
		*queue_at(queue, index) = *queue_at(queue, index + 1);
	queue->count--;
}

/* The content is in frame.data: gives it a number. */
static void
frame_fill(struct console_line *line, uint32_t type, uint32_t length)
{
	struct console *console = line->console;

	console_hold(line, &console->sequence, sizeof(console->sequence));
	console->frame.type = (uint8_t)type;
	console->frame.length = length;
	console->frame.sequence = console->sequence++;
}

/* Takes the next part of a write into the free frame. */
static status_t
frame_take(struct console_line *line, struct console_waiter *writer)
{
	struct console *console = line->console;
	uint32_t part = smaller(writer->length - writer->done, FRAME_DATA_MAX);

	console_hold(line, &console->frame, sizeof(console->frame));
	status_t status = line->port->copy_in(line->port->context,
	    writer->call, writer->done, console->frame.data, part);
	if (status != OK)
		return status;
	frame_fill(line, writer->type, part);
	writer->done += part;
	return OK;
}

static void
frame_take_exit(struct console_line *line, const struct console_waiter *writer)
{
	struct console *console = line->console;

	console_hold(line, &console->exit_waits, sizeof(console->exit_waits));
	console_hold(line, &console->exit_call, sizeof(console->exit_call));
	console_hold(line, &console->frame, sizeof(console->frame));
	console->exit_waits = 1;
	console->exit_call = writer->call;
	frame_put_u32(console->frame.data, writer->status);
	frame_fill(line, FRAME_EXIT, sizeof(writer->status));
}

void
console_feed(struct console_line *line)
{
	struct console *console = line->console;
	struct console_queue *queue = &console->writers;

	if (console_feed_answer(line))
		return;
	while (console->frame.type == 0 && queue->count > 0 &&
	    console_may_answer(line)) {
		struct console_waiter *head = queue_at(queue, 0);

		if (console_feed_put(line))
			return;
		console_hold(line, head, sizeof(*head));
		if (head->type == FRAME_EXIT) {
			frame_take_exit(line, head);
			queue_pop(line, queue);
			return;
		}
		/* What is already committed counts; the rest is not done. */
		if (frame_take(line, head) != OK)
			answer(line, head->call, head->done > 0 ? 0 : E_FAULT,
			    head->done);
		else if (head->done == head->length)
			answer(line, head->call, 0, head->done);
		else
			return;
		queue_pop(line, queue);
	}
	if (queue->count == 0)
		console_feed_put(line);
}

void
console_frame_left(struct console_line *line)
{
	struct console *console = line->console;

	console_hold(line, &console->frame.type, sizeof(console->frame.type));
	if (console->frame.type == FRAME_EXIT && console->exit_waits) {
		console_hold(line, &console->exit_waits,
		    sizeof(console->exit_waits));
		console->exit_waits = 0;
		answer(line, console->exit_call, 0, 0);
	}
	console->frame.type = 0;
}

console_outcome
console_write(struct console_line *line, struct console_call call,
    uint8_t type, uint64_t length, uint64_t *out_value)
{
	struct console *console = line->console;
	struct console_waiter writer = {
		.call = call,
		.type = type,
		.length = (uint32_t)length,
	};

	*out_value = 0;
	if (length == 0)
		return CONSOLE_DONE;
	*out_value = E_AGAIN;
	if (console->writers.count == CONSOLE_CALLS)
		return CONSOLE_ERROR;
	if (console->frame.type == 0 && console->writers.count == 0) {
		*out_value = E_FAULT;
		if (frame_take(line, &writer) != OK)
			return CONSOLE_ERROR;
		again(line);
		*out_value = writer.done;
		if (writer.done == writer.length)
			return CONSOLE_DONE;
	}
	queue_push(line, &console->writers, &writer);
	return CONSOLE_PARKED;
}

console_outcome
console_exit(struct console_line *line, struct console_call call,
    uint32_t status, uint64_t *out_value)
{
	struct console_waiter writer = {
		.call = call,
		.type = FRAME_EXIT,
		.status = status,
	};

	*out_value = E_AGAIN;
	if (line->console->writers.count == CONSOLE_CALLS)
		return CONSOLE_ERROR;
	queue_push(line, &line->console->writers, &writer);
	again(line);
	return CONSOLE_PARKED;
}

/* Copies the oldest input to a reader and takes it out of the ring. */
static status_t
ring_take(struct console_line *line, const struct console_waiter *reader,
    uint32_t *out_done)
{
	struct console *console = line->console;
	const struct console_port *port = line->port;
	uint32_t length = smaller(reader->length, console_fill(console));
	uint32_t start = (uint32_t)(console->ring_head % CONSOLE_RING);
	uint32_t first = smaller(length, CONSOLE_RING - start);
	status_t status = OK;

	if (first > 0)
		status = port->copy_out(port->context, reader->call, 0,
		    console->ring + start, first);
	if (status == OK && length > first)
		status = port->copy_out(port->context, reader->call, first,
		    console->ring, length - first);
	if (status != OK)
		return status;
	console_hold(line, &console->ring_head, sizeof(console->ring_head));
	console->ring_head += length;
	*out_done = length;
	return OK;
}

void
console_deliver(struct console_line *line)
{
	struct console *console = line->console;
	struct console_queue *queue = &console->readers;
	uint32_t done;

	while (queue->count > 0 && (console_fill(console) > 0 ||
	    console->end) && console_may_answer(line)) {
		struct console_waiter *head = queue_at(queue, 0);

		if (ring_take(line, head, &done) == OK)
			answer(line, head->call, 0, done);
		else
			answer(line, head->call, E_FAULT, 0);
		queue_pop(line, queue);
	}
}

console_outcome
console_read(struct console_line *line, struct console_call call,
    uint64_t length, uint64_t *out_value)
{
	struct console *console = line->console;
	struct console_waiter reader = {
		.call = call,
		.length = (uint32_t)length,
	};
	uint32_t done;

	*out_value = 0;
	if (length == 0)
		return CONSOLE_DONE;
	/* Readers that wait although there is input are served soon. */
	if (console->readers.count > 0 ||
	    (console_fill(console) == 0 && !console->end)) {
		*out_value = E_AGAIN;
		if (console->readers.count == CONSOLE_READERS)
			return CONSOLE_ERROR;
		queue_push(line, &console->readers, &reader);
		return CONSOLE_PARKED;
	}
	*out_value = E_FAULT;
	if (ring_take(line, &reader, &done) != OK)
		return CONSOLE_ERROR;
	if (line->holding || console_ack_due(line))
		again(line);
	*out_value = done;
	return CONSOLE_DONE;
}

void
console_poll(const struct console_line *line, uint64_t *out_waiting,
    bool *out_end)
{
	*out_waiting = console_fill(line->console);
	*out_end = line->console->end != 0;
}

static bool
queue_find(struct console_queue *queue, struct console_call call,
    uint32_t *out_index)
{
	for (uint32_t i = 0; i < queue->count; i++) {
		if (same_call(queue_at(queue, i)->call, call)) {
			*out_index = i;
			return true;
		}
	}
	return false;
}

bool
console_cancel(struct console_line *line, struct console_call call)
{
	struct console *console = line->console;
	uint32_t index;

	if (queue_find(&console->writers, call, &index)) {
		uint32_t done = queue_at(&console->writers, index)->done;

		answer(line, call, done > 0 ? 0 : E_INTR, done);
		queue_remove(line, &console->writers, index);
		return true;
	}
	if (queue_find(&console->readers, call, &index)) {
		answer(line, call, E_INTR, 0);
		queue_remove(line, &console->readers, index);
		return true;
	}
	if (console->exit_waits && same_call(console->exit_call, call)) {
		console_hold(line, &console->exit_waits,
		    sizeof(console->exit_waits));
		console->exit_waits = 0;
		answer(line, call, E_INTR, 0);
		return true;
	}
	return false;
}

static bool
control_ok(const struct console_control *control)
{
	return control->state <= CONTROL_ANSWERED &&
	    control->command_length <= CONSOLE_COMMAND_MAX &&
	    control->answer_length <= CONSOLE_ANSWER_MAX &&
	    control->answer_sent <= control->answer_length;
}

bool
console_ok(const struct console *console)
{
	const struct console_frame *frame = &console->frame;

	if (frame->length > FRAME_DATA_MAX || console_fill(console) >
	    CONSOLE_RING)
		return false;
	if (frame->type != 0 && frame->sequence + 1 != console->sequence)
		return false;
	if (console->put_tail - console->put_head > CONSOLE_PUT_RING)
		return false;
	if (console->exit_waits && frame->type != FRAME_EXIT)
		return false;
	if (!control_ok(&console->control))
		return false;
	for (uint32_t i = 0; i < console->writers.count; i++) {
		uint32_t at = (console->writers.head + i) % CONSOLE_CALLS;
		const struct console_waiter *w = &console->writers.waiter[at];

		if (w->type == 0 || w->done > w->length ||
		    (i > 0 && w->done > 0))
			return false;
	}
	return console->writers.count <= CONSOLE_CALLS &&
	    console->readers.count <= CONSOLE_READERS;
}
