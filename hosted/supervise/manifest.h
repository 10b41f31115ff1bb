/* SPDX-License-Identifier: MIT */
/*
 * What a service is: one TOML file, bennu-supervise.toml(5). The keys are those
 * of places in the machine (services/phoenix) and those that only processes
 * of Linux have.
 */
#pragma once

#include <lib/supervise/supervise.h>
#include <lib/toml/toml.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MANIFEST_NAME_MAX	31u	/* of struct supervised, less its end */
#define MANIFEST_COMMAND_MAX	64u	/* words */
#define MANIFEST_NEEDS_MAX	16u
#define MANIFEST_LISTEN_MAX	8u
#define MANIFEST_ENVIRONMENT_MAX 32u
#define MANIFEST_DESCRIPTORS_MAX 1024u
#define MANIFEST_BYTES_MAX	65536u
#define MANIFEST_GROUPS		100u

enum manifest_ready { READY_START, READY_NOTIFY, READY_FD };
enum manifest_log { LOG_PREFIX, LOG_INHERIT, LOG_FILE };

/* Strings are in `toml`: it must not be copied. */
struct manifest {
	struct toml toml;
	const char *name;
	char	*command[MANIFEST_COMMAND_MAX + 1];	/* ends with NULL */
	unsigned group;
	const char *needs[MANIFEST_NEEDS_MAX];		/* names of services */
	unsigned needs_count;
	struct supervise_policy policy;
	uint64_t retry_ns;		/* after it was given up; NEVER: final */

	bool	 spare;
	bool	 urgent;		/* runs before others until it is ready */
	uint64_t arena_size;		/* bytes, 0 = none */
	const char *listen[MANIFEST_LISTEN_MAX];
	unsigned listen_count;
	bool	 accept;
	unsigned descriptors;		/* that it may store */

	const char *environment[MANIFEST_ENVIRONMENT_MAX];	/* NAME=VALUE */
	unsigned environment_count;
	const char *directory;		/* NULL: / */
	const char *user;		/* NULL: that of the supervisor */

	enum manifest_ready ready;
	int	 ready_fd;
	uint64_t start_timeout_ns;	/* 0: none */
	uint64_t stop_timeout_ns;
	int	 stop_signal;
	enum manifest_log log;
	const char *log_file;
};

struct manifest_error {
	unsigned line;		/* 0: of no single line */
	char	 text[160];	/* names the key */
};

bool manifest_parse(const char *text, size_t length, struct manifest *out,
    struct manifest_error *error);
/* Reads a file; the error names what is wrong with it. */
bool manifest_read(const char *path, struct manifest *out,
    struct manifest_error *error);
/* It is told more than an ordinary program: see place.h. */
bool manifest_is_place(const struct manifest *manifest);
