/* SPDX-License-Identifier: MIT */
/*
 * Two that use an authority at once, in the orders that matter and chance does
 * not find: one runs an instruction at a time, and after each of them in turn
 * the other does all it has to do (lib/test/step.h).
 */
#include <lib/token/token.h>

#include <string.h>
#include <sys/mman.h>

#include <lib/test/ktap.h>
#include <lib/test/step.h>
#include <lib/token/audit.h>
#include <lib/token/engine.h>
#include <lib/token/state.h>

#define OBJECTS	8u

static struct shared {		/* by both, with the authority behind */
	struct token a, b;	/* share a place of the cache */
	struct token asked;
	struct token_hot hot;
	bool	 found;		/* by the one, in the cache */
	struct token_audit audit;
	uint8_t	 memory[1 << 19] __attribute__((aligned(64)));
} *shared;
static struct token_authority *authority;

/* Acts after instruction 1, 2 ... until the body is over before that. */
static void
at_each(void (*set_up)(void), void (*body)(void *), void (*other)(void),
    void (*check)(void))
{
	bool acted = true;
	uint64_t when;

	for (when = 1; acted && !ktap_state.failed; when++) {
		set_up();
		enum step_end end = step_act(body, when, other, &acted);
		if (end == STEP_IMPOSSIBLE)
			KTAP_SKIP("single steps are not allowed here");
		EXPECT_EQ(end, STEP_OK);
		if (acted)
			check();
	}
	printf("# %u places\n", (unsigned)when);
	EXPECT(when > 10);
	EXPECT(token_authority_ok(authority));
}

static struct token
mint(void)
{
	struct token token = { 0 };
	uint64_t object = 0;

	EXPECT_EQ(token_object_create(authority, &object), OK);
	EXPECT_EQ(token_mint(authority, &(struct token_grant){
	    .object = object, .rights = TOKEN_ALL }, &token), OK);
	return token;
}

static void
fresh(void)
{
	static const uint8_t key[TOKEN_KEY_SIZE] = { 9 };

	if (shared == NULL)
		shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	EXPECT_EQ(token_authority_create(shared->memory,
	    sizeof(shared->memory), &(struct token_config){
	    .objects = OBJECTS, .key = key }, &authority), OK);
	shared->a = shared->b = mint();
	while (shared->b.tag % 4096 != shared->a.tag % 4096 ||
	    shared->b.tag == shared->a.tag)
		EXPECT_EQ(token_mint(authority, &(struct token_grant){
		    .object = shared->a.object, .rights = TOKEN_SEND },
		    &shared->b), OK);
}

/* The words from `split` on are those of b. */
static unsigned split;

static void
set_up_mixture(void)
{
	EXPECT_EQ(token_verify(authority, &shared->a, 0), OK);
	shared->asked = shared->a;
	memcpy((uint64_t *)&shared->asked + split,
	    (uint64_t *)&shared->b + split, (4 - split) * sizeof(uint64_t));
}

static void
body_look(void *context)
{
	shared->found = cache_has(authority, &shared->asked);
}

static void
act_verify_b(void)
{
	EXPECT_EQ(token_verify(authority, &shared->b, 0), OK);
}

static void
check_not_found(void)
{
	EXPECT(!shared->found);
	EXPECT_EQ(token_verify(authority, &shared->asked, 0), ERR_RIGHT);
}

TEST(test_look_at_the_cache_interrupted_anywhere_sees_no_mixture)
{
	fresh();
	/* Words 0 and 1 of both may be the same: then it is not a mixture. */
	for (split = 2; split < 4; split++)
		at_each(set_up_mixture, body_look, act_verify_b,
		    check_not_found);
}

static void
set_up_b(void)
{
	EXPECT_EQ(token_verify(authority, &shared->b, 0), OK);
}

static void
body_put(void *context)
{
	cache_put(authority, &shared->a);
}

/* While a is put into the cache, where b was. */
static void
act_verify_mixtures(void)
{
	struct token mixed = shared->a;

	mixed.tag = shared->b.tag;
	EXPECT_EQ(token_verify(authority, &mixed, 0), ERR_RIGHT);
	mixed = shared->b;
	mixed.tag = shared->a.tag;
	EXPECT_EQ(token_verify(authority, &mixed, 0), ERR_RIGHT);
	mixed = shared->b;
	mixed.nonce = shared->a.nonce;
	EXPECT_EQ(token_verify(authority, &mixed, 0), ERR_RIGHT);
	mixed = shared->a;
	mixed.nonce = shared->b.nonce;
	EXPECT_EQ(token_verify(authority, &mixed, 0), ERR_RIGHT);
	EXPECT_EQ(token_verify(authority, &shared->b, 0), OK);
}

static void
check_accepted(void)
{
	EXPECT_EQ(token_verify(authority, &shared->a, 0), OK);
}

TEST(test_change_of_the_cache_interrupted_anywhere_shows_no_mixture)
{
	fresh();
	at_each(set_up_b, body_put, act_verify_mixtures, check_accepted);
}

static void
set_up_living(void)
{
	fresh();
	shared->hot = (struct token_hot){ .valid = 0 };
	/* In the cache: the tag would be most of what is run. */
	EXPECT_EQ(token_verify(authority, &shared->a, 0), OK);
}

static void
body_make_hot(void *context)
{
	uint64_t seen = token_load_generation(token_generation(authority));

	if (token_verify(authority, &shared->a, 0) == OK)
		token_make_hot(&shared->hot, &shared->a, seen);
}

static void
act_revoke(void)
{
	EXPECT_EQ(token_revoke(authority, shared->a.object), OK);
}

static void
act_revoke_one(void)
{
	EXPECT_EQ(token_revoke_one(authority, &shared->a), OK);
}

static void
check_dead(void)
{
	EXPECT(!token_is_hot(&shared->hot, &shared->a,
	    token_generation(authority), 0));
	EXPECT_EQ(token_verify(authority, &shared->a, 0), ERR_RIGHT);
}

TEST(test_check_interrupted_by_a_revocation_leaves_nothing_that_is_good)
{
	at_each(set_up_living, body_make_hot, act_revoke, check_dead);
	at_each(set_up_living, body_make_hot, act_revoke_one, check_dead);
}

static void
body_revoke(void *context)
{
	(void)token_revoke(authority, shared->a.object);
}

static void
act_make_hot(void)
{
	uint64_t seen = token_load_generation(token_generation(authority));

	if (token_verify(authority, &shared->a, 0) == OK)
		token_make_hot(&shared->hot, &shared->a, seen);
}

TEST(test_revocation_interrupted_by_a_check_leaves_nothing_that_is_good)
{
	at_each(set_up_living, body_revoke, act_make_hot, check_dead);
}

static void
write_entry(uint64_t value)
{
	token_audit_write(&shared->audit, &(struct token_audit_entry){
	    .nonce = value, .object = ~value, .time_ns = value + 1,
	    .epoch = (uint32_t)value });
}

static void
set_up_audit(void)
{
	memset(&shared->audit, 0, sizeof(shared->audit));
	write_entry(7);
}

static void
body_write(void *context)
{
	write_entry(8);
}

static unsigned
read_all(void)
{
	struct token_audit_entry entry;
	uint64_t cursor = 0;
	unsigned read = 0;

	while (token_audit_next(&shared->audit, &cursor, &entry) == OK) {
		EXPECT_EQ(entry.object, ~entry.nonce);
		EXPECT_EQ(entry.time_ns, entry.nonce + 1);
		EXPECT_EQ(entry.epoch, (uint32_t)entry.nonce);
		read++;
	}
	return read;
}

/* More than a lap, beginning at the place that is being written. */
static void
act_lap(void)
{
	(void)read_all();
	for (uint64_t i = 0; i <= TOKEN_AUDIT_ENTRIES; i++)
		write_entry(100 + i);
	(void)read_all();
}

/* What cannot be read was counted as left out. */
static void
check_all_there(void)
{
	EXPECT(read_all() + token_audit_left_out(&shared->audit) >=
	    TOKEN_AUDIT_ENTRIES);
}

TEST(test_audit_written_across_a_lap_shows_or_counts_each_entry)
{
	fresh();
	at_each(set_up_audit, body_write, act_lap, check_all_there);
}

static void
body_nothing(void *context)
{
}

static void
body_is_hot(void *context)
{
	shared->found = token_is_hot(&shared->hot, &shared->a,
	    token_generation(authority), TOKEN_SEND);
}

static void
body_verify(void *context)
{
	shared->found = token_verify(authority, &shared->a, TOKEN_SEND) == OK;
}

static bool
go_on(void *context, uint64_t n)
{
	return true;
}

static uint64_t
cost(void (*body)(void *))
{
	uint64_t count = 0, nothing = 0;

	if (step_run(body, go_on, NULL, &count) == STEP_IMPOSSIBLE)
		return 0;
	EXPECT_EQ(step_run(body_nothing, go_on, NULL, &nothing), STEP_OK);
	return count - nothing;
}

/* Instructions, with calls; without the cache a tag comes on top. */
TEST(test_hot_and_cached_tokens_cost_little)
{
	fresh();
	act_make_hot();
	uint64_t hot = cost(body_is_hot), cached = cost(body_verify);
	printf("# hot %u, cached %u\n", (unsigned)hot, (unsigned)cached);
	if (hot == 0)
		KTAP_SKIP("single steps are not allowed here");
	EXPECT(shared->found);
	EXPECT(hot < 50 && cached < 150);
}

TEST_MAIN(0)
