/* SPDX-License-Identifier: MIT */
/* Datagrams between local sockets: borders, names, who may send to whom. */
#define _GNU_SOURCE
#include "localname.h"
#include "say.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

static char buffer[300000], other[300000];

static long
send_to(int fd, const char *text, const char *path)
{
	struct sockaddr_un name;
	socklen_t length = name_of(&name, path);

	return sendto(fd, text, strlen(text), MSG_DONTWAIT,
	    (struct sockaddr *)&name, length);
}

static void
receive(int fd)
{
	struct sockaddr_un name;
	socklen_t length = sizeof(name);
	long got;

	memset(&name, 0, sizeof(name));
	errno = 0;
	got = recvfrom(fd, buffer, sizeof(buffer), MSG_DONTWAIT,
	    (struct sockaddr *)&name, &length);
	if (got < 0) {
		printf("received: %s\n", error_name(errno));
		return;
	}
	printf("received %ld: %.*s from %u", got, (int)got, buffer, length);
	if (length > 2)
		printf(" %s", name.sun_path[0] == 0 ? name.sun_path + 1 :
		    name.sun_path);
	printf("\n");
}

static int
new_socket(const char *path)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	if (path != NULL && bind_to(fd, path) != 0)
		printf("bind %s: %s\n", path, error_name(errno));
	return fd;
}

static void
pairs(void)
{
	int s[2], count;

	SAY("pair", socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
	SAY("one", write(s[0], "one", 3));
	SAY("empty", write(s[0], "", 0));
	SAY("three", write(s[0], "three", 5));
	ioctl(s[1], FIONREAD, &count);
	SAY("FIONREAD", count);
	receive(s[1]);
	SAY("peek", recv(s[1], buffer, 1, MSG_PEEK));
	receive(s[1]);
	SAY("cut", recv(s[1], buffer, 2, 0));
	receive(s[1]);
	SAY("back", write(s[1], "back", 4));
	receive(s[0]);
	close(s[0]);
	signal(SIGPIPE, SIG_DFL);
	SAY("to nobody", write(s[1], "x", 1));
	SAY("again", write(s[1], "x", 1));
	close(s[1]);
}

static void
names(const char *path)
{
	int a = new_socket(path), b = new_socket(NULL), c;

	printf("-- %s\n", path);
	SAY("send", send_to(b, "unnamed", path));
	receive(a);
	SAY("bind", bind_to(b, "@sender"));
	SAY("send", send_to(b, "named", path));
	SAY("second", send_to(b, "again", path));
	receive(a);
	receive(a);
	receive(a);
	SAY("answer", send_to(a, "answer", "@sender"));
	receive(b);
	SAY("self", send_to(a, "self", path));
	receive(a);
	SAY("nobody", send_to(a, "x", "@nobody-there"));
	SAY("no node", send_to(a, "x", "/tmp/no-such-node"));
	SAY("not connected", send(a, "x", 1, 0));
	c = socket(AF_UNIX, SOCK_STREAM, 0);
	SAY("stream", bind_to(c, "@a-stream"));
	SAY("listen", listen(c, 1));
	SAY("to a stream", send_to(a, "x", "@a-stream"));
	close(c);
	SAY("listen", listen(a, 1));
	SAY("accept", accept(a, NULL, NULL));
	close(a);
	SAY("closed", send_to(b, "x", path));
	if (path[0] != '@')
		unlink(path);
	/* The name is free again, and it is another socket. */
	a = new_socket(path);
	SAY("new", send_to(b, "new", path));
	receive(a);
	close(a);
	close(b);
	if (path[0] != '@')
		unlink(path);
}

static void
connected(void)
{
	int server = new_socket("@server"), client = new_socket("@client");
	int third = new_socket("@third");
	struct sockaddr_un name = { .sun_family = AF_UNSPEC };
	socklen_t length = sizeof(name);

	SAY("connect", connect_to(client, "@server"));
	SAY("send", send(client, "hello", 5, 0));
	receive(server);
	SAY("peer", getpeername(client, (struct sockaddr *)&name, &length));
	printf("%u %s\n", length, name.sun_path + 1);
	SAY("from the peer", send_to(server, "yes", "@client"));
	receive(client);
	SAY("from another", send_to(third, "no", "@client"));
	SAY("connect from another", connect_to(third, "@client"));
	SAY("to another", send_to(client, "third", "@third"));
	receive(third);
	SAY("other peer", connect_to(client, "@third"));
	SAY("send", send(client, "new", 3, 0));
	receive(third);
	name.sun_family = AF_UNSPEC;
	SAY("disconnect", connect(client, (struct sockaddr *)&name,
	    sizeof(name)));
	SAY("send", send(client, "x", 1, 0));
	SAY("from another", send_to(third, "now", "@client"));
	receive(client);
	SAY("connect", connect_to(client, "@server"));
	close(server);
	SAY("gone", send(client, "x", 1, MSG_DONTWAIT));
	SAY("then", send(client, "x", 1, MSG_DONTWAIT));
	SAY("unconnected peer", getpeername(client,
	    (struct sockaddr *)&name, &length));
	close(client);
	close(third);
}

static void
shutdowns(void)
{
	int s[2];

	signal(SIGPIPE, SIG_DFL);
	socketpair(AF_UNIX, SOCK_DGRAM, 0, s);
	write(s[0], "there", 5);
	SAY("write side", shutdown(s[0], SHUT_WR));
	SAY("write", write(s[0], "x", 1));
	receive(s[1]);
	SAY("other way", write(s[1], "y", 1));
	receive(s[0]);
	SAY("read side", shutdown(s[1], SHUT_RD));
	SAY("end", recv(s[1], buffer, 1, 0));
	close(s[0]);
	close(s[1]);
	socketpair(AF_UNIX, SOCK_DGRAM, 0, s);
	SAY("read side", shutdown(s[1], SHUT_RD));
	SAY("to it", write(s[0], "x", 1));
	close(s[0]);
	close(s[1]);
}

static void
sizes(void)
{
	int s[2], sent = 0;
	struct timeval t = { 0, 40000 };

	socketpair(AF_UNIX, SOCK_DGRAM, 0, s);
	memset(buffer, 'z', sizeof(buffer));
	SAY("large", send(s[0], buffer, 150000, 0));
	SAY("got", recv(s[1], other, sizeof(other), 0));
	CHECK(memcmp(buffer, other, 150000) == 0);
	SAY("too large", send(s[0], buffer, 250000, 0));
	while (send(s[0], "x", 1, MSG_DONTWAIT) == 1)
		sent++;
	SAY("full", send(s[0], "x", 1, MSG_DONTWAIT));
	CHECK(sent >= 10);
	setsockopt(s[0], SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
	SAY("limited", send(s[0], "x", 1, 0));
	setsockopt(s[1], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	while (recv(s[1], other, 1, 0) == 1)
		sent--;
	CHECK(sent == 0);
	struct pollfd p = { s[1], POLLIN | POLLOUT, 0 };
	poll(&p, 1, 0);
	printf("poll %#x\n", p.revents);
	send(s[0], "x", 1, 0);
	poll(&p, 1, 0);
	printf("poll %#x\n", p.revents);
	close(s[0]);
	close(s[1]);
}

static void
several(void)
{
	struct mmsghdr m[4] = { 0 };
	struct iovec v[4];
	int s[2];

	socketpair(AF_UNIX, SOCK_DGRAM, 0, s);
	for (int i = 0; i < 4; i++) {
		v[i] = (struct iovec){ "abcdefgh" + i, (size_t)i + 1 };
		m[i].msg_hdr.msg_iov = &v[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	SAY("sendmmsg", sendmmsg(s[0], m, 4, 0));
	printf("%u %u %u %u\n", m[0].msg_len, m[1].msg_len, m[2].msg_len,
	    m[3].msg_len);
	for (int i = 0; i < 4; i++)
		v[i] = (struct iovec){ other + 10 * i, 10 };
	SAY("recvmmsg", recvmmsg(s[1], m, 3, 0, NULL));
	printf("%u %u %u\n", m[0].msg_len, m[1].msg_len, m[2].msg_len);
	SAY("wait for one", recvmmsg(s[1], m, 3, MSG_WAITFORONE, NULL));
	SAY("none", recvmmsg(s[1], m, 3, MSG_DONTWAIT, NULL));
	struct timespec limit = { 0, 0 };
	send(s[0], "x", 1, 0);
	SAY("limit", recvmmsg(s[1], m, 3, 0, &limit));
	SAY("bad fd", recvmmsg(77, m, 1, 0, NULL));
	SAY("no messages", sendmmsg(s[0], m, 0, 0));
	close(s[0]);
	close(s[1]);
}

/* Eight senders, one receiver: nothing torn, nothing lost, each in order. */
static void
many_senders(void)
{
	int fd = new_socket("/tmp/many-senders"), status, bad = 0, count = 0;
	int next[8] = { 0 };

	for (int i = 0; i < 8; i++) {
		if (fork() != 0)
			continue;
		int c = new_socket(NULL);
		connect_to(c, "/tmp/many-senders");
		for (int n = 0; n < 200; n++) {
			int record[40];
			for (int k = 0; k < 40; k++)
				record[k] = i << 16 | n;
			if (send(c, record, 4 + (size_t)(n % 40) * 4, 0) < 0)
				_exit(1);
		}
		_exit(0);
	}
	for (; count < 1600; count++) {
		int record[40];
		long got = recv(fd, record, sizeof(record), 0);
		int who = record[0] >> 16, n = record[0] & 0xffff;
		if (who < 0 || who > 7 || n != next[who] ||
		    got != 4 + n % 40 * 4) {
			bad++;
			continue;
		}
		next[who]++;
		for (int k = 1; k < got / 4; k++)
			bad += record[k] != record[0];
	}
	while (wait(&status) > 0)
		bad += status != 0;
	printf("count %d bad %d\n", count, bad);
	unlink("/tmp/many-senders");
	close(fd);
}

int
main(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	printf("== pairs\n");
	pairs();
	printf("== names\n");
	names("/tmp/datagrams-name");
	names("@datagrams-name");
	printf("== connected\n");
	connected();
	printf("== ends\n");
	shutdowns();
	printf("== sizes\n");
	sizes();
	several();
	printf("== many\n");
	many_senders();
	return 0;
}
