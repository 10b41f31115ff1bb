/* SPDX-License-Identifier: MIT */
/*
 * Tokens: capabilities that travel as bytes, where no kernel table names them
 * (between hosted processes, and in messages).
 *
 * A token names an object of an authority, what its holder may do, and carries
 * a tag keyed with a secret that only the authority has (SipHash-2-4, Aumasson
 * and Bernstein 2012): it cannot be made or changed by anybody else. Deriving
 * narrows rights and trust. Revoking an object's tokens advances its epoch, and
 * with it the authority's generation: a cached verdict counts only for the
 * generation it was made in, so nothing is accepted after token_revoke
 * returned.
 */
#pragma once

#include <abi/status.h>
#include <stdbool.h>
#include <stdint.h>

#define TOKEN_SEND	0x01u
#define TOKEN_RECEIVE	0x02u
#define TOKEN_OWN	0x04u	/* create, close for all */
#define TOKEN_GRANT	0x08u	/* derive for others */
#define TOKEN_ALL	0x0fu

struct token {
	uint64_t object;	/* number, of its authority */
	uint32_t epoch;
	uint8_t	 rights;	/* TOKEN_* */
	uint8_t	 trust;		/* 0x0 .. 0xf */
	uint16_t holder;	/* who it was given to, for the audit ring */
	uint64_t nonce;		/* tells tokens of the same rights apart */
	uint64_t tag;		/* SipHash-2-4 of all above */
};

_Static_assert(sizeof(struct token) == 32, "fixed layout");
