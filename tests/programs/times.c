/* SPDX-License-Identifier: MIT */
/* Clocks and sleeping. Only what holds on every machine is printed. */
#define _GNU_SOURCE
#include "say.h"

#include <stdint.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>

static int64_t
now(int clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t
now_by_call(int clock)
{
	struct timespec t;

	syscall(SYS_clock_gettime, clock, &t);
	return t.tv_sec * 1000000000 + t.tv_nsec;
}

int
main(void)
{
	struct timespec t = { 0, 30000000 };
	struct timeval tv;
	int64_t last = now(CLOCK_MONOTONIC), back = 0;

	for (int i = 0; i < 10000; i++) {
		int64_t next = now(CLOCK_MONOTONIC);
		back += next < last;
		last = next;
	}
	SAY("steps back", back);
	CHECK(now_by_call(CLOCK_MONOTONIC) >= last);
	CHECK(now_by_call(CLOCK_MONOTONIC) <= now(CLOCK_MONOTONIC));
	int64_t wall = now(CLOCK_REALTIME);
	gettimeofday(&tv, NULL);
	CHECK(tv.tv_sec - wall / 1000000000 <= 1);
	CHECK(time(NULL) - wall / 1000000000 <= 1);
	CHECK(wall > 1600000000ll * 1000000000);
	last = now(CLOCK_MONOTONIC);
	SAY("nanosleep", nanosleep(&t, NULL));
	int64_t slept = now(CLOCK_MONOTONIC) - last;
	CHECK(slept >= 30000000 && slept < 5000000000);
	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += 20000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	SAY("until", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL));
	CHECK(now(CLOCK_MONOTONIC) >= t.tv_sec * 1000000000 + t.tv_nsec);
	t = (struct timespec){ 0, 1000000000 };
	SAY("bad time", nanosleep(&t, NULL));
	t = (struct timespec){ -1, 0 };
	SAY("negative time", nanosleep(&t, NULL));
	SAY("bad clock", clock_gettime(77, &t));
	SAY("getres", clock_getres(CLOCK_MONOTONIC, &t));
	CHECK(t.tv_sec == 0 && t.tv_nsec > 0);
	CHECK(times(&(struct tms){ 0 }) > 0);
	return 0;
}
