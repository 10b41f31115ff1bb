/* SPDX-License-Identifier: MIT */
/*
 * An example of the system's own calls: runs a program, with its output in a
 * pipe, and says how it ended and how many lines it wrote.
 *
 *	own-example /bin/ls -l /
 */
#include <bennu/abi.h>

static void
print(const char *text)
{
	size_t length = 0;

	while (text[length] != 0)
		length++;
	write(1, text, length);
}

static void
print_number(unsigned value)
{
	char digits[12], *at = digits + sizeof(digits);

	*--at = 0;
	do
		*--at = (char)('0' + value % 10);
	while ((value /= 10) != 0);
	print(at);
}

/* The end of the pipe to read from, or -1. */
static int
start(char **program, char **envp, pid_t *out_pid)
{
	int ends[2];

	if (pipe(ends) != 0)
		return -1;
	const struct spawn_action actions[] = {
		{ .kind = SPAWN_CLOSE, .fd = ends[0] },
		{ .kind = SPAWN_DUP, .from = ends[1], .fd = 1 },
		{ .kind = SPAWN_CLOSE, .fd = ends[1] },
	};
	const struct spawn how = { .count = 3, .actions = actions };

	*out_pid = spawn(program[0], &how, program, envp);
	close(ends[1]);
	if (*out_pid < 0) {
		close(ends[0]);
		return -1;
	}
	return ends[0];
}

static unsigned
count_lines(int fd)
{
	static char buffer[4096];
	unsigned lines = 0;
	ssize_t got;

	while ((got = read(fd, buffer, sizeof(buffer))) > 0) {
		for (ssize_t i = 0; i < got; i++)
			lines += buffer[i] == '\n';
	}
	return lines;
}

int
main(int argc, char **argv, char **envp)
{
	int status = 0, fd = -1;
	pid_t pid;

	if (argc < 2) {
		print("usage: own-example PROGRAM ARGUMENTS...\n");
		return 2;
	}
	fd = start(argv + 1, envp, &pid);
	if (fd < 0) {
		print(argv[1]);
		print(": ");
		print(error_text(errno));
		print("\n");
		return 1;
	}
	unsigned lines = count_lines(fd);
	waitpid(pid, &status, 0);
	print(argv[1]);
	print(": ");
	print_number(lines);
	print(" lines, ended with ");
	print_number(WIFEXITED(status) ? (unsigned)WEXITSTATUS(status) :
	    128u + (unsigned)WTERMSIG(status));
	print("\n");
	return 0;
}
