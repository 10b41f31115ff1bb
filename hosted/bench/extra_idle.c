/* SPDX-License-Identifier: MIT */
/*
 * CPU time of a thread that waits for a message that does not come: the median
 * of some waits, because what a hypervisor takes from the CPU meanwhile counts
 * as the thread's.
 */
#include "channel_ends.h"
#include "extras.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define WAITS		5u
#define WAIT_NS		400000000ul
#define WAIT_QUICK_NS	20000000ul

struct waiter {
	struct channel_ends ends;
	uint64_t wait_ns;
	uint64_t cpu_ns[WAITS];
	bool	 fine;
};

static uint64_t
thread_cpu_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (uint64_t)time.tv_sec * 1000000000ul + (uint64_t)time.tv_nsec;
}

static uint64_t
wait_once(struct waiter *waiter)
{
	uint64_t start = thread_cpu_ns();
	unsigned char message[64];
	size_t length = sizeof(message);

	if (channel_receive_until(waiter->ends.in, message, &length,
	    waiter->ends.attendance.token, bench_now_ns() + waiter->wait_ns) !=
	    ERR_TIMEOUT)
		waiter->fine = false;
	return thread_cpu_ns() - start;
}

static int
compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void *
wait_for_nothing(void *argument)
{
	struct waiter *waiter = argument;

	waiter->fine = true;
	for (unsigned i = 0; i < WAITS; i++)
		waiter->cpu_ns[i] = wait_once(waiter);
	qsort(waiter->cpu_ns, WAITS, sizeof(waiter->cpu_ns[0]), compare);
	return NULL;
}

bool
extra_idle(struct figures *figures, bool quick)
{
	struct waiter waiter = { .wait_ns = quick ? WAIT_QUICK_NS : WAIT_NS };
	struct channel_ends client;
	struct meeting meeting;
	pthread_t thread;

	if (!meeting_of_threads(&meeting, TOKEN_TRUST_MAX))
		return false;
	waiter.ends.meeting = &meeting;
	client = waiter.ends;
	if (channel_ends_open(&waiter.ends, BENCH_SERVER)) {
		if (channel_ends_open(&client, BENCH_CLIENT) &&
		    pthread_create(&thread, NULL, wait_for_nothing,
		    &waiter) == 0)
			pthread_join(thread, NULL);
		channel_ends_close(&client);
		channel_ends_close(&waiter.ends);
	}
	meeting_close(&meeting);
	return waiter.fine && figures_add_single(figures, "channel-idle.cpu",
	    "CPU time of a member that waits", "permille",
	    1000.0 * (double)waiter.cpu_ns[WAITS / 2] / (double)waiter.wait_ns);
}
