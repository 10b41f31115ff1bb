/* SPDX-License-Identifier: MIT */
/*
 * Random bytes: ChaCha20 over a key that changes with every request, so what
 * was given out cannot be computed from the memory of the process later. The
 * seed is that of the process; a forked child starts from its own.
 */
#include "file.h"
#include "hot.h"

#include "thread.h"

#include <lib/base/string.h>

#define BLOCK	64u
#define FIRST	32u	/* bytes of a block that are not the next key */

HOT static uint32_t key[8];

static inline uint32_t
rotate(uint32_t value, unsigned bits)
{
	return value << bits | value >> (32 - bits);
}

static inline __attribute__((always_inline)) void
quarter(uint32_t *s, unsigned a, unsigned b, unsigned c, unsigned d)
{
	uint32_t sa = s[a], sb = s[b], sc = s[c], sd = s[d];

	sa += sb;
	sd = rotate(sd ^ sa, 16);
	sc += sd;
	sb = rotate(sb ^ sc, 12);
	sa += sb;
	sd = rotate(sd ^ sa, 8);
	sc += sd;
	sb = rotate(sb ^ sc, 7);
	s[a] = sa;
	s[b] = sb;
	s[c] = sc;
	s[d] = sd;
}

static void
block(uint64_t counter, uint32_t out[16])
{
	uint32_t start[16] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };
	uint32_t s[16];

	memcpy(start + 4, key, sizeof(key));
	start[12] = (uint32_t)counter;
	start[13] = (uint32_t)(counter >> 32);
	memcpy(s, start, sizeof(s));
	for (unsigned i = 0; i < 10; i++) {
		quarter(s, 0, 4, 8, 12);
		quarter(s, 1, 5, 9, 13);
		quarter(s, 2, 6, 10, 14);
		quarter(s, 3, 7, 11, 15);
		quarter(s, 0, 5, 10, 15);
		quarter(s, 1, 6, 11, 12);
		quarter(s, 2, 7, 8, 13);
		quarter(s, 3, 4, 9, 14);
	}
	for (unsigned i = 0; i < 16; i++)
		out[i] = s[i] + start[i];
}

void
random_reseed(void)
{
	const volatile uint8_t *seed = INFO->seed;
	uint8_t *to = (uint8_t *)key;

	for (unsigned i = 0; i < sizeof(key); i++)
		to[i] = seed[i];
}

void
random_fill(void *out, size_t size)
{
	uint32_t words[16];
	uint8_t *to = out;

	for (uint64_t counter = 1; size > FIRST; counter++) {
		size_t step = size < BLOCK ? size : BLOCK;
		block(counter, words);
		memcpy(to, words, step);
		to += step;
		size -= step;
	}
	/* Half of one block is the next key, the rest serves what is left. */
	block(0, words);
	memcpy(key, words, sizeof(key));
	memcpy(to, words + 8, size);
}

uint64_t
random_word(void)
{
	uint64_t word;

	random_fill(&word, sizeof(word));
	return word;
}
