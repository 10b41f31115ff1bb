/* SPDX-License-Identifier: MIT */
/*
 * The first bytes of the libOS image, at LIBOS_BASE (idl/proc.h).
 *
 * proc maps the image, reads this header and sets up each thread with it:
 *
 *	thread_setup.redirect_entry, upcall_entry, window_low, window_high
 *		as here; native_low = LIBOS_BASE, native_high = LIBOS_END
 *	first thread of the first process
 *		rip = the ELF entry point, rdi = 0, rsp = LIBOS_STACK_TOP - 8,
 *		gs_base = thread_block, fs_base = 0, rflags = 0x202
 *	thread of a forked child
 *		rip, rsp, rdi as PROC_FORK said, gs_base = thread_block
 *
 * proc maps the stack, [LIBOS_STACK_TOP - LIBOS_STACK_SIZE, LIBOS_STACK_TOP),
 * anonymous, readable and writable, cloned by fork. Everything else in
 * [LIBOS_BASE, LIBOS_END) that idl/proc.h does not name stays unmapped.
 * The first LIBOS_HOT_SIZE bytes of the writable segment are a memory object of
 * their own: fork copies few pages at once, and shares many.
 * All addresses are absolute.
 */
#pragma once

#include <idl/proc.h>
#include <stdint.h>

#define LIBOS_HEADER_MAGIC	0x534f42494c4e4542ul	/* "BENLIBOS" */
#define LIBOS_HEADER_VERSION	1ul
#define LIBOS_STACK_SIZE	0x10000ul
#define LIBOS_HOT_FILLED	0x1000ul	/* start of the data, mapped apart ... */
#define LIBOS_HOT_SIZE		0x5000ul	/* ... with what follows, all 0 */

struct libos_header {
	uint64_t magic;
	uint64_t version;
	uint64_t redirect_entry;
	uint64_t upcall_entry;
	uint64_t window_low;
	uint64_t window_high;
	uint64_t thread_block;	/* GS base of the one thread */
};

_Static_assert(sizeof(struct libos_header) == 56, "fixed layout");
