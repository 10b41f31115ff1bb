/* SPDX-License-Identifier: MIT */
/*
 * io_uring, by liburing: a message posted straight into the ring of the other
 * process, with the payload in shared memory; and send and receive on a Unix
 * socket. One system call submits and waits.
 */
#include "bench.h"
#include "loops.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <sys/socket.h>

#define ENTRIES		8u
#define OTHER_PLACE	(BENCH_SHARED / 2)

/* Both rings are made before the sides part: each inherits the other's. */
struct rings {
	struct io_uring side[2];
};

struct message_end {
	struct io_uring *own;
	int	 other;		/* descriptor of the other's ring */
	unsigned char *out, *in;
	bool	 staged;	/* a message is ready to be submitted */
};

static int
message_prepare(struct bench_rig *rig)
{
	struct rings *rings = calloc(1, sizeof(*rings));
	int error;

	if (rings == NULL)
		return ENOMEM;
	error = io_uring_queue_init(ENTRIES, &rings->side[0], 0);
	if (error == 0)
		error = io_uring_queue_init(ENTRIES, &rings->side[1], 0);
	rig->data = rings;
	return -error;
}

static void *
message_open(struct bench_rig *rig, enum bench_side side)
{
	struct message_end *end = calloc(1, sizeof(*end));
	struct rings *rings = rig->data;
	bool client = side == BENCH_CLIENT;

	if (end == NULL)
		return NULL;
	end->own = &rings->side[client ? 0 : 1];
	end->other = rings->side[client ? 1 : 0].ring_fd;
	end->out = rig->shared + (client ? 0 : OTHER_PLACE);
	end->in = rig->shared + (client ? OTHER_PLACE : 0);
	return end;
}

/* Only stages it: the wait that always follows submits. */
static inline bool
message_put(struct message_end *end, const void *data, size_t size)
{
	struct io_uring_sqe *entry = io_uring_get_sqe(end->own);

	if (entry == NULL)
		return false;
	memcpy(end->out, data, size);
	io_uring_prep_msg_ring(entry, end->other, (unsigned)size, 1, 0);
	entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
	return true;
}

static inline bool
message_get(struct message_end *end, void *data, size_t size)
{
	struct io_uring_cqe *entry;
	bool right;

	if (io_uring_submit_and_wait(end->own, 1) < 0 ||
	    io_uring_peek_cqe(end->own, &entry) != 0)
		return false;
	right = entry->res == (int)size && entry->user_data == 1;
	io_uring_cqe_seen(end->own, entry);
	memcpy(data, end->in, size);
	return right;
}

static bool
message_round_trip(void *end, const struct bench_job *job)
{
	for (uint64_t i = 0; i < job->count; i++) {
		bench_number(job->buffer, i);
		if (!message_put(end, job->buffer, job->size) ||
		    !message_get(end, job->buffer, job->size) ||
		    !bench_has_number(job->buffer, i))
			return false;
	}
	return true;
}

static bool
message_serve(void *state, const struct bench_job *job)
{
	struct message_end *end = state;

	for (uint64_t i = 0; i < job->count; i++)
		if (!message_get(end, job->buffer, job->size) ||
		    !bench_has_number(job->buffer, i) ||
		    !message_put(end, job->buffer, job->size))
			return false;
	return io_uring_submit(end->own) >= 0;
}

const struct bench_peer peer_io_uring_message = {
	.name = "io_uring-message",
	.text = "shared memory, io_uring message from ring to ring",
	.flags = PEER_ROUND_TRIP, .prepare = message_prepare,
	.open = message_open, PEER_ROUND_TRIP_FIELDS(message), .close = free,
};

struct socket_end {
	struct io_uring ring;
	int	 fd;
};

static int
uring_socket_prepare(struct bench_rig *rig)
{
	return socketpair(AF_UNIX, SOCK_STREAM, 0, rig->fd) < 0 ? errno : 0;
}

static void *
uring_socket_open(struct bench_rig *rig, enum bench_side side)
{
	struct socket_end *end = calloc(1, sizeof(*end));
	int error;

	if (end == NULL)
		return NULL;
	end->fd = rig->fd[side == BENCH_CLIENT ? 0 : 1];
	error = io_uring_queue_init(ENTRIES, &end->ring, 0);
	if (error != 0) {
		free(end);
		errno = -error;
		return NULL;
	}
	return end;
}

static void
uring_socket_close(void *state)
{
	struct socket_end *end = state;

	io_uring_queue_exit(&end->ring);
	free(end);
}

static inline bool
uring_socket_finish(struct socket_end *end, size_t size)
{
	struct io_uring_cqe *entry;
	bool right;

	if (io_uring_submit_and_wait(&end->ring, 1) < 0 ||
	    io_uring_peek_cqe(&end->ring, &entry) != 0)
		return false;
	right = entry->res == (int)size;
	io_uring_cqe_seen(&end->ring, entry);
	return right;
}

static inline bool
uring_socket_put(struct socket_end *end, const void *data, size_t size)
{
	struct io_uring_sqe *entry = io_uring_get_sqe(&end->ring);

	if (entry == NULL)
		return false;
	io_uring_prep_send(entry, end->fd, data, size,
	    MSG_WAITALL | MSG_NOSIGNAL);
	return uring_socket_finish(end, size);
}

static inline bool
uring_socket_get(struct socket_end *end, void *data, size_t size)
{
	struct io_uring_sqe *entry = io_uring_get_sqe(&end->ring);

	if (entry == NULL)
		return false;
	io_uring_prep_recv(entry, end->fd, data, size, MSG_WAITALL);
	return uring_socket_finish(end, size);
}

PEER_LOOPS(uring_socket)

const struct bench_peer peer_io_uring_socket = {
	.name = "io_uring-socket", .text = "Unix socket, stream, by io_uring",
	.flags = PEER_ROUND_TRIP | PEER_STREAM,
	.prepare = uring_socket_prepare, .open = uring_socket_open,
	PEER_FIELDS(uring_socket), .close = uring_socket_close,
};
