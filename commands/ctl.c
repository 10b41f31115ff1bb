/* SPDX-License-Identifier: MIT */
/* ctl: commands to the supervisor through /dev/control (docs/man/ctl.1). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DEVICE		"/dev/control"
#define COMMAND_MAX	255

static int
fail(const char *what)
{
	fprintf(stderr, "ctl: %s: %s\n", what, strerror(errno));
	return 2;
}

static int
join(char *line, char **words)
{
	size_t used = 0;

	for (; *words != NULL; words++) {
		size_t length = strlen(*words);
		if (used + length + 1 > COMMAND_MAX)
			return -1;
		memcpy(line + used, *words, length);
		used += length;
		line[used++] = ' ';
	}
	return (int)used;
}

/* Everything that the command has to say. */
static int
show(int device, int to)
{
	char text[4096];
	ssize_t length;

	while ((length = read(device, text, sizeof(text))) > 0) {
		for (ssize_t done = 0; done < length;) {
			ssize_t step = write(to, text + done,
			    (size_t)(length - done));
			if (step < 0)
				return -1;
			done += step;
		}
	}
	return length < 0 ? -1 : 0;
}

int
main(int argc, char **argv)
{
	static char *help[] = { "help", NULL };
	char line[COMMAND_MAX];
	int length = join(line, argc > 1 ? argv + 1 : help);
	int failed = 0;

	if (length < 0) {
		fprintf(stderr, "ctl: the command is too long\n");
		return 2;
	}
	int device = open(DEVICE, O_RDWR);
	if (device < 0)
		return fail(DEVICE);
	if (write(device, line, (size_t)length) < 0) {
		if (errno != EINVAL && errno != ESRCH)
			return fail(line);
		failed = 1;
	}
	if (show(device, failed ? STDERR_FILENO : STDOUT_FILENO) < 0)
		return fail("reading the answer");
	return failed;
}
