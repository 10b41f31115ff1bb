/* SPDX-License-Identifier: MIT */
/*
 * Runs the two sides of a peer and measures batches of messages.
 *
 * The server waits for orders on a socket of its own between batches, so a peer
 * that is not being measured costs nothing. Batches of round trips begin with a
 * few that are not measured. A batch that does not end within
 * RUNNER_PATIENCE_S ends the program.
 */
#pragma once

#include "bench.h"

#include <pthread.h>
#include <sys/types.h>

#define RUNNER_PATIENCE_S	60u
#define RUNNER_WHY_MAX		96

enum bench_kind { BENCH_ROUND_TRIP, BENCH_STREAM };

struct runner {
	const struct bench_peer *peer;
	char	 why[RUNNER_WHY_MAX];	/* it cannot be measured, or "" */
	struct bench_rig rig;
	int	 control, server_control;
	int	 cpu[2];		/* by side */
	pid_t	 server;		/* 0: a thread, or none */
	pthread_t thread;
	bool	 has_thread;
	void	*end;			/* of the client */
	unsigned char *buffer;
	/* How often one of the two was put off its CPU in the last batch. */
	uint64_t disturbances;
};

/* The CPUs of the two sides; false: there is only one, used for both. */
bool runner_cpus(int out_cpu[2]);

/*
 * In this order for all runners: prepare; start those that are processes, then
 * those that are threads; then open all. A runner whose step fails says why and
 * ignores later steps. The caller's thread is pinned by runner_pin.
 */
void runner_prepare(struct runner *runner, const struct bench_peer *peer,
    const char *folder, const int cpu[2]);
void runner_start(struct runner *runner);
void runner_open(struct runner *runner);
void runner_pin(const int cpu[2]);
/* For threads that are to run anywhere. */
void runner_unpin(void);

/* Nanoseconds of `count` messages; 0: failed, and `why` says so. */
uint64_t runner_measure(struct runner *runner, enum bench_kind kind,
    size_t size, uint64_t count);
/* In the unit of the figure. */
uint64_t runner_measure_local(struct runner *runner,
    const struct bench_local *local, uint64_t count);
void runner_close(struct runner *runner);
