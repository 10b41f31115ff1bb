/* SPDX-License-Identifier: MIT */
/*
 * timer_create and what belongs to it: proc holds the timers and raises their
 * signals. Times are since boot there; the wall clock is not set while programs
 * run, so a time of it is converted once.
 */
#include "calls.h"
#include "clock.h"
#include "process.h"
#include "service.h"
#include "signals.h"
#include "thread.h"
#include "user.h"

#include <idl/timers_client.h>

#define TIMER_ABSTIME	1u

/* struct sigevent */
#define NOTIFY_SIGNAL	0
#define NOTIFY_NONE	1
#define NOTIFY_THREAD	2	/* the C library's: a signal for the kernel */
#define NOTIFY_THREAD_ID 4

struct event {
	uint64_t value;
	int32_t	 signo, notify;
	int32_t	 thread;
	uint8_t	 pad[44];
};
_Static_assert(sizeof(struct event) == 64, "struct sigevent");

struct itimerspec {
	struct linux_timespec interval, value;
};

/* 0: a timer can have this clock. */
static long
check_clock(int clock)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
	case CLOCK_TAI:
		return 0;
	case CLOCK_PROCESS_CPU:
	case CLOCK_THREAD_CPU:
		return -E_NOSYS;
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC_COARSE:
		return -E_OPNOTSUPP;
	default:
		return -E_INVAL;
	}
}

static bool
is_of_wall(int clock)
{
	return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM ||
	    clock == CLOCK_TAI;
}

/* What proc is to do when it expires. 0 or -E_INVAL. */
static long
wanted(const struct event *event, struct timers_create_args *out)
{
	bool signals = event->signo >= 1 && event->signo <= L_NSIG;

	*out = (struct timers_create_args){ .value = event->value };
	switch (event->notify) {
	case NOTIFY_NONE:
		return 0;
	case NOTIFY_THREAD_ID:
		if (event->thread != (int)INFO->pid)
			return -E_INVAL;
		out->thread = (uint32_t)event->thread;
		break;
	case NOTIFY_SIGNAL:
	case NOTIFY_THREAD:
		break;
	default:
		return -E_INVAL;
	}
	out->signal = (uint32_t)event->signo;
	return signals ? 0 : -E_INVAL;
}

/* proc numbers them from 0, the lowest that is free. */
#define TIMERS_MAX	256u

static uint8_t clocks[TIMERS_MAX];

long
linux_timer_create(int clock, const void *from, int *out)
{
	struct timers_create_args in = { .signal = L_SIGALRM,
		.own_value = true };
	struct event event;
	uint32_t id;
	long error = check_clock(clock);

	if (error == 0 && from != NULL) {
		if (user_read(&event, from, sizeof(event)) != 0)
			return -E_FAULT;
		error = wanted(&event, &in);
	}
	if (error == 0)
		error = timers_create(PROCESS_PROC, &in, &id);
	if (error != 0)
		return error;
	if (id >= TIMERS_MAX || user_write(out, &(int){ (int)id },
	    sizeof(int)) != 0) {
		timers_delete(PROCESS_PROC, id);
		return id >= TIMERS_MAX ? -E_AGAIN : -E_FAULT;
	}
	clocks[id] = (uint8_t)clock;
	return 0;
}

/* When, since boot; 0: never. */
static uint64_t
due_of(unsigned id, const struct linux_timespec *value, bool absolute)
{
	uint64_t ns = time_to_ns(value), offset = time_wall_offset_ns();

	if (ns == 0)
		return 0;
	if (!absolute)
		return time_now_ns() + ns;
	if (!is_of_wall(clocks[id % TIMERS_MAX]))
		return ns;
	/* Before the boot is at once. */
	return ns > offset ? ns - offset : 1;
}

static struct itimerspec
left_from(uint64_t left, uint64_t interval)
{
	return (struct itimerspec){ time_of_ns(interval), time_of_ns(left) };
}

long
linux_timer_settime(int id, unsigned flags, const void *from, void *old)
{
	struct timers_set_results before;
	struct itimerspec new;

	if (from == NULL)
		return -E_INVAL;
	if (user_read(&new, from, sizeof(new)) != 0)
		return -E_FAULT;
	if (!time_is_valid(&new.value) || !time_is_valid(&new.interval))
		return -E_INVAL;
	long error = timers_set(PROCESS_PROC, (uint32_t)id,
	    due_of((uint32_t)id, &new.value, (flags & TIMER_ABSTIME) != 0),
	    time_to_ns(&new.interval), &before);
	if (error != 0)
		return error;
	/* It may have expired already. */
	signal_look_again();
	if (old == NULL)
		return 0;
	new = left_from(before.left, before.interval);
	return user_write(old, &new, sizeof(new));
}

long
linux_timer_gettime(int id, void *out)
{
	struct timers_get_results now;
	long error = timers_get(PROCESS_PROC, (uint32_t)id, &now);

	if (error != 0)
		return error;
	const struct itimerspec left = left_from(now.left, now.interval);
	return user_write(out, &left, sizeof(left));
}

long
linux_timer_getoverrun(int id)
{
	struct timers_get_results now;
	long error = timers_get(PROCESS_PROC, (uint32_t)id, &now);

	return error != 0 ? error : (long)now.overrun;
}

long
linux_timer_delete(int id)
{
	return timers_delete(PROCESS_PROC, (uint32_t)id);
}
