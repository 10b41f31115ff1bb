/* SPDX-License-Identifier: MIT */
/*
 * Who polls a terminal: proc itself sees when what POLL says changes, at the
 * end of each transaction that may have done so, and wakes the key of that side.
 */
#include "shell.h"

#include <lib/base/string.h>

static void
must(status_t status)
{
	if (status != OK)
		service_panic("terminals: status %lu", status);
}

static struct terminal_state
state_of(const struct terminal *terminal, unsigned side)
{
	struct terminal_state state;

	memset(&state, 0, sizeof(state));
	terminal_poll(terminal, side != 0, &state);
	return state;
}

unsigned
terminals_watch(const struct open_terminal *open, uint64_t out_key[2])
{
	const struct terminal *terminal = open->terminal;
	unsigned side = open->master != 0;
	struct terminal_watch *watch =
	    &terminals->watch[terminal->number][side];
	uint8_t random[32];

	if (tx_add(service_arena(), watch, sizeof(*watch)) != OK)
		return E_NOMEM;
	if (watch->key[0] == 0) {
		seed_next(random);
		random[0] |= 1;
		memcpy(watch->key, random, sizeof(watch->key));
	}
	if (watch->armed == 0)
		must(TX_SET(service_arena(), terminals->watched,
		    terminals->watched + 1));
	watch->armed = 1;
	watch->state = state_of(terminal, side);
	memcpy(out_key, watch->key, sizeof(watch->key));
	return 0;
}

static void
wake(struct terminal_watch *watch)
{
	bool left;

	must(tx_add(service_arena(), watch, sizeof(*watch)));
	must(TX_SET(service_arena(), terminals->watched,
	    terminals->watched - 1));
	watch->armed = 0;
	if (proc_wake(&proc, watch->key, &left) != 0)
		service_panic("a transaction is too large");
}

static void
wake_changed(const struct terminal *terminal, unsigned side)
{
	struct terminal_watch *watch =
	    &terminals->watch[terminal->number][side];

	if (watch->armed == 0)
		return;
	struct terminal_state state = state_of(terminal, side);
	if (memcmp(&state, &watch->state, sizeof(state)) != 0)
		wake(watch);
}

void
terminals_wake(void)
{
	for (unsigned i = 0; i < TERMINAL_COUNT && terminals->watched != 0;
	    i++) {
		if (terminals->terminal[i] == NULL)
			continue;
		wake_changed(terminals->terminal[i], 0);
		wake_changed(terminals->terminal[i], 1);
	}
}

void
terminals_wake_all_of(const struct terminal *terminal)
{
	for (unsigned side = 0; side < 2; side++) {
		struct terminal_watch *watch =
		    &terminals->watch[terminal->number][side];
		if (watch->armed != 0)
			wake(watch);
	}
}
