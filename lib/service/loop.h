/* SPDX-License-Identifier: MIT */
/*
 * Between the parts of the service library: loop.c runs the service, the
 * runtime (guest/runtime.c, in tests the fake kernel) is the process it runs
 * in.
 */
#pragma once

#include <idl/place.h>
#include <lib/service/service.h>

/*
 * Bits of the place's notification that are not for the service. The last two
 * are forgotten by the next incarnation: it takes calls.
 */
#define LOOP_EVENT_BIT		(1ul << 63)	/* the kernel lists events */
#define LOOP_HEARTBEAT_BIT	(1ul << 62)	/* counted in the trace page */
#define LOOP_DRAIN_BIT		(1ul << 61)	/* takes no more calls */
#define LOOP_UNDRAIN_BIT	(1ul << 60)	/* takes them again */

/*
 * Opens the arena of the place; it is closed for writing after that. An arena
 * of an older layout only if may_upgrade, and only if the loop's own part of
 * the version (upper half) is the same.
 */
struct arena *runtime_open_arena(uint64_t layout_version, bool may_upgrade);
/* Under page protection: stays writable, it is written by each transaction. */
void runtime_keep_writable(void *start, size_t length);
struct trace_page;
/* The page for the trace of this place. */
struct trace_page *runtime_trace(void);
/* Reads boot options. */
void runtime_start(void);
/* A crash point as in the boot option of that name; phoenix arms its own. */
void runtime_arm(const char option[48]);

/*
 * fault_point(FAULT_AT_*) of kernel_calls.h comes here when a fault was armed
 * since the last one, or the option crash= is there.
 */
void runtime_fault(unsigned point);
/* The words of the answer to the current call, for FAULT_BAD_REPLY. */
struct message *loop_answer(void);

/* For service_request: a transaction of the loop's own. */
struct book;
struct book *loop_book(void);
void loop_transaction_begin(void);
void loop_transaction_end(void);
void loop_transaction_abort(void);
