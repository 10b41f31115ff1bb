/* SPDX-License-Identifier: MIT */
/*
 * Loads that verify all they did, for runs in which services are broken.
 *
 * A load is a table of functions; load.c runs rounds of it and prints one
 * line for each. A load keeps in its own memory what the system acknowledged
 * and compares:
 *
 *	lost	what was acknowledged is not there
 *	doubled	an operation took effect more than once
 *	silent	data differ though every call succeeded
 *	failed	a call failed that must not; counts as lost
 *
 * After something wrong was found the load takes the system's word for the
 * truth and goes on, so that each loss is counted once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct verdict {
	uint64_t operations;
	uint64_t lost, doubled, silent;
	int	 error;		/* errno of the first call that failed, or 0 */
	char	 what[64];	/* what was found first, or empty */
};

struct run {
	const char	*name;
	const char	*sabotage;	/* fault to make in round 2, or "" */
	const char	*program;	/* path of this program */
	uint64_t	 round;		/* from 1 */
	uint64_t	 random;	/* state of load_random() */
	uint64_t	 bytes;		/* moved so far, where that is measured */
	struct verdict	 verdict;	/* of this round */
};

/* The functions run in an empty folder that belongs to the load. */
struct load {
	const char *name;
	void (*start)(struct run *);	/* may be NULL */
	void (*round)(struct run *);
	void (*end)(struct run *);	/* removes all files; may be NULL */
	const char *const *sabotages;	/* ended by NULL */
};

extern const struct load load_files, load_records, load_pipes,
    load_processes, load_signals, load_lines, load_copy, load_clients,
    load_control;

extern const char *load_control_device;

void load_lost(struct run *, const char *what);
void load_doubled(struct run *, const char *what);
void load_silent(struct run *, const char *what);
/* A call that failed; errno says how. */
void load_failed(struct run *, const char *call);

/* Counts an operation; whether it succeeded, else it is noted as failed. */
bool load_did(struct run *, const char *call, long result);

/* Whether the fault KIND is to be made now. True once in a run. */
bool load_sabotages(struct run *, const char *kind);

uint64_t load_random(struct run *);
/* FNV-1a with a final mix, over bytes and from a number. */
uint64_t load_hash(const void *data, size_t length);
uint64_t load_number_hash(uint64_t number);

/* All of it or -1, with errno EIO where the file ended before. */
long load_write(int file, const void *data, size_t length);
long load_read(int file, void *data, size_t length);

/* To standard output in one write; for lines of less than 200 bytes. */
void load_print(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
