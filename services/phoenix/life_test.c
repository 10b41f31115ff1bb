/* SPDX-License-Identifier: MIT */
/*
 * The life of places on a model of the kernel: they die, alone and together,
 * are told to restart and to drain, and phoenix dies between any two of its
 * system calls. Whatever happened, in the end each place serves or its callers
 * get ERR_GONE, and nothing is left of those that are gone.
 *
 * A transaction of phoenix is a copy of its state, which comes back when it
 * dies before the end. The kernel keeps what was done to it.
 */
#include "incarnation.c"

#include <abi/boot.h>
#include <lib/elf/elf.h>
#include <lib/ktap/ktap.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PLACES		4u
#define OBJECTS		8192u
#define DROPS		256u
#define SECOND		1000000000ul
#define WINDOW		(600 * SECOND)	/* of the budgets */
#define RUNS		3000u
#define STEPS		60u

struct object {
	bool	 alive, named;
	unsigned type;
	cap_t	 table;			/* of whom; 0: phoenix's */
	unsigned place;			/* of threads and parts */
	uint64_t state;			/* STATE_*, of threads */
};

static struct phoenix phoenix;
static struct trace_page trace[PLACES];
static struct place_info own = { .name = "phoenix", .vspace = 1 };

static struct {
	struct object object[OBJECTS];
	unsigned count;
	cap_t	 drop[DROPS];
	unsigned drops;
	struct death_info death[PLACES];
	bool	 fired[PLACES], closed[PLACES];
	uint64_t bits[PLACES];
	bool	 cleared[PLACES];	/* its arena, since the last start */
	uint64_t cold[PLACES];		/* cold starts, as of the last start */
	uint64_t now;
	uint64_t steps_left;		/* of phoenix; 0: it lives */
	uint64_t crashes;
	uint64_t full_odds;		/* 0: no table is ever full */
	bool	 abort;			/* the next transaction is undone */
} world;

static void
must(bool holds, const char *what)
{
	if (holds)
		return;
	printf("# not so: %s\n", what);
	exit(1);
}

static jmp_buf died;
static uint64_t random_state = 1;

static uint64_t
chance(uint64_t of)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % of;
}

/* Each system call of phoenix may be its last. */
static void
step(void)
{
	if (world.steps_left != 0 && --world.steps_left == 0)
		longjmp(died, 1);
}

/* --- The kernel. --- */

static struct object *
object_of(cap_t cap)
{
	return cap < OBJECTS && cap < world.count && world.object[cap].alive ?
	    &world.object[cap] : NULL;
}

static cap_t
object_add(unsigned type, cap_t table, unsigned place)
{
	if (world.count == OBJECTS)
		abort();
	world.object[world.count] = (struct object){ .alive = true,
	    .type = type, .table = table, .place = place };
	return world.count++;
}

static void
thread_dies(struct object *thread, uint64_t cause)
{
	struct death_info *info = &world.death[thread->place];

	thread->state = STATE_DEAD;
	info->cause = cause;
	info->count++;
	info->time_ns = world.now;
	world.fired[thread->place] = true;
}

static status_t
start_thread(struct object *thread)
{
	if (thread == NULL || thread->state != STATE_STOPPED)
		return ERR_STATE;
	uint64_t cold = phoenix.place[thread->place].life.cold;
	must(world.cleared[thread->place] ==
	    (cold != world.cold[thread->place]),
	    "who lost its state has another epoch, and nobody else");
	world.cleared[thread->place] = false;
	world.cold[thread->place] = cold;
	thread->state = STATE_RUNNING;
	trace[thread->place].drained = 0;
	return OK;
}

/* One that never ran is dead without a word. */
static status_t
kill_thread(struct object *thread)
{
	if (thread == NULL)
		return ERR_HANDLE;
	if (thread->state == STATE_RUNNING)
		thread_dies(thread, DEATH_KILLED);
	thread->state = STATE_DEAD;
	return OK;
}

static void
setup_thread_of(struct object *thread)
{
	const struct utcb *utcb = (const struct utcb *)PLACE_UTCB;
	const struct thread_setup *setup =
	    (const struct thread_setup *)utcb->data;

	thread->place = object_of(setup->death)->place;
	thread->state = STATE_STOPPED;
}

struct sys_result
fake_invoke(long number, uint64_t a, uint64_t b)
{
	struct utcb *utcb = (struct utcb *)PLACE_UTCB;
	struct object *object = object_of(a);
	struct sys_result r = { .status = OK };

	step();
	switch (number) {
	case SYS_THREAD_START:
		r.status = start_thread(object);
		break;
	case SYS_THREAD_KILL:
		r.status = kill_thread(object);
		break;
	case SYS_THREAD_SETUP:
		setup_thread_of(object);
		break;
	case SYS_THREAD_INFO:
		r.status = object != NULL ? OK : ERR_HANDLE;
		r.value[1] = STATE_BLOCKED;
		break;
	case SYS_MEMORY_CLONE:
		r.value[0] = object_add(OBJ_MEMORY, 0, 0);
		break;
	case SYS_MEMORY_INFO:
		world.cleared[object->place] = true;
		r.value[3] = ~0ul;
		break;
	case SYS_ENDPOINT_CLOSE:
		world.closed[object->place] = b == 0;
		break;
	case SYS_DEATH_READ:
		*(struct death_info *)utcb->data = world.death[object->place];
		break;
	case SYS_CONTAINER_INFO:
		r.status = ERR_HANDLE;
		break;
	}
	return r;
}

/* phoenix signals itself as well. */
status_t
fake_signal(cap_t notification, uint64_t bits)
{
	struct object *object = object_of(notification);

	step();
	if (notification != PLACE_NOTIFICATION && object != NULL)
		world.bits[object->place] |= bits;
	return OK;
}

status_t
fake_create(unsigned type, cap_t *out_cap)
{
	step();
	*out_cap = object_add(type, 0, 0);
	return OK;
}

status_t
fake_map(cap_t vspace, uint64_t address, uint64_t length)
{
	step();
	return vspace != own.vspace || mmap((void *)address, length,
	    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
	    -1, 0) == (void *)address ? OK : ERR_NOMEM;
}

status_t
fake_copy(cap_t source, cap_t table, cap_t *out_cap)
{
	step();
	*out_cap = CAP_NONE;
	if (object_of(source) == NULL)
		return ERR_HANDLE;
	/* The table of the place is full. */
	if (world.full_odds != 0 && chance(world.full_odds) == 0)
		return ERR_LIMIT;
	*out_cap = object_add(OBJ_TYPE_COUNT, table, 0);
	return OK;
}

static void
delete(cap_t cap)
{
	struct object *object = object_of(cap);

	if (object == NULL)
		return;
	must(object->type != OBJ_THREAD || object->state != STATE_RUNNING,
	    "who is deleted does not run");
	object->alive = false;
}

status_t
fake_delete(cap_t table, cap_t cap)
{
	(void)table;
	step();
	delete(cap);
	return OK;
}

/* --- What phoenix stands on. --- */

const struct place_info *
service_info(void)
{
	return &own;
}

uint64_t
service_now_ns(void)
{
	return world.now;
}

struct arena *
service_arena(void)
{
	return NULL;
}

status_t
tx_add(struct arena *arena, void *pointer, size_t length)
{
	uintptr_t offset = (uintptr_t)pointer - (uintptr_t)&phoenix;

	(void)arena;
	must(offset <= sizeof(phoenix) && length <= sizeof(phoenix) - offset,
	    "phoenix saves its own state");
	return OK;
}

status_t
service_cap_keep(cap_t cap)
{
	object_of(cap)->named = true;
	return OK;
}

status_t
service_cap_drop(cap_t cap)
{
	struct object *object = object_of(cap);

	if (world.drops == DROPS)
		return ERR_NOMEM;
	if (object != NULL)
		object->named = false;
	world.drop[world.drops++] = cap;
	return OK;
}

void
service_log(const char *format, ...)
{
	(void)format;
}

_Noreturn void
service_panic(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	abort();
}

enum elf_error
elf_parse(const void *data, size_t size, struct elf_image *out)
{
	(void)data, (void)size, (void)out;
	abort();
}

struct place_builder
place_builder(void)
{
	return (struct place_builder){ .vspace = own.vspace,
	    .utcb = (struct utcb *)PLACE_UTCB };
}

unsigned
place_index(const struct phoenix *of, const struct place *place)
{
	return (unsigned)(place - of->place);
}

void
place_next_group_if_up(struct phoenix *of)
{
	(void)of;
}

void
report_death(const struct phoenix *of, const struct place *place,
    const struct death_info *info)
{
	(void)of, (void)place, (void)info;
}

void
report_now(const struct phoenix *of, const struct place *place)
{
	(void)of, (void)place;
}

void
report_ready(const struct phoenix *of, const struct place *place)
{
	(void)of, (void)place;
}

const struct trace_page *
report_trace(const struct phoenix *of, const struct place *place)
{
	return &trace[place_index(of, place)];
}

uint64_t
report_ticks_ns(uint64_t ticks)
{
	return ticks;
}

/* --- phoenix, as main.c drives it. --- */

static void
do_drops(void)
{
	for (unsigned i = 0; i < world.drops; i++)
		delete(world.drop[i]);
	world.drops = 0;
}

static void reborn(void);

/* What an undone transaction had named. */
static void
forget_named(unsigned first)
{
	for (unsigned i = first; i < world.count; i++) {
		if (world.object[i].named)
			delete(i);
		world.object[i].named = false;
	}
}

/* False if phoenix died before its end. */
static bool
transact(void (*body)(unsigned place), unsigned place)
{
	static struct phoenix before;
	static bool named[OBJECTS];
	volatile bool lived = false;

	before = phoenix;
	for (unsigned i = 0; i < world.count; i++)
		named[i] = world.object[i].named;
	unsigned count = world.count;
	if (setjmp(died) == 0) {
		body(place);
		lived = true;
	}
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
	if (setjmp(died) == 0)
		incarnation_start(&phoenix);
	else
		reborn();
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
			delete(i);
	idle();
	transact(do_check, 0);
	transact(do_tick, 0);
	idle();
}

/* Events come one by one, and nothing is started between them. */
static void
take_events(void)
{
	for (unsigned i = 0; i < PLACES; i++) {
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
		&place->image.segment[0].memory,
	};

	memcpy(place->manifest.name, name, sizeof(name));
	for (unsigned j = 0; j < sizeof(parts) / sizeof(parts[0]); j++) {
		*parts[j] = object_add(OBJ_MEMORY, 0, i);
		world.object[*parts[j]].named = true;
	}
	place->parts.arena_size = PAGE_SIZE;
	place->image.segment_count = 1;
	place->image.segment[0].flags = MAP_READ | MAP_WRITE;
	must(supervise_register(&phoenix.supervisor, name, policy,
	    world.now) == (int)i, "it is registered");
	phoenix.place_count++;
}

/* Each needs the one after it. */
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
	for (unsigned i = 0; i < PLACES; i++) {
		policy.cold = chance(2);
		make_place(i, &policy);
	}
	for (unsigned i = 0; i + 1 < PLACES; i++)
		supervise_depend(&phoenix.supervisor, i, i + 1);
	for (unsigned i = 0; i < PLACES; i++)
		transact(do_start, i);
	idle();
}

static void
pass(uint64_t ns)
{
	world.now += ns;
	for (unsigned i = 0; i < PLACES; i++)
		if (runner(i) != NULL)
			take_bits(i);
	transact(do_tick, 0);
	idle();
}

static void
random_step(void)
{
	unsigned place = (unsigned)chance(PLACES);
	struct object *thread = runner(place);

	switch (chance(12)) {
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
	default:
		take_events();
		break;
	}
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
		for (unsigned i = 0; i < PLACES; i++)
			become_ready(i);
		pass(2 * SECOND);
		transact(do_tidy, 0);
	}
}

static void
check_rest(void)
{
	unsigned spaces = 0;

	for (unsigned i = 0; i < PLACES; i++) {
		const struct place *place = &phoenix.place[i];
		uint64_t state = place_state(&phoenix, place);
		bool gone = state == SUPERVISE_GIVEN_UP;

		KTAP_EQUAL(gone || state == SUPERVISE_READY ||
		    state == SUPERVISE_DRAINING, true);
		KTAP_EQUAL(runner(i) != NULL, !gone);
		KTAP_EQUAL(world.closed[i], gone);
		KTAP_EQUAL(place->life.closed != 0, gone);
		KTAP_EQUAL(gone || (trace[i].drained != 0) ==
		    (state == SUPERVISE_DRAINING), true);
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
		for (unsigned j = 0; j < PLACES; j++)
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
