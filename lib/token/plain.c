/* SPDX-License-Identifier: MIT */
/*
 * SipHash-2-4 as its paper describes it: two rounds for each word of input,
 * four at the end; the last word holds what is left over and the length.
 */
#include <lib/token/engine.h>

#include <lib/token/sip_round.h>

#define SIGNED_BYTES	24u	/* of a token: all before its tag */

_Static_assert(offsetof(struct token, tag) == SIGNED_BYTES, "tag comes last");

static uint64_t
load_word(const uint8_t *bytes, size_t length)
{
	uint64_t word = 0;

	for (size_t i = 0; i < length; i++)
		word |= (uint64_t)bytes[i] << (8 * i);
	return word;
}

static void
plain_load(struct token_key *out_key, const uint8_t bytes[TOKEN_KEY_SIZE])
{
	*out_key = (struct token_key){
		.word = { load_word(bytes, 8), load_word(bytes + 8, 8) },
	};
}

static void
absorb(struct sip_state *state, uint64_t word)
{
	state->v3 ^= word;
	sip_round(state);
	sip_round(state);
	state->v0 ^= word;
}

static uint64_t
plain_tag(const struct token_key *key, const void *data, size_t length)
{
	const uint8_t *bytes = data;
	size_t rest = length % 8;
	struct sip_state state = {
		.v0 = key->word[0] ^ SIP_START_0,
		.v1 = key->word[1] ^ SIP_START_1,
		.v2 = key->word[0] ^ SIP_START_2,
		.v3 = key->word[1] ^ SIP_START_3,
	};

	for (size_t i = 0; i < length - rest; i += 8)
		absorb(&state, load_word(bytes + i, 8));
	absorb(&state, (uint64_t)length << 56 |
	    (rest > 0 ? load_word(bytes + length - rest, rest) : 0));
	state.v2 ^= SIP_END;
	for (unsigned i = 0; i < 4; i++)
		sip_round(&state);
	return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

static uint64_t
plain_tag_token(const struct token_key *key, const struct token *token)
{
	return plain_tag(key, token, SIGNED_BYTES);
}

static void
plain_tag_tokens(const struct token_key *key, const struct token *tokens,
    size_t count, uint64_t *out_tags)
{
	for (size_t i = 0; i < count; i++)
		out_tags[i] = plain_tag(key, &tokens[i], SIGNED_BYTES);
}

const struct token_engine token_engine_plain = {
	.name = "plain",
	.load = plain_load,
	.tag = plain_tag,
	.tag_token = plain_tag_token,
	.tag_tokens = plain_tag_tokens,
};
