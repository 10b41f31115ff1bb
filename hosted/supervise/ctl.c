/* SPDX-License-Identifier: MIT */
#include "ctl.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int
complain(const char *what)
{
	fprintf(stderr, "bennu-supervise: %s: %s\n", what, strerror(errno));
	return 2;
}

static bool
make_line(int count, char **words, char *line, size_t size)
{
	size_t used = 0;

	for (int i = 0; i < count; i++) {
		bool json = strcmp(words[i], "--json") == 0;
		int length = snprintf(line + used, size - used, "%s%s",
		    json ? "json" : words[i], i + 1 < count ? " " : "\n");

		if (length < 0 || (size_t)length >= size - used)
			return false;
		used += (size_t)length;
	}
	return strchr(line, '\n') == line + used - 1;
}

/* The first line says where the rest goes. */
static int
show(FILE *reply)
{
	char text[4096];
	FILE *to = stdout;
	size_t length;

	if (fgets(text, sizeof(text), reply) == NULL) {
		fputs("bennu-supervise: no answer\n", stderr);
		return 2;
	}
	if (strcmp(text, "ok\n") != 0) {
		to = stderr;
		fputs("bennu-supervise: ", to);
	}
	while ((length = fread(text, 1, sizeof(text), reply)) > 0)
		fwrite(text, 1, length, to);
	return fflush(to) == 0 && to == stdout ? 0 : 1;
}

int
ctl_run(const char *runtime, int count, char **words)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char line[256];
	int fd, code;
	FILE *reply;

	if (count == 0 || !make_line(count, words, line, sizeof(line))) {
		fputs("usage: bennu-supervise ctl [--json] COMMAND [NAME]; "
		    "the command help lists them\n", stderr);
		return 2;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/control",
	    runtime);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address,
	    sizeof(address)) != 0)
		return complain(address.sun_path);
	if (send(fd, line, strlen(line), MSG_NOSIGNAL) < 0)
		return complain(address.sun_path);
	reply = fdopen(fd, "r");
	if (reply == NULL)
		return complain("memory");
	code = show(reply);
	fclose(reply);
	return code;
}
