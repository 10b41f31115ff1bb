/* SPDX-License-Identifier: MIT */
/*
 * SipHash-2-4 for tokens. The key is kept as the state that a hash begins with;
 * a token is three words and a fourth that holds its length only, with no loop
 * and no branch, so the time does not depend on what is in it.
 */
#include <lib/token/engine.h>

#include <lib/base/string.h>
#include <lib/token/sip_round.h>

#define WORDS	3u			/* of a token, before its tag */
#define LAST	((uint64_t)(8 * WORDS) << 56)

_Static_assert(offsetof(struct token, tag) == 8 * WORDS, "tag comes last");

struct fields {
	uint64_t word[WORDS];
};

static void
paired_load(struct token_key *out_key, const uint8_t bytes[TOKEN_KEY_SIZE])
{
	uint64_t key[2];

	memcpy(key, bytes, sizeof(key));
	out_key->word[0] = key[0] ^ SIP_START_0;
	out_key->word[1] = key[1] ^ SIP_START_1;
	out_key->word[2] = key[0] ^ SIP_START_2;
	out_key->word[3] = key[1] ^ SIP_START_3;
}

static inline struct sip_state
start(const struct token_key *key)
{
	return (struct sip_state){ key->word[0], key->word[1], key->word[2],
	    key->word[3] };
}

static inline void
absorb(struct sip_state *state, uint64_t word)
{
	state->v3 ^= word;
	sip_round(state);
	sip_round(state);
	state->v0 ^= word;
}

static inline uint64_t
fold(const struct sip_state *state)
{
	return state->v0 ^ state->v1 ^ state->v2 ^ state->v3;
}

static inline struct fields
fields_of(const struct token *token)
{
	struct fields fields;

	memcpy(&fields, token, sizeof(fields));
	return fields;
}

static uint64_t
paired_tag_token(const struct token_key *key, const struct token *token)
{
	struct fields fields = fields_of(token);
	struct sip_state state = start(key);

	absorb(&state, fields.word[0]);
	absorb(&state, fields.word[1]);
	absorb(&state, fields.word[2]);
	absorb(&state, LAST);
	state.v2 ^= SIP_END;
	sip_round(&state);
	sip_round(&state);
	sip_round(&state);
	sip_round(&state);
	return fold(&state);
}

static inline void
absorb_both(struct sip_state *a, struct sip_state *b, uint64_t word_a,
    uint64_t word_b)
{
	a->v3 ^= word_a;
	b->v3 ^= word_b;
	sip_round(a);
	sip_round(b);
	sip_round(a);
	sip_round(b);
	a->v0 ^= word_a;
	b->v0 ^= word_b;
}

static inline void
tag_pair(const struct token_key *key, const struct token *tokens,
    uint64_t *out_tags)
{
	struct fields first = fields_of(&tokens[0]);
	struct fields second = fields_of(&tokens[1]);
	struct sip_state a = start(key), b = a;

	for (unsigned i = 0; i < WORDS; i++)
		absorb_both(&a, &b, first.word[i], second.word[i]);
	absorb_both(&a, &b, LAST, LAST);
	a.v2 ^= SIP_END;
	b.v2 ^= SIP_END;
	for (unsigned i = 0; i < 4; i++) {
		sip_round(&a);
		sip_round(&b);
	}
	out_tags[0] = fold(&a);
	out_tags[1] = fold(&b);
}

static void
paired_tag_tokens(const struct token_key *key, const struct token *tokens,
    size_t count, uint64_t *out_tags)
{
	size_t i = 0;

	for (; i + 2 <= count; i += 2)
		tag_pair(key, &tokens[i], &out_tags[i]);
	if (i < count)
		out_tags[i] = paired_tag_token(key, &tokens[i]);
}

/* Whole words by one copy, the end in a word of zeros. */
static uint64_t
paired_tag(const struct token_key *key, const void *data, size_t length)
{
	const uint8_t *bytes = data;
	struct sip_state state = start(key);
	uint64_t word, last = (uint64_t)length << 56;

	for (; length >= 8; length -= 8, bytes += 8) {
		memcpy(&word, bytes, 8);
		absorb(&state, word);
	}
	if (length > 0) {
		word = 0;
		memcpy(&word, bytes, length);
		last |= word;
	}
	absorb(&state, last);
	state.v2 ^= SIP_END;
	for (unsigned i = 0; i < 4; i++)
		sip_round(&state);
	return fold(&state);
}

const struct token_engine token_engine_paired = {
	.name = "paired",
	.load = paired_load,
	.tag = paired_tag,
	.tag_token = paired_tag_token,
	.tag_tokens = paired_tag_tokens,
};
