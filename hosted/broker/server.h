/* SPDX-License-Identifier: MIT */
/* The broker as a process: its socket, its loop, its end. */
#pragma once

#include "policy.h"

struct server_options {
	const char *socket;	/* path */
	unsigned mode;		/* permissions of the socket */
	const char *user;	/* to become, after bind; NULL: nobody else */
	bool	 background;	/* detach when ready; log to syslog */
	struct policy *policy;	/* consumed */
	int	 ready;		/* a byte is written here when ready; -1 */
};

/*
 * Serves until SIGTERM or SIGINT; returns an exit status. No threads: call it
 * in a process of its own.
 */
int server_run(const struct server_options *options);
