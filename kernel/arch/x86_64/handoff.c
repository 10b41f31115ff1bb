/* SPDX-License-Identifier: MIT */
/*
 * Boot stage: what QEMU (PVH) or GRUB (Multiboot2) left in memory.
 *
 * All of it lies in memory that the allocator and the trampoline will reuse, so
 * everything wanted is copied here, first of all. PVH is told by the magic in
 * its structure; EAX means nothing there.
 */
#include <machine/machine.h>

#define PVH_MAGIC		0x336ec578u
#define MULTIBOOT2_MAGIC	0x36d76289u

struct pvh_start {
	uint32_t magic, version, flags, module_count;
	uint64_t modules, command_line, rsdp, map;
	uint32_t map_count, reserved;
};

struct pvh_module {
	uint64_t address, size, command_line, reserved;
};

struct pvh_range {
	uint64_t base, length;
	uint32_t type, reserved;
};

struct tag {
	uint32_t type, size;
};

#define TAG_END			0u
#define TAG_COMMAND_LINE	1u
#define TAG_MODULE		3u
#define TAG_MEMORY_MAP		6u
#define TAG_RSDP_OLD		14u
#define TAG_RSDP_NEW		15u

char command_line[COMMAND_LINE_MAX];
/* A Multiboot2 tag holds the root pointer itself, not its address. */
static uint8_t rsdp_copy[36] BOOT_BSS __attribute__((aligned(8)));

BOOT_CODE static void
command_line_copy(const char *text)
{
	for (unsigned i = 0; i < COMMAND_LINE_MAX - 1 && text[i] != 0; i++)
		command_line[i] = text[i];
}

BOOT_CODE static void
range_add(struct boot_facts *facts, paddr_t base, uint64_t length,
    uint32_t type)
{
	if (facts->range_count < MEMORY_RANGE_MAX && length != 0)
		facts->ranges[facts->range_count++] = (struct memory_range){
			.base = base, .length = length, .type = type };
}

BOOT_CODE static void
pvh_read(const struct pvh_start *start, struct boot_facts *out)
{
	const struct pvh_range *range = direct_map(start->map);

	for (unsigned i = 0; i < start->map_count; i++)
		range_add(out, range[i].base, range[i].length, range[i].type);
	if (start->module_count > 0) {
		const struct pvh_module *module = direct_map(start->modules);

		out->module = module->address;
		out->module_size = module->size;
	}
	if (start->command_line != 0)
		command_line_copy(direct_map(start->command_line));
	out->rsdp = start->rsdp;
}

BOOT_CODE static void
multiboot2_map_read(const uint32_t *tag, struct boot_facts *out)
{
	uint32_t entry_size = tag[2];
	const uint8_t *at = (const uint8_t *)(tag + 4);
	const uint8_t *end = (const uint8_t *)tag + tag[1];

	for (; entry_size >= 20 && at + entry_size <= end; at += entry_size) {
		const struct pvh_range *range = (const void *)at;

		range_add(out, range->base, range->length, range->type);
	}
}

BOOT_CODE static void
multiboot2_read(const uint8_t *at, struct boot_facts *out)
{
	for (at += 8;;) {
		const uint32_t *tag = (const uint32_t *)at;

		if (tag[0] == TAG_COMMAND_LINE)
			command_line_copy((const char *)(tag + 2));
		if (tag[0] == TAG_MODULE && out->module == 0) {
			out->module = tag[2];
			out->module_size = tag[3] - tag[2];
		}
		if (tag[0] == TAG_MEMORY_MAP)
			multiboot2_map_read(tag, out);
		if (tag[0] == TAG_RSDP_NEW ||
		    (tag[0] == TAG_RSDP_OLD && out->rsdp == 0)) {
			uint32_t size = tag[1] - 8;

			if (size > sizeof(rsdp_copy))
				size = sizeof(rsdp_copy);
			arch_copy(rsdp_copy, tag + 2, size);
			out->rsdp = (vaddr_t)rsdp_copy - KERNEL_BASE;
		}
		if (tag[0] == TAG_END || tag[1] < 8)
			return;
		at += (tag[1] + 7) & ~7u;
	}
}

BOOT_CODE void
boot_facts_read(uint32_t magic, uint32_t info, struct boot_facts *out)
{
	const struct pvh_start *start = direct_map(info);

	if (start->magic == PVH_MAGIC)
		pvh_read(start, out);
	else if (magic == MULTIBOOT2_MAGIC)
		multiboot2_read(direct_map(info), out);
	else
		kernel_panic("boot: unknown protocol");
}
