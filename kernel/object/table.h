/* SPDX-License-Identifier: MIT */
/*
 * Capability table: slots, lookup, and the derivation tree that crosses all
 * tables.
 *
 * A slot is 64 bytes. Its handle word is index and generation together, so a
 * lookup compares one word. Writers hold derivation_lock; readers hold nothing:
 * they check that the handle word is the one they came for, read object, badge
 * and meta, and check again. Deleting clears the object, then advances the
 * handle word; filling a slot stores the object last.
 *
 * Slots outside any table (capabilities of a call that lies in a reply object)
 * are in the tree like all others: revoke finds them.
 */
#pragma once

#include <kernel/core/lock.h>
#include <kernel/object/object.h>

#define SLOTS_PER_PAGE	64u
#define TABLE_MAX_SLOTS	(1u << 20)

struct slot {
	uint64_t	handle;		/* CAP_MAKE(index, generation) */
	struct object	*object;	/* NULL = empty */
	uint64_t	badge;
	uint64_t	meta;		/* table << 16 | type << 12 | trust << 8 | rights */
	struct slot	*parent;	/* empty slot: unused */
	struct slot	*child;		/* first child; empty slot: unused */
	struct slot	*next, *prev;	/* siblings; empty slot: free list */
};

_Static_assert(sizeof(struct slot) == 64, "one cache line per slot");

struct table {
	struct object	object;
	uint32_t	slots_max;	/* constant; multiple of SLOTS_PER_PAGE */
	struct slot	**pages;	/* constant; entries are set once */
	unsigned	pages_order;	/* of the block that holds `pages` */
	uint64_t	destroyed;	/* reaper only: slots below are empty */

	/* derivation_lock guards the rest. */
	uint32_t	slots_end;	/* of the last page that is there */
	uint32_t	used;
	struct slot	*free;
};

/* What a lookup finds; a copy, good until the kernel is left. */
struct cap {
	struct object	*object;
	uint64_t	badge;
	uint64_t	meta;
};

#define META_RIGHTS(meta)	((unsigned)((meta) & 0xff))
#define META_TRUST(meta)	((unsigned)(((meta) >> 8) & 0xf))
#define META_TYPE(meta)		((unsigned)(((meta) >> 12) & 0xf))
#define META_TABLE(meta)	((struct table *)((int64_t)(meta) >> 16))

extern struct lock derivation_lock;
extern uint64_t slots_used;		/* all tables; derivation_lock */

static inline status_t
table_lookup(const struct table *table, cap_t handle, struct cap *out_cap)
{
	uint64_t index = CAP_INDEX(handle);

	if (index >= table->slots_max)
		return ERR_HANDLE;
	struct slot *page = __atomic_load_n(&table->pages[index / SLOTS_PER_PAGE],
	    __ATOMIC_ACQUIRE);
	if (page == NULL)
		return ERR_HANDLE;
	struct slot *slot = &page[index % SLOTS_PER_PAGE];
	/* Before as well: the next handle of a slot can be guessed. */
	if (__atomic_load_n(&slot->handle, __ATOMIC_ACQUIRE) != handle)
		return ERR_HANDLE;
	out_cap->object = __atomic_load_n(&slot->object, __ATOMIC_ACQUIRE);
	out_cap->badge = __atomic_load_n(&slot->badge, __ATOMIC_ACQUIRE);
	out_cap->meta = __atomic_load_n(&slot->meta, __ATOMIC_ACQUIRE);
	if (out_cap->object == NULL ||
	    __atomic_load_n(&slot->handle, __ATOMIC_ACQUIRE) != handle)
		return ERR_HANDLE;
	return OK;
}

/* Lookup that also checks type and rights. */
status_t table_find(const struct table *table, cap_t handle, unsigned type,
    unsigned rights, struct cap *out_cap);

status_t table_create(struct container *container, uint64_t slots,
    struct table **out_table);

/* The functions below need derivation_lock. */
struct slot *table_slot(struct table *table, cap_t handle);
/* An empty slot: index or CAP_ANY_SLOT. May allocate a page of slots. */
status_t table_reserve(struct table *table, uint64_t at, struct slot **out_slot);
/*
 * Fills an empty slot and takes a reference on the object. parent may be NULL.
 * rights_trust = rights | trust << 8.
 */
cap_t slot_fill(struct slot *slot, struct table *table, struct slot *parent,
    struct object *object, unsigned type, unsigned rights_trust,
    uint64_t badge);
/* Empties a slot; its children move to its parent in bounded steps: ERR_RETRY. */
status_t slot_clear(struct slot *slot);

/* The functions below take derivation_lock. */
status_t table_insert_new(struct table *table, uint64_t at,
    struct object *object, unsigned type, cap_t *out_cap);
status_t table_copy(struct table *source, cap_t handle,
    struct table *destination, uint64_t at, unsigned rights, unsigned trust,
    uint64_t badge, cap_t *out_cap);
status_t table_delete(struct table *table, cap_t handle);
/* ERR_RETRY until all that derives from the capability is gone. */
status_t table_revoke(struct table *table, cap_t handle);
status_t table_next(struct table *table, uint64_t index, cap_t *out_cap);
/* ERR_RETRY with *index advanced until done. */
status_t table_clone(struct table *source, struct table *destination,
    uint64_t *index);
status_t table_clear(struct table *table, uint64_t first, uint64_t *index);
bool table_ok(struct table *table);
