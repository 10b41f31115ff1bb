/* SPDX-License-Identifier: MIT */
#include <lib/token/state.h>

#include <lib/base/hash.h>

static uint64_t
place_of(uint64_t nonce, unsigned step)
{
	return (hash_mix(nonce) + step) % REVOKED_ENTRIES;
}

bool
revoked_has(const struct token_authority *authority, const struct token *token)
{
	if (__atomic_load_n(&authority->revoked_any, __ATOMIC_ACQUIRE) == 0)
		return false;
	for (unsigned i = 0; i < REVOKED_WINDOW; i++) {
		const struct revoked_entry *entry =
		    &authority->revoked[place_of(token->nonce, i)];
		uint64_t nonce = __atomic_load_n(&entry->nonce,
		    __ATOMIC_ACQUIRE);
		if (nonce == token->nonce)
			return true;
		if (nonce == REVOKED_EMPTY)
			return false;
	}
	return false;
}

/*
 * Takes a place that is empty, or whose token is dead anyway. A nonce is never
 * used twice, so the exchange succeeds only if object and epoch were its own.
 */
static bool
claim(struct token_authority *authority, struct revoked_entry *entry)
{
	uint64_t nonce = __atomic_load_n(&entry->nonce, __ATOMIC_ACQUIRE);

	if (nonce == REVOKED_BUSY)
		return false;
	uint64_t object = __atomic_load_n(&entry->object, __ATOMIC_ACQUIRE);
	uint64_t epoch = __atomic_load_n(&entry->epoch, __ATOMIC_ACQUIRE);
	if (nonce != REVOKED_EMPTY &&
	    token_is_current(authority, object, (uint32_t)epoch))
		return false;
	return __atomic_compare_exchange_n(&entry->nonce, &nonce, REVOKED_BUSY,
	    false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

status_t
revoked_put(struct token_authority *authority, const struct token *token)
{
	for (unsigned i = 0; i < REVOKED_WINDOW; i++) {
		struct revoked_entry *entry =
		    &authority->revoked[place_of(token->nonce, i)];
		if (!claim(authority, entry))
			continue;
		__atomic_store_n(&entry->object, token->object,
		    __ATOMIC_RELEASE);
		__atomic_store_n(&entry->epoch, token->epoch,
		    __ATOMIC_RELEASE);
		__atomic_store_n(&entry->nonce, token->nonce,
		    __ATOMIC_RELEASE);
		__atomic_store_n(&authority->revoked_any, 1, __ATOMIC_RELEASE);
		return OK;
	}
	return ERR_FULL;
}
