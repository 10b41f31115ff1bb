/* SPDX-License-Identifier: MIT */
/*
 * The authority under many threads: nothing is locked, so order is all there
 * is. Made for the thread sanitizer; without it the laws are checked as well.
 */
#include <lib/token/token.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <lib/test/ktap.h>
#include <lib/token/audit.h>
#include <lib/token/engine.h>

#define THREADS	4u
#define ROUNDS	4000u
#define OBJECTS	4096u

static struct token_authority *authority;

static void
fresh(void)
{
	static const uint8_t key[TOKEN_KEY_SIZE] = { 42 };
	size_t size = (token_authority_size(OBJECTS) + 63) & ~(size_t)63;

	EXPECT_EQ(token_authority_create(aligned_alloc(TOKEN_ALIGNMENT, size),
	    size, &(struct token_config){ .objects = OBJECTS, .key = key },
	    &authority), OK);
}

static void
finish(void)
{
	EXPECT(token_authority_ok(authority));
	free(authority);
}

static struct token
mint(uint64_t object)
{
	struct token token = { 0 };

	EXPECT_EQ(token_mint(authority, &(struct token_grant){
	    .object = object, .rights = TOKEN_ALL }, &token), OK);
	return token;
}

/* Runs it in THREADS threads with their number; returns the sum of results. */
static uint64_t
in_threads(void *(*run)(void *number))
{
	pthread_t thread[THREADS];
	uint64_t sum = 0;

	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, run, (void *)i);
	for (unsigned i = 0; i < THREADS; i++) {
		void *result;

		pthread_join(thread[i], &result);
		sum += (uintptr_t)result;
	}
	return sum;
}

static bool
load(const bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

static void
store(bool *flag)
{
	__atomic_store_n(flag, true, __ATOMIC_RELEASE);
}

/* One thread makes and revokes, in all three ways; the others verify. */
static struct round {
	struct token token;
	bool	 there, ending, ended;
} rounds[ROUNDS];
static unsigned at;

static void
one_round(struct round *round, unsigned number)
{
	uint64_t object = 0;

	EXPECT_EQ(token_object_create(authority, &object), OK);
	round->token = mint(object);
	store(&round->there);
	__atomic_store_n(&at, number + 1, __ATOMIC_RELEASE);
	/* Now and then long enough for the others to see it alive. */
	for (unsigned i = 0; i < number % 64; i++)
		EXPECT_EQ(token_verify(authority, &round->token, 0), OK);
	store(&round->ending);
	EXPECT_EQ(number % 3 == 0 ? token_revoke(authority, object) :
	    number % 3 == 1 ? token_revoke_one(authority, &round->token) :
	    token_object_close(authority, object), OK);
	store(&round->ended);
	if (number % 3 != 2)
		EXPECT_EQ(token_object_close(authority, object), OK);
}

/* Returns how often the law was broken. */
static uint64_t
look_at(const struct round *round, struct token_hot *hot)
{
	const uint64_t *generation = token_generation(authority);

	if (!load(&round->there))
		return 0;
	bool ended = load(&round->ended);
	uint64_t seen = token_load_generation(generation);
	bool good = token_is_hot(hot, &round->token, generation, 0);
	if (!good) {
		good = token_verify(authority, &round->token, 0) == OK;
		if (good)
			token_make_hot(hot, &round->token, seen);
	}
	return (ended && good) || (!load(&round->ending) && !good);
}

static void *
run_revocation(void *number)
{
	struct token_hot hot = { 0 };
	uint64_t broken = 0;
	unsigned now;

	if (number == NULL) {
		for (unsigned i = 0; i < ROUNDS; i++)
			one_round(&rounds[i], i);
		return NULL;
	}
	do {
		now = __atomic_load_n(&at, __ATOMIC_ACQUIRE);
		for (unsigned i = now < 3 ? 0 : now - 3; i < now; i++)
			broken += look_at(&rounds[i], &hot);
	} while (now < ROUNDS);
	return (void *)(uintptr_t)broken;
}

TEST(test_no_check_that_began_after_a_revocation_succeeds)
{
	fresh();
	EXPECT_EQ(in_threads(run_revocation), 0);
	for (unsigned i = 0; i < ROUNDS; i++)
		EXPECT_EQ(token_verify(authority, &rounds[i].token, 0),
		    ERR_RIGHT);
	finish();
}

/* Tokens that share a place of the cache, and mixtures of any two of them. */
#define ALIKE	8u
static struct token alike[ALIKE];

/* Half of the threads change the place, the others look for a mixture. */
static void *
run_cache(void *number)
{
	uint64_t broken = 0;

	for (unsigned i = 0; i < 20 * ROUNDS; i++) {
		const struct token *a = &alike[i % ALIKE];
		const struct token *b = &alike[(i + 1) % ALIKE];
		struct token mixed = i % 3 == 0 ? *a : *b;

		if ((uintptr_t)number % 2 == 0) {
			broken += token_verify(authority, a, TOKEN_ALL) != OK;
			continue;
		}
		if (i % 3 == 0)
			mixed.tag = b->tag;
		else if (i % 3 == 1)
			mixed.object = a->object;
		else
			mixed.nonce = a->nonce;
		broken += token_verify(authority, &mixed, 0) == OK;
	}
	return (void *)(uintptr_t)broken;
}

TEST(test_cache_shared_by_threads_never_mixes_two_tokens)
{
	unsigned found = 0;

	fresh();
	while (found < ALIKE) {
		uint64_t object = 0;

		EXPECT_EQ(token_object_create(authority, &object), OK);
		struct token token = mint(object);
		while (token.tag % 4096 != 17)
			token = mint(object);
		alike[found++] = token;
	}
	EXPECT_EQ(in_threads(run_cache), 0);
	finish();
}

static void *
run_audit(void *number)
{
	static struct token_audit audit;
	struct token_audit_entry entry;
	uint64_t cursor = 0, broken = 0, last = 0;

	for (unsigned i = 0; i < 20 * ROUNDS; i++) {
		if ((uintptr_t)number < THREADS - 1) {
			uint64_t value = i * 0x9e3779b97f4a7c15ul;
			entry = (struct token_audit_entry){ .nonce = value,
			    .object = ~value, .time_ns = value + 1,
			    .epoch = (uint32_t)value, .kind = (uint8_t)value };
			token_audit_write(&audit, &entry);
		}
		if (token_audit_next(&audit, &cursor, &entry) != OK)
			continue;
		broken += entry.object != ~entry.nonce ||
		    entry.time_ns != entry.nonce + 1 ||
		    entry.epoch != (uint32_t)entry.nonce ||
		    entry.kind != (uint8_t)entry.nonce ||
		    (last != 0 && entry.position < last);
		last = entry.position + 1;
	}
	return (void *)(uintptr_t)broken;
}

TEST(test_audit_entries_are_read_whole_and_in_order)
{
	EXPECT_EQ(in_threads(run_audit), 0);
}

static uint64_t made[THREADS][ROUNDS];

static void *
run_objects(void *number)
{
	uint64_t *mine = made[(uintptr_t)number], broken = 0;

	for (unsigned i = 0; i < ROUNDS; i++) {
		broken += token_object_create(authority, &mine[i]) != OK;
		if (i >= 100)
			broken += token_object_close(authority,
			    mine[i - 100]) != OK;
	}
	return (void *)(uintptr_t)broken;
}

static int
compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

TEST(test_threads_never_get_the_same_object)
{
	uint64_t *all = &made[0][0];

	fresh();
	EXPECT_EQ(in_threads(run_objects), 0);
	qsort(all, THREADS * ROUNDS, sizeof(*all), compare);
	for (unsigned i = 1; i < THREADS * ROUNDS; i++)
		EXPECT(all[i] != all[i - 1]);
	finish();
}

TEST_MAIN(0)
