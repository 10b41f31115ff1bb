/* SPDX-License-Identifier: MIT */
/*
 * Random bytes: ChaCha20 over a key that changes with every request, so what
 * was given out cannot be computed from the memory of the process later. The
 * seed is that of the process; a forked child starts from its own.
 */
#include "file.h"

#include "thread.h"

#include <lib/base/string.h>

#define BLOCK	64u

static uint32_t key[8];

static uint32_t
rotate(uint32_t value, unsigned bits)
{
	return value << bits | value >> (32 - bits);
}

static void
quarter(uint32_t *s, unsigned a, unsigned b, unsigned c, unsigned d)
{
	s[a] += s[b];
	s[d] = rotate(s[d] ^ s[a], 16);
	s[c] += s[d];
	s[b] = rotate(s[b] ^ s[c], 12);
	s[a] += s[b];
	s[d] = rotate(s[d] ^ s[a], 8);
	s[c] += s[d];
	s[b] = rotate(s[b] ^ s[c], 7);
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

	for (uint64_t counter = 1; size > 0; counter++) {
		size_t step = size < BLOCK ? size : BLOCK;
		block(counter, words);
		memcpy(to, words, step);
		to += step;
		size -= step;
	}
	block(0, words);
	memcpy(key, words, sizeof(key));
}

uint64_t
random_word(void)
{
	uint64_t word;

	random_fill(&word, sizeof(word));
	return word;
}
