/* SPDX-License-Identifier: MIT */
/*
 * Interleaving explorer: runs two or three logical threads in every order of
 * their accesses to shared memory, and under a weak memory model.
 *
 * Code under test reaches shared memory only through hooked operations
 * (lib/ring/atomic.h with RING_EXPLORED). Before each, a thread stops; the
 * explorer picks who goes on and what it sees, and comes back later to try the
 * rest. A state that was reached before, by whatever path, is not entered
 * again. So a run ends, and then all that can happen did happen.
 *
 * The memory model is that of C11 without load buffering, as a machine: each
 * place in memory holds a list of writes; each thread has a view, that is how
 * far down each list it has seen; it may read any write from there on and put
 * its own anywhere behind. Release writes carry the writer's view, acquire
 * reads take it over, fences do so for the accesses around them, full fences
 * go through one common view. Accesses to data (ring_get, ring_put, copies) must
 * be ordered by this: otherwise the run fails with a data race, which is also
 * how a load that slips behind a later store is found.
 *
 * A run fails on an expectation, a data race, or when every thread that is left
 * sleeps (a lost wake-up); it then prints the accesses that led there. Threads
 * that try again without end are not found: a state that repeats is left.
 *
 * A thread may also die before any of its accesses, asleep or not, if the
 * program says what its next incarnation does: the same thread then starts
 * there, knows what the dead one knew, and has a new stack. What a commit made
 * last lies in `world`; what was on the stack is gone.
 *
 * Rules for programs: what threads change besides shared memory lies in `world`
 * or on their stacks; they do not allocate and do not print. Shared memory is
 * set up in start(), where operations are ordinary ones. A copy models only its
 * first and last four bytes. A place is accessed with one size.
 *
 * Thread safety: none; one run at a time. The files of a program are compiled
 * without sanitizers: stacks are copied behind their back.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INTERLEAVE_THREADS	3u

struct interleave_program {
	const char *name;
	unsigned threads;		/* 1 .. INTERLEAVE_THREADS */
	void (*start)(void);		/* makes world and shared memory */
	void (*body[INTERLEAVE_THREADS])(void);
	/* After a death; NULL: this thread does not die. */
	void (*again[INTERLEAVE_THREADS])(void);
	unsigned deaths;		/* of all threads together, at most */
	void (*check)(void);		/* at each end, knows all; may be NULL */
	void *world;			/* what threads change privately */
	size_t world_size;
	uint64_t states_max;		/* more is a failure; 0: no limit */
	/*
	 * How often a thread may be interrupted that could go on; 0: as often
	 * as there are accesses. A bound makes a run incomplete and short.
	 */
	unsigned preemptions;
};

struct interleave_result {
	uint64_t states;		/* different ones */
	uint64_t steps;			/* accesses executed */
	uint64_t ends;			/* different states at the end */
	const char *failure;		/* NULL: everything holds */
};

struct interleave_result interleave_run(
    const struct interleave_program *program);

/* For programs. */
#define INTERLEAVE_EXPECT(condition) \
	((condition) ? (void)0 : interleave_fail(#condition))

/* Ends the thread and the run. */
void interleave_fail(const char *what);
/* As a futex: sleeps if the word has this value, until a wake. */
void interleave_sleep(uint32_t *word, uint32_t value);
void interleave_wake(uint32_t *word);
