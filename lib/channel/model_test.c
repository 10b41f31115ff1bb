/* SPDX-License-Identifier: MIT */
/*
 * The library as it is, in every interleaving of its accesses to shared memory
 * (lib/test/interleave.h): who waits is woken, whichever lane it is and
 * whatever happens meanwhile. Only the port is made for this test: its lanes are there
 * from the start, or come as an event; it sleeps and wakes by bell.h as the
 * others do. A run in which all that is left sleeps is a lost wake-up.
 *
 * With BENNU_TEST_MORE in the environment the programs are longer.
 */
#include "state.h"

#include <lib/channel/bell.h>
#include <lib/test/interleave.h>
#include <lib/test/ktap.h>

#include <stdlib.h>

#define MEMBERS		3u
#define LANES		2u
#define ARENA		16384u

static const struct channel_config tiny = {
	.message_max = 8, .buffer_size = 4 * RING_LINE,
};

/* Shared: through hooked operations only. */
static _Alignas(64) uint8_t memory[LANES][4096];
static uint64_t generation;
static uint32_t bell[MEMBERS];

/* Which lanes there are: from whom to whom, and who is told by an event. */
struct lane_plan {
	uint32_t from, to;
};
static struct {
	struct lane_plan lane[LANES];
	uint32_t lanes;
	uint32_t late;		/* the lane that comes later; LANES: none */
	uint32_t messages;	/* of each sender */
	bool	 revokes;	/* generation 2: member 0 lost its right */
	enum channel_type type;
} plan;

/* Private to the threads, but for what start() made. */
static struct {
	_Alignas(64) uint8_t arena[ARENA];
	size_t	 used;
	struct channel *member[MEMBERS];
	bool	 told[MEMBERS][LANES];
	bool	 told_revoked[MEMBERS];
	uint64_t received, sum;
} world;

static uint32_t
index_of(const struct channel_member *member)
{
	return (uint32_t)member->number;
}

static status_t
model_open(struct channel_domain *domain, const char *name,
    const struct channel_options *options, const struct token *holder,
    struct channel_member *out_member)
{
	struct channel_config config = tiny;

	config.type = plan.type;
	if (plan.revokes)
		config.overflow = CHANNEL_ERROR;
	*out_member = (struct channel_member){
		.number = options->groups, .trust = TOKEN_TRUST_MAX,
	};
	return channel_config_fill(&config, &out_member->config);
}

static void
model_close(struct channel_domain *domain, struct channel_member *member)
{
}

/* Only lane 0 leads to or from member 0 then. */
static status_t
model_revocation(uint32_t own, struct channel_event *out_event)
{
	if (own == 0 || world.told_revoked[own])
		return ERR_EMPTY;
	world.told_revoked[own] = true;
	*out_event = (struct channel_event){
		.kind = CHANNEL_PEER_REVOKED, .place = { .peer = 0 },
	};
	return OK;
}

/* The late lane is there for its receiver from generation 2 on. */
static status_t
model_next_event(struct channel_domain *domain,
    struct channel_member *member, struct channel_event *out_event)
{
	uint32_t own = index_of(member);
	bool posted = ring_load(&generation, RING_ACQUIRE) == 2;

	for (uint32_t i = 0; i < plan.lanes; i++) {
		const struct lane_plan *lane = &plan.lane[i];
		bool sends = lane->from == own;

		if (world.told[own][i] || (!sends && lane->to != own) ||
		    (i == plan.late && !sends && !posted))
			continue;
		world.told[own][i] = true;
		out_event->kind = sends ? CHANNEL_LANE_OUT : CHANNEL_LANE_IN;
		out_event->place = (struct lane_place){
			.memory = memory[i],
			.lines = lane_lines(&member->config),
			.return_lines = lane_return_lines(&member->config),
			.peer = sends ? lane->to : lane->from,
			.trust = TOKEN_TRUST_MAX, .groups = ~0ul,
			.port_data = &bell[sends ? lane->to : lane->from],
		};
		return OK;
	}
	return plan.revokes && posted ? model_revocation(own, out_event) :
	    ERR_EMPTY;
}

static void
model_drop_lane(struct channel_domain *domain,
    struct channel_member *member, struct lane_place *place)
{
}

static status_t
model_sleep(struct channel_domain *domain, struct channel_member *member,
    uint32_t *const *words, uint32_t count, uint64_t deadline_ns)
{
	uint32_t own = index_of(member);

	if (!bell_raise(&bell[own], domain, member, words, count))
		return OK;
	interleave_sleep(&bell[own], 1);
	bell_lower(&bell[own]);
	return OK;
}

static void
model_wake(struct channel_domain *domain, const struct lane_place *place,
    uint32_t *word)
{
	if (bell_must_ring(place->port_data))
		interleave_wake(place->port_data);
}

static uint64_t
model_now(struct channel_domain *domain)
{
	return 1;
}

static void *
model_allocate(struct channel_domain *domain, size_t size)
{
	uint8_t *piece = world.arena + world.used;

	world.used += (size + 63) & ~(size_t)63;
	return world.used <= ARENA ? piece : NULL;
}

static void
model_release(struct channel_domain *domain, void *piece, size_t size)
{
}

static const struct channel_port port = {
	.open = model_open, .close = model_close,
	.next_event = model_next_event, .drop_lane = model_drop_lane,
	.sleep = model_sleep, .wake = model_wake, .now_ns = model_now,
	.allocate = model_allocate, .release = model_release,
};

static struct channel_domain domain = {
	.port = &port, .generation = &generation, .cpus = 1,
};

static void
start(void)
{
	struct channel_config config;

	memset(&world, 0, sizeof(world));
	memset(bell, 0, sizeof(bell));
	generation = 1;
	(void)channel_config_fill(&tiny, &config);
	for (uint32_t i = 0; i < plan.lanes; i++)
		lane_format(memory[i], &config);
	for (uint32_t i = 0; i < MEMBERS; i++) {
		/* The model has its number in the groups. */
		struct channel_options options = {
			.domain = &domain, .groups = i,
			.role = CHANNEL_SENDER | CHANNEL_RECEIVER,
		};

		if (channel_open("model", &options, NULL, &world.member[i]) !=
		    OK)
			interleave_fail("open");
	}
}

static void
send_as(uint32_t own)
{
	for (uint64_t i = 1; i <= plan.messages; i++)
		INTERLEAVE_EXPECT(channel_send(world.member[own], &i,
		    sizeof(i), NULL) == OK);
}

static void
receive_as(uint32_t own, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		uint64_t number;
		size_t length = sizeof(number);

		INTERLEAVE_EXPECT(channel_receive_until(world.member[own],
		    &number, &length, NULL, CHANNEL_FOREVER) == OK);
		INTERLEAVE_EXPECT(number >= 1 && number <= plan.messages);
		world.received++;
		world.sum += number;
	}
}

static void
send_0(void)
{
	send_as(0);
}

static void
send_1(void)
{
	send_as(1);
}

static void
receive_all_2(void)
{
	receive_as(2, plan.lanes * plan.messages);
}

static void
receive_1(void)
{
	receive_as(1, plan.messages / plan.lanes);
}

static void
receive_2(void)
{
	receive_as(2, plan.messages / plan.lanes);
}

/* Its lane is announced first: the receiver may be asleep by then. */
static void
join_and_send_1(void)
{
	ring_store(&generation, 2, RING_RELEASE);
	if (bell_must_ring(&bell[2]))
		interleave_wake(&bell[2]);
	send_as(1);
}

static void
revoke_0(void)
{
	ring_store(&generation, 2, RING_RELEASE);
	if (bell_must_ring(&bell[2]))
		interleave_wake(&bell[2]);
}

#define LATE_MESSAGE	99u	/* written after the revocation */

/* Sends, loses its right, and does not care. */
static void
send_revoked_0(void)
{
	const uint64_t number = LATE_MESSAGE;

	send_as(0);
	revoke_0();
	(void)ring_send(&lane_out_at(world.member[0], 0)->messages, &number,
	    sizeof(number), 0);
}

static void
receive_no_late(void)
{
	for (uint32_t i = 0; i <= plan.messages; i++) {
		uint64_t number[4] = { 0 };
		size_t length = sizeof(number);

		if (channel_receive_until(world.member[2], number, &length,
		    NULL, CHANNEL_NOW) != OK)
			continue;
		for (uint32_t n = 0; n < length / 8; n++)
			INTERLEAVE_EXPECT(number[n] != LATE_MESSAGE);
	}
}

/* A receiver without its right answers all the same. */
static void
answer_revoked_0(void)
{
	const uint64_t number = LATE_MESSAGE;
	struct ring_producer *back = &lane_in_at(world.member[0], 0)->back;

	revoke_0();
	(void)ring_send(back, &number, sizeof(number), 0);
	if (ring_producer_must_wake(back))
		model_wake(&domain, &lane_in_at(world.member[0], 0)->place,
		    NULL);
}

static void
call_no_late(void)
{
	uint64_t answer = 0, question = 1;
	struct channel_exchange exchange = {
		.request = &question, .request_length = sizeof(question),
		.answer = &answer, .answer_length = sizeof(answer),
		.deadline_ns = CHANNEL_FOREVER,
	};

	INTERLEAVE_EXPECT(channel_call(world.member[2], &exchange) != OK ||
	    answer != LATE_MESSAGE);
}

static void
check_nothing(void)
{
}

static void
check_all(void)
{
	uint64_t each = plan.messages * (plan.messages + 1) / 2;
	bool shared = plan.lane[0].from == plan.lane[plan.lanes - 1].from;

	INTERLEAVE_EXPECT(world.sum == (shared ? each : plan.lanes * each));
}

static void
explore(const char *name, unsigned threads, unsigned preemptions,
    void (*const body[])(void))
{
	struct interleave_program program = {
		.name = name, .threads = threads, .start = start,
		.check = plan.revokes ? check_nothing : check_all,
		.world = &world,
		.world_size = sizeof(world),
		.preemptions = preemptions +
		    (getenv("BENNU_TEST_MORE") != NULL ? 1 : 0),
	};
	struct interleave_result result;

	for (unsigned i = 0; i < threads; i++)
		program.body[i] = body[i];
	result = interleave_run(&program);
	printf("# %s: %llu states, %llu steps, %llu ends\n", name,
	    (unsigned long long)result.states,
	    (unsigned long long)result.steps,
	    (unsigned long long)result.ends);
	EXPECT(result.failure == NULL);
	EXPECT(result.ends > 0);
}

TEST(test_receiver_of_two_lanes_is_woken_by_either)
{
	plan.lanes = 2;
	plan.late = LANES;
	plan.messages = 1;
	plan.lane[0] = (struct lane_plan){ 0, 2 };
	plan.lane[1] = (struct lane_plan){ 1, 2 };
	explore("two senders", 3, 2,
	    (void (*const[])(void)){ send_0, send_1, receive_all_2 });
}

TEST(test_full_lane_wakes_its_sender_when_there_is_room)
{
	plan.lanes = 1;
	plan.late = LANES;
	plan.messages = 4;
	plan.lane[0] = (struct lane_plan){ 0, 2 };
	explore("full lane", 2, 2,
	    (void (*const[])(void)){ send_0, receive_all_2 });
}

TEST(test_each_of_two_receivers_gets_its_turn)
{
	plan.lanes = 2;
	plan.late = LANES;
	plan.messages = 2;
	plan.lane[0] = (struct lane_plan){ 0, 1 };
	plan.lane[1] = (struct lane_plan){ 0, 2 };
	explore("two receivers", 3, 2,
	    (void (*const[])(void)){ send_0, receive_1, receive_2 });
}

TEST(test_sleeping_receiver_hears_of_a_new_lane)
{
	plan.lanes = 2;
	plan.late = 1;
	plan.messages = 1;
	plan.lane[0] = (struct lane_plan){ 0, 2 };
	plan.lane[1] = (struct lane_plan){ 1, 2 };
	explore("new lane", 3, 1,
	    (void (*const[])(void)){ send_0, join_and_send_1,
	    receive_all_2 });
}

static void
explore_revocation(const char *name, enum channel_type type)
{
	plan.lanes = 1;
	plan.late = LANES;
	plan.messages = 2;
	plan.lane[0] = (struct lane_plan){ 0, 2 };
	plan.revokes = true;
	plan.type = type;
	explore(name, 2, 2, (void (*const[])(void)){ send_revoked_0,
	    receive_no_late });
	plan.revokes = false;
	plan.type = CHANNEL_ASYNC;
}

TEST(test_nothing_committed_after_a_revocation_is_received)
{
	explore_revocation("revoked, fast", CHANNEL_ASYNC);
	explore_revocation("revoked, stream", CHANNEL_STREAM);
	explore_revocation("revoked, batch", CHANNEL_BATCH);
}

TEST(test_no_answer_after_a_revocation_is_taken)
{
	plan.lanes = 1;
	plan.late = LANES;
	plan.lane[0] = (struct lane_plan){ 2, 0 };
	plan.revokes = true;
	plan.type = CHANNEL_SYNC;
	explore("revoked, answer", 2, 2,
	    (void (*const[])(void)){ answer_revoked_0, call_no_late });
	plan.revokes = false;
	plan.type = CHANNEL_ASYNC;
}

TEST_MAIN(0)
