/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>

extern uintptr_t __stack_chk_guard;
_Noreturn void __stack_chk_fail(void);

/* Only from a function that does not return. */
void guard_init(uint64_t value);
