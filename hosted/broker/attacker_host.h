/* SPDX-License-Identifier: MIT */
/*
 * For tests: a process that is a legal member of channels and does to them, and
 * to the broker, what a member must not do. What it does follows from a seed.
 */
#pragma once

#include <stdint.h>

struct attack {
	uint64_t lives, scribbled, packets, files;	/* how much was done */
	uint64_t breaches;	/* what must not have been possible, but was */
};

/*
 * One life, of about a tenth of a second at most; ends the process. Channels
 * that it may join are called prey-0 .. prey-3 and mixed.
 */
_Noreturn void attacker_live(const char *socket, uint32_t seed,
    volatile struct attack *attack);
