/* SPDX-License-Identifier: MIT */
/*
 * What follows from a death. In this order:
 *
 *	may it stay away?	its restart policy says so
 *	whose death is it?	one by command is nobody's fault
 *	poison?			then the request goes, and the place goes on
 *	was it of use?		a request was answered since the last own death
 *	is its state wrong?	then no restart with that state is of any use
 *	the budget		and when that is used up, the next level
 *
 * A start that was decided is the state DELAYED with a due time, even if that
 * is now; see supervise.h.
 */
#include <lib/supervise/state.h>

#include <lib/base/string.h>

static const struct supervise_decision nothing;

static uint64_t
random_next(struct supervisor *s)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return s->random;
}

/* All shells that see the same failure shall not start at the same time. */
static uint64_t
cut_by_chance(struct supervisor *s, const struct supervise_policy *policy,
    uint64_t delay)
{
	uint64_t most = delay * policy->jitter_permille / 1000;

	return most == 0 ? delay : delay - random_next(s) % (most + 1);
}

static uint64_t
first_delay(const struct supervise_policy *policy)
{
	return policy->delay_ns < SUPERVISE_DELAY_MAX ? policy->delay_ns :
	    SUPERVISE_DELAY_MAX;
}

/* None before the first restart of a window, then doubled each time. */
static uint64_t
restart_delay(const struct supervised *place)
{
	uint64_t delay = first_delay(&place->policy);

	if (place->counted <= 1 || delay == 0)
		return 0;
	for (uint64_t i = 2; i < place->counted; i++) {
		delay *= 2;
		if (delay >= SUPERVISE_DELAY_MAX)
			return SUPERVISE_DELAY_MAX;
	}
	return delay;
}

static struct supervise_decision
start_now(const struct supervised *place)
{
	return (struct supervise_decision){
		.action = SUPERVISE_DO_START,
		.cold = (place->pending & SUPERVISE_PENDING_COLD) != 0,
		.dependents =
		    (place->pending & SUPERVISE_PENDING_DEPENDENTS) != 0,
	};
}

static struct supervise_decision
start_after(struct supervisor *s, unsigned service, uint64_t delay,
    uint64_t now_ns)
{
	struct supervised *place = &s->service[service];

	delay = cut_by_chance(s, &place->policy, delay);
	place->state = SUPERVISE_DELAYED;
	place->due_ns = later_ns(now_ns, delay);
	supervise_note(s, service, SUPERVISE_RESTARTING, delay, now_ns);
	if (delay == 0)
		return start_now(place);
	return (struct supervise_decision){
		.action = SUPERVISE_DO_DELAY,
		.due_ns = place->due_ns,
	};
}

static struct supervise_decision
give_up(struct supervisor *s, unsigned service, uint64_t now_ns)
{
	struct supervised *place = &s->service[service];

	place->state = SUPERVISE_GIVEN_UP;
	place->pending = 0;
	place->draining = 0;
	place->statistics.given_up++;
	supervise_note(s, service, SUPERVISE_RESTART_FAILED, 0, now_ns);
	return (struct supervise_decision){ .action = SUPERVISE_DO_GIVE_UP };
}

static struct supervise_decision
stop(struct supervised *place)
{
	place->state = SUPERVISE_STOPPED;
	place->pending = 0;
	place->draining = 0;
	place->died_ns = 0;
	return (struct supervise_decision){ .action = SUPERVISE_DO_STOP };
}

/* The next level that can do more than the one before it. */
static uint64_t
next_level(const struct supervisor *s, unsigned service)
{
	const struct supervised *place = &s->service[service];

	if (place->level < SUPERVISE_LEVEL_COLD && place->policy.cold != 0)
		return SUPERVISE_LEVEL_COLD;
	if (place->level < SUPERVISE_LEVEL_DEPENDENTS &&
	    supervise_dependents(s, service) != 0)
		return SUPERVISE_LEVEL_DEPENDENTS;
	return SUPERVISE_LEVEL_GIVE_UP;
}

/* Each level has the whole budget, and begins at once. */
static struct supervise_decision
escalate(struct supervisor *s, unsigned service, uint64_t now_ns)
{
	struct supervised *place = &s->service[service];

	place->level = next_level(s, service);
	place->counted = 0;
	if (place->level == SUPERVISE_LEVEL_GIVE_UP)
		return give_up(s, service, now_ns);
	if (place->policy.cold != 0) {
		place->pending |= SUPERVISE_PENDING_COLD;
		place->statistics.cold_starts++;
	}
	if (place->level == SUPERVISE_LEVEL_DEPENDENTS)
		place->pending |= SUPERVISE_PENDING_DEPENDENTS;
	return start_after(s, service, 0, now_ns);
}

static struct supervise_decision
use_budget(struct supervisor *s, unsigned service, uint64_t now_ns)
{
	struct supervised *place = &s->service[service];

	if (place->counted == 0 || elapsed_ns(place->window_start_ns, now_ns) >=
	    place->policy.window_ns) {
		place->counted = 0;
		place->window_start_ns = now_ns;
	}
	place->counted++;
	if (place->counted > place->policy.max_restarts)
		return escalate(s, service, now_ns);
	return start_after(s, service, restart_delay(place), now_ns);
}

/* Whoever killed it for a hang did so in its own stead. */
static bool
is_own(const struct supervised *place, const struct supervise_death *death)
{
	return !death->clean &&
	    (!death->commanded || place->kill == SUPERVISE_KILL_HANG);
}

static bool
is_by_itself(const struct supervise_death *death)
{
	return death->clean && !death->commanded;
}

static bool
comes_back(const struct supervised *place, const struct supervise_death *death)
{
	if (place->kill == SUPERVISE_KILL_RENEW ||
	    place->kill == SUPERVISE_KILL_COMMAND)
		return true;
	if (place->policy.restart == SUPERVISE_RESTART_ON_FAILURE)
		return !is_by_itself(death);
	return place->policy.restart == SUPERVISE_RESTART_ALWAYS;
}

static bool
is_known_poison(const struct supervised *place, uint64_t order)
{
	for (uint64_t i = 0; i < place->poison_count; i++)
		if (place->poison[i] == order)
			return true;
	return false;
}

static void
keep_poison(struct supervised *place, uint64_t order)
{
	if (place->poison_count == SUPERVISE_POISON) {
		place->poison_count--;
		memmove(place->poison, place->poison + 1,
		    place->poison_count * sizeof(place->poison[0]));
	}
	place->poison[place->poison_count++] = order;
	place->statistics.poisoned++;
}

/*
 * Does the request explain the death? A known one does not: the place was told
 * to refuse it, so it is the place that fails, and that has to end some day.
 */
static bool
find_poison(struct supervised *place, const struct supervise_death *death)
{
	bool poison = death->order != 0 && death->order == place->last_order &&
	    death->cause == place->last_cause &&
	    !is_known_poison(place, death->order);

	place->last_order = death->order;
	place->last_cause = death->cause;
	if (poison)
		keep_poison(place, death->order);
	return poison;
}

static void
count_death(struct supervisor *s, unsigned service,
    const struct supervise_death *death, uint64_t now_ns)
{
	struct supervised *place = &s->service[service];
	struct supervise_statistics *statistics = &place->statistics;

	statistics->deaths++;
	statistics->own += is_own(place, death);
	statistics->commanded += !is_own(place, death) && !is_by_itself(death);
	if (place->died_ns == 0)
		place->died_ns = stamp_ns(now_ns);
	if (place->state == SUPERVISE_STARTING)
		supervise_note(s, service, SUPERVISE_RESTART_FAILED,
		    death->cause, now_ns);
	supervise_set_health(s, service, SUPERVISE_UNHEALTHY, death->cause,
	    now_ns);
	place->renew_since_ns = 0;
}

/* One that leaves at once and again must not keep a CPU busy. */
static struct supervise_decision
after_leaving(struct supervisor *s, unsigned service,
    const struct supervise_death *death, uint64_t now_ns)
{
	const struct supervised *place = &s->service[service];
	bool idle = is_by_itself(death) && death->answered == 0;

	return start_after(s, service,
	    idle ? first_delay(&place->policy) : 0, now_ns);
}

struct supervise_decision
supervise_died(struct supervisor *s, unsigned service,
    const struct supervise_death *death, uint64_t now_ns)
{
	struct supervised *place = supervise_service(s, service);
	struct supervise_decision decision;

	if (place == NULL || !supervise_runs(place))
		return nothing;
	bool own = is_own(place, death), back = comes_back(place, death);
	bool answered = place->answered != 0 || death->answered != 0;
	supervise_forgive(place, now_ns);
	count_death(s, service, death, now_ns);
	place->answered = answered && !own;
	place->kill = SUPERVISE_KILL_NONE;
	bool poison = own && find_poison(place, death);
	if (!back)
		decision = stop(place);
	else if (!own)
		decision = after_leaving(s, service, death, now_ns);
	else if (poison || answered)
		decision = start_after(s, service, 0, now_ns);
	else if (death->damaged)
		decision = escalate(s, service, now_ns);
	else
		decision = use_budget(s, service, now_ns);
	if (poison)
		decision.poison_order = death->order;
	return decision;
}

struct supervise_decision
supervise_start_failed(struct supervisor *s, unsigned service, uint64_t now_ns)
{
	struct supervised *place = supervise_service(s, service);

	if (place == NULL || (place->state != SUPERVISE_STOPPED &&
	    place->state != SUPERVISE_STARTING &&
	    place->state != SUPERVISE_DELAYED))
		return nothing;
	place->kill = SUPERVISE_KILL_NONE;
	supervise_note(s, service, SUPERVISE_RESTART_FAILED, 0, now_ns);
	if (place->policy.restart == SUPERVISE_RESTART_NEVER)
		return stop(place);
	return use_budget(s, service, now_ns);
}

static struct supervise_decision
ask_kill(struct supervised *place, uint64_t why, uint64_t now_ns)
{
	place->kill = why;
	place->kill_ns = now_ns;
	return (struct supervise_decision){ .action = SUPERVISE_DO_KILL };
}

static bool
is_renewal_due(const struct supervised *place, bool quiet, uint64_t now_ns)
{
	return place->renew_since_ns != 0 && (quiet ||
	    elapsed_ns(place->renew_since_ns, now_ns) >= SUPERVISE_QUIET_MAX);
}

static struct supervise_decision
tick_running(struct supervisor *s, unsigned service, bool quiet,
    uint64_t now_ns)
{
	struct supervised *place = &s->service[service];

	supervise_forgive(place, now_ns);
	supervise_look(s, service, now_ns);
	if (place->kill != SUPERVISE_KILL_NONE)
		return elapsed_ns(place->kill_ns, now_ns) <
		    SUPERVISE_KILL_AGAIN ? nothing :
		    ask_kill(place, place->kill, now_ns);
	if (supervise_hangs(place, now_ns)) {
		place->statistics.hangs++;
		return ask_kill(place, SUPERVISE_KILL_HANG, now_ns);
	}
	if (!is_renewal_due(place, quiet, now_ns))
		return nothing;
	place->statistics.predicted++;
	return ask_kill(place, SUPERVISE_KILL_RENEW, now_ns);
}

struct supervise_decision
supervise_tick(struct supervisor *s, unsigned service, bool quiet,
    uint64_t now_ns)
{
	struct supervised *place = supervise_service(s, service);

	if (place == NULL)
		return nothing;
	if (place->state == SUPERVISE_DELAYED)
		return now_ns >= place->due_ns ? start_now(place) : nothing;
	return supervise_runs(place) ?
	    tick_running(s, service, quiet, now_ns) : nothing;
}

static uint64_t
next_of(const struct supervised *place)
{
	if (place->state == SUPERVISE_DELAYED)
		return place->due_ns;
	if (!supervise_runs(place))
		return SUPERVISE_NEVER;
	if (place->kill != SUPERVISE_KILL_NONE)
		return later_ns(place->kill_ns, SUPERVISE_KILL_AGAIN);
	uint64_t hang = supervise_hang_time(place);
	uint64_t renewal = place->renew_since_ns == 0 ? SUPERVISE_NEVER :
	    later_ns(place->renew_since_ns, SUPERVISE_QUIET_MAX);
	return hang < renewal ? hang : renewal;
}

uint64_t
supervise_next(const struct supervisor *s)
{
	uint64_t next = SUPERVISE_NEVER;

	for (unsigned i = 0; i < SUPERVISE_SERVICES; i++) {
		uint64_t time = next_of(&s->service[i]);
		if (time < next)
			next = time;
	}
	return next;
}

struct supervise_decision
supervise_restart(struct supervisor *s, unsigned service, uint64_t now_ns)
{
	struct supervised *place = supervise_service(s, service);

	if (place == NULL)
		return nothing;
	supervise_drain(s, service, false, now_ns);
	if (supervise_runs(place))
		return ask_kill(place, place->kill == SUPERVISE_KILL_HANG ?
		    SUPERVISE_KILL_HANG : SUPERVISE_KILL_COMMAND, now_ns);
	place->level = SUPERVISE_LEVEL_RESTART;
	place->counted = 0;
	return start_after(s, service, 0, now_ns);
}
