/* SPDX-License-Identifier: MIT */
/* What the files of linux-bench share. */
#pragma once

#include <stdint.h>

extern char *bench_self;	/* path of this program */

uint64_t bench_ticks(void);

/* Prints what failed and ends the program. */
void bench_must(int ok, const char *what);

/*
 * Runs the operation `count` times after a warm-up and prints its row; each
 * sample is divided by `parts`.
 */
void bench_measure(const char *name, unsigned count, unsigned parts,
    void (*run)(void));

/* Prints a row of one value. */
void bench_value(const char *name, uint64_t value);

/* Prints that a row cannot be measured here, and why. */
void bench_skip(const char *name, const char *why);

/* One child of its own echoes; linux-bench-pairs.c. */
void bench_pairs(int (*wanted)(const char *name));

/* Waiting for many things; linux-bench-polls.c. */
void bench_polls(int (*wanted)(const char *name));

/* Costs that must not grow with the number of processes, and start-up. */
void bench_many(int (*wanted)(const char *name));
void bench_boot(void);
