/* SPDX-License-Identifier: MIT */
/* A terminal in tests: each request is a transaction of its own. */
#pragma once

#include <idl/errno.h>
#include <lib/terminal/state.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef ARENA_SIZE
#define ARENA_SIZE	(1u << 20)
#endif
#define CALLS		64u

struct answer {
	bool	 given;
	uint64_t error, value;
};

static _Alignas(4096) uint8_t memory[ARENA_SIZE];
static struct arena *arena;
static struct terminal_core core;
static struct terminal *terminal;

static uint8_t windows[CALLS][TERMINAL_OUTPUT];
static struct answer answers[CALLS];
static uint64_t next_order, now_ns;
static unsigned signals[32], again_count;
static bool faulty;		/* no window can be reached */

static inline void
fail(const char *reason)
{
	printf("# %s\n", reason);
	abort();
}

static inline status_t
port_copy_in(void *context, struct terminal_call call, uint64_t offset,
    void *to, size_t length)
{
	(void)context;
	if (faulty)
		return ERR_RANGE;
	memcpy(to, windows[call.reply] + offset, length);
	return OK;
}

static inline status_t
port_copy_out(void *context, struct terminal_call call, uint64_t offset,
    const void *from, size_t length)
{
	(void)context;
	if (faulty)
		return ERR_RANGE;
	if (offset + length > sizeof(windows[0]))
		abort();
	memcpy(windows[call.reply] + offset, from, length);
	return OK;
}

static inline void
port_answer(void *context, struct terminal_call call, uint64_t error,
    uint64_t value)
{
	(void)context;
	if (answers[call.reply].given)
		fail("answered twice");
	answers[call.reply] = (struct answer){ true, error, value };
}

static inline void
port_signal(void *context, const struct terminal *of, uint32_t signal)
{
	(void)context;
	(void)of;
	signals[signal]++;
}

static inline void
port_again(void *context)
{
	(void)context;
	again_count++;
}

static inline void
port_fail(void *context, const char *reason)
{
	(void)context;
	fail(reason);
}

static inline void
begin(void)
{
	tx_begin(arena);
	terminal_begin(&core, now_ns);
}

static inline void
end(void)
{
	if (!terminal_ok(terminal))
		fail("the terminal is inconsistent");
	tx_commit(arena);
}

static inline void
serve_again(void)
{
	while (again_count > 0) {
		again_count = 0;
		begin();
		terminal_serve(&core, terminal);
		end();
	}
}

static inline void
make(uint32_t number)
{
	static const struct terminal_port port = {
		.copy_in = port_copy_in, .copy_out = port_copy_out,
		.answer = port_answer, .signal = port_signal,
		.again = port_again, .fail = port_fail,
	};
	static const struct arena_environment environment = {
		.fail = fail, .sums = true };

	memset(memory, 0, sizeof(memory));
	memset(answers, 0, sizeof(answers));
	memset(signals, 0, sizeof(signals));
	next_order = 0;
	now_ns = 1;
	again_count = 0;
	faulty = false;
	if (arena_open(memory, sizeof(memory), 1, &environment, &arena) != OK)
		abort();
	core = (struct terminal_core){ .port = &port, .arena = arena };
	begin();
	terminal = terminal_create(&core, number);
	if (terminal == NULL)
		abort();
	if (number != 0)
		terminal_count(&core, terminal, true, 1);
	terminal_count(&core, terminal, false, 1);
	end();
}

/* Returns the index of the call; its answer is in answers[]. */
static inline unsigned
call(enum terminal_kind kind, uint32_t length, bool nonblock)
{
	unsigned index = (unsigned)(next_order++ % CALLS);
	struct terminal_waiter request = {
		.call = { index, next_order },
		.kind = kind,
		.length = length,
		.nonblock = nonblock,
		.epoch = terminal->epoch,
	};
	uint64_t value;

	answers[index].given = false;
	begin();
	terminal_outcome outcome = terminal_request(&core, terminal, &request,
	    &value);
	if (outcome == TERMINAL_ERROR) {
		tx_abort(arena);
		port_answer(NULL, request.call, value, 0);
	} else {
		if (outcome == TERMINAL_DONE)
			port_answer(NULL, request.call, 0, value);
		end();
	}
	return index;
}

static inline unsigned
call_write(enum terminal_kind kind, const void *bytes, size_t length,
    bool nonblock)
{
	memcpy(windows[next_order % CALLS], bytes, length);
	return call(kind, (uint32_t)length, nonblock);
}

/* Bytes, or -E_*; waits for nothing. */
static inline long
read_now(enum terminal_kind kind, void *out, size_t length)
{
	unsigned index = call(kind, (uint32_t)length, true);

	if (answers[index].error != 0)
		return -(long)answers[index].error;
	memcpy(out, windows[index], answers[index].value);
	return (long)answers[index].value;
}

static inline long
write_now(enum terminal_kind kind, const void *bytes, size_t length)
{
	unsigned index = call_write(kind, bytes, length, true);

	return answers[index].error != 0 ? -(long)answers[index].error :
	    (long)answers[index].value;
}

static inline void
set_modes(const struct terminal_modes *modes)
{
	begin();
	terminal_set_modes(&core, terminal, modes);
	terminal_serve(&core, terminal);
	end();
}
