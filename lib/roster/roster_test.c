/* SPDX-License-Identifier: MIT */
/*
 * The roster on a model of its environment: memory objects are numbers, a drop
 * happens after the commit, what an undone transaction made is gone. Any
 * transaction may be undone by the death of the broker; its next incarnation
 * then executes it again, as the service loop does.
 */
#include <lib/roster/roster.h>

#include <lib/channel/lane.h>
#include <lib/test/ktap.h>

#include <stdlib.h>
#include <string.h>

#define ARENA_SIZE	(4ul << 20)
#define MEMORIES	4096u
#define CLIENTS		5u
#define CRASHES_PER_100	30u

enum memory_state { NONE, MADE, LIVE, DROPPED };	/* MADE, DROPPED: so far */

static struct {
	void	*arena_memory;
	struct roster roster;
	struct roster_root *root;
	enum memory_state memory[MEMORIES];
	uint64_t memories, incarnation;
	uint64_t posts[ROSTER_CLIENTS];
	unsigned crash;			/* chance of an undone transaction, % */
	uint64_t crashes;
} fake;

static uint64_t random_state;

static uint64_t
random_below(uint64_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 0x2545f4914f6cdd1dul % limit;
}

static status_t
memory_create(void *context, uint64_t size, uint64_t *out_memory)
{
	EXPECT(size % 4096 == 0 && size != 0);
	EXPECT(fake.memories + 1 < MEMORIES);
	*out_memory = ++fake.memories;
	fake.memory[fake.memories] = MADE;
	return OK;
}

static status_t
format_lane(void *context, uint64_t memory, const struct channel_config *config)
{
	EXPECT_EQ(fake.memory[memory], MADE);
	return OK;
}

static status_t
drop(void *context, uint64_t memory)
{
	EXPECT(fake.memory[memory] == LIVE || fake.memory[memory] == MADE);
	fake.memory[memory] = fake.memory[memory] == LIVE ? DROPPED : NONE;
	return OK;
}

static status_t
post(void *context, const struct roster_client *client)
{
	fake.posts[client->slot]++;
	return OK;
}

static void
fail(const char *reason)
{
	printf("# %s\n", reason);
	abort();
}

/* An incarnation of the broker. */
static void
restart(void)
{
	static const struct arena_environment environment = {
		.fail = fail, .sums = true };
	struct arena *arena;

	EXPECT_EQ(arena_open(fake.arena_memory, ARENA_SIZE, 1, &environment,
	    &arena), OK);
	fake.incarnation++;
	fake.root = arena_root(arena);
	fake.roster = (struct roster){
		.arena = arena, .root = fake.root,
		.environment = {
			.memory_create = memory_create,
			.lane_format = format_lane, .drop = drop, .post = post,
		},
		.nonce = fake.incarnation << 40,
	};
}

static void
start(unsigned crash)
{
	static const uint8_t key[16] = { 7, 1, 9 };

	free(fake.arena_memory);
	memset(&fake, 0, sizeof(fake));
	random_state = 88172645463325252ul;
	fake.arena_memory = aligned_alloc(4096, ARENA_SIZE);
	memset(fake.arena_memory, 0, ARENA_SIZE);
	restart();
	tx_begin(fake.roster.arena);
	fake.root = arena_alloc(fake.roster.arena, sizeof(*fake.root));
	fake.roster.root = fake.root;
	EXPECT_EQ(roster_create(&fake.roster, key), OK);
	EXPECT_EQ(arena_set_root(fake.roster.arena, fake.root), OK);
	tx_commit(fake.roster.arena);
	fake.crash = crash;
}

static void
begin(void)
{
	tx_begin(fake.roster.arena);
	EXPECT_EQ(roster_begin(&fake.roster), OK);
}

static void
settle(bool committed)
{
	for (uint64_t i = 1; i <= fake.memories; i++)
		if (fake.memory[i] == MADE)
			fake.memory[i] = committed ? LIVE : NONE;
		else if (fake.memory[i] == DROPPED)
			fake.memory[i] = committed ? NONE : LIVE;
}

/* true: it counts. Else it was undone, and is to be executed again. */
static bool
end(status_t status)
{
	bool dies = random_below(100) < fake.crash;

	if (status != OK || dies)
		tx_abort(fake.roster.arena);
	else
		tx_commit(fake.roster.arena);
	settle(status == OK && !dies);
	if (dies) {
		fake.crashes++;
		restart();
	}
	return !dies;
}

/* Without the bells of clients, one each. */
static uint64_t
live_memories(void)
{
	uint64_t live = 0;

	for (uint64_t i = 1; i <= fake.memories; i++)
		live += fake.memory[i] == LIVE;
	for (uint32_t i = 0; i < ROSTER_CLIENTS; i++)
		live -= fake.root->slot_used[i];
	return live;
}

/* --- Requests, each executed until it counts. --- */

static uint64_t
do_connect(uint64_t place, unsigned trust)
{
	struct roster_client *client = NULL;
	uint64_t number, bell;
	status_t status;

	do {
		begin();
		EXPECT_EQ(memory_create(NULL, 4096, &bell), OK);
		status = roster_connect(&fake.roster, bell, 1, &client);
		number = status == OK ? client->number : 0;
		if (status == OK) {
			client->place = place;
			client->trust = trust;
		}
	} while (!end(status));
	return number;
}

static struct roster_client *
client_of(uint64_t number)
{
	struct roster_client *client = roster_client(&fake.roster, number);

	EXPECT(client != NULL);
	return client;
}

static struct channels_join
join_for(const char *name, unsigned role)
{
	struct channels_join join = {
		.role = role, .type = CHANNEL_ASYNC, .groups = ~0ul,
	};

	strcpy(join.name, name);
	return join;
}

static status_t
do_join(uint64_t client, const struct channels_join *join, bool create,
    struct channels_joined *out_joined)
{
	struct roster_member *member;
	status_t status;

	do {
		begin();
		status = create ? roster_create_channel(&fake.roster,
		    client_of(client), join, &member) :
		    roster_open_channel(&fake.roster, client_of(client), join,
		    &member);
		if (status == OK)
			roster_describe(&fake.roster, member, out_joined);
	} while (!end(status));
	return status;
}

static uint64_t
must_join(uint64_t client, const char *name, unsigned role, bool create)
{
	struct channels_join join = join_for(name, role);
	struct channels_joined joined = { 0 };

	EXPECT_EQ(do_join(client, &join, create, &joined), OK);
	return joined.member;
}

static struct roster_member *
member_of(uint64_t client, uint64_t number)
{
	return roster_member(&fake.roster, client_of(client), number);
}

static void
do_close(uint64_t client, uint64_t member)
{
	status_t status;

	do {
		begin();
		status = roster_close(&fake.roster, member_of(client, member));
	} while (!end(status));
	EXPECT_EQ(status, OK);
}

static unsigned
do_event(uint64_t client, uint64_t member, uint64_t *out_lane)
{
	struct roster_event event;
	status_t status;

	do {
		begin();
		status = roster_next_event(&fake.roster, member_of(client,
		    member), &event);
		*out_lane = event.side != NULL ? event.side->lane->number : 0;
	} while (!end(status));
	EXPECT_EQ(status, OK);
	return event.kind;
}

static void
do_drop(uint64_t client, uint64_t member, uint64_t lane)
{
	status_t status;

	do {
		begin();
		status = roster_drop(&fake.roster, roster_side(&fake.roster,
		    member_of(client, member), lane));
	} while (!end(status));
	EXPECT_EQ(status, OK);
}

static void
do_gone(uint64_t client)
{
	status_t status;
	bool more = true;

	do {
		begin();
		status = roster_gone(&fake.roster, client_of(client));
	} while (!end(status));
	EXPECT_EQ(status, OK);
	while (more) {
		bool is_more;

		begin();
		is_more = roster_bury(&fake.roster, &status);
		if (end(status))
			more = is_more;
		EXPECT_EQ(status, OK);
	}
}

static void
expect_event(uint64_t client, uint64_t member, unsigned kind)
{
	uint64_t lane;

	EXPECT_EQ(do_event(client, member, &lane), kind);
}

/* --- */

TEST(test_both_ends_are_told_of_a_lane_once)
{
	start(CRASHES_PER_100);
	uint64_t a = do_connect(1, 0xe), b = do_connect(2, 0xe);
	uint64_t sender = must_join(a, "line", CHANNEL_SENDER, true);
	uint64_t receiver = must_join(b, "line", CHANNEL_RECEIVER, false);

	expect_event(a, sender, CHANNELS_EVENT_LANE_OUT);
	expect_event(a, sender, CHANNELS_EVENT_NONE);
	restart();
	expect_event(b, receiver, CHANNELS_EVENT_LANE_IN);
	expect_event(b, receiver, CHANNELS_EVENT_NONE);
	EXPECT(roster_ok(&fake.roster));
	/* Two pages of statistics, one lane. */
	EXPECT_EQ(live_memories(), 3);
}

TEST(test_end_of_a_session_is_told_once_for_each_lane_and_leaves_nothing)
{
	start(CRASHES_PER_100);
	size_t used = arena_bytes_used(fake.roster.arena);
	uint64_t a = do_connect(1, 0xe), b = do_connect(2, 0xe), lane, ignored;
	uint64_t one = must_join(a, "line", CHANNEL_RECEIVER, true);

	must_join(b, "line", CHANNEL_SENDER, false);
	must_join(b, "line", CHANNEL_SENDER, false);
	EXPECT_EQ(do_event(a, one, &lane), CHANNELS_EVENT_LANE_IN);
	/* The other lane was never told: nothing is to be said of its end. */
	do_gone(b);
	EXPECT_EQ(do_event(a, one, &ignored), CHANNELS_EVENT_GONE);
	EXPECT_EQ(ignored, lane);
	expect_event(a, one, CHANNELS_EVENT_NONE);
	do_drop(a, one, lane);
	EXPECT_EQ(live_memories(), 1);
	do_gone(a);
	EXPECT_EQ(live_memories(), 0);
	EXPECT_EQ(arena_bytes_used(fake.roster.arena), used);
	EXPECT(roster_channel_after(&fake.roster, 0) == NULL);
	EXPECT(roster_ok(&fake.roster));
}

TEST(test_what_a_sender_left_is_told_before_its_end)
{
	start(CRASHES_PER_100);
	uint64_t a = do_connect(1, 0xe), b = do_connect(2, 0xe);
	struct channels_join join = join_for("line", CHANNEL_SENDER);
	struct channels_joined joined;
	uint64_t one, lane, same;

	join.flags = CHANNELS_ZERO_COPY;
	EXPECT_EQ(do_join(a, &join, true, &joined), OK);
	one = must_join(b, "line", CHANNEL_RECEIVER, false);
	EXPECT_EQ(do_event(a, joined.member, &lane), CHANNELS_EVENT_LANE_OUT);
	/* The sender knows the lane and may have used it; then it dies. */
	do_gone(a);
	/* The receiver's statistics, the lane, the pool. */
	EXPECT_EQ(live_memories(), 3);
	EXPECT_EQ(do_event(b, one, &same), CHANNELS_EVENT_LANE_IN);
	EXPECT_EQ(same, lane);
	EXPECT_EQ(do_event(b, one, &same), CHANNELS_EVENT_GONE);
	expect_event(b, one, CHANNELS_EVENT_NONE);
	EXPECT(roster_ok(&fake.roster));
	do_drop(b, one, lane);
	EXPECT_EQ(live_memories(), 1);
}

TEST(test_name_goes_with_its_creator_and_the_channel_with_its_last_member)
{
	start(0);
	uint64_t a = do_connect(1, 0xe), b = do_connect(2, 0xe);
	uint64_t owner = must_join(a, "line", CHANNEL_SENDER, true);
	struct channels_join join = join_for("line", CHANNEL_RECEIVER);
	struct channels_joined joined;

	EXPECT_EQ(do_join(b, &join, true, &joined), ERR_EXIST);
	must_join(b, "line", CHANNEL_RECEIVER, false);
	do_close(a, owner);
	EXPECT_EQ(do_join(b, &join, false, &joined), ERR_NOENT);
	EXPECT(roster_channel_after(&fake.roster, 0) != NULL);
	EXPECT_EQ(do_join(a, &join, true, &joined), OK);
	do_gone(b);
	do_gone(a);
	EXPECT(roster_channel_after(&fake.roster, 0) == NULL);
}

TEST(test_members_of_others_are_out_of_reach)
{
	start(0);
	uint64_t a = do_connect(1, 0xe), b = do_connect(2, 0xe), lane;
	uint64_t one = must_join(a, "line", CHANNEL_SENDER, true);
	uint64_t two = must_join(b, "line", CHANNEL_RECEIVER, false);

	EXPECT(member_of(a, two) == NULL);
	EXPECT(member_of(b, one) == NULL);
	EXPECT(member_of(a, a) == NULL);
	do_event(a, one, &lane);
	EXPECT(roster_side(&fake.roster, member_of(a, one), lane + 1) == NULL);
	EXPECT(roster_client(&fake.roster, one) == NULL);
}

/* What can be told apart only by the incarnation of the slot. */
TEST(test_object_numbers_and_tokens_are_not_used_twice_across_restarts)
{
	start(0);
	uint64_t a = do_connect(1, 0xe);
	struct channels_join join = join_for("line", CHANNEL_SENDER);
	struct channels_joined first, second;

	EXPECT_EQ(do_join(a, &join, true, &first), OK);
	do_close(a, first.member);
	restart();
	EXPECT_EQ(do_join(a, &join, true, &second), OK);
	EXPECT(first.token[0] != second.token[0]);
	EXPECT(first.token[2] != second.token[2]);
	/* The token of the first channel opens nothing. */
	join.flags = CHANNELS_HAS_TOKEN;
	memcpy(join.token, first.token, sizeof(join.token));
	EXPECT_EQ(do_join(a, &join, false, &first), ERR_STALE);
}

static unsigned
rights_of(uint64_t client, uint64_t member, const struct token *token)
{
	begin();
	unsigned rights = roster_rights(&fake.roster, member_of(client,
	    member), token);
	tx_commit(fake.roster.arena);
	return rights;
}

TEST(test_token_counts_across_a_restart_until_it_is_revoked)
{
	start(0);
	uint64_t a = do_connect(1, 0xe), b = do_connect(2, 0xe);
	uint64_t mine = must_join(a, "line", CHANNEL_SENDER, true);
	uint64_t its = must_join(b, "line", CHANNEL_RECEIVER, false);
	struct token old = member_of(b, its)->token;
	struct token own = member_of(a, mine)->token;

	restart();
	EXPECT_EQ(rights_of(b, its, &old), TOKEN_SEND | TOKEN_RECEIVE);
	begin();
	/* Not the owner's. */
	EXPECT_EQ(roster_revoke(&fake.roster, client_of(b), &old), ERR_RIGHT);
	EXPECT_EQ(roster_revoke(&fake.roster, client_of(a), &own), OK);
	tx_commit(fake.roster.arena);
	EXPECT_EQ(rights_of(b, its, &old), 0);
	restart();
	EXPECT_EQ(rights_of(b, its, &old), 0);
	EXPECT_EQ(rights_of(a, mine, &own), TOKEN_ALL);
	expect_event(b, its, CHANNELS_EVENT_REVOKED);
	expect_event(b, its, CHANNELS_EVENT_NONE);
}

TEST(test_undone_revocation_revokes_nothing)
{
	start(0);
	uint64_t a = do_connect(1, 0xe);
	uint64_t mine = must_join(a, "line", CHANNEL_SENDER, true);
	struct token old = member_of(a, mine)->token, token = old;

	begin();
	EXPECT_EQ(roster_revoke(&fake.roster, client_of(a), &token), OK);
	tx_abort(fake.roster.arena);
	EXPECT_EQ(rights_of(a, mine, &old), TOKEN_ALL);
	EXPECT_EQ(rights_of(a, mine, &token), 0);
}

static status_t
do_depend(uint64_t client, uint64_t parent, uint64_t child)
{
	begin();
	status_t status = roster_depend(&fake.roster, member_of(client,
	    parent), member_of(client, child));
	end(status);
	return status;
}

TEST(test_circle_of_channels_is_refused_before_and_after_a_restart)
{
	start(0);
	uint64_t a = do_connect(1, 0xe), both = CHANNEL_SENDER |
	    CHANNEL_RECEIVER;
	uint64_t one = must_join(a, "one", (unsigned)both, true);
	uint64_t two = must_join(a, "two", (unsigned)both, true);
	uint64_t three = must_join(a, "three", (unsigned)both, true);

	EXPECT_EQ(do_depend(a, one, two), OK);
	EXPECT_EQ(do_depend(a, two, three), OK);
	EXPECT_EQ(do_depend(a, three, one), ERR_STATE);
	restart();
	EXPECT_EQ(do_depend(a, three, one), ERR_STATE);
	EXPECT_EQ(do_depend(a, one, one), ERR_STATE);
	/* Its edges go with the member that has them. */
	do_close(a, two);
	EXPECT_EQ(do_depend(a, three, one), OK);
}

TEST(test_low_trust_needs_a_token_and_gets_no_more_than_it_says)
{
	start(0);
	uint64_t a = do_connect(1, 0xe), low = do_connect(2, 0x4);
	uint64_t mine = must_join(a, "line", CHANNEL_SENDER, true);
	struct channels_join join = join_for("line", CHANNEL_RECEIVER);
	struct token_grant grant = {
		.rights = TOKEN_RECEIVE, .trust = 0xe,
	};
	struct channels_joined joined;
	struct token token, own = member_of(a, mine)->token;

	EXPECT_EQ(do_join(low, &join, false, &joined), ERR_RIGHT);
	strcpy(join.name, "other");
	EXPECT_EQ(do_join(low, &join, true, &joined), ERR_RIGHT);
	strcpy(join.name, "line");
	grant.object = own.object;
	begin();
	EXPECT_EQ(roster_derive(&fake.roster, &own, &grant, &token), OK);
	tx_commit(fake.roster.arena);
	join.flags = CHANNELS_HAS_TOKEN;
	memcpy(join.token, &token, sizeof(token));
	EXPECT_EQ(do_join(low, &join, false, &joined), OK);
	EXPECT_EQ(joined.rights, TOKEN_RECEIVE);
	EXPECT_EQ(joined.trust, 0x4);
	join.role = CHANNEL_SENDER;
	EXPECT_EQ(do_join(low, &join, false, &joined), ERR_RIGHT);
	/* A bit of it is not its own any more. */
	join.token[3] ^= 1;
	join.role = CHANNEL_RECEIVER;
	EXPECT_EQ(do_join(low, &join, false, &joined), ERR_RIGHT);
}

TEST(test_limits_are_kept_and_refusals_leave_nothing)
{
	start(0);
	uint64_t a = do_connect(1, 0xe);
	struct channels_join join = join_for("line", CHANNEL_RECEIVER);
	struct channels_joined joined;

	must_join(a, "line", CHANNEL_SENDER, true);
	for (unsigned i = 1; i < ROSTER_MEMBERS; i++)
		must_join(a, "line", CHANNEL_RECEIVER, false);
	uint64_t live = live_memories();
	EXPECT_EQ(do_join(a, &join, false, &joined), ERR_LIMIT);
	EXPECT_EQ(live_memories(), live);
	/* Two lanes of 16 MiB fit into what a session may cause, six do not. */
	join = join_for("wide", CHANNEL_SENDER | CHANNEL_RECEIVER);
	join.buffer_size = 16u << 20;
	EXPECT_EQ(do_join(a, &join, true, &joined), OK);
	join.buffer_size = 0;
	EXPECT_EQ(do_join(a, &join, false, &joined), OK);
	EXPECT_EQ(do_join(a, &join, false, &joined), ERR_LIMIT);
	EXPECT(roster_ok(&fake.roster));
	do_gone(a);
	EXPECT_EQ(live_memories(), 0);
}

/* --- Many requests by chance, against what clients were told. --- */

#define MEMBERS	24u
#define LANES	64u

static struct {
	uint64_t client, number;	/* 0: none */
	unsigned lanes;
	struct {
		uint64_t number;
		bool	 gone;
	} lane[LANES];
} known[MEMBERS];

static void
learn(unsigned m)
{
	uint64_t lane;
	unsigned kind, i = 0;

	while ((kind = do_event(known[m].client, known[m].number, &lane)) !=
	    CHANNELS_EVENT_NONE) {
		for (i = 0; i < known[m].lanes; i++)
			if (known[m].lane[i].number == lane)
				break;
		if (kind == CHANNELS_EVENT_GONE) {
			bool fine = i < known[m].lanes &&
			    !known[m].lane[i].gone;

			EXPECT(fine);
			if (!fine)
				return;
			known[m].lane[i].gone = true;
			continue;
		}
		EXPECT(i == known[m].lanes && i < LANES);
		known[m].lane[i].number = lane;
		known[m].lane[i].gone = false;
		known[m].lanes++;
	}
}

/* Each lane that is there has two ends that know it, or was told gone. */
static void
compare(void)
{
	for (unsigned m = 0; m < MEMBERS; m++) {
		if (known[m].number == 0)
			continue;
		learn(m);
		for (unsigned i = 0; i < known[m].lanes; i++) {
			const struct roster_side *side = roster_side(
			    &fake.roster, member_of(known[m].client,
			    known[m].number), known[m].lane[i].number);

			EXPECT(side != NULL);
			EXPECT_EQ(roster_other(side)->member == NULL,
			    known[m].lane[i].gone);
		}
	}
	EXPECT(roster_ok(&fake.roster));
}

static void
drop_one(unsigned m)
{
	if (known[m].lanes == 0)
		return;
	unsigned i = (unsigned)random_below(known[m].lanes);
	do_drop(known[m].client, known[m].number, known[m].lane[i].number);
	known[m].lane[i] = known[m].lane[--known[m].lanes];
}

static void
join_one(unsigned m, const uint64_t *clients)
{
	static const char *const names[] = { "a", "b", "c" };
	uint64_t client = clients[random_below(CLIENTS)];
	struct channels_join join = join_for(names[random_below(3)],
	    1 + (unsigned)random_below(3));
	struct channels_joined joined;
	status_t status = do_join(client, &join, false, &joined);

	if (status == ERR_NOENT)
		status = do_join(client, &join, true, &joined);
	EXPECT_EQ(status, OK);
	memset(&known[m], 0, sizeof(known[m]));
	known[m].client = client;
	known[m].number = joined.member;
}

static void
end_one(uint64_t *client)
{
	do_gone(*client);
	for (unsigned m = 0; m < MEMBERS; m++)
		if (known[m].client == *client)
			known[m].number = known[m].client = 0;
	*client = do_connect(1, 0xe);
}

TEST(test_whatever_happens_and_dies_each_end_is_told_once)
{
	uint64_t clients[CLIENTS];

	start(CRASHES_PER_100);
	memset(known, 0, sizeof(known));
	for (unsigned i = 0; i < CLIENTS; i++)
		clients[i] = do_connect(i + 1, 0xe);
	for (unsigned step = 0; step < 600; step++) {
		unsigned m = (unsigned)random_below(MEMBERS);

		if (known[m].number == 0) {
			join_one(m, clients);
		} else if (random_below(3) == 0) {
			do_close(known[m].client, known[m].number);
			known[m].number = known[m].client = 0;
		} else if (random_below(2) == 0) {
			drop_one(m);
		} else {
			learn(m);
		}
		if (step % 100 == 99)
			end_one(&clients[random_below(CLIENTS)]);
		if (step % 20 == 0)
			compare();
	}
	EXPECT(fake.crashes > 100);
	for (unsigned i = 0; i < CLIENTS; i++)
		do_gone(clients[i]);
	EXPECT_EQ(live_memories(), 0);
	EXPECT(roster_ok(&fake.roster));
}

static uint64_t
must_join_kept(uint64_t client, unsigned role, bool create)
{
	struct channels_join join = join_for("line", role);
	struct channels_joined joined = { 0 };
	status_t status;

	join.flags = CHANNELS_KEPT;
	EXPECT_EQ(do_join(client, &join, create, &joined), OK);
	do {
		struct roster_member *member;

		begin();
		member = member_of(client, joined.member);
		EXPECT(member->sides.next == &member->sides);
		status = roster_enter(&fake.roster, member);
	} while (!end(status));
	EXPECT_EQ(status, OK);
	return joined.member;
}

static status_t
do_resume(uint64_t client, uint64_t number, const struct token *proof)
{
	struct roster_member *member;
	status_t status;
	do {
		begin();
		status = roster_resume(&fake.roster, client_of(client), number,
		    proof, &member);
	} while (!end(status));
	return status;
}

TEST(test_kept_member_waits_for_the_next_client_of_its_place)
{
	start(CRASHES_PER_100);
	uint64_t a = do_connect(1, 0xe), b = do_connect(2, 0xe);
	uint64_t sender = must_join(a, "line", CHANNEL_SENDER, true);
	uint64_t receiver = must_join_kept(b, CHANNEL_RECEIVER, false);
	struct token token = member_of(b, receiver)->token;
	expect_event(a, sender, CHANNELS_EVENT_LANE_OUT);
	expect_event(b, receiver, CHANNELS_EVENT_LANE_IN);
	do_gone(b);
	expect_event(a, sender, CHANNELS_EVENT_NONE);
	/* Who comes meanwhile gets a lane to it. */
	must_join(a, "line", CHANNEL_SENDER, false);
	uint64_t c = do_connect(2, 0xe), other = do_connect(3, 0xe);
	EXPECT_EQ(do_resume(other, receiver, &token), ERR_RIGHT);
	EXPECT_EQ(do_resume(c, receiver, &(struct token){ 0 }), ERR_RIGHT);
	EXPECT_EQ(do_resume(c, sender, &token), ERR_RIGHT);
	EXPECT_EQ(do_resume(c, 12345, &token), ERR_NOENT);
	EXPECT_EQ(do_resume(c, receiver, &token), OK);
	expect_event(c, receiver, CHANNELS_EVENT_LANE_IN);
	expect_event(c, receiver, CHANNELS_EVENT_LANE_IN);
	expect_event(c, receiver, CHANNELS_EVENT_NONE);
	uint64_t d = do_connect(2, 0xe);
	EXPECT_EQ(do_resume(d, receiver, &token), OK);
	do_gone(c);
	expect_event(d, receiver, CHANNELS_EVENT_LANE_IN);
	do_close(d, receiver);
	expect_event(a, sender, CHANNELS_EVENT_GONE);
	do_gone(a);
	do_gone(d);
	EXPECT_EQ(live_memories(), 0);
	EXPECT(roster_ok(&fake.roster));
}

TEST(test_what_a_place_forgot_goes_when_it_opens_anew)
{
	start(CRASHES_PER_100);
	uint64_t a = do_connect(1, 0xe), b = do_connect(2, 0xe);

	must_join_kept(a, CHANNEL_RECEIVER, true);
	uint64_t sender = must_join(b, "line", CHANNEL_SENDER, false);
	expect_event(b, sender, CHANNELS_EVENT_LANE_OUT);
	do_gone(a);
	uint64_t c = do_connect(1, 0xe);
	must_join_kept(c, CHANNEL_RECEIVER, true);
	expect_event(b, sender, CHANNELS_EVENT_GONE);
	do_gone(c);
	do_gone(b);
	EXPECT_EQ(roster_channel_after(&fake.roster, 0)->member_count, 1);
}

TEST_MAIN(0)
