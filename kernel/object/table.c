/* SPDX-License-Identifier: MIT */
/*
 * Capability tables and the derivation tree.
 *
 * Invariants, under derivation_lock:
 *  - a filled slot holds one reference on its object;
 *  - a filled slot is in the child list of its parent, if it has one, and the
 *    rights and trust of a child never exceed those of its parent;
 *  - an empty slot is in the free list of its table;
 *  - the handle word of a slot never takes the same value twice while filled.
 *
 * Generations have 40 bits; at a million deletions a second one slot lasts
 * twelve days of nothing but that. A slot whose generation is used up is taken
 * out of service instead of wrapping.
 */
#include <kernel/object/table.h>

#include <kernel/core/frame.h>
#include <kernel/core/panic.h>
#include <kernel/object/container.h>
#include <kernel/object/eventpair.h>

#define STEP_LIMIT		32u	/* slots handled per lock hold */
#define FILLED_COST		16u	/* a filled slot is worth so many empty ones */
#define STEP_BUDGET		(STEP_LIMIT * FILLED_COST)
#define GENERATION_LAST		((1ul << 40) - 1)

struct lock derivation_lock;
uint64_t slots_used;

static uint64_t
meta_make(struct table *table, unsigned type, unsigned rights_trust)
{
	return (uint64_t)(uintptr_t)table << 16 | (uint64_t)type << 12 |
	    rights_trust;
}

status_t
table_find(const struct table *table, cap_t handle, unsigned type,
    unsigned rights, struct cap *out_cap)
{
	status_t status = table_lookup(table, handle, out_cap);

	if (status != OK)
		return status;
	if (META_TYPE(out_cap->meta) != type)
		return ERR_TYPE;
	if ((META_RIGHTS(out_cap->meta) & rights) != rights)
		return ERR_RIGHT;
	return OK;
}

status_t
table_create(struct container *container, uint64_t slots,
    struct table **out_table)
{
	status_t status;
	uint64_t pages = (slots + SLOTS_PER_PAGE - 1) / SLOTS_PER_PAGE;
	unsigned order = 0;

	if (slots == 0 || slots > TABLE_MAX_SLOTS)
		return ERR_RANGE;
	while ((PAGE_SIZE << order) / sizeof(struct slot *) < pages)
		order++;
	status = container_charge_frames(container, 1ul << order);
	if (status != OK)
		return status;
	paddr_t block = frame_alloc_block(order);
	if (block == FRAME_NONE) {
		container_release_frames(container, 1ul << order);
		return ERR_NOMEM;
	}
	struct object *object = object_alloc(OBJ_TABLE, container, &status);
	if (object == NULL) {
		for (uint64_t i = 0; i < 1ul << order; i++)
			frame_release(block + i * PAGE_SIZE);
		container_release_frames(container, 1ul << order);
		return status;
	}
	struct table *table = (struct table *)object;
	table->pages = arch_frame_pointer(block);
	table->pages_order = order;
	for (uint64_t i = 0; i < 1ul << order; i++)
		arch_page_clear((char *)table->pages + i * PAGE_SIZE);
	table->slots_max = (uint32_t)(pages * SLOTS_PER_PAGE);
	*out_table = table;
	return OK;
}

static void
free_push(struct table *table, struct slot *slot)
{
	slot->prev = NULL;
	slot->next = table->free;
	if (table->free != NULL)
		table->free->prev = slot;
	table->free = slot;
}

static void
free_remove(struct table *table, struct slot *slot)
{
	if (slot->prev != NULL)
		slot->prev->next = slot->next;
	else
		table->free = slot->next;
	if (slot->next != NULL)
		slot->next->prev = slot->prev;
	slot->next = slot->prev = NULL;
}

/* Adds the page of slots with this number. */
static status_t
table_add_page(struct table *table, uint64_t number)
{
	status_t status = container_charge_frames(table->object.container, 1);

	if (status != OK)
		return status;
	paddr_t frame = frame_alloc();
	if (frame == FRAME_NONE) {
		container_release_frames(table->object.container, 1);
		return ERR_NOMEM;
	}
	struct slot *page = arch_frame_pointer(frame);
	arch_page_clear(page);
	for (unsigned i = SLOTS_PER_PAGE; i-- > 0;) {
		page[i].handle = CAP_FIRST(number * SLOTS_PER_PAGE + i);
		free_push(table, &page[i]);
	}
	if (table->slots_end < (number + 1) * SLOTS_PER_PAGE)
		table->slots_end = (uint32_t)(number + 1) * SLOTS_PER_PAGE;
	__atomic_store_n(&table->pages[number], page, __ATOMIC_RELEASE);
	return OK;
}

struct slot *
table_slot(struct table *table, cap_t handle)
{
	uint64_t index = CAP_INDEX(handle);

	if (index >= table->slots_max)
		return NULL;
	struct slot *page = table->pages[index / SLOTS_PER_PAGE];
	if (page == NULL)
		return NULL;
	struct slot *slot = &page[index % SLOTS_PER_PAGE];
	return slot->object != NULL && slot->handle == handle ? slot : NULL;
}

/* A page number that is not there yet, or the number of pages. */
static uint64_t
missing_page(const struct table *table)
{
	uint64_t pages = table->slots_max / SLOTS_PER_PAGE;
	uint64_t number = table->slots_end / SLOTS_PER_PAGE;

	/* Pages come mostly in order, so a gap is rare. */
	if (number == pages)
		for (number = 0; number < pages; number++)
			if (table->pages[number] == NULL)
				break;
	return number;
}

status_t
table_reserve(struct table *table, uint64_t at, struct slot **out_slot)
{
	status_t status;

	if (at == CAP_ANY_SLOT) {
		if (table->free == NULL) {
			uint64_t number = missing_page(table);
			if (number == table->slots_max / SLOTS_PER_PAGE)
				return ERR_FULL;
			status = table_add_page(table, number);
			if (status != OK)
				return status;
		}
		*out_slot = table->free;
		return OK;
	}
	if (at >= table->slots_max)
		return ERR_RANGE;
	if (table->pages[at / SLOTS_PER_PAGE] == NULL) {
		status = table_add_page(table, at / SLOTS_PER_PAGE);
		if (status != OK)
			return status;
	}
	struct slot *slot =
	    &table->pages[at / SLOTS_PER_PAGE][at % SLOTS_PER_PAGE];
	if (slot->object != NULL)
		return ERR_EXIST;
	if (CAP_GENERATION(slot->handle) == GENERATION_LAST)
		return ERR_FULL;
	*out_slot = slot;
	return OK;
}

cap_t
slot_fill(struct slot *slot, struct table *table, struct slot *parent,
    struct object *object, unsigned type, unsigned rights_trust,
    uint64_t badge)
{
	if (table != NULL) {
		free_remove(table, slot);
		table->used++;
		slots_used++;
	}
	object_reference(object);
	if (type == OBJ_EVENTPAIR_A || type == OBJ_EVENTPAIR_B)
		eventpair_end_hold(object, type);
	slot->badge = badge;
	slot->meta = meta_make(table, type, rights_trust);
	slot->parent = parent;
	slot->child = NULL;
	slot->prev = NULL;
	slot->next = NULL;
	if (parent != NULL) {
		slot->next = parent->child;
		if (parent->child != NULL)
			parent->child->prev = slot;
		parent->child = slot;
	}
	__atomic_store_n(&slot->object, object, __ATOMIC_RELEASE);
	return slot->handle;
}

static void
unlink_from_parent(struct slot *slot)
{
	if (slot->prev != NULL)
		slot->prev->next = slot->next;
	else if (slot->parent != NULL)
		slot->parent->child = slot->next;
	if (slot->next != NULL)
		slot->next->prev = slot->prev;
	slot->next = slot->prev = slot->parent = NULL;
}

/* Moves up to STEP_LIMIT children to the parent; true when none is left. */
static bool
hand_over_children(struct slot *slot)
{
	struct slot *parent = slot->parent;

	for (unsigned i = 0; slot->child != NULL && i < STEP_LIMIT; i++) {
		struct slot *child = slot->child;
		unlink_from_parent(child);
		child->parent = parent;
		if (parent == NULL)
			continue;
		child->next = parent->child;
		if (parent->child != NULL)
			parent->child->prev = child;
		parent->child = child;
	}
	return slot->child == NULL;
}

status_t
slot_clear(struct slot *slot)
{
	struct object *object = slot->object;
	struct table *table = META_TABLE(slot->meta);
	unsigned type = META_TYPE(slot->meta);

	if (!hand_over_children(slot))
		return ERR_RETRY;
	unlink_from_parent(slot);
	/* In this order: the next handle never leads to this object. */
	__atomic_store_n(&slot->object, NULL, __ATOMIC_RELEASE);
	__atomic_store_n(&slot->handle, slot->handle + CAP_MAKE(0, 1),
	    __ATOMIC_RELEASE);
	if (table != NULL) {
		table->used--;
		slots_used--;
		if (CAP_GENERATION(slot->handle) != GENERATION_LAST)
			free_push(table, slot);
	}
	if (type == OBJ_EVENTPAIR_A || type == OBJ_EVENTPAIR_B)
		eventpair_end_drop(object, type);
	object_release(object);
	return OK;
}

status_t
table_insert_new(struct table *table, uint64_t at, struct object *object,
    unsigned type, cap_t *out_cap)
{
	struct slot *slot;

	lock_acquire(&derivation_lock);
	status_t status = table_reserve(table, at, &slot);
	if (status == OK)
		*out_cap = slot_fill(slot, table, NULL, object, type,
		    RIGHT_ALL | TRUST_MAX << 8, 0);
	lock_release(&derivation_lock);
	return status;
}

/* Checks a derivation and returns rights | trust << 8 and the new badge. */
static status_t
derive_check(const struct slot *source, unsigned rights, unsigned trust,
    uint64_t badge, unsigned *out_rights_trust, uint64_t *out_badge)
{
	unsigned have = META_RIGHTS(source->meta);
	unsigned level = META_TRUST(source->meta);

	if ((have & RIGHT_COPY) == 0)
		return ERR_RIGHT;
	if (badge != 0) {
		/* Only an endpoint without a badge can be given one. */
		if (META_TYPE(source->meta) != OBJ_ENDPOINT)
			return ERR_TYPE;
		if (source->badge != 0)
			return ERR_RIGHT;
	}
	*out_rights_trust = (have & rights) |
	    (trust < level ? trust : level) << 8;
	*out_badge = badge != 0 ? badge : source->badge;
	return OK;
}

status_t
table_copy(struct table *source, cap_t handle, struct table *destination,
    uint64_t at, unsigned rights, unsigned trust, uint64_t badge,
    cap_t *out_cap)
{
	struct slot *to;
	unsigned rights_trust;
	uint64_t new_badge;

	lock_acquire(&derivation_lock);
	struct slot *from = table_slot(source, handle);
	status_t status = from == NULL ? ERR_HANDLE :
	    derive_check(from, rights, trust, badge, &rights_trust, &new_badge);
	if (status == OK)
		status = table_reserve(destination, at, &to);
	if (status == OK)
		*out_cap = slot_fill(to, destination, from, from->object,
		    META_TYPE(from->meta), rights_trust, new_badge);
	lock_release(&derivation_lock);
	return status;
}

status_t
table_delete(struct table *table, cap_t handle)
{
	lock_acquire(&derivation_lock);
	struct slot *slot = table_slot(table, handle);
	status_t status = slot == NULL ? ERR_HANDLE : slot_clear(slot);
	lock_release(&derivation_lock);
	return status;
}

/*
 * Always deletes a child of the revoked slot itself; its children move up. So
 * every descendant is moved at most once and deleted once, whatever the shape
 * of the tree.
 */
status_t
table_revoke(struct table *table, cap_t handle)
{
	lock_acquire(&derivation_lock);
	struct slot *slot = table_slot(table, handle);
	status_t status = slot == NULL ? ERR_HANDLE : OK;
	for (unsigned i = 0; status == OK && slot->child != NULL; i++) {
		if (i == STEP_LIMIT)
			status = ERR_RETRY;
		else
			status = slot_clear(slot->child);
	}
	lock_release(&derivation_lock);
	return status;
}

/* Work on a slot that is filled; false if that must wait for another call. */
static bool
spend(unsigned *budget)
{
	bool enough = *budget >= FILLED_COST;

	*budget -= enough ? FILLED_COST : *budget;
	return enough;
}

/*
 * derivation_lock held. First filled slot from *index on, which is moved there.
 * NULL at the end of the table, or when *budget slots were looked at.
 */
static struct slot *
filled_from(const struct table *table, uint64_t *index, unsigned *budget)
{
	while (*index < table->slots_end && *budget > 0) {
		struct slot *page = table->pages[*index / SLOTS_PER_PAGE];
		struct slot *slot = &page[*index % SLOTS_PER_PAGE];

		if (page == NULL)
			*index |= SLOTS_PER_PAGE - 1;
		else if (slot->object != NULL)
			return slot;
		++*index;
		--*budget;
	}
	return NULL;
}

status_t
table_next(struct table *table, uint64_t index, cap_t *out_cap)
{
	unsigned budget = ~0u;

	lock_acquire(&derivation_lock);
	const struct slot *slot = filled_from(table, &index, &budget);
	if (slot != NULL)
		*out_cap = slot->handle;
	lock_release(&derivation_lock);
	return slot != NULL ? OK : ERR_EMPTY;
}

/*
 * A clone keeps index and generation, so handles stay valid in the copy. It
 * becomes a sibling of its original: revoking the original's parent takes both,
 * deleting or revoking the original leaves the copy.
 */
static status_t
clone_slot(struct slot *from, struct table *destination)
{
	struct slot *to;
	status_t status;

	if ((META_RIGHTS(from->meta) & RIGHT_COPY) == 0)
		return OK;
	status = table_reserve(destination, CAP_INDEX(from->handle), &to);
	if (status != OK)
		return status;
	if (CAP_GENERATION(to->handle) > CAP_GENERATION(from->handle))
		return ERR_STATE;
	to->handle = from->handle;
	slot_fill(to, destination, from->parent, from->object,
	    META_TYPE(from->meta), (unsigned)(from->meta & 0xfff), from->badge);
	return OK;
}

status_t
table_clone(struct table *source, struct table *destination, uint64_t *index)
{
	status_t status = OK;
	unsigned budget = STEP_BUDGET;

	if (source == destination || source->slots_max > destination->slots_max)
		return ERR_ARG;
	lock_acquire(&derivation_lock);
	while (status == OK) {
		struct slot *from = filled_from(source, index, &budget);
		if (from == NULL)
			break;
		status = spend(&budget) ? clone_slot(from, destination) :
		    ERR_RETRY;
		*index += status == OK;
	}
	if (status == OK && *index < source->slots_end)
		status = ERR_RETRY;
	lock_release(&derivation_lock);
	return status;
}

status_t
table_clear(struct table *table, uint64_t first, uint64_t *index)
{
	status_t status = OK;
	unsigned budget = STEP_BUDGET;

	if (*index < first)
		*index = first;
	lock_acquire(&derivation_lock);
	while (status == OK && table->used != 0) {
		struct slot *slot = filled_from(table, index, &budget);
		if (slot == NULL)
			break;
		status = spend(&budget) ? slot_clear(slot) : ERR_RETRY;
		*index += status == OK;
	}
	if (status == OK && table->used != 0 && *index < table->slots_end)
		status = ERR_RETRY;
	lock_release(&derivation_lock);
	return status;
}

bool
table_destroy(struct object *object)
{
	struct table *table = (struct table *)object;

	if (table->used != 0 &&
	    table_clear(table, 0, &table->destroyed) == ERR_RETRY)
		return false;
	for (uint64_t i = 0; i < table->slots_end / SLOTS_PER_PAGE; i++) {
		if (table->pages[i] == NULL)
			continue;
		frame_release(arch_frame_address(table->pages[i]));
		container_release_frames(object->container, 1);
	}
	paddr_t block = arch_frame_address(table->pages);
	for (uint64_t i = 0; i < 1ul << table->pages_order; i++)
		frame_release(block + i * PAGE_SIZE);
	container_release_frames(object->container, 1ul << table->pages_order);
	return true;
}
