/* SPDX-License-Identifier: MIT */
/* Boot stage: which memory and which CPUs are near each other. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define NUMA_NODES_MAX	8	/* further ones count as the last */
#define NUMA_RANGES_MAX	64

struct numa_range {
	uint64_t base, end;
	unsigned node;
};

struct numa {
	unsigned node_count;		/* 0 = not told */
	uint32_t domain[NUMA_NODES_MAX];	/* the firmware's numbers */
	struct numa_range range[NUMA_RANGES_MAX];	/* by address */
	unsigned range_count;
	uint8_t cpu_node[256];		/* by APIC id */
	/* For each node all of them, nearest first, beginning with itself. */
	uint8_t order[NUMA_NODES_MAX][NUMA_NODES_MAX];
};

/* Table SRAT. False: it is damaged, and *out says that nothing was told. */
bool numa_read(const uint8_t *table, uint32_t size, struct numa *out);
/* Table SLIT, after the other. False: it is damaged, the order stays. */
bool numa_order(const uint8_t *table, uint32_t size, struct numa *numa);
