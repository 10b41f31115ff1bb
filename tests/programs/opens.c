/* SPDX-License-Identifier: MIT */
/* Open terminals are refused before others cannot do anything any more. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILDREN	9
#define OPENS		1000

/* Opens many, says whether the system refused, and keeps them. */
static _Noreturn void
child(int master, int to)
{
	char full = 0;

	for (int i = 0; i < OPENS && !full; i++)
		full = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY) < 0 &&
		    errno == ENFILE;
	write(to, &full, 1);
	for (;;)
		pause();
}

int
main(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), p[2], refused = 0;
	pid_t pid[CHILDREN];
	char full;

	unlockpt(master);
	pipe(p);
	for (int i = 0; i < CHILDREN; i++) {
		pid[i] = fork();
		if (pid[i] == 0)
			child(master, p[1]);
		refused += read(p[0], &full, 1) == 1 && full;
	}
	printf("refused: %s\n", refused == 1 ? "one" : "other");
	for (int i = 0; i < CHILDREN; i++) {
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
	}
	/* They are closed when the events of their sessions have come. */
	while ((p[0] = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY)) < 0 &&
	    errno == ENFILE)
		usleep(1000);
	printf("then: %s\n", p[0] < 0 ? "refused" : "open");
	return 0;
}
