/* SPDX-License-Identifier: MIT */
/*
 * A state out of any bytes, then any inputs: it is refused, or every call stays
 * in its bounds and leaves a state that is not refused.
 *
 * The first byte says where the state comes from: 0, the bytes that follow are
 * written over it from its start; else they are changes of a good one, an
 * offset of three bytes and a value of one each. What is left are inputs.
 */
#include <lib/supervise/supervise.h>

#include <stdlib.h>
#include <string.h>

#define CHANGES_MAX	16u

/* Bytes of the input, zeros after their end. */
struct source {
	const uint8_t *at;
	size_t left;
};

static struct supervisor s;
static uint64_t now;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool holds)
{
	if (!holds)
		abort();
}

static void
take(struct source *from, void *to, size_t length)
{
	size_t there = length < from->left ? length : from->left;

	memset(to, 0, length);
	memcpy(to, from->at, there);
	from->at += there;
	from->left -= there;
}

static unsigned
take_byte(struct source *from)
{
	uint8_t byte;

	take(from, &byte, sizeof(byte));
	return byte;
}

static uint64_t
take_word(struct source *from)
{
	uint64_t word = 0;

	/* Few bits most of the time, so that numbers meet. */
	if (take_byte(from) % 8 != 0)
		return take_byte(from);
	take(from, &word, sizeof(word));
	return word;
}

static void
make_good(void)
{
	static const char *const name[] = { "console", "storage", "proc" };
	const struct supervise_policy policy = {
		.restart = SUPERVISE_RESTART_ALWAYS, .max_restarts = 2,
		.window_ns = 100, .delay_ns = 7, .jitter_permille = 400,
		.cold = 1, .predict = 1, .beat_ns = 3,
	};

	supervise_create(&s, 1);
	for (unsigned i = 0; i < 3; i++) {
		check(supervise_register(&s, name[i], &policy, 0) == (int)i);
		check(i == 0 || supervise_depend(&s, i, i - 1));
		supervise_started(&s, i, 0);
		supervise_ready(&s, i, 0);
	}
}

static void
make_state(struct source *from)
{
	uint8_t change[4];

	make_good();
	if (take_byte(from) == 0) {
		size_t length = from->left < sizeof(s) ? from->left :
		    sizeof(s);
		take(from, &s, length);
		return;
	}
	for (unsigned i = take_byte(from) % CHANGES_MAX; i > 0; i--) {
		take(from, change, sizeof(change));
		size_t offset = (change[0] | (size_t)change[1] << 8 |
		    (size_t)change[2] << 16) % sizeof(s);
		memcpy((char *)&s + offset, &change[3], 1);
	}
}

static void
input_register(struct source *from)
{
	struct supervise_policy policy;
	char name[40];

	take(from, &policy, sizeof(policy));
	take(from, name, sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	int service = supervise_register(&s, name, &policy, now);
	check(service < (int)SUPERVISE_SERVICES);
	check(service < 0 || supervise_find(&s, name) == service);
}

static struct supervise_decision
input_death(struct source *from, unsigned service)
{
	unsigned flags = take_byte(from);
	struct supervise_death death = {
		.cause = take_word(from), .order = take_word(from),
		.answered = take_word(from), .commanded = flags & 1,
		.clean = flags >> 1 & 1, .damaged = flags >> 2 & 1,
	};

	return supervise_died(&s, service, &death, now);
}

static void
input_sample(struct source *from, unsigned service)
{
	uint64_t word[8];
	struct predict_sample sample;

	_Static_assert(sizeof(word) == sizeof(sample), "eight features");
	for (unsigned i = 0; i < 8; i++)
		word[i] = take_word(from);
	memcpy(&sample, word, sizeof(sample));
	supervise_sample(&s, service, &sample, now);
}

static struct supervise_decision
input_command(struct source *from, unsigned service, unsigned kind)
{
	struct supervise_policy policy;

	switch (kind) {
	case 0:
		return supervise_restart(&s, service, now);
	case 1:
		supervise_drain(&s, service, take_byte(from) & 1, now);
		break;
	case 2:
		take(from, &policy, sizeof(policy));
		supervise_set_policy(&s, service, &policy);
		break;
	case 3:
		supervise_depend(&s, service, take_byte(from) % 80);
		break;
	case 4:
		supervise_unregister(&s, service, now);
		break;
	default:
		input_register(from);
		break;
	}
	return (struct supervise_decision){ 0 };
}

static struct supervise_decision
input(struct source *from)
{
	unsigned kind = take_byte(from) % 16;
	unsigned service = take_byte(from) % (SUPERVISE_SERVICES + 2);

	now += take_word(from);
	switch (kind) {
	case 0: supervise_started(&s, service, now); break;
	case 1: supervise_ready(&s, service, now); break;
	case 2: return supervise_start_failed(&s, service, now);
	case 3: supervise_beat_asked(&s, service, now); break;
	case 4: supervise_beat_answered(&s, service, take_word(from), now);
		break;
	case 5: case 6: input_sample(from, service); break;
	case 7: case 8:
		return supervise_tick(&s, service, take_byte(from) & 1, now);
	case 9: case 10:
		return input_command(from, service, take_byte(from) % 6);
	default: return input_death(from, service);
	}
	return (struct supervise_decision){ 0 };
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct source from = { .at = data, .left = size };

	now = 0;
	make_state(&from);
	if (!supervise_ok(&s))
		return 0;
	while (from.left != 0) {
		struct supervise_decision decision = input(&from);

		check(decision.action <= SUPERVISE_DO_KILL);
		check(!decision.cold || decision.action == SUPERVISE_DO_START);
		(void)supervise_next(&s);
	}
	check(supervise_ok(&s));
	return 0;
}
