/* SPDX-License-Identifier: MIT */
/*
 * Boot stage: the kernel's own page tables, and memory for the allocator.
 *
 * Until the final tables are loaded the first 4 GiB are visible in the direct
 * map. All tables, stacks and the bookkeeping of the frame allocator come out
 * of the largest usable range below 4 GiB, from its top down, around the boot
 * module; each piece is reserved before the allocator sees the range.
 *
 * The direct map covers usable and ACPI memory only: a PC may report a reserved
 * range of gigabytes near the top of the physical address space.
 */
#include <kernel/core/frame.h>
#include <machine/machine.h>

#define LARGE_PAGE	0x200000ul
#define HUGE_PAGE	0x40000000ul
#define FOUR_GIB	0x100000000ul
#define LOW_RESERVED	0x10000ul
#define RESERVED_MAX	96

static struct memory_range reserved[RESERVED_MAX] BOOT_BSS;
static unsigned reserved_count BOOT_BSS;
static paddr_t pool_bottom BOOT_BSS, pool_cursor BOOT_BSS;
static bool huge_pages BOOT_BSS;

BOOT_CODE static void
reserve(paddr_t base, uint64_t length)
{
	paddr_t start = base & ~PAGE_MASK;

	if (length == 0)
		return;
	if (reserved_count == RESERVED_MAX)
		kernel_panic("boot: too many reserved ranges");
	reserved[reserved_count++] = (struct memory_range){
		.base = start,
		.length = ((base + length + PAGE_MASK) & ~PAGE_MASK) - start,
	};
}

/* Extends the newest reservation if the new piece lies right below it. */
BOOT_CODE static void
reserve_below(paddr_t base, uint64_t length)
{
	struct memory_range *last = &reserved[reserved_count - 1];

	if (last->base == base + length) {
		last->base = base;
		last->length += length;
	} else {
		reserve(base, length);
	}
}

BOOT_CODE static void
pool_open(const struct boot_facts *facts)
{
	uint64_t best = 0;

	for (unsigned i = 0; i < facts->range_count; i++) {
		const struct memory_range *range = &facts->ranges[i];
		paddr_t end = range->base + range->length;

		if (range->type != MEMORY_USABLE || range->base >= FOUR_GIB)
			continue;
		if (end > FOUR_GIB)
			end = FOUR_GIB;
		if (end - range->base > best) {
			best = end - range->base;
			pool_bottom = range->base;
			pool_cursor = end & ~PAGE_MASK;
		}
	}
}

BOOT_CODE static paddr_t
pool_take(uint64_t length)
{
	paddr_t at = pool_cursor - length;

	for (unsigned i = 0; i < reserved_count; i++) {
		paddr_t end = reserved[i].base + reserved[i].length;

		if (at < end && reserved[i].base < at + length) {
			at = reserved[i].base - length;
			i = -1u;	/* look at all of them again */
		}
	}
	if (at < pool_bottom || at > pool_cursor)
		kernel_panic("boot: not enough memory");
	pool_cursor = at;
	reserve_below(at, length);
	return at;
}

BOOT_CODE static paddr_t
pool_page(void)
{
	paddr_t page = pool_take(PAGE_SIZE);

	arch_page_clear(direct_map(page));
	return page;
}

/*
 * Maps one page of size 4 KiB << 9 * level in the kernel's tables. False if
 * smaller pages are in its way; what a larger page covers is left alone.
 */
BOOT_CODE static bool
kernel_map(vaddr_t address, paddr_t frame, unsigned level, uint64_t flags)
{
	uint64_t *table = direct_map(kernel_root);

	for (unsigned at = 3;; at--) {
		uint64_t *entry =
		    &table[(address >> (PAGE_SHIFT + 9 * at)) & 511];

		if (at == level) {
			if (*entry == 0)
				*entry = frame | flags | PTE_PRESENT |
				    PTE_GLOBAL | PTE_ACCESSED | PTE_DIRTY |
				    (level > 0 ? PTE_LARGE : 0);
			return level == 0 || (*entry & PTE_LARGE) != 0;
		}
		if (*entry & PTE_LARGE)
			return true;
		if (*entry == 0)
			*entry = pool_page() | PTE_PRESENT | PTE_WRITE |
			    PTE_ACCESSED;
		table = direct_map(*entry & PTE_FRAME);
	}
}

BOOT_CODE static void
map_image(const char *from, const char *to, uint64_t flags)
{
	for (; from < to; from += PAGE_SIZE)
		kernel_map((vaddr_t)from, (vaddr_t)from - KERNEL_BASE, 0,
		    flags);
}

BOOT_CODE static void
map_direct(const struct memory_range *range)
{
	paddr_t at = range->base & ~(LARGE_PAGE - 1);
	paddr_t end = range->base + range->length;

	while (at < end) {
		bool huge = huge_pages && (at & (HUGE_PAGE - 1)) == 0 &&
		    end - at >= HUGE_PAGE && kernel_map(at + DIRECT_BASE, at,
		    2, PTE_WRITE | PTE_NX);

		if (!huge)
			kernel_map(at + DIRECT_BASE, at, 1, PTE_WRITE | PTE_NX);
		at += huge ? HUGE_PAGE : LARGE_PAGE;
	}
}

BOOT_CODE static void
map_device(paddr_t base)
{
	base &= ~(LARGE_PAGE - 1);
	kernel_map(base + DIRECT_BASE, base, 1,
	    PTE_WRITE | PTE_NX | PTE_UNCACHED);
}

/* Page 0 of a slot is a guard; every IST stack has one below it too. */
BOOT_CODE static void
map_stacks(unsigned cpu)
{
	vaddr_t slot = stack_slot(cpu);

	for (unsigned i = 1; i <= STACK_PAGES; i++)
		kernel_map(slot + i * PAGE_SIZE, pool_page(), 0,
		    PTE_WRITE | PTE_NX);
	for (unsigned i = 0; i < IST_COUNT; i++)
		kernel_map(slot + (STACK_PAGES + 2 + 2 * i) * PAGE_SIZE,
		    pool_page(), 0, PTE_WRITE | PTE_NX);
}

BOOT_CODE void
paging_build(const struct boot_facts *facts)
{
	huge_pages = (cpuid(0x80000001, 0).edx >> 26) & 1;
	reserve(0, LOW_RESERVED);
	reserve((vaddr_t)image_start - KERNEL_BASE, image_end - image_start);
	reserve(facts->module, facts->module_size);
	pool_open(facts);
	kernel_root = pool_page();

	map_image(boot_start, boot_text_end, 0);
	map_image(boot_text_end, boot_end, PTE_WRITE | PTE_NX);
	map_image(text_start, text_end, 0);
	map_image(rodata_start, rodata_end, PTE_NX);
	map_image(data_start, data_end, PTE_WRITE | PTE_NX);
	map_device(lapic_base());
	for (unsigned i = 0; ioapic_base(i) != 0; i++)
		map_device(ioapic_base(i));
	for (unsigned i = 0; i < facts->range_count; i++)
		if (facts->ranges[i].type == MEMORY_USABLE ||
		    facts->ranges[i].type == MEMORY_ACPI)
			map_direct(&facts->ranges[i]);
	for (unsigned i = 0; i < platform.cpu_count; i++)
		map_stacks(i);
	write_cr3(kernel_root);
}

/* The boot stage is added later, by arch_start_secondary_cpus(). */
BOOT_CODE static void
add_around_boot_stage(paddr_t start, paddr_t end)
{
	paddr_t hole = (vaddr_t)boot_start - KERNEL_BASE;
	paddr_t hole_end = (vaddr_t)boot_end - KERNEL_BASE;

	if (start <= hole && hole_end <= end) {
		if (start < hole)
			frame_add_range(start, hole - start);
		start = hole_end;
	}
	if (start < end)
		frame_add_range(start, end - start);
}

BOOT_CODE static void
nodes_hand_over(void)
{
	const struct numa *numa = &platform.numa;

	for (unsigned i = 0; i < numa->range_count; i++)
		if (i == 0 || numa->range[i].node != numa->range[i - 1].node)
			frame_node_begins(numa->range[i].base,
			    numa->range[i].node);
	arch_copy(frame_node_order, numa->order, sizeof(frame_node_order));
}

BOOT_CODE void
memory_hand_over(const struct boot_facts *facts)
{
	paddr_t top = 0;

	for (unsigned i = 0; i < facts->range_count; i++) {
		const struct memory_range *range = &facts->ranges[i];

		if (range->type == MEMORY_USABLE &&
		    range->base + range->length > top)
			top = range->base + range->length;
	}
	top &= ~PAGE_MASK;
	uint64_t size = frame_bookkeeping_size(top);
	paddr_t bookkeeping = pool_take((size + PAGE_MASK) & ~PAGE_MASK);

	for (unsigned i = 0; i < reserved_count; i++)
		frame_reserve_range(reserved[i].base, reserved[i].length);
	nodes_hand_over();
	frame_init(top, bookkeeping);
	for (unsigned i = 0; i < facts->range_count; i++) {
		paddr_t start = (facts->ranges[i].base + PAGE_MASK) &
		    ~PAGE_MASK;
		paddr_t end = (facts->ranges[i].base +
		    facts->ranges[i].length) & ~PAGE_MASK;

		if (facts->ranges[i].type == MEMORY_USABLE)
			add_around_boot_stage(start, end);
	}
}
