/* SPDX-License-Identifier: MIT */
/* The dispatch tables and the tracer. */
#pragma once

#include "thread.h"

typedef void (*table_function)(void);

/* Serves what has no function. */
__attribute__((visibility("hidden"))) long call_unknown(void);

extern table_function table_plain[CALL_COUNT];
extern table_function table_traced[CALL_COUNT];

/* The program's calls go through it from now on, unless they are traced. */
void table_use(const table_function *table);

/* A signal that is about to be handled, or to end the program. */
struct linux_siginfo;
void trace_signal(const struct linux_siginfo *info, uint64_t rip);

/* entry.S: stores the program's registers, then trace_call. */
__attribute__((visibility("hidden"))) void trace_enter(void);

/* Serves thread_block.number through table_plain and writes a line about it. */
long trace_call(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
    uint64_t f);
