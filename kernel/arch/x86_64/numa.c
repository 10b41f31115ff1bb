/* SPDX-License-Identifier: MIT */
/*
 * Boot stage: the ACPI tables SRAT (which domain memory and CPUs belong to) and
 * SLIT (how far domains are from each other).
 *
 *	SRAT	36 bytes of header, 12 reserved, entries: type, length, ...
 *	SLIT	36 bytes of header, a count, count * count bytes of distance
 *
 * Domains are any numbers; nodes are 0, 1, ... in the order in which an enabled
 * entry names them first. A table is taken whole or not at all: memory in the
 * wrong node costs speed only, but a table with one wrong entry says little
 * about the others. Pure functions, so that tests and a fuzzer can call them.
 */
#include "numa.h"

#include "field.h"
#include "machine/section.h"

#define SRAT_HEADER	48u
#define SLIT_HEADER	44u
#define ENABLED		1u

#define ENTRY_APIC	0u
#define ENTRY_MEMORY	1u
#define ENTRY_X2APIC	2u
#define LENGTH_APIC	16u
#define LENGTH_MEMORY	40u
#define LENGTH_X2APIC	24u

BOOT_CODE static bool
sum_is_right(const uint8_t *table, uint32_t size)
{
	uint8_t sum = 0;

	for (uint32_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + table[i]);
	return sum == 0;
}

BOOT_CODE static unsigned
node_of_domain(struct numa *numa, uint32_t domain)
{
	for (unsigned i = 0; i < numa->node_count; i++)
		if (numa->domain[i] == domain)
			return i;
	if (numa->node_count == NUMA_NODES_MAX)
		return NUMA_NODES_MAX - 1;
	numa->domain[numa->node_count] = domain;
	return numa->node_count++;
}

/* Inserts by address; false if it overlaps another, or there are too many. */
BOOT_CODE static bool
range_add(struct numa *numa, uint64_t base, uint64_t length, uint32_t domain)
{
	unsigned at = numa->range_count;

	if (length == 0)
		return true;
	if (base + length < base || at == NUMA_RANGES_MAX)
		return false;
	for (; at > 0 && numa->range[at - 1].base > base; at--)
		numa->range[at] = numa->range[at - 1];
	numa->range_count++;
	numa->range[at] = (struct numa_range){ base, base + length,
	    node_of_domain(numa, domain) };
	return (at == 0 || numa->range[at - 1].end <= base) &&
	    (at + 1 == numa->range_count ||
	    numa->range[at + 1].base >= base + length);
}

/* Ids above 255 belong to CPUs that are not started. */
BOOT_CODE static void
cpu_add(struct numa *numa, uint64_t id, uint32_t domain)
{
	unsigned node = node_of_domain(numa, domain);

	if (id < sizeof(numa->cpu_node))
		numa->cpu_node[id] = (uint8_t)node;
}

/* `length` is what the entry says and the table has. */
BOOT_CODE static bool
entry_read(const uint8_t *e, unsigned length, bool wide, struct numa *numa)
{
	uint32_t high = wide ? (uint32_t)field(e + 9, 3) << 8 : 0;

	switch (e[0]) {
	case ENTRY_APIC:
		if (length < LENGTH_APIC)
			return false;
		if (field(e + 4, 4) & ENABLED)
			cpu_add(numa, e[3], high | e[2]);
		return true;
	case ENTRY_MEMORY:
		if (length < LENGTH_MEMORY)
			return false;
		return (field(e + 28, 4) & ENABLED) == 0 || range_add(numa,
		    field(e + 8, 8), field(e + 16, 8),
		    (uint32_t)field(e + 2, wide ? 4 : 1));
	case ENTRY_X2APIC:
		if (length < LENGTH_X2APIC)
			return false;
		if (field(e + 12, 4) & ENABLED)
			cpu_add(numa, field(e + 8, 4),
			    (uint32_t)field(e + 4, 4));
		return true;
	default:	/* caches, devices: none of ours */
		return true;
	}
}

BOOT_CODE static bool
entries_read(const uint8_t *table, uint32_t size, struct numa *out)
{
	bool wide = table[8] >= 2;	/* before, domains had eight bits */

	for (uint32_t at = SRAT_HEADER; at < size; at += table[at + 1]) {
		/* No entry is shorter than the first kind. */
		if (size - at < LENGTH_APIC || table[at + 1] < LENGTH_APIC ||
		    table[at + 1] > size - at ||
		    !entry_read(table + at, table[at + 1], wide, out))
			return false;
	}
	return true;
}

BOOT_CODE static void
forget(struct numa *out)
{
	for (unsigned i = 0; i < sizeof(*out); i++)
		((volatile uint8_t *)out)[i] = 0;
}

BOOT_CODE bool
numa_read(const uint8_t *table, uint32_t size, struct numa *out)
{
	forget(out);
	if (size < SRAT_HEADER || !sum_is_right(table, size) ||
	    !entries_read(table, size, out)) {
		forget(out);
		return false;
	}
	for (unsigned node = 0; node < NUMA_NODES_MAX; node++)
		for (unsigned i = 0; i < NUMA_NODES_MAX; i++)
			out->order[node][i] = (uint8_t)(i == 0 ? node :
			    i <= node ? i - 1 : i);
	return true;
}

/* Sorts what follows the node itself; equals stay in order of number. */
BOOT_CODE static void
order_sort(const uint8_t *distance, uint64_t count, const struct numa *numa,
    uint8_t order[NUMA_NODES_MAX])
{
	const uint8_t *row = distance + numa->domain[order[0]] * count;

	for (unsigned i = 2; i < numa->node_count; i++)
		for (unsigned at = i; at > 1; at--) {
			uint8_t later = order[at], sooner = order[at - 1];

			if (row[numa->domain[sooner]] <=
			    row[numa->domain[later]])
				break;
			order[at] = sooner;
			order[at - 1] = later;
		}
}

BOOT_CODE bool
numa_order(const uint8_t *table, uint32_t size, struct numa *numa)
{
	if (size < SLIT_HEADER || !sum_is_right(table, size))
		return false;

	uint64_t count = field(table + 36, 8);

	if (count > 0xffff || count * count > size - SLIT_HEADER)
		return false;
	for (unsigned i = 0; i < numa->node_count; i++)
		if (numa->domain[i] >= count)
			return false;
	for (unsigned i = 0; i < numa->node_count; i++)
		order_sort(table + SLIT_HEADER, count, numa, numa->order[i]);
	return true;
}
