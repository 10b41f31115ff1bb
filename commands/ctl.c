/* SPDX-License-Identifier: MIT */
/*
 * ctl: commands to the supervisor through /dev/control (docs/man/ctl.1).
 *
 * All but two are sent as they are. `trace dump` reads a recording piece by
 * piece, each named by its position, so that a supervisor that dies meanwhile
 * is asked again for the same. `trace run` records while a program runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEVICE		"/dev/control"
#define TRACE		"/dev/trace"
#define COMMAND_MAX	255
#define TEXT_MAX	65536		/* more than one answer has */
#define FAILED		2		/* exit status: not sent */

static int device;
static char text[TEXT_MAX + 1];
static size_t text_length;

static int
fail(const char *what)
{
	fprintf(stderr, "ctl: %s: %s\n", what, strerror(errno));
	return FAILED;
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

/* Sends a command and takes its text. 0, 1 if it failed, or FAILED. */
static int
ask(const char *line, size_t length)
{
	ssize_t got;
	int failed = 0;

	if (write(device, line, length) < 0) {
		if (errno != EINVAL && errno != ESRCH)
			return fail(DEVICE);
		failed = 1;
	}
	text_length = 0;
	while ((got = read(device, text + text_length,
	    TEXT_MAX - text_length)) > 0)
		text_length += (size_t)got;
	return got < 0 ? fail("reading the answer") : failed;
}

static int
show(int to, size_t length)
{
	for (size_t done = 0; done < length;) {
		ssize_t step = write(to, text + done, length - done);
		if (step < 0)
			return fail("writing the answer");
		done += (size_t)step;
	}
	return 0;
}

static int
send(const char *line, size_t length)
{
	int result = ask(line, length);
	int shown = result == FAILED ? 0 :
	    show(result == 0 ? STDOUT_FILENO : STDERR_FILENO, text_length);

	return shown != 0 ? shown : result;
}

/* The whole recording. A piece ends in "next POSITION" or "end". */
static int
dump(int to)
{
	char line[64];
	unsigned long position = 0;

	for (;;) {
		int length = snprintf(line, sizeof(line), "trace read %lu",
		    position);
		int result = ask(line, (size_t)length);
		if (result != 0) {
			show(STDERR_FILENO, text_length);
			return result;
		}
		size_t last = text_length - (text_length > 0);
		while (last > 0 && text[last - 1] != '\n')
			last--;
		text[text_length] = '\0';
		if (sscanf(text + last, "next %lu", &position) != 1)
			return show(to, text_length);
		if ((result = show(to, last)) != 0)
			return result;
	}
}

/* Its exit status, as a shell has it. */
static int
run(char **program)
{
	int status;
	pid_t child = fork();

	if (child < 0)
		return fail("fork");
	if (child == 0) {
		execvp(program[0], program);
		_exit(fail(program[0]) + 125);
	}
	/* Ctrl-C is for the program; what was recorded is written then. */
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	if (waitpid(child, &status, 0) < 0)
		return fail("waiting");
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) :
	    WEXITSTATUS(status);
}

static int
trace_run(char **program)
{
	if (*program == NULL) {
		fprintf(stderr, "usage: ctl trace run PROGRAM [ARGUMENT...]\n");
		return FAILED;
	}
	int to = open(TRACE, O_WRONLY | O_CLOEXEC);
	if (to < 0)
		return fail(TRACE);
	if (ask("trace start", 11) != 0) {
		show(STDERR_FILENO, text_length);
		return FAILED;
	}
	int status = run(program);
	if (ask("trace stop", 10) != 0 || dump(to) != 0)
		return FAILED;
	return status;
}

int
main(int argc, char **argv)
{
	static char *help[] = { "help", NULL };
	char line[COMMAND_MAX];
	char **words = argc > 1 ? argv + 1 : help;
	int traces = strcmp(words[0], "trace") == 0 && words[1] != NULL;

	device = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (device < 0)
		return fail(DEVICE);
	if (traces && strcmp(words[1], "run") == 0)
		return trace_run(words + 2);
	if (traces && strcmp(words[1], "dump") == 0)
		return dump(STDOUT_FILENO);
	int length = join(line, words);
	if (length < 0) {
		fprintf(stderr, "ctl: the command is too long\n");
		return FAILED;
	}
	return send(line, (size_t)length);
}
