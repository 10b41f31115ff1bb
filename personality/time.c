/* SPDX-License-Identifier: MIT */
#include "clock.h"

#include "calls.h"
#include "process.h"
#include "service.h"
#include "signals.h"
#include "thread.h"
#include "user.h"

#include <abi/boot.h>
#include <lib/sys/sys.h>

#define NS		1000000000l
#define CLOCK_PAGE	((const volatile struct clock_page *)LIBOS_CLOCK_PAGE)
#define TIMER_ABSTIME	1
#define SECONDS_MAX	(INT64_MAX / NS / 2)

static cap_t quiet;	/* a notification that nobody signals */

/* A sleep that a signal without handler ended goes on until this. */
static struct {
	uint64_t deadline;
	struct linux_timespec *left;
	long (*resume)(void);	/* of another call; NULL: a sleep */
} restart;

uint64_t
time_now_ns(void)
{
	for (;;) {
		uint32_t before = __atomic_load_n(&CLOCK_PAGE->sequence,
		    __ATOMIC_ACQUIRE);
		uint32_t low, high;
		uint64_t tsc_base = CLOCK_PAGE->tsc_base;
		uint64_t ns_base = CLOCK_PAGE->ns_base;
		uint64_t mult = CLOCK_PAGE->mult;

		__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high)
		    :: "memory");
		uint64_t delta = ((uint64_t)high << 32 | low) - tsc_base;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if ((before & 1) == 0 && before == CLOCK_PAGE->sequence)
			return ns_base +
			    (uint64_t)((unsigned __int128)delta * mult >> 32);
	}
}

uint64_t
time_wall_offset_ns(void)
{
	return CLOCK_PAGE->wall_offset_ns;
}

bool
time_is_valid(const struct linux_timespec *t)
{
	return t->seconds >= 0 && t->nanoseconds >= 0 && t->nanoseconds < NS;
}

uint64_t
time_to_ns(const struct linux_timespec *t)
{
	if (t->seconds > SECONDS_MAX)
		return (uint64_t)SECONDS_MAX * NS;
	return (uint64_t)t->seconds * NS + (uint64_t)t->nanoseconds;
}

struct linux_timespec
time_of_ns(uint64_t ns)
{
	return (struct linux_timespec){ (int64_t)(ns / NS),
	    (int64_t)(ns % NS) };
}

long
time_deadline(const struct linux_timespec *relative, uint64_t *out_deadline)
{
	struct linux_timespec t;

	if (user_read(&t, relative, sizeof(t)) != 0)
		return -E_FAULT;
	if (!time_is_valid(&t))
		return -E_INVAL;
	*out_deadline = time_now_ns() + time_to_ns(&t);
	return 0;
}

status_t
time_wait(uint64_t deadline_ns)
{
	if (quiet == CAP_NONE) {
		status_t status = sys_object_create(OBJ_NOTIFICATION,
		    PROCESS_CONTAINER, 0, 0, &quiet);
		if (status != OK)
			return status;
	}
	/* A kick before this point would not end the wait. */
	if (UTCB->kick_pending != 0)
		return ERR_INTERRUPTED;
	status_t status = sys_wait(quiet, WAIT_COUNT, 0, deadline_ns, NULL,
	    NULL);
	return status == OK ? ERR_INTERRUPTED : status;
}

/* Reading */

static long
read_clock(int clock, uint64_t *out_ns)
{
	uint64_t ns = time_now_ns();

	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_TAI:
		*out_ns = ns + time_wall_offset_ns();
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		*out_ns = ns;
		return 0;
	case CLOCK_PROCESS_CPU:
	case CLOCK_THREAD_CPU:
		*out_ns = usage_own_ns();
		return 0;
	default:
		return -E_INVAL;
	}
}

long
linux_clock_gettime(int clock, struct linux_timespec *out)
{
	uint64_t ns;
	long error = read_clock(clock, &ns);

	if (error != 0)
		return error;
	struct linux_timespec t = time_of_ns(ns);
	return user_write(out, &t, sizeof(t));
}

long
linux_clock_getres(int clock, struct linux_timespec *out)
{
	uint64_t ns;
	long error = read_clock(clock, &ns);
	struct linux_timespec t = { 0, 1 };

	if (error != 0 || out == NULL)
		return error;
	if (clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE)
		t.nanoseconds = 4000000;
	return user_write(out, &t, sizeof(t));
}

long
linux_gettimeofday(struct linux_timeval *out, void *zone)
{
	uint64_t ns = time_now_ns() + time_wall_offset_ns();
	struct linux_timeval t = { (int64_t)(ns / NS),
	    (int64_t)(ns % NS / 1000) };

	if (out != NULL && user_write(out, &t, sizeof(t)) != 0)
		return -E_FAULT;
	if (zone != NULL && user_zero(zone, 8) != 0)
		return -E_FAULT;
	return 0;
}

long
linux_time(int64_t *out)
{
	int64_t seconds = (int64_t)((time_now_ns() + time_wall_offset_ns()) /
	    NS);

	if (out != NULL && user_write(out, &seconds, sizeof(seconds)) != 0)
		return -E_FAULT;
	return seconds;
}

/* Sleeping */

static long
sleep_until(uint64_t deadline, struct linux_timespec *left)
{
	status_t status = time_wait(deadline);

	if (status == ERR_TIMEOUT)
		return 0;
	if (status != ERR_INTERRUPTED)
		return service_error(status);
	signal_look_again();
	uint64_t now = time_now_ns();
	if (now >= deadline)
		return 0;
	struct linux_timespec t = time_of_ns(deadline - now);
	if (left != NULL && user_write(left, &t, sizeof(t)) != 0)
		return -E_FAULT;
	restart.deadline = deadline;
	restart.left = left;
	restart.resume = NULL;
	return -RESTART_BLOCK;
}

long
time_restart_with(long (*resume)(void))
{
	restart.resume = resume;
	return -RESTART_BLOCK;
}

long
linux_restart_syscall(void)
{
	if (restart.resume != NULL)
		return restart.resume();
	if (restart.deadline == 0)
		return -E_INTR;
	return sleep_until(restart.deadline, restart.left);
}

long
linux_nanosleep(const struct linux_timespec *wanted,
    struct linux_timespec *left)
{
	uint64_t deadline;
	long error = time_deadline(wanted, &deadline);

	return error != 0 ? error : sleep_until(deadline, left);
}

long
linux_clock_nanosleep(int clock, int flags,
    const struct linux_timespec *wanted, struct linux_timespec *left)
{
	struct linux_timespec t;
	uint64_t now;
	long error = read_clock(clock, &now);

	if (error != 0 || clock == CLOCK_THREAD_CPU)
		return -E_INVAL;
	if (clock == CLOCK_PROCESS_CPU || (flags & ~TIMER_ABSTIME) != 0)
		return clock == CLOCK_PROCESS_CPU ? -E_OPNOTSUPP : -E_INVAL;
	if ((flags & TIMER_ABSTIME) == 0)
		return linux_nanosleep(wanted, left);
	if (user_read(&t, wanted, sizeof(t)) != 0)
		return -E_FAULT;
	if (!time_is_valid(&t))
		return -E_INVAL;
	if (time_to_ns(&t) <= now)
		return 0;
	error = sleep_until(time_now_ns() + (time_to_ns(&t) - now), NULL);
	return error == -RESTART_BLOCK ? -RESTART_NO_HANDLER : error;
}
