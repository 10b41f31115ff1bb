/* SPDX-License-Identifier: MIT */
/* For tests of the policy: one supervisor, one clock, and what shells do. */
#pragma once

#include <lib/supervise/supervise.h>
#include <lib/test/ktap.h>

#define SECOND		1000000000ul
#define WINDOW		(60 * SECOND)
#define CAUSE		11u

static const struct supervise_policy ordinary = {
	.restart = SUPERVISE_RESTART_ON_FAILURE, .max_restarts = 3,
	.window_ns = WINDOW, .delay_ns = SECOND, .cold = 1, .predict = 1,
	.beat_ns = SECOND,
};

static struct supervisor s;
static uint64_t now;

/* A new supervisor with one service that is READY. */
static inline unsigned
begin(const struct supervise_policy *policy)
{
	supervise_create(&s, 7);
	now = 1000 * SECOND;
	int service = supervise_register(&s, "storage", policy, now);
	EXPECT_EQ(service, 0);
	supervise_started(&s, 0, now);
	supervise_ready(&s, 0, now);
	EXPECT_EQ(s.service[0].state, SUPERVISE_READY);
	return 0;
}

static inline unsigned
add(const char *name, const struct supervise_policy *policy)
{
	int service = supervise_register(&s, name, policy, now);

	EXPECT(service >= 0);
	supervise_started(&s, (unsigned)service, now);
	supervise_ready(&s, (unsigned)service, now);
	return (unsigned)service;
}

static inline struct supervise_decision
die(unsigned service, uint64_t order, uint64_t answered)
{
	return supervise_died(&s, service, &(struct supervise_death){
		.cause = CAUSE, .order = order, .answered = answered,
	}, now);
}

static inline struct supervise_decision
be_killed(unsigned service)
{
	return supervise_died(&s, service, &(struct supervise_death){
		.cause = CAUSE, .order = 5, .commanded = true,
	}, now);
}

static inline struct supervise_decision
leave(unsigned service, uint64_t answered)
{
	return supervise_died(&s, service, &(struct supervise_death){
		.clean = true, .answered = answered,
	}, now);
}

/* Waits for the start that was decided, and is READY. */
static inline struct supervise_decision
come_back(unsigned service)
{
	struct supervise_decision decision;

	if (s.service[service].due_ns > now)
		now = s.service[service].due_ns;
	decision = supervise_tick(&s, service, true, now);
	EXPECT_EQ(decision.action, SUPERVISE_DO_START);
	supervise_started(&s, service, now);
	supervise_ready(&s, service, now);
	EXPECT_EQ(s.service[service].state, SUPERVISE_READY);
	return decision;
}

static inline const struct supervise_event *
last_event(void)
{
	return &s.event[(s.event_count - 1) % SUPERVISE_EVENTS];
}

static inline uint64_t
events_of(unsigned service, unsigned kind)
{
	uint64_t count = 0;

	for (uint64_t i = 0; i < s.event_count && i < SUPERVISE_EVENTS; i++)
		count += s.event[i].service == service &&
		    s.event[i].kind == kind;
	return count;
}
