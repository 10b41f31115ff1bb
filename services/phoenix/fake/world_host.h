/* SPDX-License-Identifier: MIT */
/*
 * The model of the kernel that phoenix runs on in its tests, and what its test
 * sees of it. Handles are indices of objects and never used again.
 */
#pragma once

#include <services/phoenix/phoenix.h>

#include <setjmp.h>

#define FAKE_PLACES	4u
#define FAKE_OBJECTS	8192u
#define FAKE_DROPS	256u

struct object {
	bool	 alive, named;
	unsigned type;
	cap_t	 table;			/* of whom; 0: phoenix's */
	unsigned place;			/* of threads and parts */
	uint64_t state;			/* STATE_*, of threads */
	cap_t	 image;			/* of threads: what they will run */
};

struct world {
	struct object object[FAKE_OBJECTS];
	unsigned count;
	cap_t	 drop[FAKE_DROPS];
	unsigned drops;
	struct death_info death[FAKE_PLACES];
	bool	 fired[FAKE_PLACES], closed[FAKE_PLACES];
	uint64_t bits[FAKE_PLACES];
	bool	 cleared[FAKE_PLACES];	/* its arena, since the last start */
	uint64_t cold[FAKE_PLACES];		/* cold starts, as of the last start */
	cap_t	 cloned;		/* last; the thread made next is of it */
	uint64_t now;
	uint64_t steps_left;		/* of phoenix; 0: it lives */
	uint64_t crashes;
	uint64_t full_odds;		/* 0: no table is ever full */
	bool	 in_transaction;
	bool	 abort;			/* the next transaction is undone */
};

extern struct world world;
extern struct phoenix phoenix;
extern struct trace_page trace[FAKE_PLACES];
extern uint64_t random_state;
/* Where phoenix goes that dies. */
extern jmp_buf died;

uint64_t chance(uint64_t of);
/* Ends the test, naming what does not hold. */
void must(bool holds, const char *what);
cap_t object_add(unsigned type, cap_t table, unsigned place);
void object_delete(cap_t cap);
void thread_dies(struct object *thread, uint64_t cause);
