/* SPDX-License-Identifier: MIT */
/*
 * For the tests of the supervisor: a folder, manifests in it, bennu-supervise as
 * a child. The services are the test program itself, called with a role.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define HARNESS_TEXT	65536

struct harness {
	char	 folder[64];
	pid_t	 pid;		/* of the supervisor, as the test sees it */
	char	 text[HARNESS_TEXT];	/* of the last command */
};

struct harness_options {
	const char *main;
	bool	 namespace;	/* as process 1 of one */
};

void harness_create(struct harness *h);
/* Ends what runs, and removes the folder. */
void harness_destroy(struct harness *h);
/* $R in the text is this program, $D the folder. */
void harness_manifest(struct harness *h, const char *name, const char *text);
void harness_start(struct harness *h, const struct harness_options *options);
/* Waits for the end; the exit code, or -signal. */
int harness_wait(struct harness *h);
/* SIGTERM, then waits. */
int harness_stop(struct harness *h);

/* The words of a command; false if it was refused. The answer is in text. */
bool harness_command(struct harness *h, const char *line);
/* The value of KEY in `ps --json` of a service; "" if there is none. */
const char *harness_ask(struct harness *h, const char *service,
    const char *key);
uint64_t harness_number(struct harness *h, const char *service,
    const char *key);
uint64_t harness_count(struct harness *h, const char *service,
    const char *counter);
/* Until the value is that, or half a minute is over: then false. */
bool harness_await(struct harness *h, const char *service, const char *key,
    const char *value);
bool harness_await_life(struct harness *h, const char *service,
    uint64_t incarnation);

/* A file of the folder; "" if it is not there. */
const char *harness_file(struct harness *h, const char *name);
bool harness_await_file(struct harness *h, const char *name,
    const char *content);
void harness_append(const char *path, const char *line);
void harness_pause_ms(unsigned ms);
uint64_t harness_now_ns(void);
