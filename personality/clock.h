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
/* ERR_TIMEOUT at the deadline, ERR_INTERRUPTED by a kick. */
status_t time_wait(uint64_t deadline_ns);
