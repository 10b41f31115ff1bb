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

#include <idl/console_client.h>

#define TYPED_MAX	512u	/* bytes in one transaction */

static bool full;		/* the console will tell when there is room */
static bool held_back;		/* input waits until programs read */
static bool ended;		/* the console has no more */

static struct terminal *
terminal(void)
{
	return terminals->terminal[0];
}

static bool
succeeded(const char *request, long error)
{
	if (error != 0)
		service_log("console: %s failed: error %ld", request, -error);
	return error == 0;
}

static void
put_output(void)
{
	const uint8_t *bytes;
	size_t length;

	full = false;
	while ((length = terminal_output(terminal(), &bytes)) > 0) {
		uint64_t start = terminal()->output_start;
		uint64_t reached;

		if (!succeeded("put", console_put(granted.console, start,
		    bytes, length, &reached)))
			return;
		uint64_t done = reached - start;
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
	struct console_take_results taken;

	if (!succeeded("take", console_take(granted.console, terminals->typed,
	    typed, sizeof(typed), &taken)) ||
	    taken.data_length > sizeof(typed))
		return;
	size_t length = taken.data_length;
	size_t done = terminal_input(&terminal_core, terminal(), typed,
	    length);
	held_back = done < length;
	if (done > 0 && TX_SET(service_arena(), terminals->typed,
	    taken.position + done) != OK)
		service_panic("undo log full");
	terminal_set_size(&terminal_core, terminal(), taken.rows,
	    taken.columns);
	/* The next look frees at the console what this one took. */
	if (done > 0)
		pump_again();
	ended = taken.ended && !held_back;
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
	full = held_back = false;
	if (!granted.terminal)
		return;
	succeeded("listen", console_listen(granted.console, BIT_CONSOLE,
	    PLACE_NOTIFICATION));
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
