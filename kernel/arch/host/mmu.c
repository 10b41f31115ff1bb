/* SPDX-License-Identifier: MIT */
/*
 * Host architecture, memory: arena, page tables, TLBs (see host.h).
 *
 * Page tables have four levels of 512 entries in frames of the arena, like
 * those of x86_64. Bits 0..11 of an entry are ours: MAP_* rights, UNCACHED,
 * PRESENT. Entries are read and written atomically, as a walker would.
 *
 * A TLB has a lock; an access holds it from the lookup of the translation to
 * the end of the access, so a flush waits for accesses on their way.
 */
#include "host.h"
#include <kernel/core/frame.h>
#include <kernel/core/panic.h>
#include <kernel/object/container.h>
#include <kernel/object/vspace.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LEVELS		4u
#define ENTRIES		512u
#define RIGHTS		(MAP_READ | MAP_WRITE | MAP_EXEC)
#define ENTRY_PKEY	MAP_PKEY_MASK
#define ENTRY_UNCACHED	0x40ul
#define ENTRY_PRESENT	0x80ul
#define ENTRY_FRAME	(~PAGE_MASK)
#define TLB_SIZE	256u

struct translation {
	uint64_t space;		/* arch_vspace.id; 0 = none */
	vaddr_t	 page;
	uint64_t entry;
};

struct tlb {
	pthread_mutex_t lock;
	unsigned used;		/* translations, to skip an empty TLB */
	struct translation slots[TLB_SIZE];
};

static char *arena;
static uint64_t arena_size;
static struct tlb tlbs[CPU_MAX];
static uint64_t last_space_id;

_Thread_local struct cpu *host_this_cpu;

/* The scheduler defines these when it is linked in. */
__attribute__((weak)) struct cpu cpu_table[CPU_MAX];
__attribute__((weak)) unsigned cpu_count;
__attribute__((weak)) uint64_t cpu_online_mask;

/* --- Physical memory. --- */

void *
arch_frame_pointer(paddr_t frame)
{
	if (frame < HOST_RAM_BASE || frame - HOST_RAM_BASE >= arena_size)
		kernel_panic("host: no memory at %lx", frame);
	return arena + (frame - HOST_RAM_BASE);
}

paddr_t
arch_frame_address(const void *pointer)
{
	uint64_t offset = (uint64_t)((const char *)pointer - arena);

	if (offset >= arena_size)
		kernel_panic("host: %p is not in the arena", pointer);
	return HOST_RAM_BASE + offset;
}

/* New content for a frame that a TLB still knows: a flush was forgotten. */
static void
check_unknown_to_tlbs(const void *page)
{
	paddr_t frame = arch_frame_address(page);

	for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
		struct tlb *tlb = &tlbs[cpu];

		pthread_mutex_lock(&tlb->lock);
		for (unsigned i = 0; tlb->used != 0 && i < TLB_SIZE; i++)
			if (tlb->slots[i].space != 0 &&
			    (tlb->slots[i].entry & ENTRY_FRAME) == frame)
				kernel_panic("host: frame %lx is reused, CPU "
				    "%u still maps it at %lx", frame, cpu,
				    tlb->slots[i].page);
		pthread_mutex_unlock(&tlb->lock);
	}
}

void
arch_page_clear(void *page)
{
	check_unknown_to_tlbs(page);
	memset(page, 0, PAGE_SIZE);
}

void
arch_page_copy(void *destination, const void *source)
{
	check_unknown_to_tlbs(destination);
	memcpy(destination, source, PAGE_SIZE);
}

void
arch_copy(void *destination, const void *source, size_t length)
{
	memmove(destination, source, length);
}

void
host_boot(uint64_t ram_bytes, unsigned cpus)
{
	paddr_t top = HOST_RAM_BASE + ram_bytes;

	arena_size = ram_bytes;
	arena = mmap(NULL, ram_bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (arena == MAP_FAILED)
		abort();
	frame_init(top, HOST_RAM_BASE);
	frame_add_range(HOST_RAM_BASE, ram_bytes);
	cpu_count = cpus;
	cpu_online_mask = (2ul << (cpus - 1)) - 1;
	for (unsigned i = 0; i < cpus; i++) {
		cpu_table[i].index = i;
		pthread_mutex_init(&tlbs[i].lock, NULL);
	}
	host_become_cpu(0);
}

void
host_become_cpu(unsigned cpu)
{
	host_this_cpu = &cpu_table[cpu];
}

/* --- Page tables. --- */

static uint64_t *
table_entry(paddr_t table, vaddr_t address, unsigned level)
{
	uint64_t *entries = arch_frame_pointer(table);

	return &entries[(address >> (PAGE_SHIFT + 9 * level)) & (ENTRIES - 1)];
}

static uint64_t
entry_get(const uint64_t *entry)
{
	return __atomic_load_n(entry, __ATOMIC_ACQUIRE);
}

static void
entry_set(uint64_t *entry, uint64_t value)
{
	__atomic_store_n(entry, value, __ATOMIC_RELEASE);
}

/* Leaf entry of an address, or NULL; *out_level: where a table is missing. */
static uint64_t *
leaf_entry(const struct arch_vspace *space, vaddr_t address,
    unsigned *out_level)
{
	paddr_t table = space->root;

	for (unsigned level = LEVELS - 1; level > 0; level--) {
		uint64_t entry = entry_get(table_entry(table, address, level));

		if (entry == 0) {
			*out_level = level;
			return NULL;
		}
		table = entry & ENTRY_FRAME;
	}
	return table_entry(table, address, 0);
}

static status_t
table_alloc(struct container *container, paddr_t *out_table)
{
	status_t status = container_charge_frames(container, 1);

	if (status != OK)
		return status;
	*out_table = frame_alloc();
	if (*out_table == FRAME_NONE) {
		container_release_frames(container, 1);
		return ERR_NOMEM;
	}
	arch_page_clear(arch_frame_pointer(*out_table));
	return OK;
}

status_t
arch_vspace_init(struct arch_vspace *space, struct container *container)
{
	space->id = __atomic_add_fetch(&last_space_id, 1, __ATOMIC_RELAXED);
	return table_alloc(container, &space->root);
}

static uint64_t
table_free(paddr_t table, unsigned level)
{
	const uint64_t *entries = arch_frame_pointer(table);
	uint64_t count = 1;

	for (unsigned i = 0; level > 0 && i < ENTRIES; i++)
		if (entries[i] != 0)
			count += table_free(entries[i] & ENTRY_FRAME,
			    level - 1);
	frame_release(table);
	return count;
}

void
arch_vspace_destroy(struct arch_vspace *space, struct container *container)
{
	uint64_t count = table_free(space->root, LEVELS - 1);

	if (count != space->table_frames + 1)
		kernel_panic("host: %lu page tables, not %lu", count,
		    space->table_frames + 1);
	container_release_frames(container, count);
	space->root = 0;
}

/* Adds the tables that lead to an address: all of them, or none. */
static status_t
tables_add(struct arch_vspace *space, struct container *container,
    vaddr_t address, unsigned missing)
{
	paddr_t tables[LEVELS], table = space->root;
	unsigned have = 0;
	status_t status = OK;

	while (have < missing && status == OK) {
		status = table_alloc(container, &tables[have]);
		have += status == OK;
	}
	if (status != OK) {
		container_release_frames(container, have);
		while (have > 0)
			frame_release(tables[--have]);
		return status;
	}
	space->table_frames += missing;
	for (unsigned level = LEVELS - 1; level > 0; level--) {
		uint64_t *entry = table_entry(table, address, level);

		if (entry_get(entry) == 0)
			entry_set(entry, tables[--have] | ENTRY_PRESENT);
		table = entry_get(entry) & ENTRY_FRAME;
	}
	return OK;
}

static void
leaf_set(uint64_t *entry, vaddr_t address, uint64_t new, bool wanted)
{
	uint64_t old = entry_get(entry);
	bool takes = (old & RIGHTS & ~new) != 0;

	if (old != 0 && (old & ENTRY_FRAME) != (new & ENTRY_FRAME))
		kernel_panic("host: %lx is mapped to another frame", address);
	if (wanted && takes)
		kernel_panic("host: mapping %lx takes a right", address);
	if (!takes)
		entry_set(entry, new);
}

status_t
arch_pages_map(struct arch_vspace *space, struct container *container,
    vaddr_t address, const struct page_batch *batch, unsigned wanted)
{
	unsigned missing;
	uint64_t *entry = leaf_entry(space, address, &missing);

	if (entry == NULL) {
		status_t status = tables_add(space, container, address,
		    missing);

		if (status != OK)
			return status;
		entry = leaf_entry(space, address, &missing);
	}
	for (unsigned i = 0; i < batch->count; i++) {
		uint64_t page = batch->page[i];
		uint64_t flags = batch->flags & (RIGHTS | ENTRY_PKEY);

		if ((page & PAGE_WRITABLE) == 0)
			flags &= ~(uint64_t)MAP_WRITE;
		if (page != 0)
			leaf_set(&entry[i], address + i * PAGE_SIZE,
			    (page & ENTRY_FRAME) | flags | ENTRY_PRESENT |
			    (batch->uncached ? ENTRY_UNCACHED : 0),
			    i == wanted);
	}
	return OK;
}

vaddr_t
arch_range_unmap(struct arch_vspace *space, vaddr_t *start, vaddr_t end,
    uint64_t *pages)
{
	vaddr_t at = arch_next_mapped(space, *start, end), last = at;
	unsigned missing;

	for (*start = at; at < end && *pages > 0; --*pages) {
		entry_set(leaf_entry(space, at, &missing), 0);
		last = at + PAGE_SIZE;
		at = arch_next_mapped(space, last, end);
	}
	return last;
}

void
arch_range_copy(const struct arch_vspace *from, struct arch_vspace *to,
    struct container *container, vaddr_t address, vaddr_t end)
{
	for (unsigned i = 0; i < COPIED_PAGES; i++, address += PAGE_SIZE) {
		unsigned missing;
		uint64_t *entry;

		address = arch_next_mapped(from, address, end);
		if (address >= end)
			return;
		entry = leaf_entry(to, address, &missing);
		if (entry == NULL && tables_add(to, container, address,
		    missing) != OK)
			return;
		entry_set(leaf_entry(to, address, &missing),
		    entry_get(leaf_entry(from, address, &missing)));
	}
}

bool
arch_range_protect(struct arch_vspace *space, vaddr_t address,
    uint64_t length, unsigned flags)
{
	vaddr_t end = address + length;
	bool lost = false;

	while ((address = arch_next_mapped(space, address, end)) < end) {
		unsigned missing;
		uint64_t *entry = leaf_entry(space, address, &missing);
		uint64_t old = entry_get(entry);

		if ((old & RIGHTS & ~(uint64_t)flags) != 0)
			lost = true;
		entry_set(entry, (old & ~(uint64_t)(RIGHTS | ENTRY_PKEY)) |
		    (flags & (RIGHTS | ENTRY_PKEY)));
		address += PAGE_SIZE;
	}
	return lost;
}

bool
arch_page_lookup(const struct arch_vspace *space, vaddr_t address,
    paddr_t *out_frame, unsigned *out_flags)
{
	unsigned missing;
	uint64_t *entry = leaf_entry(space, address, &missing);
	uint64_t value = entry == NULL ? 0 : entry_get(entry);

	if (value == 0)
		return false;
	*out_frame = value & ENTRY_FRAME;
	*out_flags = (unsigned)value & (RIGHTS | ENTRY_PKEY);
	return true;
}

vaddr_t
arch_next_mapped(const struct arch_vspace *space, vaddr_t address,
    vaddr_t end)
{
	while (address < end) {
		unsigned level = 0;
		uint64_t *entry = leaf_entry(space, address, &level);

		if (entry != NULL && entry_get(entry) != 0)
			return address;

		uint64_t span = 1ul << (PAGE_SHIFT + 9 * level);

		address = (address & ~(span - 1)) + span;
	}
	return end;
}

/* --- TLBs. --- */

static void
tlb_drop(struct tlb *tlb, uint64_t space, vaddr_t address, uint64_t length)
{
	pthread_mutex_lock(&tlb->lock);
	for (unsigned i = 0; tlb->used != 0 && i < TLB_SIZE; i++) {
		struct translation *slot = &tlb->slots[i];

		if (slot->space == space && slot->page - address < length) {
			slot->space = 0;
			tlb->used--;
		}
	}
	pthread_mutex_unlock(&tlb->lock);
}

void
arch_tlb_flush(struct vspace *vspace, vaddr_t address, uint64_t length)
{
	uint64_t active = __atomic_load_n(&vspace->active_cpus,
	    __ATOMIC_SEQ_CST);

	__atomic_add_fetch(&host_machine.tlb_flushes, 1, __ATOMIC_RELAXED);
	for (; active != 0; active &= active - 1)
		tlb_drop(&tlbs[__builtin_ctzl(active)], vspace->arch.id,
		    address, length);
}

void
host_space_enter(struct vspace *vspace)
{
	struct cpu *cpu = this_cpu();

	__atomic_or_fetch(&vspace->active_cpus, 1ul << cpu->index,
	    __ATOMIC_SEQ_CST);
	cpu->arch.vspace = vspace;
}

void
host_space_leave(struct vspace *vspace)
{
	struct cpu *cpu = this_cpu();

	tlb_drop(&tlbs[cpu->index], vspace->arch.id, 0, ~0ul);
	cpu->arch.vspace = NULL;
	__atomic_and_fetch(&vspace->active_cpus, ~(1ul << cpu->index),
	    __ATOMIC_SEQ_CST);
}

/*
 * Finds or loads a translation that allows the access. One that does not is
 * dropped and the tables are walked, as the fault would make a machine do.
 */
static const struct translation *
translate(struct tlb *tlb, struct vspace *vspace, vaddr_t page,
    unsigned access)
{
	uint64_t hash = (page >> PAGE_SHIFT) * 0x9e3779b97f4a7c15ul +
	    vspace->arch.id * 0xd1b54a32d192ed03ul;
	struct translation *slot = &tlb->slots[(hash >> 40) % TLB_SIZE];
	unsigned missing;

	if (slot->space == vspace->arch.id && slot->page == page &&
	    (slot->entry & access) != 0)
		return slot;

	uint64_t *entry = leaf_entry(&vspace->arch, page, &missing);
	uint64_t value = entry == NULL ? 0 : entry_get(entry);

	if ((value & access) == 0) {
		if (slot->space == vspace->arch.id && slot->page == page) {
			slot->space = 0;
			tlb->used--;
		}
		return NULL;
	}
	tlb->used += slot->space == 0;
	*slot = (struct translation){
		.space = vspace->arch.id, .page = page, .entry = value,
	};
	return slot;
}

static bool
user_access(struct vspace *vspace, vaddr_t address, bool store,
    uint64_t *value)
{
	struct tlb *tlb = &tlbs[this_cpu()->index];
	uint64_t loaded = __atomic_load_n(&vspace->active_cpus,
	    __ATOMIC_RELAXED);

	if ((loaded >> this_cpu()->index & 1) == 0)
		kernel_panic("host: access to a space that is not loaded");
	pthread_mutex_lock(&tlb->lock);
	const struct translation *slot = translate(tlb, vspace,
	    address & ~PAGE_MASK, store ? MAP_WRITE : MAP_READ);
	if (slot != NULL) {
		uint64_t *word = (uint64_t *)((char *)arch_frame_pointer(
		    slot->entry & ENTRY_FRAME) + (address & PAGE_MASK & ~7ul));

		if (store)
			__atomic_store_n(word, *value, __ATOMIC_RELAXED);
		else
			*value = __atomic_load_n(word, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&tlb->lock);
	return slot != NULL;
}

bool
host_load(struct vspace *vspace, vaddr_t address, uint64_t *out_value)
{
	return user_access(vspace, address, false, out_value);
}

bool
host_store(struct vspace *vspace, vaddr_t address, uint64_t value)
{
	return user_access(vspace, address, true, &value);
}

status_t
host_user_load(struct vspace *vspace, vaddr_t address, uint64_t *out_value)
{
	while (!host_load(vspace, address, out_value)) {
		status_t status = vspace_fault(vspace, address, MAP_READ);

		if (status != OK)
			return status;
	}
	return OK;
}

status_t
host_user_store(struct vspace *vspace, vaddr_t address, uint64_t value)
{
	while (!host_store(vspace, address, value)) {
		status_t status = vspace_fault(vspace, address, MAP_WRITE);

		if (status != OK)
			return status;
	}
	return OK;
}
