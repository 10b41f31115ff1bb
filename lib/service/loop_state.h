/* SPDX-License-Identifier: MIT */
/*
 * What the files of the loop share: loop.c takes calls and starts, notice.c
 * takes notifications, kernel events, and what nobody names.
 */
#pragma once

#include <lib/service/book.h>
#include <lib/service/loop.h>
#include <idl/trace.h>

#define SWEEP_STEP	32u	/* slots looked at in each step */
#define CHECK_STEPS	64u	/* pages of the arena looked at in each beat */

struct loop {
	const struct service *service;
	void	*root;
	struct book book;
	struct service_call call;

	bool	 pending;	/* the active reply object holds a call */
	bool	 upgrading;	/* the upgrade is still to be committed */
	uint64_t sweep_next;	/* slot; 0 = done */
	bool	 sweep_again;	/* from the start, after this one */
	struct trace_page *trace;
	uint64_t session;	/* bits of a badge that make it one of now */
	bool	 draining;	/* takes no calls */
	uint64_t checked;	/* position of arena_check_step */

	/* The answer that goes out with the next wait; NULL: none. */
	const struct message *answer;
	uint32_t answer_reply;
};

extern struct loop loop;

static inline cap_t
reply_cap(uint32_t reply)
{
	return loop.book.state->replies[reply].cap;
}

/* Just before an answer leaves. */
static inline void
count_answer(void)
{
	struct trace_page *trace = loop.trace;

	trace->answered++;
	if (__builtin_expect(trace->first_answer_tsc == 0, 0)) {
		trace->first_answer_tsc = __builtin_ia32_rdtsc();
		trace->first_cause_tsc =
		    trace->event[(trace->next - 1) % TRACE_EVENTS].tsc;
	}
}

/* Turns it into what handlers know; false: of a session before a cold start. */
static inline bool
take_badge(uint64_t *badge)
{
	uint64_t own = *badge ^ loop.session;

	if (own <= SERVICE_BADGE_MASK) {
		*badge = own;
		return true;
	}
	return (*badge & SERVICE_SESSION) == 0;
}

/* notice.c */
cap_t sweep_start(void);
void sweep(unsigned steps);
/* All of the arena, if it was found damaged. */
void check_again(void);
void drain_events(void);
void notified(uint64_t bits);
