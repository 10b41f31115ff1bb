/* SPDX-License-Identifier: MIT */
/*
 * The policy beside a model that is too simple to be wrong, with random inputs.
 *
 * The model keeps no counters. It writes down what happened to a service since
 * it was registered, and answers each question from that list: when did the
 * budget in use begin, how many deaths are in it, which level is it. The two
 * share no code and no way of counting.
 */
#include <lib/supervise/supervise.h>
#include <lib/test/ktap.h>

#include <string.h>

#define SECOND		1000000000ul
#define SERVICES	5u
#define EPISODES	1000u
#define INPUTS		120u		/* of an episode */

/* One thing that happened. */
struct fact {
	enum { OWN, OTHER, LEFT, NO_START, READY, COMMAND } kind;
	uint64_t time, cause, order, answered;
	bool	 damaged;		/* it found its state wrong */
	bool	 counted;		/* it used up budget */
	bool	 poison;
	uint64_t raised;		/* the level that it led to, or 0 */
};

struct history {
	struct fact fact[INPUTS];
	unsigned count;
};

/* What the model expects to be answered. */
struct expected {
	unsigned action;
	bool	 cold, dependents;
	uint64_t poison, wait;
};

static struct supervisor s, copy;
static struct history history[SERVICES];
static uint64_t now, random_state;

static uint64_t
draw(uint64_t limit)
{
	random_state = random_state * 6364136223846793005ul +
	    1442695040888963407ul;
	return (random_state >> 33) % limit;
}

static const struct fact *
last_of(const struct history *h, unsigned kind, unsigned before)
{
	while (before-- > 0)
		if (h->fact[before].kind == kind)
			return &h->fact[before];
	return NULL;
}

/*
 * The first fact that matters for the budget at the time: nothing before a
 * restart from the end, a raise of the level, or a window of service does.
 */
static unsigned
clean_slate(const struct history *h, uint64_t window, bool raises)
{
	unsigned first = 0;

	for (unsigned i = 0; i < h->count; i++) {
		const struct fact *f = &h->fact[i];
		uint64_t end = i + 1 < h->count ? h->fact[i + 1].time : now;

		if (f->kind == COMMAND || (raises && f->raised != 0))
			first = i + 1;
		else if (f->kind == READY && end - f->time >= window)
			first = i + 1;
	}
	return first;
}

static uint64_t
level_now(const struct history *h, uint64_t window)
{
	uint64_t level = SUPERVISE_LEVEL_RESTART;

	for (unsigned i = clean_slate(h, window, false); i < h->count; i++)
		if (h->fact[i].raised != 0)
			level = h->fact[i].raised;
	return level;
}

/* Deaths in the window that is open: it opens with the first outside of one. */
static uint64_t
counted_now(const struct history *h, uint64_t window)
{
	uint64_t opened = 0, count = 0;

	for (unsigned i = clean_slate(h, window, true); i < h->count; i++) {
		if (!h->fact[i].counted)
			continue;
		if (count == 0 || h->fact[i].time - opened >= window) {
			opened = h->fact[i].time;
			count = 0;
		}
		count++;
	}
	return count;
}

static bool
was_poison(const struct history *h, uint64_t order)
{
	unsigned found = 0;

	/* Eight are remembered. */
	for (unsigned i = h->count; i-- > 0 && found < SUPERVISE_POISON;) {
		found += h->fact[i].poison;
		if (h->fact[i].poison && h->fact[i].order == order)
			return true;
	}
	return false;
}

/* Since the own death before this one, this one included. */
static bool
was_of_use(const struct history *h, uint64_t answered)
{
	for (unsigned i = h->count; i-- > 0 && h->fact[i].kind != OWN;)
		answered += h->fact[i].answered;
	return answered != 0;
}

static struct expected
after_budget(unsigned service, struct fact *f)
{
	struct history *h = &history[service];
	const struct supervise_policy *policy = &s.service[service].policy;
	uint64_t level = level_now(h, policy->window_ns);
	bool needed = supervise_dependents(&s, service) != 0, cold;

	f->counted = true;
	h->fact[h->count] = *f;
	h->count++;
	uint64_t count = counted_now(h, policy->window_ns);
	h->count--;
	if (count <= policy->max_restarts && !f->damaged) {
		uint64_t wait = count == 1 ? 0 : policy->delay_ns <<
		    (count - 2);
		return (struct expected){ .wait = wait, .action = wait != 0 ?
		    SUPERVISE_DO_DELAY : SUPERVISE_DO_START };
	}
	cold = policy->cold != 0;
	if (level == SUPERVISE_LEVEL_RESTART && cold)
		f->raised = SUPERVISE_LEVEL_COLD;
	else if (level != SUPERVISE_LEVEL_DEPENDENTS && needed)
		f->raised = SUPERVISE_LEVEL_DEPENDENTS;
	else
		f->raised = SUPERVISE_LEVEL_GIVE_UP;
	if (f->raised == SUPERVISE_LEVEL_GIVE_UP)
		return (struct expected){ .action = SUPERVISE_DO_GIVE_UP };
	return (struct expected){ .action = SUPERVISE_DO_START, .cold = cold,
	    .dependents = f->raised == SUPERVISE_LEVEL_DEPENDENTS };
}

static struct expected
expect_death(unsigned service, struct fact *f)
{
	struct history *h = &history[service];
	const struct supervise_policy *policy = &s.service[service].policy;
	struct expected at_once = { .action = SUPERVISE_DO_START };
	const struct fact *before = last_of(h, OWN, h->count);
	bool poison = f->kind == OWN && f->order != 0 && before != NULL &&
	    before->order == f->order && before->cause == f->cause &&
	    !was_poison(h, f->order);

	f->poison = poison;
	if (policy->restart == SUPERVISE_RESTART_NEVER ||
	    (policy->restart == SUPERVISE_RESTART_ON_FAILURE &&
	    f->kind == LEFT))
		return (struct expected){ .action = SUPERVISE_DO_STOP,
		    .poison = poison ? f->order : 0 };
	if (f->kind == LEFT && f->answered == 0 && policy->delay_ns != 0)
		return (struct expected){ .action = SUPERVISE_DO_DELAY,
		    .wait = policy->delay_ns };
	if (poison)
		at_once.poison = f->order;
	if (f->kind != OWN || poison || was_of_use(h, f->answered))
		return at_once;
	return after_budget(service, f);
}

static bool
compare(unsigned service, const struct expected *expected,
    const struct supervise_decision *decision)
{
	const struct supervised *place = &s.service[service];
	bool same = KTAP_EQUAL(decision->action, expected->action);

	same &= KTAP_EQUAL(decision->cold, expected->cold);
	same &= KTAP_EQUAL(decision->dependents, expected->dependents);
	same &= KTAP_EQUAL(decision->poison_order, expected->poison);
	if (expected->action == SUPERVISE_DO_DELAY)
		same &= KTAP_EQUAL(decision->due_ns, now + expected->wait);
	/* The policy forgets what a stopped one has in no hurry. */
	if (expected->action != SUPERVISE_DO_STOP)
		same &= KTAP_EQUAL(place->level, level_now(&history[service],
		    place->policy.window_ns));
	return same;
}

static bool
input_death(unsigned service)
{
	struct fact f = {
		.kind = (const unsigned[]){ OWN, OWN, OWN, OTHER, LEFT }
		    [draw(5)],
		.time = now, .cause = 1 + draw(2), .order = draw(4),
		.answered = draw(3) == 0, .damaged = draw(6) == 0,
	};
	struct supervise_death death = {
		.cause = f.cause, .order = f.order, .answered = f.answered,
		.commanded = f.kind == OTHER, .clean = f.kind == LEFT,
		.damaged = f.damaged,
	};
	struct history *h = &history[service];
	struct expected expected = expect_death(service, &f);

	h->fact[h->count++] = f;
	struct supervise_decision decision = supervise_died(&s, service,
	    &death, now);
	return compare(service, &expected, &decision);
}

static bool
input_no_start(unsigned service)
{
	struct fact f = { .kind = NO_START, .time = now };
	struct history *h = &history[service];
	struct expected expected = { .action = SUPERVISE_DO_STOP };

	/* A cold start that was due stays so. */
	bool cold = (s.service[service].pending & SUPERVISE_PENDING_COLD) != 0;
	bool with = (s.service[service].pending &
	    SUPERVISE_PENDING_DEPENDENTS) != 0;
	if (s.service[service].policy.restart != SUPERVISE_RESTART_NEVER)
		expected = after_budget(service, &f);
	if (expected.action == SUPERVISE_DO_START) {
		expected.cold |= cold;
		expected.dependents |= with;
	}
	h->fact[h->count++] = f;
	struct supervise_decision decision = supervise_start_failed(&s,
	    service, now);
	return compare(service, &expected, &decision);
}

static bool
input_start(unsigned service)
{
	struct history *h = &history[service];

	supervise_started(&s, service, now);
	if (!KTAP_EQUAL(s.service[service].state, SUPERVISE_STARTING))
		return false;
	if (draw(8) == 0)
		return true;		/* dies before it is READY */
	supervise_ready(&s, service, now);
	h->fact[h->count++] = (struct fact){ .kind = READY, .time = now };
	return KTAP_EQUAL(s.service[service].state, SUPERVISE_READY);
}

static bool
input_restart(unsigned service)
{
	struct history *h = &history[service];

	h->fact[h->count++] = (struct fact){ .kind = COMMAND, .time = now };
	return KTAP_EQUAL(supervise_restart(&s, service, now).action,
	    SUPERVISE_DO_START);
}

/* Something that can happen in the state that the service is in. */
static bool
input(unsigned service)
{
	const struct supervised *place = &s.service[service];

	now += draw(3) == 0 ? draw(40) * SECOND : draw(SECOND);
	switch (place->state) {
	case SUPERVISE_STARTING:
		if (draw(4) == 0)
			return input_no_start(service);
		return input_death(service);
	case SUPERVISE_READY:
		if (draw(10) == 0)
			now += 61 * SECOND;
		return input_death(service);
	case SUPERVISE_GIVEN_UP:
	case SUPERVISE_STOPPED:
		return input_restart(service);
	default:
		if (now < place->due_ns)
			now = place->due_ns;
		if (!KTAP_EQUAL(supervise_tick(&s, service, true, now).action,
		    SUPERVISE_DO_START))
			return false;
		return draw(6) == 0 ? input_no_start(service) :
		    input_start(service);
	}
}

static void
begin(uint64_t seed)
{
	static const char *const name[SERVICES] = {
		"console", "storage", "proc", "net", "clock",
	};

	random_state = seed;
	now = 0;
	memset(history, 0, sizeof(history));
	supervise_create(&s, seed);
	for (unsigned i = 0; i < SERVICES; i++) {
		struct supervise_policy policy = {
			.restart = draw(8) == 0 ? SUPERVISE_RESTART_NEVER :
			    1 + draw(2),
			.max_restarts = draw(4), .window_ns = 60 * SECOND,
			.delay_ns = draw(3) * SECOND, .cold = draw(2),
		};

		KTAP_EQUAL(supervise_register(&s, name[i], &policy, now), i);
		if (i > 0 && draw(2) == 0)
			KTAP_CHECK(supervise_depend(&s, i,
			    (unsigned)draw(i)));
	}
}

/* Services die one at a time: nothing of one may depend on another. */
static bool
episode(uint64_t seed)
{
	begin(seed);
	for (unsigned i = 0; i < INPUTS; i++)
		if (!input((unsigned)draw(SERVICES))) {
			printf("# episode %lu input %u\n", seed, i);
			return false;
		}
	return KTAP_CHECK(supervise_ok(&s));
}

TEST(the_policy_is_its_model)
{
	uint64_t given_up = 0, cold = 0, poisoned = 0;

	for (uint64_t seed = 1; seed <= EPISODES; seed++) {
		if (!episode(seed))
			return;
		for (unsigned i = 0; i < SERVICES; i++) {
			given_up += s.service[i].statistics.given_up;
			cold += s.service[i].statistics.cold_starts;
			poisoned += s.service[i].statistics.poisoned;
		}
	}
	printf("# %u inputs: %lu given up, %lu cold starts, %lu poisoned\n",
	    EPISODES * INPUTS, given_up, cold, poisoned);
	/* Else the episodes would show nothing. */
	EXPECT(given_up > 1000 && cold > 1000 && poisoned > 1000);
}

/* Any input in any state, sensible or not, with beats, samples and commands. */
static struct supervise_decision
any_input(struct supervisor *to, const uint64_t word[4])
{
	unsigned service = (unsigned)(word[0] >> 8) % (SERVICES + 1);
	struct supervise_death death = {
		.cause = word[1] % 3, .order = word[2] % 4,
		.answered = word[3] % 2, .commanded = word[1] >> 8 & 1,
		.clean = word[1] >> 9 & 1,
	};
	struct predict_sample sample = {
		.latency_ns = word[1] % 1000, .errors = word[2] % 7 == 0 ? 90 : 0,
		.memory = word[3] % 64,
	};
	struct supervise_decision decision = { 0 };

	switch (word[0] % 12) {
	case 0: supervise_started(to, service, now); break;
	case 1: supervise_ready(to, service, now); break;
	case 2: return supervise_died(to, service, &death, now);
	case 3: return supervise_start_failed(to, service, now);
	case 4: return supervise_tick(to, service, word[1] % 2 != 0, now);
	case 5: supervise_beat_asked(to, service, now); break;
	case 6: supervise_beat_answered(to, service, word[1] % 64, now); break;
	case 7: return supervise_restart(to, service, now);
	case 8: supervise_drain(to, service, word[1] % 2 != 0, now); break;
	default: supervise_sample(to, service, &sample, now); break;
	}
	return decision;
}

static bool
same_decision(const struct supervise_decision *a,
    const struct supervise_decision *b)
{
	return a->action == b->action && a->cold == b->cold &&
	    a->dependents == b->dependents &&
	    a->poison_order == b->poison_order && a->due_ns == b->due_ns;
}

/* The way is the same; one of them moves to other memory all the time. */
static void
run_beside(bool moves)
{
	static struct supervisor elsewhere[2];

	for (uint64_t seed = 1; seed <= 50; seed++) {
		begin(seed);
		for (unsigned i = 0; i < SERVICES; i++) {
			struct supervise_policy policy = s.service[i].policy;

			policy.jitter_permille = 300;
			policy.predict = policy.beat_ns = 1;
			EXPECT(supervise_set_policy(&s, i, &policy));
		}
		copy = s;
		for (unsigned i = 0; i < 2000; i++) {
			uint64_t word[4] = { draw(1ul << 30), draw(1ul << 30),
			    draw(1ul << 30), draw(1ul << 30) };
			struct supervise_decision a, b;

			now += draw(2 * SECOND);
			a = any_input(&s, word);
			b = any_input(&copy, word);
			if (!KTAP_CHECK(same_decision(&a, &b)))
				return;
			if (moves) {
				memcpy(&elsewhere[i % 2], &copy, sizeof(copy));
				memset(&copy, 0xa5, sizeof(copy));
				memcpy(&copy, &elsewhere[i % 2], sizeof(copy));
			}
			EXPECT_EQ(supervise_next(&s), supervise_next(&copy));
		}
		EXPECT(memcmp(&s, &copy, sizeof(s)) == 0);
		EXPECT(supervise_ok(&s));
	}
}

TEST(same_inputs_same_decisions)
{
	run_beside(false);
}

TEST(copying_the_state_between_calls_changes_nothing)
{
	run_beside(true);
}

/* Some tick at that time decides, and none before it that is not quiet. */
static bool
next_is_right(uint64_t next, struct supervisor *scratch)
{
	bool decides = false, before = false;

	for (unsigned i = 0; i < SERVICES && next != SUPERVISE_NEVER; i++) {
		*scratch = s;
		decides |= supervise_tick(scratch, i, false, next).action !=
		    SUPERVISE_DO_NOTHING;
		*scratch = s;
		before |= next > now && supervise_tick(scratch, i, false,
		    next - 1).action != SUPERVISE_DO_NOTHING;
	}
	return (decides || next == SUPERVISE_NEVER) && !before;
}

/* Takes from the new state what a call about a service may have changed. */
static void
merge(struct supervisor *old, unsigned service)
{
	uint64_t first = old->event_count;

	old->random = s.random;
	old->event_count = s.event_count;
	for (uint64_t i = first; i < first + SUPERVISE_EVENTS_AT_ONCE; i++)
		old->event[i % SUPERVISE_EVENTS] =
		    s.event[i % SUPERVISE_EVENTS];
	if (service < SUPERVISE_SERVICES)
		old->service[service] = s.service[service];
}

TEST(a_call_about_a_service_changes_no_other)
{
	unsigned changes = 0;

	begin(5);
	for (unsigned i = 0; i < 20000; i++) {
		uint64_t word[4] = { draw(1ul << 30), draw(1ul << 30),
		    draw(1ul << 30), draw(1ul << 30) };
		uint64_t events = s.event_count;

		now += draw(2 * SECOND);
		copy = s;
		any_input(&s, word);
		EXPECT(s.event_count - events <= SUPERVISE_EVENTS_AT_ONCE);
		changes += memcmp(&s, &copy, sizeof(s)) != 0;
		merge(&copy, (unsigned)(word[0] >> 8) % (SERVICES + 1));
		if (!KTAP_CHECK(memcmp(&s, &copy, sizeof(s)) == 0))
			return;
	}
	EXPECT(changes > 1000);
}

/* Carries out what is due, and is READY. */
static void
play_shell(void)
{
	for (unsigned i = 0; i < SERVICES; i++) {
		if (supervise_tick(&s, i, false, now).action !=
		    SUPERVISE_DO_START)
			continue;
		supervise_started(&s, i, now);
		supervise_ready(&s, i, now);
	}
}

TEST(next_is_the_first_time_at_which_a_tick_decides)
{
	unsigned times = 0;

	begin(3);
	for (unsigned i = 0; i < SERVICES; i++) {
		struct supervise_policy policy = s.service[i].policy;

		policy.predict = 1;
		policy.beat_ns = SECOND;
		EXPECT(supervise_set_policy(&s, i, &policy));
	}
	for (unsigned i = 0; i < 10000; i++) {
		uint64_t word[4] = { draw(1ul << 30), draw(1ul << 30),
		    draw(1ul << 30), draw(1ul << 30) };

		now += draw(2 * SECOND);
		any_input(&s, word);
		play_shell();
		uint64_t next = supervise_next(&s);
		times += next != SUPERVISE_NEVER && next > now;
		if (!KTAP_CHECK(next_is_right(next, &copy)))
			return;
	}
	EXPECT(times > 1000);
}

TEST_MAIN(0)
