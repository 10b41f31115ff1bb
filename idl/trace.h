/* SPDX-License-Identifier: MIT */
/*
 * Trace of a service: the last events of its loop, in memory of its place.
 *
 * The service writes, phoenix reads: for the report of a death, for heartbeats,
 * for `ctl trace` and `ctl stats`. The memory outlives the incarnation. Nothing rests
 * on it: a service that is out of its mind may write anything here, so readers
 * check every number. One writer, which counts an event when it is whole; only
 * outcome and end of a call are added later. The oldest may be overwritten while
 * it is read.
 */
#pragma once

#include <stdint.h>

#define TRACE_EVENTS	1024u		/* a power of two */
#define TRACE_SIZE	0x10000ul	/* bytes, whole pages */

/* Kinds. */
#define TRACE_NONE	0u
#define TRACE_CALL	1u		/* a = tag, b = badge, order; outcome */
#define TRACE_NOTIFIED	2u		/* a = bits */
#define TRACE_EVENT	3u		/* a = EVENT_*, b = badge */
#define TRACE_START	4u		/* a = incarnation, b = calls found */

/* Outcomes of a call. */
#define TRACE_OPEN	0u		/* not ended, or the service died in it */
#define TRACE_REPLIED	1u
#define TRACE_REFUSED	2u		/* answered with an error */
#define TRACE_PARKED	3u

struct trace_event {
	uint64_t tsc;
	uint64_t kind_outcome;		/* kind << 8 | outcome */
	uint64_t a, b;
	uint64_t order;			/* of the call */
	uint64_t end_tsc;		/* of a call that was handled; else 0 */
};

struct trace_page {
	uint64_t next;			/* events ever written */
	uint64_t calls, refused, parked, notified;	/* since boot */
	uint64_t answered;		/* calls and parked calls, since boot */
	uint64_t beat;			/* number of the last beat answered */
	uint64_t beat_tsc;		/* when */
	uint64_t latency_tsc;		/* TSC ticks from receipt to end, all calls */
	uint64_t fault_sequence;	/* last fault carried out (idl/fault.h) */
	uint64_t fault_hits;
	uint64_t fault_tsc;
	uint64_t first_answer_tsc;	/* of this incarnation, 0 = none yet */
	uint64_t poisoned, stale;	/* calls refused as such, since boot */
	uint64_t drained;		/* 1: takes no calls (LOOP_DRAIN_BIT) */
	uint64_t ready_tsc;		/* when it first waited for a call */
	uint64_t damaged;		/* 1: the arena was found damaged */
	uint64_t first_cause_tsc;	/* when what was answered first came */
	struct trace_event event[TRACE_EVENTS];
};

_Static_assert(sizeof(struct trace_page) <= TRACE_SIZE, "fits its memory");
