/* SPDX-License-Identifier: MIT */
/*
 * One injection after the other. Each is watched for its time; what still lives
 * with a damage in it is killed at the end, so that the next one finds an
 * incarnation that is whole; damage to committed state stays, and the next
 * incarnation is told to look for it. Lines for tools/chaos.py, in the kernel log:
 *
 *	chaos: inject NUMBER TIME_NS SERVICE KIND NAME=VALUE...
 *	chaos: result NUMBER activated=0|1 manifested=CAUSE cleanup=0|1
 *	    ready_ns=N recovery_ns=N
 *	chaos: lost SERVICE
 *	chaos: done COUNT
 *
 * ready_ns and recovery_ns are the times from the death to the first wait for a
 * call and to the first answer, less the time in between in which no call came;
 * 0 if that did not come in time or nobody died.
 */
#include "chaos.h"

#include <lib/service/service.h>

#define LOOKS		16u			/* at each injection */
/* For what must come: longer than the longest budget of a request. */
#define PATIENCE_NS	6000000000ul
#define PATIENCE_LOOK_NS 1000000ul
#define CHECK_NS	1000000000ul	/* for a look at a whole arena */

static struct options options;
static cap_t bell;

void
chaos_sleep(uint64_t ns)
{
	sys_wait(bell, WAIT_BITS, 0, service_now_ns() + ns, NULL, NULL);
}

static uint64_t
since(uint64_t tsc, uint64_t start_ns)
{
	uint64_t ns = tsc != 0 ? service_stamp_ns(tsc) : 0;

	return ns > start_ns ? ns - start_ns : 0;
}

static const char *
cause_name(const struct injection *injection)
{
	static const char *const names[] = {
		"none", "exception", "panic", "budget", "limit", "killed",
		"exit",
	};

	if (!injection->died)
		return injection->slowed ? "slow" : "none";
	/* Nobody but phoenix kills what chaos has not killed: it hung. */
	if (injection->cause == DEATH_KILLED && injection->kind != KIND_KILL)
		return "hang";
	return injection->cause < sizeof(names) / sizeof(names[0]) ?
	    names[injection->cause] : "unknown";
}

/*
 * It was hit and its end has to come: at once, by the patience of others, or
 * just now, as the hit is counted before it is carried out.
 */
static bool
must_die(const struct injection *injection)
{
	return injection->activated && injection->kind < FAULT_KINDS &&
	    injection->kind != FAULT_BAD_REPLY &&
	    injection->kind != FAULT_SLOW &&
	    injection->kind != FAULT_STRAY_OPEN;
}

static void
watch(struct injection *injection, uint64_t start_ns)
{
	uint64_t end_ns = start_ns + options.every_ns;

	while (service_now_ns() < end_ns) {
		chaos_sleep(options.every_ns / LOOKS);
		inject_look(injection);
	}
	inject_disarm(injection);
	while (!injection->died && must_die(injection) &&
	    service_now_ns() < start_ns + PATIENCE_NS) {
		chaos_sleep(PATIENCE_LOOK_NS);
		inject_look(injection);
	}
}

/* Another incarnation of the victim is READY; its trace. */
static bool
is_back(const struct injection *injection, struct trace_page *out_trace)
{
	struct victim *victim = injection->victim;

	if (victim->info->incarnation == injection->incarnation)
		return false;
	return victim_enter(victim) && victim_read_trace(victim, out_trace) &&
	    out_trace->ready_tsc != 0;
}

static bool
wait_until_back(const struct injection *injection,
    struct trace_page *out_trace)
{
	uint64_t end_ns = service_now_ns() + PATIENCE_NS;

	while (!is_back(injection, out_trace)) {
		if (service_now_ns() > end_ns)
			return false;
		chaos_sleep(PATIENCE_LOOK_NS);
	}
	return true;
}

/* The incarnation after the one that was killed has to find it. */
static void
look_for_damage(struct injection *injection)
{
	static struct trace_page trace;
	uint64_t end_ns = service_now_ns() + CHECK_NS;
	struct death_info death;

	while (!injection->died && service_now_ns() < end_ns &&
	    !is_back(injection, &trace)) {
		chaos_sleep(PATIENCE_LOOK_NS);
		if (!victim_read_death(injection->victim, &death) ||
		    death.count < injection->deaths + 2)
			continue;
		injection->died = injection->activated = true;
		injection->cause = death.cause;
		injection->died_ns = death.time_ns;
	}
}

static void
report(const struct injection *injection)
{
	static struct trace_page trace;
	uint64_t ready_ns = 0, recovery_ns = 0;

	if ((injection->died || injection->cleaned) &&
	    !wait_until_back(injection, &trace))
		service_log("lost %s", injection->victim->name);
	else if (injection->died) {
		ready_ns = since(trace.ready_tsc, injection->died_ns);
		recovery_ns = since(trace.first_answer_tsc,
		    injection->died_ns);
		/* Without the time in which nobody asked for anything. */
		uint64_t asked_ns = since(trace.first_cause_tsc,
		    injection->died_ns);
		if (recovery_ns != 0 && asked_ns > ready_ns)
			recovery_ns -= asked_ns - ready_ns;
	}
	service_log("result %lu activated=%u manifested=%s cleanup=%u "
	    "ready_ns=%lu recovery_ns=%lu", injection->number,
	    injection->activated, cause_name(injection), injection->cleaned,
	    ready_ns, recovery_ns);
}

/* Service and kind in turn, so that all pairs come equally often. */
static void
choose(uint64_t number, struct injection *out)
{
	uint64_t cell = number - 1;
	uint64_t random = (options.seed << 32 ^ number) * 0x9e3779b97f4a7c15ul |
	    1;

	*out = (struct injection){ .number = number };
	out->victim = victim_get((unsigned)(cell % options.victims));
	out->kind = options.kind[cell / options.victims % options.kinds];
	random_next(&random);
	out->random = random_next(&random);
}

static uint64_t
latency_of(const struct victim *victim)
{
	static struct trace_page trace;

	return victim_read_trace(victim, &trace) ? trace.latency_tsc : 0;
}

/* At least one request took the time that was to be added to it. */
static bool
was_slowed(const struct injection *injection)
{
	uint64_t more = latency_of(injection->victim) - injection->latency_tsc;

	return injection->kind == FAULT_SLOW && injection->activated &&
	    !injection->died &&
	    service_ticks_ns(more) >=
	    injection->victim->info->fault.argument;
}

static void
one(uint64_t number)
{
	struct injection injection;
	struct death_info death;
	uint64_t start_ns = service_now_ns();

	choose(number, &injection);
	struct victim *victim = injection.victim;
	if (victim == NULL || !victim_enter(victim) ||
	    !victim_read_death(victim, &death)) {
		chaos_sleep(options.every_ns);
		return;
	}
	injection.deaths = death.count;
	injection.incarnation = victim->info->incarnation;
	injection.latency_tsc = latency_of(victim);
	inject(&injection);
	watch(&injection, start_ns);
	injection.slowed = was_slowed(&injection);
	inject_undo(&injection);
	if (injection.cleaned && inject_stays(&injection))
		look_for_damage(&injection);
	report(&injection);
	victim_leave(victim);
}

int main(void);

int
main(void)
{
	options_read(&options);
	if (sys_object_create(OBJ_NOTIFICATION, PLACE_CONTAINER, 0, 0,
	    &bell) != OK)
		service_panic("no notification");
	victims_open(&options);
	service_ready();
	chaos_sleep(options.start_ns);
	for (uint64_t number = 1; number <= options.count; number++)
		one(number);
	service_log("done %lu", options.count);
	sys_exit(DEATH_EXIT, 0);
}
