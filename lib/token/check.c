/* SPDX-License-Identifier: MIT */
/* The invariants of an authority, while nobody else uses it. */
#include <lib/token/state.h>

#include <lib/base/string.h>

static bool
cache_ok(const struct token_authority *authority, uint64_t place)
{
	const struct cache_entry *entry = &authority->cache[place];
	struct token token;

	if (entry->version == 0)
		return true;
	memcpy(&token, entry->word, sizeof(token));
	return entry->version % 2 == 0 && token.tag % CACHE_ENTRIES == place &&
	    authority->engine->tag_token(&authority->key, &token) == token.tag;
}

static bool
audit_ok(const struct token_audit *audit)
{
	for (uint64_t i = 0; i < TOKEN_AUDIT_ENTRIES; i++) {
		uint64_t stamp = audit->place[i].stamp;

		if (stamp == 0)
			continue;
		uint64_t position = stamp / 2 - 1;
		if (stamp % 2 != 0 || position >= audit->next ||
		    position % TOKEN_AUDIT_ENTRIES != i)
			return false;
	}
	return audit->left_out <= audit->next;
}

static bool
objects_ok(const struct token_authority *authority)
{
	for (uint64_t i = 0; i < authority->object_count; i++) {
		if ((uint32_t)authority->object[i] != 0 &&
		    authority->object[i] >> 32 == 0)
			return false;
	}
	return authority->object == (const uint64_t *)(authority + 1);
}

static bool
revoked_ok(const struct token_authority *authority)
{
	for (unsigned i = 0; i < REVOKED_ENTRIES; i++) {
		uint64_t nonce = authority->revoked[i].nonce;

		if (nonce == REVOKED_BUSY || nonce >= authority->nonce ||
		    (nonce != REVOKED_EMPTY && authority->revoked_any == 0))
			return false;
	}
	return true;
}

bool
token_authority_ok(const struct token_authority *authority)
{
	for (uint64_t i = 0; i < CACHE_ENTRIES; i++) {
		if (!cache_ok(authority, i))
			return false;
	}
	return objects_ok(authority) && revoked_ok(authority) &&
	    audit_ok(&authority->audit[TOKEN_AUDIT_GRANTS]) &&
	    audit_ok(&authority->audit[TOKEN_AUDIT_REFUSALS]);
}
