/* SPDX-License-Identifier: MIT */
/*
 * Page tables of user address spaces: 4 levels, 4 KiB pages.
 *
 * The upper half of every top table is a copy of the kernel's, which never
 * changes after boot. An entry is written by one 8-byte store; tables are only
 * added (under vspace.lock) and stay until the space is destroyed, so a leaf
 * can be looked up and changed without that lock. The note of a frame is the
 * number of tables that it names, in the user's part of the space. Leaves carry the accessed
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

/* Recursion is three deep at most; the note of a table of leaves is 0. */
static void
table_destroy_below(struct container *container, paddr_t table)
{
	const uint64_t *entry = direct_map(table);
	uint16_t *tables = frame_note(entry);

	for (unsigned i = 0; *tables > 0; i++, --*tables) {
		i = frame_scan(entry, i, TABLE_ENTRIES);
		table_destroy_below(container, entry[i] & PTE_FRAME);
	}
	frame_release(table);
	container_release_frames(container, 1);
}

void
arch_vspace_destroy(struct arch_vspace *space, struct container *container)
{
	if (space->root == 0)
		return;
	table_destroy_below(container, space->root);
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
static status_t
leaf_create(struct arch_vspace *space, struct container *container,
    vaddr_t address, uint64_t **out_leaf)
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
			++*frame_note(table);
		}
		table = direct_map(value & PTE_FRAME);
	}
	*out_leaf = &table[table_index(address, 0)];
	return OK;
}

/* True if `to` forbids something that `from` allowed. */
static bool
access_narrowed(uint64_t from, uint64_t to)
{
	return (from & ~to & (PTE_USER | PTE_WRITE)) != 0 ||
	    (to & ~from & PTE_NX) != 0 ||
	    ((from ^ to) >> PTE_PKEY_SHIFT & 0xf) != 0;
}

status_t
arch_pages_map(struct arch_vspace *space, struct container *container,
    vaddr_t address, const struct page_batch *batch, unsigned wanted)
{
	uint64_t flags = leaf_flags(batch->flags, batch->uncached);
	uint64_t *leaf = NULL;
	status_t status = leaf_create(space, container, address, &leaf);

	for (unsigned i = 0; status == OK && i < batch->count; i++) {
		uint64_t page = batch->page[i], new = flags;

		if (page == 0)
			continue;
		if (!(page & PAGE_WRITABLE))
			new &= ~PTE_WRITE;
		new |= page & PTE_FRAME;
		if (i == wanted || !(leaf[i] & PTE_PRESENT) ||
		    !access_narrowed(leaf[i], new))
			entry_write(&leaf[i], new);
	}
	return status;
}

/* First index of a table worth a look for [address, end), or past its part. */
static unsigned
table_scan(const uint64_t *table, unsigned level, vaddr_t address, vaddr_t end)
{
	unsigned shift = PAGE_SHIFT + 9 * level, stop = TABLE_ENTRIES;
	unsigned index = table_index(address, level);

	if (table[index] != 0)
		return index;
	if (((address ^ (end - 1)) >> shift) < TABLE_ENTRIES)
		stop = (table_index(end - 1, level) | 7) + 1;
	return frame_scan(table, index, stop);
}

/*
 * The first leaf from *address on that maps something, or NULL with *address =
 * end. `leaf` is that of *address, NULL if not known.
 */
static uint64_t *
leaf_next(const struct arch_vspace *space, uint64_t *leaf, vaddr_t *address,
    vaddr_t end)
{
	unsigned level = 3, index = table_index(*address, 0);
	uint64_t *table = direct_map(space->root);

	if (leaf != NULL && index != 0) {
		table = leaf - index;
		level = 0;
	}
	while (*address < end) {
		unsigned shift = PAGE_SHIFT + 9 * level;
		unsigned found;

		index = table_index(*address, level);
		found = table_scan(table, level, *address, end);
		if (found != index)
			*address = ((*address >> shift) + found - index) << shift;
		if (found == TABLE_ENTRIES) {
			table = direct_map(space->root);
			level = 3;
		} else if (*address < end && level-- == 0) {
			return &table[found];
		} else if (*address < end) {
			table = direct_map(table[found] & PTE_FRAME);
		}
	}
	*address = end;
	return NULL;
}

vaddr_t
arch_range_unmap(struct arch_vspace *space, vaddr_t *start, vaddr_t end,
    uint64_t *pages)
{
	vaddr_t at = *start, last;
	uint64_t *leaf = leaf_next(space, NULL, &at, end);

	*start = last = at;
	while (leaf != NULL && *pages > 0) {
		entry_write(leaf, 0);
		--*pages;
		at += PAGE_SIZE;
		last = at;
		leaf = leaf_next(space, leaf + 1, &at, end);
	}
	return last;
}

void
arch_range_copy(const struct arch_vspace *from, struct arch_vspace *to,
    struct container *container, vaddr_t address, vaddr_t end)
{
	uint64_t *leaf = leaf_next(from, NULL, &address, end), *copy;
	unsigned left = COPIED_PAGES;

	while (leaf != NULL && left > 0 &&
	    leaf_create(to, container, address, &copy) == OK) {
		do {
			entry_write(copy++, entry_read(leaf++));
			address += PAGE_SIZE;
		} while (--left > 0 && address < end &&
		    table_index(address, 0) != 0 && *leaf != 0);
		leaf = leaf_next(from, leaf, &address, end);
	}
}

bool
arch_range_protect(struct arch_vspace *space, vaddr_t address,
    uint64_t length, unsigned flags)
{
	vaddr_t end = address + length;
	uint64_t rights = leaf_flags(flags, false);
	bool narrowed = false;
	uint64_t *leaf = NULL;

	while ((leaf = leaf_next(space, leaf, &address, end)) != NULL) {
		uint64_t old = entry_read(leaf);
		uint64_t new = (old & (PTE_FRAME | PTE_UNCACHED)) | rights;

		narrowed |= access_narrowed(old, new);
		entry_write(leaf++, new);
		address += PAGE_SIZE;
	}
	return narrowed;
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
