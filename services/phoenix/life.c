/* SPDX-License-Identifier: MIT */
/*
 * What becomes of a place: start, READY, death, and what its manifest says
 * about that.
 */
#include "phoenix.h"

/* Callers get ERR_GONE, now and later; the objects stay for the post-mortem. */
static void
give_up(const struct phoenix *phoenix, struct place *place)
{
	report_now(phoenix, place);
	service_log("%s is given up after %lu deaths", place->manifest.name,
	    place->life.deaths);
	SAVE(place->life);
	place->life.state = PLACE_GIVEN_UP;
	sys_invoke(SYS_ENDPOINT_CLOSE, place->endpoint, 0, 0, 0, 0, 0);
}

void
place_build(struct phoenix *phoenix, struct place *place)
{
	status_t status = incarnation_build(phoenix, place);

	place->life.state = PLACE_BUILT;
	if (status == OK)
		return;
	service_log("%s: no new incarnation: status %lu",
	    place->manifest.name, status);
	give_up(phoenix, place);
}

/*
 * Counts a death in the window. Returns the delay before the next start:
 * none for the first death, growing after that.
 */
static uint64_t
count_death(struct place *place, uint64_t now)
{
	const struct manifest *m = &place->manifest;
	struct life *life = &place->life;

	if (life->counted == 0 || now - life->window_start_ns > m->window_ns) {
		life->counted = 0;
		life->window_start_ns = now;
	}
	life->counted++;
	return m->delay_ns * (life->counted - 1);
}

/* What the manifest says after this death. */
static void
decide(struct phoenix *phoenix, struct place *place,
    const struct death_info *info)
{
	const struct manifest *m = &place->manifest;
	uint64_t now = service_now_ns(), delay = 0;
	bool own_fault = info->cause != DEATH_KILLED;
	bool failure = info->cause != DEATH_EXIT || info->code != 0;

	if (m->restart == RESTART_NEVER ||
	    (m->restart == RESTART_ON_FAILURE && !failure)) {
		give_up(phoenix, place);
		return;
	}
	if (own_fault) {
		delay = count_death(place, now);
		if (place->life.counted > m->restarts_max) {
			give_up(phoenix, place);
			return;
		}
	}
	if (delay == 0) {
		place_build(phoenix, place);
		return;
	}
	report_now(phoenix, place);
	place->life.state = PLACE_DELAYED;
	place->life.due_ns = now + delay;
	sys_invoke(SYS_TIMER_SET, phoenix->restart_timer, now + delay, 0, 0, 0,
	    0);
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
	incarnation_retire(place);
	if (place->life.state != PLACE_GIVEN_UP)
		decide(phoenix, place, &info);
}

void
place_build_due(struct phoenix *phoenix)
{
	uint64_t now = service_now_ns(), next = DEADLINE_NEVER;

	for (uint64_t i = 0; i < phoenix->place_count; i++) {
		struct place *place = &phoenix->place[i];
		if (place->life.state != PLACE_DELAYED)
			continue;
		if (place->life.due_ns <= now)
			place_build(phoenix, place);
		else if (place->life.due_ns < next)
			next = place->life.due_ns;
	}
	sys_invoke(SYS_TIMER_SET, phoenix->restart_timer, next, 0, 0, 0, 0);
}

void
place_ready(struct phoenix *phoenix, struct place *place)
{
	const struct manifest *m = &place->manifest;

	if (place->life.state != PLACE_BUILT)
		return;
	SAVE(place->life);
	place->life.state = PLACE_READY;
	sys_invoke(SYS_THREAD_SCHEDULE, place->life.now.thread,
	    m->class | m->weight << 8, 0, 0, 0, 0);
	report_ready(phoenix, place);
	incarnation_want_spare(phoenix);
	place_next_group_if_up(phoenix);
}

/* A death whose event a dead incarnation of phoenix has taken shows here. */
void
place_check_deaths(struct phoenix *phoenix)
{
	for (uint64_t i = 0; i < phoenix->place_count; i++)
		if (phoenix->place[i].life.state != PLACE_STOPPED)
			place_died(phoenix, &phoenix->place[i]);
}
