/* SPDX-License-Identifier: MIT */
/*
 * Seeds for processes: the key stream of ChaCha20, from the seed of this
 * incarnation. Half of each block becomes the next key, so a seed once given
 * out cannot be computed from a later state.
 */
#include "shell.h"

#include <lib/base/string.h>

#define ROUNDS 20

static uint32_t key[8];

static uint32_t
rotate(uint32_t value, unsigned by)
{
	return value << by | value >> (32 - by);
}

static void
quarter(uint32_t s[16], unsigned a, unsigned b, unsigned c, unsigned d)
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

void
seed_start(const uint8_t seed[32])
{
	memcpy(key, seed, sizeof(key));
}

void
seed_next(uint8_t out[32])
{
	uint32_t start[16] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };
	uint32_t s[16];

	memcpy(start + 4, key, sizeof(key));
	memcpy(s, start, sizeof(s));
	for (unsigned round = 0; round < ROUNDS; round += 2) {
		for (unsigned i = 0; i < 4; i++)
			quarter(s, i, i + 4, i + 8, i + 12);
		for (unsigned i = 0; i < 4; i++)
			quarter(s, i, (i + 1) % 4 + 4, (i + 2) % 4 + 8,
			    (i + 3) % 4 + 12);
	}
	for (unsigned i = 0; i < 16; i++)
		s[i] += start[i];
	memcpy(key, s, sizeof(key));
	memcpy(out, s + 8, 32);
}
