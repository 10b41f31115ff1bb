/* SPDX-License-Identifier: MIT */
/*
 * A program that overwrites what its libOS shows of it, and reads its own /proc
 * all the while. Whatever is told of it, reading ends and proc stays. Only for
 * this system: it knows where the libOS lies.
 */
#define _GNU_SOURCE
#include <idl/libos.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_MAX	(1l << 20)

static uint64_t state = 88172645463325252ul;

static uint64_t
next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static uint64_t
lie(uint64_t truth)
{
	switch (next() % 8) {
	case 0:
		return next();
	case 1:
		return ~0ul - next() % 16;
	case 2:
		return next() % 16;
	case 3:
		return LIBOS_BASE + next() % LIBOS_STACK_SIZE;
	case 4:
		return LIBOS_UTCB + next() % 8192;
	case 5:
		return truth + next() % 64 - 32;
	default:
		return truth;
	}
}

static void
read_all(const char *path)
{
	static char buffer[4096];
	int fd = open(path, O_RDONLY);
	long total = 0, step;

	while (fd >= 0 && total < READ_MAX &&
	    (step = read(fd, buffer, sizeof(buffer))) > 0)
		total += step;
	if (fd >= 0)
		close(fd);
}

static void
look(void)
{
	static const char *const files[] = { "stat", "statm", "status",
		"cmdline", "comm", "environ", "limits", "maps" };
	static const char *const links[] = { "exe", "cwd", "root", "fd/0",
		"fd/1", "fd/700", "fd/1023" };
	char path[64], to[256];

	for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "/proc/self/%s", files[i]);
		read_all(path);
	}
	for (unsigned i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		snprintf(path, sizeof(path), "/proc/self/%s", links[i]);
		if (readlink(path, to, sizeof(to)) < 0)
			continue;
		snprintf(path, sizeof(path), "/proc/self/%s/x", links[i]);
		read_all(path);
	}
	DIR *dir = opendir("/proc/self/fd");
	for (int i = 0; dir != NULL && i < 4096 && readdir(dir) != NULL; i++)
		;
	if (dir != NULL)
		closedir(dir);
}

int
main(int argc, char **argv)
{
	const struct libos_header *header = (const void *)LIBOS_BASE;
	int rounds = argc > 1 ? atoi(argv[1]) : 100;

	if (header->magic != LIBOS_HEADER_MAGIC)
		return 1;
	uint64_t *view = (uint64_t *)header->view;
	uint64_t truth[sizeof(struct libos_view) / 8];
	memcpy(truth, view, sizeof(truth));
	for (int i = 0; i < rounds; i++) {
		for (unsigned j = 0; j < sizeof(truth) / 8; j++)
			view[j] = lie(truth[j]);
		look();
	}
	memcpy(view, truth, sizeof(truth));
	FILE *file = fopen("/proc/self/comm", "r");
	char name[32] = "";
	if (file == NULL || fgets(name, sizeof(name), file) == NULL)
		return 1;
	printf("believed again: %s", name);
	return 0;
}
