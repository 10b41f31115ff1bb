/* SPDX-License-Identifier: MIT */
/* Time from the clock page, and waiting. */
#pragma once

#include "linux.h"

#include <abi/status.h>

uint64_t time_now_ns(void);		/* since boot */
uint64_t time_wall_offset_ns(void);
/* Absolute deadline from a relative time. 0, -E_FAULT or -E_INVAL. */
long time_deadline(const struct linux_timespec *relative,
    uint64_t *out_deadline);
/*
 * A call that a signal without a handler ended goes on with resume() and what
 * that remembers: its time limit does not begin anew.
 */
long time_restart_with(long (*resume)(void));
/* ERR_TIMEOUT at the deadline, ERR_INTERRUPTED by a kick. */
status_t time_wait(uint64_t deadline_ns);
