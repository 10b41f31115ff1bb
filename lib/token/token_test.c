/* SPDX-License-Identifier: MIT */
#include <lib/token/token.h>

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include <lib/test/ktap.h>
#include <lib/token/audit.h>
#include <lib/token/engine.h>
#include <lib/token/octonion.h>

#define OBJECTS		64u
#define FORGERIES	1000000u

static const uint8_t key[TOKEN_KEY_SIZE] = {
	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
};
static const struct token_engine *const engines[] = {
	&token_engine_plain, &token_engine_paired,
};
#define ENGINES	(sizeof(engines) / sizeof(engines[0]))

static struct token_authority *authority;
static uint64_t told;		/* the generation that the hook saw last */
static uint64_t seed = 1;

static uint64_t
random_word(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x2545f4914f6cdd1dul;
}

static void
tell(void *context, uint64_t generation)
{
	told = generation;
}

static uint64_t
now(void *context)
{
	return 1500000000;
}

static struct token_authority *
create(const struct token_engine *engine, uint32_t objects)
{
	struct token_authority *made = NULL;
	size_t size = token_authority_size(objects);
	void *memory = aligned_alloc(TOKEN_ALIGNMENT,
	    (size + TOKEN_ALIGNMENT - 1) & ~(size_t)(TOKEN_ALIGNMENT - 1));

	EXPECT_EQ(token_authority_create(memory, size, &(struct token_config){
	    .objects = objects, .key = key, .engine = engine, .revoked = tell,
	    .now_ns = now }, &made), OK);
	return made;
}

static void
fresh(void)
{
	authority = create(NULL, OBJECTS);
}

static void
finish(void)
{
	EXPECT(token_authority_ok(authority));
	token_authority_destroy(authority);
	free(authority);
}

static struct token
mint(uint64_t object, uint8_t rights)
{
	struct token token = { 0 };

	EXPECT_EQ(token_mint(authority, &(struct token_grant){ .object = object,
	    .rights = rights, .trust = 0xe, .holder = 7 }, &token), OK);
	return token;
}

static uint64_t
new_object(void)
{
	uint64_t object = 0;

	EXPECT_EQ(token_object_create(authority, &object), OK);
	return object;
}

/* Of the reference implementation: message 00 01 .. n-1, key 00 01 .. 0f. */
TEST(test_engines_give_the_published_tags)
{
	static const uint64_t known[] = {
		0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a,
		0x85676696d7fb7e2d, 0xcf2794e0277187b7, 0x18765564cd99a68d,
		0xcbc9466e58fee3ce, 0xab0200f58b01d137, 0x93f5f5799a932462,
		0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
		0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee,
		0xa129ca6149be45e5,
	};
	uint8_t message[16];

	for (unsigned i = 0; i < 16; i++)
		message[i] = (uint8_t)i;
	for (unsigned e = 0; e < ENGINES; e++) {
		struct token_key loaded;

		engines[e]->load(&loaded, key);
		for (unsigned i = 0; i < 16; i++)
			EXPECT_EQ(engines[e]->tag(&loaded, message, i),
			    known[i]);
	}
}

TEST(test_engines_agree_with_libsodium_on_every_length_and_key)
{
	uint8_t message[200], some_key[TOKEN_KEY_SIZE], tag[8];
	struct token_key loaded;

	for (unsigned i = 0; i < 20000; i++) {
		uint64_t expected, length = random_word() % sizeof(message);

		for (unsigned j = 0; j < sizeof(some_key); j++)
			some_key[j] = (uint8_t)random_word();
		for (unsigned j = 0; j < length; j++)
			message[j] = (uint8_t)random_word();
		crypto_shorthash(tag, message, length, some_key);
		memcpy(&expected, tag, 8);
		const struct token_engine *engine = engines[i % ENGINES];
		engine->load(&loaded, some_key);
		if (engine->tag(&loaded, message, length) != expected) {
			EXPECT(!"another tag than libsodium");
			return;
		}
	}
}

TEST(test_one_and_many_tags_are_those_of_the_bytes)
{
	struct token tokens[9];
	uint64_t tags[9];

	for (unsigned e = 0; e < ENGINES; e++) {
		struct token_key loaded;

		engines[e]->load(&loaded, key);
		for (size_t i = 0; i < sizeof(tokens) / 8; i++)
			((uint64_t *)tokens)[i] = random_word();
		for (unsigned n = 0; n <= 9; n++) {
			memset(tags, 0, sizeof(tags));
			engines[e]->tag_tokens(&loaded, tokens, n, tags);
			for (unsigned i = 0; i < n; i++) {
				uint64_t tag = engines[e]->tag(&loaded,
				    &tokens[i], 24);
				EXPECT_EQ(tags[i], tag);
				EXPECT_EQ(engines[e]->tag_token(&loaded,
				    &tokens[i]), tag);
			}
			for (unsigned i = n; i < 9; i++)
				EXPECT_EQ(tags[i], 0);
		}
	}
}

TEST(test_minted_token_allows_what_it_was_minted_for_and_no_more)
{
	fresh();
	struct token token = mint(new_object(), TOKEN_SEND | TOKEN_GRANT);
	EXPECT_EQ(token_verify(authority, &token, TOKEN_SEND), OK);
	EXPECT_EQ(token_verify(authority, &token, 0), OK);
	EXPECT_EQ(token_verify(authority, &token, TOKEN_RECEIVE), ERR_RIGHT);
	EXPECT_EQ(token_verify(authority, &token, TOKEN_ALL), ERR_RIGHT);
	EXPECT_EQ(token_verify(authority, &token, 0x80), ERR_RIGHT);
	EXPECT_EQ(token.holder, 7);
	EXPECT_EQ(token.trust, 0xe);
	finish();
}

TEST(test_mint_refuses_what_is_not_there_or_out_of_range)
{
	struct token token;

	fresh();
	uint64_t object = new_object();
	struct token_grant grant = { .object = object, .rights = TOKEN_ALL };
	grant.rights = 0;
	EXPECT_EQ(token_mint(authority, &grant, &token), ERR_ARG);
	grant.rights = 0x10;
	EXPECT_EQ(token_mint(authority, &grant, &token), ERR_ARG);
	grant.rights = TOKEN_ALL;
	grant.trust = 0x10;
	EXPECT_EQ(token_mint(authority, &grant, &token), ERR_ARG);
	grant.trust = 0;
	grant.object = object + 1;
	EXPECT_EQ(token_mint(authority, &grant, &token), ERR_NOENT);
	grant.object = 0;
	EXPECT_EQ(token_mint(authority, &grant, &token), ERR_NOENT);
	grant.object = object + ((uint64_t)1 << 32);
	EXPECT_EQ(token_mint(authority, &grant, &token), ERR_NOENT);
	finish();
}

TEST(test_create_refuses_wrong_memory_and_sizes)
{
	static uint8_t memory[64] __attribute__((aligned(64)));
	struct token_authority *made;
	struct token_config config = { .objects = 1, .key = key };
	size_t size = token_authority_size(1);

	EXPECT_EQ(token_authority_create(NULL, size, &config, &made), ERR_ARG);
	EXPECT_EQ(token_authority_create(memory + 8, size, &config, &made),
	    ERR_ARG);
	EXPECT_EQ(token_authority_create(memory, size - 1, &config, &made),
	    ERR_RANGE);
	config.objects = 0;
	EXPECT_EQ(token_authority_create(memory, size, &config, &made),
	    ERR_RANGE);
	EXPECT_EQ(token_authority_size(TOKEN_OBJECTS_MAX + 1), 0);
	config = (struct token_config){ .objects = 1 };
	EXPECT_EQ(token_authority_create(memory, size, &config, &made),
	    ERR_ARG);
}

/* Every pair of rights and trust levels, against the rule itself. */
TEST(test_derive_narrows_and_never_widens)
{
	fresh();
	uint64_t object = new_object();
	for (unsigned i = 0; i < 16 * 16 * 16; i++) {
		struct token parent = mint(object, TOKEN_ALL);
		struct token child, grandchild;
		struct token_grant from = { .object = object,
		    .rights = (uint8_t)(i % 16 | TOKEN_GRANT), .trust = 8 };
		struct token_grant to = { .object = object,
		    .rights = (uint8_t)(i / 16 % 16), .trust =
		    (uint8_t)(i / 256) };
		EXPECT_EQ(token_derive(authority, &parent, &from, &child), OK);
		status_t status = token_derive(authority, &child, &to,
		    &grandchild);
		bool allowed = (to.rights & ~from.rights) == 0 && to.trust <= 8;
		EXPECT_EQ(status, to.rights == 0 ? ERR_ARG :
		    allowed ? OK : ERR_RIGHT);
		if (status != OK)
			continue;
		EXPECT_EQ(token_verify(authority, &grandchild, to.rights), OK);
		EXPECT_EQ(grandchild.trust, to.trust);
	}
	finish();
}

TEST(test_derive_needs_the_grant_right_and_the_same_object)
{
	fresh();
	uint64_t object = new_object(), other = new_object();
	struct token plain = mint(object, TOKEN_SEND);
	struct token giver = mint(object, TOKEN_SEND | TOKEN_GRANT), child;
	struct token_grant grant = { .object = object, .rights = TOKEN_SEND };
	EXPECT_EQ(token_derive(authority, &plain, &grant, &child), ERR_RIGHT);
	EXPECT_EQ(token_derive(authority, &giver, &grant, &child), OK);
	EXPECT(child.nonce != giver.nonce);
	grant.object = other;
	EXPECT_EQ(token_derive(authority, &giver, &grant, &child), ERR_ARG);
	giver.tag ^= 1;
	grant.object = object;
	EXPECT_EQ(token_derive(authority, &giver, &grant, &child), ERR_RIGHT);
	finish();
}

TEST(test_revoke_ends_parents_and_children_of_one_object_only)
{
	fresh();
	uint64_t object = new_object();
	struct token token = mint(object, TOKEN_ALL), child;
	struct token other = mint(new_object(), TOKEN_ALL);
	EXPECT_EQ(token_derive(authority, &token, &(struct token_grant){
	    .object = object, .rights = TOKEN_SEND }, &child), OK);
	EXPECT_EQ(token_verify(authority, &token, 0), OK);
	EXPECT_EQ(token_verify(authority, &child, 0), OK);
	uint64_t before = *token_generation(authority);
	EXPECT_EQ(token_revoke(authority, object), OK);
	EXPECT_EQ(*token_generation(authority), before + 1);
	EXPECT_EQ(told, before + 1);
	EXPECT_EQ(token_verify(authority, &token, 0), ERR_RIGHT);
	EXPECT_EQ(token_verify(authority, &child, 0), ERR_RIGHT);
	EXPECT_EQ(token_verify(authority, &other, 0), OK);
	struct token again = mint(object, TOKEN_SEND);
	EXPECT_EQ(token_verify(authority, &again, TOKEN_SEND), OK);
	EXPECT_EQ(token_revoke(authority, 0), ERR_NOENT);
	EXPECT_EQ(token_revoke(authority, object + 1000), ERR_NOENT);
	finish();
}

TEST(test_close_revokes_and_the_number_never_comes_back)
{
	fresh();
	uint64_t object = new_object();
	struct token token = mint(object, TOKEN_ALL);
	EXPECT_EQ(token_object_close(authority, object), OK);
	EXPECT_EQ(token_object_close(authority, object), ERR_NOENT);
	EXPECT_EQ(token_revoke(authority, object), ERR_NOENT);
	for (unsigned i = 0; i < 10 * OBJECTS; i++) {
		uint64_t next = new_object();
		EXPECT(next != object && next != 0);
		EXPECT_EQ(token_verify(authority, &token, 0), ERR_RIGHT);
		EXPECT_EQ(token_object_close(authority, next), OK);
	}
	finish();
}

TEST(test_as_many_objects_as_configured)
{
	uint64_t object[OBJECTS], more;

	fresh();
	for (unsigned i = 0; i < OBJECTS; i++)
		object[i] = new_object();
	EXPECT_EQ(token_object_create(authority, &more), ERR_FULL);
	EXPECT_EQ(token_object_close(authority, object[17]), OK);
	EXPECT_EQ(token_object_create(authority, &more), OK);
	EXPECT_EQ(token_object_create(authority, &more), ERR_FULL);
	finish();
}

TEST(test_revoking_one_token_leaves_the_others)
{
	fresh();
	uint64_t object = new_object();
	struct token one = mint(object, TOKEN_ALL), child;
	struct token two = mint(object, TOKEN_ALL);
	EXPECT_EQ(token_derive(authority, &one, &(struct token_grant){
	    .object = object, .rights = TOKEN_SEND }, &child), OK);
	EXPECT_EQ(token_verify(authority, &one, 0), OK);
	uint64_t before = *token_generation(authority);
	EXPECT_EQ(token_revoke_one(authority, &one), OK);
	EXPECT_EQ(*token_generation(authority), before + 1);
	EXPECT_EQ(token_verify(authority, &one, 0), ERR_RIGHT);
	EXPECT_EQ(token_revoke_one(authority, &one), ERR_RIGHT);
	EXPECT_EQ(token_verify(authority, &two, 0), OK);
	EXPECT_EQ(token_verify(authority, &child, 0), OK);
	finish();
}

/* Never good again, however full the table is; a new epoch makes room. */
TEST(test_single_revocations_hold_until_their_object_ends)
{
	static struct token revoked[2000];
	unsigned count = 0, full = 0;

	fresh();
	uint64_t object = new_object();
	for (unsigned i = 0; i < 2000; i++) {
		struct token token = mint(object, TOKEN_ALL);
		status_t status = token_revoke_one(authority, &token);
		EXPECT(status == OK || status == ERR_FULL);
		EXPECT_EQ(token_verify(authority, &token, 0),
		    status == OK ? ERR_RIGHT : OK);
		if (status == OK)
			revoked[count++] = token;
		else
			full++;
		for (unsigned j = 0; i % 500 == 499 && j < count; j++)
			EXPECT_EQ(token_verify(authority, &revoked[j], 0),
			    ERR_RIGHT);
	}
	EXPECT(count > 512 && count <= 1024 && full > 0);
	EXPECT_EQ(token_revoke(authority, object), OK);
	for (unsigned i = 0; i < 500; i++) {
		struct token token = mint(object, TOKEN_ALL);
		EXPECT_EQ(token_revoke_one(authority, &token), OK);
		EXPECT_EQ(token_verify(authority, &token, 0), ERR_RIGHT);
	}
	for (unsigned j = 0; j < count; j++)
		EXPECT_EQ(token_verify(authority, &revoked[j], 0), ERR_RIGHT);
	finish();
}

static struct token
forge(const struct token *valid, const struct token *revoked, unsigned how)
{
	const struct token *a = &valid[random_word() % 16];
	const struct token *b = &valid[random_word() % 16];
	struct token token = *a;
	uint64_t *word = (uint64_t *)&token;

	switch (how) {
	case 0:		/* all made up */
		for (unsigned i = 0; i < 4; i++)
			word[i] = random_word();
		break;
	case 1:		/* one bit of a good one */
		word[random_word() % 4] ^= (uint64_t)1 << random_word() % 64;
		break;
	case 2:		/* parts of two good ones */
		word[0] = (how = (unsigned)random_word()) & 1 ? a->object :
		    b->object;
		word[1] = ((const uint64_t *)(how & 2 ? a : b))[1];
		word[2] = how & 4 ? a->nonce : b->nonce;
		word[3] = how & 8 ? a->tag : b->tag;
		break;
	case 3:		/* a tag with some bytes right */
		word[3] ^= (random_word() | 1) << 8 * (random_word() % 8);
		break;
	case 4:		/* more rights, more trust, another epoch */
		token.rights = TOKEN_ALL;
		token.trust = (uint8_t)random_word();
		token.epoch = (uint32_t)random_word() % 4;
		break;
	default:	/* good once */
		token = revoked[random_word() % 16];
	}
	return token;
}

static bool
is_one_of(const struct token *token, const struct token *valid)
{
	for (unsigned i = 0; i < 16; i++) {
		if (memcmp(token, &valid[i], sizeof(*token)) == 0)
			return true;
	}
	return false;
}

TEST(test_of_a_million_forgeries_none_is_accepted)
{
	struct token valid[16], revoked[16];
	unsigned tried = 0, accepted = 0;

	fresh();
	for (unsigned i = 0; i < 16; i++) {
		uint64_t object = new_object();
		revoked[i] = mint(object, TOKEN_ALL);
		EXPECT_EQ(token_verify(authority, &revoked[i], 0), OK);
		EXPECT_EQ(i % 2 == 0 ? token_revoke(authority, object) :
		    token_revoke_one(authority, &revoked[i]), OK);
		valid[i] = mint(object, TOKEN_SEND);
		EXPECT_EQ(token_verify(authority, &valid[i], 0), OK);
	}
	while (tried < FORGERIES) {
		struct token token = forge(valid, revoked, tried % 6);
		status_t many = OK;

		if (is_one_of(&token, valid))
			continue;	/* two parts of the same */
		tried++;
		accepted += token_verify(authority, &token, 0) == OK;
		if (tried % 16 == 0)
			token_verify_many(authority, &token, 1, 0, &many);
		accepted += tried % 16 == 0 && many == OK;
	}
	EXPECT_EQ(accepted, 0);
	for (unsigned i = 0; i < 16; i++)
		EXPECT_EQ(token_verify(authority, &valid[i], 0), OK);
	finish();
}

TEST(test_each_bit_of_a_token_matters)
{
	fresh();
	struct token token = mint(new_object(), TOKEN_SEND);
	for (unsigned bit = 0; bit < 256; bit++) {
		struct token other = token;
		((uint8_t *)&other)[bit / 8] ^= (uint8_t)(1 << bit % 8);
		EXPECT(token_difference(&token, &other) != 0);
		EXPECT_EQ(token_verify(authority, &other, 0), ERR_RIGHT);
		EXPECT_EQ(token_verify(authority, &token, 0), OK);
	}
	finish();
}

TEST(test_many_are_judged_as_each_alone)
{
	struct token tokens[40];
	status_t status[40];

	fresh();
	uint64_t object = new_object();
	for (unsigned length = 0; length <= 40; length++) {
		for (unsigned i = 0; i < length; i++) {
			tokens[i] = mint(object, i % 3 == 0 ? TOKEN_RECEIVE :
			    TOKEN_SEND);
			if (random_word() % 4 == 0)
				tokens[i].tag ^= 1;
		}
		token_verify_many(authority, tokens, length, TOKEN_SEND,
		    status);
		for (unsigned i = 0; i < length; i++)
			EXPECT_EQ(status[i], token_verify(authority, &tokens[i],
			    TOKEN_SEND));
	}
	finish();
}

TEST(test_cached_verdict_needs_no_tag_and_changes_no_answer)
{
	struct token_counters first, second;

	fresh();
	struct token token = mint(new_object(), TOKEN_ALL);
	EXPECT_EQ(token_verify(authority, &token, 0), OK);
	token_authority_counters(authority, &first);
	for (unsigned i = 0; i < 100; i++)
		EXPECT_EQ(token_verify(authority, &token, 0), OK);
	token_authority_counters(authority, &second);
	EXPECT_EQ(first.tags, second.tags);
	EXPECT_EQ(first.refused, 0);
	EXPECT_EQ(token_revoke(authority, token.object), OK);
	EXPECT_EQ(token_verify(authority, &token, 0), ERR_RIGHT);
	finish();
}

TEST(test_hot_token_cools_with_any_revocation)
{
	struct token_hot hot = { 0 };
	struct token nothing = { 0 };
	const uint64_t zero = 0;

	fresh();
	EXPECT(!token_is_hot(&hot, &nothing, &zero, 0));
	struct token token = mint(new_object(), TOKEN_SEND);
	struct token other = mint(new_object(), TOKEN_SEND);
	const uint64_t *generation = token_generation(authority);
	uint64_t seen = token_load_generation(generation);
	EXPECT_EQ(token_verify(authority, &token, TOKEN_SEND), OK);
	token_make_hot(&hot, &token, seen);
	EXPECT(token_is_hot(&hot, &token, generation, TOKEN_SEND));
	EXPECT(!token_is_hot(&hot, &token, generation, TOKEN_RECEIVE));
	EXPECT(!token_is_hot(&hot, &other, generation, TOKEN_SEND));
	EXPECT_EQ(token_revoke_one(authority, &other), OK);
	EXPECT(!token_is_hot(&hot, &token, generation, TOKEN_SEND));
	finish();
}

TEST(test_authorities_of_other_keys_refuse_each_other)
{
	static const uint8_t other_key[TOKEN_KEY_SIZE] = { 1 };
	struct token_authority *other = create(NULL, OBJECTS);

	EXPECT_EQ(token_authority_create(other, token_authority_size(OBJECTS),
	    &(struct token_config){ .objects = OBJECTS, .key = other_key },
	    &other), OK);
	fresh();
	uint64_t object = new_object(), same;
	EXPECT_EQ(token_object_create(other, &same), OK);
	EXPECT_EQ(object, same);
	struct token token = mint(object, TOKEN_ALL);
	EXPECT_EQ(token_verify(authority, &token, 0), OK);
	EXPECT_EQ(token_verify(other, &token, 0), ERR_RIGHT);
	finish();
	free(other);
}

TEST(test_engines_accept_the_tokens_of_each_other)
{
	struct token_authority *plain = create(&token_engine_plain, OBJECTS);
	uint64_t one, two;

	fresh();
	EXPECT_EQ(token_object_create(plain, &one), OK);
	two = new_object();
	struct token token = mint(two, TOKEN_ALL);
	EXPECT_EQ(one, two);
	EXPECT_EQ(token_verify(plain, &token, TOKEN_ALL), OK);
	finish();
	free(plain);
}

TEST(test_identity_is_stable_and_isolated_from_all_others)
{
	static uint64_t identity[1000];

	fresh();
	uint64_t object = new_object();
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t again = 0;
		struct token token = mint(object, TOKEN_SEND);
		EXPECT_EQ(token_identity(authority, &token, &identity[i]), OK);
		EXPECT_EQ(token_identity(authority, &token, &again), OK);
		EXPECT_EQ(identity[i], again);
		EXPECT(again != token.tag);
		for (unsigned j = 0; j < i; j++)
			EXPECT(octonion_isolated(identity[j], identity[i]));
		token.tag++;
		EXPECT_EQ(token_identity(authority, &token, &again), ERR_RIGHT);
	}
	finish();
}

TEST(test_audit_tells_grants_and_refusals_in_order)
{
	struct token_audit_entry entry;
	uint64_t cursor = 0;
	char line[TOKEN_AUDIT_LINE];

	fresh();
	struct token token = mint(new_object(), TOKEN_SEND), bad = token;
	EXPECT_EQ(token_verify(authority, &token, TOKEN_OWN), ERR_RIGHT);
	bad.tag ^= 1;
	EXPECT_EQ(token_verify(authority, &bad, 0), ERR_RIGHT);
	EXPECT_EQ(token_revoke(authority, token.object), OK);
	EXPECT_EQ(token_verify(authority, &token, 0), ERR_RIGHT);
	struct token_audit *audit = token_authority_audit(authority,
	    TOKEN_AUDIT_GRANTS);
	EXPECT_EQ(token_audit_next(audit, &cursor, &entry), OK);
	EXPECT_EQ(entry.kind, TOKEN_AUDIT_MINT);
	EXPECT_EQ(token_audit_next(audit, &cursor, &entry), OK);
	EXPECT_EQ(entry.kind, TOKEN_AUDIT_REVOKE);
	EXPECT_EQ(token_audit_next(audit, &cursor, &entry), ERR_EMPTY);
	audit = token_authority_audit(authority, TOKEN_AUDIT_REFUSALS);
	cursor = 0;
	EXPECT_EQ(token_audit_next(audit, &cursor, &entry), OK);
	EXPECT_EQ(entry.kind, TOKEN_AUDIT_NARROW);
	size_t length = token_audit_format(&entry, line, sizeof(line));
	EXPECT_EQ(length, strlen(line));
	EXPECT(strcmp(line, "0 1.500000000 narrow object 100000000 epoch 1 "
	    "holder 7 s--- trust e wanted 4") == 0);
	EXPECT_EQ(token_audit_next(audit, &cursor, &entry), OK);
	EXPECT_EQ(entry.kind, TOKEN_AUDIT_FORGED);
	EXPECT_EQ(token_audit_next(audit, &cursor, &entry), OK);
	EXPECT_EQ(entry.kind, TOKEN_AUDIT_REVOKED);
	finish();
}

TEST(test_audit_keeps_the_newest_and_a_flood_of_refusals_no_grant_away)
{
	struct token_audit_entry entry;
	uint64_t cursor = 0, position = 0;

	fresh();
	struct token token = mint(new_object(), TOKEN_SEND);
	token.tag ^= 1;
	for (unsigned i = 0; i < 3 * TOKEN_AUDIT_ENTRIES; i++)
		EXPECT_EQ(token_verify(authority, &token, 0), ERR_RIGHT);
	struct token_audit *audit = token_authority_audit(authority,
	    TOKEN_AUDIT_REFUSALS);
	while (token_audit_next(audit, &cursor, &entry) == OK) {
		EXPECT_EQ(entry.position, 2 * TOKEN_AUDIT_ENTRIES + position);
		position++;
	}
	EXPECT_EQ(position, TOKEN_AUDIT_ENTRIES);
	EXPECT_EQ(token_audit_left_out(audit), 0);
	cursor = 0;
	EXPECT_EQ(token_audit_next(token_authority_audit(authority,
	    TOKEN_AUDIT_GRANTS), &cursor, &entry), OK);
	finish();
}

/* Its memory is lost; the words of its objects and the key are not. */
TEST(test_restored_authority_knows_its_tokens_and_gives_new_ones)
{
	struct token kept, revoked, later;
	uint64_t words[OBJECTS], closed;

	fresh();
	kept = mint(new_object(), TOKEN_ALL);
	revoked = mint(new_object(), TOKEN_ALL);
	EXPECT_EQ(token_revoke(authority, revoked.object), OK);
	closed = new_object();
	EXPECT_EQ(token_object_close(authority, closed), OK);
	for (uint32_t i = 0; i < OBJECTS; i++)
		words[i] = token_object_word(authority, i);
	finish();
	fresh();
	EXPECT_EQ(token_verify(authority, &kept, TOKEN_SEND), ERR_RIGHT);
	token_authority_restore(authority, words, 1ul << 40);
	EXPECT_EQ(token_verify(authority, &kept, TOKEN_SEND), OK);
	EXPECT_EQ(token_verify(authority, &revoked, TOKEN_SEND), ERR_RIGHT);
	later = mint(kept.object, TOKEN_ALL);
	EXPECT(later.nonce >= 1ul << 40);
	for (unsigned i = 0; i + 2 < OBJECTS; i++)
		EXPECT(new_object() != closed);
	EXPECT_EQ(token_object_create(authority, &closed), ERR_FULL);
	finish();
}

TEST_MAIN(0)
