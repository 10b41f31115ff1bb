/* SPDX-License-Identifier: MIT */
/* What goes beside bytes: descriptors and credentials. */
#define _GNU_SOURCE
#include "say.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

#define MANY	300

static char buffer[1000];

union control {
	struct cmsghdr header;
	char	 bytes[CMSG_SPACE(MANY * sizeof(int)) + 64];
};

/* C libraries copy control and header themselves. */
static long
send_raw(int s, const struct msghdr *m, int flags)
{
	return syscall(SYS_sendmsg, s, m, flags);
}

/* text, and count descriptors. */
static long
send_fds(int s, const char *text, const int *fds, int count)
{
	union control control = { 0 };
	struct iovec v = { (void *)(uintptr_t)text, strlen(text) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	if (count != 0) {
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, (size_t)count * sizeof(int));
	}
	return send_raw(s, &m, MSG_NOSIGNAL);
}

static int got_fds[MANY], got_count;
static struct ucred got_who;
static int got_flags;

static bool quiet;

/* Says what came; descriptors are in got_fds. */
static long
receive(int s, size_t size, size_t room, int flags)
{
	union control control;
	struct iovec v = { buffer, size };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = room };
	long got;

	got_count = 0;
	got_who = (struct ucred){ -1, 0, 0 };
	memset(buffer, 0, 32);
	errno = 0;
	got = recvmsg(s, &m, flags);
	got_flags = m.msg_flags;
	if (got < 0) {
		printf("received: %s\n", error_name(errno));
		return got;
	}
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c != NULL;
	    c = CMSG_NXTHDR(&m, c)) {
		size_t size_of = c->cmsg_len - CMSG_LEN(0);
		if (c->cmsg_type == SCM_RIGHTS) {
			got_count = (int)(size_of / sizeof(int));
			memcpy(got_fds, CMSG_DATA(c), size_of);
		} else if (c->cmsg_type == SCM_CREDENTIALS) {
			memcpy(&got_who, CMSG_DATA(c), sizeof(got_who));
		}
	}
	if (!quiet)
		printf("received %ld %.8s: %d descriptors, flags %#x, length "
		    "%s\n", got, buffer, got_count, got_flags &
		    ~MSG_CMSG_CLOEXEC, m.msg_controllen == 0 ? "0" : "some");
	return got;
}

static void
drop_all(void)
{
	for (int i = 0; i < got_count; i++)
		close(got_fds[i]);
}

#define ROOM	sizeof(union control)

static void
kinds(int type)
{
	int s[2], p[2], pair[2], fd;
	struct stat a, b;
	char text[20] = { 0 };

	socketpair(AF_UNIX, type, 0, s);
	fd = open("/tmp/passing-file", O_RDWR | O_CREAT | O_TRUNC, 0600);
	write(fd, "0123456789", 10);
	lseek(fd, 3, SEEK_SET);
	SAY("file", send_fds(s[0], "f", &fd, 1));
	receive(s[1], 10, ROOM, 0);
	fstat(fd, &a);
	fstat(got_fds[0], &b);
	CHECK(a.st_ino == b.st_ino);
	SAY("read", read(got_fds[0], text, 4));
	printf("%s\n", text);
	/* One position for both. */
	SAY("position", lseek(fd, 0, SEEK_CUR));
	SAY("write", write(fd, "X", 1));
	SAY("moved", lseek(got_fds[0], 0, SEEK_CUR));
	SAY("cloexec", fcntl(got_fds[0], F_GETFD));
	drop_all();
	close(fd);
	unlink("/tmp/passing-file");
	/* A pipe: both ends, and the sender's are closed. */
	pipe(p);
	write(p[1], "in the pipe", 11);
	send_fds(s[0], "p", p, 2);
	close(p[0]);
	close(p[1]);
	receive(s[1], 10, ROOM, MSG_CMSG_CLOEXEC);
	SAY("cloexec", fcntl(got_fds[1], F_GETFD));
	SAY("more", write(got_fds[1], "!", 1));
	close(got_fds[1]);
	SAY("read", read(got_fds[0], text, sizeof(text)));
	SAY("end", read(got_fds[0], text, 1));
	close(got_fds[0]);
	/* Sockets. */
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	write(pair[0], "queued", 6);
	send_fds(s[0], "s", &pair[1], 1);
	close(pair[1]);
	SAY("still open", write(pair[0], "!", 1));
	receive(s[1], 10, ROOM, 0);
	SAY("read", read(got_fds[0], text, sizeof(text)));
	SAY("answer", write(got_fds[0], "answer", 6));
	SAY("got", read(pair[0], text, sizeof(text)));
	drop_all();
	SAY("end", read(pair[0], text, 1));
	close(pair[0]);
	/* Devices, directories. */
	int others[3] = { open("/dev/null", O_RDWR), open("/", O_RDONLY),
		open("/dev/zero", O_RDONLY) };
	send_fds(s[0], "d", others, 3);
	receive(s[1], 10, ROOM, 0);
	SAY("null", write(got_fds[0], "x", 1));
	fstat(got_fds[1], &a);
	CHECK(S_ISDIR(a.st_mode));
	SAY("openat", openat(got_fds[1], "no-such-file", O_RDONLY));
	SAY("zero", read(got_fds[2], text, 5));
	drop_all();
	for (int i = 0; i < 3; i++)
		close(others[i]);
	close(s[0]);
	close(s[1]);
}

/* Descriptors come with the first byte of theirs, and end a read. */
static void
order_in_streams(void)
{
	int s[2], fd = open("/dev/null", O_RDWR);

	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	write(s[0], "abc", 3);
	send_fds(s[0], "def", &fd, 1);
	write(s[0], "ghi", 3);
	send_fds(s[0], "jkl", &fd, 1);
	receive(s[1], 2, ROOM, 0);
	receive(s[1], 100, ROOM, 0);
	drop_all();
	receive(s[1], 100, ROOM, 0);
	drop_all();
	receive(s[1], 100, ROOM, MSG_DONTWAIT);
	/* In parts: with the first one. */
	send_fds(s[0], "mnopqr", &fd, 1);
	receive(s[1], 2, ROOM, MSG_PEEK);
	SAY("peeked", write(got_fds[0], "x", 1));
	drop_all();
	receive(s[1], 2, ROOM, 0);
	drop_all();
	receive(s[1], 100, ROOM, 0);
	/* A plain read loses them. */
	send_fds(s[0], "stu", &fd, 1);
	send_fds(s[0], "vwx", &fd, 1);
	SAY("read", read(s[1], buffer, 100));
	receive(s[1], 100, ROOM, 0);
	drop_all();
	close(s[0]);
	close(s[1]);
	close(fd);
}

static void
room(void)
{
	int s[2], p[2], fds[5];

	socketpair(AF_UNIX, SOCK_DGRAM, 0, s);
	pipe(p);
	for (int i = 0; i < 5; i++)
		fds[i] = p[0];
	send_fds(s[0], "5", fds, 5);
	receive(s[1], 10, CMSG_LEN(2 * sizeof(int)), 0);
	drop_all();
	send_fds(s[0], "0", fds, 5);
	receive(s[1], 10, 0, 0);
	send_fds(s[0], "l", fds, 1);
	receive(s[1], 10, 8, 0);
	/* None of the lost ones is open. */
	close(p[0]);
	signal(SIGPIPE, SIG_IGN);
	SAY("write", write(p[1], "x", 1));
	close(p[1]);
	close(s[0]);
	close(s[1]);
}

static void
errors(void)
{
	int s[2], bad = 999, fds[MANY];
	union control control = { 0 };
	struct iovec v = { "x", 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1,
		.msg_control = &control };

	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	SAY("bad", send_fds(s[0], "x", &bad, 1));
	for (int i = 0; i < MANY; i++)
		fds[i] = s[0];
	SAY("too many", send_fds(s[0], "x", fds, 254));
	SAY("most", send_fds(s[0], "m", fds, 253));
	receive(s[1], 10, ROOM, 0);
	drop_all();
	control.header = (struct cmsghdr){ .cmsg_len = 8,
		.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
	m.msg_controllen = 24;
	SAY("too short", send_raw(s[0], &m, 0));
	control.header.cmsg_len = 100;
	SAY("too long", send_raw(s[0], &m, 0));
	control.header.cmsg_len = 24;
	control.header.cmsg_type = 77;
	SAY("type", send_raw(s[0], &m, 0));
	control.header.cmsg_level = 6;
	SAY("level", send_raw(s[0], &m, 0));
	m.msg_control = (void *)8;
	SAY("fault", send_raw(s[0], &m, 0));
	m.msg_control = NULL;
	m.msg_controllen = 0;
	m.msg_iovlen = 2000;
	SAY("pieces", send_raw(s[0], &m, 0));
	SAY("header", send_raw(s[0], (void *)8, 0));
	close(s[0]);
	close(s[1]);
}

static long
send_credentials(int s, pid_t pid, uid_t uid)
{
	union control control = { 0 };
	struct ucred who = { pid, uid, getgid() };
	struct iovec v = { "c", 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(sizeof(who)) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_CREDENTIALS;
	c->cmsg_len = CMSG_LEN(sizeof(who));
	memcpy(CMSG_DATA(c), &who, sizeof(who));
	return send_raw(s, &m, 0);
}

static void
credentials(int type)
{
	int s[2], on = 1, status;

	socketpair(AF_UNIX, type, 0, s);
	SAY("before", write(s[0], "b", 1));
	SAY("on", setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, 4));
	SAY("after", write(s[0], "a", 1));
	receive(s[1], 1, ROOM, 0);
	printf("sent before: %d %d\n", (int)got_who.pid, (int)got_who.uid);
	receive(s[1], 1, ROOM, 0);
	CHECK(got_who.pid == getpid() && got_who.uid == getuid());
	pid_t child = fork();
	if (child == 0) {
		write(s[0], "k", 1);
		_exit(0);
	}
	waitpid(child, &status, 0);
	receive(s[1], 100, ROOM, 0);
	CHECK(got_who.pid == child);
	SAY("own", send_credentials(s[0], getpid(), getuid()));
	receive(s[1], 100, ROOM, 0);
	CHECK(got_who.pid == getpid());
	SAY("no such process", send_credentials(s[0], 4000000, getuid()));
	/* With descriptors. */
	send_fds(s[0], "f", &s[0], 1);
	receive(s[1], 100, ROOM, 0);
	CHECK(got_who.pid == getpid());
	drop_all();
	write(s[0], "n", 1);
	receive(s[1], 100, CMSG_LEN(sizeof(struct ucred)) - 4, 0);
	/* Different senders are not mixed. */
	write(s[0], "1", 1);
	child = fork();
	if (child == 0) {
		write(s[0], "2", 1);
		_exit(0);
	}
	waitpid(child, &status, 0);
	receive(s[1], 100, ROOM, 0);
	receive(s[1], 100, ROOM, 0);
	CHECK(got_who.pid == child);
	close(s[0]);
	close(s[1]);
}

/* The sender is dead before anybody receives. */
static void
in_flight(void)
{
	int s[2], status;
	char text[20];

	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	if (fork() == 0) {
		int p[2];
		pipe(p);
		write(p[1], "from the dead", 13);
		send_fds(s[1], "p", p, 1);
		kill(getpid(), SIGKILL);
	}
	wait(&status);
	close(s[1]);
	receive(s[0], 10, ROOM, 0);
	SAY("read", read(got_fds[0], text, sizeof(text)));
	SAY("end", read(got_fds[0], text, 1));
	drop_all();
	close(s[0]);
}

/*
 * 1 when the other end of the pipe is closed within some seconds. Linux looks
 * for what is lost only when another socket is closed.
 */
static int
closes(int write_end)
{
	int s[2];

	for (int i = 0; i < 500; i++) {
		if (write(write_end, "x", 1) < 0)
			return 1;
		socketpair(AF_UNIX, SOCK_STREAM, 0, s);
		close(s[0]);
		close(s[1]);
		usleep(10000);
	}
	return 0;
}

/* What nobody can receive any more is closed. */
static void
lost(void)
{
	int s[2], p[2], q[2];

	signal(SIGPIPE, SIG_IGN);
	/* The receiver closes. */
	pipe(p);
	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	send_fds(s[0], "p", &p[0], 1);
	close(p[0]);
	close(s[1]);
	close(s[0]);
	CHECK(closes(p[1]));
	close(p[1]);
	/* It dies. */
	pipe(p);
	socketpair(AF_UNIX, SOCK_DGRAM, 0, s);
	pid_t child = fork();
	if (child == 0) {
		close(p[0]);
		close(p[1]);
		close(s[0]);
		for (;;)
			pause();
	}
	close(s[1]);
	send_fds(s[0], "p", &p[0], 1);
	close(p[0]);
	SAY("held", write(p[1], "x", 1));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	CHECK(closes(p[1]));
	close(p[1]);
	close(s[0]);
	/* A socket on the way to itself. */
	pipe(p);
	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	int both[2] = { s[1], p[0] };
	send_fds(s[0], "c", both, 2);
	close(p[0]);
	close(s[0]);
	close(s[1]);
	CHECK(closes(p[1]));
	close(p[1]);
	/* Two on the way to each other. */
	pipe(p);
	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	socketpair(AF_UNIX, SOCK_STREAM, 0, q);
	int first[2] = { q[1], p[0] }, second[1] = { s[1] };
	send_fds(s[0], "1", first, 2);
	send_fds(q[0], "2", second, 1);
	int kept = dup(s[1]);
	close(p[0]);
	close(s[1]);
	close(q[1]);
	SAY("reachable", write(p[1], "x", 1));
	usleep(50000);
	SAY("reachable", write(p[1], "x", 1));
	close(kept);
	close(s[0]);
	close(q[0]);
	CHECK(closes(p[1]));
	close(p[1]);
	signal(SIGPIPE, SIG_DFL);
}

/* A server hands its connections to a worker; a listener is passed, too. */
static void
hand_over(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX,
		.sun_path = "\0hand-over" };
	socklen_t length = offsetof(struct sockaddr_un, sun_path) + 10;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), s[2], status;
	char text[20] = { 0 };

	bind(fd, (struct sockaddr *)&name, length);
	listen(fd, 5);
	socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s);
	if (fork() == 0) {
		close(fd);
		quiet = true;
		receive(s[1], 10, ROOM, 0);
		int listener = got_fds[0];
		int c = accept(listener, NULL, NULL);
		long got = read(c, text, sizeof(text));
		write(c, text, (size_t)got);
		receive(s[1], 10, ROOM, 0);
		write(got_fds[0], "handed", 6);
		_exit(0);
	}
	send_fds(s[0], "l", &fd, 1);
	close(fd);
	int c = socket(AF_UNIX, SOCK_STREAM, 0);
	SAY("connect", connect(c, (struct sockaddr *)&name, length));
	write(c, "echo", 4);
	SAY("echo", read(c, text, sizeof(text)));
	int pair[2];
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	send_fds(s[0], "c", &pair[1], 1);
	close(pair[1]);
	SAY("handed", read(pair[0], text, sizeof(text)));
	printf("%.6s\n", text);
	wait(&status);
	printf("status %d\n", status);
	SAY("nobody listens", connect(socket(AF_UNIX, SOCK_STREAM, 0),
	    (struct sockaddr *)&name, length));
	close(c);
	close(pair[0]);
	close(s[0]);
	close(s[1]);
}

int
main(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	printf("== stream\n");
	kinds(SOCK_STREAM);
	printf("== datagrams\n");
	kinds(SOCK_DGRAM);
	printf("== order\n");
	order_in_streams();
	room();
	printf("== errors\n");
	errors();
	printf("== credentials\n");
	credentials(SOCK_STREAM);
	credentials(SOCK_DGRAM);
	printf("== in flight\n");
	in_flight();
	lost();
	hand_over();
	return 0;
}
