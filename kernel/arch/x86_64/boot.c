/* SPDX-License-Identifier: MIT */
/*
 * Boot stage: from the first C function to kernel_main(). The order matters:
 * the protocol's data is copied before anything is allocated, tables of the
 * firmware are read while the first 4 GiB are visible, and the stack of boot
 * code is left before the allocator may hand it out.
 */
#include <machine/machine.h>

static struct boot_facts facts BOOT_BSS;

BOOT_CODE static void
boot_on_own_stack(void)
{
	struct boot_handoff handoff = {
		.archive = facts.module,
		.archive_size = facts.module_size,
		.command_line = command_line,
	};

	for (unsigned i = 0; i < facts.range_count; i++)
		if (facts.ranges[i].type == MEMORY_USABLE)
			handoff.memory_bytes += facts.ranges[i].length;
	memory_hand_over(&facts);
	irq_controllers_start();
	lapic_start();
	clock_calibrate();
	handoff.wall_clock_s = wall_clock_read();
	kernel_main(&handoff);
}

/* The boot CPU is number 0; the MADT may list it anywhere. */
BOOT_CODE static void
cpus_prepare(void)
{
	uint8_t boot_id = (uint8_t)(lapic_read(LAPIC_ID) >> 24);

	for (unsigned i = 0; i < platform.cpu_count; i++)
		if (platform.apic_ids[i] == boot_id) {
			platform.apic_ids[i] = platform.apic_ids[0];
			platform.apic_ids[0] = boot_id;
		}
	cpu_count = platform.cpu_count;
	for (unsigned i = 0; i < cpu_count; i++) {
		cpu_prepare(&cpu_table[i], i, platform.apic_ids[i]);
		cpu_table[i].node = platform.numa.cpu_node[
		    platform.apic_ids[i]];
	}
}

BOOT_CODE void
boot_main(uint32_t magic, uint32_t info)
{
	boot_facts_read(magic, info, &facts);
	platform_discover(facts.rsdp);
	cpus_prepare();
	interrupt_tables_build();
	paging_build(&facts);
	cpu_load(&cpu_table[0]);
	cpu_table[0].epoch = 1;
	stack_switch(cpu_table[0].arch.stack_top, boot_on_own_stack);
}
