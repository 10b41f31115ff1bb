/* SPDX-License-Identifier: MIT */
/* epoll: levels, edges, one shot, nesting, who is told, errors. */
#define _GNU_SOURCE
#include "say.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>

#define MANY	200
#define MS	1000000l

static struct epoll_event events[MANY];

static int
control(int epoll, int operation, int fd, uint32_t wanted, uint32_t data)
{
	struct epoll_event event = { .events = wanted, .data.u32 = data };

	return epoll_ctl(epoll, operation, fd, &event);
}

/* What is ready, as numbers of the descriptors and their bits. */
static void
tell(const char *name, int epoll, int timeout)
{
	int count = epoll_wait(epoll, events, MANY, timeout);

	printf("%s:", name);
	if (count < 0)
		printf(" %s", error_name(errno));
	for (int i = 0; i < count; i++) {
		int best = i;
		for (int k = i + 1; k < count; k++)
			if (events[k].data.u32 < events[best].data.u32)
				best = k;
		struct epoll_event event = events[best];
		events[best] = events[i];
		printf(" %u=%x", event.data.u32, event.events);
	}
	puts("");
}

static long
put(int fd, uint64_t value)
{
	return write(fd, &value, sizeof(value));
}

static void
drain(int fd)
{
	char bytes[4096];

	while (read(fd, bytes, sizeof(bytes)) == sizeof(bytes))
		;
}

static void
levels(void)
{
	int epoll = epoll_create1(0), fd[2];

	if (pipe(fd) != 0)
		return;
	SAY("add", control(epoll, EPOLL_CTL_ADD, fd[0], EPOLLIN, 1));
	SAY("add", control(epoll, EPOLL_CTL_ADD, fd[1], EPOLLOUT, 2));
	tell("empty pipe", epoll, 0);
	SAY("write", write(fd[1], "abc", 3));
	tell("full pipe", epoll, 0);
	tell("again", epoll, 0);
	SAY("read", read(fd[0], (char[2]){ 0 }, 2));
	tell("rest", epoll, 0);
	drain(fd[0]);
	tell("drained", epoll, 0);
	SAY("modify", control(epoll, EPOLL_CTL_MOD, fd[1], EPOLLIN, 3));
	tell("nothing", epoll, 0);
	SAY("modify", control(epoll, EPOLL_CTL_MOD, fd[1], EPOLLOUT, 4));
	tell("out", epoll, 0);
	close(fd[1]);
	tell("hang-up", epoll, 0);
	SAY("modify", control(epoll, EPOLL_CTL_MOD, fd[0], 0, 5));
	tell("hang-up, not asked", epoll, 0);
	close(fd[0]);
	tell("closed", epoll, 0);
	close(epoll);
}

static void
edges(void)
{
	int epoll = epoll_create1(0), fd[2];

	if (pipe2(fd, O_NONBLOCK) != 0)
		return;
	control(epoll, EPOLL_CTL_ADD, fd[0], EPOLLIN | EPOLLET, 1);
	tell("before", epoll, 0);
	put(fd[1], 1);
	tell("edge", epoll, 0);
	tell("no edge", epoll, 0);
	put(fd[1], 1);
	tell("more", epoll, 0);
	put(fd[1], 1);
	put(fd[1], 1);
	tell("two are one", epoll, 0);
	tell("no edge", epoll, 0);
	drain(fd[0]);
	tell("drained", epoll, 0);
	put(fd[1], 1);
	tell("edge", epoll, 0);
	SAY("modify", control(epoll, EPOLL_CTL_MOD, fd[0], EPOLLIN | EPOLLET,
	    2));
	tell("told anew", epoll, 0);
	tell("no edge", epoll, 0);
	close(fd[1]);
	tell("hang-up", epoll, 0);
	tell("no edge", epoll, 0);
	close(fd[0]);
	close(epoll);
}

static void
one_shot(void)
{
	int epoll = epoll_create1(0), fd = eventfd(1, EFD_NONBLOCK);

	control(epoll, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLONESHOT, 1);
	tell("once", epoll, 0);
	tell("no more", epoll, 0);
	put(fd, 1);
	tell("no more", epoll, 0);
	SAY("again", control(epoll, EPOLL_CTL_MOD, fd,
	    EPOLLIN | EPOLLONESHOT | EPOLLET, 2));
	tell("once", epoll, 0);
	put(fd, 1);
	tell("no more", epoll, 0);
	close(fd);
	close(epoll);
}

static void
event_edges(void)
{
	int epoll = epoll_create1(0), fd = eventfd(0, EFD_NONBLOCK);
	uint64_t value;

	control(epoll, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT | EPOLLET, 1);
	tell("writable", epoll, 0);
	put(fd, 1);
	tell("edge", epoll, 0);
	put(fd, 1);
	tell("edge", epoll, 0);
	tell("no edge", epoll, 0);
	SAY("read", read(fd, &value, 8));
	tell("edge of room", epoll, 0);
	close(fd);
	close(epoll);
}

/* Waits until another process does something. */
static void
woken(void)
{
	int epoll = epoll_create1(0), fd[2], other = eventfd(0, 0);
	pid_t child;

	if (pipe(fd) != 0)
		return;
	control(epoll, EPOLL_CTL_ADD, fd[0], EPOLLIN, 1);
	control(epoll, EPOLL_CTL_ADD, other, EPOLLIN, 2);
	for (int round = 0; round < 20; round++) {
		child = fork();
		if (child == 0) {
			if (round % 4 == 0)
				usleep(5000);
			if (round % 2 == 0)
				(void)!write(fd[1], "x", 1);
			else
				put(other, 1);
			_exit(0);
		}
		tell("woken", epoll, 10000);
		if (round % 2 == 0)
			(void)!read(fd[0], (char[1]){ 0 }, 1);
		else
			(void)!read(other, (uint64_t[1]){ 0 }, 8);
		waitpid(child, NULL, 0);
	}
	/* The last writer dies without a word. */
	child = fork();
	if (child == 0) {
		close(fd[0]);
		for (;;)
			pause();
	}
	close(fd[1]);
	tell("nobody yet", epoll, 30);
	kill(child, SIGKILL);
	tell("killed", epoll, 10000);
	waitpid(child, NULL, 0);
	close(fd[0]);
	close(other);
	close(epoll);
}

static void
times(void)
{
	int epoll = epoll_create1(0);
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	struct itimerspec t = { { 0, 0 }, { 0, 10 * MS } };
	struct timespec span = { 0, 10 * MS }, start, end;

	control(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, 1);
	clock_gettime(CLOCK_MONOTONIC, &start);
	tell("limit", epoll, 20);
	clock_gettime(CLOCK_MONOTONIC, &end);
	CHECK((end.tv_sec - start.tv_sec) * 1000000000l + end.tv_nsec -
	    start.tv_nsec >= 20 * MS);
	timerfd_settime(fd, 0, &t, NULL);
	tell("timer", epoll, 10000);
	tell("unread", epoll, 0);
	drain(fd);
	tell("read", epoll, 0);
	SAY("modify", control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLET, 2));
	t.it_interval.tv_nsec = 10 * MS;
	timerfd_settime(fd, 0, &t, NULL);
	tell("edge", epoll, 10000);
	tell("no edge before it is read", epoll, 30);
	drain(fd);
	tell("edge", epoll, 10000);
	SAY("wait2", syscall(SYS_epoll_pwait2, epoll, events, 1, &span, NULL,
	    8) >= 0);
	span.tv_nsec = 1000000000;
	SAY("wait2, malformed", syscall(SYS_epoll_pwait2, epoll, events, 1,
	    &span, NULL, 8));
	close(fd);
	close(epoll);
}

/* One description with two descriptors; two descriptions of one pipe. */
static void
duplicates(void)
{
	int epoll = epoll_create1(0), fd[2], copy;

	if (pipe(fd) != 0)
		return;
	copy = dup(fd[0]);
	SAY("add", control(epoll, EPOLL_CTL_ADD, fd[0], EPOLLIN, 1));
	SAY("add twice", control(epoll, EPOLL_CTL_ADD, fd[0], EPOLLIN, 1));
	SAY("add copy", control(epoll, EPOLL_CTL_ADD, copy, EPOLLIN, 2));
	(void)!write(fd[1], "x", 1);
	tell("both", epoll, 0);
	close(fd[0]);
	tell("one is closed", epoll, 0);
	SAY("delete", control(epoll, EPOLL_CTL_DEL, fd[0], 0, 0));
	SAY("delete copy", control(epoll, EPOLL_CTL_DEL, copy, 0, 0));
	tell("first", epoll, 0);
	close(copy);
	tell("none", epoll, 0);
	close(fd[1]);
	close(epoll);
}

static void
nested(void)
{
	int inner = epoll_create1(0), outer = epoll_create1(0);
	int chain[7], fd = eventfd(0, EFD_NONBLOCK);
	struct pollfd p = { outer, POLLIN | POLLOUT, 0 };
	pid_t child;

	control(inner, EPOLL_CTL_ADD, fd, EPOLLIN, 1);
	SAY("add inner", control(outer, EPOLL_CTL_ADD, inner, EPOLLIN, 2));
	tell("nothing", outer, 0);
	put(fd, 1);
	tell("outer", outer, 0);
	SAY("poll", poll(&p, 1, 0));
	CHECK(p.revents == POLLIN);
	tell("inner", inner, 0);
	drain(fd);
	tell("nothing", outer, 0);
	SAY("poll", poll(&p, 1, 0));
	child = fork();
	if (child == 0) {
		usleep(10000);
		put(fd, 1);
		_exit(0);
	}
	tell("woken", outer, 10000);
	waitpid(child, NULL, 0);
	SAY("itself", control(outer, EPOLL_CTL_ADD, outer, EPOLLIN, 0));
	SAY("loop", control(inner, EPOLL_CTL_ADD, outer, EPOLLIN, 0));
	for (int i = 0; i < 7; i++)
		chain[i] = epoll_create1(0);
	for (int i = 0; i < 6; i++)
		SAY("chain", control(chain[i + 1], EPOLL_CTL_ADD, chain[i],
		    EPOLLIN, 0));
	for (int i = 0; i < 7; i++)
		close(chain[i]);
	close(fd);
	close(inner);
	close(outer);
}

static void
errors(void)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC), fd[2];
	int file = open("/bin", O_RDONLY | O_DIRECTORY);

	if (pipe(fd) != 0)
		return;
	SAY("size 0", syscall(SYS_epoll_create, 0));
	SAY("wrong flags", epoll_create1(1));
	CHECK(fcntl(epoll, F_GETFD) == FD_CLOEXEC);
	SAY("directory", control(epoll, EPOLL_CTL_ADD, file, EPOLLIN, 0));
	SAY("nothing", control(epoll, EPOLL_CTL_ADD, 99, EPOLLIN, 0));
	SAY("no epoll", control(99, EPOLL_CTL_ADD, fd[0], EPOLLIN, 0));
	SAY("to a pipe", control(fd[0], EPOLL_CTL_ADD, fd[1], EPOLLIN, 0));
	SAY("delete", control(epoll, EPOLL_CTL_DEL, fd[0], 0, 0));
	SAY("modify", control(epoll, EPOLL_CTL_MOD, fd[0], EPOLLIN, 0));
	SAY("no such operation", control(epoll, 9, fd[0], EPOLLIN, 0));
	SAY("from nowhere", syscall(SYS_epoll_ctl, epoll, EPOLL_CTL_ADD,
	    fd[0], (void *)8));
	SAY("no room", epoll_wait(epoll, events, 0, 0));
	SAY("wait on a pipe", epoll_wait(fd[0], events, 1, 0));
	SAY("wait on nothing", epoll_wait(99, events, 1, 0));
	SAY("read", read(epoll, events, 8));
	SAY("write", write(epoll, events, 8));
	SAY("lseek", lseek(epoll, 0, SEEK_SET));
	control(epoll, EPOLL_CTL_ADD, fd[1], EPOLLOUT | EPOLLWAKEUP, 1);
	SAY("to nowhere", syscall(SYS_epoll_wait, epoll, (void *)8, 1, 0));
	tell("it stays", epoll, 0);
	SAY("exclusive", control(epoll, EPOLL_CTL_ADD, fd[0],
	    EPOLLIN | EPOLLEXCLUSIVE, 2));
	SAY("exclusive is not modified", control(epoll, EPOLL_CTL_MOD, fd[0],
	    EPOLLIN, 2));
	SAY("nor made so", control(epoll, EPOLL_CTL_MOD, fd[1],
	    EPOLLIN | EPOLLEXCLUSIVE, 2));
	SAY("delete", control(epoll, EPOLL_CTL_DEL, fd[0], 0, 2));
	SAY("exclusive one shot", control(epoll, EPOLL_CTL_ADD, fd[0],
	    EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT, 2));
	SAY("wrong size", syscall(SYS_epoll_pwait, epoll, events, 1, 0,
	    (void *)events, 4));
	close(epoll);
	close(fd[0]);
	close(fd[1]);
	close(file);
}

static int handled;

static void
note(int number)
{
	(void)number;
	handled++;
}

static void
interrupted(int flags)
{
	struct sigaction act = { .sa_handler = note, .sa_flags = flags };
	int epoll = epoll_create1(0), fd = eventfd(0, 0);
	sigset_t none, usr1;
	pid_t parent = getpid(), child;

	handled = 0;
	sigaction(SIGUSR1, &act, NULL);
	control(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, 1);
	child = fork();
	if (child == 0) {
		usleep(20000);
		kill(parent, SIGUSR1);
		_exit(0);
	}
	tell("interrupted", epoll, 10000);
	SAY("handled", handled);
	waitpid(child, NULL, 0);
	sigemptyset(&none);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	kill(parent, SIGUSR1);
	SAY("blocked", handled);
	tell("blocked", epoll, 10);
	SAY("unblocked", epoll_pwait(epoll, events, 1, 10000, &none));
	SAY("handled", handled);
	kill(parent, SIGUSR1);
	put(fd, 1);
	SAY("ready goes first", epoll_pwait(epoll, events, 1, 10000, &none));
	SAY("handled", handled);
	sigprocmask(SIG_UNBLOCK, &usr1, NULL);
	SAY("handled", handled);
	/* Nothing runs: the wait goes on. */
	child = fork();
	if (child == 0) {
		usleep(10000);
		kill(parent, SIGCHLD);
		kill(parent, SIGWINCH);
		usleep(10000);
		put(fd, 1);
		_exit(0);
	}
	drain(fd);
	tell("not interrupted", epoll, 10000);
	waitpid(child, NULL, 0);
	close(fd);
	close(epoll);
}

/* A child shares the instance: what it adds and removes, its parent sees. */
static void
forked(void)
{
	int epoll = epoll_create1(0), a = eventfd(0, 0), b = eventfd(1, 0);
	int status;
	pid_t child;

	control(epoll, EPOLL_CTL_ADD, a, EPOLLIN, 1);
	child = fork();
	if (child == 0) {
		if (control(epoll, EPOLL_CTL_ADD, b, EPOLLIN, 2) != 0 ||
		    control(epoll, EPOLL_CTL_DEL, a, 0, 0) != 0)
			_exit(1);
		_exit(0);
	}
	waitpid(child, &status, 0);
	SAY("status", status);
	put(a, 1);
	tell("as the child left it", epoll, 0);
	SAY("it is there", control(epoll, EPOLL_CTL_ADD, b, EPOLLIN, 2));
	child = fork();
	if (child == 0) {
		int count = epoll_wait(epoll, events, MANY, 10000);
		_exit(count == 1 && events[0].data.u32 == 2 ? 0 : 1);
	}
	waitpid(child, &status, 0);
	SAY("status", status);
	/* What a child closes stays with its parent. */
	child = fork();
	if (child == 0) {
		close(b);
		_exit(0);
	}
	waitpid(child, &status, 0);
	tell("still there", epoll, 0);
	close(a);
	close(b);
	close(epoll);
}

/* More are ready than there is room for: all have their turn. */
static void
many(void)
{
	int epoll = epoll_create1(0), fd[MANY], seen[MANY] = { 0 }, all = 0;

	for (int i = 0; i < MANY; i++) {
		fd[i] = eventfd(0, EFD_NONBLOCK);
		control(epoll, EPOLL_CTL_ADD, fd[i], EPOLLIN, (uint32_t)i);
	}
	tell("none", epoll, 0);
	for (int i = 0; i < MANY; i += 67)
		put(fd[i], 1);
	tell("some", epoll, 0);
	for (int i = 0; i < MANY; i++)
		put(fd[i], 1);
	for (int round = 0; round < MANY / 10; round++) {
		int count = epoll_wait(epoll, events, 10, 0);
		for (int i = 0; i < count; i++)
			seen[events[i].data.u32]++;
	}
	for (int i = 0; i < MANY; i++)
		all += seen[i] == 1;
	SAY("each once", all);
	for (int i = 0; i < MANY; i++)
		close(fd[i]);
	tell("all closed", epoll, 0);
	close(epoll);
}

int
main(void)
{
	levels();
	edges();
	one_shot();
	event_edges();
	woken();
	times();
	duplicates();
	nested();
	errors();
	interrupted(0);
	interrupted(SA_RESTART);
	forked();
	many();
	return 0;
}
