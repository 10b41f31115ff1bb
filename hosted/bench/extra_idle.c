/* SPDX-License-Identifier: MIT */
/* CPU time of a thread that waits for a message that does not come. */
#include "channel_ends.h"
#include "extras.h"

#include <pthread.h>
#include <time.h>

#define WAIT_NS		2000000000ul
#define WAIT_QUICK_NS	100000000ul

struct waiter {
	struct channel_ends ends;
	uint64_t wait_ns, cpu_ns;
	bool	 fine;
};

static uint64_t
thread_cpu_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (uint64_t)time.tv_sec * 1000000000ul + (uint64_t)time.tv_nsec;
}

static void *
wait_for_nothing(void *argument)
{
	struct waiter *waiter = argument;
	uint64_t start = thread_cpu_ns();
	unsigned char message[64];
	size_t length = sizeof(message);

	waiter->fine = channel_receive_until(waiter->ends.in, message, &length,
	    waiter->ends.attendance.token, bench_now_ns() + waiter->wait_ns) ==
	    ERR_TIMEOUT;
	waiter->cpu_ns = thread_cpu_ns() - start;
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
	    1000.0 * (double)waiter.cpu_ns / (double)waiter.wait_ns);
}
