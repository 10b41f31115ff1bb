/* SPDX-License-Identifier: MIT */
/*
 * Health: heartbeats, and samples for the predictor, once a second.
 *
 * A beat is asked of a place that had work since the last one. The loop counts
 * the beats that it sees; bits join, so that any change says that all are
 * answered. Three kinds of silence are no fault of the place:
 *
 *	it has nothing to do			not asked
 *	it is computing, or waits for a CPU	the budget of the request judges
 *						that, if it has one
 *	it waits for a place that is late too	that one is judged
 */
#include "phoenix.h"

#define SAMPLE_NS	1000000000ul

/* A counter of the service's, which may write anything there. */
static uint64_t
growth(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0;
}

static bool
is_served(const struct supervised *policy)
{
	return policy->state == SUPERVISE_READY ||
	    policy->state == SUPERVISE_DRAINING;
}

bool
health_is_quiet(const struct phoenix *phoenix, const struct place *place)
{
	const struct trace_page *trace = report_trace(phoenix, place);
	uint64_t kind_outcome;

	if (trace == NULL || trace->next == 0)
		return true;
	kind_outcome = trace->event[(trace->next - 1) % TRACE_EVENTS].
	    kind_outcome;
	return kind_outcome != (TRACE_CALL << 8 | TRACE_OPEN);
}

static bool
is_computing(const struct place *place)
{
	struct sys_result r = sys_invoke(SYS_THREAD_INFO,
	    place->life.now.thread, 0, 0, 0, 0, 0);
	uint64_t state = r.value[1] & 0xff;

	return r.status == OK && (state == STATE_READY ||
	    state == STATE_RUNNING);
}

/* Its last beat has had its time, and was not counted. */
static bool
is_late(const struct phoenix *phoenix, unsigned number, uint64_t now)
{
	const struct supervised *policy = &phoenix->supervisor.service[number];
	const struct place *place = &phoenix->place[number];
	const struct trace_page *trace = report_trace(phoenix, place);
	uint64_t owed = policy->beats_asked - policy->beats_answered;

	if (owed == 0 || trace == NULL || trace->beat != place->life.watch.beat)
		return false;
	return owed > 1 ||
	    growth(now, policy->beat_ns) >= policy->policy.beat_ns;
}

/* Does it need somebody who is late? */
static bool
waits_for_another(const struct phoenix *phoenix, unsigned number, uint64_t now)
{
	const struct supervisor *s = &phoenix->supervisor;

	for (unsigned i = 0; i < phoenix->place_count; i++)
		if ((s->service[number].depends_on >> i & 1) != 0 &&
		    is_late(phoenix, i, now))
			return true;
	return false;
}

static bool
is_excused(const struct phoenix *phoenix, const struct place *place,
    uint64_t now)
{
	return waits_for_another(phoenix, place_index(phoenix, place), now) ||
	    (place->manifest.request_budget_ns != 0 && is_computing(place));
}

static void
hear(struct phoenix *phoenix, struct place *place,
    const struct trace_page *trace, uint64_t now)
{
	const struct supervised *policy = place_policy(phoenix, place);

	if (policy->beats_asked == policy->beats_answered)
		return;
	if (trace->beat == place->life.watch.beat &&
	    !is_excused(phoenix, place, now))
		return;
	supervise_beat_answered(&phoenix->supervisor,
	    place_index(phoenix, place), policy->beats_asked, now);
}

static void
ask(struct phoenix *phoenix, struct place *place,
    const struct trace_page *trace, uint64_t now)
{
	const struct supervised *policy = place_policy(phoenix, place);
	struct watch *watch = &place->life.watch;
	bool owes = policy->beats_asked != policy->beats_answered;

	if (policy->policy.beat_ns == 0 || (!owes &&
	    trace->next == watch->events && health_is_quiet(phoenix, place)))
		return;
	if (growth(now, policy->beat_ns) < policy->policy.beat_ns)
		return;
	watch->beat = trace->beat;
	watch->events = trace->next;
	watch->asked_tsc = __builtin_ia32_rdtsc();
	supervise_beat_asked(&phoenix->supervisor,
	    place_index(phoenix, place), now);
	sys_signal(place->notification, LOOP_HEARTBEAT_BIT);
}

static uint64_t
run_time_ns(const struct place *place)
{
	struct sys_result r = sys_invoke(SYS_THREAD_INFO,
	    place->life.now.thread, 0, 0, 0, 0, 0);

	return r.status == OK ? r.value[0] : 0;
}

static uint64_t
frames_of(const struct place *place)
{
	const struct utcb *utcb = (const struct utcb *)PLACE_UTCB;

	return sys_invoke(SYS_CONTAINER_INFO, place->parts.container, 0, 0, 0,
	    0, 0).status != OK ? 0 :
	    ((const struct container_info *)utcb->data)->frames_used;
}

/* The kernel does not tell page faults. */
static void
sample(struct phoenix *phoenix, struct place *place,
    const struct trace_page *trace, uint64_t now)
{
	struct watch *watch = &place->life.watch;
	uint64_t passed = growth(now, watch->sampled_ns);
	uint64_t calls = growth(trace->calls, watch->calls);
	uint64_t run_ns = run_time_ns(place);
	struct predict_sample sample = {
		.latency_ns = calls == 0 ? 0 : report_ticks_ns(growth(
		    trace->latency_tsc, watch->latency_tsc)) / calls,
		.queue = !health_is_quiet(phoenix, place),
		.memory = frames_of(place),
		.errors = growth(trace->refused, watch->refused),
		.cpu_permille = passed == 0 ? 0 :
		    growth(run_ns, watch->run_ns) / (passed / 1000 + 1),
		.restarts = growth(place->life.deaths, watch->deaths),
		.jitter_ns = report_ticks_ns(growth(trace->beat_tsc,
		    watch->asked_tsc)),
	};

	if (watch->sampled_ns != 0)
		supervise_sample(&phoenix->supervisor,
		    place_index(phoenix, place), &sample, now);
	watch->sampled_ns = now;
	watch->calls = trace->calls;
	watch->latency_tsc = trace->latency_tsc;
	watch->refused = trace->refused;
	watch->run_ns = run_ns;
	watch->deaths = place->life.deaths;
}

void
health_look(struct phoenix *phoenix, struct place *place, uint64_t now)
{
	const struct trace_page *trace = report_trace(phoenix, place);

	if (trace == NULL || !is_served(place_policy(phoenix, place)))
		return;
	SAVE(place->life);
	hear(phoenix, place, trace, now);
	ask(phoenix, place, trace, now);
	if (growth(now, place->life.watch.sampled_ns) >= SAMPLE_NS)
		sample(phoenix, place, trace, now);
}
