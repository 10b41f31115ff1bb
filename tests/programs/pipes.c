/* SPDX-License-Identifier: MIT */
/* Pipes: order, atomicity, end of file, broken pipe, not waiting, poll. */
#define _GNU_SOURCE
#include "say.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char buffer[200000];
static volatile sig_atomic_t broken;

static void
on_pipe(int number)
{
	broken = number;
}

static void
alone(void)
{
	int p[2], count;
	struct stat st;

	SAY("pipe", pipe(p));
	SAY("write", write(p[1], "hello", 5));
	ioctl(p[0], FIONREAD, &count);
	SAY("FIONREAD", count);
	SAY("read part", read(p[0], buffer, 2));
	SAY("read rest", read(p[0], buffer, 100));
	printf("%.3s\n", buffer);
	SAY("lseek", lseek(p[0], 0, SEEK_SET));
	SAY("pread", pread(p[0], buffer, 1, 0));
	SAY("read wrong end", read(p[1], buffer, 1));
	SAY("write wrong end", write(p[0], buffer, 1));
	fstat(p[0], &st);
	CHECK(S_ISFIFO(st.st_mode));
	write(p[1], "tail", 4);
	close(p[1]);
	SAY("read after close", read(p[0], buffer, 100));
	SAY("end of file", read(p[0], buffer, 100));
	close(p[0]);
	SAY("pipe2 flags", pipe2(p, 0x40000000));
}

static void
not_waiting(void)
{
	int p[2];
	long total = 0, step;

	pipe2(p, O_NONBLOCK | O_CLOEXEC);
	SAY("read empty", read(p[0], buffer, 1));
	SAY("flags", fcntl(p[0], F_GETFL) & O_NONBLOCK);
	SAY("cloexec", fcntl(p[0], F_GETFD));
	while ((step = write(p[1], buffer, 4096)) > 0)
		total += step;
	SAY("capacity", total);
	SAY("write full", write(p[1], buffer, 1));
	read(p[0], buffer, 1);
	SAY("atomic write does not fit", write(p[1], buffer, 4096));
	close(p[0]);
	close(p[1]);
}

static void
no_reader(void)
{
	int p[2];

	pipe(p);
	close(p[0]);
	signal(SIGPIPE, on_pipe);
	SAY("write without reader", write(p[1], "x", 1));
	SAY("signal", broken);
	signal(SIGPIPE, SIG_IGN);
	broken = 0;
	SAY("write ignored", write(p[1], "x", 1));
	SAY("signal", broken);
	close(p[1]);
	signal(SIGPIPE, SIG_DFL);
	if (fork() == 0) {
		pipe(p);
		close(p[0]);
		write(p[1], "x", 1);
		_exit(0);
	}
	int status;
	wait(&status);
	printf("killed by %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

/* Four writers of lines shorter than PIPE_BUF: no line is torn. */
static void
many_writers(void)
{
	int p[2], lines = 0, good = 0, at = 0;
	long got;

	pipe(p);
	for (int w = 0; w < 4; w++) {
		if (fork() != 0)
			continue;
		char line[101];
		memset(line, 'a' + w, 100);
		line[100] = '\n';
		for (int i = 0; i < 500; i++)
			write(p[1], line, 101);
		_exit(0);
	}
	close(p[1]);
	char line[101];
	while ((got = read(p[0], buffer, sizeof(buffer))) > 0) {
		for (long i = 0; i < got; i++) {
			line[at++] = buffer[i];
			if (at < 101)
				continue;
			at = 0;
			lines++;
			int same = line[100] == '\n';
			for (int j = 1; j < 100; j++)
				same = same && line[j] == line[0];
			good += same;
		}
	}
	close(p[0]);
	while (wait(NULL) > 0)
		;
	printf("%d lines, %d whole\n", lines, good);
}

/* More than a ring full, both ways, with a child that copies. */
static void
round_trip(void)
{
	int to[2], from[2];
	unsigned sum = 0, expected = 0;
	long got, total = 0;

	pipe(to);
	pipe(from);
	if (fork() == 0) {
		close(to[1]);
		close(from[0]);
		while ((got = read(to[0], buffer, 3001)) > 0)
			write(from[1], buffer, got);
		_exit(0);
	}
	close(to[0]);
	close(from[1]);
	if (fork() == 0) {
		for (unsigned i = 0; i < sizeof(buffer); i++)
			buffer[i] = (char)(i * 7);
		for (int i = 0; i < 10; i++)
			write(to[1], buffer, sizeof(buffer));
		_exit(0);
	}
	close(to[1]);
	for (unsigned i = 0; i < sizeof(buffer); i++)
		expected += (unsigned char)(i * 7);
	while ((got = read(from[0], buffer, sizeof(buffer))) > 0) {
		for (long i = 0; i < got; i++)
			sum += (unsigned char)buffer[i];
		total += got;
	}
	while (wait(NULL) > 0)
		;
	printf("%ld bytes, sum %s\n", total,
	    sum == expected * 10 ? "right" : "WRONG");
	close(from[0]);
}

static void
polling(void)
{
	int p[2];
	pipe(p);
	struct pollfd fds[3] = { { p[0], POLLIN, 0 }, { p[1], POLLOUT, 0 },
	    { 99, POLLIN, 0 } };

	SAY("poll", poll(fds, 3, 0));
	printf("%x %x %x\n", fds[0].revents, fds[1].revents, fds[2].revents);
	SAY("poll times out", poll(fds, 1, 20));
	if (fork() == 0) {
		usleep(20000);
		write(p[1], "x", 1);
		_exit(0);
	}
	SAY("poll waits", poll(fds, 1, -1));
	SAY("revents", fds[0].revents);
	wait(NULL);
	fd_set in;
	FD_ZERO(&in);
	FD_SET(p[0], &in);
	SAY("select", select(p[0] + 1, &in, NULL, NULL,
	    &(struct timeval){ 0, 0 }));
	CHECK(FD_ISSET(p[0], &in));
	close(p[1]);
	read(p[0], buffer, 10);
	SAY("poll end", poll(fds, 1, -1));
	SAY("POLLHUP", fds[0].revents & POLLHUP);
	close(p[0]);
}

int
main(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	alone();
	not_waiting();
	no_reader();
	many_writers();
	round_trip();
	polling();
	return 0;
}
