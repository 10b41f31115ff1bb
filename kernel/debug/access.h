/* SPDX-License-Identifier: MIT */
/*
 * forbid_access(address, length), allow_access(address, length): what is free
 * must not be touched. The address sanitizer sees to it when the kernel runs as
 * a Linux program, address.c in debug kernels, nobody otherwise.
 */
#pragma once

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define forbid_access(p, n)	__asan_poison_memory_region(p, n)
#define allow_access(p, n)	__asan_unpoison_memory_region(p, n)
#elif defined(BENNU_DEBUG) && !__STDC_HOSTED__
#include <kernel/debug/debug.h>
#define forbid_access(p, n)	debug_forbid(p, n)
#define allow_access(p, n)	debug_allow(p, n)
#else
#define forbid_access(p, n)	((void)(p), (void)(n))
#define allow_access(p, n)	((void)(p), (void)(n))
#endif
