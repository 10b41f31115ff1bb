/* SPDX-License-Identifier: MIT */
/*
 * What only debug kernels have: address checking, coverage, failing
 * allocations (docs/debugging.md).
 *
 * The rest of the kernel does not know of it. The compiler adds calls at each
 * access and each basic block, and the linker turns calls of a few functions
 * to the __wrap_ functions here (cmake/kernel_debug.cmake), which come back to
 * the __real_ ones. Only the slabs say what is free (core/slab.c).
 */
#pragma once

#include <kernel/core/arch.h>
#include <stdint.h>

/* --- Address checking (address.c). --- */

/* From now on a bad access panics. The frame allocator must be up. */
void debug_check_addresses(void);
/* Part of a slab frame, in units of 16 bytes: not to be touched. */
void debug_forbid(const void *address, uint64_t length);
/* The reverse; PAGE_SIZE: the frame is no slab any more. */
void debug_allow(const void *address, uint64_t length);
/* Panics if an access to the range is wrong. */
void debug_check(uint64_t address, uint64_t length, bool write, uint64_t rip);

/* --- Coverage (coverage.c). --- */

/* Prints the return address of every basic block that ran. */
void debug_print_coverage(void);

/* --- A bad access on purpose (mistake.c). --- */

void debug_make_mistake(uint64_t kind);
