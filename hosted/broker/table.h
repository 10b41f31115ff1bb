/* SPDX-License-Identifier: MIT */
/*
 * Table of numbered objects. A number is never given twice: its upper half
 * counts the uses of the slot that its lower half names. 0 is no number.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct table_slot {
	void	*object;	/* NULL: free */
	uint32_t uses;
	uint32_t next_free;	/* slot + 1 */
};

struct table {
	struct table_slot *slot;
	uint32_t size;		/* of the array */
	uint32_t used;		/* objects */
	uint32_t free;		/* slot + 1; 0: none */
};

/* false: no memory, or 2^31 slots. */
bool table_add(struct table *table, void *object, uint64_t *out_number);
/* NULL if there is none, or no more. */
void *table_find(const struct table *table, uint64_t number);
void table_remove(struct table *table, uint64_t number);
/* The first object at this slot or behind; *slot is where it was. */
void *table_from(const struct table *table, uint32_t *slot);
/* Frees the array; no objects are left. */
void table_destroy(struct table *table);
