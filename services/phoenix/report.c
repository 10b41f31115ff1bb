/* SPDX-License-Identifier: MIT */
/*
 * What phoenix writes into the log.
 *
 * What is known of a death is copied at once and written later, since a log
 * line costs as much as many requests: one or two lines when the place serves
 * again or will not for a while, and what is longer (registers, back trace, the
 * last events) some time after the death. The copy is lost if phoenix dies
 * meanwhile.
 */
#include "phoenix.h"

#include <idl/names.h>
#include <lib/base/format.h>

/* So long without a change: the host may let a CPU wait for tens of ms. */
#define SETTLE_NS	200000000ul
#define SETTLE_MAX_NS	3000000000ul
#define LINE_NS		300000ul	/* so long after READY */
#define DETAILS_NS	5000000ul	/* so long after the death */
#define FRAMES_MAX	16u
#define EVENTS_SHOWN	8u

#define STACK_VIEW	(PLACE_HEAP_BASE + 0xa00000000ul)
#define STACK_STRIDE	0x1000000ul	/* no stack is that large */
#define TRACE_VIEW	(PLACE_HEAP_BASE + 0xb00000000ul)

struct details {
	bool	 line, long_part;	/* to be written */
	uint64_t line_ns, long_ns;	/* when; DEADLINE_NEVER */
	uint64_t incarnation;
	struct death_info info;
	uint64_t frame_count, event_count;
	uint64_t frame[FRAMES_MAX];
	struct trace_event event[EVENTS_SHOWN];	/* oldest first */
};

/* Of this incarnation of phoenix. */
static struct details details[PLACES_MAX];
static bool stack_mapped[PLACES_MAX], trace_mapped[PLACES_MAX];

static const char *
cause_name(uint64_t cause)
{
	static const char *const name[] = {
		[DEATH_NONE] = "nothing",
		[DEATH_EXCEPTION] = "exception",
		[DEATH_PANIC] = "panic",
		[DEATH_BUDGET] = "budget",
		[DEATH_LIMIT] = "memory limit",
		[DEATH_KILLED] = "killed",
		[DEATH_EXIT] = "exit",
	};

	return cause < sizeof(name) / sizeof(name[0]) ? name[cause] : "?";
}

const char *
report_kind(const struct trace_event *event)
{
	static const char *const name[] = {
		[TRACE_NONE] = "-",
		[TRACE_CALL] = "call",
		[TRACE_NOTIFIED] = "notified",
		[TRACE_EVENT] = "event",
		[TRACE_START] = "start",
	};
	uint64_t kind = event->kind_outcome >> 8;

	return kind < sizeof(name) / sizeof(name[0]) ? name[kind] : "?";
}

const char *
report_outcome(const struct trace_event *event)
{
	static const char *const name[] = {
		[TRACE_OPEN] = "open",
		[TRACE_REPLIED] = "replied",
		[TRACE_REFUSED] = "refused",
		[TRACE_PARKED] = "parked",
	};
	uint64_t outcome = event->kind_outcome & 0xff;

	if (event->kind_outcome >> 8 != TRACE_CALL)
		return "";
	return outcome < sizeof(name) / sizeof(name[0]) ? name[outcome] : "?";
}

const char *
report_request(uint64_t tag)
{
	const char *name = idl_request_name(tag);

	return name != NULL ? name : "";
}

const char *
report_name(const struct trace_event *event)
{
	return event->kind_outcome >> 8 == TRACE_CALL ?
	    report_request(event->a) : "";
}

/* Maps memory of a place once; false if it cannot be. */
static bool
view(bool *mapped, uint64_t address, cap_t memory, uint64_t length)
{
	if (!*mapped)
		*mapped = sys_map(service_info()->vspace, address, memory, 0,
		    length, MAP_READ) == OK;
	return *mapped;
}

const struct trace_page *
report_trace(const struct phoenix *phoenix, const struct place *place)
{
	uint64_t index = place_index(phoenix, place);
	uint64_t address = TRACE_VIEW + index * TRACE_SIZE;

	return view(&trace_mapped[index], address, place->parts.trace,
	    TRACE_SIZE) ? (const struct trace_page *)address : NULL;
}

/* Services keep frame pointers: each points at the next and a return address. */
static void
take_frames(const struct phoenix *phoenix, const struct place *place,
    struct details *to)
{
	uint64_t index = place_index(phoenix, place);
	uint64_t size = place->parts.stack_size;
	uint64_t low = PLACE_STACK_TOP - size;
	uint64_t at = STACK_VIEW + index * STACK_STRIDE;
	uint64_t rbp = to->info.frame.rbp, above = 0;

	to->frame_count = 0;
	if (!view(&stack_mapped[index], at, place->parts.stack, size))
		return;
	while (to->frame_count < FRAMES_MAX && rbp % 8 == 0 && rbp > above &&
	    rbp >= low && rbp <= PLACE_STACK_TOP - 16) {
		const uint64_t *frame =
		    (const uint64_t *)(at + (rbp - low));
		to->frame[to->frame_count++] = frame[1];
		above = rbp;
		rbp = frame[0];
	}
}

static void
take_events(const struct phoenix *phoenix, const struct place *place,
    struct details *to)
{
	const struct trace_page *trace = report_trace(phoenix, place);
	uint64_t next, count;

	to->event_count = 0;
	if (trace == NULL)
		return;
	next = trace->next;
	count = next < EVENTS_SHOWN ? next : EVENTS_SHOWN;
	for (uint64_t i = 0; i < count; i++)
		to->event[to->event_count++] =
		    trace->event[(next - count + i) % TRACE_EVENTS];
}

/* For the next part that is due. */
static void
set_timer(const struct phoenix *phoenix)
{
	uint64_t next = DEADLINE_NEVER;

	for (uint64_t i = 0; i < phoenix->place_count; i++) {
		const struct details *at = &details[i];
		if (at->line && at->line_ns < next)
			next = at->line_ns;
		if (at->long_part && at->long_ns < next)
			next = at->long_ns;
	}
	sys_invoke(SYS_TIMER_SET, phoenix->report_timer, next, 0, 0, 0, 0);
}

void
report_death(const struct phoenix *phoenix, const struct place *place,
    const struct death_info *info)
{
	struct details *to = &details[place_index(phoenix, place)];

	report_now(phoenix, place);	/* it died again before it was READY */
	to->line = true;
	to->line_ns = DEADLINE_NEVER;
	to->incarnation = place->life.incarnation;
	to->info = *info;
	if (info->cause == DEATH_KILLED || info->cause == DEATH_EXIT)
		return;
	to->long_part = true;
	to->long_ns = service_now_ns() + DETAILS_NS;
	take_frames(phoenix, place, to);
	take_events(phoenix, place, to);
	set_timer(phoenix);
}

void
report_ready(const struct phoenix *phoenix, const struct place *place)
{
	struct details *at = &details[place_index(phoenix, place)];

	if (!at->line)
		return;
	at->line_ns = service_now_ns() + LINE_NS;
	set_timer(phoenix);
}

void
report_now(const struct phoenix *phoenix, const struct place *place)
{
	struct details *from = &details[place_index(phoenix, place)];
	const struct death_info *info = &from->info;

	if (!from->line)
		return;
	from->line = false;
	service_log("%s %lu died: %s %lu at rip %lx address %lx rsp %lx",
	    place->manifest.name, from->incarnation, cause_name(info->cause),
	    info->code, info->frame.rip, info->frame.address,
	    info->frame.rsp);
	if (info->request_order != 0)
		service_log("%s served call %lu tag %lx badge %lx %s",
		    place->manifest.name, info->request_order,
		    info->request_tag, info->request_badge,
		    report_request(info->request_tag));
}

static void
write_registers(const char *name, uint64_t incarnation,
    const struct user_frame *f)
{
	service_log("%s %lu registers: rax %lx rbx %lx rcx %lx rdx %lx "
	    "rsi %lx rdi %lx rbp %lx rflags %lx", name, incarnation, f->rax,
	    f->rbx, f->rcx, f->rdx, f->rsi, f->rdi, f->rbp, f->rflags);
	service_log("%s %lu registers: r8 %lx r9 %lx r10 %lx r11 %lx r12 %lx "
	    "r13 %lx r14 %lx r15 %lx", name, incarnation, f->r8, f->r9, f->r10,
	    f->r11, f->r12, f->r13, f->r14, f->r15);
}

static void
write_frames(const char *name, const struct details *from)
{
	char text[200];
	size_t used = 0;

	text[0] = '\0';
	for (uint64_t i = 0; i < from->frame_count &&
	    used < sizeof(text) - 20; i++)
		used += format_text(text + used, sizeof(text) - used, " 0x%lx",
		    from->frame[i]);
	service_log("%s %lu back trace: 0x%lx%s", name, from->incarnation,
	    from->info.frame.rip, text);
}

static void
write_details(const char *name, const struct details *from)
{
	write_registers(name, from->incarnation, &from->info.frame);
	write_frames(name, from);
	for (uint64_t i = 0; i < from->event_count; i++) {
		const struct trace_event *event = &from->event[i];
		service_log("%s %lu event: %lu us %s %lx badge %lx order %lu "
		    "%s %s", name, from->incarnation,
		    service_stamp_ns(event->tsc) / 1000, report_kind(event), event->a,
		    event->b, event->order, report_outcome(event),
		    report_name(event));
	}
}

void
report_due(const struct phoenix *phoenix)
{
	uint64_t now = service_now_ns();

	for (uint64_t i = 0; i < phoenix->place_count; i++) {
		struct details *at = &details[i];
		bool long_part = at->long_part && at->long_ns <= now;

		if (long_part || (at->line && at->line_ns <= now))
			report_now(phoenix, &phoenix->place[i]);
		if (!long_part)
			continue;
		at->long_part = false;
		write_details(phoenix->place[i].manifest.name, at);
	}
	set_timer(phoenix);
}

status_t
system_info_read(struct system_info *out_info)
{
	const struct utcb *utcb = (const struct utcb *)PLACE_UTCB;
	struct sys_result r = sys_invoke(SYS_SYSTEM_INFO, POWER_SYSTEM, 0, 0, 0,
	    0, 0);

	if (r.status == OK)
		*out_info = *(const struct system_info *)utcb->data;
	return r.status;
}

static uint64_t
all_objects(const struct system_info *info)
{
	uint64_t objects = 0;

	for (unsigned i = 0; i < OBJ_TYPE_COUNT; i++)
		objects += info->objects[i];
	return objects;
}

/*
 * What is in use, once the kernel has taken apart what died just before: its
 * reaper works when a CPU leaves the kernel, so leave it until nothing changes.
 */
void
report_system(struct phoenix *phoenix)
{
	struct system_info info;
	uint64_t objects = 0, start = service_now_ns(), changed = start, now;

	incarnation_tidy_all(phoenix);
	do {
		sys_invoke(SYS_THREAD_YIELD, 0, 0, 0, 0, 0, 0);
		if (system_info_read(&info) != OK)
			return;
		now = service_now_ns();
		if (all_objects(&info) != objects)
			changed = now;
		objects = all_objects(&info);
	} while (now - changed < SETTLE_NS && now - start < SETTLE_MAX_NS);
	service_log("system: frames %lu objects %lu slots %lu threads %lu",
	    info.frames_total - info.frames_free, objects, info.slots_used,
	    info.objects[OBJ_THREAD]);
}
