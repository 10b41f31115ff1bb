/* SPDX-License-Identifier: MIT */
/*
 * A child takes memory until it cannot, or LIMIT; then everything still works.
 * It ends by a refusal or by SIGKILL, and both are printed alike.
 */
#define _GNU_SOURCE
#include "say.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define STEP	(16ul << 20)
#define LIMIT	64		/* 1 GiB */

static int
take_all(void)
{
	for (int i = 0; i < LIMIT; i++) {
		char *p = mmap(NULL, STEP, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			return 0;
		for (unsigned long at = 0; at < STEP; at += 4096)
			p[at] = 1;
	}
	return 0;
}

int
main(void)
{
	int status;

	fflush(stdout);
	if (fork() == 0)
		_exit(take_all());
	wait(&status);
	CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
	    (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
	char *p = malloc(1 << 20);
	memset(p, 1, 1 << 20);
	fflush(stdout);
	if (fork() == 0)
		_exit(5);
	wait(&status);
	SAY("fork afterwards", WEXITSTATUS(status));
	return 0;
}
