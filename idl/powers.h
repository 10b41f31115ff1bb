/* SPDX-License-Identifier: MIT */
/*
 * What init hands to phoenix: slots of phoenix's table after the well-known
 * ones of a place. The slots below PLACE_FREE_SLOT that phoenix has no use for
 * (PLACE_PHOENIX, 7) hold a capability without rights, so that no other ends
 * up there.
 */
#pragma once

#include <idl/place.h>

#define POWER_SYSTEM	CAP_FIRST(PLACE_FREE_SLOT + 0)
#define POWER_CONTAINER	CAP_FIRST(PLACE_FREE_SLOT + 1)	/* root: all memory */
#define POWER_ARCHIVE	CAP_FIRST(PLACE_FREE_SLOT + 2)	/* read only */
#define POWER_IOPORTS	CAP_FIRST(PLACE_FREE_SLOT + 3)	/* all ports */
/* Of phoenix's own place, for chaos. */
#define POWER_INFO	CAP_FIRST(PLACE_FREE_SLOT + 4)	/* memory */
#define POWER_DEATH	CAP_FIRST(PLACE_FREE_SLOT + 5)	/* read only */
#define POWER_COUNT	6u

/* phoenix itself as a place. */
#define PHOENIX_ARENA_SIZE	0x100000ul
#define PHOENIX_STACK_SIZE	0x10000ul
#define PHOENIX_TABLE_SLOTS	16384ul
#define PHOENIX_FRAMES		8192ul		/* of its container, at most */
#define PHOENIX_PLACE		(~0ul)	/* its place_info.place */
