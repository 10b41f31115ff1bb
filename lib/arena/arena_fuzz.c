/* SPDX-License-Identifier: MIT */
/*
 * Any bytes laid over an arena with content: opening it succeeds or names an
 * error, and neither it nor the full check touches anything else. The seal is
 * made good half of the time, so that damage below it is reached.
 */
#include <lib/arena/state.h>
#include <lib/base/hash.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BASE	((void *)0x710000000000ul)
#define SIZE	(64ul << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t valid[SIZE];

/* An arena with blocks, cut off in a transaction. */
static void
make_valid(void)
{
	struct arena *arena;
	void *block[16];

	if (mmap(BASE, SIZE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != BASE ||
	    arena_open(BASE, SIZE, 1, NULL, &arena) != OK)
		abort();
	tx_begin(arena);
	for (unsigned i = 0; i < 16; i++)
		block[i] = arena_alloc(arena, i * 50);
	for (unsigned i = 0; i < 16; i += 3)
		arena_free(arena, block[i]);
	arena_set_root(arena, block[1]);
	tx_commit(arena);
	tx_begin(arena);
	tx_add(arena, block[5], 100);
	arena_free(arena, block[4]);
	memcpy(valid, BASE, SIZE);
}

/* Patches: two bytes of offset in words of 8, then 8 bytes. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena_header *header = BASE;
	struct arena *arena;

	if (valid[0] == 0)
		make_valid();
	if (size == 0)
		return 0;
	memcpy(BASE, valid, SIZE);
	for (size_t at = 1; at + 10 <= size; at += 10) {
		size_t word = (data[at] | (size_t)data[at + 1] << 8) %
		    (SIZE / 8);

		memcpy((uint8_t *)BASE + word * 8, data + at + 2, 8);
	}
	if ((data[0] & 1) != 0)
		header->seal = hash_bytes(ARENA_MAGIC, header,
		    offsetof(struct arena_header, seal)) | 1;
	if (arena_open(BASE, SIZE, 1, NULL, &arena) == OK)
		(void)arena_ok(arena);
	return 0;
}
