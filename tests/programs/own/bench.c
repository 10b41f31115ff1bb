/* SPDX-License-Identifier: MIT */
/*
 * What spawn costs, in ticks of the time stamp counter; run by linux-bench,
 * which has the format of the lines. "spawn" ends when the call returns: the
 * child's program runs by then.
 */
#include "tell.h"

#define SAMPLES	100u

static uint64_t spawned[SAMPLES], waited[SAMPLES];

static uint64_t
ticks(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static void
sort(uint64_t *values)
{
	for (unsigned i = 1; i < SAMPLES; i++) {
		uint64_t value = values[i];
		unsigned at = i;

		for (; at > 0 && values[at - 1] > value; at--)
			values[at] = values[at - 1];
		values[at] = value;
	}
}

static void
row(const char *name, uint64_t *values)
{
	sort(values);
	print("row ");
	print(name);
	print(" ");
	print_number((long)values[SAMPLES / 2]);
	print(" ");
	print_number((long)values[SAMPLES * 99 / 100]);
	print(" 0\n");
}

int
main(int argc, char **argv)
{
	char *arguments[] = { argv[0], "--exit", NULL };
	int status;

	if (argc > 1)
		return 0;
	for (unsigned i = 0; i < SAMPLES; i++) {
		uint64_t start = ticks();
		pid_t pid = spawn(argv[0], NULL, arguments, environ);

		spawned[i] = ticks() - start;
		if (waitpid(pid, &status, 0) != pid || status != 0) {
			print("spawn failed\n");
			return 1;
		}
		waited[i] = ticks() - start;
	}
	row("spawn", spawned);
	row("spawn_wait", waited);
	return 0;
}
