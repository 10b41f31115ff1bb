/* SPDX-License-Identifier: MIT */
/*
 * Who is supervised: registration, dependencies, history, and the life of an
 * incarnation from its start to READY. Deaths are in decide.c.
 */
#include <lib/supervise/state.h>

#include <lib/base/string.h>

void
supervise_create(struct supervisor *s, uint64_t seed)
{
	memset(s, 0, sizeof(*s));
	s->random = seed != 0 ? seed : 1;
}

/* The oldest entry makes room. */
void
supervise_note(struct supervisor *s, unsigned service, unsigned kind,
    uint64_t detail, uint64_t now_ns)
{
	const struct supervised *place = &s->service[service];

	s->event[s->event_count++ % SUPERVISE_EVENTS] =
	    (struct supervise_event){
		.time_ns = now_ns,
		.service = (uint16_t)service,
		.kind = (uint16_t)kind,
		.level = (uint32_t)place->level,
		.incarnation = place->incarnation,
		.detail = detail,
	};
}

bool
supervise_policy_ok(const struct supervise_policy *policy)
{
	return policy->restart <= SUPERVISE_RESTART_ALWAYS &&
	    (policy->window_ns != 0 ||
	    policy->restart == SUPERVISE_RESTART_NEVER) &&
	    policy->jitter_permille <= 1000 && policy->cold <= 1 &&
	    policy->predict <= 1;
}

int
supervise_find(const struct supervisor *s, const char *name)
{
	for (unsigned i = 0; i < SUPERVISE_SERVICES; i++)
		if (s->service[i].state != SUPERVISE_FREE &&
		    strcmp(s->service[i].name, name) == 0)
			return (int)i;
	return -1;
}

static int
find_free(const struct supervisor *s)
{
	for (unsigned i = 0; i < SUPERVISE_SERVICES; i++)
		if (s->service[i].state == SUPERVISE_FREE)
			return (int)i;
	return -1;
}

int
supervise_register(struct supervisor *s, const char *name,
    const struct supervise_policy *policy, uint64_t now_ns)
{
	size_t length = strlen(name);
	int service = find_free(s);

	if (service < 0 || length == 0 ||
	    length >= sizeof(s->service[0].name) ||
	    supervise_find(s, name) >= 0 || !supervise_policy_ok(policy))
		return -1;
	struct supervised *place = &s->service[service];
	memset(place, 0, sizeof(*place));
	place->state = SUPERVISE_STOPPED;
	place->health = SUPERVISE_UNHEALTHY;
	memcpy(place->name, name, length);
	place->policy = *policy;
	predict_create(&place->predict);
	supervise_note(s, (unsigned)service, SUPERVISE_REGISTERED, 0, now_ns);
	return service;
}

void
supervise_unregister(struct supervisor *s, unsigned service, uint64_t now_ns)
{
	struct supervised *place = supervise_service(s, service);

	if (place == NULL)
		return;
	supervise_note(s, service, SUPERVISE_UNREGISTERED, 0, now_ns);
	memset(place, 0, sizeof(*place));
	for (unsigned i = 0; i < SUPERVISE_SERVICES; i++)
		s->service[i].depends_on &= ~(1ul << service);
}

uint64_t
supervise_dependents(const struct supervisor *s, unsigned service)
{
	uint64_t found = 0, before;

	if (service >= SUPERVISE_SERVICES)
		return 0;
	do {
		before = found;
		for (unsigned i = 0; i < SUPERVISE_SERVICES; i++)
			if ((s->service[i].depends_on &
			    (found | 1ul << service)) != 0)
				found |= 1ul << i;
	} while (found != before);
	return found;
}

bool
supervise_depend(struct supervisor *s, unsigned service, unsigned on)
{
	struct supervised *place = supervise_service(s, service);

	if (place == NULL || supervise_service(s, on) == NULL ||
	    service == on || (supervise_dependents(s, service) >> on & 1) != 0)
		return false;
	place->depends_on |= 1ul << on;
	return true;
}

void
supervise_started(struct supervisor *s, unsigned service, uint64_t now_ns)
{
	struct supervised *place = supervise_service(s, service);

	if (place == NULL || (place->state != SUPERVISE_STOPPED &&
	    place->state != SUPERVISE_DELAYED))
		return;
	place->state = SUPERVISE_STARTING;
	place->incarnation++;
	place->started_ns = now_ns;
	place->pending = 0;
	/* What the dead one owed, nobody owes. */
	place->beats_answered = place->beats_asked;
	predict_restart(&place->predict);
}

static void
note_recovery(struct supervisor *s, unsigned service, uint64_t now_ns)
{
	struct supervised *place = &s->service[service];
	struct supervise_statistics *statistics = &place->statistics;
	uint64_t time = elapsed_ns(place->died_ns, now_ns);

	statistics->restarts++;
	statistics->recovery_total_ns += time;
	if (time > statistics->recovery_worst_ns)
		statistics->recovery_worst_ns = time;
	place->died_ns = 0;
	supervise_note(s, service, SUPERVISE_RESTARTED, time, now_ns);
}

void
supervise_ready(struct supervisor *s, unsigned service, uint64_t now_ns)
{
	struct supervised *place = supervise_service(s, service);

	if (place == NULL || place->state != SUPERVISE_STARTING)
		return;
	place->state = place->draining != 0 ? SUPERVISE_DRAINING :
	    SUPERVISE_READY;
	place->ready_ns = now_ns;
	if (place->died_ns != 0)
		note_recovery(s, service, now_ns);
	supervise_set_health(s, service, SUPERVISE_HEALTHY, 0, now_ns);
}

bool
supervise_set_policy(struct supervisor *s, unsigned service,
    const struct supervise_policy *policy)
{
	struct supervised *place = supervise_service(s, service);

	if (place == NULL || !supervise_policy_ok(policy))
		return false;
	place->policy = *policy;
	if (policy->predict == 0)
		place->renew_since_ns = 0;
	if (policy->beat_ns == 0)
		place->beats_answered = place->beats_asked;
	return true;
}

void
supervise_drain(struct supervisor *s, unsigned service, bool on,
    uint64_t now_ns)
{
	struct supervised *place = supervise_service(s, service);

	if (place == NULL || (place->draining != 0) == on ||
	    place->state == SUPERVISE_STOPPED ||
	    place->state == SUPERVISE_GIVEN_UP)
		return;
	place->draining = on;
	if (supervise_serves(place))
		place->state = on ? SUPERVISE_DRAINING : SUPERVISE_READY;
	supervise_note(s, service, SUPERVISE_DRAIN, on, now_ns);
}
