/* SPDX-License-Identifier: MIT */
/*
 * Channels: a message through a ring, through a channel whose two ends one
 * thread has (no sleep, no system call), there and back between two address
 * spaces that sleep for each other, and a request that the service loop of a
 * real service answers.
 */
#include "bench.h"

#include <lib/base/string.h>
#include <lib/channel/config.h>
#include <lib/channel/guest/guest.h>
#include <lib/ring/ring.h>
#include <lib/service/service.h>

#define LINES		64u
#define BYTES		32u	/* of a message: fits one line */

static cap_t broker;
static struct peer peer = { .class = CLASS_HIGH };
static struct channel_domain *domain;
static struct channel *near, *far;
static struct channel_member member;
static uint8_t message[BYTES];

static uint8_t ring_memory[(LINES + 8) * RING_LINE] __attribute__((aligned(64)));
static struct ring_producer producer;
static struct ring_consumer consumer;

static void
must(const char *what, status_t status)
{
	if (status != OK)
		service_panic("%s: status %lu", what, status);
}

static struct channel_domain *
open_domain(cap_t vspace, cap_t notification)
{
	const struct channel_guest_options options = {
		.broker = broker, .vspace = vspace,
		.notification = notification, .bits = 1,
		.now_ns = service_now_ns,
	};
	struct channel_domain *opened;

	must("no domain", channel_domain_guest(&options, &opened));
	channel_domain_set_default(opened);
	return opened;
}

/* One word there and back, so that nothing but the ring is counted. */
static void
do_ring(void)
{
	struct ring_message got;
	void *room;

	if (ring_reserve(&producer, 8, &room) != OK)
		return;
	*(uint64_t *)room = 1;
	ring_commit(&producer, 8, RING_DATA, 0);
	if (ring_peek(&consumer, &got) == OK)
		ring_release(&consumer);
}

static void
do_send_receive(void)
{
	size_t length = sizeof(message);

	channel_send(near, message, sizeof(message), NULL);
	channel_receive(far, message, &length, NULL);
}

static void
do_channel_call(void)
{
	struct channel_exchange exchange = {
		.request = message, .request_length = sizeof(message),
		.answer = message, .answer_length = sizeof(message),
		.deadline_ns = CHANNEL_FOREVER,
	};

	channel_call(near, &exchange);
}

static void
do_service_call(void)
{
	struct channel_event event;

	domain->port->next_event(domain, &member, &event);
}

/* The other side of do_channel_call, until it is stopped. */
static void
peer_answer(void)
{
	const struct channel_options receiver = { .role = CHANNEL_RECEIVER };
	uint8_t buffer[BYTES];
	struct channel *channel;

	open_domain(peer.vspace, objects.notification);
	must("peer", channel_open("call", &receiver, NULL, &channel));
	for (;;) {
		size_t length = sizeof(buffer);

		if (channel_receive_until(channel, buffer, &length, NULL,
		    CHANNEL_FOREVER) == OK)
			channel_answer(channel, buffer, length);
	}
}

static void
measure_ring(void)
{
	if (ring_size(LINES) > sizeof(ring_memory))
		service_panic("the ring is larger than its memory");
	ring_format(ring_memory, LINES);
	must("producer", ring_producer_open(&producer, ring_memory, LINES));
	must("consumer", ring_consumer_open(&consumer, ring_memory, LINES));
	measure("ring_enqueue_dequeue", 40, NULL, do_ring);
}

static void
measure_send_receive(void)
{
	const struct channel_config config = { .type = CHANNEL_ASYNC };
	const struct channel_options sender = { .role = CHANNEL_SENDER };
	const struct channel_options receiver = { .role = CHANNEL_RECEIVER };

	must("create", channel_create("line", &config, &sender, NULL, &near));
	must("open", channel_open("line", &receiver, NULL, &far));
	measure("channel_send_receive", 0, NULL, do_send_receive);
	channel_close(far);
	channel_close(near);
}

static void
measure_round_trip(void)
{
	const struct channel_config config = { .type = CHANNEL_SYNC };
	const struct channel_options sender = { .role = CHANNEL_SENDER };

	must("create", channel_create("call", &config, &sender, NULL, &near));
	must("no peer", peer_start(&peer, peer_answer, NULL));
	measure("channel_round_trip", 2000, NULL, do_channel_call);
	peer_stop(&peer);
	channel_close(near);
}

static void
measure_service_call(void)
{
	const struct channel_config config = { .type = CHANNEL_ASYNC };
	const struct channel_options options = { .role = CHANNEL_SENDER };
	struct channel_config filled;

	must("config", channel_config_fill(&config, &filled));
	must("member", domain->port->create(domain, "idle", &filled, &options,
	    NULL, &member));
	measure("service_call_small", 500, NULL, do_service_call);
	domain->port->close(domain, &member);
}

void
measure_channels(cap_t vspace, cap_t granted)
{
	broker = granted;
	measure_ring();
	domain = open_domain(vspace, PLACE_NOTIFICATION);
	measure_send_receive();
	measure_service_call();
	measure_round_trip();
	channel_domain_guest_close(domain);
}
