/* SPDX-License-Identifier: MIT */
/*
 * Where memory comes from: on each CPU in turn, touches a lot of it and tells
 * which node has less then, as ctl says. CPUs are spread over the nodes evenly,
 * lowest first, as ./bennu run --numa has it.
 */
#define _GNU_SOURCE
#include "say.h"

#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define NODES	8
#define TOUCHED	(16l << 20)
#define OTHERS	(4l << 20)	/* what else goes on may take or give */

static int
read_free(long free_bytes[NODES])
{
	FILE *pipe = popen("ctl stats", "r");
	char line[256];
	int count = 0, node;
	long total, kib;

	CHECK(pipe != NULL);
	while (fgets(line, sizeof(line), pipe) != NULL)
		if (sscanf(line, "node %d memory %ld KiB, free %ld KiB", &node,
		    &total, &kib) == 3 && node == count && count < NODES)
			free_bytes[count++] = kib << 10;
	CHECK(pclose(pipe) == 0);
	return count;
}

static void
touch(void)
{
	char *p = mmap(NULL, TOUCHED, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	for (long at = 0; at < TOUCHED; at += 4096)
		p[at] = 1;
}

/* A child, so that its memory is given back. */
static int
memory_of(int cpu)
{
	long before[NODES], after[NODES];
	cpu_set_t set;
	int node = NODES, count;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	CHECK(sched_setaffinity(0, sizeof(set), &set) == 0);
	usleep(1000);
	count = read_free(before);
	touch();
	CHECK(read_free(after) == count && count > 0);
	for (int i = 0; i < count; i++) {
		long taken = before[i] - after[i];

		if (taken > TOUCHED - OTHERS)
			node = i;
		else
			CHECK(taken < OTHERS);
	}
	return node;
}

int
main(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN), all[NODES];
	int nodes = read_free(all);

	for (int cpu = 0; cpu < cpus; cpu++) {
		int status;

		fflush(stdout);
		if (fork() == 0)
			_exit(memory_of(cpu));
		wait(&status);
		CHECK(WIFEXITED(status));
		printf("cpu %d: memory of node %d\n", cpu,
		    WEXITSTATUS(status));
		if (WEXITSTATUS(status) != cpu * nodes / cpus)
			return 1;
	}
	return 0;
}
