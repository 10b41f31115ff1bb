/* SPDX-License-Identifier: MIT */
/*
 * Tokens: capabilities that travel as bytes, where no kernel table names them
 * (between hosted processes, and in messages).
 *
 * A token names an object of an authority, what its holder may do, and carries
 * a tag keyed with a secret that only the authority has (SipHash-2-4, Aumasson
 * and Bernstein 2012): it cannot be made or changed by anybody else. Deriving
 * narrows rights and trust.
 *
 * Revocation. Each object has an epoch, and a token counts only in the epoch it
 * was made in. What the authority caches is that a tag is right, which stays
 * true; the epoch is looked at each time. So nothing is accepted by a
 * token_verify that began after token_revoke returned. A holder of a token that
 * was found good may skip token_verify (token_is_hot) while the generation of
 * the authority, which every revocation advances, is the one it saw before.
 *
 * Functions take tokens in memory that nobody else writes during the call: what
 * lies in shared memory is copied first.
 *
 * Who has a token can use it: it is as secret as a password. It is valid at the
 * one authority that made it, until that ends.
 */
#pragma once

#include <abi/status.h>
#include <lib/base/linkage.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

LINKAGE_BEGIN

#define TOKEN_SEND	0x01u
#define TOKEN_RECEIVE	0x02u
#define TOKEN_OWN	0x04u	/* create, close for all */
#define TOKEN_GRANT	0x08u	/* derive for others */
#define TOKEN_ALL	0x0fu

#define TOKEN_TRUST_MAX	0xfu

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

/*
 * The authority: in memory of the caller, of a fixed size, without pointers
 * that others may write. All functions may be called by many threads at once,
 * without locks; create and destroy by one.
 */
struct token_authority;
struct token_engine;		/* engine.h */
struct token_audit;		/* audit.h */

#define TOKEN_OBJECTS_MAX	(1u << 24)
#define TOKEN_ALIGNMENT		64u	/* of the memory, bytes */

struct token_config {
	uint32_t objects;	/* at once: 1 .. TOKEN_OBJECTS_MAX */
	/* 16 bytes that nobody can guess, never used for an authority before */
	const uint8_t *key;
	const struct token_engine *engine;	/* NULL: the fastest here */
	/*
	 * All below may be NULL. revoked: tells others of the new generation;
	 * token_revoke returns after it. Two revocations may call it at once
	 * and in either order: the larger generation counts.
	 */
	void (*revoked)(void *context, uint64_t generation);
	uint64_t (*now_ns)(void *context);	/* for the audit ring */
	void *context;
};

/* Bytes of memory for so many objects; 0: out of range. */
size_t token_authority_size(uint32_t objects);
/*
 * ERR_ARG no key, memory not aligned; ERR_RANGE objects or size. The key is
 * copied; the caller wipes its own. The memory is the authority's until
 * destroy, which wipes the key: no token is good after it.
 */
status_t token_authority_create(void *memory, size_t size,
    const struct token_config *config, struct token_authority **out_authority);
void token_authority_destroy(struct token_authority *authority);

/*
 * For objects that outlive this memory: the caller keeps the word of each
 * (incarnation and epoch) where it lasts, and puts all back into an authority
 * that was just created with the same key. Tokens count as before; those that
 * were revoked alone count again. nonce: no token of this key had one so large.
 */
uint64_t token_object_word(const struct token_authority *authority,
    uint32_t index);
void token_authority_restore(struct token_authority *authority,
    const uint64_t *words, uint64_t nonce);

/*
 * Objects are what tokens name; a number is never 0 and never used again. Its
 * lower half is the index of its word, less than the configured objects.
 * ERR_FULL: as many as configured exist. Close revokes; ERR_NOENT.
 */
status_t token_object_create(struct token_authority *authority,
    uint64_t *out_object);
status_t token_object_close(struct token_authority *authority, uint64_t object);

struct token_grant {
	uint64_t object;
	uint8_t	 rights;	/* at least one of TOKEN_* */
	uint8_t	 trust;		/* 0 .. TOKEN_TRUST_MAX */
	uint16_t holder;
};

/*
 * ERR_NOENT no such object, ERR_ARG rights or trust out of range. Only who has
 * the authority can mint.
 */
status_t token_mint(struct token_authority *authority,
    const struct token_grant *grant, struct token *out_token);
/*
 * A token for somebody else: at most the rights and the trust of the parent,
 * which needs TOKEN_GRANT (ERR_RIGHT); ERR_ARG another object than the
 * parent's. What happens to the parent later does not matter to it, except
 * what happens to the object.
 */
status_t token_derive(struct token_authority *authority,
    const struct token *parent, const struct token_grant *grant,
    struct token *out_token);

/*
 * OK if the token is of this authority, not revoked, and allows all of
 * `rights`; else ERR_RIGHT, whatever the reason (the audit ring says which).
 */
status_t token_verify(struct token_authority *authority,
    const struct token *token, uint8_t rights);
/* The same for many, each with its own status; faster from two on. */
void token_verify_many(struct token_authority *authority,
    const struct token *tokens, size_t count, uint8_t rights,
    status_t *out_status);

/*
 * All tokens of an object made until now. ERR_NOENT. An object can be revoked
 * 2^32 - 2 times; the last time closes it.
 */
status_t token_revoke(struct token_authority *authority, uint64_t object);
/*
 * This token alone; those derived from it stay. ERR_RIGHT not a good token,
 * ERR_FULL too many of this kind at once (1 024 or less, as they fall): revoke
 * the object.
 */
status_t token_revoke_one(struct token_authority *authority,
    const struct token *token);

/* Advances with each revocation; an aligned word, loaded with acquire. */
const uint64_t *token_generation(const struct token_authority *authority);

/*
 * Session identity: 64 bits (eight signed bytes of an octonion, octonion.h)
 * that tell sessions apart and tell nothing about the token. Not a secret and
 * not a proof. The same for the same token, ERR_RIGHT for one that is not good.
 */
status_t token_identity(struct token_authority *authority,
    const struct token *token, uint64_t *out_identity);

enum token_audit_ring {
	TOKEN_AUDIT_GRANTS,	/* minted, derived, revoked */
	TOKEN_AUDIT_REFUSALS,	/* apart: a flood of them hides no grant */
};
struct token_audit *token_authority_audit(struct token_authority *authority,
    enum token_audit_ring which);

struct token_counters {
	uint64_t granted, revoked, refused;
	uint64_t tags;		/* computed; all else the cache knew */
};
void token_authority_counters(const struct token_authority *authority,
    struct token_counters *out_counters);

/* Walks all tables: false if something is not as it must be. For one thread. */
bool token_authority_ok(const struct token_authority *authority);

/*
 * The last token that was found good, for its one user: set by token_make_hot
 * with the generation that was read *before* token_verify.
 */
struct token_hot {
	struct token token;
	uint64_t generation;
	uint64_t valid;		/* 0: nothing yet */
};

static inline uint64_t
token_load_generation(const uint64_t *generation)
{
	return __atomic_load_n(generation, __ATOMIC_ACQUIRE);
}

static inline void
token_make_hot(struct token_hot *hot, const struct token *token,
    uint64_t generation)
{
	hot->token = *token;
	hot->generation = generation;
	hot->valid = 1;
}

/* Zero iff equal; no branch: the time does not tell where they differ. */
static inline uint64_t
token_difference(const struct token *left, const struct token *right)
{
	uint64_t a[4], b[4];

	__builtin_memcpy(a, left, sizeof(a));
	__builtin_memcpy(b, right, sizeof(b));
	return (a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]);
}

/* Is it the token as before, nothing revoked since, and allows `rights`? */
static inline bool
token_is_hot(const struct token_hot *hot, const struct token *token,
    const uint64_t *generation, uint8_t rights)
{
	uint64_t bad = token_difference(&hot->token, token);

	bad |= hot->generation ^ token_load_generation(generation);
	bad |= hot->valid ^ 1;
	bad |= (uint64_t)(rights & ~hot->token.rights);
	return bad == 0;
}

LINKAGE_END
