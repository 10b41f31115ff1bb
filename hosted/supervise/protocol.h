/* SPDX-License-Identifier: MIT */
/*
 * What the supervisor and the processes of a place say to each other: messages
 * of one size on the start socket (SOCK_SEQPACKET), and one page of memory.
 * Descriptors that a process has from its start are found by name.
 */
#pragma once

#include <stdint.h>

/* Names in LISTEN_FDNAMES. */
#define PLACE_FD_START	"bennu.start"
#define PLACE_FD_ARENA	"bennu.arena"
#define PLACE_FD_STATUS	"bennu.status"

#define PLACE_GO	1u	/* serve now */
#define PLACE_TAKE	2u	/* one descriptor, name */
#define PLACE_FORGET	3u	/* name: its descriptor was given back */
#define PLACE_DRAIN	4u	/* argument 1: take no new requests */
#define PLACE_WAITING	5u	/* to the supervisor: it waits for GO */

#define PLACE_NAME_MAX	31u
#define PLACE_REFUSED	8u	/* requests */

struct place_message {
	uint64_t kind;
	uint64_t argument;
	char	 name[PLACE_NAME_MAX + 1];
	/* GO */
	uint64_t incarnation;
	uint64_t cold;		/* cold starts so far */
	uint64_t refused_count;
	uint64_t refused[PLACE_REFUSED];	/* requests that killed */
};

/*
 * Written by the incarnation that serves, read by the supervisor: after its
 * death, and for the predictor. All of it is a hint.
 */
struct place_status {
	uint64_t order;		/* of the open request, 0 = none */
	uint64_t tag;		/* what it asks */
	uint64_t answered;	/* by all incarnations */
	uint64_t errors;	/* of those, refused */
	uint64_t busy_ns;	/* from begin to end, of all */
	uint64_t queue;		/* requests waiting, as last seen */
};

#define PLACE_STATUS_BYTES	4096u
/* The same in each incarnation; nothing else is mapped there by itself. */
#define PLACE_ADDRESS		0x200000000000ul
