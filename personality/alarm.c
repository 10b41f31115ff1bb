/* SPDX-License-Identifier: MIT */
/*
 * alarm and setitimer: proc holds the time, for it survives exec and is not
 * passed on by fork. The timers of CPU time are not served: nobody looks when it is due.
 */
#include "calls.h"
#include "process.h"
#include "service.h"
#include "user.h"

#include <idl/proc_client.h>

#define NS		1000000000ul
#define ITIMER_REAL	0
#define ITIMER_LAST	2
#define SECONDS_MAX	(1l << 31)

struct timer {
	struct linux_timeval interval, value;
};

static struct linux_timeval
to_timeval(uint64_t ns)
{
	/* What is left is never told as nothing. */
	uint64_t us = (ns + 999) / 1000;

	return (struct linux_timeval){ (int64_t)(us / 1000000),
	    (int64_t)(us % 1000000) };
}

static uint64_t
to_ns(const struct linux_timeval *t)
{
	int64_t seconds = t->seconds < SECONDS_MAX ? t->seconds : SECONDS_MAX;

	return (uint64_t)seconds * NS + (uint64_t)t->microseconds * 1000;
}

static bool
valid(const struct linux_timeval *t)
{
	return t->seconds >= 0 && t->microseconds >= 0 &&
	    t->microseconds < 1000000;
}

/* Without set it only asks. */
static long
request(bool set, const struct timer *wanted, struct timer *out_before)
{
	struct proc_alarm_results before;
	long error = proc_alarm(PROCESS_PROC, set, to_ns(&wanted->value),
	    to_ns(&wanted->interval), &before);

	if (error == 0)
		*out_before = (struct timer){ to_timeval(before.interval_ns),
		    to_timeval(before.left_ns) };
	return error;
}

long
linux_setitimer(int which, const void *new, void *old)
{
	struct timer wanted = { 0 }, before;

	if (new != NULL && user_read(&wanted, new, sizeof(wanted)) != 0)
		return -E_FAULT;
	if (!valid(&wanted.value) || !valid(&wanted.interval))
		return -E_INVAL;
	if (which != ITIMER_REAL)
		return which < 0 || which > ITIMER_LAST ? -E_INVAL : -E_NOSYS;
	long error = request(true, &wanted, &before);
	if (error != 0 || old == NULL)
		return error;
	return user_write(old, &before, sizeof(before));
}

long
linux_getitimer(int which, void *out)
{
	struct timer now;

	if (which < 0 || which > ITIMER_LAST)
		return -E_INVAL;
	if (which != ITIMER_REAL)
		return -E_NOSYS;
	long error = request(false, &(struct timer){ 0 }, &now);
	return error != 0 ? error : user_write(out, &now, sizeof(now));
}

/* Seconds before, to the nearest, but not 0 if there was one. */
long
linux_alarm(unsigned seconds)
{
	struct timer before, wanted = { .value.seconds = seconds };
	long error = request(true, &wanted, &before);

	if (error != 0)
		return error;
	bool up = before.value.microseconds >= 500000 ||
	    (before.value.seconds == 0 && before.value.microseconds != 0);
	return before.value.seconds + up;
}
