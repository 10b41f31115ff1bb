/* SPDX-License-Identifier: MIT */
/*
 * The floor of every stream of messages that are copied: memcpy.
 *
 * stream	one CPU copies in, another out; they talk to each other once for
 *		each eighth of 512 KiB. So each cache line crosses over, as it
 *		must for any way that copies, and nothing else does.
 * local	one CPU copies each message into the next place of 64 KiB (what a
 *		lane has by default) and out again, all in its own cache: no way
 *		between two CPUs comes near it
 */
#include "bench.h"

#include <stdlib.h>

#define PART		(64ul << 10)
#define PARTS		8u
#define LOCAL_AREA	(64ul << 10)

struct copy_end {
	uint64_t *filled, *emptied;	/* parts so far */
	unsigned char *area;
	uint64_t part;			/* of this end, counted */
	unsigned char *from, *to;	/* BENCH_SIZE_MAX each */
};

static void
copy_close(void *state)
{
	struct copy_end *end = state;

	free(end->from);
	free(end->to);
	free(end);
}

static void *
copy_open(struct bench_rig *rig, enum bench_side side)
{
	struct copy_end *end = calloc(1, sizeof(*end));

	if (end == NULL)
		return NULL;
	end->filled = (uint64_t *)rig->shared;
	end->emptied = end->filled + 4 * BENCH_LINE / sizeof(uint64_t);
	end->area = rig->shared + 4096;
	end->from = aligned_alloc(4096, BENCH_SIZE_MAX);
	end->to = aligned_alloc(4096, BENCH_SIZE_MAX);
	if (end->from == NULL || end->to == NULL) {
		copy_close(end);
		return NULL;
	}
	memset(end->from, 1, BENCH_SIZE_MAX);
	memset(end->to, 2, BENCH_SIZE_MAX);
	return end;
}

static bool
copy_send(void *state, const struct bench_job *job)
{
	struct copy_end *end = state;
	uint64_t per_part = PART / job->size;

	for (uint64_t i = 0; i < job->count; i++) {
		if (i % per_part == 0)
			while (end->part - __atomic_load_n(end->emptied,
			    __ATOMIC_ACQUIRE) >= PARTS)
				;
		bench_number(job->buffer, i);
		memcpy(end->area + end->part % PARTS * PART +
		    i % per_part * job->size, job->buffer, job->size);
		if (i % per_part == per_part - 1 || i == job->count - 1)
			__atomic_store_n(end->filled, ++end->part,
			    __ATOMIC_RELEASE);
	}
	return true;
}

static bool
copy_receive(void *state, const struct bench_job *job)
{
	struct copy_end *end = state;
	uint64_t per_part = PART / job->size;

	for (uint64_t i = 0; i < job->count; i++) {
		if (i % per_part == 0)
			while (__atomic_load_n(end->filled,
			    __ATOMIC_ACQUIRE) == end->part)
				;
		memcpy(job->buffer, end->area + end->part % PARTS * PART +
		    i % per_part * job->size, job->size);
		if (!bench_has_number(job->buffer, i))
			return false;
		if (i % per_part == per_part - 1 || i == job->count - 1)
			__atomic_store_n(end->emptied, ++end->part,
			    __ATOMIC_RELEASE);
	}
	return true;
}

static inline uint64_t
copy_through(struct copy_end *end, uint64_t count, size_t size)
{
	uint64_t start = bench_now_ns(), places = LOCAL_AREA / size;

	for (uint64_t i = 0; i < count; i++) {
		unsigned char *place = end->area + i % places * size;

		memcpy(place, end->from, size);
		/* Without this the compiler may copy from one to the other. */
		__asm__ volatile("" : : : "memory");
		memcpy(end->to, place, size);
		__asm__ volatile("" : : : "memory");
	}
	return bench_now_ns() - start;
}

static uint64_t
copy_64(void *end, uint64_t count)
{
	return copy_through(end, count, 64);
}

static uint64_t
copy_4k(void *end, uint64_t count)
{
	return copy_through(end, count, 4096);
}

static uint64_t
copy_64k(void *end, uint64_t count)
{
	return copy_through(end, count, 65536);
}

static const struct bench_local locals[] = {
	{ "local_64", "64 B in and out on one CPU", BENCH_NS, 64, copy_64 },
	{ "local_4096", "4 KiB in and out on one CPU", BENCH_NS, 4096,
	    copy_4k },
	{ "local_65536", "64 KiB in and out on one CPU", BENCH_NS, 65536,
	    copy_64k },
	{ 0 },
};

const struct bench_peer peer_copy = {
	.name = "memcpy", .text = "memcpy, one CPU in, one out, 64 KiB at a time",
	.flags = PEER_SPINS | PEER_STREAM, .locals = locals,
	.open = copy_open, .send = copy_send, .receive = copy_receive,
	.close = copy_close,
};
