/* SPDX-License-Identifier: MIT */
/* Laws of beats, hangs and renewals. */
#include <lib/supervise/fixture_host.h>

TEST(two_late_beats_are_a_hang_and_its_own_death)
{
	begin(&ordinary);
	supervise_beat_asked(&s, 0, now);
	now += SECOND;
	supervise_beat_asked(&s, 0, now);
	EXPECT_EQ(s.service[0].health, SUPERVISE_DEGRADED);
	EXPECT_EQ(supervise_next(&s), now + SECOND);
	now += SECOND - 1;
	EXPECT_EQ(supervise_tick(&s, 0, true, now).action,
	    SUPERVISE_DO_NOTHING);
	now++;
	EXPECT_EQ(supervise_tick(&s, 0, true, now).action, SUPERVISE_DO_KILL);
	EXPECT_EQ(s.service[0].health, SUPERVISE_UNHEALTHY);
	EXPECT_EQ(s.service[0].statistics.hangs, 1);
	be_killed(0);
	EXPECT_EQ(s.service[0].statistics.own, 1);
	EXPECT_EQ(s.service[0].statistics.commanded, 0);
	EXPECT_EQ(s.service[0].counted, 1);
}

TEST(a_request_that_hangs_twice_is_poison)
{
	begin(&ordinary);
	for (unsigned i = 0; i < 2; i++) {
		supervise_beat_asked(&s, 0, now);
		now += SECOND;
		supervise_beat_asked(&s, 0, now);
		now += SECOND;
		EXPECT_EQ(supervise_tick(&s, 0, false, now).action,
		    SUPERVISE_DO_KILL);
		EXPECT_EQ(be_killed(0).poison_order, i == 0 ? 0 : 5);
		come_back(0);
	}
}

TEST(a_kill_is_asked_for_again_until_the_death)
{
	begin(&ordinary);
	EXPECT_EQ(supervise_restart(&s, 0, now).action, SUPERVISE_DO_KILL);
	EXPECT_EQ(supervise_tick(&s, 0, true, now).action,
	    SUPERVISE_DO_NOTHING);
	for (unsigned i = 0; i < 3; i++) {
		now = supervise_next(&s);
		EXPECT_EQ(supervise_tick(&s, 0, true, now).action,
		    SUPERVISE_DO_KILL);
	}
	EXPECT_EQ(be_killed(0).action, SUPERVISE_DO_START);
	EXPECT_EQ(s.service[0].kill, SUPERVISE_KILL_NONE);
}

TEST(time_that_jumps_is_one_late_beat)
{
	begin(&ordinary);
	supervise_beat_asked(&s, 0, now);
	now += 3600 * SECOND;
	EXPECT_EQ(supervise_tick(&s, 0, true, now).action,
	    SUPERVISE_DO_NOTHING);
	EXPECT_EQ(s.service[0].health, SUPERVISE_DEGRADED);
	supervise_beat_answered(&s, 0, 1, now);
	EXPECT_EQ(s.service[0].health, SUPERVISE_HEALTHY);
}

TEST(numbers_of_beats_that_were_not_asked_say_nothing)
{
	begin(&ordinary);
	supervise_beat_answered(&s, 0, 1, now);
	EXPECT_EQ(s.service[0].beats_answered, 0);
	supervise_beat_asked(&s, 0, now);
	supervise_beat_asked(&s, 0, now);
	supervise_beat_answered(&s, 0, UINT64_MAX, now);
	EXPECT_EQ(s.service[0].beats_answered, 0);
	supervise_beat_answered(&s, 0, 2, now);
	supervise_beat_answered(&s, 0, 1, now);
	EXPECT_EQ(s.service[0].beats_answered, 2);
}

TEST(who_is_excused_hangs_no_sooner_than_one_who_begins_anew)
{
	begin(&ordinary);
	supervise_beat_asked(&s, 0, now);
	now += SECOND;
	supervise_beat_asked(&s, 0, now);
	EXPECT_EQ(s.service[0].health, SUPERVISE_DEGRADED);
	now += SECOND;
	supervise_excuse(&s, 0, now);
	EXPECT_EQ(s.service[0].health, SUPERVISE_HEALTHY);
	EXPECT_EQ(supervise_tick(&s, 0, true, now).action,
	    SUPERVISE_DO_NOTHING);
	die(0, 0, 0);
	supervise_started(&s, 0, now);
	now += SUPERVISE_START_MAX - 1;
	supervise_excuse(&s, 0, now);
	now += SUPERVISE_START_MAX - 1;
	EXPECT_EQ(supervise_tick(&s, 0, true, now).action,
	    SUPERVISE_DO_NOTHING);
	EXPECT_EQ(supervise_next(&s), now + 1);
	now++;
	EXPECT_EQ(supervise_tick(&s, 0, true, now).action, SUPERVISE_DO_KILL);
}

TEST(a_new_incarnation_owes_no_beat)
{
	begin(&ordinary);
	for (unsigned i = 0; i < 5; i++)
		supervise_beat_asked(&s, 0, now);
	die(0, 0, 0);
	come_back(0);
	now += 10 * SECOND;
	EXPECT_EQ(supervise_tick(&s, 0, true, now).action,
	    SUPERVISE_DO_NOTHING);
	EXPECT_EQ(s.service[0].health, SUPERVISE_HEALTHY);
}

TEST(who_is_never_ready_hangs)
{
	supervise_create(&s, 7);
	supervise_register(&s, "storage", &ordinary, now);
	supervise_started(&s, 0, now);
	EXPECT_EQ(supervise_next(&s), now + SUPERVISE_START_MAX);
	EXPECT_EQ(supervise_tick(&s, 0, true,
	    now + SUPERVISE_START_MAX - 1).action, SUPERVISE_DO_NOTHING);
	EXPECT_EQ(supervise_tick(&s, 0, true,
	    now + SUPERVISE_START_MAX).action, SUPERVISE_DO_KILL);
}

TEST(without_beats_nobody_hangs)
{
	struct supervise_policy policy = ordinary;

	policy.beat_ns = 0;
	begin(&policy);
	for (unsigned i = 0; i < 5; i++)
		supervise_beat_asked(&s, 0, now);
	EXPECT_EQ(s.service[0].beats_asked, 0);
	die(0, 0, 0);
	supervise_started(&s, 0, now);
	now += 3600 * SECOND;
	EXPECT_EQ(supervise_next(&s), SUPERVISE_NEVER);
	EXPECT_EQ(supervise_tick(&s, 0, true, now).action,
	    SUPERVISE_DO_NOTHING);
}

TEST(who_does_not_serve_is_not_asked)
{
	begin(&ordinary);
	die(0, 0, 0);
	supervise_started(&s, 0, now);
	supervise_beat_asked(&s, 0, now);
	supervise_beat_asked(&s, 0, now);
	EXPECT_EQ(s.service[0].beats_asked, 0);
	supervise_ready(&s, 0, now);
	now += SECOND;
	EXPECT_EQ(supervise_tick(&s, 0, true, now).action,
	    SUPERVISE_DO_NOTHING);
}

static void
look_ill(unsigned samples)
{
	struct predict_sample sample = { .memory = 100, .latency_ns = 1000000 };

	for (unsigned i = 0; i < 50; i++)
		supervise_sample(&s, 0, &sample, now);
	sample.errors = 1000;
	for (unsigned i = 0; i < samples; i++)
		supervise_sample(&s, 0, &sample, now);
}

TEST(a_renewal_waits_for_quiet_but_not_for_ever)
{
	for (unsigned quiet = 0; quiet < 2; quiet++) {
		begin(&ordinary);
		now += WINDOW;
		look_ill(3);
		EXPECT_EQ(s.service[0].health, SUPERVISE_DEGRADED);
		EXPECT_EQ(supervise_tick(&s, 0, false, now).action,
		    SUPERVISE_DO_NOTHING);
		now += quiet ? 1 : SUPERVISE_QUIET_MAX;
		EXPECT_EQ(supervise_tick(&s, 0, quiet, now).action,
		    SUPERVISE_DO_KILL);
		EXPECT_EQ(be_killed(0).action, SUPERVISE_DO_START);
		EXPECT_EQ(s.service[0].counted, 0);
		EXPECT_EQ(s.service[0].statistics.predicted, 1);
		come_back(0);
		EXPECT_EQ(s.service[0].health, SUPERVISE_HEALTHY);
	}
}

TEST(who_is_well_again_is_not_renewed)
{
	struct predict_sample good = { .memory = 100, .latency_ns = 1000000 };

	begin(&ordinary);
	now += WINDOW;
	look_ill(3);
	EXPECT(s.service[0].renew_since_ns != 0);
	supervise_sample(&s, 0, &good, now);
	EXPECT_EQ(s.service[0].health, SUPERVISE_HEALTHY);
	now += SUPERVISE_QUIET_MAX;
	EXPECT_EQ(supervise_tick(&s, 0, true, now).action,
	    SUPERVISE_DO_NOTHING);
}

TEST(who_died_before_its_renewal_is_not_renewed)
{
	begin(&ordinary);
	now += WINDOW;
	look_ill(3);
	die(0, 0, 1);
	come_back(0);
	now += SUPERVISE_QUIET_MAX;
	EXPECT_EQ(supervise_tick(&s, 0, true, now).action,
	    SUPERVISE_DO_NOTHING);
}

TEST(who_was_just_renewed_is_not_renewed)
{
	begin(&ordinary);
	now += WINDOW - 1;
	look_ill(10);
	EXPECT_EQ(s.service[0].health, SUPERVISE_DEGRADED);
	EXPECT_EQ(supervise_tick(&s, 0, true, now).action,
	    SUPERVISE_DO_NOTHING);
}

TEST(who_did_not_ask_for_predictions_is_only_called_degraded)
{
	struct supervise_policy policy = ordinary;

	policy.predict = 0;
	begin(&policy);
	now += WINDOW;
	look_ill(10);
	EXPECT_EQ(s.service[0].health, SUPERVISE_DEGRADED);
	now += SUPERVISE_QUIET_MAX;
	EXPECT_EQ(supervise_tick(&s, 0, true, now).action,
	    SUPERVISE_DO_NOTHING);
}

TEST_MAIN(0)
