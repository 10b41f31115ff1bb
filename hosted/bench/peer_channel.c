/* SPDX-License-Identifier: MIT */
/*
 * Our channels, with a token checked at each operation: between threads, each
 * type; between processes that met at a broker, the ways of waiting. Spinning
 * and sleeping, with copies and without.
 */
#include "channel_ends.h"
#include "loops.h"

#include <errno.h>
#include <stdlib.h>

#define BUFFER_SIZE	(512u << 10)	/* of a lane, as line-ring has */
#define BATCH		32u

static int
meet(struct bench_rig *rig, bool processes)
{
	struct meeting *meeting = malloc(sizeof(*meeting));

	if (meeting == NULL)
		return ENOMEM;
	if (processes ? meeting_of_processes(meeting, NULL, TOKEN_TRUST_MAX)
	    : meeting_of_threads(meeting, TOKEN_TRUST_MAX)) {
		rig->data = meeting;
		return 0;
	}
	free(meeting);
	return EPROTO;
}

static int
threads_prepare(struct bench_rig *rig)
{
	return meet(rig, false);
}

static int
processes_prepare(struct bench_rig *rig)
{
	return meet(rig, true);
}

static void
channel_release_rig(struct bench_rig *rig)
{
	if (rig->data == NULL)
		return;
	meeting_close(rig->data);
	free(rig->data);
}

static void *
ends_open(struct bench_rig *rig, enum bench_side side,
    const struct channel_config *config)
{
	struct channel_ends *ends = calloc(1, sizeof(*ends));

	if (ends == NULL)
		return NULL;
	ends->meeting = rig->data;
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
	return channel_send_until(ends->out, data, size, ends->attendance.token,
	    CHANNEL_FOREVER) == OK;
}

static inline bool
ends_get(struct channel_ends *ends, void *data, size_t size)
{
	size_t length = BENCH_SIZE_MAX;

	return channel_receive_until(ends->in, data, &length, ends->attendance.token,
	    CHANNEL_FOREVER) == OK && length == size;
}

PEER_LOOPS(ends)

/* The ways of a peer between threads, and between processes. */
#define BETWEEN_THREADS \
	.prepare = threads_prepare, .release = channel_release_rig
#define BETWEEN_PROCESSES \
	.prepare = processes_prepare, .release = channel_release_rig

#define BOTH	(PEER_ROUND_TRIP | PEER_STREAM)

#define CHANNEL_OPEN(function, ...) \
	static void * \
	function(struct bench_rig *rig, enum bench_side side) \
	{ \
		static const struct channel_config config = { __VA_ARGS__ }; \
		return ends_open(rig, side, &config); \
	}

CHANNEL_OPEN(spin_open, .type = CHANNEL_ASYNC, .spin_ns = SPIN_ALWAYS)
CHANNEL_OPEN(sleep_open, .type = CHANNEL_ASYNC, .spin_ns = SPIN_NEVER)
CHANNEL_OPEN(adaptive_open, .type = CHANNEL_ASYNC)
CHANNEL_OPEN(broadcast_open, .type = CHANNEL_BROADCAST,
    .spin_ns = SPIN_ALWAYS)
CHANNEL_OPEN(multicast_open, .type = CHANNEL_MULTICAST,
    .spin_ns = SPIN_ALWAYS)
CHANNEL_OPEN(bytes_open, .type = CHANNEL_STREAM, .spin_ns = SPIN_ALWAYS)
CHANNEL_OPEN(batch_open, .type = CHANNEL_BATCH, .spin_ns = SPIN_ALWAYS,
    .batch = BATCH)
CHANNEL_OPEN(call_open, .type = CHANNEL_SYNC, .spin_ns = SPIN_ALWAYS)
CHANNEL_OPEN(buffer_open, .type = CHANNEL_ASYNC, .zero_copy = true,
    .spin_ns = SPIN_ALWAYS)

#define MESSAGES(open_function) \
	.open = open_function, PEER_FIELDS(ends), .close = ends_close

const struct bench_peer peer_channel_spin = {
	.name = "channel-spin", .text = "threads, asynchronous, spinning",
	.flags = BOTH | PEER_THREAD | PEER_SPINS, BETWEEN_THREADS,
	MESSAGES(spin_open),
};

const struct bench_peer peer_channel_sleep = {
	.name = "channel-sleep",
	.text = "threads, asynchronous, sleeping at once",
	.flags = BOTH | PEER_THREAD, BETWEEN_THREADS, MESSAGES(sleep_open),
};

const struct bench_peer peer_channel_adaptive = {
	.name = "channel-adaptive",
	.text = "threads, asynchronous, waiting as by default",
	.flags = BOTH | PEER_THREAD, BETWEEN_THREADS, MESSAGES(adaptive_open),
};

const struct bench_peer peer_channel_broadcast = {
	.name = "channel-broadcast", .text = "threads, broadcast, spinning",
	.flags = BOTH | PEER_THREAD | PEER_SPINS, BETWEEN_THREADS,
	MESSAGES(broadcast_open),
};

const struct bench_peer peer_channel_multicast = {
	.name = "channel-multicast", .text = "threads, multicast, spinning",
	.flags = BOTH | PEER_THREAD | PEER_SPINS, BETWEEN_THREADS,
	MESSAGES(multicast_open),
};

const struct bench_peer peer_process_spin = {
	.name = "process-spin", .text = "processes, asynchronous, spinning",
	.flags = BOTH | PEER_SPINS, BETWEEN_PROCESSES, MESSAGES(spin_open),
};

const struct bench_peer peer_process_sleep = {
	.name = "process-sleep",
	.text = "processes, asynchronous, sleeping at once",
	.flags = BOTH, BETWEEN_PROCESSES, MESSAGES(sleep_open),
};

const struct bench_peer peer_process_adaptive = {
	.name = "process-adaptive",
	.text = "processes, asynchronous, waiting as by default",
	.flags = BOTH, BETWEEN_PROCESSES, MESSAGES(adaptive_open),
};

/* Bytes without boundaries. */
static inline bool
bytes_get(struct channel_ends *ends, void *data, size_t size)
{
	char *next = data;

	while (size > 0) {
		size_t length = size;

		if (channel_receive_until(ends->in, next, &length,
		    ends->attendance.token, CHANNEL_FOREVER) != OK)
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

const struct bench_peer peer_channel_stream = {
	.name = "channel-stream", .text = "threads, stream of bytes, spinning",
	.flags = BOTH | PEER_THREAD | PEER_SPINS, BETWEEN_THREADS,
	.open = bytes_open, PEER_FIELDS(bytes), .close = ends_close,
};

/* A batch becomes visible when it is full, or when the sender says so. */
static bool
batch_send(void *state, const struct bench_job *job)
{
	struct channel_ends *ends = state;

	return ends_send(ends, job) && channel_flush(ends->out) == OK;
}

const struct bench_peer peer_channel_batch = {
	.name = "channel-batch", .text = "threads, batches of 32, spinning",
	.flags = PEER_STREAM | PEER_THREAD | PEER_SPINS, BETWEEN_THREADS,
	.open = batch_open,
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
			.sender = ends->attendance.token,
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

const struct bench_peer peer_channel_call = {
	.name = "channel-call", .text = "threads, synchronous call, spinning",
	.flags = PEER_ROUND_TRIP | PEER_THREAD | PEER_SPINS, BETWEEN_THREADS,
	.open = call_open, .round_trip = call_round_trip, .serve = call_serve,
	.close = ends_close,
};

const struct bench_peer peer_process_call = {
	.name = "process-call",
	.text = "processes, synchronous call, spinning",
	.flags = PEER_ROUND_TRIP | PEER_SPINS, BETWEEN_PROCESSES,
	.open = call_open, .round_trip = call_round_trip, .serve = call_serve,
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

const struct bench_peer peer_channel_buffer = {
	.name = "channel-buffer",
	.text = "threads, buffers handed over unread, spinning",
	.flags = BOTH | PEER_THREAD | PEER_SPINS, BETWEEN_THREADS,
	.open = buffer_open, PEER_FIELDS(buffer), .close = ends_close,
};

const struct bench_peer peer_process_buffer = {
	.name = "process-buffer",
	.text = "processes, buffers handed over unread, spinning",
	.flags = BOTH | PEER_SPINS, BETWEEN_PROCESSES,
	.open = buffer_open, PEER_FIELDS(buffer), .close = ends_close,
};
