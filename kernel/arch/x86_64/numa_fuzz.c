/* SPDX-License-Identifier: MIT */
/* Any bytes as SRAT and SLIT, with right sums: what comes out is in bounds. */
#include <kernel/arch/x86_64/numa.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy of its own size, so that a byte beyond is seen. */
static uint8_t *
sealed(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size + (size == 0)), sum = 0;

	if (copy == NULL)
		abort();
	memcpy(copy, data, size);
	for (size_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + copy[i]);
	if (size > 9)
		copy[9] = (uint8_t)(copy[9] - sum);
	return copy;
}

static void
check(const struct numa *numa)
{
	if (numa->node_count > NUMA_NODES_MAX ||
	    numa->range_count > NUMA_RANGES_MAX)
		abort();
	for (unsigned i = 0; i < numa->range_count; i++)
		if (numa->range[i].node >= numa->node_count ||
		    numa->range[i].base >= numa->range[i].end ||
		    (i > 0 && numa->range[i - 1].end > numa->range[i].base))
			abort();
	for (unsigned i = 0; i < 256; i++)
		if (numa->cpu_node[i] != 0 &&
		    numa->cpu_node[i] >= numa->node_count)
			abort();
	for (unsigned node = 0; node < numa->node_count; node++) {
		unsigned seen = 0;

		for (unsigned i = 0; i < NUMA_NODES_MAX; i++)
			seen |= 1u << numa->order[node][i];
		if (seen != 0xff || numa->order[node][0] != node)
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct numa numa;
	size_t first = size > 0 ? data[0] * 2u : 0;

	if (first > size)
		first = size;
	uint8_t *srat = sealed(data, first);
	uint8_t *slit = sealed(data + first, size - first);
	if (numa_read(srat, (uint32_t)first, &numa)) {
		check(&numa);
		numa_order(slit, (uint32_t)(size - first), &numa);
		check(&numa);
	}
	free(srat);
	free(slit);
	return 0;
}
