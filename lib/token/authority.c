/* SPDX-License-Identifier: MIT */
/* The life of an authority and of its objects. state.h says how they lie. */
#include <lib/token/state.h>

#include <lib/base/string.h>

#define EPOCH_LAST	0xfffffffful

size_t
token_authority_size(uint32_t objects)
{
	if (objects == 0 || objects > TOKEN_OBJECTS_MAX)
		return 0;
	return sizeof(struct token_authority) + objects * sizeof(uint64_t);
}

/* Who sees an identity must not learn the tag: it has a key of its own. */
static void
load_keys(struct token_authority *authority, const uint8_t *bytes)
{
	const struct token_engine *engine = authority->engine;
	uint64_t derived[2];

	engine->load(&authority->key, bytes);
	derived[0] = engine->tag(&authority->key, "identity, first half", 20);
	derived[1] = engine->tag(&authority->key, "identity, second half", 21);
	engine->load(&authority->identity_key, (const uint8_t *)derived);
}

status_t
token_authority_create(void *memory, size_t size,
    const struct token_config *config, struct token_authority **out_authority)
{
	struct token_authority *authority = memory;
	size_t needed = token_authority_size(config->objects);

	if (config->key == NULL || memory == NULL ||
	    (uintptr_t)memory % TOKEN_ALIGNMENT != 0)
		return ERR_ARG;
	if (needed == 0 || size < needed)
		return ERR_RANGE;
	memset(memory, 0, needed);
	authority->engine = config->engine != NULL ? config->engine :
	    &token_engine_paired;
	authority->revoked_hook = config->revoked;
	authority->now_ns = config->now_ns;
	authority->context = config->context;
	authority->object_count = config->objects;
	authority->object = (uint64_t *)(authority + 1);
	authority->generation = 1;
	authority->nonce = NONCE_FIRST;
	load_keys(authority, config->key);
	*out_authority = authority;
	return OK;
}

void
token_authority_destroy(struct token_authority *authority)
{
	memset(&authority->key, 0, sizeof(authority->key));
	memset(&authority->identity_key, 0, sizeof(authority->identity_key));
	/* The compiler must not find out that nobody reads them any more. */
	__asm__ volatile("" :: "r"(authority) : "memory");
}

uint64_t
token_object_word(const struct token_authority *authority, uint32_t index)
{
	return __atomic_load_n(&authority->object[index], __ATOMIC_ACQUIRE);
}

void
token_authority_restore(struct token_authority *authority,
    const uint64_t *words, uint64_t nonce)
{
	for (uint64_t i = 0; i < authority->object_count; i++)
		authority->object[i] = words[i];
	if (nonce > authority->nonce)
		authority->nonce = nonce;
}

/* NULL: no such slot. The word says whether the number still names it. */
static uint64_t *
slot_of(const struct token_authority *authority, uint64_t object)
{
	uint64_t index = object_index(object);

	return index < authority->object_count ? &authority->object[index] :
	    NULL;
}

bool
token_is_current(const struct token_authority *authority, uint64_t object,
    uint32_t epoch)
{
	const uint64_t *slot = slot_of(authority, object);

	return slot != NULL && epoch != 0 &&
	    __atomic_load_n(slot, __ATOMIC_ACQUIRE) ==
	    object_word(object, epoch);
}

uint32_t
token_object_epoch(const struct token_authority *authority, uint64_t object)
{
	const uint64_t *slot = slot_of(authority, object);

	if (slot == NULL)
		return 0;
	uint64_t word = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
	return word >> 32 == object >> 32 ? (uint32_t)word : 0;
}

/* From free to the first epoch of the next incarnation. */
static bool
take_slot(uint64_t *slot, uint64_t index, uint64_t *out_object)
{
	uint64_t word = __atomic_load_n(slot, __ATOMIC_RELAXED);

	do {
		if ((uint32_t)word != 0 || word >> 32 == EPOCH_LAST)
			return false;
	} while (!__atomic_compare_exchange_n(slot, &word,
	    ((word >> 32) + 1) << 32 | 1, false, __ATOMIC_ACQ_REL,
	    __ATOMIC_RELAXED));
	*out_object = ((word >> 32) + 1) << 32 | index;
	return true;
}

status_t
token_object_create(struct token_authority *authority, uint64_t *out_object)
{
	uint64_t count = authority->object_count;
	uint64_t start = __atomic_load_n(&authority->search, __ATOMIC_RELAXED);

	for (uint64_t i = 0; i < count; i++) {
		uint64_t index = (start + i) % count;
		if (!take_slot(&authority->object[index], index, out_object))
			continue;
		__atomic_store_n(&authority->search, index + 1,
		    __ATOMIC_RELAXED);
		return OK;
	}
	return ERR_FULL;
}

static void
note(struct token_authority *authority, enum token_audit_kind kind,
    uint64_t object, uint64_t epoch)
{
	struct token_audit_entry entry = {
		.time_ns = authority->now_ns == NULL ? 0 :
		    authority->now_ns(authority->context),
		.object = object,
		.epoch = (uint32_t)epoch,
		.kind = (uint8_t)kind,
	};

	token_audit_write(&authority->audit[TOKEN_AUDIT_GRANTS], &entry);
}

/*
 * First the epoch, then the generation: who sees the new generation and asks
 * again finds the new epoch.
 */
static status_t
end_epoch(struct token_authority *authority, uint64_t object, bool close)
{
	uint64_t *slot = slot_of(authority, object);
	uint64_t word, next;

	if (slot == NULL)
		return ERR_NOENT;
	word = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
	do {
		if (word >> 32 != object >> 32 || (uint32_t)word == 0)
			return ERR_NOENT;
		next = close || (uint32_t)word == EPOCH_LAST ?
		    word & ~EPOCH_LAST : word + 1;
	} while (!__atomic_compare_exchange_n(slot, &word, next, false,
	    __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE));
	token_advance(authority);
	note(authority, close ? TOKEN_AUDIT_CLOSE : TOKEN_AUDIT_REVOKE, object,
	    (uint32_t)word);
	return OK;
}

void
token_advance(struct token_authority *authority)
{
	uint64_t generation = __atomic_add_fetch(&authority->generation, 1,
	    __ATOMIC_SEQ_CST);

	count(&authority->counters.revoked, 1);
	if (authority->revoked_hook != NULL)
		authority->revoked_hook(authority->context, generation);
}

status_t
token_revoke(struct token_authority *authority, uint64_t object)
{
	return end_epoch(authority, object, false);
}

status_t
token_object_close(struct token_authority *authority, uint64_t object)
{
	return end_epoch(authority, object, true);
}

const uint64_t *
token_generation(const struct token_authority *authority)
{
	return &authority->generation;
}

struct token_audit *
token_authority_audit(struct token_authority *authority,
    enum token_audit_ring which)
{
	return &authority->audit[which];
}
