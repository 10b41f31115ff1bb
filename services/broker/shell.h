/* SPDX-License-Identifier: MIT */
/* Between the files of the broker. */
#pragma once

#include <idl/channels_server.h>
#include <lib/roster/roster.h>
#include <lib/service/service.h>

/* Of the notification: a session ended, something may be left of it. */
#define BIT_BURY	0x1ul

/* What a request acts on. */
struct channels_context {
	struct roster *roster;
	struct roster_client *client;	/* NULL: a place without a session */
	cap_t	 page;			/* generations, one slot per session */
};

extern const struct channels_operations broker_of_places;
extern const struct channels_operations broker_of_sessions;
