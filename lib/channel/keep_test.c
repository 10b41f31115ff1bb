/* SPDX-License-Identifier: MIT */
/*
 * Kept members in a private domain. To die is to lose all private memory of a
 * member and whatever its transaction had not committed; its arena is opened
 * anew, as after a crash.
 */
#include "kept.h"
#include "test_host.h"

#include <lib/arena/arena.h>

#include <pthread.h>
#include <string.h>

#define ARENA_SIZE	65536u
#define ROUNDS		20000u

struct own {			/* in the arena */
	_Alignas(8) uint8_t kept[CHANNEL_KEPT_SIZE];
	uint64_t next;		/* number to send, or to receive */
};

struct owner {
	void	*memory;
	struct arena *arena;
	struct own *own;
	struct channel_keeper keeper;
	struct channel *channel;
	unsigned role;
	uint64_t lives;
};

static uint64_t random_state = 7;

static uint32_t
draw(uint32_t below)
{
	random_state = random_state * 6364136223846793005ul +
	    1442695040888963407ul;
	return (uint32_t)(random_state >> 33) % below;
}

static void
fail_arena(const char *reason)
{
	printf("# arena: %s\n", reason);
	abort();
}

static status_t
save(void *context, void *address, size_t length)
{
	const struct owner *owner = context;

	return tx_add(owner->arena, address, length);
}

static void
arena_again(struct owner *owner)
{
	static const struct arena_environment environment = {
		.fail = fail_arena,
	};

	must(arena_open(owner->memory, ARENA_SIZE, 1, &environment,
	    &owner->arena), "arena");
	owner->own = arena_root(owner->arena);
	owner->keeper = (struct channel_keeper){
		.memory = owner->own, .save = save, .context = owner,
	};
}

static void
owner_start(struct owner *owner, unsigned role)
{
	*owner = (struct owner){ .role = role };
	owner->memory = aligned_alloc(4096, ARENA_SIZE);
	memset(owner->memory, 0, ARENA_SIZE);
	arena_again(owner);
	tx_begin(owner->arena);
	owner->own = arena_alloc(owner->arena, sizeof(*owner->own));
	must(arena_set_root(owner->arena, owner->own), "root");
	tx_commit(owner->arena);
	owner->keeper.memory = owner->own->kept;
}

static struct channel_options
options_of(const struct owner *owner)
{
	return (struct channel_options){
		.domain = domain, .role = owner->role,
		.keeper = &owner->keeper,
	};
}

static void
owner_create(struct owner *owner, const struct channel_config *config)
{
	struct channel_options options = options_of(owner);

	tx_begin(owner->arena);
	must(channel_create("kept", config, &options, NULL, &owner->channel),
	    "create");
	tx_commit(owner->arena);
	must(channel_enter(owner->channel), "enter");
}

static void
owner_open(struct owner *owner)
{
	struct channel_options options = options_of(owner);

	tx_begin(owner->arena);
	must(channel_open("kept", &options, NULL, &owner->channel), "open");
	tx_commit(owner->arena);
	must(channel_enter(owner->channel), "enter");
}

/* Gives back the memory of a member, and nothing else happens. */
static void
forget(struct channel *channel)
{
	const struct channel_port *port = domain->port;

	channel->shown.lane = NULL;
	channel->asked.lane = NULL;
	channel_let_go(channel);
	for (uint32_t i = 0; i < channel->out.count; i++)
		port->release(domain, channel->out.lane[i], 0);
	for (uint32_t i = 0; i < channel->in.count; i++)
		port->release(domain, channel->in.lane[i], 0);
	if (channel->out.room != 0)
		port->release(domain, channel->out.lane, 0);
	if (channel->in.room != 0)
		port->release(domain, channel->in.lane, 0);
	if (channel->words_room != 0)
		port->release(domain, channel->words, 0);
	port->release(domain, channel, 0);
}

static void
resume(struct owner *owner)
{
	struct channel_options options = options_of(owner);

	tx_begin(owner->arena);
	must(channel_resume("kept", &options, &owner->channel), "resume");
	tx_commit(owner->arena);
	must(channel_enter(owner->channel), "enter");
}

static void
die(struct owner *owner)
{
	forget(owner->channel);
	arena_again(owner);
	resume(owner);
	owner->lives++;
}

static void
owner_end(struct owner *owner)
{
	if (owner->channel != NULL) {
		tx_begin(owner->arena);
		channel_close(owner->channel);
		tx_commit(owner->arena);
	}
	free(owner->memory);
}

/*
 * Saves the new state, and dies, gives up, or goes on, at some point. True: it
 * was committed.
 */
static void
transaction(struct owner *owner, uint64_t next)
{
	uint32_t what = draw(8);

	if (what == 0) {
		die(owner);
		return;
	}
	tx_begin(owner->arena);
	must(TX_SET(owner->arena, owner->own->next, next), "save");
	must(channel_keep(owner->channel), "keep");
	if (what == 1) {
		die(owner);
		return;
	}
	if (what == 2) {
		tx_abort(owner->arena);
		channel_undo(owner->channel);
		return;
	}
	tx_commit(owner->arena);
	if (what == 3) {
		die(owner);
		return;
	}
	channel_settle(owner->channel);
	if (what == 4)
		die(owner);
}

static void
send_some(struct owner *owner)
{
	uint64_t next = owner->own->next;

	for (uint32_t n = draw(4); n > 0 &&
	    send_number(owner->channel, next) == OK; n--)
		next++;
	transaction(owner, next);
}

static void
receive_some(struct owner *owner)
{
	uint64_t next = owner->own->next, number = 0;

	for (uint32_t n = draw(4); n > 0 && (number = receive_number(
	    owner->channel)) != NOTHING; n--)
		KTAP_EQUAL(number, next++);
	transaction(owner, next);
}

static const struct channel_config small = {
	.type = CHANNEL_ASYNC, .message_max = 64, .buffer_size = 8 * 64,
};

static void
test_nothing_is_lost_or_doubled_whoever_dies_wherever(void)
{
	struct owner sender, receiver;

	owner_start(&sender, CHANNEL_SENDER);
	owner_start(&receiver, CHANNEL_RECEIVER);
	owner_create(&receiver, &small);
	owner_open(&sender);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		if (draw(2) == 0)
			send_some(&sender);
		else
			receive_some(&receiver);
		if (receiver.own->next > sender.own->next)
			KTAP_EQUAL(receiver.own->next, sender.own->next);
	}
	while (receiver.own->next < sender.own->next)
		receive_some(&receiver);
	receive_some(&receiver);
	KTAP_EQUAL(receiver.own->next, sender.own->next);
	KTAP_CHECK(receiver.own->next > 1000);
	KTAP_CHECK(sender.lives > 100 && receiver.lives > 100);
	owner_end(&sender);
	owner_end(&receiver);
}

static void
test_nothing_is_seen_before_it_is_settled(void)
{
	struct owner sender;
	struct channel *receiver;

	owner_start(&sender, CHANNEL_SENDER);
	receiver = create("kept", CHANNEL_RECEIVER, &small);
	owner_open(&sender);
	KTAP_EQUAL(send_number(sender.channel, 1), OK);
	KTAP_EQUAL(receive_number(receiver), NOTHING);
	tx_begin(sender.arena);
	KTAP_EQUAL(channel_keep(sender.channel), OK);
	KTAP_EQUAL(receive_number(receiver), NOTHING);
	tx_commit(sender.arena);
	KTAP_EQUAL(receive_number(receiver), NOTHING);
	channel_settle(sender.channel);
	KTAP_EQUAL(receive_number(receiver), 1);
	KTAP_EQUAL(send_number(sender.channel, 2), OK);
	channel_undo(sender.channel);
	channel_settle(sender.channel);
	KTAP_EQUAL(receive_number(receiver), NOTHING);
	owner_end(&sender);
	channel_close(receiver);
}

/* Until its deadline a sender waits for a receiver that is away. */
static void
test_sender_waits_for_a_dead_receiver(void)
{
	struct owner receiver;
	struct channel *sender;
	uint64_t number = 0, before, taken = 0;

	owner_start(&receiver, CHANNEL_RECEIVER);
	owner_create(&receiver, &small);
	sender = join("kept", CHANNEL_SENDER, 0);
	forget(receiver.channel);
	while (send_number(sender, number) == OK)
		number++;
	KTAP_CHECK(number > 4);
	before = now();
	KTAP_EQUAL(channel_send_until(sender, &number, sizeof(number), NULL,
	    before + 5000000), ERR_TIMEOUT);
	KTAP_CHECK(now() - before >= 5000000);
	arena_again(&receiver);
	resume(&receiver);
	while (receive_number(receiver.channel) == taken)
		taken++;
	KTAP_EQUAL(taken, number);
	KTAP_EQUAL(send_number(sender, 1), ERR_TIMEOUT);
	tx_begin(receiver.arena);
	KTAP_EQUAL(channel_keep(receiver.channel), OK);
	tx_commit(receiver.arena);
	channel_settle(receiver.channel);
	KTAP_EQUAL(send_number(sender, 1), OK);
	KTAP_EQUAL(statistic(sender).abandoned, 0);
	channel_close(sender);
	owner_end(&receiver);
}

static void
test_sender_that_came_back_has_a_new_generation(void)
{
	struct owner sender;
	struct channel *receiver;
	struct channel_view view;
	uint64_t before = 0;

	owner_start(&sender, CHANNEL_SENDER);
	receiver = create("kept", CHANNEL_RECEIVER, &small);
	owner_open(&sender);
	for (unsigned life = 0; life < 3; life++) {
		KTAP_EQUAL(send_number(sender.channel, life), OK);
		tx_begin(sender.arena);
		KTAP_EQUAL(channel_keep(sender.channel), OK);
		tx_commit(sender.arena);
		channel_settle(sender.channel);
		KTAP_EQUAL(channel_peek(receiver, &view, CHANNEL_NOW), OK);
		uint64_t generation = channel_sender_generation(receiver);
		KTAP_CHECK(life == 0 || generation != before);
		before = generation;
		KTAP_EQUAL(channel_release(receiver, &view), OK);
		die(&sender);
	}
	owner_end(&sender);
	channel_close(receiver);
}

#define CALLS	2000u

static const struct channel_config calls = {
	.type = CHANNEL_SYNC, .message_max = 64, .buffer_size = 8 * 64,
};

static void *
call_all(void *context)
{
	struct channel *channel = context;
	uint64_t wrong = 0;

	for (uint64_t i = 0; i < CALLS; i++) {
		uint64_t answer = 0;
		struct channel_exchange exchange = {
			.request = &i, .request_length = sizeof(i),
			.answer = &answer, .answer_length = sizeof(answer),
			.deadline_ns = CHANNEL_FOREVER,
		};

		if (channel_call(channel, &exchange) != OK || answer != i)
			wrong++;
	}
	return (void *)wrong;
}

/* What it answers is how many it executed before: each once. */
static void
serve_one(struct owner *server)
{
	uint64_t number = NOTHING, next = server->own->next;

	if (server->channel->asked.lane == NULL)
		number = receive_number(server->channel);
	if (number != NOTHING) {
		KTAP_EQUAL(number, next);
		if (draw(4) == 0) {
			/* Received, to be answered in another transaction. */
			transaction(server, next);
		}
	}
	if (server->channel->asked.lane != NULL) {
		KTAP_EQUAL(channel_answer(server->channel, &next,
		    sizeof(next)), OK);
		next++;
	}
	transaction(server, next);
}

static void
test_each_call_is_answered_once_though_the_server_dies(void)
{
	struct owner server;
	struct channel *caller;
	pthread_t thread;
	void *wrong;

	owner_start(&server, CHANNEL_RECEIVER);
	owner_create(&server, &calls);
	caller = join("kept", CHANNEL_SENDER, 0);
	KTAP_EQUAL(pthread_create(&thread, NULL, call_all, caller), 0);
	while (server.own->next < CALLS)
		serve_one(&server);
	/* The last answer may have been committed by one that then died. */
	channel_settle(server.channel);
	KTAP_EQUAL(pthread_join(thread, &wrong), 0);
	KTAP_CHECK(wrong == NULL);
	KTAP_EQUAL(server.own->next, CALLS);
	KTAP_CHECK(server.lives > 100);
	channel_close(caller);
	owner_end(&server);
}

static void
test_peer_that_ends_meanwhile_is_received_then_gone(void)
{
	struct owner receiver;
	struct channel *sender;
	uint64_t number;
	size_t length = sizeof(number);

	owner_start(&receiver, CHANNEL_RECEIVER);
	owner_create(&receiver, &small);
	sender = join("kept", CHANNEL_SENDER, 0);
	KTAP_EQUAL(send_number(sender, 1), OK);
	forget(receiver.channel);
	KTAP_EQUAL(send_number(sender, 2), OK);
	channel_close(sender);
	arena_again(&receiver);
	resume(&receiver);
	KTAP_EQUAL(receive_number(receiver.channel), 1);
	KTAP_EQUAL(receive_number(receiver.channel), 2);
	KTAP_EQUAL(receive_now(receiver.channel, &number, &length), ERR_GONE);
	/* Given up: it is all there again, though the sender is gone. */
	channel_undo(receiver.channel);
	KTAP_EQUAL(receive_number(receiver.channel), 1);
	KTAP_EQUAL(receive_number(receiver.channel), 2);
	tx_begin(receiver.arena);
	KTAP_EQUAL(channel_keep(receiver.channel), OK);
	tx_commit(receiver.arena);
	channel_settle(receiver.channel);
	KTAP_EQUAL(receive_now(receiver.channel, &number, &length), ERR_GONE);
	KTAP_EQUAL(receiver.channel->in.count, 0);
	owner_end(&receiver);
}

static void
test_records_of_lanes_that_are_gone_are_used_again(void)
{
	struct owner receiver;

	owner_start(&receiver, CHANNEL_RECEIVER);
	owner_create(&receiver, &small);
	for (uint64_t i = 0; i < 3 * CHANNEL_KEPT_LANES; i++) {
		struct channel *sender = join("kept", CHANNEL_SENDER, 0);

		KTAP_EQUAL(send_number(sender, i), OK);
		KTAP_EQUAL(receive_number(receiver.channel), i);
		tx_begin(receiver.arena);
		KTAP_EQUAL(channel_keep(receiver.channel), OK);
		tx_commit(receiver.arena);
		channel_settle(receiver.channel);
		if (i % 4 == 0)
			die(&receiver);
		channel_close(sender);
		if (i % 3 == 0)
			die(&receiver);
	}
	owner_end(&receiver);
}

static status_t
try_kept(const struct channel_config *config, unsigned role)
{
	struct channel_options options;
	struct channel *channel;
	struct owner owner;

	owner_start(&owner, role);
	options = options_of(&owner);
	tx_begin(owner.arena);
	status_t status = channel_create("kept", config, &options, NULL,
	    &channel);
	if (status == OK)
		channel_close(channel);
	tx_commit(owner.arena);
	free(owner.memory);
	return status;
}

static void
test_what_cannot_be_kept_is_refused(void)
{
	KTAP_EQUAL(try_kept(&(struct channel_config){ .type = CHANNEL_STREAM },
	    CHANNEL_SENDER), ERR_ARG);
	KTAP_EQUAL(try_kept(&(struct channel_config){ .type = CHANNEL_BATCH },
	    CHANNEL_SENDER), ERR_ARG);
	KTAP_EQUAL(try_kept(&(struct channel_config){ .type = CHANNEL_SYNC },
	    CHANNEL_SENDER), ERR_ARG);
	KTAP_EQUAL(try_kept(&(struct channel_config){
	    .overflow = CHANNEL_DROP_OLDEST }, CHANNEL_RECEIVER), ERR_ARG);
	KTAP_EQUAL(try_kept(&(struct channel_config){ .zero_copy = true },
	    CHANNEL_SENDER), ERR_ARG);
	KTAP_EQUAL(try_kept(&(struct channel_config){ .zero_copy = true },
	    CHANNEL_RECEIVER), OK);
	KTAP_EQUAL(try_kept(&(struct channel_config){ .type = CHANNEL_SYNC },
	    CHANNEL_RECEIVER), OK);
}

static void
test_only_a_member_that_is_there_is_resumed(void)
{
	struct owner owner;
	struct channel_options options;
	struct channel *channel;
	struct kept *kept;

	owner_start(&owner, CHANNEL_RECEIVER);
	options = options_of(&owner);
	kept = owner.keeper.memory;
	tx_begin(owner.arena);
	KTAP_EQUAL(channel_resume("kept", &options, &channel), ERR_NOENT);
	tx_commit(owner.arena);
	owner_create(&owner, &small);
	tx_begin(owner.arena);
	KTAP_EQUAL(tx_add(owner.arena, kept, sizeof(*kept)), OK);
	kept->token.tag ^= 1;
	KTAP_EQUAL(channel_resume("kept", &options, &channel), ERR_RIGHT);
	kept->token.tag ^= 1;
	kept->lane[1].sends = 7;
	KTAP_EQUAL(channel_resume("kept", &options, &channel), ERR_CORRUPT);
	kept->lane[1].sends = 0;
	tx_commit(owner.arena);
	channel = create("other", CHANNEL_SENDER, &small);
	KTAP_EQUAL(channel_keep(channel), ERR_STATE);
	channel_close(channel);
	uint64_t member = kept->member;
	tx_begin(owner.arena);
	channel_close(owner.channel);
	owner.channel = NULL;
	KTAP_EQUAL(kept->member, 0);
	kept->member = member;
	KTAP_EQUAL(channel_resume("kept", &options, &channel), ERR_GONE);
	KTAP_EQUAL(kept->member, 0);
	tx_commit(owner.arena);
	owner_end(&owner);
}

int
main(void)
{
	static const struct ktap_test tests[] = {
		KTAP_TEST(test_nothing_is_lost_or_doubled_whoever_dies_wherever),
		KTAP_TEST(test_nothing_is_seen_before_it_is_settled),
		KTAP_TEST(test_sender_waits_for_a_dead_receiver),
		KTAP_TEST(test_sender_that_came_back_has_a_new_generation),
		KTAP_TEST(test_each_call_is_answered_once_though_the_server_dies),
		KTAP_TEST(test_peer_that_ends_meanwhile_is_received_then_gone),
		KTAP_TEST(test_records_of_lanes_that_are_gone_are_used_again),
		KTAP_TEST(test_what_cannot_be_kept_is_refused),
		KTAP_TEST(test_only_a_member_that_is_there_is_resumed),
	};
	if (channel_domain_private(&domain) != OK)
		return 1;
	int failures = KTAP_RUN(tests);
	channel_domain_private_close(domain);
	return failures;
}
