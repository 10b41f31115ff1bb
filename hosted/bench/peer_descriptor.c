/* SPDX-License-Identifier: MIT */
/* Pipes and Unix sockets, with blocking reads and writes. */
#include "bench.h"
#include "loops.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct stream {
	int	 in, out;
};

/* fd 0, 1: client to server; 2, 3: back. */
static int
pipe_prepare(struct bench_rig *rig)
{
	return pipe(&rig->fd[0]) < 0 || pipe(&rig->fd[2]) < 0 ? errno : 0;
}

static void *
pipe_open(struct bench_rig *rig, enum bench_side side)
{
	struct stream *stream = malloc(sizeof(*stream));
	bool client = side == BENCH_CLIENT;

	if (stream == NULL)
		return NULL;
	stream->in = rig->fd[client ? 2 : 0];
	stream->out = rig->fd[client ? 1 : 3];
	return stream;
}

static void *
socket_open(struct bench_rig *rig, enum bench_side side)
{
	struct stream *stream = malloc(sizeof(*stream));

	if (stream == NULL)
		return NULL;
	stream->in = stream->out = rig->fd[side == BENCH_CLIENT ? 0 : 1];
	return stream;
}

static inline bool
pipe_put(struct stream *stream, const void *data, size_t size)
{
	const char *next = data;

	while (size > 0) {
		ssize_t done = write(stream->out, next, size);

		if (done <= 0)
			return false;
		next += done;
		size -= (size_t)done;
	}
	return true;
}

static inline bool
pipe_get(struct stream *stream, void *data, size_t size)
{
	char *next = data;

	while (size > 0) {
		ssize_t done = read(stream->in, next, size);

		if (done <= 0)
			return false;
		next += done;
		size -= (size_t)done;
	}
	return true;
}

PEER_LOOPS(pipe)

const struct bench_peer peer_pipe = {
	.name = "pipe", .text = "two pipes",
	.flags = PEER_ROUND_TRIP | PEER_STREAM, .prepare = pipe_prepare,
	.open = pipe_open, PEER_FIELDS(pipe), .close = free,
};

static int
unix_stream_prepare(struct bench_rig *rig)
{
	return socketpair(AF_UNIX, SOCK_STREAM, 0, rig->fd) < 0 ? errno : 0;
}

const struct bench_peer peer_unix_stream = {
	.name = "unix-stream", .text = "Unix socket, stream",
	.flags = PEER_ROUND_TRIP | PEER_STREAM, .prepare = unix_stream_prepare,
	.open = socket_open, PEER_FIELDS(pipe), .close = free,
};

static int
unix_packet_prepare(struct bench_rig *rig)
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET, 0, rig->fd) < 0 ? errno : 0;
}

static inline bool
packet_put(struct stream *stream, const void *data, size_t size)
{
	return send(stream->out, data, size, MSG_NOSIGNAL) == (ssize_t)size;
}

static inline bool
packet_get(struct stream *stream, void *data, size_t size)
{
	return recv(stream->in, data, BENCH_SIZE_MAX, 0) == (ssize_t)size;
}

PEER_LOOPS(packet)

const struct bench_peer peer_unix_packet = {
	.name = "unix-packet", .text = "Unix socket, seqpacket",
	.flags = PEER_ROUND_TRIP | PEER_STREAM, .prepare = unix_packet_prepare,
	.open = socket_open, PEER_FIELDS(packet), .close = free,
};
