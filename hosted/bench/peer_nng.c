/* SPDX-License-Identifier: MIT */
/* nng: sockets of type pair, between processes and between threads. */
#include "bench.h"
#include "loops.h"

#include <errno.h>
#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <stdio.h>
#include <stdlib.h>

#define ADDRESS_MAX	256
#define WAITING_MAX	128	/* messages in the socket, as in ZeroMQ and more */

struct pair {
	nng_socket socket;
};

static bool
pair_attach(struct pair *end, const char *address, enum bench_side side)
{
	int error = nng_pair0_open(&end->socket);

	if (error == 0)
		error = nng_socket_set_int(end->socket, NNG_OPT_SENDBUF,
		    WAITING_MAX);
	if (error == 0)
		error = nng_socket_set_int(end->socket, NNG_OPT_RECVBUF,
		    WAITING_MAX);
	if (error == 0)
		error = side == BENCH_SERVER
		    ? nng_listen(end->socket, address, NULL, 0)
		    : nng_dial(end->socket, address, NULL, 0);
	errno = EPROTO;
	return error == 0;
}

static void *
pair_open(const char *address, enum bench_side side)
{
	struct pair *end = calloc(1, sizeof(*end));

	if (end == NULL)
		return NULL;
	if (pair_attach(end, address, side))
		return end;
	free(end);
	return NULL;
}

static void *
pair_ipc_open(struct bench_rig *rig, enum bench_side side)
{
	char address[ADDRESS_MAX];

	snprintf(address, sizeof(address), "ipc://%s/%s", rig->folder,
	    rig->peer);
	return pair_open(address, side);
}

static void *
pair_inproc_open(struct bench_rig *rig, enum bench_side side)
{
	char address[ADDRESS_MAX];

	snprintf(address, sizeof(address), "inproc://%s", rig->peer);
	return pair_open(address, side);
}

static void
pair_close(void *state)
{
	struct pair *end = state;

	nng_close(end->socket);
	free(end);
}

static inline bool
pair_put(struct pair *end, const void *data, size_t size)
{
	return nng_send(end->socket, (void *)(uintptr_t)data, size, 0) == 0;
}

static inline bool
pair_get(struct pair *end, void *data, size_t size)
{
	size_t length = BENCH_SIZE_MAX;

	return nng_recv(end->socket, data, &length, 0) == 0 && length == size;
}

PEER_LOOPS(pair)

const struct bench_peer peer_nng_ipc = {
	.name = "nng-ipc", .text = "nng between processes",
	.flags = PEER_ROUND_TRIP | PEER_STREAM, .open = pair_ipc_open,
	PEER_FIELDS(pair), .close = pair_close,
};

const struct bench_peer peer_nng_inproc = {
	.name = "nng-inproc", .text = "nng between threads",
	.flags = PEER_ROUND_TRIP | PEER_STREAM | PEER_THREAD,
	.open = pair_inproc_open, PEER_FIELDS(pair), .close = pair_close,
};
