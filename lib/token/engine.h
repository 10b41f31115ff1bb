/* SPDX-License-Identifier: MIT */
/*
 * Engine: what computes the tags of tokens, SipHash-2-4 with a key of 128 bits
 * (Aumasson and Bernstein 2012). Every engine gives the same tags, so one can
 * be put in the place of another; a hardware unit would be one more of them.
 *
 * Thread safety: an engine is constant, a loaded key is only read.
 */
#pragma once

#include <lib/token/token.h>
#include <stddef.h>

#define TOKEN_KEY_SIZE	16u	/* bytes */

/* A key as its engine wants it; the meaning of the words is the engine's. */
struct token_key {
	uint64_t word[4];
};

struct token_engine {
	const char *name;
	void (*load)(struct token_key *out_key,
	    const uint8_t bytes[TOKEN_KEY_SIZE]);
	/* Of any bytes; data may be NULL if length is 0. */
	uint64_t (*tag)(const struct token_key *key, const void *data,
	    size_t length);
	/* Of the fields of one token (24 bytes), and of many at once. */
	uint64_t (*tag_token)(const struct token_key *key,
	    const struct token *token);
	void (*tag_tokens)(const struct token_key *key,
	    const struct token *tokens, size_t count, uint64_t *out_tags);
};

/* As the paper describes it, byte strings of any length. */
extern const struct token_engine token_engine_plain;
/*
 * Unrolled for the 24 bytes of a token, and two tokens at a time: the rounds
 * of one hash form a chain, those of two fill the gaps of each other.
 */
extern const struct token_engine token_engine_paired;
