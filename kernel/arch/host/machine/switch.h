/* SPDX-License-Identifier: MIT */
/* arch_switch() for the IPC fast path: `next` is not NULL. */
#pragma once

#include <kernel/core/arch.h>

static inline void
arch_switch_fast(struct cpu *cpu, struct thread *next)
{
	arch_switch(cpu, next);
}
