/* SPDX-License-Identifier: MIT */
#include "service.h"

#include "linux.h"
#include "signals.h"
#include "thread.h"
#include "user.h"

#include <lib/sys/sys.h>
#include <lib/wire/call.h>

#define RETRIES_MAX	64

static bool insisting, kicked;

#define NOINLINE __attribute__((noinline))

long
service_error(status_t status)
{
	switch (status) {
	case OK:
		return 0;
	case ERR_INTERRUPTED:
	case ERR_CANCELLED:
		signal_look_again();
		return -RESTART_ALWAYS;
	case ERR_FAULT:
		return -E_FAULT;
	case ERR_NOMEM:
	case ERR_LIMIT:
	case ERR_FULL:
		return -E_NOMEM;
	case ERR_STALE:
		return -E_STALE;
	case ERR_ARG:
	case ERR_RANGE:
		return -E_INVAL;
	default:
		return -E_IO;
	}
}

long
service_memory_error(status_t status)
{
	if (status == ERR_RIGHT)
		return -E_ACCES;
	if (status == ERR_ARG || status == ERR_RANGE)
		return -E_INVAL;
	return status == OK ? 0 : -E_NOMEM;
}

/* A page that a window needs was not there: fetch them all, try again. */
static void
touch_windows(const struct window *window, unsigned count)
{
	uint8_t byte;

	for (unsigned i = 0; i < count; i++) {
		uint64_t end = window[i].address +
		    (window[i].length_access >> 2);
		for (uint64_t at = window[i].address; at < end;
		    at = (at | PAGE_MASK) + 1) {
			if (user_copy_raw(&byte, (void *)at, 1) != 0)
				return;
			if ((window[i].length_access & WINDOW_WRITE) != 0)
				user_copy_raw((void *)at, &byte, 1);
		}
	}
}

static unsigned
window_count(uint64_t transfer)
{
	return (transfer & IPC_WINDOWS_MASK) >> IPC_WINDOWS_SHIFT;
}

/* What the server said, if anything was said at all. */
static long
reply_error(const struct message *message)
{
	if (message->word[0] != TAG_REPLY_ERROR || message->word[1] == 0 ||
	    message->word[1] > 4095)
		return -E_IO;
	if (message->word[1] == E_INTR) {
		signal_look_again();
		return -RESTART_ALWAYS;
	}
	return -(long)message->word[1];
}

/* A call that fails leaves the message as it was. */
static NOINLINE status_t
call_again(cap_t target, struct message *message, const struct window *window,
    uint64_t transfer, cap_t *caps)
{
	status_t status = ERR_RETRY;

	for (unsigned i = 0; i < RETRIES_MAX && status == ERR_RETRY; i++) {
		touch_windows(window, window_count(transfer));
		status = sys_call(target, transfer, message, caps);
	}
	return status;
}

/* Every request passes here: what is rare is elsewhere. */
static NOINLINE long
call(cap_t target, struct message *message, const struct window *window,
    uint64_t transfer, cap_t *caps)
{
	status_t status;

	if ((transfer & IPC_WINDOWS_MASK) != 0)
		UTCB->windows[0] = window[0];
	if (window_count(transfer) > 1)
		UTCB->windows[1] = window[1];
	for (unsigned i = 0; i < (transfer & IPC_CAPS_MASK); i++)
		UTCB->caps_out[i] = caps[i];
	status = sys_call(target, transfer, message, caps);
	if (__builtin_expect(status == ERR_RETRY, 0))
		status = call_again(target, message, window, transfer, caps);
	if (__builtin_expect(status != OK, 0))
		return status == ERR_RETRY ? -E_FAULT : service_error(status);
	return message->word[0] == TAG_REPLY_OK ? 0 : reply_error(message);
}

static NOINLINE long
insist(cap_t target, struct message *message, const struct window *window,
    uint64_t transfer, cap_t *caps)
{
	const struct message request = *message;
	long error;

	while ((error = call(target, message, window, transfer, caps)) ==
	    -RESTART_ALWAYS) {
		kicked = true;
		*message = request;
		UTCB->kick_pending = 0;
	}
	return error;
}

long
wire_call(cap_t target, struct message *message, const struct window *window,
    uint64_t transfer, cap_t *caps)
{
	if (__builtin_expect(insisting, 0))
		return insist(target, message, window, transfer, caps);
	return call(target, message, window, transfer, caps);
}

void
service_insist_begin(void)
{
	insisting = true;
}

void
service_insist_end(void)
{
	insisting = false;
	if (kicked)
		signal_look_again();
	kicked = false;
}
