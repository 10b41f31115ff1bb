/* SPDX-License-Identifier: MIT */
/* The stack protector: its value, and what happens when it was overwritten. */
#include "guard.h"
#include "hot.h"

#include "process.h"

HOT uintptr_t __stack_chk_guard = 0x00a5f01d7e11c0de;

void
guard_init(uint64_t value)
{
	/* The lowest byte stays 0: it ends a string that runs over. */
	__stack_chk_guard = value & ~0xfful;
}

void
__stack_chk_fail(void)
{
	process_log("libos: stack overwritten\n");
	process_exit_signal(L_SIGABRT);
}
