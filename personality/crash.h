/* SPDX-License-Identifier: MIT */
#pragma once

#include "linux.h"

#include <abi/utcb.h>

/* What was added to the addresses of the program's file; 0 if it is fixed. */
extern uint64_t crash_load_bias;

/*
 * Writes a report into the kernel log if the signal is one whose default
 * action makes a core file: what, where, registers, back trace.
 */
void crash_report(const struct user_frame *frame,
    const struct linux_siginfo *info);
