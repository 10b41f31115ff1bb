/* SPDX-License-Identifier: MIT */
/* Calls of services to services below them. */
#include "call.h"

#include <abi/status.h>
#include <idl/place.h>
#include <lib/sys/sys.h>

#define TRIES	8u	/* of a call whose windows are not there yet */

/* Pages that a window needs: fetched by touching them. */
static void
touch(const struct window *window)
{
	uint64_t address = window->address;
	uint64_t end = address + (window->length_access >> 2);

	for (; address < end; address = (address | PAGE_MASK) + 1) {
		volatile uint8_t *byte = (volatile uint8_t *)address;
		uint8_t value = *byte;

		if ((window->length_access & WINDOW_WRITE) != 0)
			*byte = value;
	}
}

static status_t
try(cap_t target, struct message *message, const struct window *window,
    uint64_t transfer, cap_t *caps)
{
	struct utcb *utcb = (struct utcb *)PLACE_UTCB;
	unsigned windows = (transfer & IPC_WINDOWS_MASK) >> IPC_WINDOWS_SHIFT;

	for (unsigned i = 0; i < windows; i++)
		utcb->windows[i] = window[i];
	for (unsigned i = 0; i < (transfer & IPC_CAPS_MASK); i++)
		utcb->caps_out[i] = caps[i];
	return sys_call(target, transfer, message, caps);
}

long
wire_call(cap_t target, struct message *message, const struct window *window,
    uint64_t transfer, cap_t *caps)
{
	unsigned windows = (transfer & IPC_WINDOWS_MASK) >> IPC_WINDOWS_SHIFT;
	status_t status = ERR_RETRY;

	for (unsigned i = 0; i < TRIES && status == ERR_RETRY; i++) {
		for (unsigned n = 0; i > 0 && n < windows; n++)
			touch(&window[n]);
		status = try(target, message, window, transfer, caps);
	}
	if (status != OK)
		return -(long)(WIRE_FAILED + status);
	if (message->word[0] == TAG_REPLY_OK)
		return 0;
	if (message->word[0] != TAG_REPLY_ERROR || message->word[1] == 0 ||
	    message->word[1] >= WIRE_FAILED)
		return -(long)(WIRE_FAILED + ERR_ARG);
	return -(long)message->word[1];
}
