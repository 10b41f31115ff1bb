/* SPDX-License-Identifier: MIT */
/* What the demo and its workers say to each other. */
#pragma once

#include <lib/channel/typed.h>

#define WORK_PIECES	200u
#define WORK_NUMBERS	2000u	/* of a piece */

struct piece {
	uint64_t number;	/* 0 to WORK_PIECES - 1 */
	uint64_t first, count;	/* numbers to look at */
};

struct answer {
	uint64_t number;	/* of the piece */
	uint64_t primes;
	uint64_t worker;	/* index of its place */
	uint64_t incarnation;
};

CHANNEL_TYPED(piece, struct piece, 0x4be1c95d20f7a683)
CHANNEL_TYPED(answer, struct answer, 0xc05d7f1e83a9b264)
