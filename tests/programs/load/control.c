/* SPDX-License-Identifier: MIT */
/*
 * Commands to the supervisor: each `ps` is answered with one whole table, in
 * which every service has one line. `--control FILE` is another device; with
 * a file of this host, what is read behind the two bytes of the command.
 */
#define _GNU_SOURCE
#include "load.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define COMMANDS	8u

static const char *const services[] = { "phoenix", "console", "storage",
	"proc" };
static char answer[8192];

const char *load_control_device = "/dev/control";

/* Lines that begin with the name and a blank. */
static unsigned
count_lines(const char *name)
{
	size_t length = strlen(name);
	unsigned count = 0;

	for (const char *at = answer; at != NULL; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (strncmp(at, name, length) == 0 && at[length] == ' ')
			count++;
	}
	return count;
}

static void
verify_answer(struct run *run, size_t length)
{
	if (length == 0 || answer[length - 1] != '\n') {
		load_lost(run, "the end of an answer of the supervisor");
		return;
	}
	for (unsigned i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		unsigned count = count_lines(services[i]);

		if (count < 1)
			load_lost(run, "a line of an answer of the supervisor");
		if (count > 1)
			load_doubled(run, "a line of an answer");
	}
}

static void
sabotage(struct run *run, size_t *length)
{
	if (load_sabotages(run, "answer-cut"))
		answer[*length /= 2] = '\0';
	if (load_sabotages(run, "answer-again"))
		*length += (size_t)snprintf(answer + *length,
		    sizeof(answer) - *length, "proc ready\n");
}

static void
ask(struct run *run)
{
	size_t length = 0;
	ssize_t step = 0;
	int device = open(load_control_device, O_RDWR);

	if (!load_did(run, "open of the control device", device))
		return;
	if (load_did(run, "write of a command", write(device, "ps", 2))) {
		while (length < sizeof(answer) / 2 && (step = read(device,
		    answer + length, sizeof(answer) / 2 - length)) > 0)
			length += (size_t)step;
		answer[length] = '\0';
		sabotage(run, &length);
		if (load_did(run, "read of an answer", step))
			verify_answer(run, length);
	}
	load_did(run, "close", close(device));
}

static void
control_round(struct run *run)
{
	for (unsigned i = 0; i < COMMANDS; i++)
		ask(run);
}

static const char *const sabotages[] = { "answer-cut", "answer-again", NULL };

const struct load load_control = {
	.name = "control", .round = control_round, .sabotages = sabotages,
};
