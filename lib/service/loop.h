/* SPDX-License-Identifier: MIT */
/*
 * Between the parts of the service library: loop.c runs the service, the
 * runtime (guest/runtime.c, in tests the fake kernel) is the process it runs
 * in.
 */
#pragma once

#include <idl/place.h>
#include <lib/service/service.h>

#define LOOP_EVENT_BIT	(1ul << 63)	/* the kernel lists events */

/* Opens the arena of the place; it is closed for writing after that. */
struct arena *runtime_open_arena(uint64_t layout_version);
/* Under page protection: stays writable, it is written by each transaction. */
void runtime_keep_writable(void *start, size_t length);
/* Something was saved in the arena since the last call. */
bool runtime_take_dirty(void);
struct trace_page;
/* The page for the trace of this place. */
struct trace_page *runtime_trace(void);
/* Reads boot options. */
void runtime_start(void);
/* A crash point as in the boot option of that name; phoenix arms its own. */
void runtime_arm(const char option[48]);

/* For service_request: a transaction of the loop's own. */
struct book;
struct book *loop_book(void);
void loop_transaction_begin(void);
void loop_transaction_end(void);
void loop_transaction_abort(void);
