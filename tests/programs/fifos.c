/* SPDX-License-Identifier: MIT */
/*
 * Named pipes: who waits for whom when they are opened, what the ends see of
 * each other, and bytes between processes that have nothing in common.
 */
#define _GNU_SOURCE
#include "say.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define PATH "fifo"
#define ROUNDS 40u
#define MEGABYTE (1u << 20)

static volatile sig_atomic_t signals;
static char buffer[70000];

static void
count_signal(int number)
{
	(void)number;
	signals++;
}

static void
handle(int number, int flags)
{
	struct sigaction action = { .sa_handler = count_signal,
		.sa_flags = flags };

	sigaction(number, &action, NULL);
}

static int
child(void)
{
	fflush(stdout);
	return fork() == 0;
}

static void
leave(void)
{
	fflush(stdout);
	_exit(0);
}

static void
join(void)
{
	int status;

	while (wait(&status) < 0 && errno == EINTR)
		;
	if (status != 0)
		printf("child: status %d\n", status);
}

static int
ready(int fd)
{
	struct pollfd entry = { .fd = fd, .events = POLLIN | POLLOUT };

	return poll(&entry, 1, 0) < 0 ? -2 : entry.revents;
}

static void
say_ready(const char *what, int fd)
{
	int bits = ready(fd);

	printf("%s:%s%s%s%s\n", what, bits & POLLIN ? " in" : "",
	    bits & POLLOUT ? " out" : "", bits & POLLHUP ? " hup" : "",
	    bits & POLLERR ? " err" : "");
}

static void
without_waiting(void)
{
	int in, out, both;
	struct stat st, named;

	SAY("nobody reads", open(PATH, O_WRONLY | O_NONBLOCK));
	in = open(PATH, O_RDONLY | O_NONBLOCK);
	SAY_OK("nobody writes", in);
	SAY("no writer yet", read(in, buffer, 1));
	say_ready("before a writer", in);
	out = open(PATH, O_WRONLY | O_NONBLOCK);
	SAY_OK("somebody reads", out);
	SAY("empty", read(in, buffer, 1));
	say_ready("empty", in);
	say_ready("empty, writer", out);
	SAY("write", write(out, "abc", 3));
	say_ready("three", in);
	SAY("two", read(in, buffer, 2));
	SAY("reader writes", write(in, "x", 1));
	SAY("writer reads", read(out, buffer, 1));
	SAY("seek", lseek(in, 0, SEEK_CUR));
	SAY("at an offset", pread(in, buffer, 1, 0));
	SAY("truncate", ftruncate(out, 0));
	int count = -1;
	SAY("ioctl", ioctl(in, FIONREAD, &count));
	SAY("waiting", count);
	SAY("stat", stat(PATH, &named) | fstat(in, &st));
	CHECK(S_ISFIFO(st.st_mode) && st.st_ino == named.st_ino &&
	    st.st_dev == named.st_dev);
	SAY("chmod", fchmod(in, 0640));
	SAY("mode", (stat(PATH, &named), named.st_mode & 0777));
	close(out);
	say_ready("the writer left one", in);
	SAY("the last", read(in, buffer, 10));
	say_ready("end", in);
	SAY("end", read(in, buffer, 10));
	out = open(PATH, O_WRONLY);
	SAY("again", read(in, buffer, 10));
	close(in);
	say_ready("no reader", out);
	SAY("broken", write(out, "x", 1));
	SAY("signals", signals);
	in = open(PATH, O_RDONLY);
	SAY("a reader again", write(out, "y", 1));
	SAY("read", read(in, buffer, 10));
	SAY("left behind", write(out, "lost", 4));
	close(in), close(out);
	both = open(PATH, O_RDWR);
	SAY("nothing is kept", fcntl(both, F_SETFL, O_NONBLOCK) |
	    (int)read(both, buffer, 1));
	SAY("to itself", write(both, "self", 4));
	say_ready("both ways", both);
	SAY("from itself", read(both, buffer, 10));
	SAY("too much", write(both, buffer, sizeof(buffer)));
	close(both);
	in = open(PATH, O_PATH);
	SAY("a path is no end", read(in, buffer, 1));
	SAY("nobody reads", open(PATH, O_WRONLY | O_NONBLOCK));
	close(in);
}

/* The one who comes first waits for the other. */
static void
waiting(void)
{
	if (child()) {
		int out = open(PATH, O_WRONLY);

		CHECK(out >= 0 || errno == 0);
		SAY("child wrote", write(out, "hello", 5));
		leave();
	}
	usleep(20000);
	int in = open(PATH, O_RDONLY);
	join();
	SAY("parent read", read(in, buffer, 10));
	SAY("end", read(in, buffer, 10));
	close(in);
	if (child()) {
		in = open(PATH, O_RDONLY);
		CHECK(in >= 0 || errno == 0);
		SAY("child read", read(in, buffer, 10));
		SAY("end", read(in, buffer, 10));
		leave();
	}
	usleep(20000);
	int out = open(PATH, O_WRONLY);
	SAY("parent wrote", write(out, "again", 5));
	close(out);
	join();
}

/* Again and again: the first signal may come before the call waits. */
static pid_t alarmer;

static void
alarms_begin(void)
{
	pid_t parent = getpid();

	signals = 0;
	fflush(stdout);
	alarmer = fork();
	if (alarmer != 0)
		return;
	for (;;) {
		usleep(20000);
		kill(parent, SIGALRM);
	}
}

static void
alarms_end(void)
{
	kill(alarmer, SIGKILL);
	while (waitpid(alarmer, NULL, 0) < 0 && errno == EINTR)
		;
	CHECK(signals > 0);
}

static void
interrupted(void)
{
	int fd;

	handle(SIGALRM, 0);
	alarms_begin();
	SAY("reader interrupted", open(PATH, O_RDONLY));
	SAY("writer interrupted", open(PATH, O_WRONLY));
	alarms_end();
	SAY("nobody is there", open(PATH, O_WRONLY | O_NONBLOCK));
	fd = open(PATH, O_RDWR);
	alarms_begin();
	SAY("read interrupted", read(fd, buffer, 1));
	alarms_end();
	close(fd);
	handle(SIGALRM, SA_RESTART);
	alarms_begin();
	if (child()) {
		usleep(50000);
		fd = open(PATH, O_WRONLY);
		leave();
	}
	fd = open(PATH, O_RDONLY);
	SAY_OK("waited on", fd);
	close(fd);
	alarms_end();
	join();
}

/* An end that is killed is as good as closed. */
static void
killed(void)
{
	pid_t pid;
	int fd;

	fflush(stdout);
	if ((pid = fork()) == 0) {
		fd = open(PATH, O_WRONLY);
		pause();
	}
	fd = open(PATH, O_RDONLY);
	kill(pid, SIGKILL);
	SAY("the writer is dead", read(fd, buffer, 1));
	join();
	close(fd);
	if ((pid = fork()) == 0) {
		fd = open(PATH, O_RDONLY);
		pause();
	}
	fd = open(PATH, O_WRONLY);
	kill(pid, SIGKILL);
	join();
	signals = 0;
	SAY("the reader is dead", write(fd, "x", 1));
	SAY("signals", signals);
	close(fd);
}

/* A full pipe, and its writer waits; children share an end. */
static void
full(void)
{
	int in = open(PATH, O_RDONLY | O_NONBLOCK);
	int out = open(PATH, O_WRONLY | O_NONBLOCK);
	unsigned total = 0;
	ssize_t done;

	while ((done = write(out, buffer, 4096)) > 0)
		total += (unsigned)done;
	SAY("full", done);
	SAY("bytes", total);
	say_ready("full", out);
	if (child()) {
		fcntl(out, F_SETFL, 0);
		SAY("waited for room", write(out, buffer, 4096));
		leave();
	}
	usleep(20000);
	for (unsigned got = 0; got < total;) {
		done = read(in, buffer, sizeof(buffer));
		got += done > 0 ? (unsigned)done : 0;
	}
	join();
	SAY("the rest", read(in, buffer, sizeof(buffer)));
	if (child()) {
		close(in);
		usleep(30000);
		leave();
	}
	close(out);
	fcntl(in, F_SETFL, 0);
	SAY("until the child ends", read(in, buffer, 1));
	join();
	close(in);
}

/* Each round another writer; the reader sees each end. */
static void
rounds(void)
{
	unsigned wrong = 0;

	if (child()) {
		for (unsigned i = 0; i < ROUNDS; i++) {
			int out = open(PATH, O_WRONLY);
			char text[16];

			sprintf(text, "%u.", i);
			if (write(out, text, strlen(text)) < 0)
				_exit(1);
			close(out);
			/* Until that was seen, it is the same stream. */
			while ((out = open("seen", O_RDONLY)) < 0)
				usleep(200);
			close(out);
			unlink("seen");
		}
		leave();
	}
	for (unsigned i = 0; i < ROUNDS; i++) {
		int in = open(PATH, O_RDONLY);
		char text[64] = { 0 };
		size_t got = 0;
		ssize_t more;

		while ((more = read(in, text + got, sizeof(text) - got)) > 0)
			got += (size_t)more;
		wrong += (unsigned)atoi(text) != i;
		close(in);
		close(open("seen", O_WRONLY | O_CREAT, 0600));
		while (access("seen", F_OK) == 0)
			usleep(200);
	}
	join();
	SAY("wrong rounds", wrong);
}

/* Several writers of lines; each line comes whole. */
static void
lines(void)
{
	unsigned count[4] = { 0 }, wrong = 0;
	char line[64];
	FILE *in;

	for (unsigned who = 0; who < 4; who++) {
		if (!child())
			continue;
		int out = open(PATH, O_WRONLY);
		for (unsigned n = 0; n < 300; n++) {
			int length = sprintf(line, "%u %u of %u\n", who, n,
			    300);
			if (write(out, line, (size_t)length) != length)
				_exit(1);
		}
		leave();
	}
	int fd = open(PATH, O_RDWR);
	in = fdopen(open(PATH, O_RDONLY), "r");
	for (unsigned n = 0; n < 1200 && fgets(line, sizeof(line), in); n++) {
		unsigned who, number;

		if (sscanf(line, "%u %u of 300", &who, &number) != 2 ||
		    who > 3 || number != count[who])
			wrong++;
		else
			count[who]++;
	}
	fclose(in);
	close(fd);
	for (unsigned who = 0; who < 4; who++)
		join();
	printf("lines %u %u %u %u wrong %u\n", count[0], count[1], count[2],
	    count[3], wrong);
}

static void
much(void)
{
	unsigned sum = 0, total = 0;
	ssize_t got;

	if (child()) {
		int out = open(PATH, O_WRONLY);

		for (unsigned i = 0; i < MEGABYTE; i += 4096) {
			memset(buffer, (int)(i >> 12), 4096);
			if (write(out, buffer, 4096) != 4096)
				_exit(1);
		}
		leave();
	}
	int in = open(PATH, O_RDONLY);
	while ((got = read(in, buffer, sizeof(buffer))) > 0)
		for (ssize_t i = 0; i < got; i++, total++)
			sum = sum * 31 + (unsigned char)buffer[i];
	join();
	printf("bytes %u sum %x\n", total, sum);
	close(in);
}

int
main(void)
{
	char folder[] = "/tmp/fifosXXXXXX";

	if (mkdtemp(folder) == NULL || chdir(folder) != 0)
		return 1;
	handle(SIGPIPE, 0);
	SAY("make", mkfifo(PATH, 0600));
	SAY("make again", mkfifo(PATH, 0600));
	without_waiting();
	waiting();
	interrupted();
	killed();
	full();
	rounds();
	lines();
	much();
	SAY("unlink", unlink(PATH));
	SAY("rmdir", rmdir(folder));
	return 0;
}
