/* SPDX-License-Identifier: MIT */
/*
 * Page tables of user address spaces: 4 levels, 4 KiB pages.
 *
 * The upper half of every top table is a copy of the kernel's, which never
 * changes after boot. An entry is written by one 8-byte store; tables are only
 * added (under vspace.lock) and stay until the space is destroyed, so a leaf
 * can be looked up and changed without that lock. Leaves carry the accessed
 * and dirty bits from the start: the processor never writes to a table.
 *
 * A mapping without any access is a present supervisor page: it faults, and
 * lookups still find its frame.
 */
#include <abi/object.h>
#include <kernel/core/frame.h>
#include <kernel/object/container.h>
#include <machine/machine.h>

uint64_t kernel_root;

#define TABLE_ENTRIES	512u
#define USER_ENTRIES	256u
#define TABLE_FLAGS	(PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_ACCESSED)

void *
arch_frame_pointer(paddr_t frame)
{
	return direct_map(frame);
}

paddr_t
arch_frame_address(const void *pointer)
{
	uint64_t address = (uint64_t)pointer;

	return address >= KERNEL_BASE ? address - KERNEL_BASE :
	    address - DIRECT_BASE;
}

static unsigned
table_index(vaddr_t address, unsigned level)
{
	return (address >> (PAGE_SHIFT + 9 * level)) & (TABLE_ENTRIES - 1);
}

static uint64_t
entry_read(const uint64_t *entry)
{
	return __atomic_load_n(entry, __ATOMIC_ACQUIRE);
}

static void
entry_write(uint64_t *entry, uint64_t value)
{
	__atomic_store_n(entry, value, __ATOMIC_RELEASE);
}

/*
 * The entry for `address` at level 0, or NULL with *out_level = the level whose
 * entry is missing.
 */
static uint64_t *
leaf_find(const struct arch_vspace *space, vaddr_t address,
    unsigned *out_level)
{
	uint64_t *table = direct_map(space->root);

	for (unsigned level = 3;; level--) {
		uint64_t *entry = &table[table_index(address, level)];

		if (level == 0)
			return entry;
		uint64_t value = entry_read(entry);
		if (!(value & PTE_PRESENT)) {
			*out_level = level;
			return NULL;
		}
		table = direct_map(value & PTE_FRAME);
	}
}

static status_t
table_create(struct container *container, paddr_t *out_table)
{
	status_t status = container_charge_frames(container, 1);

	if (status != OK)
		return status;
	*out_table = frame_alloc();
	if (*out_table == FRAME_NONE) {
		container_release_frames(container, 1);
		return ERR_NOMEM;
	}
	arch_page_clear(direct_map(*out_table));
	return OK;
}

static void
table_free(struct container *container, paddr_t table)
{
	frame_release(table);
	container_release_frames(container, 1);
}

status_t
arch_vspace_init(struct arch_vspace *space, struct container *container)
{
	paddr_t root;
	status_t status = table_create(container, &root);

	if (status != OK)
		return status;
	const uint64_t *kernel = direct_map(kernel_root);
	uint64_t *table = direct_map(root);
	arch_copy(table + USER_ENTRIES, kernel + USER_ENTRIES,
	    USER_ENTRIES * sizeof(uint64_t));
	space->root = root;
	return OK;
}

/* Recursion is three deep at most. */
static void
table_destroy_below(struct container *container, paddr_t table,
    unsigned entries, unsigned level)
{
	uint64_t *entry = direct_map(table);

	for (unsigned i = 0; level > 0 && i < entries; i++)
		if (entry[i] & PTE_PRESENT)
			table_destroy_below(container, entry[i] & PTE_FRAME,
			    TABLE_ENTRIES, level - 1);
	table_free(container, table);
}

void
arch_vspace_destroy(struct arch_vspace *space, struct container *container)
{
	if (space->root == 0)
		return;
	table_destroy_below(container, space->root, USER_ENTRIES, 3);
	space->root = 0;
}

static uint64_t
leaf_flags(unsigned flags, bool uncached)
{
	uint64_t pte = PTE_PRESENT | PTE_ACCESSED | PTE_DIRTY;

	if (flags & (MAP_READ | MAP_WRITE | MAP_EXEC))
		pte |= PTE_USER;
	if (flags & MAP_WRITE)
		pte |= PTE_WRITE;
	if (!(flags & MAP_EXEC))
		pte |= PTE_NX;
	if (uncached)
		pte |= PTE_UNCACHED;
	return pte | (uint64_t)((flags & MAP_PKEY_MASK) >> MAP_PKEY_SHIFT) <<
	    PTE_PKEY_SHIFT;
}

/* A table that was added before a failure stays; destroy releases it. */
status_t
arch_page_map(struct arch_vspace *space, struct container *container,
    vaddr_t address, paddr_t frame, unsigned flags, bool uncached)
{
	uint64_t *table = direct_map(space->root);

	for (unsigned level = 3; level > 0; level--) {
		uint64_t *entry = &table[table_index(address, level)];
		uint64_t value = entry_read(entry);

		if (!(value & PTE_PRESENT)) {
			paddr_t fresh;
			status_t status = table_create(container, &fresh);

			if (status != OK)
				return status;
			value = fresh | TABLE_FLAGS;
			entry_write(entry, value);
		}
		table = direct_map(value & PTE_FRAME);
	}
	entry_write(&table[table_index(address, 0)],
	    frame | leaf_flags(flags, uncached));
	return OK;
}

bool
arch_page_unmap(struct arch_vspace *space, vaddr_t address,
    paddr_t *out_frame)
{
	unsigned level;
	uint64_t *leaf = leaf_find(space, address, &level);

	if (leaf == NULL)
		return false;
	uint64_t old = __atomic_exchange_n(leaf, 0, __ATOMIC_ACQ_REL);
	if (!(old & PTE_PRESENT))
		return false;
	*out_frame = old & PTE_FRAME;
	return true;
}

/* True if `to` forbids something that `from` allowed. */
static bool
access_narrowed(uint64_t from, uint64_t to)
{
	return (from & ~to & (PTE_USER | PTE_WRITE)) != 0 ||
	    (to & ~from & PTE_NX) != 0 ||
	    ((from ^ to) >> PTE_PKEY_SHIFT & 0xf) != 0;
}

bool
arch_range_protect(struct arch_vspace *space, vaddr_t address,
    uint64_t length, unsigned flags)
{
	vaddr_t end = address + length;
	bool narrowed = false;
	unsigned level;

	for (;;) {
		address = arch_next_mapped(space, address, end);
		if (address >= end)
			return narrowed;
		uint64_t *leaf = leaf_find(space, address, &level);
		uint64_t old = entry_read(leaf);
		while (old & PTE_PRESENT) {
			uint64_t new = (old & (PTE_FRAME | PTE_UNCACHED)) |
			    leaf_flags(flags, false);

			if (!__atomic_compare_exchange_n(leaf, &old, new,
			    false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
				continue;
			narrowed |= access_narrowed(old, new);
			break;
		}
		address += PAGE_SIZE;
	}
}

bool
arch_page_lookup(const struct arch_vspace *space, vaddr_t address,
    paddr_t *out_frame, unsigned *out_flags)
{
	unsigned level;
	const uint64_t *leaf = leaf_find(space, address, &level);
	uint64_t pte = leaf == NULL ? 0 : entry_read(leaf);

	if (!(pte & PTE_PRESENT))
		return false;
	*out_frame = pte & PTE_FRAME;
	*out_flags = 0;
	if (pte & PTE_USER)
		*out_flags = MAP_READ | (pte & PTE_WRITE ? MAP_WRITE : 0) |
		    (pte & PTE_NX ? 0 : MAP_EXEC);
	*out_flags |= (unsigned)(pte >> PTE_PKEY_SHIFT & 0xf) <<
	    MAP_PKEY_SHIFT;
	return true;
}

vaddr_t
arch_next_mapped(const struct arch_vspace *space, vaddr_t address,
    vaddr_t end)
{
	address &= ~PAGE_MASK;
	while (address < end) {
		unsigned level = 0;
		const uint64_t *leaf = leaf_find(space, address, &level);

		if (leaf != NULL && (entry_read(leaf) & PTE_PRESENT))
			return address;
		uint64_t step = PAGE_SIZE << (9 * level);
		address = (address & ~(step - 1)) + step;
	}
	return end;
}

void
paging_forget_image(const char *from, const char *to)
{
	const struct arch_vspace space = { .root = kernel_root };
	unsigned level;

	for (; from < to; from += PAGE_SIZE) {
		uint64_t *leaf = leaf_find(&space, (vaddr_t)from, &level);

		if (leaf != NULL)
			entry_write(leaf, 0);
		invalidate_page((vaddr_t)from);
	}
}
