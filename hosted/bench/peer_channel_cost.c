/* SPDX-License-Identifier: MIT */
/*
 * What single operations of a channel cost one thread that has both ends: it
 * sends some messages, takes them out again, and counts the cycles of either.
 * Nobody sleeps, so nobody is woken.
 */
#include "bench.h"

#include <hosted/demo/meeting.h>
#include <lib/channel/typed.h>

#include <errno.h>
#include <stdlib.h>

#define GROUP		64u		/* messages before they are received */
#define BUFFER		(64u << 10)
#define BUFFERS		64u

struct sample {
	uint64_t number, value[3];
};

CHANNEL_TYPED(sample, struct sample, 0x73616d706c652e31ul)

#define SIZE		sizeof(struct sample)

/* Each in a place of its own, whose trust picks the serializer. */
enum { RAW, LITE, FULL, KINDS };

static const unsigned trusts[KINDS] = { 0xf, 0x8, 0x0 };

struct typed_pair {
	struct meeting meeting;
	bool	 met;
	struct sample_channel sender, receiver;
};

struct cost {
	struct typed_pair typed[KINDS];
	struct channel *sender, *receiver;		/* of 32 bytes */
	struct channel *lender, *borrower;		/* of buffers */
	struct token *token;
	struct token_authority *authority;
	struct token_hot hot;
	uint64_t overhead;		/* cycles of reading the counter */
};

static uint64_t
counter_overhead(void)
{
	uint64_t least = ~0ul;

	for (unsigned i = 0; i < 1000; i++) {
		uint64_t start = bench_cycles();
		uint64_t cycles = bench_cycles() - start;

		if (cycles < least)
			least = cycles;
	}
	return least;
}

static bool
typed_open(struct typed_pair *pair, unsigned trust)
{
	static const struct channel_config config = { .type = CHANNEL_ASYNC };
	struct channel_options options = { .role = CHANNEL_RECEIVER };

	pair->met = meeting_of_threads(&pair->meeting, trust);
	if (!pair->met)
		return false;
	options.domain = pair->meeting.domain;
	if (sample_create("typed", &config, &options, &pair->meeting.token,
	    &pair->receiver) != OK)
		return false;
	options.role = CHANNEL_SENDER;
	return sample_open("typed", &options, &pair->meeting.token,
	    &pair->sender) == OK;
}

static void
typed_close(struct typed_pair *pair)
{
	sample_close(&pair->sender);
	sample_close(&pair->receiver);
	if (pair->met)
		meeting_close(&pair->meeting);
}

static bool
open_both(struct meeting *meeting, const char *name,
    const struct channel_config *config, struct channel **out_pair[2])
{
	struct channel_options options = { .domain = meeting->domain,
		.role = CHANNEL_RECEIVER };

	if (channel_create(name, config, &options, &meeting->token,
	    out_pair[1]) != OK)
		return false;
	options.role = CHANNEL_SENDER;
	return channel_open(name, &options, &meeting->token,
	    out_pair[0]) == OK;
}

static void
cost_close(void *state)
{
	struct cost *cost = state;

	channel_close(cost->sender);
	channel_close(cost->receiver);
	channel_close(cost->lender);
	channel_close(cost->borrower);
	for (unsigned i = 0; i < KINDS; i++)
		typed_close(&cost->typed[i]);
	free(cost);
}

static bool
cost_fill(struct cost *cost)
{
	static const struct channel_config small = { .type = CHANNEL_ASYNC };
	static const struct channel_config large = { .type = CHANNEL_ASYNC,
		.zero_copy = true, .message_max = BUFFER, .buffers = BUFFERS };
	struct channel **pair[2] = { &cost->sender, &cost->receiver };
	struct channel **buffers[2] = { &cost->lender, &cost->borrower };
	struct meeting *meeting = &cost->typed[RAW].meeting;
	uint64_t generation;

	for (unsigned i = 0; i < KINDS; i++)
		if (!typed_open(&cost->typed[i], trusts[i]))
			return false;
	if (!open_both(meeting, "small", &small, pair) ||
	    !open_both(meeting, "large", &large, buffers))
		return false;
	cost->token = &meeting->token;
	cost->authority = meeting->authority;
	generation = token_load_generation(token_generation(cost->authority));
	if (token_verify(cost->authority, cost->token, TOKEN_SEND) != OK)
		return false;
	token_make_hot(&cost->hot, cost->token, generation);
	cost->overhead = counter_overhead();
	return true;
}

static void *
cost_open(struct bench_rig *rig, enum bench_side side)
{
	struct cost *cost = calloc(1, sizeof(*cost));

	if (cost == NULL)
		return NULL;
	if (cost_fill(cost))
		return cost;
	cost_close(cost);
	errno = EPROTO;
	return NULL;
}

/* A way to move `count` messages, <= GROUP. */
typedef bool mover(struct cost *cost, unsigned count);

static bool
send_bytes(struct cost *cost, unsigned count)
{
	unsigned char message[SIZE];
	bool fine = true;

	memset(message, 7, sizeof(message));
	for (unsigned i = 0; i < count; i++)
		fine &= channel_send_until(cost->sender, message, SIZE,
		    cost->token, CHANNEL_NOW) == OK;
	return fine;
}

static bool
receive_bytes(struct cost *cost, unsigned count)
{
	unsigned char message[SIZE];
	bool fine = true;

	for (unsigned i = 0; i < count; i++) {
		size_t length = sizeof(message);

		fine &= channel_receive_until(cost->receiver, message, &length,
		    cost->token, CHANNEL_NOW) == OK && length == SIZE;
	}
	return fine;
}

static inline bool
send_typed(struct typed_pair *pair, unsigned count)
{
	struct sample sample = { .value = { 1, 2, 3 } };
	bool fine = true;

	for (unsigned i = 0; i < count; i++) {
		sample.number = i;
		fine &= sample_send_until(&pair->sender, &sample,
		    &pair->meeting.token, CHANNEL_NOW) == OK;
	}
	return fine;
}

static inline bool
receive_typed(struct typed_pair *pair, unsigned count)
{
	struct sample sample;
	bool fine = true;

	for (unsigned i = 0; i < count; i++)
		fine &= sample_receive_until(&pair->receiver, &sample,
		    &pair->meeting.token, CHANNEL_NOW) == OK &&
		    sample.number == i;
	return fine;
}

/* Cycles of sending, or of receiving, `count` messages. */
static inline uint64_t
pass(struct cost *cost, uint64_t count, mover *give, mover *take)
{
	uint64_t total = 0;

	for (uint64_t left = count; left > 0;) {
		unsigned now = left < GROUP ? (unsigned)left : GROUP;
		uint64_t start = bench_cycles();
		bool fine = give(cost, now);

		total += bench_cycles() - start - cost->overhead;
		if (!fine || !take(cost, now))
			return 0;
		left -= now;
	}
	return total;
}

static inline uint64_t
pass_back(struct cost *cost, uint64_t count, mover *give, mover *take)
{
	uint64_t total = 0;

	for (uint64_t left = count; left > 0;) {
		unsigned now = left < GROUP ? (unsigned)left : GROUP;
		uint64_t start;
		bool fine = give(cost, now);

		start = bench_cycles();
		fine &= take(cost, now);
		total += bench_cycles() - start - cost->overhead;
		if (!fine)
			return 0;
		left -= now;
	}
	return total;
}

#define COST_OF(name, send, receive) \
	static uint64_t \
	cost_send_##name(void *state, uint64_t count) \
	{ \
		return pass(state, count, send, receive); \
	} \
	static uint64_t \
	cost_receive_##name(void *state, uint64_t count) \
	{ \
		return pass_back(state, count, send, receive); \
	}

#define TYPED_MOVERS(name, kind) \
	static bool \
	send_##name(struct cost *cost, unsigned count) \
	{ \
		return send_typed(&cost->typed[kind], count); \
	} \
	static bool \
	receive_##name(struct cost *cost, unsigned count) \
	{ \
		return receive_typed(&cost->typed[kind], count); \
	} \
	COST_OF(name, send_##name, receive_##name)

COST_OF(bytes, send_bytes, receive_bytes)
TYPED_MOVERS(raw, RAW)
TYPED_MOVERS(lite, LITE)
TYPED_MOVERS(full, FULL)

/* ns: both ends, one after the other. */
static uint64_t
cost_handover(void *state, uint64_t count)
{
	struct cost *cost = state;
	uint64_t start = bench_now_ns();

	for (uint64_t i = 0; i < count; i++) {
		struct channel_view view;

		if (channel_reserve(cost->lender, BUFFER, &view,
		    CHANNEL_NOW) != OK)
			return 0;
		bench_number(view.data, i);
		if (channel_commit(cost->lender, &view) != OK ||
		    channel_peek(cost->borrower, &view, CHANNEL_NOW) != OK ||
		    view.length != BUFFER || !bench_has_number(view.data, i) ||
		    channel_release(cost->borrower, &view) != OK)
			return 0;
	}
	return bench_now_ns() - start;
}

static uint64_t
cost_token(void *state, uint64_t count)
{
	struct cost *cost = state;
	const uint64_t *generation = token_generation(cost->authority);
	uint64_t good = 0, start = bench_cycles();

	for (uint64_t i = 0; i < count; i++) {
		good += token_is_hot(&cost->hot, cost->token, generation,
		    TOKEN_SEND);
		/* The next check looks at memory again. */
		__asm__ volatile("" : : : "memory");
	}
	uint64_t cycles = bench_cycles() - start;
	return good == count ? cycles : 0;
}

static uint64_t
cost_verify(void *state, uint64_t count)
{
	struct cost *cost = state;
	uint64_t good = 0, start = bench_cycles();

	for (uint64_t i = 0; i < count; i++)
		good += token_verify(cost->authority, cost->token,
		    TOKEN_SEND) == OK;
	uint64_t cycles = bench_cycles() - start;
	return good == count ? cycles : 0;
}

static const struct bench_local locals[] = {
	{ "send_bytes", "send of 32 B that wakes nobody, token checked",
	    BENCH_CYCLES, SIZE, cost_send_bytes },
	{ "receive_bytes", "receive of 32 B that is there", BENCH_CYCLES,
	    SIZE, cost_receive_bytes },
	{ "send_raw", "the same, typed, raw", BENCH_CYCLES, SIZE,
	    cost_send_raw },
	{ "receive_raw", "the same, typed, raw", BENCH_CYCLES, SIZE,
	    cost_receive_raw },
	{ "send_lite", "the same, lite", BENCH_CYCLES, SIZE, cost_send_lite },
	{ "receive_lite", "the same, lite", BENCH_CYCLES, SIZE,
	    cost_receive_lite },
	{ "send_full", "the same, full", BENCH_CYCLES, SIZE, cost_send_full },
	{ "receive_full", "the same, full", BENCH_CYCLES, SIZE,
	    cost_receive_full },
	{ "handover", "64 KiB buffer lent, seen, given back, on one CPU",
	    BENCH_NS, BUFFER, cost_handover },
	{ "token_check", "the token as before", BENCH_CYCLES, 0, cost_token },
	{ "token_verify", "a token that the authority's cache knows",
	    BENCH_CYCLES, 0, cost_verify },
	{ 0 },
};

const struct bench_peer peer_channel_cost = {
	.name = "channel-cost", .text = "operations of one thread",
	.open = cost_open, .close = cost_close, .locals = locals,
};
