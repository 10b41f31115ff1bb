/* SPDX-License-Identifier: MIT */
/*
 * Making and checking tokens.
 *
 * A refusal says the same whatever its reason, and takes the tag apart in no
 * order: a forger learns nothing from the answer.
 */
#include <lib/token/state.h>

#define BATCH	16u	/* tags computed at once; on the stack */
#define PASSED	0u	/* beside enum token_audit_kind */

static void
note_token(struct token_authority *authority, unsigned kind,
    const struct token *token, uint8_t wanted)
{
	struct token_audit_entry entry = {
		.time_ns = authority->now_ns == NULL ? 0 :
		    authority->now_ns(authority->context),
		.object = token->object,
		.nonce = token->nonce,
		.epoch = token->epoch,
		.holder = token->holder,
		.rights = token->rights,
		.trust = token->trust,
		.kind = (uint8_t)kind,
		.wanted = wanted,
	};

	token_audit_write(&authority->audit[kind >= TOKEN_AUDIT_FORGED ?
	    TOKEN_AUDIT_REFUSALS : TOKEN_AUDIT_GRANTS], &entry);
}

/* Keeps the refusal for whoever looks; the caller learns no reason. */
static status_t
refuse(struct token_authority *authority, unsigned kind,
    const struct token *token, uint8_t wanted)
{
	count(&authority->counters.refused, 1);
	note_token(authority, kind, token, wanted);
	return ERR_RIGHT;
}

static bool
grant_is_sound(const struct token_grant *grant)
{
	return grant->rights != 0 && (grant->rights & ~TOKEN_ALL) == 0 &&
	    grant->trust <= TOKEN_TRUST_MAX;
}

static void
make(struct token_authority *authority, const struct token_grant *grant,
    uint32_t epoch, struct token *out_token)
{
	*out_token = (struct token){
		.object = grant->object,
		.epoch = epoch,
		.rights = grant->rights,
		.trust = grant->trust,
		.holder = grant->holder,
		.nonce = __atomic_fetch_add(&authority->nonce, 1,
		    __ATOMIC_RELAXED),
	};
	out_token->tag = authority->engine->tag_token(&authority->key,
	    out_token);
	count(&authority->counters.granted, 1);
}

status_t
token_mint(struct token_authority *authority, const struct token_grant *grant,
    struct token *out_token)
{
	if (!grant_is_sound(grant))
		return ERR_ARG;
	uint32_t epoch = token_object_epoch(authority, grant->object);
	if (epoch == 0)
		return ERR_NOENT;
	make(authority, grant, epoch, out_token);
	note_token(authority, TOKEN_AUDIT_MINT, out_token, 0);
	return OK;
}

static bool
tag_is_right(struct token_authority *authority, const struct token *token)
{
	if (cache_has(authority, token))
		return true;
	count(&authority->counters.tags, 1);
	uint64_t difference = token->tag ^
	    authority->engine->tag_token(&authority->key, token);
	if (difference != 0)
		return false;
	cache_put(authority, token);
	return true;
}

/* Of a token whose tag is right. */
static unsigned
judge(const struct token_authority *authority, const struct token *token,
    uint8_t rights)
{
	if (!token_is_current(authority, token->object, token->epoch) ||
	    revoked_has(authority, token))
		return TOKEN_AUDIT_REVOKED;
	return (rights & ~token->rights) != 0 ? TOKEN_AUDIT_NARROW : PASSED;
}

status_t
token_verify(struct token_authority *authority, const struct token *token,
    uint8_t rights)
{
	unsigned kind = tag_is_right(authority, token) ?
	    judge(authority, token, rights) : TOKEN_AUDIT_FORGED;

	return kind == PASSED ? OK : refuse(authority, kind, token, rights);
}

static void
verify_batch(struct token_authority *authority, const struct token *tokens,
    size_t length, uint8_t rights, status_t *out_status)
{
	uint64_t tag[BATCH];

	authority->engine->tag_tokens(&authority->key, tokens, length, tag);
	count(&authority->counters.tags, length);
	for (size_t i = 0; i < length; i++) {
		unsigned kind = (tag[i] ^ tokens[i].tag) == 0 ?
		    judge(authority, &tokens[i], rights) : TOKEN_AUDIT_FORGED;
		out_status[i] = kind == PASSED ? OK :
		    refuse(authority, kind, &tokens[i], rights);
	}
}

void
token_verify_many(struct token_authority *authority,
    const struct token *tokens, size_t length, uint8_t rights,
    status_t *out_status)
{
	while (length > 0) {
		size_t part = length < BATCH ? length : BATCH;

		verify_batch(authority, tokens, part, rights, out_status);
		tokens += part;
		out_status += part;
		length -= part;
	}
}

/*
 * The child has the epoch that the parent was checked with, not the one of now:
 * a revocation in between takes it too.
 */
status_t
token_derive(struct token_authority *authority, const struct token *parent,
    const struct token_grant *grant, struct token *out_token)
{
	struct token from = *parent;	/* out_token may be its place */

	if (!grant_is_sound(grant) || grant->object != from.object)
		return ERR_ARG;
	status_t status = token_verify(authority, &from, TOKEN_GRANT);
	if (status != OK)
		return status;
	if ((grant->rights & ~from.rights) != 0 || grant->trust > from.trust)
		return refuse(authority, TOKEN_AUDIT_NARROW, &from,
		    grant->rights);
	make(authority, grant, from.epoch, out_token);
	note_token(authority, TOKEN_AUDIT_DERIVE, out_token, 0);
	return OK;
}

status_t
token_revoke_one(struct token_authority *authority, const struct token *token)
{
	status_t status = token_verify(authority, token, 0);

	if (status == OK)
		status = revoked_put(authority, token);
	if (status != OK)
		return status;
	token_advance(authority);
	note_token(authority, TOKEN_AUDIT_REVOKE_ONE, token, 0);
	return OK;
}

status_t
token_identity(struct token_authority *authority, const struct token *token,
    uint64_t *out_identity)
{
	status_t status = token_verify(authority, token, 0);

	if (status != OK)
		return status;
	*out_identity = authority->engine->tag(&authority->identity_key, token,
	    sizeof(*token));
	return OK;
}

void
token_authority_counters(const struct token_authority *authority,
    struct token_counters *out_counters)
{
	const struct token_counters *from = &authority->counters;

	*out_counters = (struct token_counters){
		.granted = __atomic_load_n(&from->granted, __ATOMIC_RELAXED),
		.revoked = __atomic_load_n(&from->revoked, __ATOMIC_RELAXED),
		.refused = __atomic_load_n(&from->refused, __ATOMIC_RELAXED),
		.tags = __atomic_load_n(&from->tags, __ATOMIC_RELAXED),
	};
}
