/* SPDX-License-Identifier: MIT */
/*
 * Byte strings (see text.h). A string moves to another block only when it
 * outgrows the one it has; blocks then double, so appending byte by byte costs
 * a constant time each. Up to 16 bytes lie inside, unless there is a block.
 *
 * New bytes are written beyond the old length or to a new place first, and the
 * length is set last; all of it is saved, so the order matters to readers of
 * this file only.
 */
#include <lib/arena/text.h>

#include <lib/base/string.h>

static status_t
save(struct arena *arena, struct arena_string *string)
{
	return tx_add(arena, string, sizeof(*string));
}

/* Room for `length` bytes, of which the first `keep` stay. */
static status_t
grow(struct arena *arena, struct arena_string *string, uint64_t length,
    uint64_t keep)
{
	uint64_t capacity = 2 * (string->capacity != 0 ? string->capacity :
	    ARENA_STRING_INSIDE);

	if (capacity < length)
		capacity = length;
	if (capacity > UINT32_MAX)
		capacity = UINT32_MAX;
	uint8_t *block = arena_alloc(arena, capacity);
	if (block == NULL)
		return ERR_NOMEM;
	memcpy(block, arena_string_bytes(string), keep);
	if (string->capacity != 0 && arena_free(arena, string->block) != OK)
		return ERR_NOMEM;
	string->capacity = (uint32_t)capacity;
	string->block = block;
	return OK;
}

static uint64_t
room(const struct arena_string *string)
{
	return string->capacity != 0 ? string->capacity : ARENA_STRING_INSIDE;
}

/* The bytes from `keep` on become these. */
static status_t
replace_from(struct arena *arena, struct arena_string *string, uint64_t keep,
    const void *bytes, size_t length)
{
	if (length > UINT32_MAX - keep)
		return ERR_RANGE;
	if (save(arena, string) != OK || (keep + length > room(string) &&
	    grow(arena, string, keep + length, keep) != OK))
		return ERR_NOMEM;
	uint8_t *to = string->capacity != 0 ? string->block : string->inside;
	if (length != 0 && tx_add(arena, to + keep, length) != OK)
		return ERR_NOMEM;
	if (length != 0)
		memcpy(to + keep, bytes, length);
	string->length = (uint32_t)(keep + length);
	return OK;
}

status_t
arena_string_set(struct arena *arena, struct arena_string *string,
    const void *bytes, size_t length)
{
	return replace_from(arena, string, 0, bytes, length);
}

status_t
arena_string_append(struct arena *arena, struct arena_string *string,
    const void *bytes, size_t length)
{
	return replace_from(arena, string, string->length, bytes, length);
}

status_t
arena_string_clear(struct arena *arena, struct arena_string *string)
{
	if (save(arena, string) != OK || (string->capacity != 0 &&
	    arena_free(arena, string->block) != OK))
		return ERR_NOMEM;
	*string = (struct arena_string){ 0 };
	return OK;
}

bool
arena_string_equals(const struct arena_string *string, const void *bytes,
    size_t length)
{
	return string->length == length && (length == 0 ||
	    memcmp(arena_string_bytes(string), bytes, length) == 0);
}

bool
arena_string_ok(const struct arena_string *string)
{
	return string->length <= room(string) &&
	    (string->capacity == 0 || (string->block != NULL &&
	    string->capacity > ARENA_STRING_INSIDE));
}
