/* SPDX-License-Identifier: MIT */
/*
 * The memory of an authority: this structure, then one word per object.
 *
 * All that changes is read and written by atomic operations; nothing is locked.
 *
 * Objects. The word of a slot is incarnation << 32 | epoch; epoch 0 means that
 * the slot is free. Neither half goes back, so a word never comes again, and a
 * token is current iff the word of its slot is the one made of its own fields.
 *
 * Cache. Tokens whose tag was found right, by some bits of the tag. An entry is
 * read whole or not at all: its version is odd while it is written. The words
 * are loaded with acquire and stored with release order, which keeps the two
 * looks at the version on the outside of them without a fence.
 *
 * Single tokens that were revoked: an entry is found within REVOKED_WINDOW
 * places from where its nonce hashes to. Places are never emptied, but one
 * whose token is no longer current is taken for another.
 */
#pragma once

#include <lib/token/audit.h>
#include <lib/token/engine.h>
#include <lib/token/token.h>

#define CACHE_ENTRIES	4096u
#define REVOKED_ENTRIES	1024u
#define REVOKED_WINDOW	16u
#define REVOKED_EMPTY	0ul	/* never used: ends a search */
#define REVOKED_BUSY	1ul	/* being written */
#define NONCE_FIRST	2ul

struct cache_entry {
	uint64_t version;
	uint64_t word[4];	/* of a struct token */
	uint64_t unused[3];
};

struct revoked_entry {
	uint64_t nonce, object, epoch;
};

struct token_authority {
	/* Set by create, then constant. */
	struct token_key key, identity_key;
	const struct token_engine *engine;
	void (*revoked_hook)(void *context, uint64_t generation);
	uint64_t (*now_ns)(void *context);
	void	*context;
	uint64_t object_count;
	uint64_t *object;

	/* On a line of its own: read by every check. */
	uint64_t generation __attribute__((aligned(64)));
	uint64_t revoked_any;	/* not 0: the table of single ones is in use */

	uint64_t nonce __attribute__((aligned(64)));	/* the next */
	uint64_t search;	/* slot where the search for a free one began */
	struct token_counters counters;

	struct cache_entry cache[CACHE_ENTRIES] __attribute__((aligned(64)));
	struct revoked_entry revoked[REVOKED_ENTRIES];
	struct token_audit audit[2] __attribute__((aligned(64)));
};

static inline void
count(uint64_t *counter, uint64_t by)
{
	__atomic_fetch_add(counter, by, __ATOMIC_RELAXED);
}

/* The word that an object's slot has while tokens of this epoch are good. */
static inline uint64_t
object_word(uint64_t object, uint32_t epoch)
{
	return (object & ~0xfffffffful) | epoch;
}

static inline uint64_t
object_index(uint64_t object)
{
	return object & 0xfffffffful;
}

/* cache.c: is the tag of this token known to be right? */
bool cache_has(const struct token_authority *authority,
    const struct token *token);
void cache_put(struct token_authority *authority, const struct token *token);

/* revoked.c */
bool revoked_has(const struct token_authority *authority,
    const struct token *token);
/* ERR_FULL: no place within the window. */
status_t revoked_put(struct token_authority *authority,
    const struct token *token);

/* authority.c: neither its object nor the object's epoch ended. */
bool token_is_current(const struct token_authority *authority, uint64_t object,
    uint32_t epoch);
/* Something was revoked: the generation, and whoever wants to know. */
void token_advance(struct token_authority *authority);
/* The epoch of an object now; 0: it does not exist. */
uint32_t token_object_epoch(const struct token_authority *authority,
    uint64_t object);
