/* SPDX-License-Identifier: MIT */
/* What echo answers to a number. */
#pragma once

#include <stdint.h>

struct square {
	uint64_t square;
	uint64_t before;	/* requests answered before this one */
};
