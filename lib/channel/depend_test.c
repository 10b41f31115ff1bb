/* SPDX-License-Identifier: MIT */
/*
 * Dependencies between channels of one process: what a call in the middle of a
 * message adds, what is refused, in which order staged messages appear. Beside
 * random graphs stands a matrix in which ways are looked for by trying all.
 */
#include "test_host.h"

#include <pthread.h>

#define NODES	8u
#define STEPS	20000u
#define LONG	300u

static const struct channel_config sync_config = {
	.type = CHANNEL_SYNC, .message_max = 48, .buffer_size = 1024,
};
static const struct channel_config batch_config = {
	.type = CHANNEL_BATCH, .message_max = 48, .buffer_size = 1024,
};

/* The port under the tests, which notes what it is asked. */
static const struct channel_port *real;
static struct channel_port noting;
static unsigned edges_asked, wakes;
static uint64_t woken[16];

static status_t
note_add_dep(struct channel_domain *base, const struct channel_member *parent,
    const struct channel_member *child)
{
	__atomic_add_fetch(&edges_asked, 1, __ATOMIC_RELAXED);
	return real->add_dep(base, parent, child);
}

static void
note_wake(struct channel_domain *base, const struct lane_place *place,
    uint32_t *word)
{
	unsigned at = __atomic_fetch_add(&wakes, 1, __ATOMIC_RELAXED);

	if (at < 16)
		__atomic_store_n(&woken[at], place->peer, __ATOMIC_RELAXED);
	real->wake(base, place, word);
}

struct service {
	struct channel *server, *client;
};

static struct service
service_open(const char *name)
{
	return (struct service){
		.server = create(name, CHANNEL_RECEIVER, &sync_config),
		.client = join(name, CHANNEL_SENDER, 0),
	};
}

static void
service_close(struct service *service)
{
	channel_close(service->client);
	channel_close(service->server);
}

static status_t
call_until(struct channel *channel, uint64_t deadline)
{
	uint64_t request = 7, answer;
	struct channel_exchange exchange = {
		.request = &request, .request_length = sizeof(request),
		.answer = &answer, .answer_length = sizeof(answer),
		.deadline_ns = deadline,
	};

	return channel_call(channel, &exchange);
}

/* Nobody answers: what is allowed ends with its time. */
static status_t
call(struct service *service)
{
	return call_until(service->client, soon());
}

/* The service has a request in hand. */
static void
begin(struct service *service)
{
	KTAP_EQUAL(call(service), ERR_TIMEOUT);
	KTAP_EQUAL(receive_number(service->server), 7);
}

static void
end(struct service *service)
{
	KTAP_EQUAL(channel_answer(service->server, "", 0), OK);
}

static void
test_call_that_closes_a_circle_is_refused_unsent(void)
{
	struct service a = service_open("a"), b = service_open("b");

	begin(&a);
	KTAP_EQUAL(call(&b), ERR_TIMEOUT);
	end(&a);
	KTAP_EQUAL(receive_number(b.server), 7);
	uint64_t sent = statistic(a.client).sent;
	KTAP_EQUAL(call(&a), ERR_STATE);
	KTAP_EQUAL(channel_send(a.client, "x", 1, NULL), ERR_STATE);
	KTAP_EQUAL(statistic(a.client).sent, sent);
	KTAP_EQUAL(receive_number(a.server), NOTHING);
	end(&b);
	/* With nothing in hand it waits for nobody. */
	KTAP_EQUAL(call(&a), ERR_TIMEOUT);
	service_close(&a);
	service_close(&b);
}

static void
test_call_to_the_channel_in_hand_is_refused(void)
{
	struct service a = service_open("a");

	begin(&a);
	KTAP_EQUAL(call(&a), ERR_STATE);
	end(&a);
	service_close(&a);
}

static void
test_edge_of_a_call_is_asked_for_once(void)
{
	struct service a = service_open("a"), b = service_open("b");

	edges_asked = 0;
	for (unsigned i = 0; i < 4; i++) {
		begin(&a);
		KTAP_EQUAL(call(&b), ERR_TIMEOUT);
		KTAP_EQUAL(call(&b), ERR_TIMEOUT);
		end(&a);
	}
	KTAP_EQUAL(edges_asked, 1);
	/* And is gone when it was removed. */
	KTAP_EQUAL(channel_remove_dep(a.server, b.client), OK);
	KTAP_EQUAL(channel_remove_dep(a.server, b.client), ERR_NOENT);
	begin(&b);
	KTAP_EQUAL(call(&a), ERR_TIMEOUT);
	end(&b);
	KTAP_EQUAL(edges_asked, 2);
	begin(&a);
	KTAP_EQUAL(call(&b), ERR_STATE);
	end(&a);
	service_close(&a);
	service_close(&b);
}

static void
test_peeked_message_is_in_hand_until_its_release(void)
{
	struct pair a = pair_open(&(struct channel_config){ 0 });
	struct service b = service_open("b");
	struct channel_view view;

	edges_asked = 0;
	KTAP_EQUAL(send_number(a.sender, 1), OK);
	KTAP_EQUAL(channel_peek(a.receiver, &view, CHANNEL_NOW), OK);
	KTAP_EQUAL(channel_release(a.receiver, &view), OK);
	KTAP_EQUAL(call(&b), ERR_TIMEOUT);
	KTAP_EQUAL(edges_asked, 0);
	KTAP_EQUAL(send_number(a.sender, 2), OK);
	KTAP_EQUAL(channel_peek(a.receiver, &view, CHANNEL_NOW), OK);
	KTAP_EQUAL(call(&b), ERR_TIMEOUT);
	KTAP_EQUAL(edges_asked, 1);
	KTAP_EQUAL(channel_release(a.receiver, &view), OK);
	service_close(&b);
	pair_close(&a);
}

static void
test_next_receive_puts_the_request_out_of_hand(void)
{
	struct service a = service_open("a"), b = service_open("b");

	begin(&a);
	KTAP_EQUAL(receive_number(a.server), NOTHING);
	edges_asked = 0;
	KTAP_EQUAL(call(&b), ERR_TIMEOUT);
	KTAP_EQUAL(edges_asked, 0);
	service_close(&a);
	service_close(&b);
}

static void *
begin_in_thread(void *service)
{
	begin(service);
	return NULL;
}

static void
test_request_in_the_hand_of_another_thread_adds_no_edge(void)
{
	struct service a = service_open("a"), b = service_open("b");
	struct service c = service_open("c");
	pthread_t thread;

	edges_asked = 0;
	for (unsigned i = 0; i < 2; i++) {
		/* It ends with the request in hand; the ends are ours now. */
		KTAP_EQUAL(pthread_create(&thread, NULL, begin_in_thread,
		    i == 0 ? &a : &b), 0);
		pthread_join(thread, NULL);
		KTAP_EQUAL(call(&c), ERR_TIMEOUT);
		KTAP_EQUAL(edges_asked, 0);
	}
	end(&a);
	service_close(&b);
	service_close(&a);
	service_close(&c);
}

/* Serves one request of its own channel by a call to the other one. */
struct worker {
	struct channel *server, *other;
	pthread_barrier_t *both;
	status_t status;
};

static void *
work(void *context)
{
	struct worker *worker = context;
	uint64_t number;
	size_t length = sizeof(number);

	must(channel_receive_until(worker->server, &number, &length, NULL,
	    CHANNEL_FOREVER), "receive");
	pthread_barrier_wait(worker->both);
	worker->status = call_until(worker->other, CHANNEL_FOREVER);
	channel_answer(worker->server, &number, sizeof(number));
	/* Who may call waits for this one: it goes on serving. */
	length = sizeof(number);
	if (worker->status == ERR_STATE && channel_receive_until(
	    worker->server, &number, &length, NULL, CHANNEL_FOREVER) == OK)
		channel_answer(worker->server, &number, sizeof(number));
	return NULL;
}

static void
test_two_threads_that_call_each_other_do_not_wait_forever(void)
{
	for (unsigned round = 0; round < 20; round++) {
		struct service a = service_open("a"), b = service_open("b");
		pthread_barrier_t both;
		struct worker worker[2] = {
			{ a.server, join("b", CHANNEL_SENDER, 0), &both, OK },
			{ b.server, join("a", CHANNEL_SENDER, 0), &both, OK },
		};
		pthread_t thread[2];

		KTAP_EQUAL(call(&a), ERR_TIMEOUT);
		KTAP_EQUAL(call(&b), ERR_TIMEOUT);
		pthread_barrier_init(&both, NULL, 2);
		for (unsigned i = 0; i < 2; i++)
			KTAP_EQUAL(pthread_create(&thread[i], NULL, work,
			    &worker[i]), 0);
		for (unsigned i = 0; i < 2; i++)
			pthread_join(thread[i], NULL);
		KTAP_EQUAL((worker[0].status == ERR_STATE) +
		    (worker[1].status == ERR_STATE), 1);
		KTAP_EQUAL((worker[0].status == OK) +
		    (worker[1].status == OK), 1);
		pthread_barrier_destroy(&both);
		channel_close(worker[0].other);
		channel_close(worker[1].other);
		service_close(&a);
		service_close(&b);
	}
}

static void
test_edge_needs_a_sending_child_of_the_same_domain(void)
{
	struct service a = service_open("a"), b = service_open("b");
	struct channel *idle = create("idle", 0, &sync_config);
	struct channel_options options = { .role = CHANNEL_SENDER };
	struct channel *strange;

	KTAP_EQUAL(channel_add_dep(a.server, b.server), ERR_ARG);
	KTAP_EQUAL(channel_add_dep(idle, b.client), ERR_ARG);
	KTAP_EQUAL(channel_add_dep(a.server, a.client), ERR_STATE);
	KTAP_EQUAL(channel_submit(a.server), ERR_STATE);
	KTAP_EQUAL(channel_remove_dep(a.server, b.client), ERR_NOENT);
	must(channel_domain_private(&options.domain), "domain");
	must(channel_create("b", &sync_config, &options, NULL, &strange),
	    "create");
	KTAP_EQUAL(channel_add_dep(a.server, strange), ERR_ARG);
	channel_close(strange);
	channel_domain_private_close(options.domain);
	channel_close(idle);
	service_close(&a);
	service_close(&b);
}

static void
test_closed_end_and_gone_channel_take_their_edges_along(void)
{
	struct service a = service_open("a"), b = service_open("b");

	KTAP_EQUAL(channel_add_dep(a.server, b.client), OK);
	KTAP_EQUAL(channel_add_dep(b.server, a.client), ERR_STATE);
	channel_close(a.server);
	KTAP_EQUAL(channel_add_dep(b.server, a.client), OK);
	/* The next of the same name is another channel. */
	service_close(&b);
	b = service_open("b");
	channel_close(a.client);
	a = service_open("a");
	KTAP_EQUAL(channel_add_dep(a.server, b.client), OK);
	service_close(&b);
	b = service_open("b");
	KTAP_EQUAL(channel_add_dep(b.server, a.client), OK);
	KTAP_EQUAL(channel_add_dep(a.server, b.client), ERR_STATE);
	service_close(&a);
	service_close(&b);
}

/* More channels than the graph has room for at first. */
static void
test_chain_of_many_channels_closes_nowhere(void)
{
	static struct service chain[LONG];
	char name[16];

	for (unsigned i = 0; i < LONG; i++) {
		snprintf(name, sizeof(name), "chain-%u", i);
		chain[i] = service_open(name);
	}
	for (unsigned i = 0; i + 1 < LONG; i++)
		KTAP_EQUAL(channel_add_dep(chain[i + 1].server,
		    chain[i].client), OK);
	for (unsigned i = 1; i < LONG; i++)
		KTAP_EQUAL(channel_add_dep(chain[0].server,
		    chain[i].client), ERR_STATE);
	for (unsigned i = 0; i < LONG; i++)
		service_close(&chain[i]);
}

/* Two ends of a channel, each receiving what the other sends. */
static struct channel *ends[NODES][2];
static bool edge[NODES][2][NODES];	/* [parent][its end][child] */

static void
node_open(unsigned node)
{
	char name[16];

	snprintf(name, sizeof(name), "node-%u", node);
	ends[node][0] = create(name, CHANNEL_SENDER | CHANNEL_RECEIVER,
	    &batch_config);
	ends[node][1] = join(name, CHANNEL_SENDER | CHANNEL_RECEIVER, 0);
}

static void
node_close(unsigned node)
{
	channel_close(ends[node][0]);
	channel_close(ends[node][1]);
	for (unsigned i = 0; i < NODES; i++)
		for (unsigned j = 0; j < 2; j++)
			edge[node][j][i] = edge[i][j][node] = false;
}

static bool
leads_to(unsigned from, unsigned to, unsigned seen)
{
	if (from == to)
		return true;
	for (unsigned i = 0; i < NODES; i++)
		if ((edge[from][0][i] || edge[from][1][i]) &&
		    (seen >> i & 1) == 0 && leads_to(i, to, seen | 1u << i))
			return true;
	return false;
}

/* By links between ends of index 0 only. */
static bool
comes_before(unsigned from, unsigned to)
{
	if (from == to)
		return true;
	for (unsigned i = 0; i < NODES; i++)
		if (edge[from][0][i] && comes_before(i, to))
			return true;
	return false;
}

static void
check_submit(unsigned node)
{
	for (unsigned i = 0; i < NODES; i++)
		KTAP_EQUAL(send_number(ends[i][0], i), OK);
	KTAP_EQUAL(channel_submit(ends[node][0]), OK);
	for (unsigned i = 0; i < NODES; i++) {
		bool before = comes_before(i, node);

		KTAP_EQUAL(receive_number(ends[i][1]), before ? i : NOTHING);
		channel_flush(ends[i][0]);
		KTAP_EQUAL(receive_number(ends[i][1]), before ? NOTHING : i);
	}
}

static uint64_t seed = 11;

static unsigned
random_below(unsigned limit)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 20) % limit;
}

static void
one_step(void)
{
	unsigned a = random_below(NODES), b = random_below(NODES);
	unsigned side = random_below(4) == 0;
	status_t expected;

	switch (random_below(16)) {
	case 0:
		if (random_below(8) == 0) {
			node_close(a);
			node_open(a);
		}
		break;
	case 1:
		check_submit(a);
		break;
	case 2: case 3: case 4: case 5: case 6:
		KTAP_EQUAL(channel_remove_dep(ends[a][side], ends[b][0]),
		    edge[a][side][b] ? OK : ERR_NOENT);
		edge[a][side][b] = false;
		break;
	default:
		expected = leads_to(b, a, 0) ? ERR_STATE : OK;
		KTAP_EQUAL(channel_add_dep(ends[a][side], ends[b][0]),
		    expected);
		edge[a][side][b] |= expected == OK;
	}
}

static void
test_random_graphs_are_as_in_the_model(void)
{
	for (unsigned i = 0; i < NODES; i++)
		node_open(i);
	for (unsigned i = 0; i < STEPS && !ktap_state.failed; i++)
		one_step();
	for (unsigned i = 0; i < NODES; i++)
		node_close(i);
}

static void
send_asleep(unsigned node)
{
	struct channel *sender = ends[node][0];

	KTAP_EQUAL(send_number(sender, node), OK);
	/* As if its receiver slept: it is woken when it can see it. */
	*ring_consumer_word(lane_out_at(sender, 0)->place.memory) = 1;
}

static unsigned
woken_at(unsigned node)
{
	unsigned at = 0;

	while (at < wakes && woken[at] != ends[node][1]->member.number)
		at++;
	return at;
}

static void
test_submit_delivers_parents_before_children(void)
{
	for (unsigned i = 0; i < 5; i++)
		node_open(i);
	/* 3 -> 1, 3 -> 0, 1 -> 2, 0 -> 2; 4 is not concerned. */
	KTAP_EQUAL(channel_add_dep(ends[1][0], ends[2][0]), OK);
	KTAP_EQUAL(channel_add_dep(ends[0][0], ends[2][0]), OK);
	KTAP_EQUAL(channel_add_dep(ends[3][0], ends[1][0]), OK);
	KTAP_EQUAL(channel_add_dep(ends[3][0], ends[0][0]), OK);
	for (unsigned i = 0; i < 5; i++)
		send_asleep(i);
	wakes = 0;
	KTAP_EQUAL(channel_submit(ends[2][0]), OK);
	KTAP_EQUAL(wakes, 4);
	KTAP_EQUAL(woken_at(3), 0);
	KTAP_EQUAL(woken_at(2), 3);
	KTAP_EQUAL(woken_at(4), 4);
	for (unsigned i = 0; i < 5; i++)
		node_close(i);
}

int
main(void)
{
	static const struct ktap_test tests[] = {
		KTAP_TEST(
		    test_call_that_closes_a_circle_is_refused_unsent),
		KTAP_TEST(test_call_to_the_channel_in_hand_is_refused),
		KTAP_TEST(test_edge_of_a_call_is_asked_for_once),
		KTAP_TEST(test_peeked_message_is_in_hand_until_its_release),
		KTAP_TEST(test_next_receive_puts_the_request_out_of_hand),
		KTAP_TEST(
		    test_request_in_the_hand_of_another_thread_adds_no_edge),
		KTAP_TEST(
		    test_two_threads_that_call_each_other_do_not_wait_forever),
		KTAP_TEST(test_edge_needs_a_sending_child_of_the_same_domain),
		KTAP_TEST(
		    test_closed_end_and_gone_channel_take_their_edges_along),
		KTAP_TEST(test_chain_of_many_channels_closes_nowhere),
		KTAP_TEST(test_random_graphs_are_as_in_the_model),
		KTAP_TEST(test_submit_delivers_parents_before_children),
	};
	if (channel_domain_private(&domain) != OK)
		return 1;
	real = domain->port;
	noting = *real;
	noting.add_dep = note_add_dep;
	noting.wake = note_wake;
	domain->port = &noting;
	int failures = KTAP_RUN(tests);
	channel_domain_private_close(domain);
	return failures;
}
