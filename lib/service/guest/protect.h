/* SPDX-License-Identifier: MIT */
/*
 * Keeps the arena read-only outside transactions.
 *
 * With protection keys (arena pages carry PLACE_ARENA_PKEY) a transaction opens
 * and closes all of it by one register write. Without them the pages that a
 * transaction saves are made writable one range at a time. To close them all
 * at its end would cost more than most requests, so the last OPEN_MAX ranges
 * stay writable until others take their place, and so do the pages of the loop
 * itself, which every commit writes, and log and tables of the arena. The rest
 * of the arena is read-only.
 *
 * To measure what that costs, a boot option turns it off.
 */
#pragma once

#include <lib/arena/arena.h>

enum protection {
	PROTECT_NOTHING,	/* all of it is always writable */
	PROTECT_PAGES,
	PROTECT_KEYS,
};

/* Before arena_open: makes the whole region writable. */
void protect_start(uint64_t arena_size, enum protection kind,
    struct arena_environment *out_environment);
/* After arena_open. */
void protect_close(const struct arena *arena);
/*
 * For faults, between transactions: a word of the arena that can be written
 * (open), or that cannot. `random` draws it; 0 if there is none.
 */
uint64_t protect_find(uint64_t random, bool open);
