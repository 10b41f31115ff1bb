/* SPDX-License-Identifier: MIT */
/*
 * Local sockets that connect: pairs, streams and sequenced packets, names,
 * listening, ends, options.
 */
#define _GNU_SOURCE
#include "localname.h"
#include "say.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

static char buffer[600000], other[600000];
static volatile sig_atomic_t raised;

static void
on_signal(int number)
{
	raised = number;
}

static void
say_name(const char *what, int fd, int (*ask)(int, struct sockaddr *,
    socklen_t *))
{
	struct sockaddr_un name;
	socklen_t length = sizeof(name);

	memset(&name, 0x55, sizeof(name));
	errno = 0;
	if (ask(fd, (struct sockaddr *)&name, &length) != 0) {
		printf("%s: %s\n", what, error_name(errno));
		return;
	}
	printf("%s: length %u family %d", what, length, name.sun_family);
	if (length > 2 && name.sun_path[0] == 0)
		printf(" @%.*s", (int)length - 3, name.sun_path + 1);
	else if (length > 2)
		printf(" %s", name.sun_path);
	printf("\n");
}

static void
calls(void)
{
	int fd, p[2];

	SAY("packet", socket(17 + 1000, SOCK_DGRAM, 0));
	SAY("no family", socket(200, SOCK_STREAM, 0));
	SAY("negative family", socket(-1, SOCK_STREAM, 0));
	SAY("no type", socket(AF_UNIX, 11, 0));
	SAY("type rdm", socket(AF_UNIX, SOCK_RDM, 0));
	SAY("flags", socket(AF_UNIX, SOCK_STREAM | 0x100, 0));
	SAY("protocol", socket(AF_UNIX, SOCK_STREAM, 17));
	SAY_OK("protocol unix", fd = socket(AF_UNIX, SOCK_STREAM, 1));
	SAY("not a socket", listen(0x7777, 1));
	pipe(p);
	SAY("pipe is none", send(p[1], "x", 1, 0));
	SAY("read", read(fd, buffer, 1));
	SAY("read nothing", read(fd, buffer, 0));
	SAY("recv", recv(fd, buffer, 1, 0));
	SAY("send", send(fd, "x", 1, MSG_NOSIGNAL));
	SAY("write", write(fd, "x", 1));
	SAY("write nothing", write(fd, "x", 0));
	SAY("lseek", lseek(fd, 0, SEEK_SET));
	SAY("shutdown", shutdown(fd, 2));
	SAY("listen unnamed", listen(fd, 1));
	SAY("accept", accept(fd, NULL, NULL));
	say_name("own", fd, getsockname);
	say_name("peer", fd, getpeername);
	close(fd);
	fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	SAY("packet recv", recv(fd, buffer, 1, 0));
	SAY("packet send", send(fd, "x", 1, 0));
	close(fd);
	SAY_OK("raw is dgram", fd = socket(AF_UNIX, SOCK_RAW, 0));
	int type;
	socklen_t length = sizeof(type);
	getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length);
	CHECK(type == SOCK_DGRAM);
	close(fd);
	close(p[0]);
	close(p[1]);
}

static void
pair(int type)
{
	int s[2], count;
	struct stat st;

	SAY("socketpair", socketpair(AF_UNIX, type, 0, s));
	SAY("write", write(s[0], "hello", 5));
	SAY("send", send(s[0], "world", 5, 0));
	ioctl(s[1], FIONREAD, &count);
	SAY("FIONREAD", count);
	SAY("peek", recv(s[1], buffer, 3, MSG_PEEK));
	SAY("part", recv(s[1], buffer, 3, 0));
	SAY("rest", recv(s[1], buffer + 3, 100, MSG_DONTWAIT));
	SAY("more", recv(s[1], buffer + 8, 100, MSG_DONTWAIT));
	printf("%.13s\n", buffer);
	SAY("other way", write(s[1], "back", 4));
	SAY("read", read(s[0], buffer, 100));
	fstat(s[0], &st);
	CHECK(S_ISSOCK(st.st_mode));
	say_name("own", s[0], getsockname);
	say_name("peer", s[0], getpeername);
	SAY("connect", connect_to(s[0], "@nobody-there"));
	SAY("listen", listen(s[0], 1));
	SAY("accept", accept(s[0], NULL, NULL));
	/* Pieces. */
	struct iovec v[3] = { { "ab", 2 }, { NULL, 0 }, { "cdef", 4 } };
	SAY("writev", writev(s[0], v, 3));
	struct iovec r[2] = { { buffer, 3 }, { buffer + 3, 3 } };
	SAY("readv", readv(s[1], r, 2));
	printf("%.6s\n", buffer);
	close(s[0]);
	SAY("end", read(s[1], buffer, 1));
	signal(SIGPIPE, on_signal);
	raised = 0;
	SAY("write to nobody", write(s[1], "x", 1));
	printf("signal %d\n", raised);
	raised = 0;
	SAY("without signal", send(s[1], "x", 1, MSG_NOSIGNAL));
	printf("signal %d\n", raised);
	signal(SIGPIPE, SIG_DFL);
	close(s[1]);
}

static void
messages_keep_their_borders(void)
{
	int s[2];

	socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s);
	SAY("empty", send(s[0], "", 0, 0));
	SAY("one", send(s[0], "1", 1, 0));
	SAY("long", send(s[0], "0123456789", 10, 0));
	SAY("next", send(s[0], "abc", 3, 0));
	SAY("got empty", recv(s[1], buffer, 10, 0));
	SAY("got one", recv(s[1], buffer, 10, 0));
	struct iovec v = { buffer, 4 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	SAY("peek long", recvmsg(s[1], &m, MSG_PEEK));
	printf("flags %#x\n", m.msg_flags);
	SAY("peek all of it", recvmsg(s[1], &m, MSG_PEEK | MSG_TRUNC));
	SAY("cut", recvmsg(s[1], &m, 0));
	printf("flags %#x %.4s\n", m.msg_flags, buffer);
	SAY("got next", recv(s[1], buffer, 10, MSG_WAITALL));
	SAY("none", recv(s[1], buffer, 10, MSG_DONTWAIT));
	SAY("too long", send(s[0], buffer, 300000, 0));
	SAY("large", send(s[0], buffer, 100000, 0));
	SAY("got large", recv(s[1], other, sizeof(other), 0));
	shutdown(s[0], SHUT_WR);
	SAY("after shutdown", recv(s[1], buffer, 10, 0));
	close(s[0]);
	close(s[1]);
}

static void
shutdowns(int type)
{
	int s[2];
	struct pollfd p;

	socketpair(AF_UNIX, type, 0, s);
	signal(SIGPIPE, SIG_IGN);
	write(s[0], "left", 4);
	SAY("how", shutdown(s[0], 3));
	SAY("write side", shutdown(s[0], SHUT_WR));
	SAY("write after", write(s[0], "x", 1));
	SAY("what was there", read(s[1], buffer, 10));
	SAY("end", read(s[1], buffer, 10));
	SAY("other way", write(s[1], "y", 1));
	SAY("and read", read(s[0], buffer, 10));
	p = (struct pollfd){ s[1], POLLIN | POLLOUT | POLLRDHUP, 0 };
	poll(&p, 1, 0);
	printf("poll %#x\n", p.revents);
	SAY("read side", shutdown(s[0], SHUT_RD));
	SAY("write to it", write(s[1], "z", 1));
	SAY("read it", read(s[0], buffer, 10));
	p = (struct pollfd){ s[0], POLLIN | POLLOUT | POLLRDHUP, 0 };
	poll(&p, 1, 0);
	printf("poll %#x\n", p.revents);
	close(s[0]);
	close(s[1]);
	signal(SIGPIPE, SIG_DFL);
}

/* Unread bytes when the other side closes: told once, and only to readers. */
static void
resets(void)
{
	int s[2], error = -1;
	socklen_t length = sizeof(error);
	struct pollfd p;

	signal(SIGPIPE, SIG_IGN);
	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	write(s[1], "unread", 6);
	write(s[0], "to read", 7);
	close(s[0]);
	p = (struct pollfd){ s[1], POLLIN | POLLOUT, 0 };
	poll(&p, 1, 0);
	printf("poll %#x\n", p.revents);
	SAY("write", write(s[1], "x", 1));
	SAY("read first", read(s[1], buffer, 100));
	SAY("then", read(s[1], buffer, 100));
	SAY("and then", read(s[1], buffer, 100));
	close(s[1]);
	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	write(s[1], "unread", 6);
	close(s[0]);
	getsockopt(s[1], SOL_SOCKET, SO_ERROR, &error, &length);
	printf("SO_ERROR %s\n", error_name(error));
	getsockopt(s[1], SOL_SOCKET, SO_ERROR, &error, &length);
	printf("SO_ERROR %d\n", error);
	SAY("read", read(s[1], buffer, 100));
	close(s[1]);
	signal(SIGPIPE, SIG_DFL);
}

static void
names(const char *path)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), second, client, served;
	struct sockaddr_un name;
	struct stat st;

	printf("-- %s\n", path);
	SAY("connect early", connect_to(fd, path));
	SAY("bind", bind_to(fd, path));
	SAY("bind again", bind_to(fd, "@another-name"));
	second = socket(AF_UNIX, SOCK_STREAM, 0);
	SAY("taken", bind_to(second, path));
	SAY("not listening", connect_to(second, path));
	close(second);
	SAY("listen", listen(fd, 2));
	SAY("listen again", listen(fd, 3));
	say_name("listener", fd, getsockname);
	say_name("listener's peer", fd, getpeername);
	if (path[0] != '@') {
		stat(path, &st);
		printf("mode %o\n", st.st_mode);
		SAY("open", open(path, O_RDONLY));
	}
	client = socket(AF_UNIX, SOCK_STREAM, 0);
	second = socket(AF_UNIX, SOCK_DGRAM, 0);
	SAY("wrong type", connect_to(second, path));
	close(second);
	SAY("connect", connect_to(client, path));
	SAY("connect twice", connect_to(client, path));
	say_name("client", client, getsockname);
	say_name("client's peer", client, getpeername);
	SAY("early write", write(client, "early", 5));
	struct pollfd p = { fd, POLLIN | POLLOUT, 0 };
	poll(&p, 1, 0);
	printf("poll %#x\n", p.revents);
	socklen_t length = sizeof(name);
	SAY_OK("accept", served = accept4(fd, (struct sockaddr *)&name,
	    &length, SOCK_CLOEXEC));
	printf("accepted from %u bytes, flags %d\n", length,
	    fcntl(served, F_GETFD));
	poll(&p, 1, 0);
	printf("poll %#x\n", p.revents);
	say_name("served", served, getsockname);
	say_name("served peer", served, getpeername);
	SAY("read", read(served, buffer, 100));
	SAY("answer", write(served, "answer", 6));
	SAY("got", read(client, buffer, 100));
	SAY("read listener", read(fd, buffer, 1));
	SAY("write listener", send(fd, buffer, 1, MSG_NOSIGNAL));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	SAY("accept none", accept(fd, NULL, NULL));
	close(fd);
	SAY("works without listener", write(client, "still", 5));
	SAY("read", read(served, buffer, 100));
	close(served);
	SAY("end", read(client, buffer, 1));
	close(client);
	client = socket(AF_UNIX, SOCK_STREAM, 0);
	SAY("nobody", connect_to(client, path));
	if (path[0] != '@') {
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		SAY("node is still there", bind_to(fd, path));
		unlink(path);
		SAY("no node", connect_to(client, path));
		close(fd);
	}
	close(client);
}

static void
addresses(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	socklen_t length;

	SAY("too short", bind(fd, (struct sockaddr *)&name, 1));
	SAY("too long", bind(fd, (struct sockaddr *)&name, 111));
	name.sun_family = AF_INET;
	SAY("family", bind(fd, (struct sockaddr *)&name, 10));
	SAY("connect family", connect(fd, (struct sockaddr *)&name, 10));
	name.sun_family = AF_UNIX;
	SAY("connect short", connect(fd, (struct sockaddr *)&name, 2));
	SAY("fault", bind(fd, (struct sockaddr *)8, 10));
	SAY("no directory", bind_to(fd, "/tmp/nowhere/socket"));
	SAY("no path", connect_to(fd, "/tmp/nowhere/socket"));
	SAY("a file", connect_to(fd, "/dev/null"));
	SAY("exists", bind_to(fd, "/dev/null"));
	/* All 108 bytes, no NUL. */
	memset(name.sun_path, 'p', sizeof(name.sun_path));
	memcpy(name.sun_path, "/tmp/", 5);
	SAY("full", bind(fd, (struct sockaddr *)&name, sizeof(name)));
	char path[120] = { 0 };
	memcpy(path, name.sun_path, sizeof(name.sun_path));
	length = 200;
	SAY("its name", getsockname(fd, (struct sockaddr *)buffer, &length));
	printf("length %u\n", length);
	length = 4;
	SAY("cut", getsockname(fd, (struct sockaddr *)buffer, &length));
	printf("length %u\n", length);
	length = (socklen_t)-1;
	SAY("negative", getsockname(fd, (struct sockaddr *)buffer, &length));
	SAY("unlink", unlink(path));
	close(fd);
	/* Chosen by the system. */
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	SAY("choose", bind(fd, (struct sockaddr *)&name, 2));
	length = sizeof(name);
	getsockname(fd, (struct sockaddr *)&name, &length);
	printf("length %u first %d\n", length, name.sun_path[0]);
	SAY("listen", listen(fd, 1));
	int client = socket(AF_UNIX, SOCK_STREAM, 0);
	SAY("connect", connect(client, (struct sockaddr *)&name, length));
	close(client);
	close(fd);
	/* Abstract names have NULs inside, and need none at the end. */
	memset(&name, 0, sizeof(name));
	name.sun_family = AF_UNIX;
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	client = socket(AF_UNIX, SOCK_STREAM, 0);
	memcpy(name.sun_path, "\0bennu\0x", 8);
	SAY("abstract", bind(fd, (struct sockaddr *)&name, 10));
	SAY("another", bind(client, (struct sockaddr *)&name, 9));
	close(client);
	close(fd);
}

/* Through a link, from another directory, after a rename. */
static void
paths(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), client;

	mkdir("/tmp/sockets-dir", 0700);
	chdir("/tmp/sockets-dir");
	SAY("relative", bind_to(fd, "here"));
	SAY("listen", listen(fd, 5));
	say_name("name", fd, getsockname);
	SAY("link", symlink("here", "link"));
	client = socket(AF_UNIX, SOCK_STREAM, 0);
	SAY("by the link", connect_to(client, "link"));
	say_name("peer", client, getpeername);
	close(client);
	SAY("bind to link", bind_to(client = socket(AF_UNIX, SOCK_STREAM, 0),
	    "link"));
	SAY("rename", rename("here", "there"));
	SAY("old", connect_to(client, "here"));
	SAY("new", connect_to(client, "there"));
	close(client);
	unlink("there");
	unlink("link");
	chdir("/");
	rmdir("/tmp/sockets-dir");
	close(fd);
}

static void
say_option(const char *what, int fd, int option)
{
	int value = -7;
	socklen_t length = sizeof(value);

	errno = 0;
	int result = getsockopt(fd, SOL_SOCKET, option, &value, &length);
	if (result != 0)
		printf("%s: %s\n", what, error_name(errno));
	else
		printf("%s: %d (%u)\n", what, value, length);
}

static void
options(void)
{
	static const struct {
		const char *name;
		int number;
	} all[] = {
		{ "type", SO_TYPE }, { "domain", SO_DOMAIN },
		{ "protocol", SO_PROTOCOL }, { "error", SO_ERROR },
		{ "accepts", SO_ACCEPTCONN }, { "passcred", SO_PASSCRED },
		{ "reuseaddr", SO_REUSEADDR }, { "keepalive", SO_KEEPALIVE },
		{ "broadcast", SO_BROADCAST }, { "lowat", SO_RCVLOWAT },
		{ "send low", SO_SNDLOWAT }, { "peek", SO_PEEK_OFF },
		{ "debug", SO_DEBUG }, { "no such", 999 },
	};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), one = 1, s[2];
	struct ucred peer = { 7, 7, 7 };
	socklen_t length = sizeof(peer);

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		say_option(all[i].name, fd, all[i].number);
	SAY("level", getsockopt(fd, 6, 1, &one, &length));
	SAY("set level", setsockopt(fd, 6, 1, &one, sizeof(one)));
	SAY("set type", setsockopt(fd, SOL_SOCKET, SO_TYPE, &one, 4));
	SAY("short", setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, 1));
	SAY("fault", setsockopt(fd, SOL_SOCKET, SO_PASSCRED, (void *)8, 4));
	SAY("reuse", setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, 4));
	say_option("reuseaddr", fd, SO_REUSEADDR);
	SAY("passcred", setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, 4));
	say_option("passcred", fd, SO_PASSCRED);
	length = sizeof(peer);
	SAY("peer", getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length));
	printf("%d %d %d\n", peer.pid, (int)peer.uid, (int)peer.gid);
	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	length = sizeof(peer);
	getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &peer, &length);
	CHECK(peer.pid == getpid() && peer.uid == getuid());
	int size = 10000;
	setsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	say_option("send buffer", s[0], SO_SNDBUF);
	size = 1;
	setsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	say_option("least", s[0], SO_SNDBUF);
	close(s[0]);
	close(s[1]);
	close(fd);
}

/* The peer of a connection is who called connect, and who called listen. */
static void
credentials_of_peers(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), status;
	struct ucred peer;
	socklen_t length = sizeof(peer);

	bind_to(fd, "@peers");
	listen(fd, 3);
	pid_t child = fork();
	if (child == 0) {
		int c = socket(AF_UNIX, SOCK_STREAM, 0);
		connect_to(c, "@peers");
		getsockopt(c, SOL_SOCKET, SO_PEERCRED, &peer, &length);
		read(c, buffer, 1);
		_exit(peer.pid == getppid() ? 0 : 1);
	}
	int served = accept(fd, NULL, NULL);
	getsockopt(served, SOL_SOCKET, SO_PEERCRED, &peer, &length);
	CHECK(peer.pid == child);
	close(served);
	waitpid(child, &status, 0);
	CHECK(status == 0);
	close(fd);
}

/* A child that is killed: who reads sees the end, who writes the break. */
static void
deaths(void)
{
	int s[2];

	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	pid_t child = fork();
	if (child == 0) {
		close(s[0]);
		for (;;)
			pause();
	}
	close(s[1]);
	usleep(20000);
	kill(child, SIGKILL);
	SAY("read", read(s[0], buffer, 1));
	wait(NULL);
	signal(SIGPIPE, SIG_IGN);
	SAY("write", write(s[0], buffer, 1));
	signal(SIGPIPE, SIG_DFL);
	close(s[0]);
}

/* Both directions at once, more than fits, in odd pieces. */
static void
much(void)
{
	int s[2], status;
	size_t total = 3000000, most = 70000;

	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	for (int side = 0; side < 2; side++) {
		if (fork() != 0)
			continue;
		close(s[1 - side]);
		pid_t writer = fork();
		size_t at = 0;
		if (writer == 0) {
			for (unsigned r = 1; at < total; r = r * 31 + 7) {
				size_t n = 1 + r % most;
				if (n > total - at)
					n = total - at;
				for (size_t i = 0; i < n; i++)
					buffer[i] = (char)((at + i) * 7 % 251);
				long done = write(s[side], buffer, n);
				if (done <= 0)
					_exit(1);
				at += (size_t)done;
			}
			_exit(0);
		}
		while (at < total) {
			long got = read(s[side], other, 1 + at % 100000);
			if (got <= 0)
				_exit(2);
			for (long i = 0; i < got; i++) {
				if (other[i] != (char)((at + (size_t)i) * 7 %
				    251))
					_exit(3);
			}
			at += (size_t)got;
		}
		waitpid(writer, &status, 0);
		_exit(status == 0 ? 0 : 4);
	}
	close(s[0]);
	close(s[1]);
	for (int i = 0; i < 2; i++) {
		wait(&status);
		printf("side %d\n", WEXITSTATUS(status));
	}
}

/* Four servers accept from one listener, eight clients each get an echo. */
static void
many_servers(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), status, good = 0;

	bind_to(fd, "/tmp/many-servers");
	listen(fd, 2);
	for (int i = 0; i < 4; i++) {
		if (fork() != 0)
			continue;
		for (int n = 0; n < 8; n++) {
			int c = accept(fd, NULL, NULL);
			long got;
			while ((got = read(c, buffer, sizeof(buffer))) > 0)
				write(c, buffer, (size_t)got);
			close(c);
		}
		_exit(0);
	}
	for (int i = 0; i < 8; i++) {
		if (fork() != 0)
			continue;
		for (int n = 0; n < 4; n++) {
			int c = socket(AF_UNIX, SOCK_STREAM, 0);
			char text[40], back[40];
			int size = sprintf(text, "client %d round %d", i, n);
			if (connect_to(c, "/tmp/many-servers") != 0 ||
			    write(c, text, (size_t)size) != size)
				_exit(1);
			shutdown(c, SHUT_WR);
			if (recv(c, back, sizeof(back), MSG_WAITALL) != size ||
			    memcmp(text, back, (size_t)size) != 0)
				_exit(2);
			close(c);
		}
		_exit(0);
	}
	while (wait(&status) > 0)
		good += status == 0;
	printf("good %d\n", good);
	unlink("/tmp/many-servers");
	close(fd);
}

static void
proc_names(void)
{
	char path[40], text[60] = { 0 };
	int s[2], number = 0;

	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	sprintf(path, "/proc/self/fd/%d", s[0]);
	readlink(path, text, sizeof(text) - 1);
	struct stat st;
	fstat(s[0], &st);
	CHECK(sscanf(text, "socket:[%d]", &number) == 1);
	CHECK((unsigned long)number == st.st_ino);
	close(s[0]);
	close(s[1]);
}

static void
peeks(void)
{
	int s[2], zero = 0;

	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	write(s[0], "abcdefgh", 8);
	SAY("wait all", recv(s[1], buffer, 8, MSG_WAITALL | MSG_PEEK));
	SAY("offset", setsockopt(s[1], SOL_SOCKET, SO_PEEK_OFF, &zero, 4));
	SAY("first", recv(s[1], buffer, 3, MSG_PEEK));
	SAY("second", recv(s[1], buffer + 3, 3, MSG_PEEK));
	printf("%.6s\n", buffer);
	say_option("now", s[1], SO_PEEK_OFF);
	SAY("take", recv(s[1], buffer, 4, 0));
	say_option("now", s[1], SO_PEEK_OFF);
	SAY("third", recv(s[1], buffer, 3, MSG_PEEK));
	printf("%.2s\n", buffer);
	close(s[0]);
	close(s[1]);
}

int
main(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	umask(022);
	printf("== calls\n");
	calls();
	printf("== stream\n");
	pair(SOCK_STREAM);
	printf("== sequenced packets\n");
	pair(SOCK_SEQPACKET);
	messages_keep_their_borders();
	printf("== ends\n");
	shutdowns(SOCK_STREAM);
	shutdowns(SOCK_SEQPACKET);
	resets();
	deaths();
	printf("== names\n");
	names("/tmp/sockets-name");
	names("@sockets-name");
	addresses();
	paths();
	printf("== options\n");
	options();
	peeks();
	credentials_of_peers();
	proc_names();
	printf("== much\n");
	much();
	many_servers();
	return 0;
}
