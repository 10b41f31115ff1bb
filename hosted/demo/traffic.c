/* SPDX-License-Identifier: MIT */
#include "traffic.h"

#include <lib/channel/typed.h>

#include <sys/mman.h>

#define NAME		"demo.parcels"
#define SCHEMA		0x7061726365c6c501ul

struct parcel {
	uint64_t producer;
	uint64_t number;	/* counts from 0 for each producer */
	uint64_t weight;	/* made from both */
};

CHANNEL_TYPED(parcel, struct parcel, SCHEMA)

static uint64_t
weigh(const struct parcel *parcel)
{
	uint64_t value = (parcel->producer << 48) + parcel->number + 1;

	value *= 0x9e3779b97f4a7c15ul;
	return value ^ value >> 29;
}

bool
traffic_create(struct traffic *traffic)
{
	pthread_barrierattr_t attributes;
	void *memory = mmap(NULL, sizeof(*traffic->shared),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return false;
	traffic->shared = memory;
	pthread_barrierattr_init(&attributes);
	pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&traffic->shared->open, &attributes,
	    traffic->producers + traffic->consumers);
	pthread_barrierattr_destroy(&attributes);
	return true;
}

void
traffic_destroy(struct traffic *traffic)
{
	pthread_barrier_destroy(&traffic->shared->open);
	munmap(traffic->shared, sizeof(*traffic->shared));
	traffic->shared = NULL;
}

status_t
traffic_open(struct traffic *traffic, struct attendance *attendance,
    struct channel **out_channel)
{
	struct channel_config config = { .type = CHANNEL_ASYNC,
		.overflow = CHANNEL_BLOCK, .serializer = traffic->serializer };
	struct channel_options options = { .domain = attendance->domain };
	struct parcel_channel channel;
	status_t status = parcel_create(NAME, &config, &options,
	    attendance->token, &channel);

	*out_channel = channel.typed.channel;
	return status;
}

/* Waits for all others, too, whether it worked or not. */
static status_t
join(struct traffic *traffic, unsigned role, struct attendance *attendance,
    struct parcel_channel *out_channel)
{
	struct channel_options options = { .role = role,
		.serializer = traffic->serializer };
	status_t status = ERR_GONE;

	*out_channel = (struct parcel_channel){ 0 };
	if (meeting_enter(traffic->meeting, attendance)) {
		options.domain = attendance->domain;
		status = parcel_open(NAME, &options, attendance->token,
		    out_channel);
	}
	pthread_barrier_wait(&traffic->shared->open);
	return status;
}

/* Others read it meanwhile. */
static void
note(uint64_t *total, uint64_t value)
{
	__atomic_store_n(total, value, __ATOMIC_RELAXED);
}

void
traffic_produce(struct traffic *traffic, unsigned number)
{
	struct traffic_totals *totals = &traffic->shared->producer[number];
	uint32_t *stop = &traffic->shared->stop;
	struct parcel parcel = { .producer = number };
	struct parcel_channel channel;
	struct attendance attendance;
	status_t status = join(traffic, CHANNEL_SENDER, &attendance, &channel);

	while (status == OK &&
	    (traffic->count == 0 || parcel.number < traffic->count) &&
	    __atomic_load_n(stop, __ATOMIC_RELAXED) == 0) {
		parcel.weight = weigh(&parcel);
		status = parcel_send(&channel, &parcel, attendance.token);
		if (status != OK)
			break;
		note(&totals->sum, totals->sum + parcel.weight);
		note(&totals->messages, ++parcel.number);
	}
	totals->status = status;
	parcel_close(&channel);
	meeting_leave(traffic->meeting, &attendance);
}

/* Of one producer numbers only grow: others of it went to other consumers. */
static bool
is_right(const struct parcel *parcel, uint64_t next[TRAFFIC_MEMBERS_MAX])
{
	if (parcel->producer >= TRAFFIC_MEMBERS_MAX ||
	    parcel->weight != weigh(parcel) ||
	    parcel->number < next[parcel->producer])
		return false;
	next[parcel->producer] = parcel->number + 1;
	return true;
}

void
traffic_consume(struct traffic *traffic, unsigned number)
{
	struct traffic_totals *totals = &traffic->shared->consumer[number];
	uint64_t next[TRAFFIC_MEMBERS_MAX] = { 0 };
	struct parcel_channel channel;
	struct attendance attendance;
	struct parcel parcel;
	status_t status = join(traffic, CHANNEL_RECEIVER, &attendance,
	    &channel);

	while (status == OK) {
		status = parcel_receive_until(&channel, &parcel,
		    attendance.token, CHANNEL_FOREVER);
		if (status != OK)
			break;
		note(&totals->sum, totals->sum + parcel.weight);
		note(&totals->messages, totals->messages + 1);
		if (!is_right(&parcel, next))
			note(&totals->wrong, totals->wrong + 1);
	}
	/* All producers are gone: the end as planned. */
	totals->status = status == ERR_GONE && channel.typed.channel != NULL
	    ? OK : status;
	parcel_close(&channel);
	meeting_leave(traffic->meeting, &attendance);
}

static struct traffic_totals
sum(const struct traffic_totals *totals, unsigned count)
{
	struct traffic_totals all = { 0 };

	for (unsigned i = 0; i < count; i++) {
		all.messages += __atomic_load_n(&totals[i].messages,
		    __ATOMIC_RELAXED);
		all.sum += __atomic_load_n(&totals[i].sum, __ATOMIC_RELAXED);
		all.wrong += __atomic_load_n(&totals[i].wrong,
		    __ATOMIC_RELAXED);
		if (totals[i].status != OK)
			all.status = totals[i].status;
	}
	return all;
}

struct traffic_sums
traffic_sums(const struct traffic *traffic)
{
	return (struct traffic_sums){
		.sent = sum(traffic->shared->producer, traffic->producers),
		.received = sum(traffic->shared->consumer,
		    traffic->consumers) };
}

bool
traffic_is_exact(const struct traffic *traffic)
{
	struct traffic_sums sums = traffic_sums(traffic);

	return sums.sent.status == OK && sums.received.status == OK &&
	    sums.received.wrong == 0 &&
	    (traffic->count == 0 ||
	    sums.sent.messages == traffic->count * traffic->producers) &&
	    sums.sent.messages == sums.received.messages &&
	    sums.sent.sum == sums.received.sum;
}
