/* SPDX-License-Identifier: MIT */
/* Is it well: beats, and what the predictor says. */
#include <lib/supervise/state.h>

#define LATE_IS_HANG	2u	/* beats */

void
supervise_set_health(struct supervisor *s, unsigned service, unsigned health,
    uint64_t detail, uint64_t now_ns)
{
	struct supervised *place = &s->service[service];

	if (place->health == health)
		return;
	place->health = health;
	supervise_note(s, service, health, detail, now_ns);
}

static uint64_t
beats_owed(const struct supervised *place)
{
	return place->beats_asked - place->beats_answered;
}

/* The last beat has its time; those before it had theirs. */
static uint64_t
beats_late(const struct supervised *place, uint64_t now_ns)
{
	uint64_t owed = beats_owed(place);

	if (owed != 0 &&
	    elapsed_ns(place->beat_ns, now_ns) < place->policy.beat_ns)
		owed--;
	return owed;
}

bool
supervise_hangs(const struct supervised *place, uint64_t now_ns)
{
	if (place->policy.beat_ns == 0)
		return false;
	if (place->state == SUPERVISE_STARTING)
		return elapsed_ns(place->started_ns, now_ns) >=
		    SUPERVISE_START_MAX;
	return supervise_serves(place) &&
	    beats_late(place, now_ns) >= LATE_IS_HANG;
}

uint64_t
supervise_hang_time(const struct supervised *place)
{
	uint64_t owed = beats_owed(place);

	if (place->policy.beat_ns == 0)
		return SUPERVISE_NEVER;
	if (place->state == SUPERVISE_STARTING)
		return later_ns(place->started_ns, SUPERVISE_START_MAX);
	if (!supervise_serves(place) || owed < LATE_IS_HANG)
		return SUPERVISE_NEVER;
	return owed > LATE_IS_HANG ? place->beat_ns :
	    later_ns(place->beat_ns, place->policy.beat_ns);
}

void
supervise_look(struct supervisor *s, unsigned service, uint64_t now_ns)
{
	const struct supervised *place = &s->service[service];
	uint64_t late = beats_late(place, now_ns);

	if (!supervise_serves(place))
		return;
	if (late >= LATE_IS_HANG)
		supervise_set_health(s, service, SUPERVISE_UNHEALTHY, late,
		    now_ns);
	else if (late != 0)
		supervise_set_health(s, service, SUPERVISE_DEGRADED, late,
		    now_ns);
	else if (predict_asks(&place->predict))
		supervise_set_health(s, service, SUPERVISE_DEGRADED,
		    place->predict.score, now_ns);
	else
		supervise_set_health(s, service, SUPERVISE_HEALTHY, 0, now_ns);
}

void
supervise_forgive(struct supervised *place, uint64_t now_ns)
{
	if (!supervise_serves(place) ||
	    elapsed_ns(place->ready_ns, now_ns) < place->policy.window_ns)
		return;
	place->level = SUPERVISE_LEVEL_RESTART;
	place->counted = 0;
}

void
supervise_beat_asked(struct supervisor *s, unsigned service, uint64_t now_ns)
{
	struct supervised *place = supervise_service(s, service);

	if (place == NULL || !supervise_serves(place) ||
	    place->policy.beat_ns == 0 || place->beats_asked == UINT64_MAX)
		return;
	place->beats_asked++;
	place->beat_ns = now_ns;
	supervise_look(s, service, now_ns);
}

void
supervise_beat_answered(struct supervisor *s, unsigned service,
    uint64_t number, uint64_t now_ns)
{
	struct supervised *place = supervise_service(s, service);

	if (place == NULL || !supervise_serves(place) ||
	    number > place->beats_asked || number <= place->beats_answered)
		return;
	place->beats_answered = number;
	supervise_look(s, service, now_ns);
}

void
supervise_excuse(struct supervisor *s, unsigned service, uint64_t now_ns)
{
	struct supervised *place = supervise_service(s, service);

	if (place == NULL || !supervise_runs(place))
		return;
	if (place->state == SUPERVISE_STARTING)
		place->started_ns = now_ns;
	place->beats_answered = place->beats_asked;
	supervise_look(s, service, now_ns);
}

void
supervise_sample(struct supervisor *s, unsigned service,
    const struct predict_sample *sample, uint64_t now_ns)
{
	struct supervised *place = supervise_service(s, service);

	if (place == NULL || !supervise_serves(place))
		return;
	predict_update(&place->predict, sample);
	supervise_look(s, service, now_ns);
	if (!predict_asks(&place->predict))
		place->renew_since_ns = 0;
	else if (place->policy.predict != 0 && place->renew_since_ns == 0 &&
	    elapsed_ns(place->ready_ns, now_ns) >= place->policy.window_ns)
		place->renew_since_ns = stamp_ns(now_ns);
}
