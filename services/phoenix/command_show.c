/* SPDX-License-Identifier: MIT */
/*
 * Commands that show services: ps, deps, stats, ipc, events.
 */
#include "command.h"

#include <lib/base/string.h>

/* CPU time of the incarnation on its own account: not what callers lent. */
static uint64_t
run_time_ms(const struct place *place)
{
	struct sys_result r = sys_invoke(SYS_THREAD_INFO,
	    place->life.now.thread, 0, 0, 0, 0, 0);

	return place->life.now.thread == CAP_NONE || r.status != OK ? 0 :
	    r.value[0] / 1000000;
}

/* "-" before there was one. */
static const char *
health_name(const struct supervised *policy)
{
	return policy->state == SUPERVISE_READY ||
	    policy->state == SUPERVISE_DRAINING ?
	    supervise_event_name(policy->health) : "-";
}

status_t
run_ps(struct phoenix *phoenix, const struct command_words *words)
{
	(void)words;
	say("%-12s %-9s %11s %7s %-9s %8s %10s %9s %8s %8s\n", "SERVICE",
	    "STATE", "INCARNATION", "DEATHS", "HEALTH", "BACK-US", "CALLS",
	    "KIB", "OBJECTS", "CPU-MS");
	say("%-12s %-9s %11lu %7s %-9s %8s %10s %9s %8s %8s\n", "phoenix",
	    "ready", service_info()->incarnation, "-", "-", "-", "-", "-", "-",
	    "-");
	for (uint64_t i = 0; i < phoenix->place_count; i++) {
		const struct place *place = &phoenix->place[i];
		const struct supervised *policy = place_policy(phoenix, place);
		const struct trace_page *trace = report_trace(phoenix, place);
		struct container_info memory = memory_of(place->parts.container);

		say("%-12s %-9s %11lu %7lu %-9s %8lu %10lu %9lu %8lu %8lu\n",
		    place->manifest.name, supervise_state_name(policy->state),
		    place->life.incarnation, place->life.deaths,
		    health_name(policy), place->life.recovery_ns / 1000,
		    trace != NULL ? trace->calls : 0,
		    memory.frames_used * (PAGE_SIZE / 1024),
		    memory.objects_used, run_time_ms(place));
	}
	return OK;
}

static void
say_list(const char *head, const char *items, size_t size, unsigned count)
{
	for (unsigned i = 0; i < count && items[i * size] != '\0'; i++)
		say("%s%s", i == 0 ? head : " ", items + i * size);
}

status_t
run_deps(struct phoenix *phoenix, const struct command_words *words)
{
	(void)words;
	for (uint64_t i = 0; i < phoenix->place_count; i++) {
		const struct manifest *m = &phoenix->place[i].manifest;

		say("%s: group %lu", m->name, m->group);
		say_list("; provides ", m->provides[0], sizeof(m->provides[0]),
		    PROVIDES_MAX);
		say_list("; needs ", m->needs[0], sizeof(m->needs[0]),
		    NEEDS_MAX);
		say("\n");
	}
	return OK;
}

void
say_policy(const struct supervised *policy)
{
	const struct supervise_policy *p = &policy->policy;

	say("restart %s\nmax_restarts %lu\nwindow_ms %lu\ndelay_ms %lu\n"
	    "beat_ms %lu\ncold %lu\npredict %lu\n",
	    supervise_restart_name(p->restart), p->max_restarts,
	    p->window_ns / 1000000, p->delay_ns / 1000000,
	    p->beat_ns / 1000000, p->cold, p->predict);
	say("level %s\nown deaths in window %lu\n",
	    supervise_level_name(policy->level), policy->counted);
}

static void
say_statistics(const struct supervised *policy)
{
	const struct supervise_statistics *s = &policy->statistics;

	say("own deaths %lu\ncommanded deaths %lu\npoisoned requests %lu\n"
	    "cold starts %lu\ngiven up %lu\npredicted restarts %lu\n"
	    "hangs %lu\nrestarts %lu\n", s->own, s->commanded, s->poisoned,
	    s->cold_starts, s->given_up, s->predicted, s->hangs, s->restarts);
	if (s->restarts != 0)
		say("recovery mean %lu us, worst %lu us\n",
		    s->recovery_total_ns / s->restarts / 1000,
		    s->recovery_worst_ns / 1000);
	say("predictor score %lu of %u\n", policy->predict.score,
	    PREDICT_THRESHOLD);
}

static void
stats_of(struct phoenix *phoenix, const struct place *place)
{
	const struct life *life = &place->life;
	const struct supervised *policy = place_policy(phoenix, place);
	const struct trace_page *trace = report_trace(phoenix, place);
	struct container_info memory = memory_of(place->parts.container);

	say("service %s\nstate %s\nhealth %s\nincarnation %lu\ndeaths %lu\n"
	    "spare %s\nimage %s\n", place->manifest.name,
	    supervise_state_name(policy->state), health_name(policy),
	    life->incarnation, life->deaths,
	    life->spare.vspace != CAP_NONE ? "yes" : "no",
	    place->image.name);
	if (place->reload.failed[0] != '\0')
		say("image that failed %s\n", place->reload.failed);
	say_policy(policy);
	say_statistics(policy);
	say("memory %lu KiB\nobjects %lu\n",
	    memory.frames_used * (PAGE_SIZE / 1024), memory.objects_used);
	if (trace != NULL)
		say("calls %lu\nanswered %lu\nrefused %lu\nparked %lu\n"
		    "notified %lu\n", trace->calls, trace->answered,
		    trace->refused, trace->parked, trace->notified);
}

status_t
run_stats(struct phoenix *phoenix, const struct command_words *words)
{
	if (words->count == 1)
		return machine_stats(phoenix);
	const struct place *place = command_place(phoenix, words);
	if (place == NULL)
		return ERR_NOENT;
	stats_of(phoenix, place);
	return OK;
}

/* The service may change its counters between two looks. */
static uint64_t
mean_ns(const struct trace_page *trace)
{
	uint64_t calls = __atomic_load_n(&trace->calls, __ATOMIC_RELAXED);

	return calls != 0 ? service_ticks_ns(trace->latency_tsc) / calls : 0;
}

/* Calls that wait at the endpoint, being not received, are the kernel's. */
status_t
run_ipc(struct phoenix *phoenix, const struct command_words *words)
{
	(void)words;
	say("%-12s %10s %10s %10s %10s %10s %12s\n", "SERVICE", "CALLS",
	    "ANSWERED", "REFUSED", "PARKED", "NOTIFIED", "MEAN-NS");
	for (uint64_t i = 0; i < phoenix->place_count; i++) {
		const struct place *place = &phoenix->place[i];
		const struct trace_page *trace = report_trace(phoenix, place);

		if (trace == NULL)
			continue;
		say("%-12s %10lu %10lu %10lu %10lu %10lu %12lu\n",
		    place->manifest.name, trace->calls, trace->answered,
		    trace->refused, trace->parked, trace->notified,
		    mean_ns(trace));
	}
	return OK;
}

/* The detail as far as it means something to people. */
static void
say_event(const struct phoenix *phoenix, const struct supervise_event *event)
{
	say("%10lu us %-12s %-14s incarnation %lu level %s detail %lu\n",
	    event->time_ns / 1000, event->service < phoenix->place_count ?
	    phoenix->place[event->service].manifest.name : "?",
	    supervise_event_name(event->kind), event->incarnation,
	    supervise_level_name(event->level), event->detail);
}

status_t
run_events(struct phoenix *phoenix, const struct command_words *words)
{
	const struct supervisor *s = &phoenix->supervisor;
	const struct place *only = command_place(phoenix, words);
	uint64_t count = s->event_count < SUPERVISE_EVENTS ? s->event_count :
	    SUPERVISE_EVENTS;

	if (words->count > 1 && only == NULL)
		return ERR_NOENT;
	for (uint64_t i = s->event_count - count; i < s->event_count; i++) {
		const struct supervise_event *event =
		    &s->event[i % SUPERVISE_EVENTS];
		if (only == NULL ||
		    event->service == place_index(phoenix, only))
			say_event(phoenix, event);
	}
	return OK;
}
