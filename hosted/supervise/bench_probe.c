/* SPDX-License-Identifier: MIT */
/*
 * supervise-probe: the least service there is, for `./bennu bench --supervise`.
 * It says when it began to run and when it could serve, and waits for its end.
 * The times are its own: nobody who is asked for them adds to them.
 *
 * With --floor it is also the least supervisor there is: a parent that sleeps on
 * the pidfd and starts the next. What that takes, the kernel takes.
 */
#include "place.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static unsigned long long
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (unsigned long long)now.tv_sec * 1000000000ull +
	    (unsigned long long)now.tv_nsec;
}

static void
report(const char *path, unsigned long long began, unsigned long long serves,
    const char *noticed)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char text[128];
	int length = snprintf(text, sizeof(text), "%d %llu %llu %s",
	    (int)getpid(), began, serves, noticed == NULL ? "" : noticed);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	(void)sendto(fd, text, (size_t)length, 0,
	    (struct sockaddr *)&address, sizeof(address));
	close(fd);
}

/* Never returns to the caller but for an error. */
static int
be_floor(char *self)
{
	char *words[] = { self, NULL };
	char text[32];

	for (;;) {
		pid_t child = vfork();
		struct pollfd wait = { .events = POLLIN };

		if (child == 0) {
			execv("/proc/self/exe", words);
			_exit(1);
		}
		wait.fd = (int)syscall(SYS_pidfd_open, child, 0);
		if (child < 0 || wait.fd < 0)
			return 1;
		while (poll(&wait, 1, -1) != 1)
			continue;
		snprintf(text, sizeof(text), "%llu", now_ns());
		setenv("BENNU_PROBE_NOTICED", text, 1);
		waitpid(child, NULL, 0);
		close(wait.fd);
	}
}

static int
be_service(void)
{
	static const struct bennu_place_operations none = { 0 };
	struct bennu_place place;
	unsigned long long began = now_ns(), serves;
	const char *path = getenv("BENNU_PROBE");
	status_t status = bennu_place_open(&place, &none);

	serves = now_ns();
	if (path == NULL || (status != OK && status != ERR_NOENT)) {
		fputs("supervise-probe: BENNU_PROBE names a socket\n", stderr);
		return 1;
	}
	(void)bennu_place_say("READY=1");
	report(path, began, serves, getenv("BENNU_PROBE_NOTICED"));
	for (;;)
		pause();
}

int
main(int argc, char **argv)
{
	return argc > 1 && strcmp(argv[1], "--floor") == 0 ?
	    be_floor(argv[0]) : be_service();
}
