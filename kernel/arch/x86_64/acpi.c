/* SPDX-License-Identifier: MIT */
/*
 * Boot stage: processors, interrupt controllers and the power management timer
 * from the ACPI tables MADT and FADT, nodes of memory from SRAT and SLIT. Tables
 * are taken where the firmware put them, below 4 GiB; checksums of the first two
 * are not verified, as a wrong table would not be replaced by a better one.
 *
 * Without ACPI (microvm): the addresses every PC has, one I/O APIC, and as many
 * processors as CPUID tells, with consecutive ids.
 */
#include "field.h"

#include <kernel/core/log.h>
#include <machine/machine.h>

#define FOUR_GIB	0x100000000ul

struct platform platform BOOT_BSS;
/* Read after all others: a SLIT tells about the domains of the SRAT. */
static const uint8_t *srat BOOT_BSS, *slit BOOT_BSS;

BOOT_CODE static void
madt_entry(const uint8_t *e)
{
	switch (e[0]) {
	case 0:		/* local APIC: id, flags (enabled) */
		if ((e[4] & 1) && platform.cpu_count < CPU_MAX)
			platform.apic_ids[platform.cpu_count++] = e[3];
		break;
	case 1:
		ioapic_add(field(e + 4, 4), (unsigned)field(e + 8, 4));
		break;
	case 2:		/* an ISA interrupt that is wired elsewhere */
		ioapic_override(e[3], (unsigned)field(e + 4, 4),
		    (unsigned)field(e + 8, 2));
		break;
	case 5:
		lapic_map(field(e + 4, 8));
		break;
	}
}

BOOT_CODE static void
madt_read(const uint8_t *table, uint32_t size)
{
	lapic_map(field(table + 36, 4));
	for (uint32_t at = 44; at + 2 <= size && table[at + 1] >= 2;
	    at += table[at + 1])
		madt_entry(table + at);
}

BOOT_CODE static void
tables_read(paddr_t root, unsigned pointer_size)
{
	const uint8_t *list = direct_map(root);
	uint32_t length = (uint32_t)field(list + 4, 4);

	for (uint32_t at = 36; at + pointer_size <= length;
	    at += pointer_size) {
		paddr_t address = field(list + at, pointer_size);

		if (address == 0 || address >= FOUR_GIB)
			continue;
		const uint8_t *table = direct_map(address);
		uint32_t size = (uint32_t)field(table + 4, 4);
		uint32_t signature = (uint32_t)field(table, 4);

		if (signature == 0x43495041)		/* APIC */
			madt_read(table, size);
		if (signature == 0x50434146 && size >= 80)	/* FACP */
			platform.pm_timer_port =
			    (uint16_t)field(table + 76, 4);
		if (signature == 0x54415253 && size <= FOUR_GIB - address)
			srat = table;
		if (signature == 0x54494c53 && size <= FOUR_GIB - address)
			slit = table;
	}
}

BOOT_CODE static void
nodes_discover(void)
{
	if (srat == NULL)
		return;
	if (!numa_read(srat, (uint32_t)field(srat + 4, 4), &platform.numa))
		log_print("acpi: damaged SRAT, one node of memory\n");
	else if (slit != NULL && !numa_order(slit,
	    (uint32_t)field(slit + 4, 4), &platform.numa))
		log_print("acpi: damaged SLIT, nodes in order of number\n");
}

BOOT_CODE static void
platform_assume(void)
{
	struct cpuid leaf = cpuid(1, 0);
	unsigned count = leaf.edx >> 28 & 1 ? leaf.ebx >> 16 & 0xff : 1;

	if (count == 0 || count > CPU_MAX)
		count = 1;
	for (unsigned i = 0; i < count; i++)
		platform.apic_ids[i] = (uint8_t)i;
	platform.cpu_count = count;
}

BOOT_CODE void
platform_discover(paddr_t rsdp)
{
	lapic_map(0xfee00000);
	if (rsdp != 0 && rsdp < FOUR_GIB) {
		const uint8_t *root = direct_map(rsdp);

		if (root[15] >= 2 && field(root + 24, 8) < FOUR_GIB)
			tables_read(field(root + 24, 8), 8);
		else
			tables_read(field(root + 16, 4), 4);
		nodes_discover();
	}
	if (platform.cpu_count == 0)
		platform_assume();
	if (ioapic_base(0) == 0)
		ioapic_add(0xfec00000, 0);
}
