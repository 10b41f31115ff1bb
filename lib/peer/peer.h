/* SPDX-License-Identifier: MIT */
/*
 * A second thread in a copy-on-write clone of the own address space: for
 * benchmarks and tests that need two address spaces without a second image.
 */
#pragma once

#include <idl/place.h>
#include <lib/sys/sys.h>
#include <stdbool.h>

struct peer {
	cap_t	table;		/* table it acts in, 0 = the own one */
	unsigned class;		/* scheduling class */
	cap_t	container;	/* pays for the peer, 0 = PLACE_CONTAINER */

	/* Set by peer_start. */
	cap_t	thread, vspace, utcb;
};

/*
 * Starts it at `entry`, with its own UTCB at PLACE_UTCB. With upcall_entry its
 * exceptions enter there, else they end it. On failure nothing is left.
 */
status_t peer_start(struct peer *peer, void (*entry)(void),
    void (*upcall_entry)(void));
/* Ends it wherever it is and gives everything back. */
void peer_stop(struct peer *peer);
