/* SPDX-License-Identifier: MIT */
/*
 * Coverage: the compiler calls __sanitizer_cov_trace_pc at the start of each
 * basic block. A bit for each byte of code says which of these calls were made;
 * tools/coverage.py finds all there are in the image and compares.
 */
#include <kernel/core/log.h>
#include <kernel/debug/debug.h>
#include <machine/section.h>

#define CODE_MAX	(1ul << 20)

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

void
debug_print_coverage(void)
{
	for (uint64_t at = 0; at < CODE_MAX; at++)
		if (seen[at / 64] >> at % 64 & 1)
			log_print("coverage: %lx\n", at);
	log_print("coverage: end\n");
}
