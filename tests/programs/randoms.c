/* SPDX-License-Identifier: MIT */
/* Random bytes differ: each time, in a child, and from the device. */
#define _GNU_SOURCE
#include "say.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/wait.h>

int
main(void)
{
	static unsigned char many[100000];
	unsigned char a[32], b[32], c[32];
	unsigned count[256] = { 0 }, low = ~0u, high = 0;
	int p[2];

	SAY("getrandom", getrandom(a, sizeof(a), 0));
	SAY("getrandom", getrandom(b, sizeof(b), GRND_NONBLOCK));
	CHECK(memcmp(a, b, sizeof(a)) != 0);
	SAY("bad flags", getrandom(a, sizeof(a), 0x100));
	pipe(p);
	fflush(stdout);
	if (fork() == 0) {
		getrandom(a, sizeof(a), 0);
		write(p[1], a, sizeof(a));
		_exit(0);
	}
	getrandom(b, sizeof(b), 0);
	read(p[0], c, sizeof(c));
	wait(NULL);
	CHECK(memcmp(b, c, sizeof(b)) != 0);
	int fd = open("/dev/urandom", O_RDONLY);
	SAY("device", read(fd, many, sizeof(many)));
	for (unsigned i = 0; i < sizeof(many); i++)
		count[many[i]]++;
	for (unsigned i = 0; i < 256; i++) {
		low = count[i] < low ? count[i] : low;
		high = count[i] > high ? count[i] : high;
	}
	CHECK(low > 250 && high < 550);
	fd = open("/dev/zero", O_RDONLY);
	SAY("zero", read(fd, a, sizeof(a)));
	CHECK(a[0] == 0 && a[31] == 0);
	fd = open("/dev/full", O_WRONLY);
	SAY("full", write(fd, a, 1));
	fd = open("/dev/null", O_RDWR);
	SAY("null write", write(fd, a, 32));
	SAY("null read", read(fd, a, 32));
	return 0;
}
