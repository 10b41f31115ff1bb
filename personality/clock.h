/* SPDX-License-Identifier: MIT */
/* Time from the clock page, and waiting. */
#pragma once

#include "linux.h"

#include <abi/status.h>
#include <stdbool.h>

/* Linux clock numbers. */
#define CLOCK_REALTIME		0
#define CLOCK_MONOTONIC		1
#define CLOCK_PROCESS_CPU	2
#define CLOCK_THREAD_CPU	3
#define CLOCK_MONOTONIC_RAW	4
#define CLOCK_REALTIME_COARSE	5
#define CLOCK_MONOTONIC_COARSE	6
#define CLOCK_BOOTTIME		7
#define CLOCK_REALTIME_ALARM	8
#define CLOCK_BOOTTIME_ALARM	9
#define CLOCK_TAI		11

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

bool time_is_valid(const struct linux_timespec *t);
/* Of what is valid; what is too long ends as far as can be. */
uint64_t time_to_ns(const struct linux_timespec *t);
struct linux_timespec time_of_ns(uint64_t ns);
