/* SPDX-License-Identifier: MIT */
/*
 * Ways to wake another process: futex, eventfd. The message itself lies in
 * shared memory, one place for each direction; every wait sleeps in the kernel
 * unless the answer is there already.
 */
#include "bench.h"
#include "loops.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#define OTHER_PLACE	(BENCH_SHARED / 2)

struct wake {
	uint32_t *out, *in;		/* 1: a message is in the place */
	unsigned char *out_place, *in_place;
	int	 out_event, in_event;
};

static void *
wake_open(struct bench_rig *rig, enum bench_side side)
{
	struct wake *wake = malloc(sizeof(*wake));
	unsigned char *there = rig->shared;
	unsigned char *back = rig->shared + OTHER_PLACE;
	bool client = side == BENCH_CLIENT;

	if (wake == NULL)
		return NULL;
	*wake = (struct wake){
		.out = (uint32_t *)(client ? there : back),
		.in = (uint32_t *)(client ? back : there),
		.out_place = (client ? there : back) + 4096,
		.in_place = (client ? back : there) + 4096,
		.out_event = rig->fd[client ? 0 : 1],
		.in_event = rig->fd[client ? 1 : 0] };
	return wake;
}

static inline bool
futex_put(struct wake *wake, const void *data, size_t size)
{
	memcpy(wake->out_place, data, size);
	__atomic_store_n(wake->out, 1, __ATOMIC_RELEASE);
	return syscall(SYS_futex, wake->out, FUTEX_WAKE, 1, NULL, NULL, 0) >= 0;
}

static inline bool
futex_get(struct wake *wake, void *data, size_t size)
{
	while (__atomic_load_n(wake->in, __ATOMIC_ACQUIRE) == 0)
		if (syscall(SYS_futex, wake->in, FUTEX_WAIT, 0, NULL, NULL,
		    0) < 0 && errno != EAGAIN && errno != EINTR)
			return false;
	memcpy(data, wake->in_place, size);
	/* The next message comes only after the answer to this one. */
	__atomic_store_n(wake->in, 0, __ATOMIC_RELEASE);
	return true;
}

PEER_ROUND_TRIP_LOOPS(futex)

const struct bench_peer peer_futex = {
	.name = "futex", .text = "shared memory, sleeping on a futex",
	.flags = PEER_ROUND_TRIP, .open = wake_open,
	PEER_ROUND_TRIP_FIELDS(futex), .close = free,
};

static int
eventfd_prepare(struct bench_rig *rig)
{
	rig->fd[0] = eventfd(0, EFD_CLOEXEC);
	rig->fd[1] = eventfd(0, EFD_CLOEXEC);
	return rig->fd[0] < 0 || rig->fd[1] < 0 ? errno : 0;
}

static inline bool
eventfd_put(struct wake *wake, const void *data, size_t size)
{
	uint64_t one = 1;

	memcpy(wake->out_place, data, size);
	return write(wake->out_event, &one, sizeof(one)) == sizeof(one);
}

static inline bool
eventfd_get(struct wake *wake, void *data, size_t size)
{
	uint64_t count;

	if (read(wake->in_event, &count, sizeof(count)) != sizeof(count))
		return false;
	memcpy(data, wake->in_place, size);
	return count == 1;
}

PEER_ROUND_TRIP_LOOPS(eventfd)

const struct bench_peer peer_eventfd = {
	.name = "eventfd", .text = "shared memory, sleeping on an eventfd",
	.flags = PEER_ROUND_TRIP, .prepare = eventfd_prepare,
	.open = wake_open, PEER_ROUND_TRIP_FIELDS(eventfd), .close = free,
};
