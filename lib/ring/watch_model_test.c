/* SPDX-License-Identifier: MIT */
/*
 * Watches in every interleaving of their accesses and under weak memory
 * (lib/test/interleave.h): no change of an object is slept through. A run fails
 * when all that are left sleep.
 *
 * With BENNU_TEST_MORE in the environment there are more changes.
 */
#include <lib/ring/atomic.h>
#include <lib/ring/watch.h>

#include <lib/test/interleave.h>
#include <lib/test/ktap.h>

#include <stdio.h>
#include <stdlib.h>

#define WAITERS	2u

/* Shared: two objects, and what each waiter sleeps on. */
static struct watch watches[2];
static uint64_t states[2];
static uint32_t bells[WAITERS];

static struct {
	uint64_t seen[2];
	bool candidate[2];
} world;

/* Objects whose changes each waiter waits for; registered with all. */
static uint64_t wanted[2];

static void
start(void)
{
	for (unsigned i = 0; i < 2; i++) {
		watches[i] = (struct watch){ .key = { 1, 2 } };
		states[i] = 0;
		bells[i] = 0;
		world.seen[i] = 0;
		world.candidate[i] = false;
	}
}

static bool
explore(struct interleave_program program)
{
	struct interleave_result result;

	program.start = start;
	program.threads = program.body[2] != NULL ? 3 : 2;
	program.world = &world;
	program.world_size = sizeof(world);
	result = interleave_run(&program);
	printf("# %s: %llu states, %llu steps, %llu ends\n", program.name,
	    (unsigned long long)result.states,
	    (unsigned long long)result.steps,
	    (unsigned long long)result.ends);
	EXPECT(result.ends > 0);
	return result.failure == NULL;
}

static void
ring_bells(void)
{
	for (unsigned i = 0; i < WAITERS; i++) {
		(void)ring_exchange(&bells[i], 1, RING_FULL);
		interleave_wake(&bells[i]);
	}
}

static void
wake_watch(struct watch *watch)
{
	uint64_t armed = watch_is_armed(watch);

	if (armed == 0)
		return;
	watch_count(watch);
	ring_bells();
	watch_disarm(watch, armed);
}

static void
change(unsigned object)
{
	uint64_t state = ring_load(&states[object], RING_RELAXED);

	while (!ring_swap_if(&states[object], &state, state + 1, RING_FULL))
		;
	ring_fence(RING_FULL);
	wake_watch(&watches[object]);
}

static bool
all_changed(void)
{
	for (unsigned i = 0; i < 2; i++) {
		if (ring_load(&states[i], RING_ACQUIRE) < wanted[i])
			return false;
	}
	return true;
}

static void
wait_by(unsigned self)
{
	while (!all_changed()) {
		(void)ring_exchange(&bells[self], 0, RING_FULL);
		for (unsigned i = 0; i < 2; i++) {
			if (wanted[i] != 0)
				watch_arm(&watches[i]);
		}
		if (all_changed())
			return;
		interleave_sleep(&bells[self], 0);
	}
}

static void
wait_first(void)
{
	wait_by(0);
}

static void
wait_second(void)
{
	wait_by(1);
}

static void
change_first(void)
{
	change(0);
}

static void
change_second(void)
{
	change(1);
}

static void
change_first_often(void)
{
	for (unsigned i = 0; i < wanted[0]; i++)
		change(0);
}

TEST(test_two_who_change_one_object_wake_who_waits_for_both)
{
	wanted[0] = 2;
	wanted[1] = 0;
	EXPECT(explore((struct interleave_program){ .name = "one object",
	    .body = { change_first, change_first, wait_first } }));
}

TEST(test_a_waiter_for_two_objects_misses_neither)
{
	wanted[0] = wanted[1] = 1;
	EXPECT(explore((struct interleave_program){ .name = "two objects",
	    .body = { change_first, change_second, wait_first } }));
}

TEST(test_two_waiters_for_one_object_are_both_woken)
{
	wanted[0] = getenv("BENNU_TEST_MORE") != NULL ? 2 : 1;
	wanted[1] = 0;
	EXPECT(explore((struct interleave_program){ .name = "two waiters",
	    .body = { change_first_often, wait_first, wait_second } }));
}

/* As epoll does: what was not counted as woken is not looked at again. */
static bool
look_at_candidates(void)
{
	for (unsigned i = 0; i < 2; i++) {
		if (!world.candidate[i] && ring_load(&watches[i].wakes,
		    RING_ACQUIRE) != world.seen[i])
			world.candidate[i] = true;
		if (world.candidate[i] &&
		    ring_load(&states[i], RING_ACQUIRE) < wanted[i]) {
			world.seen[i] = watch_arm(&watches[i]);
			world.candidate[i] = ring_load(&states[i],
			    RING_ACQUIRE) >= wanted[i];
		}
	}
	return world.candidate[0] && world.candidate[1];
}

static void
wait_for_candidates(void)
{
	world.candidate[0] = world.candidate[1] = true;
	while ((void)ring_exchange(&bells[0], 0, RING_FULL),
	    !look_at_candidates())
		interleave_sleep(&bells[0], 0);
}

TEST(test_the_count_of_wakes_names_every_object_that_changed)
{
	wanted[0] = wanted[1] = 1;
	EXPECT(explore((struct interleave_program){ .name = "candidates",
	    .body = { change_first, change_second, wait_for_candidates } }));
}

TEST(test_a_watch_armed_by_another_does_not_hide_a_wake)
{
	wanted[0] = 1;
	wanted[1] = 0;
	EXPECT(explore((struct interleave_program){ .name = "armed by another",
	    .body = { change_first, wait_second, wait_for_candidates } }));
}

/* What is left to who keeps the registrations when it ends a process. */
static void
was_killed(void)
{
	uint64_t state = ring_load(&states[0], RING_RELAXED);

	if (state < wanted[0])
		ring_swap_if(&states[0], &state, wanted[0], RING_FULL);
	ring_bells();
}

TEST(test_who_dies_in_a_wake_is_made_up_for_when_it_is_ended)
{
	wanted[0] = 1;
	wanted[1] = 0;
	EXPECT(explore((struct interleave_program){ .name = "death",
	    .body = { change_first, wait_first },
	    .again = { was_killed, NULL }, .deaths = 1 }));
}

TEST(test_a_watch_left_armed_by_the_dead_wakes_at_the_next_change)
{
	wanted[0] = 1;
	wanted[1] = 0;
	EXPECT(explore((struct interleave_program){ .name = "left armed",
	    .body = { change_first, wait_first },
	    .again = { change_first, NULL }, .deaths = 1 }));
}

TEST_MAIN(0)
