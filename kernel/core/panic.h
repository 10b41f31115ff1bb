/* SPDX-License-Identifier: MIT */
/* A broken kernel invariant: says why, prints a back trace, stops the machine. */
#pragma once

#include <stdbool.h>

_Noreturn void kernel_panic(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

#define KERNEL_ASSERT(condition) \
	do { \
		if (!(condition)) \
			kernel_panic("%s:%d: %s", __FILE__, __LINE__, #condition); \
	} while (0)
