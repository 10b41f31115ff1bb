/* SPDX-License-Identifier: MIT */
/*
 * Does a table keep the invariants at the top of table.c? Asked by tests only, so
 * no kernel image holds it.
 */
#include <kernel/object/table.h>

/* Checks one slot against the invariants at the top of table.c. */
static bool
slot_ok(const struct table *table, const struct slot *slot, uint64_t index)
{
	if (CAP_INDEX(slot->handle) != index)
		return false;
	if (slot->object == NULL)
		return true;
	if (META_TABLE(slot->meta) != table || slot->object->references == 0)
		return false;
	for (const struct slot *c = slot->child; c != NULL; c = c->next) {
		if (c->parent != slot || (c->next != NULL && c->next->prev != c))
			return false;
		if ((META_RIGHTS(c->meta) & ~META_RIGHTS(slot->meta)) != 0 ||
		    META_TRUST(c->meta) > META_TRUST(slot->meta))
			return false;
	}
	return true;
}

bool
table_ok(struct table *table)
{
	uint32_t used = 0;
	bool ok = true;

	lock_acquire(&derivation_lock);
	for (uint64_t i = 0; ok && i < table->slots_max; i++) {
		struct slot *page = table->pages[i / SLOTS_PER_PAGE];
		if (page == NULL)
			continue;
		ok = slot_ok(table, &page[i % SLOTS_PER_PAGE], i);
		used += page[i % SLOTS_PER_PAGE].object != NULL;
	}
	ok = ok && used == table->used;
	lock_release(&derivation_lock);
	return ok;
}
