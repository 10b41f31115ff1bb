/* SPDX-License-Identifier: MIT */
/*
 * linux-bench: waiting for many things. What is waited for is ready, or becomes
 * so by another process; beside it lie descriptors that never do.
 */
#include "linux-bench.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define IDLE_MOST	990
#define SAMPLES		400

static int epoll, ready, idle[IDLE_MOST], idle_count, to_child, to_parent;

static void
put(int fd)
{
	uint64_t one = 1;

	bench_must(write(fd, &one, sizeof(one)) == sizeof(one), "write");
}

static void
take(int fd)
{
	uint64_t value;

	bench_must(read(fd, &value, sizeof(value)) == sizeof(value), "read");
}

static void
do_event(void)
{
	put(ready);
	take(ready);
}

static void
wait_for_one(void)
{
	struct epoll_event event;

	bench_must(epoll_wait(epoll, &event, 1, -1) == 1, "epoll_wait");
}

static void
do_epoll(void)
{
	put(ready);
	wait_for_one();
	take(ready);
}

static void
do_round_trip(void)
{
	put(to_child);
	wait_for_one();
	take(to_parent);
}

static int
add(int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static int
open_all(int count)
{
	epoll = epoll_create1(0);
	ready = eventfd(0, 0);
	if (epoll < 0 || ready < 0 || !add(ready))
		return 0;
	for (idle_count = 0; idle_count < count; idle_count++) {
		idle[idle_count] = eventfd(0, 0);
		if (idle[idle_count] < 0 || !add(idle[idle_count]))
			return 0;
	}
	return 1;
}

static void
close_all(void)
{
	while (idle_count > 0)
		close(idle[--idle_count]);
	close(ready);
	close(epoll);
}

static void
measure(const char *name, int count, void (*run)(void))
{
	if (open_all(count))
		bench_measure(name, SAMPLES, 1, run);
	else
		bench_skip(name, strerror(errno));
	close_all();
}

/* Both sides sleep in epoll_wait. */
static void
echo(void)
{
	epoll = epoll_create1(0);
	bench_must(add(to_child), "epoll_ctl");
	for (;;) {
		wait_for_one();
		take(to_child);
		put(to_parent);
	}
}

static void
measure_round_trip(const char *name, int count)
{
	to_child = eventfd(0, 0);
	to_parent = eventfd(0, 0);
	if (to_parent < 0) {
		bench_skip(name, strerror(errno));
		return;
	}
	pid_t child = fork();
	bench_must(child >= 0, "fork");
	if (child == 0)
		echo();
	bench_must(open_all(count) && add(to_parent), "epoll");
	bench_measure(name, SAMPLES, 1, do_round_trip);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close_all();
	close(to_child);
	close(to_parent);
}

void
bench_polls(int (*wanted)(const char *name))
{
	if (wanted("eventfd"))
		measure("eventfd", 0, do_event);
	if (wanted("epoll_wait_1"))
		measure("epoll_wait_1", 0, do_epoll);
	if (wanted("epoll_wait_1000"))
		measure("epoll_wait_1000", IDLE_MOST, do_epoll);
	if (wanted("epoll_round_trip"))
		measure_round_trip("epoll_round_trip", 0);
	if (wanted("epoll_round_trip_1000"))
		measure_round_trip("epoll_round_trip_1000", IDLE_MOST);
}
