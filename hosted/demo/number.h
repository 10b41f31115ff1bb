/* SPDX-License-Identifier: MIT */
/* Numbers on the command lines of the demos. */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/* Decimal digits and nothing else; false: none, or out of [least, most]. */
static inline bool
number_read(const char *text, uint64_t least, uint64_t most,
    uint64_t *out_number)
{
	char *end;

	errno = 0;
	*out_number = strtoul(text, &end, 10);
	return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0 &&
	    *out_number >= least && *out_number <= most;
}
