/* SPDX-License-Identifier: MIT */
/*
 * What single operations of a channel cost one thread that has both ends: it
 * sends some messages, takes them out again, and counts the cycles of either.
 * Nobody sleeps, so nobody is woken.
 */
#include "channel_ends.h"

#include <errno.h>
#include <stdlib.h>

#define SIZE		32u
#define GROUP		64u		/* messages before they are received */
#define BUFFER		(64u << 10)
#define BUFFERS		64u

struct cost {
	struct channel_place *place;
	struct channel *sender, *receiver;		/* of small messages */
	struct channel *lender, *borrower;		/* of buffers */
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
open_both(struct cost *cost, const char *name,
    const struct channel_config *config, struct channel **out_pair[2])
{
	struct channel_options options = { .domain = cost->place->domain,
		.role = CHANNEL_RECEIVER };

	if (channel_create(name, config, &options, &cost->place->token,
	    out_pair[1]) != OK)
		return false;
	options.role = CHANNEL_SENDER;
	return channel_open(name, &options, &cost->place->token,
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
	if (cost->place != NULL)
		channel_place_close(cost->place);
	free(cost);
}

static bool
cost_prepare(struct cost *cost)
{
	static const struct channel_config small = { .type = CHANNEL_ASYNC };
	static const struct channel_config large = { .type = CHANNEL_ASYNC,
		.zero_copy = true, .message_max = BUFFER, .buffers = BUFFERS };
	struct channel **pair[2] = { &cost->sender, &cost->receiver };
	struct channel **buffers[2] = { &cost->lender, &cost->borrower };
	uint64_t generation;

	cost->place = channel_place_private();
	if (cost->place == NULL || !open_both(cost, "small", &small, pair) ||
	    !open_both(cost, "large", &large, buffers))
		return false;
	generation = token_load_generation(
	    token_generation(cost->place->authority));
	if (token_verify(cost->place->authority, &cost->place->token,
	    TOKEN_SEND) != OK)
		return false;
	token_make_hot(&cost->hot, &cost->place->token, generation);
	cost->overhead = counter_overhead();
	return true;
}

static void *
cost_open(struct bench_rig *rig, enum bench_side side)
{
	struct cost *cost = calloc(1, sizeof(*cost));

	if (cost == NULL)
		return NULL;
	if (cost_prepare(cost))
		return cost;
	cost_close(cost);
	errno = EPROTO;
	return NULL;
}

static bool
send_group(struct cost *cost, unsigned count)
{
	unsigned char message[SIZE];
	bool fine = true;

	memset(message, 7, sizeof(message));
	for (unsigned i = 0; i < count; i++)
		fine &= channel_send_until(cost->sender, message, SIZE,
		    &cost->place->token, CHANNEL_NOW) == OK;
	return fine;
}

static bool
receive_group(struct cost *cost, unsigned count)
{
	unsigned char message[SIZE];
	bool fine = true;

	for (unsigned i = 0; i < count; i++) {
		size_t length = sizeof(message);

		fine &= channel_receive_until(cost->receiver, message, &length,
		    &cost->place->token, CHANNEL_NOW) == OK && length == SIZE;
	}
	return fine;
}

/* Cycles of sending, or of receiving, `count` messages. */
static uint64_t
pass(struct cost *cost, uint64_t count, bool sending)
{
	uint64_t total = 0;

	for (uint64_t left = count; left > 0;) {
		unsigned now = left < GROUP ? (unsigned)left : GROUP;
		uint64_t start = bench_cycles();
		bool fine = send_group(cost, now);
		uint64_t middle = bench_cycles();

		fine &= receive_group(cost, now);
		uint64_t end = bench_cycles();
		if (!fine)
			return 0;
		total += (sending ? middle - start : end - middle) -
		    cost->overhead;
		left -= now;
	}
	return total;
}

static uint64_t
cost_send(void *state, uint64_t count)
{
	return pass(state, count, true);
}

static uint64_t
cost_receive(void *state, uint64_t count)
{
	return pass(state, count, false);
}

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
	const uint64_t *generation = token_generation(cost->place->authority);
	uint64_t good = 0, start = bench_cycles();

	for (uint64_t i = 0; i < count; i++) {
		good += token_is_hot(&cost->hot, &cost->place->token,
		    generation, TOKEN_SEND);
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
		good += token_verify(cost->place->authority,
		    &cost->place->token, TOKEN_SEND) == OK;
	uint64_t cycles = bench_cycles() - start;
	return good == count ? cycles : 0;
}

static const struct bench_local locals[] = {
	{ "send_bytes", "send of 32 B that wakes nobody, token checked",
	    BENCH_CYCLES, SIZE, cost_send },
	{ "receive_bytes", "receive of 32 B that is there", BENCH_CYCLES, SIZE,
	    cost_receive },
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
