/* SPDX-License-Identifier: MIT */
#include "bench.h"

/* Weak: the build leaves out peers whose library is not installed. */
#define PEER(variable)	extern const struct bench_peer variable \
			    __attribute__((weak))

PEER(peer_floor);
PEER(peer_copy);
PEER(peer_spin_ring);
PEER(peer_line_ring);
PEER(peer_channel_spin);
PEER(peer_channel_sleep);
PEER(peer_channel_adaptive);
PEER(peer_channel_call);
PEER(peer_channel_broadcast);
PEER(peer_channel_multicast);
PEER(peer_channel_stream);
PEER(peer_channel_batch);
PEER(peer_channel_buffer);
PEER(peer_process_spin);
PEER(peer_process_sleep);
PEER(peer_process_adaptive);
PEER(peer_process_call);
PEER(peer_process_buffer);
PEER(peer_channel_cost);
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
	{ "channel-spin", NULL, &peer_channel_spin },
	{ "channel-sleep", NULL, &peer_channel_sleep },
	{ "channel-adaptive", NULL, &peer_channel_adaptive },
	{ "channel-call", NULL, &peer_channel_call },
	{ "channel-broadcast", NULL, &peer_channel_broadcast },
	{ "channel-multicast", NULL, &peer_channel_multicast },
	{ "channel-stream", NULL, &peer_channel_stream },
	{ "channel-batch", NULL, &peer_channel_batch },
	{ "channel-buffer", NULL, &peer_channel_buffer },
	{ "process-spin", NULL, &peer_process_spin },
	{ "process-sleep", NULL, &peer_process_sleep },
	{ "process-adaptive", NULL, &peer_process_adaptive },
	{ "process-call", NULL, &peer_process_call },
	{ "process-buffer", NULL, &peer_process_buffer },
	{ "channel-cost", NULL, &peer_channel_cost },
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
