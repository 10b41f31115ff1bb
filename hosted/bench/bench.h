/* SPDX-License-Identifier: MIT */
/*
 * benchmark-ipc: what a message costs, by many ways, in one run.
 *
 * A peer is one way to bring bytes from one thread to another: its client runs
 * in this process on one CPU, its server in a process (or thread) of its own on
 * another. Every message carries its number in its first eight bytes, and both
 * sides check it: a way that loses or changes messages has no figure.
 *
 * A figure is one number: of a peer, by kind and size. All figures are measured
 * in turn, round after round, so that a ratio compares what ran side by side;
 * the ratio of two figures is the median of the ratios of each round.
 *
 * Threads that a library starts by itself are not pinned.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BENCH_SHARED	(8ul << 20)	/* bytes of rig.shared */
#define BENCH_SIZE_MAX	(64ul << 10)	/* bytes of a message */
#define BENCH_LINE	64u

enum bench_side { BENCH_CLIENT, BENCH_SERVER };

/* What both sides of a peer share; made before they part. */
struct bench_rig {
	unsigned char *shared;	/* BENCH_SHARED bytes, zero at first */
	const char *folder;	/* for sockets; removed at the end */
	const char *peer;	/* name, for the names of sockets */
	int	 fd[4];		/* by prepare; -1 none */
	void	*data;		/* by prepare */
};

/* `buffer` has BENCH_SIZE_MAX bytes; a size is 8 bytes at least. */
struct bench_job {
	uint64_t count;		/* messages */
	size_t	 size;		/* bytes of each */
	unsigned char *buffer;
};

enum bench_unit { BENCH_NS, BENCH_CYCLES };

/* A figure that needs no other side: time of `count` operations, 0: failed. */
struct bench_local {
	const char *name;
	const char *text;
	enum bench_unit unit;
	size_t	 size;		/* bytes moved by an operation, or 0 */
	uint64_t (*run)(void *end, uint64_t count);
};

#define PEER_THREAD	0x1u	/* the server is a thread of this process */
#define PEER_SPINS	0x2u	/* needs a CPU for each side */
#define PEER_ROUND_TRIP	0x4u	/* has round_trip and serve */
#define PEER_STREAM	0x8u	/* has send and receive */

/*
 * Functions that return bool: false when a message was lost or changed, or the
 * way broke. prepare returns 0 or an errno; open NULL if it fails, and is
 * called by the side that will use the end, the server first.
 */
struct bench_peer {
	const char *name, *text;
	unsigned flags;
	int	(*prepare)(struct bench_rig *rig);
	void	(*release)(struct bench_rig *rig);	/* what prepare made */
	void	*(*open)(struct bench_rig *rig, enum bench_side side);
	bool	(*round_trip)(void *end, const struct bench_job *job);
	bool	(*serve)(void *end, const struct bench_job *job);
	bool	(*send)(void *end, const struct bench_job *job);
	bool	(*receive)(void *end, const struct bench_job *job);
	void	(*close)(void *end);
	const struct bench_local *locals;	/* up to one without a name */
};

/* A peer whose library was missing at build has no definition. */
struct bench_entry {
	const char *name;
	const char *needs;		/* Debian package, or NULL */
	const struct bench_peer *peer;	/* NULL: not built */
};
extern const struct bench_entry bench_peers[];	/* up to one without a name */

static inline void
bench_number(unsigned char *buffer, uint64_t number)
{
	memcpy(buffer, &number, sizeof(number));
}

static inline bool
bench_has_number(const unsigned char *buffer, uint64_t number)
{
	return memcmp(buffer, &number, sizeof(number)) == 0;
}

uint64_t bench_now_ns(void);
uint64_t bench_cycles(void);		/* of the time stamp counter */
double bench_cycles_per_ns(void);	/* measured once */

#ifdef __cplusplus
}
#endif
