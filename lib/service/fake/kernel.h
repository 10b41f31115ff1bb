/* SPDX-License-Identifier: MIT */
/*
 * A model of what the service loop sees of the kernel: reply objects, slots,
 * one notification with its events, and callers with a script. It outlives
 * incarnations and checks that every call is answered once, by the right words.
 *
 * Each system call is two steps, before and after its effect; each crash point
 * of the loop is one. At the step that the test names, or by chance, the
 * incarnation dies: control returns to fake_run, which starts the next one.
 */
#pragma once

#include <lib/service/service.h>

#define FAKE_CALLERS	4u
#define FAKE_SLOTS	256u
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
};

struct fake_plan {
	uint64_t seed;		/* order of callers, kills, chance crashes */
	uint64_t crash_at;	/* step, 0 = never */
	unsigned crash_odds;	/* 1 in so many steps, 0 = never */
	unsigned cancel_odds;	/* a waiting caller is killed or kicked */
	bool	 recorded;	/* for the model: events.h */
};

struct fake_result {
	uint64_t steps;
	unsigned incarnations;
	unsigned answered, voided, kicked;
	unsigned slots_left;	/* used at the end */
	uint64_t size;		/* given to a memory object last */
	const char *failure;	/* NULL = all promises held */
};

void fake_run(const struct service *service, const struct fake_script *script,
    const struct fake_plan *plan, struct fake_result *out_result);

/* For the service under test. */
cap_t fake_object_create(void);
void fake_fail(const char *reason);
