/* SPDX-License-Identifier: MIT */
/* The radix tree of pages of a memory object; all under memory.lock. */
#pragma once

#include <kernel/object/memory.h>

#define PAGES_PER_NODE	512u
#define NODE_LEVELS_MAX	4u

/* Cleared frames, allocated before anything is changed. */
struct page_reserve {
	paddr_t	 frames[2 * NODE_LEVELS_MAX];
	unsigned count;
};

/* All of them or none; charging is the caller's business. */
bool pages_reserve(struct page_reserve *reserve, unsigned count);
paddr_t pages_take(struct page_reserve *reserve);

/*
 * Entry of a page, followed by those of the next pages up to the end of its
 * node. NULL if nodes are missing; only then *out_missing is set, to their
 * number.
 */
uint64_t *pages_entry(const struct memory *memory, uint64_t page,
    unsigned *out_missing);
/* The same with a reserve of exactly the missing nodes; never NULL. */
uint64_t *pages_entry_create(struct memory *memory, uint64_t page,
    struct page_reserve *reserve);
/* Fills or empties an entry; nodes know how many of theirs are filled. */
void pages_set(uint64_t *entry, uint64_t value);
/* First present page at or above a page; ~0 if there is none. */
uint64_t pages_next(const struct memory *memory, uint64_t page);
/* Frees the nodes above a page that became empty. */
void pages_prune(struct memory *memory, uint64_t page);
bool pages_ok(const struct memory *memory);
