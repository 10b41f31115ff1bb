/* SPDX-License-Identifier: MIT */
/* Is this a state that the policy could have left? Of any bytes. */
#include <lib/supervise/state.h>

#include <lib/base/string.h>

static bool
name_is_ok(const struct supervisor *s, unsigned service)
{
	const char *name = s->service[service].name;
	size_t room = sizeof(s->service[service].name);

	if (name[0] == '\0' || memchr(name, '\0', room) == NULL)
		return false;
	for (unsigned i = 0; i < service; i++)
		if (s->service[i].state != SUPERVISE_FREE &&
		    strcmp(s->service[i].name, name) == 0)
			return false;
	return true;
}

static bool
dependencies_are_ok(const struct supervisor *s, unsigned service)
{
	const struct supervised *place = &s->service[service];

	for (unsigned i = 0; i < SUPERVISE_SERVICES; i++)
		if ((place->depends_on >> i & 1) != 0 &&
		    s->service[i].state == SUPERVISE_FREE)
			return false;
	return (supervise_dependents(s, service) >> service & 1) == 0;
}

static bool
state_is_ok(const struct supervised *place)
{
	bool given_up = place->state == SUPERVISE_GIVEN_UP;
	bool draining = place->state == SUPERVISE_DRAINING;

	return place->state <= SUPERVISE_DRAINING &&
	    place->level <= SUPERVISE_LEVEL_GIVE_UP &&
	    given_up == (place->level == SUPERVISE_LEVEL_GIVE_UP) &&
	    place->draining <= 1 && (!draining || place->draining == 1) &&
	    place->kill <= SUPERVISE_KILL_COMMAND &&
	    (place->kill == SUPERVISE_KILL_NONE || supervise_runs(place)) &&
	    place->pending <= (SUPERVISE_PENDING_COLD |
	    SUPERVISE_PENDING_DEPENDENTS);
}

static bool
service_is_ok(const struct supervisor *s, unsigned service)
{
	const struct supervised *place = &s->service[service];

	return state_is_ok(place) && name_is_ok(s, service) &&
	    supervise_policy_ok(&place->policy) &&
	    dependencies_are_ok(s, service) &&
	    place->health >= SUPERVISE_HEALTHY &&
	    place->health <= SUPERVISE_UNHEALTHY && place->answered <= 1 &&
	    place->poison_count <= SUPERVISE_POISON &&
	    place->beats_answered <= place->beats_asked &&
	    predict_ok(&place->predict);
}

static bool
history_is_ok(const struct supervisor *s)
{
	uint64_t count = s->event_count < SUPERVISE_EVENTS ? s->event_count :
	    SUPERVISE_EVENTS;

	for (uint64_t i = 0; i < count; i++) {
		const struct supervise_event *event = &s->event[i];

		if (event->service >= SUPERVISE_SERVICES || event->kind == 0 ||
		    event->kind >= SUPERVISE_EVENT_COUNT ||
		    event->level > SUPERVISE_LEVEL_GIVE_UP)
			return false;
	}
	return true;
}

bool
supervise_ok(const struct supervisor *s)
{
	if (s->random == 0 || !history_is_ok(s))
		return false;
	for (unsigned i = 0; i < SUPERVISE_SERVICES; i++)
		if (s->service[i].state != SUPERVISE_FREE &&
		    !service_is_ok(s, i))
			return false;
	return true;
}
