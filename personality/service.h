/* SPDX-License-Identifier: MIT */
/*
 * Calls to services on behalf of the program, and the translation of what goes
 * wrong into error numbers: each returns 0 or a negative E_*.
 *
 * Generated clients (<idl/NAME_client.h>) call through wire_call() of
 * lib/wire/call.h, which is here. A call that a kick took back, and one that
 * the server gave up because of it, return -RESTART_ALWAYS: nothing was done.
 * Calls that may wait long turn that into -RESTART_SYS.
 */
#pragma once

#include <abi/status.h>
#include <abi/utcb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Between begin and end calls are repeated until the server has answered, for
 * steps that must not be given up half way; a kick is remembered for the way
 * out.
 */
void service_insist_begin(void);
void service_insist_end(void);

long service_error(status_t status);
long service_memory_error(status_t status);

static inline long
service_waits(long result)
{
	return result == -513 ? -512 : result;
}
