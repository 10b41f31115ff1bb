/* SPDX-License-Identifier: MIT */
/* Dies in the way its argument names, three calls deep. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile int zero;
static int *volatile nowhere;

static __attribute__((noinline)) int
crash_here(const char *how)
{
	if (strcmp(how, "divide") == 0)
		return 100 / zero;
	if (strcmp(how, "abort") == 0)
		abort();
	if (strcmp(how, "trap") == 0)
		__builtin_trap();
	if (strcmp(how, "handled") == 0)
		raise(SIGTERM);
	return *nowhere;
}

static __attribute__((noinline)) int
crash_inner(const char *how)
{
	return crash_here(how) + 1;
}

static __attribute__((noinline)) int
crash_outer(const char *how)
{
	return crash_inner(how) + 1;
}

int
main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: crash null|divide|abort|trap|handled\n");
		return 2;
	}
	return crash_outer(argv[1]);
}
