/* SPDX-License-Identifier: MIT */
/*
 * Calls to services on behalf of the program, and the translation of what goes
 * wrong into error numbers: each returns 0 or a negative E_*.
 *
 * A call that a kick took back, and one that the server gave up because of it,
 * return -RESTART_ALWAYS: nothing was done. Calls that may wait long turn that
 * into -RESTART_SYS.
 */
#pragma once

#include <abi/status.h>
#include <abi/utcb.h>
#include <idl/message.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Generated clients (<idl/NAME_client.h>) call through wire_call() of
 * lib/wire/call.h, which returns the same. Between begin and end calls are
 * repeated until the server has answered, for steps that must not be given up
 * half way; a kick is remembered for the way out.
 */
void service_insist_begin(void);
void service_insist_end(void);

/* Windows of the next call; access is WINDOW_READ or WINDOW_WRITE. */
void service_window_at(unsigned index, uint64_t address, uint64_t length,
    unsigned access);
long service_call(cap_t target, struct message *message, unsigned windows,
    unsigned caps, cap_t *out_caps);

/* Shorthand: a request without windows and capabilities. */
long service_request(cap_t target, struct message *message);

long service_error(status_t status);
long service_memory_error(status_t status);

/*
 * For steps that must not be given up half way: repeats until the server has
 * answered. A kick is remembered for the way out.
 */
long service_insist(cap_t target, struct message *message, unsigned windows);

static inline void
service_window(unsigned index, const volatile void *address, uint64_t length,
    unsigned access)
{
	service_window_at(index, (uint64_t)address, length, access);
}

static inline long
service_waits(long result)
{
	return result == -513 ? -512 : result;
}
