/* SPDX-License-Identifier: MIT */
#include "bench.h"

/* Weak: the build leaves out peers whose library is not installed. */
#define PEER(variable)	extern const struct bench_peer variable \
			    __attribute__((weak))

PEER(peer_floor);
PEER(peer_copy);
PEER(peer_spin_ring);
PEER(peer_line_ring);
PEER(peer_futex);
PEER(peer_eventfd);
PEER(peer_pipe);
PEER(peer_unix_stream);
PEER(peer_unix_packet);
PEER(peer_io_uring_message);
PEER(peer_io_uring_socket);
PEER(peer_zeromq_inproc);
PEER(peer_zeromq_ipc);
PEER(peer_nng_inproc);
PEER(peer_nng_ipc);
PEER(peer_capnp);

const struct bench_entry bench_peers[] = {
	{ "floor", NULL, &peer_floor },
	{ "memcpy", NULL, &peer_copy },
	{ "spin-ring", NULL, &peer_spin_ring },
	{ "line-ring", NULL, &peer_line_ring },
	{ "futex", NULL, &peer_futex },
	{ "eventfd", NULL, &peer_eventfd },
	{ "pipe", NULL, &peer_pipe },
	{ "unix-stream", NULL, &peer_unix_stream },
	{ "unix-packet", NULL, &peer_unix_packet },
	{ "io_uring-message", "liburing-dev", &peer_io_uring_message },
	{ "io_uring-socket", "liburing-dev", &peer_io_uring_socket },
	{ "zeromq-inproc", "libzmq3-dev", &peer_zeromq_inproc },
	{ "zeromq-ipc", "libzmq3-dev", &peer_zeromq_ipc },
	{ "nng-inproc", "libnng-dev", &peer_nng_inproc },
	{ "nng-ipc", "libnng-dev", &peer_nng_ipc },
	{ "capnp-rpc", "libcapnp-dev", &peer_capnp },
	{ 0 },
};
