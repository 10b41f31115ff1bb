/* SPDX-License-Identifier: MIT */
/*
 * The life of a place: start, READY, death, and what the policy
 * (lib/supervise) decides about it. The policy keeps the state; here it is told
 * what happened, and what it decides is carried out.
 *
 * All of it is inside a transaction, which saves what the policy may change
 * before it is asked. A timer that is set before a phoenix dies uncommitted does
 * no harm. A kill is done after the commit, by idle(): the policy must know then
 * whose death it is. What a dead phoenix did not do, the policy asks for again.
 */
#include "phoenix.h"

#include <lib/base/string.h>

#define ARENA_VIEW	(PLACE_HEAP_BASE + 0x2000000000ul)
#define TICK_NS		1000000000ul	/* between two looks at the policy */
#define AGAIN_NS	100000000ul	/* after a start that failed */
#define EVENTS_AT_ONCE	8u		/* that one call of the policy notes */

static bool kill_due[PLACES_MAX];	/* decided in this incarnation */

struct supervised *
place_policy(struct phoenix *phoenix, const struct place *place)
{
	return &phoenix->supervisor.service[place_index(phoenix, place)];
}

uint64_t
place_state(const struct phoenix *phoenix, const struct place *place)
{
	return phoenix->supervisor.service[
	    place_index(phoenix, place)].state;
}

/* What one call of the policy about this place may change. */
static void
save_policy(struct phoenix *phoenix, const struct place *place)
{
	struct supervisor *s = &phoenix->supervisor;

	SAVE(s->random);
	SAVE(s->event_count);
	for (uint64_t i = 0; i < EVENTS_AT_ONCE; i++)
		SAVE(s->event[(s->event_count + i) % SUPERVISE_EVENTS]);
	SAVE(s->service[place_index(phoenix, place)]);
}

/* Callers get ERR_GONE, now and later, until somebody has it restarted. */
static void
close_place(const struct phoenix *phoenix, struct place *place)
{
	report_now(phoenix, place);
	SAVE(place->life);
	place->life.closed = 1;
	sys_invoke(SYS_ENDPOINT_CLOSE, place->endpoint, 0, 0, 0, 0, 0);
}

/*
 * Makes the arena an empty one where it is: giving its memory back and taking
 * it again could fail.
 */
static void
clear_arena(const struct place *place)
{
	cap_t vspace = service_info()->vspace, arena = place->parts.arena;
	uint64_t size = place->parts.arena_size, page = 0;

	if (sys_map(vspace, ARENA_VIEW, arena, 0, size, MAP_READ |
	    MAP_WRITE) != OK)
		service_panic("cannot map the arena of %s",
		    place->manifest.name);
	for (;; page++) {
		page = sys_invoke(SYS_MEMORY_INFO, arena, page, 0, 0, 0,
		    0).value[3];
		if (page >= size / PAGE_SIZE)
			break;
		memset((void *)(ARENA_VIEW + page * PAGE_SIZE), 0, PAGE_SIZE);
	}
	if (sys_unmap(vspace, ARENA_VIEW, size) != OK)
		service_panic("cannot unmap an arena");
}

static void
start_cold(struct place *place)
{
	service_log("%s: cold start, its state is lost", place->manifest.name);
	SAVE(place->life);
	place->life.cold++;
	clear_arena(place);
}

static uint64_t
answered_so_far(const struct phoenix *phoenix, const struct place *place)
{
	const struct trace_page *trace = report_trace(phoenix, place);

	return trace != NULL ? trace->answered : 0;
}

/* For the next tick: what is due, at the latest in TICK_NS. */
void
place_set_timer(const struct phoenix *phoenix)
{
	uint64_t now = service_now_ns();
	uint64_t due = supervise_next(&phoenix->supervisor);

	if (due > now + TICK_NS)
		due = now + TICK_NS;
	if (due < now + AGAIN_NS)
		due = now + AGAIN_NS;
	sys_invoke(SYS_TIMER_SET, phoenix->policy_timer, due, 0, 0, 0, 0);
}

void
place_start(struct phoenix *phoenix, struct place *place)
{
	uint64_t now = service_now_ns();

	save_policy(phoenix, place);
	SAVE(place->life);
	supervise_started(&phoenix->supervisor, place_index(phoenix, place),
	    now);
	place->life.incarnation = place_policy(phoenix, place)->incarnation;
	place->life.answered = answered_so_far(phoenix, place);
	place->life.closed = place->life.left = 0;
	status_t status = incarnation_build(phoenix, place);
	if (status == OK)
		return;
	service_log("%s: no new incarnation: status %lu",
	    place->manifest.name, status);
	struct supervise_decision decision = supervise_start_failed(
	    &phoenix->supervisor, place_index(phoenix, place), now);
	/* Not at once: what is missing will not be there yet. */
	if (decision.action == SUPERVISE_DO_START)
		place_set_timer(phoenix);
	else
		place_carry_out(phoenix, place, &decision);
}

static void
restart_dependents(struct phoenix *phoenix, const struct place *place)
{
	uint64_t dependents = supervise_dependents(&phoenix->supervisor,
	    place_index(phoenix, place));

	for (uint64_t i = 0; i < phoenix->place_count; i++) {
		struct place *other = &phoenix->place[i];
		if ((dependents >> i & 1) != 0 &&
		    incarnation_has_begun(phoenix, other))
			place_restart(phoenix, other);
	}
}

void
place_carry_out(struct phoenix *phoenix, struct place *place,
    const struct supervise_decision *decision)
{
	switch (decision->action) {
	case SUPERVISE_DO_START:
		if (decision->cold)
			start_cold(place);
		place_start(phoenix, place);
		if (decision->dependents)
			restart_dependents(phoenix, place);
		break;
	case SUPERVISE_DO_DELAY:
		report_now(phoenix, place);
		place_set_timer(phoenix);
		break;
	case SUPERVISE_DO_GIVE_UP:
		close_place(phoenix, place);
		service_log("%s is given up after %lu deaths",
		    place->manifest.name, place->life.deaths);
		break;
	case SUPERVISE_DO_STOP:
		close_place(phoenix, place);
		break;
	case SUPERVISE_DO_KILL:
		kill_due[place_index(phoenix, place)] = true;
		break;
	}
}

/*
 * What was decided just now. A cold start is not undone with the transaction
 * that decided it: if phoenix dies before the commit, time has passed, and the
 * policy may decide otherwise about a place that has lost its state already. So
 * the decision is committed, and the next tick says it again and makes it.
 */
static void
carry_out_new(struct phoenix *phoenix, struct place *place,
    const struct supervise_decision *decision)
{
	if (decision->action == SUPERVISE_DO_START && decision->cold)
		sys_signal(PLACE_NOTIFICATION, BIT_POLICY);
	else
		place_carry_out(phoenix, place, decision);
}

/*
 * It ended of its own accord and is not started again: all that it held goes
 * back, and should somebody start it after all, it begins anew. Done again if
 * phoenix dies before the commit, since the same death decides the same.
 */
static void
let_go(struct place *place)
{
	const struct place_parts *parts = &place->parts;

	SAVE(place->life);
	place->life.cold++;
	place->life.left = 1;
	incarnation_drop_all(place);
	incarnation_clear_table(place);
	if (sys_invoke(SYS_MEMORY_RESIZE, parts->arena, 0, 0, 0, 0,
	    0).status != OK || sys_invoke(SYS_MEMORY_RESIZE, parts->arena,
	    parts->arena_size, 0, 0, 0, 0).status != OK)
		service_panic("cannot empty the arena of %s",
		    place->manifest.name);
}

static void
decide(struct phoenix *phoenix, struct place *place,
    const struct death_info *info)
{
	const struct trace_page *trace = report_trace(phoenix, place);
	uint64_t answered = answered_so_far(phoenix, place);
	struct supervise_death death = {
		.cause = info->cause,
		.code = info->code,
		.order = info->request_order,
		.tag = info->request_tag,
		/* The service counts them itself, and may have gone mad. */
		.answered = answered > place->life.answered ?
		    answered - place->life.answered : 0,
		.commanded = info->cause == DEATH_KILLED,
		.clean = info->cause == DEATH_EXIT && info->code == 0,
		.damaged = trace != NULL && trace->damaged != 0,
	};

	save_policy(phoenix, place);
	reload_died(phoenix, place, &death);
	struct supervise_decision decision = supervise_died(
	    &phoenix->supervisor, place_index(phoenix, place), &death,
	    service_now_ns());
	carry_out_new(phoenix, place, &decision);
	if (death.clean && decision.action == SUPERVISE_DO_STOP)
		let_go(place);
}

void
place_died(struct phoenix *phoenix, struct place *place)
{
	const struct utcb *utcb = (const struct utcb *)PLACE_UTCB;
	struct death_info info;

	if (sys_invoke(SYS_DEATH_READ, place->parts.death, 0, 0, 0, 0,
	    0).status != OK)
		return;
	info = *(const struct death_info *)utcb->data;
	if (info.count == place->life.deaths)
		return;
	report_death(phoenix, place, &info);
	SAVE(place->life);
	place->life.deaths = info.count;
	place->life.died_ns = info.time_ns;
	incarnation_retire(place);
	decide(phoenix, place, &info);
}

void
place_restart(struct phoenix *phoenix, struct place *place)
{
	save_policy(phoenix, place);
	struct supervise_decision decision = supervise_restart(
	    &phoenix->supervisor, place_index(phoenix, place),
	    service_now_ns());
	carry_out_new(phoenix, place, &decision);
}

void
place_kill_due(const struct phoenix *phoenix)
{
	for (uint64_t i = 0; i < phoenix->place_count; i++) {
		if (!kill_due[i])
			continue;
		kill_due[i] = false;
		/* It may have died meanwhile, or the decision was undone. */
		if (phoenix->supervisor.service[i].kill != SUPERVISE_KILL_NONE)
			sys_invoke(SYS_THREAD_KILL,
			    phoenix->place[i].life.now.thread, 0, 0, 0, 0, 0);
	}
}

static void
tell_kill(struct phoenix *phoenix, const struct place *place)
{
	const struct supervised *policy = place_policy(phoenix, place);

	if (policy->kill == SUPERVISE_KILL_HANG)
		service_log("%s %lu hangs: %lu beats without an answer",
		    place->manifest.name, place->life.incarnation,
		    policy->beats_asked - policy->beats_answered);
	else if (policy->kill == SUPERVISE_KILL_RENEW)
		service_log("%s %lu is renewed before it fails: score %lu",
		    place->manifest.name, place->life.incarnation,
		    policy->predict.score);
}

static void
tick(struct phoenix *phoenix, struct place *place, uint64_t silent)
{
	uint64_t state = place_state(phoenix, place), now = service_now_ns();

	if (state == SUPERVISE_STOPPED || state == SUPERVISE_GIVEN_UP)
		return;
	save_policy(phoenix, place);
	health_look(phoenix, place, silent, now);
	struct supervise_decision decision = supervise_tick(
	    &phoenix->supervisor, place_index(phoenix, place),
	    health_is_quiet(phoenix, place), now);
	if (decision.action == SUPERVISE_DO_KILL)
		tell_kill(phoenix, place);
	place_carry_out(phoenix, place, &decision);
}

void
place_tick(struct phoenix *phoenix)
{
	uint64_t silent = health_silent(phoenix);

	for (uint64_t i = 0; i < phoenix->place_count; i++)
		tick(phoenix, &phoenix->place[i], silent);
	place_set_timer(phoenix);
}

void
place_ready(struct phoenix *phoenix, struct place *place)
{
	const struct manifest *m = &place->manifest;

	if (place_state(phoenix, place) != SUPERVISE_STARTING)
		return;
	save_policy(phoenix, place);
	supervise_ready(&phoenix->supervisor, place_index(phoenix, place),
	    service_now_ns());
	SAVE(place->life);
	if (place->life.died_ns != 0)
		place->life.recovery_ns = service_now_ns() -
		    place->life.died_ns;
	sys_invoke(SYS_THREAD_SCHEDULE, place->life.now.thread,
	    m->class | m->weight << 8, 0, 0, 0, 0);
	/* The loop forgets it with each incarnation, the policy does not. */
	if (place_state(phoenix, place) == SUPERVISE_DRAINING)
		sys_signal(place->notification, LOOP_DRAIN_BIT);
	report_ready(phoenix, place);
	reload_ready(phoenix, place);
	incarnation_want_spare(phoenix);
	place_next_group_if_up(phoenix);
}

void
place_drain(struct phoenix *phoenix, const struct place *place, bool on)
{
	save_policy(phoenix, place);
	supervise_drain(&phoenix->supervisor, place_index(phoenix, place), on,
	    service_now_ns());
	if (service_effect_signal(place->notification, on ? LOOP_DRAIN_BIT :
	    LOOP_UNDRAIN_BIT) != OK)
		service_panic("the effect list is full");
}

bool
place_set_policy(struct phoenix *phoenix, const struct place *place,
    const struct supervise_policy *policy)
{
	save_policy(phoenix, place);
	return supervise_set_policy(&phoenix->supervisor,
	    place_index(phoenix, place), policy);
}

/* A death whose event a dead incarnation of phoenix has taken shows here. */
void
place_check_deaths(struct phoenix *phoenix)
{
	for (uint64_t i = 0; i < phoenix->place_count; i++)
		if (phoenix->place[i].life.incarnation != 0)
			place_died(phoenix, &phoenix->place[i]);
}
