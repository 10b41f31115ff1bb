/* SPDX-License-Identifier: MIT */
/*
 * A recording of what all places do, from `ctl trace start` to `stop`.
 *
 * Each place keeps its last events in memory that it shares with phoenix
 * (idl/trace.h). While a recording is on, phoenix copies new ones from there
 * into a buffer of its own, every RECORD_EVERY_NS; what a place overwrote before
 * that is counted as lost. Buffer and positions outlive an incarnation of
 * phoenix. A full buffer ends the recording: its beginning is what was asked
 * for.
 *
 * A service that is out of its mind may write anything there, so nothing but
 * the place and its incarnation is phoenix's own word.
 */
#include "phoenix.h"

#include <lib/base/format.h>

#define RECORD_VIEW	(PLACE_HEAP_BASE + 0xc00000000ul)
#define RECORD_EVENTS	32768u
#define RECORD_EVERY_NS	1000000ul
#define LINE_MAX	192u

struct record_event {
	struct trace_event event;
	uint32_t place, incarnation;
	uint64_t reserved;
};

#define RECORD_SIZE	(RECORD_EVENTS * sizeof(struct record_event))

_Static_assert(sizeof(struct record_event) == 64, "whole events in a page");

static bool mapped;		/* in this incarnation of phoenix */

static struct record_event *
buffer(const struct record *record)
{
	if (!mapped && sys_map(service_info()->vspace, RECORD_VIEW,
	    record->memory, 0, RECORD_SIZE, MAP_READ | MAP_WRITE) != OK)
		service_panic("cannot map the recording");
	mapped = true;
	return (struct record_event *)RECORD_VIEW;
}

/* Only the last event of a place may still be going on. */
static bool
is_over(const struct trace_event *event, bool last)
{
	return !last || event->kind_outcome != (TRACE_CALL << 8 | TRACE_OPEN);
}

static void
drain_place(struct phoenix *phoenix, const struct place *place)
{
	struct record *record = &phoenix->record;
	uint64_t index = place_index(phoenix, place);
	uint64_t *seen = &record->seen[index];
	const struct trace_page *trace = report_trace(phoenix, place);
	struct record_event *to = buffer(record);

	if (trace == NULL)
		return;
	uint64_t next = __atomic_load_n(&trace->next, __ATOMIC_ACQUIRE);
	/* Only one who is out of his mind counts backwards. */
	if (next < *seen)
		*seen = next;
	if (next - *seen > TRACE_EVENTS) {
		record->lost += next - *seen - TRACE_EVENTS;
		*seen = next - TRACE_EVENTS;
	}
	for (; *seen < next && record->count < RECORD_EVENTS; (*seen)++) {
		struct trace_event event = trace->event[*seen % TRACE_EVENTS];
		if (!is_over(&event, *seen + 1 == next))
			return;
		if (event.kind_outcome >> 8 == TRACE_START)
			record->incarnation[index] = event.a;
		to[record->count++] = (struct record_event){
			.event = event, .place = (uint32_t)index,
			.incarnation = (uint32_t)record->incarnation[index],
		};
	}
}

static void
set_timer(const struct record *record)
{
	sys_invoke(SYS_TIMER_SET, record->timer, record->on ?
	    service_now_ns() + RECORD_EVERY_NS : DEADLINE_NEVER, 0, 0, 0, 0);
}

void
record_drain(struct phoenix *phoenix)
{
	struct record *record = &phoenix->record;

	if (!record->on)
		return;
	SAVE(*record);
	for (uint64_t i = 0; i < phoenix->place_count; i++)
		drain_place(phoenix, &phoenix->place[i]);
	record->on = record->count < RECORD_EVENTS;
	set_timer(record);
}

status_t
record_start(struct phoenix *phoenix)
{
	struct record *record = &phoenix->record;
	status_t status = OK;

	SAVE(*record);
	if (record->memory == CAP_NONE) {
		status = sys_object_create(OBJ_MEMORY, PLACE_CONTAINER,
		    RECORD_SIZE, 0, &record->memory);
		if (status == OK)
			status = service_cap_keep(record->memory);
		mapped = false;
	}
	if (status != OK)
		return status;
	record->count = record->lost = 0;
	record->base_ns = service_now_ns();
	record->base_tsc = __builtin_ia32_rdtsc();
	for (uint64_t i = 0; i < phoenix->place_count; i++) {
		const struct trace_page *trace = report_trace(phoenix,
		    &phoenix->place[i]);
		record->seen[i] = trace != NULL ? trace->next : 0;
		record->incarnation[i] = phoenix->place[i].life.incarnation;
	}
	record->on = 1;
	set_timer(record);
	return OK;
}

status_t
record_stop(struct phoenix *phoenix)
{
	struct record *record = &phoenix->record;

	if (record->base_tsc == 0)
		return ERR_STATE;
	record_drain(phoenix);
	SAVE(*record);
	record->on = 0;
	set_timer(record);
	return OK;
}

/* All times of a recording by one conversion, so that none runs backwards. */
static uint64_t
time_ns(const struct record *record, uint64_t tsc)
{
	return tsc < record->base_tsc ? 0 : record->base_ns +
	    service_ticks_ns(tsc - record->base_tsc);
}

static const char *
or_none(const char *text)
{
	return *text != '\0' ? text : "-";
}

/* As tools/events.py reads it. */
static size_t
write_line(const struct phoenix *phoenix, const struct record_event *from,
    char *text, size_t room)
{
	const struct trace_event *event = &from->event;
	const struct record *record = &phoenix->record;
	const char *service = from->place < phoenix->place_count ?
	    phoenix->place[from->place].manifest.name : "?";

	return format_text(text, room, "%lu %lu %s %u %s %s %s %lx %lx %lu\n",
	    time_ns(record, event->tsc), time_ns(record, event->end_tsc),
	    service, from->incarnation, report_kind(event),
	    or_none(report_outcome(event)), or_none(report_name(event)),
	    event->a, event->b, event->order);
}

size_t
record_read(const struct phoenix *phoenix, uint64_t position, char *text,
    size_t room)
{
	const struct record *record = &phoenix->record;
	size_t length = 0;

	while (position < record->count && room - length >= 2 * LINE_MAX) {
		length += write_line(phoenix, &buffer(record)[position],
		    text + length, LINE_MAX);
		position++;
	}
	if (position < record->count)
		return length + format_text(text + length, LINE_MAX,
		    "next %lu", position);
	return length + format_text(text + length, LINE_MAX, "end %lu %lu\n",
	    record->count, record->lost);
}
