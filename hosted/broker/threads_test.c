/* SPDX-License-Identifier: MIT */
/*
 * Threads of a process share one connection: each has members of its own, and
 * whoever reads an event reads it for the one that it is for.
 */
#include "harness_host.h"

#include <lib/test/ktap.h>

#include <pthread.h>

#define PAIRS		3u
#define MESSAGES	300u
#define SECOND_NS	1000000000ul

static struct harness harness;
static struct channel_domain *domain;
static unsigned rounds = 10;

static uint64_t
in_seconds(unsigned seconds)
{
	return domain->port->now_ns(domain) + seconds * SECOND_NS;
}

struct worker {
	pthread_t thread;
	unsigned pair;
	uint64_t wrong;
};

static void
name_of(unsigned pair, unsigned round, char name[32])
{
	snprintf(name, 32, "pair-%u-%u", pair, round);
}

static status_t
send_some(unsigned pair, unsigned round)
{
	struct channel_options options = {
		.domain = domain, .role = CHANNEL_SENDER,
	};
	struct channel *channel;
	char name[32];
	status_t status;

	name_of(pair, round, name);
	while ((status = channel_open(name, &options, NULL, &channel)) ==
	    ERR_NOENT)
		harness_pause_ms(1);
	for (uint64_t i = 0; i < MESSAGES && status == OK; i++)
		status = channel_send_until(channel, &i, sizeof(i), NULL,
		    in_seconds(30));
	channel_close(channel);
	return status;
}

static void *
sender(void *context)
{
	struct worker *worker = context;

	for (unsigned i = 0; i < rounds; i++)
		worker->wrong += send_some(worker->pair, i) != OK;
	return NULL;
}

static status_t
receive_some(unsigned pair, unsigned round)
{
	static const struct channel_config config = {
		.message_max = 48, .buffer_size = 1024, .pollable = true,
	};
	struct channel_options options = {
		.domain = domain, .role = CHANNEL_RECEIVER,
	};
	struct channel *channel;
	char name[32];
	status_t status;

	name_of(pair, round, name);
	status = channel_create(name, &config, &options, NULL, &channel);
	if (status != OK)
		return status;
	for (uint64_t i = 0; i < MESSAGES && status == OK; i++) {
		uint64_t got = 0;
		size_t length = sizeof(got);

		status = channel_receive_until(channel, &got, &length, NULL,
		    in_seconds(30));
		if (status == OK && got != i)
			status = ERR_CORRUPT;
	}
	channel_close(channel);
	return status;
}

static void *
receiver(void *context)
{
	struct worker *worker = context;

	for (unsigned i = 0; i < rounds; i++)
		worker->wrong += receive_some(worker->pair, i) != OK;
	return NULL;
}

TEST(test_threads_share_one_connection)
{
	struct worker worker[2 * PAIRS] = { 0 };
	struct broker_totals totals;

	if (getenv("BENNU_TEST_MORE") != NULL)
		rounds = 200;
	harness_start(&harness, NULL);
	domain = harness_connect(&harness);
	if (domain == NULL)
		abort();
	for (unsigned i = 0; i < 2 * PAIRS; i++) {
		worker[i].pair = i / 2;
		if (pthread_create(&worker[i].thread, NULL,
		    i % 2 == 0 ? sender : receiver, &worker[i]) != 0)
			abort();
	}
	for (unsigned i = 0; i < 2 * PAIRS; i++) {
		pthread_join(worker[i].thread, NULL);
		EXPECT_EQ(worker[i].wrong, 0);
	}
	EXPECT_EQ(channel_hosted_totals(domain, &totals), OK);
	EXPECT_EQ(totals.processes, 1);
	channel_domain_hosted_close(domain);
	EXPECT(harness_is_empty(&harness, &totals));
	EXPECT_EQ(harness_end(&harness), 0);
}

TEST_MAIN(0)
