/* SPDX-License-Identifier: MIT */
/* The command line of a debug kernel: see bennu-kernel(7). */
#pragma once

#include <stdint.h>

enum option {
	OPTION_COVERAGE,	/* 1: print at the end what ran */
	OPTION_FAIL_ALLOC,	/* number of the allocation that fails */
	OPTION_MISTAKE,		/* a bad access on purpose, see mistake.c */
	OPTION_COUNT
};

/*
 * NUL terminated text; 0 stands for an option that was not given. Returns NULL,
 * or where in the text the word begins that is no option.
 */
const char *debug_options_parse(const char *text,
    uint64_t out_values[OPTION_COUNT]);
