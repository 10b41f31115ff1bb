/* SPDX-License-Identifier: MIT */
#include <lib/token/state.h>

#include <lib/base/string.h>

static const struct cache_entry *
entry_of(const struct token_authority *authority, const struct token *token)
{
	return &authority->cache[token->tag % CACHE_ENTRIES];
}

bool
cache_has(const struct token_authority *authority, const struct token *token)
{
	const struct cache_entry *entry = entry_of(authority, token);
	uint64_t word[4], difference = 0;

	uint64_t version = __atomic_load_n(&entry->version, __ATOMIC_ACQUIRE);
	memcpy(word, token, sizeof(word));
	for (unsigned i = 0; i < 4; i++)
		difference |= word[i] ^
		    __atomic_load_n(&entry->word[i], __ATOMIC_ACQUIRE);
	uint64_t after = __atomic_load_n(&entry->version, __ATOMIC_RELAXED);
	return difference == 0 && version == after && version != 0 &&
	    version % 2 == 0;
}

/* Two at once: the second goes without, a cache owes nothing. */
void
cache_put(struct token_authority *authority, const struct token *token)
{
	struct cache_entry *entry =
	    (struct cache_entry *)entry_of(authority, token);
	uint64_t word[4];

	uint64_t version = __atomic_load_n(&entry->version, __ATOMIC_RELAXED);
	if (version % 2 != 0 || !__atomic_compare_exchange_n(&entry->version,
	    &version, version + 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return;
	memcpy(word, token, sizeof(word));
	for (unsigned i = 0; i < 4; i++)
		__atomic_store_n(&entry->word[i], word[i], __ATOMIC_RELEASE);
	__atomic_store_n(&entry->version, version + 2, __ATOMIC_RELEASE);
}
