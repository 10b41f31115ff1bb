/* SPDX-License-Identifier: MIT */
#include "table.h"

#include <stdlib.h>

#define SLOTS_FIRST	64u
#define SLOTS_MAX	(1u << 31)

static bool
grow(struct table *table)
{
	uint32_t size = table->size == 0 ? SLOTS_FIRST : 2 * table->size;
	struct table_slot *slot;

	if (table->size >= SLOTS_MAX)
		return false;
	slot = realloc(table->slot, size * sizeof(*slot));
	if (slot == NULL)
		return false;
	for (uint32_t i = table->size; i < size; i++)
		slot[i] = (struct table_slot){
			.next_free = i + 1 == size ? 0 : i + 2,
		};
	table->free = table->size + 1;
	table->slot = slot;
	table->size = size;
	return true;
}

bool
table_add(struct table *table, void *object, uint64_t *out_number)
{
	struct table_slot *slot;
	uint32_t index;

	if (table->free == 0 && !grow(table))
		return false;
	index = table->free - 1;
	slot = &table->slot[index];
	table->free = slot->next_free;
	slot->object = object;
	slot->uses++;
	table->used++;
	*out_number = (uint64_t)slot->uses << 32 | index;
	return true;
}

void *
table_find(const struct table *table, uint64_t number)
{
	uint32_t index = (uint32_t)number;

	if (index >= table->size || table->slot[index].uses != number >> 32)
		return NULL;
	return table->slot[index].object;
}

void
table_remove(struct table *table, uint64_t number)
{
	uint32_t index = (uint32_t)number;
	struct table_slot *slot;

	if (table_find(table, number) == NULL)
		return;
	slot = &table->slot[index];
	slot->object = NULL;
	table->used--;
	/* Its numbers are used up: the slot stays out. */
	if (slot->uses == UINT32_MAX)
		return;
	slot->next_free = table->free;
	table->free = index + 1;
}

void *
table_from(const struct table *table, uint32_t *slot)
{
	for (; *slot < table->size; (*slot)++)
		if (table->slot[*slot].object != NULL)
			return table->slot[*slot].object;
	return NULL;
}

void
table_destroy(struct table *table)
{
	free(table->slot);
	*table = (struct table){ 0 };
}
