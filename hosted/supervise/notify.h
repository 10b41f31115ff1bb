/* SPDX-License-Identifier: MIT */
/*
 * Messages of sd_notify(3): lines of NAME=VALUE in one datagram, from a process
 * that the kernel vouches for. Any bytes may come.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NOTIFY_BYTES_MAX	4096u
#define NOTIFY_STATUS_MAX	127u
#define NOTIFY_NAME_MAX		31u

struct notify {
	bool	 ready, stopping, reloading;
	bool	 watchdog;		/* it lives */
	bool	 watchdog_trigger;	/* it asks to be killed */
	bool	 store, store_remove;	/* descriptors */
	bool	 barrier;
	bool	 main_pid;		/* it names another: refused */
	bool	 has_status;
	char	 status[NOTIFY_STATUS_MAX + 1];	/* printable, cut */
	char	 name[NOTIFY_NAME_MAX + 1];	/* of descriptors; "stored" */
	uint64_t extend_ns;		/* more time to start or stop, 0 = no */
	unsigned unknown;		/* lines */
};

/*
 * False: not a message at all (no line, a zero byte, too long, a name of
 * descriptors that is no name); nothing of it counts.
 */
bool notify_parse(const char *text, size_t length, struct notify *out);
