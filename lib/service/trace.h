/* SPDX-License-Identifier: MIT */
/* Writing the trace of the service (idl/trace.h). */
#pragma once

#include <idl/trace.h>

/* Overwrites the oldest event; the caller may set its outcome later. */
static inline struct trace_event *
trace_write(struct trace_page *page, unsigned kind, uint64_t a, uint64_t b)
{
	struct trace_event *event = &page->event[page->next % TRACE_EVENTS];

	event->tsc = __builtin_ia32_rdtsc();
	event->kind_outcome = kind << 8;
	event->a = a;
	event->b = b;
	event->order = 0;
	event->end_tsc = 0;
	/* Readers take what lies before this. */
	__atomic_store_n(&page->next, page->next + 1, __ATOMIC_RELEASE);
	return event;
}
