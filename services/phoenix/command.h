/* SPDX-License-Identifier: MIT */
/*
 * Between the files of the commands. A command writes its text with say() and
 * returns OK or ERR_*; ERR_NOENT says that word 1 names no service.
 */
#pragma once

#include "phoenix.h"

#define COMMAND_WORDS	12u

/* word[0] is the command; those that are missing are "". */
struct command_words {
	unsigned count;
	char	*word[COMMAND_WORDS];
};

void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void say_bytes(const char *from, size_t length);
/* Where the text goes on, for who writes it himself and says how much. */
char *say_room(size_t *out_room);
void say_written(size_t length);
/* A dead incarnation of phoenix has had this command. */
bool command_is_repeated(void);
/* The place that word 1 names, or NULL. */
struct place *command_place(struct phoenix *phoenix,
    const struct command_words *words);

#define COMMAND(name) \
	status_t run_##name(struct phoenix *phoenix, \
	    const struct command_words *words)

/* command_show.c: services. */
COMMAND(ps);
COMMAND(deps);
COMMAND(ipc);
COMMAND(events);
COMMAND(stats);
void say_policy(const struct supervised *policy);
/* command_machine.c: the machine and the log. */
COMMAND(sched);
COMMAND(logs);
COMMAND(trace);
status_t machine_stats(const struct phoenix *phoenix);
struct container_info memory_of(cap_t container);
/* command_act.c */
COMMAND(kill);
COMMAND(restart);
COMMAND(drain);
COMMAND(reload);
COMMAND(policy);
