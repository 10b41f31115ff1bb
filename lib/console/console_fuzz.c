/* SPDX-License-Identifier: MIT */
/*
 * Any bytes from the line. The input is a list of frames to come, some put in
 * order first so that the fuzzer reaches what lies behind the checksum.
 */
#include <lib/console/console.h>
#include <lib/console/uart.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_SIZE	(1u << 18)

static _Alignas(4096) uint8_t memory[ARENA_SIZE];
static uint8_t line_bytes[1u << 16];
static size_t line_length, line_at;
static bool called_again;

static uint8_t
port_in(void *context, unsigned offset)
{
	(void)context;
	if (offset == UART_DATA)
		return line_at < line_length ? line_bytes[line_at++] : 0;
	if (offset == UART_LINE_STATUS)
		return UART_STATUS_ROOM | UART_STATUS_IDLE |
		    (line_at < line_length ? UART_STATUS_RECEIVED : 0);
	return UART_CAUSE_NONE;
}

static void
port_out(void *context, unsigned offset, uint8_t value)
{
	(void)context, (void)offset, (void)value;
}

static void
port_send(void *context, const uint8_t *bytes, size_t length)
{
	(void)context, (void)bytes;
	if (length > UART_FIFO)
		abort();
}

static status_t
port_copy_in(void *context, struct console_call call, uint64_t offset,
    void *to, size_t length)
{
	(void)context, (void)call, (void)offset;
	memset(to, 'x', length);
	return OK;
}

static status_t
port_copy_out(void *context, struct console_call call, uint64_t offset,
    const void *from, size_t length)
{
	static uint8_t window[CONSOLE_RING];

	(void)context, (void)call;
	memcpy(window + offset, from, length);
	return OK;
}

static void
port_answer(void *context, struct console_call call, uint64_t error,
    uint64_t value)
{
	(void)context, (void)call, (void)error, (void)value;
}

static void
port_again(void *context)
{
	(void)context;
	called_again = true;
}

static void
port_notify(void *context)
{
	(void)context;
}

/* As long as its first two bytes say. */
static size_t
port_command(void *context, const uint8_t *text, size_t length,
    uint8_t *answer, bool *out_failed)
{
	size_t size = length < 2 ? length : (text[0] | (size_t)text[1] << 8) %
	    (CONSOLE_ANSWER_MAX + 1);

	(void)context;
	memset(answer, 'a', size);
	*out_failed = length % 2 != 0;
	return size;
}

static void
port_fail(void *context, const char *reason)
{
	(void)context, (void)reason;
	abort();
}

static void
arena_fail(const char *reason)
{
	(void)reason;
	abort();
}

/* Length byte, 255: raw bytes; else a frame with the next number. */
static void
line_make(const uint8_t *data, size_t size)
{
	uint32_t sequence = 0;

	line_length = line_at = 0;
	while (size > 2 && line_length + FRAME_WIRE_MAX < sizeof(line_bytes)) {
		size_t part = data[1] < size - 2 ? data[1] : size - 2;

		if (data[0] == 255) {
			memcpy(line_bytes + line_length, data + 2, part);
			line_length += part;
		} else {
			line_length += frame_encode(data[0], sequence++,
			    data + 2, part, line_bytes + line_length);
		}
		data += 2 + part;
		size -= 2 + part;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct console_port port = {
		.in = port_in, .out = port_out, .send = port_send,
		.copy_in = port_copy_in, .copy_out = port_copy_out,
		.answer = port_answer, .again = port_again,
		.notify = port_notify, .command = port_command,
		.fail = port_fail,
	};
	static const struct arena_environment environment = {
		.fail = arena_fail,
	};
	static struct console_line line;
	struct arena *arena;
	struct console_taken taken;
	uint64_t value;

	memset(memory, 0, sizeof(memory));
	line_make(data, size);
	if (arena_open(memory, sizeof(memory), 1, &environment, &arena) != OK)
		abort();
	tx_begin(arena);
	struct console *console = arena_alloc(arena, sizeof(*console));
	if (console == NULL)
		abort();
	tx_commit(arena);
	console_open(&line, console, arena, &port, 1);
	for (uint64_t round = 0; round < 1000; round++) {
		struct console_call call = { (uint32_t)round % 8, round };

		called_again = false;
		tx_begin(arena);
		console_pump(&line);
		if (round % 3 == 0)
			console_read(&line, call, 1000, &value);
		if (round % 5 == 0) {
			console_put(&line, call, round * 100, 700, &value);
			console_take(&line, call, console->ring_head +
			    round % 7, round, &taken);
		}
		tx_commit(arena);
		if (!console_ok(console))
			abort();
		if (!called_again && line_at == line_length)
			break;
	}
	return 0;
}
