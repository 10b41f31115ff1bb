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
 *						that, if there is a request and
 *						it has one
 *	it needs a place that is silent too,	that one is judged, if any
 *	or does not take calls
 *
 * Who answers is seen before anybody is judged or asked again: a beat that was
 * answered since, or is asked just now, excuses nobody.
 */
#include "phoenix.h"

#define SAMPLE_NS	1000000000ul
#define COMPUTE_NS	1000000000ul	/* of CPU time, with no request open */

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

uint64_t
health_silent(const struct phoenix *phoenix)
{
	uint64_t silent = 0;

	for (uint64_t i = 0; i < phoenix->place_count; i++) {
		const struct place *place = &phoenix->place[i];
		const struct supervised *policy =
		    &phoenix->supervisor.service[i];
		const struct trace_page *trace = report_trace(phoenix, place);

		if (trace != NULL && is_served(policy) &&
		    policy->beats_asked != policy->beats_answered &&
		    trace->beat == place->life.watch.beat)
			silent |= 1ul << i;
	}
	return silent;
}

/* Calls to it wait: it is being started, drained, or will be started later. */
static bool
keeps_waiting(const struct phoenix *phoenix, const struct place *place)
{
	return place->life.closed == 0 &&
	    place_state(phoenix, place) != SUPERVISE_READY;
}

/* Does it need, directly or not, somebody for whom it may have to wait? */
static bool
waits_for_another(const struct phoenix *phoenix, unsigned number,
    uint64_t silent)
{
	for (unsigned i = 0; i < phoenix->place_count; i++)
		if (((silent >> i & 1) != 0 ||
		    keeps_waiting(phoenix, &phoenix->place[i])) &&
		    (supervise_dependents(&phoenix->supervisor, i) >> number &
		    1) != 0)
			return true;
	return false;
}

static uint64_t
run_time_ns(const struct place *place)
{
	struct sys_result r = sys_invoke(SYS_THREAD_INFO,
	    place->life.now.thread, 0, 0, 0, 0, 0);

	return r.status == OK ? r.value[0] : 0;
}

/*
 * The budget of a request ends who computes too long, but only while one is
 * open. Who computes so long for nobody is left to the beats.
 */
static bool
has_budget(const struct phoenix *phoenix, const struct place *place)
{
	return place->manifest.request_budget_ns != 0 && is_computing(place) &&
	    (!health_is_quiet(phoenix, place) ||
	    growth(run_time_ns(place), place->life.watch.heard_run_ns) <
	    COMPUTE_NS);
}

static void
hear(struct phoenix *phoenix, const struct place *place, uint64_t silent,
    uint64_t now)
{
	const struct supervised *policy = place_policy(phoenix, place);
	unsigned number = place_index(phoenix, place);

	if (policy->beats_asked == policy->beats_answered)
		return;
	if ((silent >> number & 1) == 0)
		supervise_beat_answered(&phoenix->supervisor, number,
		    policy->beats_asked, now);
	else if (waits_for_another(phoenix, number, silent) ||
	    has_budget(phoenix, place))
		supervise_excuse(&phoenix->supervisor, number, now);
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
	uint64_t run_ns = run_time_ns(place);
	if (trace->beat != watch->beat || run_ns < watch->heard_run_ns)
		watch->heard_run_ns = run_ns;
	watch->beat = trace->beat;
	watch->events = trace->next;
	watch->asked_tsc = __builtin_ia32_rdtsc();
	supervise_beat_asked(&phoenix->supervisor,
	    place_index(phoenix, place), now);
	sys_signal(place->notification, LOOP_HEARTBEAT_BIT);
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
		.latency_ns = calls == 0 ? 0 : service_ticks_ns(growth(
		    trace->latency_tsc, watch->latency_tsc)) / calls,
		.queue = !health_is_quiet(phoenix, place),
		.memory = frames_of(place),
		.errors = growth(trace->refused, watch->refused),
		.cpu_permille = passed == 0 ? 0 :
		    growth(run_ns, watch->run_ns) / (passed / 1000 + 1),
		.restarts = growth(place->life.deaths, watch->deaths),
		.jitter_ns = service_ticks_ns(growth(trace->beat_tsc,
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

/*
 * Bits tell the loop to drain. One can die with the incarnation that should
 * have taken it, or meet the next one, and two that meet are taken in one
 * order only: so what the loop does is compared with what it should.
 */
static void
correct_drain(const struct phoenix *phoenix, const struct place *place,
    const struct trace_page *trace)
{
	bool drains = place_state(phoenix, place) == SUPERVISE_DRAINING;

	if ((trace->drained != 0) != drains)
		sys_signal(place->notification, drains ? LOOP_DRAIN_BIT :
		    LOOP_UNDRAIN_BIT);
}

void
health_look(struct phoenix *phoenix, struct place *place, uint64_t silent,
    uint64_t now)
{
	const struct trace_page *trace = report_trace(phoenix, place);
	const struct supervised *policy = place_policy(phoenix, place);

	if (policy->state == SUPERVISE_STARTING &&
	    waits_for_another(phoenix, place_index(phoenix, place), silent))
		supervise_excuse(&phoenix->supervisor,
		    place_index(phoenix, place), now);
	if (trace == NULL || !is_served(policy))
		return;
	SAVE(place->life);
	hear(phoenix, place, silent, now);
	ask(phoenix, place, trace, now);
	correct_drain(phoenix, place, trace);
	if (growth(now, place->life.watch.sampled_ns) >= SAMPLE_NS)
		sample(phoenix, place, trace, now);
}
