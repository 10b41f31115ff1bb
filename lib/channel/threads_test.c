/* SPDX-License-Identifier: MIT */
/*
 * Members in threads of their own: what waits is woken, nothing is lost, and an
 * idle member uses no CPU.
 */
#include "test_host.h"

#include <pthread.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#define MESSAGES	50000u

struct work {
	pthread_t thread;
	struct channel *channel;
	uint64_t count;		/* to send; received */
	uint64_t sum;
	uint64_t cpu_ns;
	status_t status;	/* that ended it */
};

static void
start(struct work *work, void *(*body)(void *work), struct channel *channel,
    uint64_t count)
{
	*work = (struct work){ .channel = channel, .count = count };
	if (pthread_create(&work->thread, NULL, body, work) != 0)
		exit(1);
}

static void *
send_many(void *argument)
{
	struct work *work = argument;

	for (uint64_t i = 0; i < work->count && work->status == OK; i++) {
		work->status = channel_send(work->channel, &i, sizeof(i),
		    NULL);
		work->sum += i;
	}
	channel_close(work->channel);
	return NULL;
}

static void *
receive_all(void *argument)
{
	struct work *work = argument;
	uint64_t number;
	struct timespec cpu;

	for (;;) {
		size_t length = sizeof(number);

		work->status = channel_receive_until(work->channel, &number,
		    &length, NULL, CHANNEL_FOREVER);
		if (work->status != OK)
			break;
		work->count++;
		work->sum += number;
	}
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
	work->cpu_ns = (uint64_t)cpu.tv_sec * 1000000000ul +
	    (uint64_t)cpu.tv_nsec;
	return NULL;
}

/* Senders and receivers of one channel, each a thread; all must arrive. */
static void
check_crowd(const struct channel_config *config, unsigned senders,
    unsigned receivers)
{
	struct channel *owner = create("crowd", 0, config);
	struct work in[4], out[4];
	uint64_t count = 0, sum = 0, sent = 0;
	unsigned copies = config->type == CHANNEL_BROADCAST ? receivers : 1;

	for (unsigned i = 0; i < receivers; i++)
		start(&in[i], receive_all, join("crowd", CHANNEL_RECEIVER, 0),
		    0);
	struct channel *sender[4];
	for (unsigned i = 0; i < senders; i++)
		sender[i] = join("crowd", CHANNEL_SENDER, 0);
	for (unsigned i = 0; i < senders; i++)
		start(&out[i], send_many, sender[i], MESSAGES / senders);
	for (unsigned i = 0; i < senders; i++) {
		pthread_join(out[i].thread, NULL);
		KTAP_EQUAL(out[i].status, OK);
		sent += out[i].sum;
	}
	for (unsigned i = 0; i < receivers; i++) {
		pthread_join(in[i].thread, NULL);
		KTAP_EQUAL(in[i].status, ERR_GONE);
		count += in[i].count;
		sum += in[i].sum;
		channel_close(in[i].channel);
	}
	KTAP_EQUAL(count, (uint64_t)copies * (MESSAGES / senders) * senders);
	KTAP_EQUAL(sum, copies * sent);
	channel_close(owner);
}

static void
test_blocked_senders_and_receivers_are_woken(void)
{
	struct channel_config config = {
		.message_max = 40, .buffer_size = 512,
	};

	check_crowd(&config, 1, 1);
	check_crowd(&config, 3, 1);
	check_crowd(&config, 1, 3);
	check_crowd(&config, 2, 2);
	/* Sleeping at once shows a lost wake-up sooner. */
	config.spin_ns = 1;
	check_crowd(&config, 1, 1);
	check_crowd(&config, 2, 2);
	config.type = CHANNEL_BROADCAST;
	check_crowd(&config, 2, 2);
	config.type = CHANNEL_BATCH;
	check_crowd(&config, 2, 2);
}

static void
test_idle_receiver_uses_no_cpu(void)
{
	struct channel *owner = create("idle", CHANNEL_SENDER,
	    &(struct channel_config){ 0 });
	struct work work;

	start(&work, receive_all, join("idle", CHANNEL_RECEIVER, 0), 0);
	for (uint64_t i = 0; i < 3; i++) {
		usleep(100000);
		KTAP_EQUAL(send_number(owner, i), OK);
	}
	channel_close(owner);
	pthread_join(work.thread, NULL);
	KTAP_EQUAL(work.count, 3);
	/* Of 300 ms. */
	KTAP_CHECK(work.cpu_ns < 5000000);
	channel_close(work.channel);
}

static void *
answer_all(void *argument)
{
	struct work *work = argument;
	uint64_t number;

	for (;;) {
		size_t length = sizeof(number);

		work->status = channel_receive_until(work->channel, &number,
		    &length, NULL, CHANNEL_FOREVER);
		if (work->status != OK)
			break;
		number = 2 * number + 1;
		if (++work->count % 100 == 99)
			continue;	/* no answer at all */
		must(channel_answer(work->channel, &number, sizeof(number)),
		    "answer");
	}
	return NULL;
}

static status_t
call_number(struct channel *channel, uint64_t number, uint64_t *out_answer,
    uint64_t deadline_ns)
{
	struct channel_exchange exchange = {
		.request = &number, .request_length = sizeof(number),
		.answer = out_answer, .answer_length = sizeof(*out_answer),
		.deadline_ns = deadline_ns,
	};
	return channel_call(channel, &exchange);
}

static void
test_a_call_gets_its_own_answer(void)
{
	struct channel *caller = create("sync", CHANNEL_SENDER,
	    &(struct channel_config){ .type = CHANNEL_SYNC });
	struct work work[2];
	unsigned unanswered = 0;

	for (unsigned i = 0; i < 2; i++)
		start(&work[i], answer_all, join("sync", CHANNEL_RECEIVER, 0),
		    0);
	for (uint64_t i = 0; i < 5000; i++) {
		uint64_t answer = 0;
		status_t status = call_number(caller, i, &answer,
		    CHANNEL_FOREVER);

		unanswered += status == ERR_GONE;
		if (status != ERR_GONE) {
			KTAP_EQUAL(status, OK);
			KTAP_EQUAL(answer, 2 * i + 1);
		}
	}
	unanswered += channel_send(caller, "12345678", 8, NULL) == ERR_GONE;
	channel_close(caller);
	uint64_t count = 0, expected = 0;
	for (unsigned i = 0; i < 2; i++) {
		pthread_join(work[i].thread, NULL);
		count += work[i].count;
		expected += (work[i].count + 1) / 100;
		channel_close(work[i].channel);
	}
	KTAP_EQUAL(count, 5001);
	KTAP_EQUAL(unanswered, expected);
}

static void *
close_late(void *argument)
{
	struct work *work = argument;
	uint64_t number;
	size_t length = sizeof(number);

	work->status = channel_receive_until(work->channel, &number, &length,
	    NULL, CHANNEL_FOREVER);
	usleep(20000);
	channel_close(work->channel);
	return NULL;
}

static void
test_a_call_ends_when_its_receiver_goes_away(void)
{
	struct channel *caller = create("sync", CHANNEL_SENDER,
	    &(struct channel_config){ .type = CHANNEL_SYNC });
	struct work work;
	uint64_t answer;

	start(&work, close_late, join("sync", CHANNEL_RECEIVER, 0), 0);
	KTAP_EQUAL(call_number(caller, 1, &answer, CHANNEL_FOREVER),
	    ERR_GONE);
	pthread_join(work.thread, NULL);
	KTAP_EQUAL(call_number(caller, 1, &answer, soon()), ERR_EMPTY);
	channel_close(caller);
}

static void *
send_later(void *argument)
{
	struct work *work = argument;

	usleep(20000);
	work->status = channel_send(work->channel, &work->count,
	    sizeof(work->count), NULL);
	return NULL;
}

static void
test_descriptor_is_readable_when_there_is_a_message(void)
{
	struct pair pair = pair_open(&(struct channel_config){
		.pollable = true,
	});
	struct pollfd wait = { .events = POLLIN };
	struct work work;

	KTAP_REQUIRE(channel_descriptor(pair.receiver, &wait.fd) == OK);
	for (uint64_t i = 0; i < 10; i++) {
		KTAP_EQUAL(receive_number(pair.receiver), NOTHING);
		KTAP_EQUAL(poll(&wait, 1, 0), 0);
		start(&work, send_later, pair.sender, i);
		KTAP_EQUAL(poll(&wait, 1, 5000), 1);
		KTAP_EQUAL(receive_number(pair.receiver), i);
		pthread_join(work.thread, NULL);
	}
	/* A sender that comes, or goes, is news too. */
	KTAP_EQUAL(receive_number(pair.receiver), NOTHING);
	channel_close(pair.sender);
	KTAP_EQUAL(poll(&wait, 1, 5000), 1);
	pair.sender = NULL;
	pair_close(&pair);
}

/* Calls of quiet, and what changes the generation for others meanwhile. */
static const struct channel_port *plain;
static unsigned quiets;

static void
quiet_while_others_come(struct channel_domain *in,
    struct channel_member *member)
{
	plain->quiet(in, member);
	if (quiets++ < 3) {
		struct channel *one = create("other", CHANNEL_SENDER,
		    &(struct channel_config){ 0 });

		channel_close(join("other", CHANNEL_RECEIVER, 0));
		channel_close(one);
	}
}

static void
test_descriptor_is_readable_whatever_others_do(void)
{
	struct pair pair = pair_open(&(struct channel_config){
		.pollable = true,
	});
	struct pollfd wait = { .events = POLLIN };
	struct channel_port noisy = *domain->port;

	plain = domain->port;
	noisy.quiet = quiet_while_others_come;
	KTAP_REQUIRE(channel_descriptor(pair.receiver, &wait.fd) == OK);
	domain->port = &noisy;
	quiets = 0;
	KTAP_EQUAL(receive_number(pair.receiver), NOTHING);
	domain->port = plain;
	KTAP_CHECK(quiets > 0);
	KTAP_EQUAL(poll(&wait, 1, 0), 0);
	KTAP_EQUAL(send_number(pair.sender, 5), OK);
	KTAP_EQUAL(poll(&wait, 1, 0), 1);
	KTAP_EQUAL(receive_number(pair.receiver), 5);
	pair_close(&pair);
}

/* It looks as if there were something, and there is nothing. */
static void
test_lane_that_lies_keeps_no_other_from_the_descriptor(void)
{
	struct pair pair = pair_open(&(struct channel_config){
		.pollable = true,
	});
	struct channel *liar = join("pair", CHANNEL_SENDER, 0);
	struct pollfd wait = { .events = POLLIN };

	KTAP_REQUIRE(channel_descriptor(pair.receiver, &wait.fd) == OK);
	KTAP_EQUAL(send_number(liar, 1), OK);
	KTAP_EQUAL(receive_number(pair.receiver), 1);
	struct ring_memory *memory = lane_out_at(liar, 0)->place.memory;
	memory->oldest = 1ul << 40;
	KTAP_EQUAL(receive_number(pair.receiver), NOTHING);
	KTAP_EQUAL(poll(&wait, 1, 0), 0);
	KTAP_EQUAL(send_number(pair.sender, 5), OK);
	KTAP_EQUAL(poll(&wait, 1, 0), 1);
	KTAP_EQUAL(receive_number(pair.receiver), 5);
	channel_close(liar);
	pair_close(&pair);
}

static void *
open_late(void *argument)
{
	struct work *work = argument;

	usleep(20000);
	work->channel = join("late", CHANNEL_RECEIVER, 0);
	return receive_all(work);
}

static void
test_sender_waits_for_a_receiver(void)
{
	struct channel *sender = create("late", CHANNEL_SENDER,
	    &(struct channel_config){ 0 });
	struct work work;
	uint64_t number = 42;

	start(&work, open_late, NULL, 0);
	KTAP_EQUAL(channel_send(sender, &number, sizeof(number), NULL), OK);
	channel_close(sender);
	pthread_join(work.thread, NULL);
	KTAP_EQUAL(work.sum, 42);
	channel_close(work.channel);
}

/* Members that come and go all the time, while others talk. */
static void *
come_and_go(void *argument)
{
	struct work *work = argument;
	uint64_t number = 0;

	for (unsigned i = 0; i < 300; i++) {
		struct channel *channel = join("busy",
		    i % 2 == 0 ? CHANNEL_SENDER : CHANNEL_RECEIVER, 0);

		for (unsigned j = 0; j < 10; j++) {
			if (i % 2 != 0)
				work->count += receive_number(channel) !=
				    NOTHING;
			else
				work->sum += channel_send_until(channel,
				    &number, sizeof(number), NULL,
				    CHANNEL_NOW) == OK;
		}
		channel_close(channel);
	}
	return NULL;
}

static void
test_members_come_and_go_under_load(void)
{
	struct channel *owner = create("busy",
	    CHANNEL_SENDER | CHANNEL_RECEIVER, &(struct channel_config){
		.type = CHANNEL_BROADCAST, .overflow = CHANNEL_DROP_NEWEST,
		.message_max = 40, .buffer_size = 1024,
	    });
	struct work work[2];

	for (unsigned i = 0; i < 2; i++)
		start(&work[i], come_and_go, NULL, 0);
	uint64_t received = 0;
	for (unsigned i = 0; i < 30000; i++) {
		send_number(owner, i);
		received += receive_number(owner) != NOTHING;
	}
	for (unsigned i = 0; i < 2; i++)
		pthread_join(work[i].thread, NULL);
	while (receive_number(owner) != NOTHING)
		received++;
	struct channel_statistics own = statistic(owner);
	KTAP_EQUAL(own.corrupt, 0);
	KTAP_EQUAL(own.received, received);
	channel_close(owner);
}

int
main(void)
{
	static const struct ktap_test tests[] = {
		KTAP_TEST(test_blocked_senders_and_receivers_are_woken),
		KTAP_TEST(test_idle_receiver_uses_no_cpu),
		KTAP_TEST(test_a_call_gets_its_own_answer),
		KTAP_TEST(test_a_call_ends_when_its_receiver_goes_away),
		KTAP_TEST(test_descriptor_is_readable_when_there_is_a_message),
		KTAP_TEST(test_descriptor_is_readable_whatever_others_do),
		KTAP_TEST(test_lane_that_lies_keeps_no_other_from_the_descriptor),
		KTAP_TEST(test_sender_waits_for_a_receiver),
		KTAP_TEST(test_members_come_and_go_under_load),
	};
	if (channel_domain_private(&domain) != OK)
		return 1;
	int failures = KTAP_RUN(tests);
	channel_domain_private_close(domain);
	return failures;
}
