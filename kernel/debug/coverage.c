/* SPDX-License-Identifier: MIT */
/*
 * Coverage: the compiler calls __sanitizer_cov_trace_pc at the start of each
 * basic block. A bit for each byte of code says which of these calls were made;
 * tools/coverage.py finds all there are in the image and compares.
 */
#include <kernel/core/log.h>
#include <kernel/core/panic.h>
#include <kernel/debug/debug.h>
#include <machine/section.h>

#define CODE_MAX	(1ul << 20)
#define LINE_WORDS	8

static uint64_t seen[CODE_MAX / 64];	/* atomic */

void __sanitizer_cov_trace_pc(void);

/* From the first instruction in C on: needs no CPU, no lock, no tables. */
void
__sanitizer_cov_trace_pc(void)
{
	uint64_t at = (uint64_t)__builtin_return_address(0) -
	    (uint64_t)image_start;
	uint64_t bit = 1ul << at % 64;

	if (at < CODE_MAX && (seen[at / 64] & bit) == 0)
		__atomic_or_fetch(&seen[at / 64], bit, __ATOMIC_RELAXED);
}

/* Eight offsets from the start of the image in a line, filled up with 0. */
void
debug_print_coverage(void)
{
	uint64_t line[LINE_WORDS] = { 0 };
	unsigned count = 0;

	if ((uint64_t)(text_end - image_start) > CODE_MAX)
		kernel_panic("coverage: more than %lu bytes of code", CODE_MAX);
	for (uint64_t at = 0; at < CODE_MAX || count != 0; at++) {
		if (at < CODE_MAX && (seen[at / 64] >> at % 64 & 1) == 0)
			continue;
		line[count++] = at < CODE_MAX ? at : 0;
		if (count < LINE_WORDS)
			continue;
		log_print("coverage: %lx %lx %lx %lx %lx %lx %lx %lx\n",
		    line[0], line[1], line[2], line[3], line[4], line[5],
		    line[6], line[7]);
		count = 0;
	}
	log_print("coverage: end\n");
}
