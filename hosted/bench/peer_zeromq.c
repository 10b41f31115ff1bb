/* SPDX-License-Identifier: MIT */
/* ZeroMQ: sockets of type PAIR, between processes and between threads. */
#include "bench.h"
#include "loops.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zmq.h>

#define ADDRESS_MAX	256

struct zeromq {
	void	*context, *socket;
	bool	 shared;	/* the context belongs to the rig */
	char	 path[ADDRESS_MAX];	/* of the socket, "" if none */
};

static int
inproc_prepare(struct bench_rig *rig)
{
	rig->data = zmq_ctx_new();
	return rig->data == NULL ? errno : 0;
}

static bool
zeromq_attach(struct zeromq *end, const char *address, enum bench_side side)
{
	end->socket = zmq_socket(end->context, ZMQ_PAIR);
	if (end->socket == NULL)
		return false;
	return (side == BENCH_SERVER ? zmq_bind(end->socket, address)
	    : zmq_connect(end->socket, address)) == 0;
}

static void
zeromq_close(void *state)
{
	struct zeromq *end = state;

	if (end->socket != NULL)
		zmq_close(end->socket);
	/* The server's side of a shared context ends first. */
	if (end->context != NULL && !end->shared)
		zmq_ctx_term(end->context);
	/* The library leaves it behind. */
	if (end->path[0] != '\0')
		unlink(end->path);
	free(end);
}

static void *
zeromq_open(struct bench_rig *rig, enum bench_side side)
{
	struct zeromq *end = calloc(1, sizeof(*end));
	char address[ADDRESS_MAX + 8];

	if (end == NULL)
		return NULL;
	end->shared = rig->data != NULL && side == BENCH_SERVER;
	end->context = rig->data != NULL ? rig->data : zmq_ctx_new();
	snprintf(address, sizeof(address), "inproc://%s", rig->peer);
	if (rig->data == NULL) {
		snprintf(end->path, sizeof(end->path), "%s/%s", rig->folder,
		    rig->peer);
		snprintf(address, sizeof(address), "ipc://%s", end->path);
	}
	if (end->context != NULL && zeromq_attach(end, address, side))
		return end;
	zeromq_close(end);
	return NULL;
}

static inline bool
zeromq_put(struct zeromq *end, const void *data, size_t size)
{
	return zmq_send(end->socket, data, size, 0) == (int)size;
}

static inline bool
zeromq_get(struct zeromq *end, void *data, size_t size)
{
	return zmq_recv(end->socket, data, BENCH_SIZE_MAX, 0) == (int)size;
}

PEER_LOOPS(zeromq)

const struct bench_peer peer_zeromq_ipc = {
	.name = "zeromq-ipc", .text = "ZeroMQ between processes",
	.flags = PEER_ROUND_TRIP | PEER_STREAM, .open = zeromq_open,
	PEER_FIELDS(zeromq), .close = zeromq_close,
};

const struct bench_peer peer_zeromq_inproc = {
	.name = "zeromq-inproc", .text = "ZeroMQ between threads",
	.flags = PEER_ROUND_TRIP | PEER_STREAM | PEER_THREAD,
	.prepare = inproc_prepare, .open = zeromq_open,
	PEER_FIELDS(zeromq), .close = zeromq_close,
};
