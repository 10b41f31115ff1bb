/* SPDX-License-Identifier: MIT */
/* Laws of deaths, budgets, levels and commands. model_test.c has them all. */
#include <lib/supervise/fixture_host.h>

#include <string.h>

TEST(the_first_restart_is_at_once_and_later_ones_wait_twice_as_long)
{
	struct supervise_policy patient = ordinary;

	patient.max_restarts = 100;
	patient.window_ns = 10000 * SECOND;
	begin(&patient);
	EXPECT_EQ(die(0, 0, 0).action, SUPERVISE_DO_START);
	come_back(0);
	for (uint64_t wait = SECOND, i = 0; i < 20; i++) {
		struct supervise_decision decision = die(0, 0, 0);

		EXPECT_EQ(decision.action, SUPERVISE_DO_DELAY);
		EXPECT_EQ(decision.due_ns, now + wait);
		now = decision.due_ns - 1;
		EXPECT_EQ(supervise_tick(&s, 0, true, now).action,
		    SUPERVISE_DO_NOTHING);
		now++;
		come_back(0);
		wait = wait * 2 < SUPERVISE_DELAY_MAX ? wait * 2 :
		    SUPERVISE_DELAY_MAX;
	}
}

TEST(jitter_only_shortens_a_delay)
{
	struct supervise_policy shaken = ordinary;
	uint64_t least = SUPERVISE_NEVER, most = 0;

	shaken.max_restarts = 1000;
	shaken.delay_ns = SUPERVISE_DELAY_MAX;
	shaken.window_ns = SUPERVISE_NEVER;
	shaken.jitter_permille = 500;
	begin(&shaken);
	die(0, 0, 0);
	come_back(0);
	for (unsigned i = 0; i < 200; i++) {
		uint64_t wait = die(0, 0, 0).due_ns - now;

		least = wait < least ? wait : least;
		most = wait > most ? wait : most;
		come_back(0);
	}
	EXPECT(least >= 30 * SECOND && least < 33 * SECOND);
	EXPECT(most <= 60 * SECOND && most > 57 * SECOND);
}

TEST(a_death_after_an_answer_uses_no_budget)
{
	begin(&ordinary);
	for (unsigned i = 0; i < 50; i++) {
		EXPECT_EQ(die(0, i + 1, 1).action, SUPERVISE_DO_START);
		come_back(0);
		EXPECT_EQ(s.service[0].counted, 0);
	}
	EXPECT_EQ(s.service[0].statistics.own, 50);
}

TEST(an_answer_before_a_commanded_kill_still_counts)
{
	begin(&ordinary);
	die(0, 0, 0);
	come_back(0);
	supervise_died(&s, 0, &(struct supervise_death){
		.commanded = true, .answered = 1,
	}, now);
	come_back(0);
	EXPECT_EQ(die(0, 0, 0).action, SUPERVISE_DO_START);
	EXPECT_EQ(s.service[0].counted, 1);
}

TEST(commanded_kills_never_use_the_budget)
{
	begin(&ordinary);
	for (unsigned i = 0; i < 1000; i++) {
		EXPECT_EQ(be_killed(0).action, SUPERVISE_DO_START);
		come_back(0);
	}
	EXPECT_EQ(s.service[0].counted, 0);
	EXPECT_EQ(s.service[0].level, SUPERVISE_LEVEL_RESTART);
	EXPECT_EQ(s.service[0].statistics.commanded, 1000);
	EXPECT_EQ(s.service[0].statistics.own, 0);
	EXPECT_EQ(s.service[0].poison_count, 0);
}

TEST(poison_needs_same_request_and_same_cause)
{
	begin(&ordinary);
	EXPECT_EQ(die(0, 5, 1).poison_order, 0);
	come_back(0);
	EXPECT_EQ(die(0, 6, 1).poison_order, 0);	/* another request */
	come_back(0);
	EXPECT_EQ(supervise_died(&s, 0, &(struct supervise_death){
		.cause = CAUSE + 1, .order = 6, .answered = 1,
	}, now).poison_order, 0);			/* another cause */
	come_back(0);
	EXPECT_EQ(die(0, 5, 1).poison_order, 0);	/* not in a row */
	come_back(0);
	EXPECT_EQ(die(0, 0, 1).poison_order, 0);	/* no request */
	come_back(0);
	EXPECT_EQ(die(0, 0, 1).poison_order, 0);
	come_back(0);
	EXPECT_EQ(s.service[0].poison_count, 0);
	EXPECT_EQ(die(0, 9, 1).poison_order, 0);
	come_back(0);
	EXPECT_EQ(die(0, 9, 1).poison_order, 9);
	EXPECT_EQ(s.service[0].poison[0], 9);
	EXPECT_EQ(s.service[0].statistics.poisoned, 1);
}

TEST(innocent_requests_are_not_blamed)
{
	begin(&ordinary);
	die(0, 5, 0);
	come_back(0);
	/* Killed while it serves 5 again: that says nothing about 5. */
	be_killed(0);
	come_back(0);
	be_killed(0);
	come_back(0);
	EXPECT_EQ(s.service[0].poison_count, 0);
	/* But neither does it make 5 innocent. */
	EXPECT_EQ(die(0, 5, 0).poison_order, 5);
}

TEST(a_death_that_poison_explains_uses_no_budget)
{
	begin(&ordinary);
	for (uint64_t order = 1; order <= 100; order++) {
		/* The incarnation before answered the one before: refused. */
		EXPECT_EQ(die(0, order, 1).action, SUPERVISE_DO_START);
		come_back(0);
		struct supervise_decision decision = die(0, order, 0);
		EXPECT_EQ(decision.action, SUPERVISE_DO_START);
		EXPECT_EQ(decision.poison_order, order);
		come_back(0);
		EXPECT_EQ(s.service[0].counted, 0);
	}
	EXPECT_EQ(s.service[0].statistics.poisoned, 100);
	EXPECT_EQ(s.service[0].poison_count, SUPERVISE_POISON);
	for (unsigned i = 0; i < SUPERVISE_POISON; i++)
		EXPECT_EQ(s.service[0].poison[i], 93 + i);
}

TEST(poison_that_was_not_refused_ends_in_giving_up)
{
	unsigned deaths = 0;

	begin(&ordinary);
	while (s.service[0].state != SUPERVISE_GIVEN_UP && deaths < 100) {
		die(0, 5, 0);
		deaths++;
		if (s.service[0].state != SUPERVISE_GIVEN_UP)
			come_back(0);
	}
	/* Two levels of three restarts, and the one that poison explained. */
	EXPECT_EQ(deaths, 2 * 4 + 1);
	EXPECT_EQ(s.service[0].statistics.poisoned, 1);
}

TEST(who_finds_damage_again_takes_the_next_level_at_once)
{
	struct supervise_policy patient = ordinary;
	struct supervise_death death = { .cause = CAUSE, .damaged = true };

	patient.max_restarts = 1000;
	patient.cold = 1;
	begin(&patient);
	/* It answered before it found that, so another look is worth it. */
	death.answered = 1;
	EXPECT_EQ(supervise_died(&s, 0, &death, now).cold, false);
	come_back(0);
	death.answered = 0;
	EXPECT_EQ(supervise_died(&s, 0, &death, now).cold, true);
	come_back(0);
	/* Nothing depends on it, so there is no other level. */
	EXPECT_EQ(supervise_died(&s, 0, &death, now).action,
	    SUPERVISE_DO_GIVE_UP);
}

TEST(budget_is_back_after_a_window)
{
	begin(&ordinary);
	for (unsigned round = 0; round < 10; round++) {
		for (unsigned i = 0; i < 3; i++) {
			die(0, 0, 0);
			EXPECT_EQ(s.service[0].counted, i + 1);
			come_back(0);
		}
		now = s.service[0].window_start_ns + WINDOW;
		EXPECT_EQ(s.service[0].level, SUPERVISE_LEVEL_RESTART);
	}
	EXPECT_EQ(die(0, 0, 0).action, SUPERVISE_DO_START);
}

TEST(budget_is_not_back_before_a_window)
{
	begin(&ordinary);
	for (unsigned i = 0; i < 3; i++) {
		die(0, 0, 0);
		come_back(0);
	}
	now = s.service[0].window_start_ns + WINDOW - 1;
	EXPECT(die(0, 0, 0).cold);
}

static struct supervise_decision
use_up_budget(unsigned service)
{
	for (unsigned i = 0; i < 3; i++) {
		EXPECT(!die(service, 0, 0).cold);
		come_back(service);
	}
	return die(service, 0, 0);
}

TEST(escalation_goes_cold_then_dependents_then_gives_up)
{
	struct supervise_decision decision;

	begin(&ordinary);
	EXPECT(supervise_depend(&s, add("proc", &ordinary), 0));
	decision = use_up_budget(0);
	EXPECT_EQ(decision.action, SUPERVISE_DO_START);
	EXPECT(decision.cold && !decision.dependents);
	EXPECT_EQ(s.service[0].level, SUPERVISE_LEVEL_COLD);
	come_back(0);
	decision = use_up_budget(0);
	EXPECT_EQ(decision.action, SUPERVISE_DO_START);
	EXPECT(decision.cold && decision.dependents);
	EXPECT_EQ(s.service[0].level, SUPERVISE_LEVEL_DEPENDENTS);
	come_back(0);
	decision = use_up_budget(0);
	EXPECT_EQ(decision.action, SUPERVISE_DO_GIVE_UP);
	EXPECT_EQ(s.service[0].state, SUPERVISE_GIVEN_UP);
	EXPECT_EQ(s.service[0].statistics.cold_starts, 2);
	EXPECT_EQ(s.service[0].statistics.given_up, 1);
	EXPECT_EQ(last_event()->kind, SUPERVISE_RESTART_FAILED);
	EXPECT_EQ(last_event()->level, SUPERVISE_LEVEL_GIVE_UP);
	EXPECT_EQ(s.service[1].state, SUPERVISE_READY);
}

TEST(who_may_not_lose_its_state_is_never_cold)
{
	struct supervise_policy dear = ordinary;
	struct supervise_decision decision;

	dear.cold = 0;
	begin(&dear);
	EXPECT_EQ(use_up_budget(0).action, SUPERVISE_DO_GIVE_UP);
	begin(&dear);
	EXPECT(supervise_depend(&s, add("proc", &ordinary), 0));
	decision = use_up_budget(0);
	EXPECT(!decision.cold && decision.dependents);
	come_back(0);
	EXPECT_EQ(use_up_budget(0).action, SUPERVISE_DO_GIVE_UP);
	EXPECT_EQ(s.service[0].statistics.cold_starts, 0);
}

TEST(a_window_of_service_takes_the_level_back)
{
	begin(&ordinary);
	use_up_budget(0);
	come_back(0);
	now += WINDOW - 1;
	supervise_tick(&s, 0, true, now);
	EXPECT_EQ(s.service[0].level, SUPERVISE_LEVEL_COLD);
	now += 1;
	EXPECT_EQ(die(0, 0, 0).action, SUPERVISE_DO_START);
	EXPECT_EQ(s.service[0].level, SUPERVISE_LEVEL_RESTART);
	EXPECT_EQ(s.service[0].counted, 1);
	begin(&ordinary);
	use_up_budget(0);
	come_back(0);
	now += WINDOW;
	supervise_tick(&s, 0, true, now);	/* seen while it serves, too */
	EXPECT_EQ(s.service[0].level, SUPERVISE_LEVEL_RESTART);
}

/* Since the event of that number. */
static void
expect_events(uint64_t first, const unsigned *kind, unsigned count)
{
	EXPECT_EQ(s.event_count - first, count);
	for (unsigned i = 0; i < count; i++)
		EXPECT_EQ(s.event[(first + i) % SUPERVISE_EVENTS].kind,
		    kind[i]);
}

TEST(events_tell_a_life_in_order)
{
	static const unsigned life[] = {
		SUPERVISE_REGISTERED, SUPERVISE_HEALTHY, SUPERVISE_UNHEALTHY,
		SUPERVISE_RESTARTING, SUPERVISE_RESTARTED, SUPERVISE_HEALTHY,
	};
	static const unsigned hard[] = {
		SUPERVISE_UNHEALTHY, SUPERVISE_RESTARTING,
		SUPERVISE_RESTART_FAILED, SUPERVISE_RESTARTING,	/* no start */
		SUPERVISE_RESTART_FAILED, SUPERVISE_RESTARTING,	/* not READY */
	};

	begin(&ordinary);
	die(0, 0, 1);
	EXPECT_EQ(s.event[2].detail, CAUSE);
	come_back(0);
	expect_events(0, life, sizeof(life) / sizeof(life[0]));
	uint64_t first = s.event_count;
	be_killed(0);
	supervise_start_failed(&s, 0, now);
	supervise_started(&s, 0, now);
	die(0, 0, 0);
	expect_events(first, hard, sizeof(hard) / sizeof(hard[0]));
}

TEST(who_was_given_up_has_nothing_left_to_be_carried_out)
{
	begin(&ordinary);
	supervise_drain(&s, 0, true, now);
	for (unsigned i = 0; i < 3; i++) {
		die(0, 0, 0);
		now = s.service[0].due_ns;
		supervise_started(&s, 0, now);
	}
	EXPECT(die(0, 0, 0).cold);
	for (unsigned i = 0; i < 4; i++)
		supervise_start_failed(&s, 0, now);
	EXPECT_EQ(s.service[0].state, SUPERVISE_GIVEN_UP);
	EXPECT(!supervise_restart(&s, 0, now).cold);
	come_back(0);			/* READY, not DRAINING */
}

TEST(who_left_starts_afresh)
{
	begin(&ordinary);
	supervise_drain(&s, 0, true, now);
	EXPECT_EQ(leave(0, 1).action, SUPERVISE_DO_STOP);
	now += SECOND;
	supervise_started(&s, 0, now);
	supervise_ready(&s, 0, now);
	EXPECT_EQ(s.service[0].state, SUPERVISE_READY);
	EXPECT_EQ(s.service[0].statistics.restarts, 0);
	EXPECT_EQ(events_of(0, SUPERVISE_RESTARTED), 0);
}

TEST(given_up_is_final_until_restart)
{
	struct supervise_policy dear = ordinary;

	dear.cold = 0;
	begin(&dear);
	use_up_budget(0);
	for (unsigned i = 0; i < 100; i++) {
		now += WINDOW;
		supervise_started(&s, 0, now);
		supervise_ready(&s, 0, now);
		supervise_drain(&s, 0, true, now);
		EXPECT_EQ(supervise_tick(&s, 0, true, now).action,
		    SUPERVISE_DO_NOTHING);
		EXPECT_EQ(supervise_start_failed(&s, 0, now).action,
		    SUPERVISE_DO_NOTHING);
		EXPECT_EQ(die(0, 0, 0).action, SUPERVISE_DO_NOTHING);
		EXPECT_EQ(s.service[0].state, SUPERVISE_GIVEN_UP);
		EXPECT_EQ(supervise_next(&s), SUPERVISE_NEVER);
	}
	EXPECT_EQ(supervise_restart(&s, 0, now).action, SUPERVISE_DO_START);
	come_back(0);
	EXPECT_EQ(use_up_budget(0).action, SUPERVISE_DO_GIVE_UP);
}

TEST(who_leaves_stays_away_as_its_policy_says)
{
	struct supervise_policy policy = ordinary;

	begin(&policy);
	EXPECT_EQ(leave(0, 1).action, SUPERVISE_DO_STOP);
	EXPECT_EQ(s.service[0].state, SUPERVISE_STOPPED);
	policy.restart = SUPERVISE_RESTART_NEVER;
	begin(&policy);
	EXPECT_EQ(die(0, 0, 1).action, SUPERVISE_DO_STOP);
	policy.restart = SUPERVISE_RESTART_ALWAYS;
	begin(&policy);
	EXPECT_EQ(leave(0, 1).action, SUPERVISE_DO_START);
	EXPECT_EQ(s.service[0].statistics.own, 0);
	EXPECT_EQ(s.service[0].statistics.commanded, 0);
}

TEST(who_leaves_at_once_and_again_is_slowed_down_and_not_blamed)
{
	struct supervise_policy policy = ordinary;

	policy.restart = SUPERVISE_RESTART_ALWAYS;
	begin(&policy);
	for (unsigned i = 0; i < 100; i++) {
		struct supervise_decision decision = leave(0, 0);

		EXPECT_EQ(decision.action, SUPERVISE_DO_DELAY);
		EXPECT_EQ(decision.due_ns, now + SECOND);
		come_back(0);
	}
	EXPECT_EQ(s.service[0].counted, 0);
}

TEST(a_start_that_fails_uses_the_budget_and_stays_cold)
{
	begin(&ordinary);
	EXPECT(use_up_budget(0).cold);
	for (unsigned i = 0; i < 3; i++) {
		EXPECT_EQ(supervise_start_failed(&s, 0, now).action,
		    i == 0 ? SUPERVISE_DO_START : SUPERVISE_DO_DELAY);
		now = s.service[0].due_ns;
		EXPECT(supervise_tick(&s, 0, true, now).cold);
	}
	EXPECT_EQ(s.service[0].statistics.cold_starts, 1);
	EXPECT_EQ(s.service[0].statistics.deaths, 4);
	EXPECT_EQ(supervise_start_failed(&s, 0, now).action,
	    SUPERVISE_DO_GIVE_UP);
}

TEST(a_decided_start_is_told_until_it_is_carried_out)
{
	begin(&ordinary);
	EXPECT(use_up_budget(0).cold);
	for (unsigned i = 0; i < 3; i++) {
		struct supervise_decision decision;

		EXPECT(supervise_next(&s) <= now);
		decision = supervise_tick(&s, 0, false, now);
		EXPECT_EQ(decision.action, SUPERVISE_DO_START);
		EXPECT(decision.cold);
	}
	supervise_started(&s, 0, now);
	EXPECT_EQ(supervise_tick(&s, 0, false, now).action,
	    SUPERVISE_DO_NOTHING);
	EXPECT_EQ(s.service[0].pending, 0);
}

TEST(a_death_is_counted_once)
{
	begin(&ordinary);
	EXPECT_EQ(die(0, 0, 0).action, SUPERVISE_DO_START);
	EXPECT_EQ(die(0, 0, 0).action, SUPERVISE_DO_NOTHING);
	EXPECT_EQ(s.service[0].statistics.deaths, 1);
	EXPECT_EQ(s.service[0].counted, 1);
}

TEST(a_restart_by_command_comes_back_whatever_the_policy)
{
	struct supervise_policy policy = ordinary;

	policy.restart = SUPERVISE_RESTART_NEVER;
	begin(&policy);
	EXPECT_EQ(supervise_restart(&s, 0, now).action, SUPERVISE_DO_KILL);
	EXPECT_EQ(be_killed(0).action, SUPERVISE_DO_START);
	come_back(0);
	EXPECT_EQ(be_killed(0).action, SUPERVISE_DO_STOP);
	EXPECT_EQ(supervise_restart(&s, 0, now).action, SUPERVISE_DO_START);
}

TEST(draining_lasts_over_deaths_and_ends_with_a_restart)
{
	begin(&ordinary);
	supervise_drain(&s, 0, true, now);
	EXPECT_EQ(s.service[0].state, SUPERVISE_DRAINING);
	EXPECT_EQ(last_event()->kind, SUPERVISE_DRAIN);
	die(0, 0, 0);
	supervise_started(&s, 0, now);
	supervise_ready(&s, 0, now);
	EXPECT_EQ(s.service[0].state, SUPERVISE_DRAINING);
	supervise_drain(&s, 0, false, now);
	EXPECT_EQ(s.service[0].state, SUPERVISE_READY);
	supervise_drain(&s, 0, true, now);
	supervise_restart(&s, 0, now);
	be_killed(0);
	come_back(0);
	EXPECT_EQ(s.service[0].state, SUPERVISE_READY);
}

TEST(recovery_time_runs_from_the_first_death)
{
	begin(&ordinary);
	die(0, 0, 0);
	supervise_started(&s, 0, now);
	now += 2 * SECOND;
	die(0, 0, 0);		/* before it was READY */
	EXPECT_EQ(events_of(0, SUPERVISE_RESTART_FAILED), 1);
	come_back(0);		/* a second later */
	EXPECT_EQ(s.service[0].statistics.restarts, 1);
	EXPECT_EQ(s.service[0].statistics.recovery_worst_ns, 3 * SECOND);
	EXPECT_EQ(s.service[0].statistics.recovery_total_ns, 3 * SECOND);
	EXPECT_EQ(events_of(0, SUPERVISE_RESTARTED), 1);
}

TEST(dependencies_are_followed_and_never_closed)
{
	begin(&ordinary);
	unsigned proc = add("proc", &ordinary), net = add("net", &ordinary);

	EXPECT(supervise_depend(&s, proc, 0));
	EXPECT(supervise_depend(&s, net, proc));
	EXPECT_EQ(supervise_dependents(&s, 0), 1ul << proc | 1ul << net);
	EXPECT_EQ(supervise_dependents(&s, net), 0);
	EXPECT(!supervise_depend(&s, 0, 0));
	EXPECT(!supervise_depend(&s, 0, net));
	EXPECT(!supervise_depend(&s, 0, proc));
	EXPECT(!supervise_depend(&s, 63, 0));
	EXPECT(!supervise_depend(&s, 0, 64));
	supervise_unregister(&s, proc, now);
	EXPECT_EQ(supervise_dependents(&s, 0), 0);
	EXPECT_EQ(last_event()->kind, SUPERVISE_UNREGISTERED);
}

TEST(sixty_four_services_and_no_more)
{
	char name[8] = "s00";

	supervise_create(&s, 0);
	EXPECT(s.random != 0);
	for (unsigned i = 0; i < SUPERVISE_SERVICES; i++) {
		name[1] = (char)('0' + i / 10);
		name[2] = (char)('0' + i % 10);
		EXPECT_EQ(supervise_register(&s, name, &ordinary, now), i);
		EXPECT(i == 0 || supervise_depend(&s, i, i - 1));
	}
	EXPECT_EQ(supervise_dependents(&s, 0), ~1ul);
	EXPECT_EQ(supervise_dependents(&s, 62), 1ul << 63);
	EXPECT(!supervise_depend(&s, 0, 63));
	EXPECT_EQ(supervise_register(&s, "more", &ordinary, now), -1);
	EXPECT_EQ(supervise_find(&s, "s63"), 63);
	EXPECT(supervise_ok(&s));
	supervise_unregister(&s, 40, now);
	EXPECT_EQ(supervise_find(&s, "s40"), -1);
	EXPECT_EQ(supervise_register(&s, "more", &ordinary, now), 40);
	EXPECT_EQ(s.service[40].depends_on, 0);
	EXPECT(supervise_ok(&s));
}

TEST(bad_names_and_policies_are_refused)
{
	struct supervise_policy policy = ordinary;

	begin(&ordinary);
	EXPECT_EQ(supervise_register(&s, "", &ordinary, now), -1);
	EXPECT_EQ(supervise_register(&s, "storage", &ordinary, now), -1);
	EXPECT_EQ(supervise_register(&s, "0123456789abcdef0123456789abcdef",
	    &ordinary, now), -1);
	EXPECT_EQ(supervise_register(&s, "0123456789abcdef0123456789abcde",
	    &ordinary, now), 1);
	policy.restart = 3;
	EXPECT(!supervise_set_policy(&s, 0, &policy));
	policy = ordinary;
	policy.window_ns = 0;
	EXPECT(!supervise_set_policy(&s, 0, &policy));
	policy = ordinary;
	policy.jitter_permille = 1001;
	EXPECT(!supervise_set_policy(&s, 0, &policy));
	EXPECT_EQ(s.service[0].policy.jitter_permille, 0);
	policy = ordinary;
	policy.max_restarts = 9;
	EXPECT(supervise_set_policy(&s, 0, &policy));
	EXPECT_EQ(s.service[0].policy.max_restarts, 9);
}

TEST(a_full_history_keeps_the_newest)
{
	begin(&ordinary);
	s.event_count = UINT64_MAX - 60;	/* and over the end */
	for (unsigned i = 0; i < 200; i++) {
		now++;
		be_killed(0);
		come_back(0);
	}
	for (unsigned i = 0; i < SUPERVISE_EVENTS; i++)
		EXPECT(s.event[i].time_ns > now - SUPERVISE_EVENTS);
	EXPECT(supervise_ok(&s));
}

TEST(numbers_at_their_ends_do_no_harm)
{
	struct supervise_policy policy = ordinary;

	policy.max_restarts = UINT64_MAX;
	policy.delay_ns = policy.window_ns = UINT64_MAX;
	policy.beat_ns = UINT64_MAX;
	policy.jitter_permille = 1000;
	begin(&policy);
	now = UINT64_MAX - 5;
	for (unsigned i = 0; i < 50; i++) {
		EXPECT(die(0, UINT64_MAX, 0).due_ns <= SUPERVISE_NEVER);
		come_back(0);
		supervise_beat_asked(&s, 0, now);
		supervise_beat_asked(&s, 0, now);
		supervise_next(&s);
		now -= i;			/* a clock that goes back */
		supervise_tick(&s, 0, true, now);
		EXPECT(supervise_ok(&s));
	}
}

TEST(what_could_not_be_a_state_is_refused)
{
	static const size_t offset[] = {
		offsetof(struct supervised, state),
		offsetof(struct supervised, policy.restart),
		offsetof(struct supervised, health),
		offsetof(struct supervised, level),
		offsetof(struct supervised, pending),
		offsetof(struct supervised, answered),
		offsetof(struct supervised, draining),
		offsetof(struct supervised, kill),
		offsetof(struct supervised, poison_count),
		offsetof(struct supervised, predict.mean),
		offsetof(struct supervised, predict.point),
		offsetof(struct supervised, depends_on),
	};
	const uint64_t wild = ~0ul;

	begin(&ordinary);
	EXPECT(supervise_ok(&s));
	for (unsigned i = 0; i < sizeof(offset) / sizeof(offset[0]); i++) {
		struct supervised before = s.service[0];

		memcpy((char *)&s.service[0] + offset[i], &wild, sizeof(wild));
		EXPECT(!supervise_ok(&s));
		s.service[0] = before;
	}
	memset(s.service[0].name, 'x', sizeof(s.service[0].name));
	EXPECT(!supervise_ok(&s));
	begin(&ordinary);
	s.service[add("proc", &ordinary)].poison_count = SUPERVISE_POISON;
	EXPECT(supervise_ok(&s));
	memcpy(s.service[1].name, "storage", sizeof("storage"));
	EXPECT(!supervise_ok(&s));
	begin(&ordinary);
	s.event[0].service = SUPERVISE_SERVICES;
	EXPECT(!supervise_ok(&s));
	begin(&ordinary);
	s.event[0].kind = 0;
	EXPECT(!supervise_ok(&s));
	s.event[0].kind = SUPERVISE_EVENT_COUNT;
	EXPECT(!supervise_ok(&s));
	begin(&ordinary);
	s.random = 0;
	EXPECT(!supervise_ok(&s));
}

TEST(every_number_has_a_name)
{
	for (unsigned i = 0; i <= SUPERVISE_DRAINING; i++)
		EXPECT(strcmp(supervise_state_name(i), "?") != 0);
	for (unsigned i = 1; i < SUPERVISE_EVENT_COUNT; i++)
		EXPECT(strcmp(supervise_event_name(i), "?") != 0);
	for (unsigned i = 0; i <= SUPERVISE_LEVEL_GIVE_UP; i++)
		EXPECT(strcmp(supervise_level_name(i), "?") != 0);
	for (unsigned i = 0; i <= SUPERVISE_RESTART_ALWAYS; i++)
		EXPECT(strcmp(supervise_restart_name(i), "?") != 0);
	EXPECT(strcmp(supervise_state_name(7), "?") == 0);
	EXPECT(strcmp(supervise_event_name(~0ul), "?") == 0);
	EXPECT(strcmp(supervise_level_name(4), "?") == 0);
	EXPECT(strcmp(supervise_restart_name(3), "?") == 0);
}

TEST_MAIN(0)
