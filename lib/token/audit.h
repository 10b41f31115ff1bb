/* SPDX-License-Identifier: MIT */
/*
 * Audit ring: what an authority granted, revoked and refused last.
 *
 * A fixed number of entries; a new one overwrites the oldest. Writers never
 * wait: who finds its place still being written by one that is a whole lap
 * behind leaves its entry out and counts it. Readers see whole entries or none.
 *
 * Place p mod TOKEN_AUDIT_ENTRIES holds entry p iff its stamp is 2p + 2; the
 * stamp is 2p + 1 while the entry is written, and never goes back.
 *
 * Thread safety: any number of writers and readers.
 */
#pragma once

#include <lib/base/linkage.h>
#include <lib/token/token.h>

LINKAGE_BEGIN

#define TOKEN_AUDIT_ENTRIES	512u
#define TOKEN_AUDIT_LINE	128u	/* bytes of text are always enough */

enum token_audit_kind {
	TOKEN_AUDIT_MINT = 1, TOKEN_AUDIT_DERIVE, TOKEN_AUDIT_REVOKE,
	TOKEN_AUDIT_REVOKE_ONE, TOKEN_AUDIT_CLOSE,
	/* Refusals, by reason. */
	TOKEN_AUDIT_FORGED,	/* the tag is not ours */
	TOKEN_AUDIT_REVOKED,	/* was good once */
	TOKEN_AUDIT_NARROW,	/* good, but does not allow that much */
	TOKEN_AUDIT_KINDS,
};

struct token_audit_entry {
	uint64_t position;	/* counts entries of the ring, from 0 */
	uint64_t time_ns;	/* of the clock of the authority; 0: none */
	uint64_t object, nonce;
	uint32_t epoch;
	uint16_t holder;
	uint8_t	 rights, trust;	/* of the token */
	uint8_t	 kind;		/* TOKEN_AUDIT_* */
	uint8_t	 wanted;	/* TOKEN_AUDIT_NARROW: the rights asked for */
};

/* The format above; use the functions. */
struct token_audit_place {
	uint64_t stamp;
	uint64_t word[5];
	uint64_t unused[2];
};
struct token_audit {
	uint64_t next;		/* position of the next entry */
	uint64_t left_out;
	uint64_t unused[6];
	struct token_audit_place place[TOKEN_AUDIT_ENTRIES];
};

/* entry->position is not looked at. Memory of zeros is an empty ring. */
void token_audit_write(struct token_audit *audit,
    const struct token_audit_entry *entry);
/*
 * The first whole entry at *cursor or later; *cursor is then behind it. Begin
 * with 0: what was overwritten is skipped. ERR_EMPTY: no more now. An entry
 * that is being written is skipped if there is a later one.
 */
status_t token_audit_next(const struct token_audit *audit, uint64_t *cursor,
    struct token_audit_entry *out_entry);
uint64_t token_audit_left_out(const struct token_audit *audit);
/* One line without its end; returns the length. */
size_t token_audit_format(const struct token_audit_entry *entry, char *buffer,
    size_t size);

LINKAGE_END
