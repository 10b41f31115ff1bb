/* SPDX-License-Identifier: MIT */
/* Forks until it is refused, or LIMIT; then everything still works. */
#include "say.h"

#include <signal.h>
#include <sys/wait.h>

#define LIMIT	3000

int
main(void)
{
	int count = 0, ended = 0, status;
	static pid_t child[LIMIT];

	fflush(stdout);
	while (count < LIMIT) {
		pid_t pid = fork();
		if (pid == 0)
			for (;;)
				pause();
		if (pid < 0)
			break;
		child[count++] = pid;
	}
	if (count < LIMIT && errno != EAGAIN && errno != ENOMEM)
		printf("fork: %s\n", error_name(errno));
	CHECK(count > 10);
	for (int i = 0; i < count; i++)
		kill(child[i], SIGKILL);
	while (wait(&status) > 0)
		ended++;
	CHECK(ended == count);
	if (fork() == 0)
		_exit(4);
	wait(&status);
	SAY("fork afterwards", WEXITSTATUS(status));
	return 0;
}
