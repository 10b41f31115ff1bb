/* SPDX-License-Identifier: MIT */
/* The command line of a debug kernel: see bennu-kernel(7). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mistake {
	MISTAKE_NONE,
	MISTAKE_SLAB,		/* writes to a slab object after it was freed */
	MISTAKE_COPY,		/* copies out of one */
	MISTAKE_FRAME,		/* reads a free frame */
	MISTAKE_USER,		/* follows a pointer of a program */
	MISTAKE_TEXT,		/* writes to kernel code */
};

struct debug_options {
	uint64_t     fail_alloc; /* number of the one that fails; 0 = none */
	bool	     coverage;
	enum mistake mistake;
};

#define OPTION_WORD_MAX	40

/*
 * NUL terminated text. Returns NULL, or what is wrong, and with which word, in
 * printable characters and maybe cut.
 */
const char *debug_options_parse(const char *text,
    struct debug_options *out_options, char out_word[OPTION_WORD_MAX]);
