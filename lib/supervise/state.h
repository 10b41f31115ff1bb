/* SPDX-License-Identifier: MIT */
/* What the parts of the supervision policy share. */
#pragma once

#include <lib/supervise/supervise.h>

/* Time between two instants; none if the clock went back. */
static inline uint64_t
elapsed_ns(uint64_t since, uint64_t now)
{
	return now > since ? now - since : 0;
}

static inline uint64_t
later_ns(uint64_t time, uint64_t delay)
{
	return time > SUPERVISE_NEVER - delay ? SUPERVISE_NEVER : time + delay;
}

/* For fields in which 0 says that there is no time. */
static inline uint64_t
stamp_ns(uint64_t now)
{
	return now != 0 ? now : 1;
}

/* NULL unless it is registered. */
static inline struct supervised *
supervise_service(struct supervisor *s, unsigned service)
{
	return service < SUPERVISE_SERVICES &&
	    s->service[service].state != SUPERVISE_FREE ?
	    &s->service[service] : NULL;
}

static inline bool
supervise_serves(const struct supervised *place)
{
	return place->state == SUPERVISE_READY ||
	    place->state == SUPERVISE_DRAINING;
}

/* It has an incarnation, which can die. */
static inline bool
supervise_runs(const struct supervised *place)
{
	return place->state == SUPERVISE_STARTING || supervise_serves(place);
}

/* supervise.c */
void supervise_note(struct supervisor *s, unsigned service, unsigned kind,
    uint64_t detail, uint64_t now_ns);
bool supervise_policy_ok(const struct supervise_policy *policy);

/* health.c */
/* Notes a change. */
void supervise_set_health(struct supervisor *s, unsigned service,
    unsigned health, uint64_t detail, uint64_t now_ns);
/* Of one that serves: from its beats and its predictor. */
void supervise_look(struct supervisor *s, unsigned service, uint64_t now_ns);
bool supervise_hangs(const struct supervised *place, uint64_t now_ns);
/* When it will, if nothing is heard until then. */
uint64_t supervise_hang_time(const struct supervised *place);
/* Who has served for a window has its budget and first level back. */
void supervise_forgive(struct supervised *place, uint64_t now_ns);
