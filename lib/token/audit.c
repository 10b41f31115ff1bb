/* SPDX-License-Identifier: MIT */
#include <lib/token/audit.h>

#include <lib/base/format.h>

#define WORDS	5u

static void
pack(const struct token_audit_entry *entry, uint64_t word[WORDS])
{
	word[0] = entry->time_ns;
	word[1] = entry->object;
	word[2] = entry->nonce;
	word[3] = (uint64_t)entry->epoch << 32 | entry->holder;
	word[4] = (uint64_t)entry->rights << 24 | entry->trust << 16 |
	    entry->kind << 8 | entry->wanted;
}

static void
unpack(const uint64_t word[WORDS], uint64_t position,
    struct token_audit_entry *out_entry)
{
	*out_entry = (struct token_audit_entry){
		.position = position,
		.time_ns = word[0],
		.object = word[1],
		.nonce = word[2],
		.epoch = (uint32_t)(word[3] >> 32),
		.holder = (uint16_t)word[3],
		.rights = (uint8_t)(word[4] >> 24),
		.trust = (uint8_t)(word[4] >> 16),
		.kind = (uint8_t)(word[4] >> 8),
		.wanted = (uint8_t)word[4],
	};
}

/* False: somebody writes here, or was faster by a lap. */
static bool
claim(struct token_audit_place *place, uint64_t position)
{
	uint64_t stamp = __atomic_load_n(&place->stamp, __ATOMIC_RELAXED);

	if (stamp % 2 != 0 || stamp > 2 * position)
		return false;
	return __atomic_compare_exchange_n(&place->stamp, &stamp,
	    2 * position + 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

void
token_audit_write(struct token_audit *audit,
    const struct token_audit_entry *entry)
{
	uint64_t position = __atomic_fetch_add(&audit->next, 1,
	    __ATOMIC_RELAXED);
	struct token_audit_place *place =
	    &audit->place[position % TOKEN_AUDIT_ENTRIES];
	uint64_t word[WORDS];

	if (!claim(place, position)) {
		__atomic_fetch_add(&audit->left_out, 1, __ATOMIC_RELAXED);
		return;
	}
	pack(entry, word);
	for (unsigned i = 0; i < WORDS; i++)
		__atomic_store_n(&place->word[i], word[i], __ATOMIC_RELEASE);
	__atomic_store_n(&place->stamp, 2 * position + 2, __ATOMIC_RELEASE);
}

static bool
read_place(const struct token_audit_place *place, uint64_t position,
    struct token_audit_entry *out_entry)
{
	uint64_t word[WORDS];

	uint64_t stamp = __atomic_load_n(&place->stamp, __ATOMIC_ACQUIRE);
	for (unsigned i = 0; i < WORDS; i++)
		word[i] = __atomic_load_n(&place->word[i], __ATOMIC_ACQUIRE);
	if (stamp != 2 * position + 2 ||
	    __atomic_load_n(&place->stamp, __ATOMIC_RELAXED) != stamp)
		return false;
	unpack(word, position, out_entry);
	return true;
}

status_t
token_audit_next(const struct token_audit *audit, uint64_t *cursor,
    struct token_audit_entry *out_entry)
{
	uint64_t end = __atomic_load_n(&audit->next, __ATOMIC_ACQUIRE);
	uint64_t position = *cursor;

	if (end > TOKEN_AUDIT_ENTRIES && position < end - TOKEN_AUDIT_ENTRIES)
		position = end - TOKEN_AUDIT_ENTRIES;
	for (; position < end; position++) {
		const struct token_audit_place *place =
		    &audit->place[position % TOKEN_AUDIT_ENTRIES];
		if (!read_place(place, position, out_entry))
			continue;
		*cursor = position + 1;
		return OK;
	}
	return ERR_EMPTY;
}

uint64_t
token_audit_left_out(const struct token_audit *audit)
{
	return __atomic_load_n(&audit->left_out, __ATOMIC_RELAXED);
}

size_t
token_audit_format(const struct token_audit_entry *entry, char *buffer,
    size_t size)
{
	static const char *const name[TOKEN_AUDIT_KINDS] = {
		"?", "mint", "derive", "revoke", "revoke-one", "close",
		"forged", "revoked", "narrow",
	};
	unsigned kind = entry->kind < TOKEN_AUDIT_KINDS ? entry->kind : 0;
	char rights[5];

	for (unsigned i = 0; i < 4; i++)
		rights[i] = entry->rights >> i & 1 ? "srog"[i] : '-';
	rights[4] = 0;
	size_t length = format_text(buffer, size,
	    "%lu %lu.%09lu %s object %lx epoch %u holder %u %s trust %x",
	    (unsigned long)entry->position,
	    (unsigned long)(entry->time_ns / 1000000000),
	    (unsigned long)(entry->time_ns % 1000000000), name[kind],
	    (unsigned long)entry->object, entry->epoch, entry->holder, rights,
	    entry->trust);
	if (kind == TOKEN_AUDIT_NARROW)
		length += format_text(length < size ? buffer + length : NULL,
		    length < size ? size - length : 0, " wanted %x",
		    entry->wanted);
	return length;
}
