/* SPDX-License-Identifier: MIT */
/*
 * What services print: lines with the name in front, and the end of it kept for
 * `ctl logs`. One pipe serves all incarnations, so the last words of a process
 * are read after its death.
 */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES	512

/*
 * Standard error may be a pipe that nobody reads. A write of no more than
 * PIPE_BUF bytes that poll allows does not block.
 */
void
log_write(const char *text, size_t length)
{
	while (length > 0) {
		struct pollfd look = { .fd = STDERR_FILENO,
		    .events = POLLOUT };
		size_t part = length < 4096 ? length : 4096;
		ssize_t written;

		if (poll(&look, 1, 0) != 1 || (look.revents & POLLOUT) == 0)
			return;
		written = write(STDERR_FILENO, text, part);
		if (written <= 0)
			return;
		text += written;
		length -= (size_t)written;
	}
}

void
log_line(const char *format, ...)
{
	char line[LINE_MAX_BYTES] = "bennu-supervise: ";
	size_t start = strlen(line);
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(line + start, sizeof(line) - start - 1, format,
	    arguments);
	va_end(arguments);
	if (length < 0)
		return;
	start = strlen(line);
	line[start] = '\n';
	log_write(line, start + 1);
}

static void
keep(struct output *output, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		output->kept[output->written++ % LOG_KEPT] = text[i];
}

static void
print(struct service *service, const char *text, size_t length)
{
	struct output *output = &service->output;
	char lines[8192];
	size_t used = 0;

	for (size_t i = 0; i < length; i++) {
		if (used + MANIFEST_NAME_MAX + 3 >= sizeof(lines)) {
			log_write(lines, used);
			used = 0;
		}
		if (!output->in_line)
			used += (size_t)sprintf(&lines[used], "%s: ",
			    service->manifest.name);
		lines[used++] = text[i];
		output->in_line = text[i] != '\n';
	}
	log_write(lines, used);
}

static void
output_ready(struct watch *watch, uint32_t events)
{
	struct service *service = watch->owner;
	char text[4096];
	ssize_t length = read(watch->fd, text, sizeof(text));

	if (length <= 0)
		return;
	keep(&service->output, text, (size_t)length);
	print(service, text, (size_t)length);
}

static bool
open_pipe(struct service *service)
{
	struct output *output = &service->output;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		return false;
	(void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
	output->writer = ends[1];
	output->watch = (struct watch){
		.ready = output_ready, .owner = service, .fd = ends[0],
	};
	return watch_add(service->server, &output->watch, EPOLLIN);
}

bool
output_open(struct service *service, const char **out_why)
{
	static char why[256];
	bool ok = true;

	if (service->manifest.log == LOG_PREFIX)
		ok = open_pipe(service);
	if (service->manifest.log == LOG_FILE) {
		service->output.writer = open(service->manifest.log_file,
		    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY,
		    0640);
		ok = service->output.writer >= 0;
	}
	if (!ok) {
		snprintf(why, sizeof(why), "key 'log': %s", strerror(errno));
		*out_why = why;
	}
	return ok;
}

void
output_close(struct output *output)
{
	watch_close(&output->watch);
	if (output->writer >= 0)
		close(output->writer);
	output->writer = -1;
}
