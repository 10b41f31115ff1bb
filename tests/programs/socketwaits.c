/* SPDX-License-Identifier: MIT */
/* Local sockets that wait: the backlog, time limits, signals, readiness. */
#define _GNU_SOURCE
#include "localname.h"
#include "say.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

static char buffer[600000], other[600000];
static volatile sig_atomic_t raised;

static void
on_signal(int number)
{
	raised = number;
}

static void
backlog(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), clients[4], served;

	bind_to(fd, "@backlog");
	listen(fd, 1);
	for (int i = 0; i < 4; i++) {
		clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		SAY("connect", connect_to(clients[i], "@backlog"));
	}
	/* One that waits until there is room. */
	pid_t child = fork();
	if (child == 0) {
		int c = socket(AF_UNIX, SOCK_STREAM, 0);
		int result = connect_to(c, "@backlog");
		write(c, "waited", 6);
		_exit(result == 0 ? 0 : 1);
	}
	usleep(50000);
	for (int i = 0; i < 3; i++) {
		served = accept(fd, NULL, NULL);
		if (i == 2) {
			SAY("read", read(served, buffer, 100));
			printf("%.6s\n", buffer);
		}
		close(served);
	}
	int status;
	waitpid(child, &status, 0);
	printf("child %d\n", status);
	/* Those who wait when the listener goes. */
	SAY("again", connect_to(clients[2], "@backlog"));
	SAY("again", connect_to(clients[3], "@backlog"));
	child = fork();
	if (child == 0) {
		close(fd);
		int c = socket(AF_UNIX, SOCK_STREAM, 0);
		int result = connect_to(c, "@backlog");
		_exit(result == 0 ? 0 : errno);
	}
	usleep(50000);
	close(fd);
	waitpid(child, &status, 0);
	printf("child %s\n", error_name(WEXITSTATUS(status)));
	SAY("never accepted", read(clients[2], buffer, 1));
	SAY("then", read(clients[2], buffer, 1));
	for (int i = 0; i < 4; i++)
		close(clients[i]);
}

static void
limits_of_time(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), s[2];
	struct timeval t = { 0, 40000 };

	bind_to(fd, "@times");
	listen(fd, 0);
	SAY("set", setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
	SAY("accept", accept(fd, NULL, NULL));
	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	SAY("read", read(s[0], buffer, 1));
	t.tv_usec = 30000;
	setsockopt(s[0], SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
	long total = 0, step;
	while ((step = write(s[0], buffer, 4096)) > 0)
		total += step;
	SAY("write", write(s[0], buffer, 4096));
	CHECK(total >= 65536);
	struct timeval got;
	socklen_t length = sizeof(got);
	getsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &got, &length);
	printf("receive %ld %ld\n", (long)got.tv_sec, (long)got.tv_usec);
	t = (struct timeval){ 0, 1000000 };
	SAY("bad", setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
	SAY("short", setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, 8));
	int c[2];
	c[0] = socket(AF_UNIX, SOCK_STREAM, 0);
	c[1] = socket(AF_UNIX, SOCK_STREAM, 0);
	SAY("first", connect_to(c[0], "@times"));
	t = (struct timeval){ 0, 20000 };
	setsockopt(c[1], SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
	SAY("second", connect_to(c[1], "@times"));
	close(c[0]);
	close(c[1]);
	close(fd);
	close(s[0]);
	close(s[1]);
}

static void
interrupted(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	int s[2];

	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	sigaction(SIGALRM, &action, NULL);
	struct itimerval timer = { .it_value = { 0, 30000 } };
	setitimer(ITIMER_REAL, &timer, NULL);
	SAY("read", read(s[0], buffer, 1));
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	bind_to(fd, "@interrupted");
	listen(fd, 0);
	setitimer(ITIMER_REAL, &timer, NULL);
	SAY("accept", accept(fd, NULL, NULL));
	int c = socket(AF_UNIX, SOCK_STREAM, 0);
	SAY("one", connect_to(c, "@interrupted"));
	int d = socket(AF_UNIX, SOCK_STREAM, 0);
	setitimer(ITIMER_REAL, &timer, NULL);
	SAY("connect", connect_to(d, "@interrupted"));
	/* Again, and this time it goes on. */
	action.sa_flags = SA_RESTART;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	if (fork() == 0) {
		usleep(100000);
		close(accept(fd, NULL, NULL));
		write(s[1], "x", 1);
		_exit(0);
	}
	SAY("restarted connect", connect_to(d, "@interrupted"));
	SAY("restarted read", read(s[0], buffer, 1));
	wait(NULL);
	/* With a time limit it does not. */
	struct timeval t = { 5, 0 };
	setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	setitimer(ITIMER_REAL, &timer, NULL);
	SAY("limited read", read(s[0], buffer, 1));
	close(s[0]);
	close(s[1]);
	close(c);
	close(d);
	close(fd);
}

static void
readiness(void)
{
	int s[2], fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct pollfd p = { fd, POLLIN | POLLOUT, 0 };

	poll(&p, 1, 0);
	printf("unconnected %#x\n", p.revents);
	socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s);
	p = (struct pollfd){ s[0], POLLIN | POLLOUT, 0 };
	poll(&p, 1, 0);
	printf("idle %#x\n", p.revents);
	write(s[1], "x", 1);
	poll(&p, 1, 0);
	printf("readable %#x\n", p.revents);
	while (write(s[0], buffer, 4096) > 0)
		;
	SAY("full", write(s[0], buffer, 1));
	poll(&p, 1, 0);
	printf("full %#x\n", p.revents);
	read(s[0], buffer, 1);
	if (fork() == 0) {
		usleep(30000);
		write(s[1], "y", 1);
		_exit(0);
	}
	p.events = POLLIN;
	SAY("waited", poll(&p, 1, 5000));
	printf("%#x\n", p.revents);
	wait(NULL);
	while (read(s[1], other, sizeof(other)) > 0)
		;
	p.events = POLLOUT;
	SAY("room", poll(&p, 1, 5000));
	close(s[1]);
	p.events = POLLIN | POLLRDHUP;
	poll(&p, 1, 0);
	printf("gone %#x\n", p.revents);
	close(s[0]);
	close(fd);
}

int
main(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	printf("== backlog\n");
	backlog();
	printf("== limits of time\n");
	limits_of_time();
	printf("== signals\n");
	interrupted();
	printf("== readiness\n");
	readiness();
	return 0;
}
