/* SPDX-License-Identifier: MIT */
/*
 * The life of places on a model of the kernel: they die, alone and together,
 * are told to restart and to drain, and phoenix dies between any two of its
 * system calls. Whatever happened, in the end each place serves or its callers
 * get ERR_GONE, and nothing is left of those that are gone.
 *
 * A transaction of phoenix is a copy of its state, which comes back when it
 * dies before the end. The kernel keeps what was done to it. What phoenix
 * remembers in its process is lost with it: so its file is a part of this one.
 */
#include "incarnation.c"

#include <lib/ktap/ktap.h>
#include <services/phoenix/fake/world_host.h>

#include <sys/mman.h>

#define SECOND		1000000000ul
#define WINDOW		(600 * SECOND)	/* of the budgets */
#define RUNS		3000u
#define STEPS		60u

static void
do_drops(void)
{
	for (unsigned i = 0; i < world.drops; i++)
		object_delete(world.drop[i]);
	world.drops = 0;
}

static void reborn(void);

/* What an undone transaction had named. */
static void
forget_named(unsigned first)
{
	for (unsigned i = first; i < world.count; i++) {
		if (world.object[i].named)
			object_delete(i);
		world.object[i].named = false;
	}
}

/* False if phoenix died before its end. */
static bool
transact(void (*body)(unsigned place), unsigned place)
{
	static struct phoenix before;
	static bool named[FAKE_OBJECTS];
	volatile bool lived = false;

	before = phoenix;
	for (unsigned i = 0; i < world.count; i++)
		named[i] = world.object[i].named;
	unsigned count = world.count;
	world.in_transaction = true;
	if (setjmp(died) == 0) {
		body(place);
		lived = true;
	}
	world.in_transaction = false;
	if (!lived || world.abort) {
		phoenix = before;
		world.drops = 0;
		for (unsigned i = 0; i < count; i++)
			world.object[i].named = named[i];
		forget_named(count);
	}
	world.abort = false;
	do_drops();
	if (!lived)
		reborn();
	return lived;
}

static void
idle(void)
{
	if (setjmp(died) == 0) {
		incarnation_start(&phoenix);
		place_kill_due(&phoenix);
	} else {
		reborn();
	}
}

static void
do_check(unsigned ignored)
{
	(void)ignored;
	place_check_deaths(&phoenix);
}

static void
do_tick(unsigned ignored)
{
	(void)ignored;
	place_tick(&phoenix);
}

static void
do_tidy(unsigned ignored)
{
	(void)ignored;
	incarnation_tidy(&phoenix);
}

static void
do_start(unsigned place)
{
	place_start(&phoenix, &phoenix.place[place]);
}

static void
do_died(unsigned place)
{
	place_died(&phoenix, &phoenix.place[place]);
}

static void
do_ready(unsigned place)
{
	place_ready(&phoenix, &phoenix.place[place]);
}

static void
do_restart(unsigned place)
{
	uint64_t state = place_state(&phoenix, &phoenix.place[place]);

	if (state != SUPERVISE_STARTING)
		place_restart(&phoenix, &phoenix.place[place]);
}

static void
do_drain(unsigned place)
{
	uint64_t state = place_state(&phoenix, &phoenix.place[place]);

	if (state == SUPERVISE_READY || state == SUPERVISE_DRAINING)
		place_drain(&phoenix, &phoenix.place[place],
		    state == SUPERVISE_READY);
}

static void
do_reload(unsigned place)
{
	reload_begin(&phoenix, &phoenix.place[place], "other");
}

static void
do_look(unsigned ignored)
{
	(void)ignored;
	reload_look(&phoenix);
}

/* The next incarnation of phoenix; it may not get far either. */
static void
reborn(void)
{
	world.crashes++;
	/* It may have been away for long. */
	if (chance(4) == 0)
		world.now += WINDOW;
	world.steps_left = chance(4) == 0 ? 1 + chance(60) : 0;
	memset(info_mapped, 0, sizeof(info_mapped));
	memset(thread_started, 0, sizeof(thread_started));
	spare_timer_set = false;
	for (unsigned i = 2; i < world.count; i++)
		if (world.object[i].table == 0 && !world.object[i].named)
			object_delete(i);
	idle();
	transact(do_check, 0);
	transact(do_tick, 0);
	transact(do_look, 0);
	idle();
}

/* Events come one by one, and nothing is started between them. */
static void
take_events(void)
{
	for (unsigned i = 0; i < FAKE_PLACES; i++) {
		if (!world.fired[i])
			continue;
		world.fired[i] = false;
		transact(do_died, i);
	}
	idle();
}

/* --- Places. --- */

static struct object *
runner(unsigned place)
{
	struct object *found = NULL;

	for (unsigned i = 0; i < world.count; i++) {
		struct object *object = &world.object[i];
		if (!object->alive || object->type != OBJ_THREAD ||
		    object->place != place || object->state != STATE_RUNNING)
			continue;
		must(found == NULL, "one incarnation runs");
		found = object;
	}
	return found;
}

static void
take_bits(unsigned place)
{
	uint64_t bits = world.bits[place];

	world.bits[place] = 0;
	if ((bits & LOOP_HEARTBEAT_BIT) != 0)
		trace[place].beat++;
	if ((bits & LOOP_DRAIN_BIT) != 0)
		trace[place].drained = 1;
	if ((bits & LOOP_UNDRAIN_BIT) != 0)
		trace[place].drained = 0;
}

/* It sweeps its table, serves those who waited, and says that it is READY. */
static void
become_ready(unsigned place)
{
	const struct life *life = &phoenix.place[place].life;
	cap_t table = phoenix.place[place].parts.table;

	if (runner(place) == NULL || place_state(&phoenix,
	    &phoenix.place[place]) != SUPERVISE_STARTING)
		return;
	for (unsigned i = 0; i < world.count; i++)
		if (world.object[i].table == table &&
		    i != life->now.vspace_there && i != life->now.thread_there)
			world.object[i].alive = false;
	transact(do_ready, place);
}

static void
make_place(unsigned i, const struct supervise_policy *policy)
{
	struct place *place = &phoenix.place[i];
	char name[2] = { (char)('a' + i), '\0' };
	cap_t *parts[] = {
		&place->parts.container, &place->parts.table,
		&place->parts.stack, &place->parts.utcb, &place->parts.info,
		&place->parts.trace, &place->parts.arena, &place->parts.clock,
		&place->parts.death, &place->endpoint, &place->notification,
		&place->image.loaded.segment[0].memory,
	};

	memcpy(place->manifest.name, name, sizeof(name));
	for (unsigned j = 0; j < sizeof(parts) / sizeof(parts[0]); j++) {
		*parts[j] = object_add(OBJ_MEMORY, 0, i);
		world.object[*parts[j]].named = true;
	}
	place->parts.arena_size = PAGE_SIZE;
	place->image.loaded.segment_count = 1;
	place->image.loaded.segment[0].flags = MAP_READ | MAP_WRITE;
	must(supervise_register(&phoenix.supervisor, name, policy,
	    world.now) == (int)i, "it is registered");
	phoenix.place_count++;
}

/* Each needs the one after it; the first may leave for good. */
static void
make_world(uint64_t seed)
{
	struct supervise_policy policy = {
		.restart = SUPERVISE_RESTART_ALWAYS, .max_restarts = 1,
		.window_ns = WINDOW, .beat_ns = SECOND,
	};

	memset(&phoenix, 0, sizeof(phoenix));
	memset(&world, 0, sizeof(world));
	memset(trace, 0, sizeof(trace));
	memset(info_mapped, 0, sizeof(info_mapped));
	memset(thread_started, 0, sizeof(thread_started));
	spare_timer_set = false;
	random_state = seed * 0x9e3779b97f4a7c15ul + 1;
	world.now = SECOND;
	world.count = 2;	/* no handle; phoenix's own vspace */
	supervise_create(&phoenix.supervisor, seed + 1);
	for (unsigned i = 0; i < FAKE_PLACES; i++) {
		policy.cold = chance(2);
		policy.restart = i == 0 ? SUPERVISE_RESTART_ON_FAILURE :
		    SUPERVISE_RESTART_ALWAYS;
		make_place(i, &policy);
	}
	for (unsigned i = 0; i + 1 < FAKE_PLACES; i++)
		supervise_depend(&phoenix.supervisor, i, i + 1);
	for (unsigned i = 0; i < FAKE_PLACES; i++)
		transact(do_start, i);
	idle();
}

static void
pass(uint64_t ns)
{
	world.now += ns;
	for (unsigned i = 0; i < FAKE_PLACES; i++)
		if (runner(i) != NULL)
			take_bits(i);
	transact(do_tick, 0);
	idle();
}

static void
random_step(void)
{
	unsigned place = (unsigned)chance(FAKE_PLACES);
	struct object *thread = runner(place);

	switch (chance(16)) {
	case 0:
	case 1:
	case 2:
	case 3:
		if (thread != NULL)
			thread_dies(thread, DEATH_EXCEPTION);
		break;
	case 4:
	case 5:
	case 6:
		become_ready(place);
		idle();
		break;
	case 7:
		pass(chance(2 * SECOND));
		break;
	case 8:
		transact(do_tidy, 0);
		idle();
		break;
	case 9:
		/* A handler does what it is told, and then returns an error. */
		world.abort = chance(4) == 0;
		transact(chance(2) == 0 ? do_restart : do_drain, place);
		idle();
		break;
	case 10:
		world.abort = chance(4) == 0;
		transact(do_reload, place);
		idle();
		break;
	case 11:
		transact(do_look, 0);
		idle();
		break;
	case 12:
		if (thread != NULL && place == 0)
			thread_dies(thread, DEATH_EXIT);
		break;
	default:
		take_events();
		break;
	}
}

/* Somebody who is in its table, or was not taken apart. */
static bool
holds_anything(const struct place *place)
{
	for (unsigned i = 2; i < world.count; i++)
		if (world.object[i].alive &&
		    world.object[i].table == place->parts.table)
			return true;
	return place->life.now.vspace != CAP_NONE ||
	    place->life.dead.vspace != CAP_NONE ||
	    place->life.spare.vspace != CAP_NONE;
}

static unsigned
living(unsigned type)
{
	unsigned count = 0;

	for (unsigned i = 2; i < world.count; i++)
		count += world.object[i].alive && world.object[i].type == type;
	return count;
}

static void
come_to_rest(void)
{
	world.steps_left = 0;
	world.full_odds = 0;
	for (unsigned round = 0; round < 40; round++) {
		take_events();
		for (unsigned i = 0; i < FAKE_PLACES; i++)
			become_ready(i);
		pass(2 * SECOND);
		transact(do_look, 0);
		idle();
		transact(do_tidy, 0);
	}
}

static void
check_rest(void)
{
	unsigned spaces = 0;

	for (unsigned i = 0; i < FAKE_PLACES; i++) {
		const struct place *place = &phoenix.place[i];
		uint64_t state = place_state(&phoenix, place);
		bool left = state == SUPERVISE_STOPPED;
		bool gone = state == SUPERVISE_GIVEN_UP || left;

		KTAP_EQUAL(left && i != 0, false);
		KTAP_EQUAL(left && holds_anything(place), false);
		KTAP_EQUAL(left && !world.cleared[i], false);
		KTAP_EQUAL(gone || state == SUPERVISE_READY ||
		    state == SUPERVISE_DRAINING, true);
		KTAP_EQUAL(runner(i) != NULL, !gone);
		KTAP_EQUAL(world.closed[i], gone);
		KTAP_EQUAL(place->life.closed != 0, gone);
		KTAP_EQUAL(gone || (trace[i].drained != 0) ==
		    (state == SUPERVISE_DRAINING), true);
		KTAP_EQUAL(gone || place->reload.state == RELOAD_NONE, true);
		KTAP_EQUAL(gone ||
		    place->reload.other.loaded.segment_count == 0, true);
		spaces += !gone;
		spaces += place->life.spare.vspace != CAP_NONE;
	}
	KTAP_EQUAL(living(OBJ_VSPACE), spaces);
	KTAP_EQUAL(living(OBJ_THREAD), spaces);
}

static void
live(uint64_t seed, bool crashes, uint64_t full_odds)
{
	make_world(seed);
	world.full_odds = full_odds;
	for (unsigned i = 0; i < STEPS; i++) {
		if (crashes && world.steps_left == 0 && chance(3) == 0)
			world.steps_left = 1 + chance(80);
		random_step();
		for (unsigned j = 0; j < FAKE_PLACES; j++)
			runner(j);
	}
	come_to_rest();
	check_rest();
}

static void
test_every_place_serves_or_is_given_up(void)
{
	for (uint64_t seed = 1; seed <= RUNS; seed++)
		live(seed, false, 0);
}

static void
test_also_if_phoenix_dies_between_any_two_calls(void)
{
	uint64_t crashes = 0;

	for (uint64_t seed = 1; seed <= RUNS; seed++) {
		live(seed, true, 0);
		crashes += world.crashes;
	}
	KTAP_CHECK(crashes > RUNS);
}

static void
test_an_incarnation_that_cannot_be_built_leaves_nothing(void)
{
	for (uint64_t seed = 1; seed <= RUNS; seed++)
		live(seed, seed % 2 != 0, 5);
}

int
main(void)
{
	static const struct ktap_test tests[] = {
		KTAP_TEST(test_every_place_serves_or_is_given_up),
		KTAP_TEST(test_also_if_phoenix_dies_between_any_two_calls),
		KTAP_TEST(
		    test_an_incarnation_that_cannot_be_built_leaves_nothing),
	};

	if (mmap((void *)PLACE_UTCB, PAGE_SIZE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
	    (void *)PLACE_UTCB)
		return 1;
	return ktap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
