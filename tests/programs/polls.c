/* SPDX-License-Identifier: MIT */
/* poll, ppoll, select and pselect: what is told, time limits, signals. */
#define _GNU_SOURCE
#include "say.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define MS	1000000l
#define FEW	8

static int64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000l + t.tv_nsec;
}

static void
tell(const char *name, int fd, short wanted)
{
	struct pollfd p = { fd, wanted, 0x5555 };
	int result = poll(&p, 1, 0);

	printf("%s: %d %x\n", name, result, (unsigned)p.revents & 0xffff);
}

static void
states(void)
{
	int fd[2], file, gone[2];

	if (pipe(fd) != 0 || pipe(gone) != 0)
		return;
	tell("empty, in", fd[0], POLLIN);
	tell("empty, out", fd[1], POLLOUT);
	tell("empty, wrong side", fd[0], POLLOUT);
	(void)!write(fd[1], "x", 1);
	tell("in", fd[0], POLLIN);
	tell("all", fd[0], POLLIN | POLLRDNORM | POLLPRI | POLLRDBAND);
	tell("nothing wanted", fd[0], 0);
	close(fd[1]);
	tell("hang-up and bytes", fd[0], POLLIN);
	(void)!read(fd[0], (char[1]){ 0 }, 1);
	tell("hang-up", fd[0], POLLIN);
	tell("hang-up, not asked for", fd[0], 0);
	close(gone[0]);
	tell("no reader", gone[1], POLLOUT);
	tell("no reader, not asked for", gone[1], 0);
	file = open("/bin", O_RDONLY);
	tell("directory", file, POLLIN | POLLOUT);
	tell("closed", 77, POLLIN);
	tell("negative", -1, POLLIN);
	tell("place", open("/bin", O_PATH), POLLIN);
	file = open("/dev/null", O_RDWR);
	tell("null", file, POLLIN | POLLOUT);
	close(fd[0]);
	close(gone[1]);
}

static void
filled(void)
{
	char bytes[4096] = "";
	int fd[2];

	if (pipe2(fd, O_NONBLOCK) != 0)
		return;
	while (write(fd[1], bytes, sizeof(bytes)) > 0)
		;
	tell("full", fd[1], POLLOUT);
	(void)!read(fd[0], bytes, sizeof(bytes));
	tell("room", fd[1], POLLOUT);
	close(fd[0]);
	close(fd[1]);
}

/* Waits for several pipes; each child makes one of them ready. */
static void
several(void)
{
	struct pollfd p[FEW];
	int fd[FEW][2], status;

	for (int i = 0; i < FEW; i++) {
		if (pipe(fd[i]) != 0)
			return;
		p[i] = (struct pollfd){ fd[i][0], POLLIN, 0 };
	}
	for (int round = 0; round < 3 * FEW; round++) {
		int which = round * 5 % FEW, found = 0;
		pid_t child = fork();
		if (child == 0) {
			if (round < FEW)
				usleep(3000);
			(void)!write(fd[which][1], "x", 1);
			_exit(0);
		}
		int count = poll(p, FEW, 10000);
		for (int i = 0; i < FEW; i++)
			found = p[i].revents != 0 ? i : found;
		if (count != 1 || found != which)
			printf("round %d: %d, %d\n", round, count, found);
		(void)!read(fd[which][0], (char[1]){ 0 }, 1);
		waitpid(child, &status, 0);
	}
	for (int i = 0; i < FEW; i++) {
		close(fd[i][0]);
		close(fd[i][1]);
	}
	puts("several");
}

static void
limits(void)
{
	struct timespec t = { 0, 20 * MS };
	struct timeval v = { 0, 20000 };
	struct pollfd p = { -1, 0, 0 };
	int fd[2];

	if (pipe(fd) != 0)
		return;
	int64_t start = now_ns();
	SAY("poll", poll(&p, 1, 20));
	CHECK(now_ns() - start >= 20 * MS);
	start = now_ns();
	p = (struct pollfd){ fd[0], POLLIN, 0 };
	SAY("poll a pipe", poll(&p, 1, 20));
	CHECK(now_ns() - start >= 20 * MS);
	SAY("poll none", poll(NULL, 0, 5));
	start = now_ns();
	SAY("ppoll", syscall(SYS_ppoll, &p, 1, &t, NULL, 8));
	CHECK(now_ns() - start >= 20 * MS);
	CHECK(t.tv_sec == 0 && t.tv_nsec == 0);
	SAY("select", syscall(SYS_select, 0, NULL, NULL, NULL, &v));
	CHECK(v.tv_sec == 0 && v.tv_usec == 0);
	t = (struct timespec){ 100, 0 };
	(void)!write(fd[1], "x", 1);
	SAY("ppoll", syscall(SYS_ppoll, &p, 1, &t, NULL, 8));
	CHECK(t.tv_sec == 99 && t.tv_nsec > 0);
	t = (struct timespec){ 0, 1000000000 };
	SAY("too many nanoseconds", syscall(SYS_ppoll, &p, 1, &t, NULL, 8));
	t = (struct timespec){ -1, 0 };
	SAY("negative", syscall(SYS_ppoll, &p, 1, &t, NULL, 8));
	v = (struct timeval){ -1, 0 };
	SAY("negative", syscall(SYS_select, 0, NULL, NULL, NULL, &v));
	close(fd[0]);
	close(fd[1]);
}

static void
show(const char *name, int result, fd_set *in, fd_set *out, fd_set *except,
    const int fd[2])
{
	printf("%s: %d", name, result);
	for (int i = 0; i < 2; i++)
		printf(" %d%d%d", FD_ISSET(fd[i], in) != 0,
		    FD_ISSET(fd[i], out) != 0, FD_ISSET(fd[i], except) != 0);
	puts("");
}

/* All three sets with both ends. */
static void
select_both(const char *name, const int fd[2])
{
	fd_set in, out, except;
	struct timeval none = { 0, 0 };

	FD_ZERO(&in);
	for (int i = 0; i < 2; i++) {
		if (fcntl(fd[i], F_GETFD) >= 0)
			FD_SET(fd[i], &in);
	}
	out = except = in;
	int result = select(fd[1] + 1, &in, &out, &except, &none);
	show(name, result, &in, &out, &except, fd);
}

static void
sets(void)
{
	struct timeval none = { 0, 0 }, some = { 0, 20000 };
	fd_set in, out;
	int fd[2];

	if (pipe(fd) != 0)
		return;
	select_both("empty", fd);
	(void)!write(fd[1], "x", 1);
	select_both("byte", fd);
	close(fd[1]);
	select_both("hang-up", fd);
	(void)!read(fd[0], (char[1]){ 0 }, 1);
	select_both("end", fd);
	/* A hang-up is no room to write. */
	FD_ZERO(&out);
	FD_SET(fd[0], &out);
	int64_t start = now_ns();
	SAY("for writing only", select(fd[0] + 1, NULL, &out, NULL, &some));
	CHECK(now_ns() - start >= 20 * MS);
	CHECK(!FD_ISSET(fd[0], &out));
	FD_ZERO(&in);
	FD_SET(fd[1], &in);
	SAY("closed", select(fd[1] + 1, &in, NULL, NULL, &none));
	SAY("negative", select(-1, NULL, NULL, NULL, &none));
	SAY("from nowhere", syscall(SYS_select, 8, (void *)8, NULL, NULL,
	    &none));
	SAY("time from nowhere", syscall(SYS_select, 0, NULL, NULL, NULL,
	    (void *)8));
	close(fd[0]);
	if (pipe(fd) != 0)
		return;
	close(fd[0]);
	signal(SIGPIPE, SIG_IGN);
	int pair[2] = { fd[1], fd[1] };
	select_both("no reader", pair);
	close(fd[1]);
}

static int handled;

static void
note(int number)
{
	(void)number;
	handled++;
}

static pid_t
later(int number)
{
	pid_t parent = getpid(), child = fork();

	if (child != 0)
		return child;
	usleep(20000);
	kill(parent, number);
	_exit(0);
}

static void
signals(int flags)
{
	struct sigaction act = { .sa_handler = note, .sa_flags = flags };
	struct timespec zero = { 0, 0 };
	struct pollfd p[2] = { { eventfd(0, 0), POLLIN, 0 }, { -1, 0, 0 } };
	sigset_t usr1, none;
	pid_t child;

	handled = 0;
	sigaction(SIGUSR1, &act, NULL);
	sigemptyset(&none);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	child = later(SIGUSR1);
	SAY("poll", poll(p, 2, 10000));
	waitpid(child, NULL, 0);
	child = later(SIGUSR1);
	SAY("select", select(0, NULL, NULL, NULL, NULL));
	waitpid(child, NULL, 0);
	SAY("handled", handled);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	child = later(SIGUSR1);
	SAY("blocked", poll(p, 2, 60));
	waitpid(child, NULL, 0);
	SAY("handled", handled);
	SAY("ppoll", ppoll(p, 2, NULL, &none));
	SAY("handled", handled);
	kill(getpid(), SIGUSR1);
	SAY("ppoll without time", ppoll(p, 2, &zero, &none));
	SAY("handled", handled);
	kill(getpid(), SIGUSR1);
	(void)!write(p[0].fd, (uint64_t[1]){ 1 }, 8);
	SAY("ready goes first", ppoll(p, 2, &zero, &none));
	SAY("handled", handled);
	SAY("pselect", pselect(0, NULL, NULL, NULL, NULL, &none));
	SAY("handled", handled);
	sigprocmask(SIG_UNBLOCK, &usr1, NULL);
	close(p[0].fd);
}

/* What stops and continues does not end a poll, nor make it longer. */
static void
stopped(void)
{
	int64_t start = now_ns();
	struct pollfd p = { eventfd(0, 0), POLLIN, 0 };
	int status;
	pid_t child = fork();

	if (child == 0) {
		int result = poll(&p, 1, 100);
		_exit(result == 0 && now_ns() - start >= 100 * MS &&
		    now_ns() - start < 4000 * MS ? 0 : 1);
	}
	usleep(20000);
	kill(child, SIGSTOP);
	waitpid(child, &status, WUNTRACED);
	kill(child, SIGCONT);
	waitpid(child, &status, 0);
	SAY("stopped", status);
	close(p.fd);
}

static void
errors(void)
{
	struct rlimit limit = { 64, 1024 };
	struct pollfd p[70] = { { 0 } };

	setrlimit(RLIMIT_NOFILE, &limit);
	for (int i = 0; i < 70; i++)
		p[i].fd = -1;
	SAY("as many as there may be", poll(p, 64, 0));
	SAY("more than that", poll(p, 65, 0));
	SAY("from nowhere", syscall(SYS_poll, (void *)8, 1, 0));
	SAY("wrong size of a set", syscall(SYS_ppoll, p, 1, NULL, p, 4));
}

int
main(void)
{
	states();
	filled();
	several();
	limits();
	sets();
	signals(0);
	signals(SA_RESTART);
	stopped();
	errors();
	return 0;
}
