/* SPDX-License-Identifier: MIT */
/*
 * A model of what the service loop sees of the kernel: reply objects, slots,
 * one notification with its events, and callers with a script. It outlives
 * incarnations and checks that every call is answered once, by the right words.
 *
 * Each system call is two steps, before and after its effect; each crash point
 * of the loop is one. At the step that the test names, or by chance, the
 * incarnation dies: control returns to fake_run, which starts the next one.
 *
 * Callers call through sessions. A cold start leaves the server's ends of them
 * in the table; a caller that is told that its session is stale opens another
 * and asks again. A handler may die of its request (fake_die); when the same
 * one kills twice in a row, the model names it as poison, as phoenix would.
 */
#pragma once

#include <lib/service/service.h>

#define FAKE_CALLERS	4u
#define FAKE_SLOTS	256u
#define FAKE_SESSIONS	64u	/* when a cold start comes; callers' first */
#define FAKE_OBJECT	0x4f424aul	/* type of an object of the test */
#define FAKE_SERVICE_BIT 4ul	/* of the notification, for the test */

/*
 * Gives the next message of a caller (false: it has no more) and checks the
 * answer to the last one. `alone`: no other caller has
 * one queued.
 */
struct fake_script {
	bool (*next)(unsigned caller, unsigned number, bool alone,
	    struct message *out_message);
	bool (*check)(unsigned caller, unsigned number,
	    const struct message *request, const struct message *answer,
	    unsigned caps);
	void (*cold)(void);	/* the state is gone */
	/* A call of that caller waits for more than its turn. */
	bool (*parked)(unsigned caller);
};

struct fake_plan {
	uint64_t seed;		/* order of callers, kills, chance crashes */
	uint64_t crash_at;	/* step, 0 = never */
	unsigned crash_odds;	/* 1 in so many steps, 0 = never */
	unsigned cancel_odds;	/* a waiting caller is killed or kicked */
	unsigned beat_odds;	/* phoenix asks for a sign of life */
	unsigned drain_odds;	/* it wants no calls taken for a while */
	uint64_t cold_at;	/* step of a crash that is followed by an
				 * empty arena; 0 = never */
	const struct service *next;	/* runs from the first crash on */
	bool	 may_panic;	/* it is a crash, not a failure */
	unsigned cold_after;	/* so many panics; 0 = never */
	bool	 recorded;	/* for the model: events.h */
};

struct fake_result {
	uint64_t steps;
	unsigned incarnations;
	unsigned answered, voided, kicked;
	unsigned panics, answered_between;	/* first panic to last */
	unsigned stale, poisoned;	/* answered as such */
	unsigned beats, drained;	/* seen in the trace; waits while drained */
	unsigned slots_left;	/* used at the end */
	uint64_t size;		/* given to a memory object last */
	const char *failure;	/* NULL = all promises held */
};

void fake_run(const struct service *service, const struct fake_script *script,
    const struct fake_plan *plan, struct fake_result *out_result);

/* For the service under test. */
cap_t fake_object_create(void);
void fake_fail(const char *reason);
/* The incarnation dies of the request that it executes. */
_Noreturn void fake_die(void);
