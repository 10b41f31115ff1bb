/* SPDX-License-Identifier: MIT */
/*
 * The loop against a model of the kernel: whatever step an incarnation dies in,
 * every call is executed once, answered once, and nothing is left over.
 *
 * The service under test counts. Each caller sends numbered requests; the
 * service keeps the number of the last one it executed for each caller, so
 * an execution that is lost or doubled shows at once.
 */
#include <lib/service/book.h>
#include <lib/service/fake/events.h>
#include <lib/service/fake/kernel.h>
#include <lib/service/loop.h>

#include <idl/errno.h>
#include <idl/place.h>
#include <stdlib.h>
#include <string.h>

#include <lib/ktap/ktap.h>

enum {
	OP_ADD = 1,	/* changes the state; leaves work for idle() */
	OP_GET,		/* reads only */
	OP_FAIL,	/* changes the state, then fails */
	OP_PARK,	/* waits for OP_WAKE */
	OP_WAKE,	/* answers all that wait */
	OP_SELF,	/* parks and answers itself */
	OP_MAKE,	/* keeps a capability, gives another away */
	OP_DROP,	/* gives up the one kept */
	OP_NOISE,	/* answers with noise when executed the first time */
	OP_DIE,		/* kills the service, whenever it is executed */
	OP_COUNT,
};

struct state {
	uint64_t sum;
	uint64_t executed[FAKE_CALLERS];	/* that had an effect */
	struct parked_call parked[FAKE_CALLERS];
	cap_t kept[FAKE_CALLERS];
	uint64_t notified;
	uint64_t upgrades;
	uint64_t idle_due;
	uint64_t damaged;	/* only ever changed by accident */
};

static bool damage_due;

static void
set(uint64_t *field, uint64_t value)
{
	if (tx_add(service_arena(), field, sizeof(*field)) != OK)
		fake_fail("the undo log is full");
	*field = value;
}

static void
execute_once(struct state *state, unsigned caller, uint64_t number)
{
	if (state->executed[caller] != number)
		fake_fail("a request was lost or executed twice");
	set(&state->executed[caller], number + 1);
}

static void
forget(struct state *state, unsigned caller)
{
	set(&state->parked[caller].order, 0);
}

static uint64_t
wake_all(struct state *state)
{
	struct message message = { { TAG_REPLY_OK, 7 } };
	uint64_t count = 0;

	for (unsigned i = 0; i < FAKE_CALLERS; i++) {
		if (state->parked[i].order == 0)
			continue;
		if (service_answer(state->parked[i], &message) != OK)
			fake_fail("a parked call is not known");
		forget(state, i);
		count++;
	}
	return count;
}

static void
give_up(struct state *state, unsigned caller)
{
	if (state->kept[caller] != CAP_NONE &&
	    service_cap_drop(state->kept[caller]) != OK)
		fake_fail("cannot drop");
	set(&state->kept[caller], CAP_NONE);
}

static void
make(struct state *state, unsigned caller, struct service_call *call)
{
	cap_t kept = fake_object_create();

	if (state->kept[caller] != CAP_NONE &&
	    service_cap_drop(state->kept[caller]) != OK)
		fake_fail("cannot drop");
	if (service_cap_keep(kept) != OK)
		fake_fail("cannot keep");
	set(&state->kept[caller], kept);
	call->reply_cap[0] = fake_object_create();
	call->reply_caps = 1;
	call->reply_cap_drop = true;
}

static void
park(struct state *state, unsigned caller, struct parked_call id)
{
	set(&state->parked[caller].order, id.order);
	if (tx_add(service_arena(), &state->parked[caller].reply, 4) != OK)
		fake_fail("the undo log is full");
	state->parked[caller].reply = id.reply;
}

static service_outcome
handle(void *root, struct service_call *call)
{
	struct state *state = root;
	unsigned caller = (unsigned)call->badge;
	uint64_t op = call->message.word[0], number = call->message.word[1];
	struct message done = { { TAG_REPLY_OK, 7 } };

	if (caller >= FAKE_CALLERS)
		fake_fail("a badge was not made plain");
	events_add("handle", call->id.reply, call->id.order, call->resumed);
	if (op == OP_GET) {
		call->message.word[0] = TAG_REPLY_OK;
		call->message.word[1] = state->executed[caller];
		return SERVICE_REPLY;
	}
	if (call->cancelled && op != OP_FAIL) {
		call->message.word[1] = E_INTR;
		return SERVICE_ERROR;
	}
	execute_once(state, caller, number);
	switch (op) {
	case OP_DIE:
		fake_die();
	case OP_NOISE:
		if (!call->resumed)
			done.word[0] = 0x5bd1e995a7c3f00d;
		break;
	case OP_ADD:
		set(&state->sum, state->sum + 1);
		if (service_effect_resize(PLACE_ARENA, state->sum) != OK)
			fake_fail("cannot resize");
		if (service_effect_signal(PLACE_NOTIFICATION,
		    FAKE_SERVICE_BIT) != OK)
			fake_fail("cannot signal");
		set(&state->idle_due, 1);
		break;
	case OP_FAIL:
		fake_object_create();	/* swept some day */
		if (service_cap_keep(fake_object_create()) != OK)
			fake_fail("cannot keep");
		set(&state->sum, 1000000);
		call->message.word[1] = E_IO;
		return SERVICE_ERROR;
	case OP_PARK:
		park(state, caller, call->id);
		return SERVICE_PARK;
	case OP_WAKE:
		done.word[1] = wake_all(state);
		if (service_effect_signal(PLACE_NOTIFICATION,
		    FAKE_SERVICE_BIT) != OK)
			fake_fail("cannot signal");
		break;
	case OP_SELF:
		if (service_answer(call->id, &done) != OK)
			fake_fail("cannot answer itself");
		return SERVICE_PARK;
	case OP_MAKE:
		make(state, caller, call);
		break;
	case OP_DROP:
		give_up(state, caller);
		break;
	}
	call->message = done;
	return SERVICE_REPLY;
}

static void
cancel(void *root, struct parked_call id)
{
	struct state *state = root;

	if (service_answer_error(id, E_INTR) != OK)
		fake_fail("cannot answer a cancelled call");
	for (unsigned i = 0; i < FAKE_CALLERS; i++)
		if (state->parked[i].order == id.order)
			forget(state, i);
}

static void
notified(void *root, uint64_t bits)
{
	struct state *state = root;

	if ((bits & ~FAKE_SERVICE_BIT) != 0)
		fake_fail("bits of the loop reach the service");
	if ((bits & FAKE_SERVICE_BIT) != 0)
		set(&state->notified, state->notified + 1);
}

/* A transaction of the service's own, while an answer may be held back. */
static void
idle(void *root)
{
	struct state *state = root;

	if (damage_due && state->sum > 3) {
		damage_due = false;
		state->damaged++;
	}
	if (state->idle_due == 0)
		return;
	loop_transaction_begin();
	set(&state->idle_due, 0);
	if (service_effect_resize(PLACE_ARENA, state->sum) != OK)
		fake_fail("cannot resize");
	loop_transaction_end();
}

static struct state *last_root;

static void
resume(void *root, bool first)
{
	(void)first;
	last_root = root;
	if (!arena_ok(service_arena()))
		fake_fail("the arena is damaged");
	if (!book_ok(loop_book()))
		fake_fail("a reply object is in no state, or in two");
}

static const struct service service = {
	.name = "test", .root_size = sizeof(struct state),
	.reply_objects = 3, .table_slots = FAKE_SLOTS,
	.resume = resume, .handle = handle, .notified = notified,
	.cancel = cancel, .idle = idle,
};

/*
 * Caller 0 wakes the others when all of them wait, so it never parks; with one
 * reply object for it there is always a way on.
 */
#define LENGTH	12u

/* Numbers that reached the service and had an effect, as the callers know. */
static uint64_t known[FAKE_CALLERS];
static uint64_t sums;

static uint64_t
operation(unsigned caller, unsigned number)
{
	static const uint8_t mix[FAKE_CALLERS][LENGTH] = {
		{ OP_ADD, OP_GET, OP_MAKE, OP_WAKE, OP_FAIL, OP_SELF, OP_ADD,
		    OP_WAKE, OP_DROP, OP_GET, OP_ADD, OP_WAKE },
		{ OP_PARK, OP_ADD, OP_SELF, OP_FAIL, OP_PARK, OP_MAKE, OP_MAKE,
		    OP_ADD, OP_PARK, OP_DROP, OP_GET, OP_ADD },
		{ OP_MAKE, OP_PARK, OP_GET, OP_ADD, OP_FAIL, OP_DROP, OP_PARK,
		    OP_PARK, OP_ADD, OP_SELF, OP_MAKE, OP_DROP },
		{ OP_GET, OP_FAIL, OP_ADD, OP_WAKE, OP_SELF, OP_ADD, OP_MAKE,
		    OP_DROP, OP_FAIL, OP_WAKE, OP_GET, OP_ADD },
	};

	return mix[caller][number];
}

static bool
next(unsigned caller, unsigned number, bool alone, struct message *out_message)
{
	uint64_t op = OP_WAKE;

	/* When its script is over caller 0 still wakes those who wait. */
	if (number < LENGTH)
		op = operation(caller, number);
	else if (caller != 0 || !alone)
		return false;
	else if (last_root == NULL)
		return false;
	else {
		bool waiting = false;
		for (unsigned i = 0; i < FAKE_CALLERS; i++)
			waiting |= last_root->parked[i].order != 0;
		if (!waiting)
			return false;
	}
	*out_message = (struct message){ { op, known[caller] } };
	return true;
}

static bool
check(unsigned caller, unsigned number, const struct message *request,
    const struct message *answer, unsigned caps)
{
	uint64_t op = request->word[0];
	bool failed = answer->word[0] == TAG_REPLY_ERROR;

	(void)number;
	if (op == OP_GET)
		return !failed && answer->word[1] == known[caller];
	if (op == OP_DIE)
		return failed && answer->word[1] == E_IO;
	if (op == OP_FAIL)
		return failed && (answer->word[1] == E_IO ||
		    answer->word[1] == E_INTR);
	/* Interrupted: a parked call was executed, others were not. */
	if (failed && answer->word[1] != E_INTR)
		return false;
	if (failed && op != OP_PARK)
		return true;
	if (failed && last_root->executed[caller] == known[caller])
		return true;
	known[caller]++;
	sums += op == OP_ADD && !failed;
	return failed || caps == (op == OP_MAKE);
}

static void
forget_all(void)
{
	memset(known, 0, sizeof(known));
	sums = 0;
	last_root = NULL;
}

static bool
is_parked(unsigned caller)
{
	return last_root != NULL && last_root->parked[caller].order != 0;
}

static const struct fake_script script = { next, check, forget_all, is_parked };

static struct fake_result
run(const struct fake_plan *plan)
{
	struct fake_result result;

	forget_all();
	fake_run(&service, &script, plan, &result);
	return result;
}

static bool
good(const struct fake_plan *plan, const struct fake_result *result)
{
	if (result->failure != NULL) {
		printf("# seed %llu crash at %llu: %s\n",
		    (unsigned long long)plan->seed,
		    (unsigned long long)plan->crash_at, result->failure);
		return false;
	}
	if (result->size != last_root->sum) {
		printf("# seed %llu crash at %llu: an effect was lost\n",
		    (unsigned long long)plan->seed,
		    (unsigned long long)plan->crash_at);
		return false;
	}
	/* A dead caller may have been served once more than it knows. */
	return last_root->sum >= sums &&
	    last_root->sum - sums <= result->voided;
}

static unsigned
kept_count(void)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < FAKE_CALLERS; i++)
		kept += last_root->kept[i] != CAP_NONE;
	return kept;
}

/* Each failed request leaves the object that it did not name. */
static unsigned
fail_count(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < FAKE_CALLERS; i++)
		for (unsigned j = 0; j < LENGTH; j++)
			count += operation(i, j) == OP_FAIL;
	return count;
}

static void
test_all_calls_are_answered_without_crashes(void)
{
	struct fake_plan plan = { .seed = 1, .recorded = true };
	struct fake_result result = run(&plan);

	KTAP_EQUAL(result.slots_left,
	    kept_count() + service.reply_objects + fail_count());
	KTAP_CHECK(good(&plan, &result));
	KTAP_CHECK(result.answered >= FAKE_CALLERS * LENGTH);
	KTAP_EQUAL(result.incarnations, 1);
	KTAP_CHECK(last_root->notified > 0);
}

static void
test_a_crash_at_any_step_loses_and_doubles_nothing(void)
{
	for (uint64_t seed = 1; seed <= 3; seed++) {
		struct fake_plan plan = { .seed = seed, .recorded = true };
		uint64_t steps = run(&plan).steps;
		for (uint64_t at = 1; at <= steps; at++) {
			plan.crash_at = at;
			struct fake_result result = run(&plan);
			KTAP_REQUIRE(good(&plan, &result));
			KTAP_REQUIRE(result.incarnations == 2 ||
			    result.steps < at);
			KTAP_REQUIRE(last_root->sum == sums);
		}
	}
}

static void
test_many_crashes_lose_and_double_nothing(void)
{
	for (uint64_t seed = 1; seed <= 600; seed++) {
		struct fake_plan plan = { .seed = seed, .recorded = true,
		    .crash_odds = 20 + (unsigned)(seed % 7) * 15 };
		struct fake_result result = run(&plan);
		KTAP_REQUIRE(good(&plan, &result));
		KTAP_REQUIRE(last_root->sum == sums);
	}
}

static void
test_killed_and_kicked_callers_leave_nothing_behind(void)
{
	unsigned voided = 0, kicked = 0;

	for (uint64_t seed = 1; seed <= 600; seed++) {
		struct fake_plan plan = { .seed = seed, .recorded = true,
		    .cancel_odds = 6, .crash_odds = seed % 2 != 0 ? 40 : 0 };
		struct fake_result result = run(&plan);
		KTAP_REQUIRE(good(&plan, &result));
		voided += result.voided;
		kicked += result.kicked;
	}
	KTAP_CHECK(voided > 100 && kicked > 100);
}

/* A last crash sweeps what handlers left unnamed: exactly the rest stays. */
static void
test_a_restart_sweeps_what_is_not_named(void)
{
	struct fake_plan plan = { .seed = 5, .recorded = true };
	uint64_t steps = run(&plan).steps;

	plan.crash_at = steps;
	struct fake_result result = run(&plan);
	KTAP_REQUIRE(good(&plan, &result));
	KTAP_EQUAL(result.slots_left, kept_count() + service.reply_objects);
}

static void
test_heartbeats_are_answered_and_never_shown(void)
{
	unsigned beats = 0;

	for (uint64_t seed = 1; seed <= 50; seed++) {
		struct fake_plan plan = { .seed = seed, .beat_odds = 4,
		    .crash_odds = seed % 2 != 0 ? 60 : 0 };
		struct fake_result result = run(&plan);
		KTAP_REQUIRE(good(&plan, &result));
		beats += result.beats;
	}
	KTAP_CHECK(beats > 100);
}

static void
test_a_drained_service_takes_no_call_and_loses_none(void)
{
	unsigned drained = 0;

	for (uint64_t seed = 1; seed <= 100; seed++) {
		struct fake_plan plan = { .seed = seed, .drain_odds = 5,
		    .crash_odds = seed % 2 != 0 ? 40 : 0 };
		struct fake_result result = run(&plan);
		KTAP_REQUIRE(good(&plan, &result));
		KTAP_REQUIRE(last_root->sum == sums);
		drained += result.drained;
	}
	KTAP_CHECK(drained > 100);
}

/* One request of caller 2 kills whoever executes it. */
static bool
next_deadly(unsigned caller, unsigned number, bool alone,
    struct message *out_message)
{
	if (!next(caller, number, alone, out_message))
		return false;
	if (caller == 2 && number == 3)
		out_message->word[0] = OP_DIE;
	return true;
}

static void
test_poison_is_answered_with_an_error_whatever_step_it_dies_in(void)
{
	static const struct fake_script deadly = { next_deadly, check,
	    forget_all, is_parked };
	struct fake_plan plan = { .seed = 3 };
	struct fake_result result;

	forget_all();
	fake_run(&service, &deadly, &plan, &result);
	KTAP_REQUIRE(good(&plan, &result));
	KTAP_EQUAL(result.poisoned, 1);
	KTAP_EQUAL(result.incarnations, 3);
	uint64_t steps = result.steps;
	for (uint64_t at = 1; at <= steps; at++) {
		plan.crash_at = at;
		forget_all();
		fake_run(&service, &deadly, &plan, &result);
		KTAP_REQUIRE(good(&plan, &result));
		KTAP_REQUIRE(result.poisoned == 1 && last_root->sum == sums);
	}
}

static bool
next_noisy(unsigned caller, unsigned number, bool alone,
    struct message *out_message)
{
	if (!next(caller, number, alone, out_message))
		return false;
	if (number == 3)
		out_message->word[0] = OP_NOISE;
	return true;
}

static void
test_noise_as_an_answer_kills_before_the_commit(void)
{
	static const struct fake_script noisy = { next_noisy, check,
	    forget_all, is_parked };
	struct fake_plan plan = { .seed = 6, .may_panic = true };
	struct fake_result result;

	forget_all();
	fake_run(&service, &noisy, &plan, &result);
	KTAP_REQUIRE(good(&plan, &result));
	KTAP_EQUAL(result.panics, FAKE_CALLERS);
	KTAP_EQUAL(last_root->sum, sums);
}

/* Calls of old sessions end with an error, their ends stay until dropped. */
static void
test_a_cold_start_refuses_old_sessions_and_serves_new_ones(void)
{
	struct fake_plan plan = { .seed = 2 };
	uint64_t steps = run(&plan).steps;

	for (uint64_t at = 1; at <= steps; at++) {
		plan.cold_at = at;
		struct fake_result result = run(&plan);
		KTAP_REQUIRE(good(&plan, &result));
		KTAP_REQUIRE(last_root->sum == sums);
		KTAP_REQUIRE(result.slots_left <= kept_count() +
		    service.reply_objects + fail_count() + FAKE_SESSIONS -
		    result.stale);
	}
}

static void
test_a_crash_after_a_cold_start_loses_and_doubles_nothing(void)
{
	struct fake_plan plan = { .seed = 2, .cold_at = 150 };
	struct fake_result result = run(&plan);
	uint64_t steps = result.steps;

	KTAP_EQUAL(result.stale, FAKE_CALLERS);
	for (uint64_t at = plan.cold_at + 1; at <= steps; at++) {
		plan.crash_at = at;
		result = run(&plan);
		KTAP_REQUIRE(good(&plan, &result));
		KTAP_REQUIRE(last_root->sum == sums);
		KTAP_REQUIRE(result.stale == FAKE_CALLERS);
	}
}

static status_t
upgrade(void *root, uint64_t from)
{
	struct state *state = root;

	if (from != 0)
		fake_fail("upgraded from a version that never was");
	set(&state->upgrades, state->upgrades + 1);
	return OK;
}

static void
test_an_upgrade_happens_once_whatever_step_it_dies_in(void)
{
	struct service newer = service;
	struct fake_plan plan = { .seed = 4, .crash_at = 200,
	    .next = &newer };

	newer.layout_version = 1;
	newer.upgrade = upgrade;
	uint64_t steps = run(&plan).steps;
	KTAP_EQUAL(last_root->upgrades, 1);
	for (uint64_t at = 1; at < steps; at++) {
		plan.crash_at = at;
		plan.crash_odds = at % 3 == 0 ? 30 : 0;
		struct fake_result result = run(&plan);
		KTAP_REQUIRE(good(&plan, &result));
		KTAP_REQUIRE(last_root->sum == sums);
		/* A crash before the first commit: it begins with the new. */
		KTAP_REQUIRE(result.incarnations == 1 ||
		    last_root->upgrades <= 1);
	}
}

static void
test_who_found_damage_answers_nothing_until_it_is_gone(void)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct fake_plan plan = { .seed = seed, .beat_odds = 2,
		    .may_panic = true, .cold_after = 4 };

		damage_due = true;
		struct fake_result result = run(&plan);
		KTAP_EQUAL(result.panics, 4);
		KTAP_EQUAL(result.answered_between, 0);
		KTAP_REQUIRE(result.failure == NULL);
		damage_due = false;
	}
}

int
main(void)
{
	static const struct ktap_test tests[] = {
		KTAP_TEST(test_all_calls_are_answered_without_crashes),
		KTAP_TEST(test_a_crash_at_any_step_loses_and_doubles_nothing),
		KTAP_TEST(test_many_crashes_lose_and_double_nothing),
		KTAP_TEST(test_killed_and_kicked_callers_leave_nothing_behind),
		KTAP_TEST(test_a_restart_sweeps_what_is_not_named),
		KTAP_TEST(test_heartbeats_are_answered_and_never_shown),
		KTAP_TEST(test_a_drained_service_takes_no_call_and_loses_none),
		KTAP_TEST(test_poison_is_answered_with_an_error_whatever_step_it_dies_in),
		KTAP_TEST(test_noise_as_an_answer_kills_before_the_commit),
		KTAP_TEST(test_a_cold_start_refuses_old_sessions_and_serves_new_ones),
		KTAP_TEST(test_a_crash_after_a_cold_start_loses_and_doubles_nothing),
		KTAP_TEST(test_an_upgrade_happens_once_whatever_step_it_dies_in),
		KTAP_TEST(test_who_found_damage_answers_nothing_until_it_is_gone),
	};

	return KTAP_RUN(tests);
}
