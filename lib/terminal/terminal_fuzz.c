/* SPDX-License-Identifier: MIT */
/*
 * Any bytes typed and written in any modes. Input: commands of one byte, some
 * with what they need behind them. The ring must stay consistent, and no call
 * may be answered twice.
 */
#include <lib/terminal/terminal_host.h>

static const uint8_t *data;
static size_t size;

static uint8_t
next(void)
{
	if (size == 0)
		return 0;
	size--;
	return *data++;
}

static void
fuzz_modes(void)
{
	struct terminal_modes modes = { 0 };
	uint8_t *bytes = (uint8_t *)&modes;

	for (size_t i = 0; i < sizeof(modes); i++)
		bytes[i] = next();
	set_modes(&modes);
}

static void
fuzz_write(enum terminal_kind kind)
{
	size_t length = next();
	uint8_t bytes[255];
	size_t times = 1 + next() % 40;

	for (size_t i = 0; i < length; i++)
		bytes[i] = next();
	for (size_t i = 0; i < times; i++)
		write_now(kind, bytes, length);
}

static void
fuzz_read(enum terminal_kind kind, bool nonblock)
{
	uint32_t length = next() * 32u;

	call(kind, length, nonblock);
	answers[(next_order - 1) % CALLS].given = true;
}

static void
fuzz_state(uint8_t command)
{
	begin();
	if (command == 6)
		terminal_flush(&core, terminal, next() % 3);
	else if (command == 7)
		terminal_flow(&core, terminal, next() % 4);
	else if (command == 8)
		terminal_set_packet(&core, terminal, next() % 2);
	else
		terminal_hang_up(&core, terminal);
	end();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	data = bytes;
	size = length;
	make(1);
	while (size > 0) {
		uint8_t command = next() % 10;

		now_ns += 1000000;
		if (command == 0)
			fuzz_modes();
		else if (command == 1 || command == 2)
			fuzz_write(TERMINAL_CALL_MASTER_WRITE);
		else if (command == 3)
			fuzz_write(TERMINAL_CALL_WRITE);
		else if (command == 4)
			fuzz_read(TERMINAL_CALL_READ, true);
		else if (command == 5)
			fuzz_read(TERMINAL_CALL_MASTER_READ, true);
		else
			fuzz_state(command);
	}
	return 0;
}
