/* SPDX-License-Identifier: MIT */
/*
 * The first contents of a program's stack: argument count, argument pointers,
 * environment pointers, auxiliary vector, and above them the strings.
 */
#pragma once

#include <stdint.h>

#define STACK_AUX_MAX	24u

struct stack_input {
	const char *strings;		/* arguments, then environment */
	uint64_t strings_length;	/* each string ends with NUL */
	uint32_t argument_count, environment_count;
	const char *path;		/* AT_EXECFN */
	uint8_t	 random[16];		/* AT_RANDOM */
	unsigned aux_count;
	uint64_t aux[STACK_AUX_MAX][2];	/* what needs no place on the stack */
};

/* Bytes needed at most. */
uint64_t stack_size(const struct stack_input *input);
/*
 * Writes below `top`; `memory` is where the byte at address low can be written.
 * Returns the stack pointer (a multiple of 16), or 0 if it does not fit.
 */
uint64_t stack_build(uint8_t *memory, uint64_t low, uint64_t top,
    const struct stack_input *input);
