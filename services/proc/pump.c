/* SPDX-License-Identifier: MIT */
/*
 * Terminal 0 and the console.
 *
 * Bytes out are counted by the terminal's output_start, bytes in by
 * terminals->typed. A PUT comes first in its transaction, so it moves committed
 * bytes only; and first in an incarnation, because the same bytes must follow
 * when the one before died between PUT and commit, before anything is flushed.
 * A TAKE names what was committed, so it is the only one of its transaction.
 */
#include "shell.h"

#include <idl/console.h>

#define TYPED_MAX	512u	/* bytes in one transaction */
#define TRIES		4u

static bool full;		/* the console will tell when there is room */
static bool held_back;		/* input waits until programs read */
static bool ended;		/* the console has no more */

static struct terminal *
terminal(void)
{
	return terminals->terminal[0];
}

static bool
call(struct message *message, uint64_t transfer)
{
	const struct message request = *message;
	status_t status = ERR_RETRY;

	for (unsigned i = 0; i < TRIES && status == ERR_RETRY; i++) {
		*message = request;
		status = sys_call(granted.console, transfer, message, NULL);
	}
	if (status == OK && message->word[0] == TAG_REPLY_OK)
		return true;
	service_log("console: request %lx failed: status %lu error %lu",
	    request.word[0], status, message->word[1]);
	return false;
}

static void
put_output(void)
{
	const uint8_t *bytes;
	size_t length;

	full = false;
	while ((length = terminal_output(terminal(), &bytes)) > 0) {
		uint64_t start = terminal()->output_start;
		struct message message = { { CONSOLE_PUT, start, length,
		    [7] = length } };

		own_utcb()->windows[0] = (struct window){ (uint64_t)bytes,
		    length << 2 | WINDOW_READ };
		if (!call(&message, 1ul << IPC_WINDOWS_SHIFT))
			return;
		uint64_t done = message.word[1] - start;
		if (done > length)
			done = length;
		terminal_output_done(&terminal_core, terminal(), done);
		if (done < length) {
			full = true;
			return;
		}
	}
}

static void
pump_again(void)
{
	if (service_effect_signal(PLACE_NOTIFICATION, BIT_CONSOLE) != OK)
		service_panic("effect list full");
}

static void
take_input(void)
{
	static uint8_t typed[TYPED_MAX];
	struct message message = { { CONSOLE_TAKE, terminals->typed,
	    sizeof(typed), [7] = sizeof(typed) } };

	own_utcb()->windows[0] = (struct window){ (uint64_t)typed,
	    sizeof(typed) << 2 | WINDOW_WRITE };
	typed[0] = 0;		/* its page is there */
	if (!call(&message, 1ul << IPC_WINDOWS_SHIFT) ||
	    message.word[1] > sizeof(typed))
		return;
	size_t length = message.word[1];
	size_t done = terminal_input(&terminal_core, terminal(), typed,
	    length);
	held_back = done < length;
	if (done > 0 && TX_SET(service_arena(), terminals->typed,
	    message.word[4] + done) != OK)
		service_panic("undo log full");
	terminal_set_size(&terminal_core, terminal(),
	    message.word[2] & 0xffff, message.word[2] >> 16 & 0xffff);
	/* The next look frees at the console what this one took. */
	if (done > 0)
		pump_again();
	ended = message.word[3] != 0 && !held_back;
	if (ended && !terminal()->ended && !terminal()->hanging)
		terminals_hang_up(terminal());
}

void
pump(void)
{
	if (!granted.terminal)
		return;
	put_output();
	take_input();
	terminal_serve(&terminal_core, terminal());
	if (pump_has_output())
		pump_again();
}

void
pump_resume(void)
{
	struct message message = { { CONSOLE_LISTEN, BIT_CONSOLE } };

	full = held_back = false;
	if (!granted.terminal)
		return;
	own_utcb()->caps_out[0] = PLACE_NOTIFICATION;
	call(&message, 1);
	put_output();
	sys_signal(PLACE_NOTIFICATION, BIT_CONSOLE);
}

bool
pump_has_output(void)
{
	return !full && !pump_is_done();
}

bool
pump_input_ended(void)
{
	return ended;
}

bool
pump_has_input(void)
{
	return held_back;
}

bool
pump_is_done(void)
{
	const uint8_t *bytes;

	return !granted.terminal || terminal_output(terminal(), &bytes) == 0;
}
