/* SPDX-License-Identifier: MIT */
#include "stack.h"

#include "linux.h"

#include <lib/base/string.h>

#define FIXED_BYTES	256u	/* random, platform, end marker, alignment */

static const char platform[] = "x86_64";

struct place {
	uint8_t	*memory;
	uint64_t low;
	uint64_t at;	/* next byte to use; grows down for strings */
};

static uint64_t
words_needed(const struct stack_input *in)
{
	/* Count, two NULLs, three string pairs in the vector, its end. */
	return 1 + in->argument_count + 1 + in->environment_count + 1 +
	    2 * (in->aux_count + 3ul + 1);
}

uint64_t
stack_size(const struct stack_input *in)
{
	return words_needed(in) * 8 + in->strings_length +
	    strlen(in->path) + 1 + FIXED_BYTES;
}

static uint64_t
push_bytes(struct place *place, const void *from, uint64_t length)
{
	place->at -= length;
	memcpy(place->memory + (place->at - place->low), from, length);
	return place->at;
}

static void
put_word(struct place *place, uint64_t word)
{
	memcpy(place->memory + (place->at - place->low), &word, sizeof(word));
	place->at += sizeof(word);
}

static void
put_pair(struct place *place, uint64_t kind, uint64_t value)
{
	put_word(place, kind);
	put_word(place, value);
}

/* Pointers to `count` strings, then NULL. Returns what follows them. */
static const char *
put_pointers(struct place *place, const char *string, uint32_t count,
    const struct stack_input *in, uint64_t strings_at)
{
	for (uint32_t i = 0; i < count; i++) {
		put_word(place, strings_at + (uint64_t)(string - in->strings));
		string += strlen(string) + 1;
	}
	put_word(place, 0);
	return string;
}

uint64_t
stack_build(uint8_t *memory, uint64_t low, uint64_t top,
    const struct stack_input *in)
{
	static const uint8_t zero[8];
	struct place place = { memory, low, top };

	if (top - low < stack_size(in))
		return 0;
	push_bytes(&place, zero, sizeof(zero));
	uint64_t path_at = push_bytes(&place, in->path, strlen(in->path) + 1);
	uint64_t strings_at = push_bytes(&place, in->strings,
	    in->strings_length);
	uint64_t platform_at = push_bytes(&place, platform, sizeof(platform));
	place.at &= ~15ul;
	uint64_t random_at = push_bytes(&place, in->random, sizeof(in->random));

	place.at = (place.at - words_needed(in) * 8) & ~15ul;
	uint64_t sp = place.at;
	put_word(&place, in->argument_count);
	const char *next = put_pointers(&place, in->strings,
	    in->argument_count, in, strings_at);
	put_pointers(&place, next, in->environment_count, in, strings_at);
	for (unsigned i = 0; i < in->aux_count; i++)
		put_pair(&place, in->aux[i][0], in->aux[i][1]);
	put_pair(&place, L_AT_RANDOM, random_at);
	put_pair(&place, L_AT_EXECFN, path_at);
	put_pair(&place, L_AT_PLATFORM, platform_at);
	put_pair(&place, L_AT_NULL, 0);
	return sp;
}
