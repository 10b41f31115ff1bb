/* SPDX-License-Identifier: MIT */
/*
 * Our channels between threads, with a token checked at each operation: each
 * type, spinning and sleeping, with copies and without.
 */
#include "channel_ends.h"
#include "loops.h"

#include <errno.h>
#include <stdlib.h>

#define BUFFER_SIZE	(512u << 10)	/* of a lane, as line-ring has */
#define BATCH		32u

static int
channel_prepare(struct bench_rig *rig)
{
	rig->data = channel_place_private();
	return rig->data == NULL ? ENOMEM : 0;
}

static void *
ends_open(struct bench_rig *rig, enum bench_side side,
    const struct channel_config *config)
{
	struct channel_ends *ends = calloc(1, sizeof(*ends));
	struct channel_place *place = rig->data;

	if (ends == NULL)
		return NULL;
	ends->domain = place->domain;
	ends->token = place->token;
	ends->config = *config;
	ends->config.message_max = BENCH_SIZE_MAX;
	ends->config.buffer_size = BUFFER_SIZE;
	if (channel_ends_open(ends, side))
		return ends;
	free(ends);
	errno = EPROTO;
	return NULL;
}

static void
ends_close(void *state)
{
	channel_ends_close(state);
	free(state);
}

static inline bool
ends_put(struct channel_ends *ends, const void *data, size_t size)
{
	return channel_send_until(ends->out, data, size, &ends->token,
	    CHANNEL_FOREVER) == OK;
}

static inline bool
ends_get(struct channel_ends *ends, void *data, size_t size)
{
	size_t length = BENCH_SIZE_MAX;

	return channel_receive_until(ends->in, data, &length, &ends->token,
	    CHANNEL_FOREVER) == OK && length == size;
}

PEER_LOOPS(ends)

#define CHANNEL_PEER(variable, peer_name, peer_text, peer_flags, ...) \
	static void * \
	variable##_open(struct bench_rig *rig, enum bench_side side) \
	{ \
		static const struct channel_config config = { __VA_ARGS__ }; \
		return ends_open(rig, side, &config); \
	} \
	const struct bench_peer peer_##variable = { \
		.name = peer_name, .text = peer_text, \
		.flags = (peer_flags) | PEER_THREAD, \
		.prepare = channel_prepare, .open = variable##_open, \
		PEER_FIELDS(ends), .close = ends_close, \
	}

#define BOTH	(PEER_ROUND_TRIP | PEER_STREAM)

CHANNEL_PEER(channel_spin, "channel-spin", "channel, asynchronous, spinning",
    BOTH | PEER_SPINS, .type = CHANNEL_ASYNC, .spin_ns = SPIN_ALWAYS);
CHANNEL_PEER(channel_sleep, "channel-sleep",
    "channel, asynchronous, sleeping at once",
    BOTH, .type = CHANNEL_ASYNC, .spin_ns = SPIN_NEVER);
CHANNEL_PEER(channel_adaptive, "channel-adaptive",
    "channel, asynchronous, as configured by default",
    BOTH, .type = CHANNEL_ASYNC);
CHANNEL_PEER(channel_broadcast, "channel-broadcast",
    "channel, broadcast to one, spinning",
    BOTH | PEER_SPINS, .type = CHANNEL_BROADCAST, .spin_ns = SPIN_ALWAYS);
CHANNEL_PEER(channel_multicast, "channel-multicast",
    "channel, multicast to one, spinning",
    BOTH | PEER_SPINS, .type = CHANNEL_MULTICAST, .spin_ns = SPIN_ALWAYS);

/* Bytes without boundaries. */
static inline bool
bytes_get(struct channel_ends *ends, void *data, size_t size)
{
	char *next = data;

	while (size > 0) {
		size_t length = size;

		if (channel_receive_until(ends->in, next, &length,
		    &ends->token, CHANNEL_FOREVER) != OK)
			return false;
		next += length;
		size -= length;
	}
	return true;
}

static inline bool
bytes_put(struct channel_ends *ends, const void *data, size_t size)
{
	return ends_put(ends, data, size);
}

PEER_LOOPS(bytes)

static void *
bytes_open(struct bench_rig *rig, enum bench_side side)
{
	static const struct channel_config config = {
		.type = CHANNEL_STREAM, .spin_ns = SPIN_ALWAYS };

	return ends_open(rig, side, &config);
}

const struct bench_peer peer_channel_stream = {
	.name = "channel-stream", .text = "channel, stream of bytes, spinning",
	.flags = BOTH | PEER_THREAD | PEER_SPINS, .prepare = channel_prepare,
	.open = bytes_open, PEER_FIELDS(bytes), .close = ends_close,
};

/* A batch becomes visible when it is full, or when the sender says so. */
static bool
batch_send(void *state, const struct bench_job *job)
{
	struct channel_ends *ends = state;

	return ends_send(ends, job) && channel_flush(ends->out) == OK;
}

static void *
batch_open(struct bench_rig *rig, enum bench_side side)
{
	static const struct channel_config config = { .type = CHANNEL_BATCH,
		.spin_ns = SPIN_ALWAYS, .batch = BATCH };

	return ends_open(rig, side, &config);
}

const struct bench_peer peer_channel_batch = {
	.name = "channel-batch", .text = "channel, batches of 32, spinning",
	.flags = PEER_STREAM | PEER_THREAD | PEER_SPINS,
	.prepare = channel_prepare, .open = batch_open,
	.send = batch_send, .receive = ends_receive,
	.close = ends_close,
};

/* A call and its answer are one round trip. */
static bool
call_round_trip(void *state, const struct bench_job *job)
{
	struct channel_ends *ends = state;

	for (uint64_t i = 0; i < job->count; i++) {
		struct channel_exchange exchange = {
			.request = job->buffer, .request_length = job->size,
			.answer = job->buffer, .answer_length = BENCH_SIZE_MAX,
			.sender = &ends->token,
			.deadline_ns = CHANNEL_FOREVER };

		bench_number(job->buffer, i);
		if (channel_call(ends->out, &exchange) != OK ||
		    exchange.answer_length != job->size ||
		    !bench_has_number(job->buffer, i))
			return false;
	}
	return true;
}

static bool
call_serve(void *state, const struct bench_job *job)
{
	struct channel_ends *ends = state;

	for (uint64_t i = 0; i < job->count; i++)
		if (!ends_get(ends, job->buffer, job->size) ||
		    !bench_has_number(job->buffer, i) ||
		    channel_answer(ends->in, job->buffer, job->size) != OK)
			return false;
	return true;
}

static void *
call_open(struct bench_rig *rig, enum bench_side side)
{
	static const struct channel_config config = { .type = CHANNEL_SYNC,
		.spin_ns = SPIN_ALWAYS };

	return ends_open(rig, side, &config);
}

const struct bench_peer peer_channel_call = {
	.name = "channel-call", .text = "channel, synchronous call, spinning",
	.flags = PEER_ROUND_TRIP | PEER_THREAD | PEER_SPINS,
	.prepare = channel_prepare, .open = call_open,
	.round_trip = call_round_trip, .serve = call_serve,
	.close = ends_close,
};

/* Buffers handed over: only the number in them is written and read. */
static inline bool
buffer_put(struct channel_ends *ends, const void *data, size_t size)
{
	struct channel_view view;

	if (channel_reserve(ends->out, size, &view, CHANNEL_FOREVER) != OK)
		return false;
	memcpy(view.data, data, sizeof(uint64_t));
	return channel_commit(ends->out, &view) == OK;
}

static inline bool
buffer_get(struct channel_ends *ends, void *data, size_t size)
{
	struct channel_view view;

	if (channel_peek(ends->in, &view, CHANNEL_FOREVER) != OK ||
	    view.length != size)
		return false;
	memcpy(data, view.data, sizeof(uint64_t));
	return channel_release(ends->in, &view) == OK;
}

PEER_LOOPS(buffer)

static void *
buffer_open(struct bench_rig *rig, enum bench_side side)
{
	static const struct channel_config config = { .type = CHANNEL_ASYNC,
		.zero_copy = true, .spin_ns = SPIN_ALWAYS };

	return ends_open(rig, side, &config);
}

const struct bench_peer peer_channel_buffer = {
	.name = "channel-buffer",
	.text = "channel, buffers handed over unread, spinning",
	.flags = BOTH | PEER_THREAD | PEER_SPINS, .prepare = channel_prepare,
	.open = buffer_open, PEER_FIELDS(buffer), .close = ends_close,
};
