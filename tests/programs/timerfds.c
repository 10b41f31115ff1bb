/* SPDX-License-Identifier: MIT */
/* timerfd: clocks, one shot and repeated, absolute, errors, sharing. */
#include "say.h"

#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>

#define MS 1000000l

static int64_t
now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000l + t.tv_nsec;
}

static struct timespec
span(int64_t ns)
{
	return (struct timespec){ ns / 1000000000, ns % 1000000000 };
}

static long
set(int fd, int flags, int64_t first, int64_t interval)
{
	struct itimerspec t = { span(interval), span(first) };

	return timerfd_settime(fd, flags, &t, NULL);
}

static uint64_t
take(int fd)
{
	uint64_t value = 0;

	return read(fd, &value, sizeof(value)) == sizeof(value) ? value : 0;
}

static int64_t
left_of(int fd)
{
	struct itimerspec t;

	timerfd_gettime(fd, &t);
	return t.it_value.tv_sec * 1000000000l + t.it_value.tv_nsec;
}

static void
one_shot(clockid_t clock, const char *name)
{
	int fd = timerfd_create(clock, 0);
	int64_t start = now_ns(CLOCK_MONOTONIC);

	SAY_OK(name, fd);
	CHECK(left_of(fd) == 0);
	SAY("set", set(fd, 0, 30 * MS, 0));
	CHECK(left_of(fd) > 0 && left_of(fd) <= 30 * MS);
	CHECK(take(fd) == 1);
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 30 * MS);
	CHECK(left_of(fd) == 0);
	SAY("absolute, in the past", set(fd, TFD_TIMER_ABSTIME, 1, 0));
	CHECK(take(fd) == 1);
	start = now_ns(clock);
	SAY("absolute", set(fd, TFD_TIMER_ABSTIME, start + 20 * MS, 0));
	CHECK(take(fd) == 1);
	CHECK(now_ns(clock) - start >= 20 * MS);
	close(fd);
}

static void
repeated(void)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	struct itimerspec old;
	uint64_t value, sum = 0;

	SAY("set", set(fd, 0, 5 * MS, 5 * MS));
	SAY("read before", read(fd, &value, 8));
	usleep(52000);
	sum = take(fd);
	CHECK(sum >= 10);
	SAY("read again", read(fd, &value, 8) == 8 || errno == EAGAIN);
	CHECK(left_of(fd) > 0 && left_of(fd) <= 5 * MS);
	SAY("stop", timerfd_settime(fd, 0, &(struct itimerspec){ 0 }, &old));
	CHECK(old.it_interval.tv_nsec == 5 * MS);
	CHECK(old.it_value.tv_nsec > 0 && old.it_value.tv_nsec <= 5 * MS);
	usleep(7000);
	SAY("read when stopped", read(fd, &value, 8));
	CHECK(left_of(fd) == 0);
	close(fd);
}

/* An interval goes on from when it was due, not from when it was read. */
static void
no_drift(void)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	int64_t start = now_ns(CLOCK_MONOTONIC), sum = 0;

	set(fd, TFD_TIMER_ABSTIME, start + 10 * MS, 10 * MS);
	while (sum < 5) {
		sum += (int64_t)take(fd);
		if (now_ns(CLOCK_MONOTONIC) < start + sum * 10 * MS)
			puts("too early");
		usleep(3000);
	}
	puts("no drift");
	close(fd);
}

static void
errors(void)
{
	struct itimerspec bad = { .it_value.tv_nsec = 1000000000 }, t;
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), out[2];
	uint64_t value;

	if (pipe(out) != 0)
		return;
	SAY("no such clock", timerfd_create(77, 0));
	SAY("clock of CPU time", timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0));
	SAY("wrong flags", timerfd_create(CLOCK_MONOTONIC, 1));
	SAY("too many nanoseconds", timerfd_settime(fd, 0, &bad, NULL));
	bad = (struct itimerspec){ .it_interval.tv_sec = -1 };
	SAY("negative", timerfd_settime(fd, 0, &bad, NULL));
	SAY("wrong flags", set(fd, 8, 1, 0));
	SAY("set of a pipe", set(out[0], 0, 1, 0));
	SAY("get of a pipe", timerfd_gettime(out[0], &t));
	SAY("set of nothing", set(99, 0, 1, 0));
	SAY("get of nothing", timerfd_gettime(99, &t));
	SAY("set from nowhere", syscall(SYS_timerfd_settime, fd, 0,
	    (void *)8, NULL));
	SAY("get to nowhere", syscall(SYS_timerfd_gettime, fd, (void *)8));
	SAY("short read", read(fd, &value, 7));
	SAY("write", write(fd, &value, 8));
	SAY("lseek", lseek(fd, 3, SEEK_SET));
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	SAY("cancel on set", set(fd, TFD_TIMER_ABSTIME |
	    TFD_TIMER_CANCEL_ON_SET, 1, 0));
	CHECK(take(fd) == 1);
	close(fd);
	close(out[0]);
	close(out[1]);
}

static void
polled(void)
{
	struct pollfd p[2] = { { timerfd_create(CLOCK_MONOTONIC, 0),
		POLLIN | POLLOUT, 0 },
	    { timerfd_create(CLOCK_REALTIME, 0), POLLIN, 0 } };
	int64_t start = now_ns(CLOCK_MONOTONIC);

	SAY("poll without", poll(p, 2, 0));
	set(p[0].fd, 0, 15 * MS, 0);
	set(p[1].fd, 0, 3600000 * MS, 0);
	SAY("poll", poll(p, 2, 10000));
	CHECK(p[0].revents == POLLIN && p[1].revents == 0);
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 15 * MS);
	CHECK(now_ns(CLOCK_MONOTONIC) - start < 5000 * MS);
	SAY("poll with a limit", poll(&p[1], 1, 10));
	close(p[0].fd);
	close(p[1].fd);
}

/* One description: what a child sets, its parent waits for. */
static void
shared(void)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	struct pollfd p = { fd, POLLIN, 0 };
	pid_t child;

	set(fd, 0, 3600000 * MS, 0);
	child = fork();
	if (child == 0) {
		usleep(10000);
		set(fd, 0, 5 * MS, 0);
		_exit(0);
	}
	SAY("poll", poll(&p, 1, 10000));
	CHECK(take(fd) == 1);
	waitpid(child, NULL, 0);
	set(fd, 0, 3600000 * MS, 0);
	child = fork();
	if (child == 0) {
		usleep(10000);
		set(fd, 0, 5 * MS, 0);
		_exit(0);
	}
	CHECK(take(fd) == 1);
	waitpid(child, NULL, 0);
	close(fd);
}

int
main(void)
{
	one_shot(CLOCK_MONOTONIC, "monotonic");
	one_shot(CLOCK_REALTIME, "realtime");
	one_shot(CLOCK_BOOTTIME, "boottime");
	repeated();
	no_drift();
	errors();
	polled();
	shared();
	return 0;
}
