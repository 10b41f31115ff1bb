/* SPDX-License-Identifier: MIT */
#include "service.h"

#include "linux.h"
#include "signals.h"
#include "thread.h"
#include "user.h"

#include <lib/sys/sys.h>

#define RETRIES_MAX	64

static struct {
	uint64_t address, length;
	unsigned access;
} windows[2];

void
service_window_at(unsigned index, uint64_t address, uint64_t length,
    unsigned access)
{
	windows[index].address = address;
	windows[index].length = length;
	windows[index].access = access;
	UTCB->windows[index].address = address;
	UTCB->windows[index].length_access = length << 2 | access;
}

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
touch_windows(unsigned count)
{
	uint8_t byte;

	for (unsigned i = 0; i < count; i++) {
		uint64_t end = windows[i].address + windows[i].length;
		for (uint64_t at = windows[i].address; at < end;
		    at = (at | PAGE_MASK) + 1) {
			if (user_copy_raw(&byte, (void *)at, 1) != 0)
				return;
			if ((windows[i].access & WINDOW_WRITE) != 0)
				user_copy_raw((void *)at, &byte, 1);
		}
	}
}

long
service_call(cap_t target, struct message *message, unsigned window_count,
    unsigned caps, cap_t *out_caps)
{
	uint64_t transfer = caps | (uint64_t)window_count << IPC_WINDOWS_SHIFT;
	status_t status = OK;

	/* Servers cannot see how long a window is; no request uses these words. */
	if (window_count > 0)
		message->word[7] = windows[0].length;
	if (window_count > 1)
		message->word[6] = windows[1].length;
	for (unsigned i = 0; i < RETRIES_MAX; i++) {
		struct message request = *message;
		status = sys_call(target, transfer, &request, out_caps);
		if (status == ERR_RETRY) {
			touch_windows(window_count);
			continue;
		}
		if (status == OK)
			*message = request;
		break;
	}
	if (status != OK)
		return status == ERR_RETRY ? -E_FAULT : service_error(status);
	if (message->word[0] == TAG_REPLY_OK)
		return 0;
	if (message->word[0] != TAG_REPLY_ERROR || message->word[1] == 0 ||
	    message->word[1] > 4095)
		return -E_IO;
	if (message->word[1] == E_INTR) {
		signal_look_again();
		return -RESTART_ALWAYS;
	}
	return -(long)message->word[1];
}

long
service_request(cap_t target, struct message *message)
{
	return service_call(target, message, 0, 0, NULL);
}

long
service_insist(cap_t target, struct message *message, unsigned window_count)
{
	const struct message request = *message;
	bool kicked = false;
	long error;

	while ((error = service_call(target, message, window_count, 0, NULL)) ==
	    -RESTART_ALWAYS) {
		kicked = true;
		*message = request;
		UTCB->kick_pending = 0;
	}
	if (kicked)
		signal_look_again();
	return error;
}
