/* SPDX-License-Identifier: MIT */
/*
 * How generated clients (<idl/NAME_client.h>) call. Each environment has its
 * own wire_call(): services (lib/service) and the libOS (personality), tests.
 */
#pragma once

#include <abi/status.h>
#include <lib/wire/wire.h>

/*
 * Calls `target` with *message, which the reply replaces. transfer is
 * wire_transfer() of how many windows and capabilities go along. caps: those to
 * pass, then the first two that came with the reply; NULL if there are none of
 * either.
 *
 * Returns 0; minus the error of the reply; or what it says when the call
 * could not be made: minus an E_* in the libOS, minus WIRE_FAILED plus an ERR_*
 * in a service. With 0 the reply is TAG_REPLY_OK, otherwise *message is not
 * to be looked at.
 */
long wire_call(cap_t target, struct message *message,
    const struct window *window, uint64_t transfer, cap_t *caps);

#define WIRE_FAILED	0x10000	/* beyond all errors of replies */

/* In a service, of a protocol whose errors are ERR_*: which one it was. */
static inline status_t
wire_status(long error)
{
	status_t status = (status_t)-error;

	return status > WIRE_FAILED ? status - WIRE_FAILED : status;
}
