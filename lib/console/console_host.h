/* SPDX-License-Identifier: MIT */
/*
 * The console in a simulated machine: UART, host, clients and the service loop,
 * killed anywhere. For console_test.c.
 *
 * A kill is a longjmp out of a port access, a window copy, a commit or an
 * effect. What a kernel keeps survives it: the calls of the clients, the UART
 * and the arena.
 */
#pragma once

#include <idl/errno.h>
#include <lib/console/commands_host.h>
#include <lib/console/console.h>
#include <lib/console/uart.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIENTS		8u
#define READERS		2u	/* clients 6 and 7 */
#define EXITER		CLIENTS	/* one more caller */
#define STREAM_MAX	65536u
#define EFFECTS		64u
#define ARENA_SIZE	(1u << 20)

enum effect_kind { EFFECT_ANSWER, EFFECT_AGAIN, EFFECT_NOTIFY };

struct effect {
	uint32_t kind;
	struct console_call call;
	uint64_t error, value;
};

/* Root of the arena: the core's state and what lib/service would keep. */
struct root {
	struct console console;
	uint32_t effects;
	struct effect effect[EFFECTS];
	uint32_t parked[CLIENTS + 1];
};

/* A caller. Survives kills. */
struct client {
	bool	 calling;
	uint64_t order;
	uint32_t length;	/* of the call */
	uint32_t position;	/* bytes done */
	uint32_t total;
	uint8_t	 data[STREAM_MAX];	/* to write, or read so far */
	uint8_t	 window[8192];	/* of a reader */
	bool	 finished;
	uint32_t answers, calls;
};

struct stream {
	uint8_t	 data[CLIENTS * STREAM_MAX];
	size_t	 length;
};

struct input_frame {
	uint8_t	 type;
	uint8_t	 wire[512];
	size_t	 length;
};

static struct world {
	/* UART. */
	uint8_t	 fifo_in[UART_FIFO], fifo_out[UART_FIFO];
	unsigned in_count, out_count;
	uint8_t	 enabled;
	bool	 transmit_pending, notify, line_was_high;
	unsigned slowness;	/* of the transmitter, 0 = none */
	/* Host. */
	struct cobs_decoder decoder;
	uint8_t	 decoded[FRAME_MAX];
	uint32_t next;		/* guest sequence expected */
	struct stream streams[4];
	uint32_t hellos, duplicates, exits;
	uint32_t exit_status;
	struct input_frame *input;
	uint32_t input_count, input_sent, input_acked;
	size_t	 input_byte;
	bool	 input_again;	/* a hello came within a frame */
	uint8_t	 source[STREAM_MAX];
	size_t	 source_length;
	/* Programs. */
	struct client client[CLIENTS + 1];
	bool	 exit_answered;
	/* A service in place of clients 0, 6 and 7; it may die, too. */
	bool	 terminal, told;
	uint64_t put, taken;	/* as it has committed */
	uint32_t sent_size, seen_size;
	/* Faults. */
	uint64_t random;
	uint32_t kill_one_in;	/* 0 = never */
	uint32_t reader_one_in;	/* readers that take their time; 0 = none */
	uint64_t steps, kill_at, kills;
	const char *broken;
} world;

static _Alignas(4096) uint8_t memory[ARENA_SIZE];
static struct arena *arena;
static struct root *root;
static struct console_line line;
static jmp_buf killed;
static bool death_allowed;

static uint32_t
draw(uint32_t limit)
{
	world.random ^= world.random << 13;
	world.random ^= world.random >> 7;
	world.random ^= world.random << 17;
	return (uint32_t)(world.random >> 20) % limit;
}

static void
broken(const char *why)
{
	if (world.broken == NULL)
		world.broken = why;
}

static void
step(void)
{
	if (!death_allowed)
		return;
	world.steps++;
	if (world.steps == world.kill_at || (world.kill_one_in != 0 &&
	    draw(world.kill_one_in) == 0)) {
		world.kills++;
		longjmp(killed, 1);
	}
}

/* -- the host -- */

static void
host_take(const struct frame *frame)
{
	static const char types[] = "OETL";
	const char *type = strchr(types, frame->type);

	if (frame->sequence != world.next) {
		if ((int32_t)(frame->sequence - world.next) > 0)
			broken("a frame is missing");
		world.duplicates++;
		return;
	}
	world.next++;
	if (frame->type == FRAME_EXIT) {
		world.exits++;
		world.exit_status = frame_get_u32(frame->data);
		return;
	}
	if (frame->type == FRAME_ANSWER) {
		host_answer(frame);
		if (asked.broken != NULL)
			broken(asked.broken);
		return;
	}
	if (type == NULL) {
		broken("frame of unknown type");
		return;
	}
	struct stream *stream = &world.streams[type - types];
	memcpy(stream->data + stream->length, frame->data, frame->length);
	stream->length += frame->length;
}

static void
host_byte(uint8_t byte)
{
	struct frame frame;
	ptrdiff_t length = cobs_decode(&world.decoder, byte);

	if (length <= 0 || !frame_parse(world.decoded, (size_t)length, &frame))
		return;
	if (frame.type == FRAME_HELLO) {
		world.hellos++;
		world.input_acked = frame_get_u32(frame.data + 4);
		/* As the real one: it ends the frame that it has begun. */
		world.input_again = world.input_byte != 0;
		if (!world.input_again)
			world.input_sent = world.input_acked;
	} else if (frame.type == FRAME_ACK) {
		uint32_t acked = frame_get_u32(frame.data);
		if (acked > world.input_acked)
			world.input_acked = acked;
		if (acked > world.input_count)
			broken("input acknowledged that was not sent");
	} else {
		host_take(&frame);
	}
}

static void
host_send(void)
{
	if (world.hellos == 0)
		return;
	/* A hello that was late asked for frames that were taken since. */
	if (world.input_byte == 0 && world.input_sent < world.input_acked)
		world.input_sent = world.input_acked;
	while (world.in_count < UART_FIFO && draw(4) != 0 &&
	    world.input_sent < world.input_count &&
	    world.input_sent < world.input_acked + CONSOLE_IN_FLIGHT) {
		struct input_frame *frame = &world.input[world.input_sent];

		world.fifo_in[world.in_count++] =
		    frame->wire[world.input_byte++];
		if (world.input_byte == frame->length) {
			world.input_sent = world.input_again ?
			    world.input_acked : world.input_sent + 1;
			world.input_again = false;
			world.input_byte = 0;
		}
	}
}

/* -- the UART -- */

static bool
uart_line(void)
{
	return ((world.enabled & UART_INTERRUPT_RECEIVE) &&
	    world.in_count > 0) ||
	    ((world.enabled & UART_INTERRUPT_TRANSMIT) &&
	    world.transmit_pending);
}

/* The interrupt is an edge; it sets a bit that survives kills. */
static void
uart_update(void)
{
	bool high = uart_line();

	if (high && !world.line_was_high)
		world.notify = true;
	world.line_was_high = high;
}

static void
uart_drain(unsigned count)
{
	if (count > world.out_count)
		count = world.out_count;
	if (count == 0)
		return;
	for (unsigned i = 0; i < count; i++)
		host_byte(world.fifo_out[i]);
	world.out_count -= count;
	memmove(world.fifo_out, world.fifo_out + count, world.out_count);
	if (world.out_count == 0)
		world.transmit_pending = true;
}

static void
outside(void)
{
	if (world.slowness == 0)
		uart_drain(UART_FIFO);
	else if (draw(world.slowness) == 0)
		uart_drain(1 + draw(UART_FIFO));
	host_send();
	uart_update();
}

static uint8_t
port_in(void *context, unsigned offset)
{
	uint8_t value = 0;

	(void)context;
	step();
	outside();
	if (offset == UART_DATA && world.in_count > 0) {
		value = world.fifo_in[0];
		memmove(world.fifo_in, world.fifo_in + 1, --world.in_count);
	} else if (offset == UART_LINE_STATUS) {
		value = (world.in_count > 0 ? UART_STATUS_RECEIVED : 0) |
		    (world.out_count == 0 ? UART_STATUS_ROOM |
		    UART_STATUS_IDLE : 0);
	} else if (offset == UART_CAUSE) {
		value = uart_line() ? 4 : UART_CAUSE_NONE;
		if (world.in_count == 0 ||
		    !(world.enabled & UART_INTERRUPT_RECEIVE))
			world.transmit_pending = false;
	}
	uart_update();
	step();
	return value;
}

static void
port_out(void *context, unsigned offset, uint8_t value)
{
	static bool divisor;

	(void)context;
	step();
	if (offset == UART_LINE_CONTROL)
		divisor = (value & UART_LINE_DIVISOR) != 0;
	else if (offset == UART_INTERRUPTS && !divisor) {
		if (!(world.enabled & UART_INTERRUPT_TRANSMIT) &&
		    world.out_count == 0)
			world.transmit_pending = true;
		world.enabled = value;
	} else if (offset == UART_FIFO_CONTROL && (value & 0x06))
		broken("a FIFO was reset");
	outside();
	step();
}

static void
port_send(void *context, const uint8_t *bytes, size_t length)
{
	(void)context;
	step();
	for (size_t i = 0; i < length; i++) {
		if (world.out_count == UART_FIFO) {
			broken("transmitter overrun");
			return;
		}
		world.transmit_pending = false;
		world.fifo_out[world.out_count++] = bytes[i];
		step();		/* between two bytes, too */
	}
	outside();
}

/* -- the callers -- */

static status_t
port_copy_in(void *context, struct console_call call, uint64_t offset,
    void *to, size_t length)
{
	struct client *client = &world.client[call.reply];

	(void)context;
	step();
	if (client->order != call.order || !client->calling)
		broken("window of a call that is over");
	memcpy(to, client->data + client->position + offset, length);
	return OK;
}

static status_t
port_copy_out(void *context, struct console_call call, uint64_t offset,
    const void *from, size_t length)
{
	struct client *client = &world.client[call.reply];

	(void)context;
	step();
	if (client->order != call.order || !client->calling)
		broken("window of a call that is over");
	memcpy(client->window + offset, from, length);
	return OK;
}

static void
effect_add(struct effect effect)
{
	if (tx_add(arena, &root->effects, sizeof(root->effects)) != OK ||
	    tx_add(arena, &root->effect[root->effects], sizeof(effect)) != OK ||
	    root->effects == EFFECTS)
		abort();
	root->effect[root->effects++] = effect;
}

static void
port_answer(void *context, struct console_call call, uint64_t error,
    uint64_t value)
{
	(void)context;
	if (tx_add(arena, &root->parked[call.reply], 4) != OK)
		abort();
	root->parked[call.reply] = 0;
	effect_add((struct effect){ EFFECT_ANSWER, call, error, value });
}

static void
port_again(void *context)
{
	(void)context;
	effect_add((struct effect){ .kind = EFFECT_AGAIN });
}

static void
port_notify(void *context)
{
	(void)context;
	effect_add((struct effect){ .kind = EFFECT_NOTIFY });
}

static size_t
port_command(void *context, const uint8_t *text, size_t length,
    uint8_t *answer, bool *out_failed)
{
	(void)context;
	step();
	size_t size = command_run(text, length, answer);
	step();
	*out_failed = false;
	return size;
}

static void
port_fail(void *context, const char *reason)
{
	(void)context;
	printf("# %s\n", reason);
	abort();
}

static const struct console_port port = {
	.in = port_in, .out = port_out, .send = port_send,
	.copy_in = port_copy_in, .copy_out = port_copy_out,
	.answer = port_answer, .again = port_again,
	.notify = port_notify, .command = port_command, .fail = port_fail,
};

static void
client_answered(struct client *client, uint64_t error, uint64_t value)
{
	bool reader = client >= &world.client[CLIENTS - READERS];

	client->calling = false;
	client->answers++;
	if (client == &world.client[EXITER]) {
		if (error == 0 && world.exits == 0)
			broken("exit answered before its frame left");
		client->finished = error == 0;
		world.exit_answered |= client->finished;
		return;
	}
	if (error == E_INTR)
		return;
	if (error != 0 || value > client->length)
		broken("wrong answer");
	if (reader && value == 0)
		client->finished = true;
	if (reader)
		memcpy(client->data + client->position, client->window, value);
	client->position += (uint32_t)value;
	if (!reader && client->position == client->total)
		client->finished = true;
}

static void
effect_run(const struct effect *effect)
{
	struct client *client = &world.client[effect->call.reply];

	if (effect->kind == EFFECT_AGAIN)
		world.notify = true;
	else if (effect->kind == EFFECT_NOTIFY)
		world.told = true;
	else if (client->calling && client->order == effect->call.order)
		client_answered(client, effect->error, effect->value);
}

static void
effects_run(void)
{
	for (uint32_t i = 0; i < root->effects; i++) {
		step();
		effect_run(&root->effect[i]);
	}
	step();
	tx_begin(arena);
	if (tx_add(arena, &root->effects, sizeof(root->effects)) != OK)
		abort();
	root->effects = 0;
	tx_commit(arena);
	step();
}

static void
commit(void)
{
	/* What was done too early shows when the commit does not follow. */
	if (world.kill_one_in != 0 && draw(50) == 0) {
		world.kills++;
		longjmp(killed, 1);
	}
	step();
	tx_commit(arena);
	if (!console_ok(&root->console))
		broken("the state is inconsistent");
	step();
	effects_run();
}

static uint8_t
client_type(unsigned index)
{
	return (uint8_t)(index < 3 ? "OET"[index] : FRAME_LOG);
}

/* What lib/service does with one call. */
static void
serve(unsigned index)
{
	struct client *client = &world.client[index];
	struct console_call call = { index, client->order };
	console_outcome outcome;
	uint64_t value;

	tx_begin(arena);
	if (index == EXITER)
		outcome = console_exit(&line, call, 137, &value);
	else if (index >= CLIENTS - READERS)
		outcome = console_read(&line, call, client->length, &value);
	else
		outcome = console_write(&line, call, client_type(index),
		    client->length, &value);
	if (outcome == CONSOLE_PARKED) {
		if (tx_add(arena, &root->parked[index], 4) != OK)
			abort();
		root->parked[index] = 1;
	} else {
		port_answer(NULL, call, outcome == CONSOLE_ERROR ? value : 0,
		    value);
	}
	commit();
}

static void
cancel(unsigned index)
{
	struct console_call call = { index, world.client[index].order };

	tx_begin(arena);
	if (!console_cancel(&line, call))
		broken("a parked call is unknown");
	commit();
}

/* Whether the service lives on to remember an answer. */
static bool
remembers(void)
{
	return world.kill_one_in == 0 || draw(4) != 0;
}

static void
terminal_put(void)
{
	struct client *client = &world.client[0];
	uint64_t length = draw(6000), reached = 0;

	if (length > client->total - world.put)
		length = client->total - world.put;
	client->calling = true;
	client->position = (uint32_t)world.put;
	struct console_call call = { 0, client->order };
	tx_begin(arena);
	if (console_put(&line, call, world.put, length, &reached) !=
	    CONSOLE_DONE)
		broken("put");
	commit();
	if (reached < world.put || reached > client->total)
		broken("put went to a wrong position");
	if (remembers())
		world.put = reached;
	client->finished = world.put == client->total;
}

static void
terminal_take(void)
{
	struct client *client = &world.client[6];
	struct console_call call = { 6, client->order };
	struct console_taken taken = { 0 };

	client->calling = true;
	tx_begin(arena);
	if (console_take(&line, call, world.taken, 1 + draw(700), &taken) !=
	    CONSOLE_DONE)
		broken("take");
	commit();
	if (taken.position != world.taken)
		broken("take from a wrong position");
	if (!remembers())
		return;
	world.seen_size = root->console.rows | root->console.columns << 16;
	memcpy(client->data + world.taken, client->window, taken.done);
	world.taken += taken.done;
	client->position = (uint32_t)world.taken;
	client->finished = taken.end;
}

/* A restart of either side is as good as being told. */
static void
terminal_act(void)
{
	if (!world.told && draw(400) != 0)
		return;
	world.told = false;
	if (!world.client[0].finished)
		terminal_put();
	if (!world.client[6].finished)
		terminal_take();
}

static bool
clients_finished(void)
{
	for (unsigned i = 0; i < CLIENTS - READERS; i++) {
		if (!world.client[i].finished)
			return false;
	}
	return world.client[6].finished && world.client[7].finished &&
	    asked.answers == asked.commands;
}

static void
client_act(unsigned index)
{
	struct client *client = &world.client[index];

	if (world.terminal && (index == 0 || index == 6)) {
		terminal_act();
		return;
	}
	if (client->calling) {
		if (!root->parked[index])
			serve(index);
		else if (index != EXITER && draw(64) == 0)
			cancel(index);
		return;
	}
	if (client->finished || (index == EXITER && !clients_finished()))
		return;
	bool reader = index >= CLIENTS - READERS;
	uint32_t limit = reader ? 700 : 5000;
	if (reader && world.reader_one_in != 0 &&
	    draw(world.reader_one_in) != 0)
		return;
	client->length = 1 + draw(limit);
	if (!reader && client->length > client->total - client->position)
		client->length = client->total - client->position;
	client->order++;
	client->calls++;
	client->calling = true;
}

/* -- one run -- */

static void
fail_arena(const char *reason)
{
	printf("# arena: %s\n", reason);
	abort();
}

static void
incarnation_start(void)
{
	static const struct arena_environment environment = {
		.fail = fail_arena,
	};

	if (arena_open(memory, sizeof(memory), 1, &environment, &arena) != OK)
		abort();
	if (arena_root(arena) == NULL) {
		tx_begin(arena);
		void *fresh = arena_alloc(arena, sizeof(struct root));
		if (fresh == NULL || arena_set_root(arena, fresh) != OK)
			abort();
		tx_commit(arena);
	}
	root = arena_root(arena);
	console_open(&line, &root->console, arena, &port,
	    (uint32_t)world.kills + 1);
	effects_run();
	world.notify = true;
}

static void
input_make(unsigned frames)
{
	world.input = calloc(frames + 1, sizeof(*world.input));
	world.input_count = frames + 1;
	for (unsigned i = 0; i <= frames; i++) {
		struct input_frame *frame = &world.input[i];
		uint8_t data[FRAME_INPUT_MAX];
		uint32_t length = 1 + draw(FRAME_INPUT_MAX);

		frame->type = FRAME_INPUT;
		for (uint32_t k = 0; k < length; k++)
			data[k] = (uint8_t)draw(256);
		if (i == frames || draw(10) == 0) {
			frame->type = i == frames ? FRAME_INPUT_END :
			    FRAME_CONTROL;
			length = i == frames ? 0 : 8;
			memcpy(data, "ping", 4);
			frame_put_u32(data + 4, asked.commands);
			asked.commands += i != frames;
			if (i != frames && draw(2) == 0) {
				asked.commands--;
				length = 4;
				frame->type = FRAME_SIZE;
				memcpy(data, (uint8_t[]){ (uint8_t)i, 1, 80,
				    0 }, 4);
				world.sent_size = (i & 0xff) | 256 | 80 << 16;
			}
		} else {
			memcpy(world.source + world.source_length, data,
			    length);
			world.source_length += length;
		}
		frame->length = frame_encode(frame->type, i, data, length,
		    frame->wire);
	}
}

static void
world_make(uint64_t seed, uint32_t bytes, unsigned input_frames)
{
	free(world.input);
	memset(&world, 0, sizeof(world));
	memset(&asked, 0, sizeof(asked));
	memset(memory, 0, sizeof(memory));
	world.random = seed * 0x9e3779b97f4a7c15u + 1;
	world.slowness = (unsigned)(seed % 3) * 20;
	cobs_decoder_start(&world.decoder, world.decoded,
	    sizeof(world.decoded));
	for (unsigned i = 0; i < CLIENTS - READERS; i++) {
		struct client *client = &world.client[i];

		client->total = 1 + draw(bytes);
		for (uint32_t k = 0; k < client->total; k++)
			client->data[k] = (uint8_t)(i < 3 ? draw(256) :
			    i << 5 | (k & 31));
	}
	input_make(input_frames);
}

static void
world_run(void)
{
	uint64_t volatile rounds = 0;

	if (setjmp(killed) != 0)
		death_allowed = false;
	death_allowed = true;
	incarnation_start();
	while (!world.exit_answered && world.broken == NULL) {
		if (++rounds > 20000000)
			broken("no progress");
		outside();
		if (world.notify && draw(2) == 0) {
			world.notify = false;
			tx_begin(arena);
			console_pump(&line);
			commit();
		}
		client_act(draw(CLIENTS + 1));
	}
	death_allowed = false;
}
