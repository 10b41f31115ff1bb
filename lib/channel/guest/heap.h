/* SPDX-License-Identifier: MIT */
/*
 * Private memory of a guest domain: first fit in a list of free blocks, sorted
 * by address. Whoever frees says the size. Blocks are multiples of 64 bytes.
 * Used when lanes come and go, not on the way of a message.
 *
 * The same for addresses that are not there: struct ranges keeps the list apart.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEAP_UNIT	64u
#define RANGES_MAX	512u

struct heap_block {
	struct heap_block *next;
	size_t	 size;
};

struct heap {
	struct heap_block *free;
};

/* memory: zeroed or not, aligned to HEAP_UNIT. */
void heap_open(struct heap *heap, void *memory, size_t size);
/* Zeroed; NULL: no room. */
void *heap_take(struct heap *heap, size_t size);
void heap_give(struct heap *heap, void *memory, size_t size);

struct range {
	uint64_t start, size;
};

struct ranges {
	struct range free[RANGES_MAX];	/* sorted by start, none touch */
	uint32_t count;
};

void ranges_open(struct ranges *ranges, uint64_t start, uint64_t size);
/* 0: no room. */
uint64_t ranges_take(struct ranges *ranges, uint64_t size);
/* What finds no entry is lost. */
void ranges_give(struct ranges *ranges, uint64_t start, uint64_t size);
