/* SPDX-License-Identifier: MIT */
/* Tables that tell of nodes: what is taken, what is refused as a whole. */
#include <kernel/arch/x86_64/numa.h>
#include <lib/test/ktap.h>
#include <string.h>

#define MB	0x100000ul

static uint8_t table[512];
static uint32_t size;
static struct numa numa;

static void
put(uint32_t at, unsigned bytes, uint64_t value)
{
	for (unsigned i = 0; i < bytes; i++)
		table[at + i] = (uint8_t)(value >> 8 * i);
}

static void
begin(uint32_t header)
{
	memset(table, 0, sizeof(table));
	size = header;
	table[8] = 2;			/* revision */
}

static uint32_t
entry(uint8_t type, uint8_t length)
{
	uint32_t at = size;

	table[at] = type;
	table[at + 1] = length;
	size += length;
	return at;
}

static void
add_cpu(uint8_t apic_id, uint32_t domain)
{
	uint32_t at = entry(0, 16);

	table[at + 2] = (uint8_t)domain;
	table[at + 3] = apic_id;
	put(at + 4, 4, 1);
	put(at + 9, 3, domain >> 8);
}

static void
add_x2apic(uint32_t id, uint32_t domain)
{
	uint32_t at = entry(2, 24);

	put(at + 4, 4, domain);
	put(at + 8, 4, id);
	put(at + 12, 4, 1);
}

static uint32_t
add_memory(uint64_t base, uint64_t length, uint32_t domain)
{
	uint32_t at = entry(1, 40);

	put(at + 2, 4, domain);
	put(at + 8, 8, base);
	put(at + 16, 8, length);
	put(at + 28, 4, 1);
	return at;
}

static void
seal(void)
{
	uint8_t sum = 0;

	put(4, 4, size);
	table[9] = 0;
	for (uint32_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + table[i]);
	table[9] = (uint8_t)-sum;
}

static bool
read_srat(void)
{
	seal();
	memset(&numa, 0xff, sizeof(numa));
	return numa_read(table, size, &numa);
}

static void
three_domains(void)
{
	begin(48);
	add_cpu(0, 7);
	add_cpu(1, 0x12345);
	add_x2apic(9, 0);
	add_memory(64 * MB, 64 * MB, 0x12345);
	add_memory(0, 64 * MB, 7);
	add_memory(128 * MB, 64 * MB, 0);
}

TEST(test_nodes_are_numbered_in_the_order_of_domains)
{
	three_domains();
	EXPECT(read_srat());
	EXPECT_EQ(numa.node_count, 3);
	EXPECT_EQ(numa.cpu_node[0], 0);
	EXPECT_EQ(numa.cpu_node[1], 1);
	EXPECT_EQ(numa.cpu_node[9], 2);
	EXPECT_EQ(numa.range_count, 3);
	for (unsigned i = 0; i < 3; i++) {
		EXPECT_EQ(numa.range[i].base, i * 64 * MB);
		EXPECT_EQ(numa.range[i].end, (i + 1) * 64 * MB);
		EXPECT_EQ(numa.range[i].node, i);
	}
}

TEST(test_each_node_comes_first_in_its_own_order)
{
	three_domains();
	EXPECT(read_srat());
	for (unsigned node = 0; node < NUMA_NODES_MAX; node++) {
		unsigned seen = 0;

		EXPECT_EQ(numa.order[node][0], node);
		for (unsigned i = 0; i < NUMA_NODES_MAX; i++)
			seen |= 1u << numa.order[node][i];
		EXPECT_EQ(seen, 0xff);
	}
}

TEST(test_entries_that_are_not_enabled_do_not_count)
{
	begin(48);
	add_cpu(3, 1);
	put(48 + 4, 4, 0);
	put(add_memory(0, MB, 5) + 28, 4, 2);
	EXPECT(read_srat());
	EXPECT_EQ(numa.node_count, 0);
	EXPECT_EQ(numa.range_count, 0);
}

TEST(test_old_tables_have_domains_of_eight_bits)
{
	begin(48);
	table[8] = 1;
	add_memory(0, MB, 0x33301);
	add_cpu(3, 0x44401);
	EXPECT(read_srat());
	EXPECT_EQ(numa.node_count, 1);
	EXPECT_EQ(numa.domain[0], 1);
}

TEST(test_more_domains_than_nodes_share_the_last)
{
	begin(48);
	for (unsigned i = 0; i < 11; i++)
		add_memory(i * MB, MB, 100 + i);
	EXPECT(read_srat());
	EXPECT_EQ(numa.node_count, NUMA_NODES_MAX);
	EXPECT_EQ(numa.range[7].node, 7);
	EXPECT_EQ(numa.range[10].node, 7);
}

static void
expect_refused(void)
{
	EXPECT(!read_srat());
	EXPECT_EQ(numa.node_count, 0);
	EXPECT_EQ(numa.range_count, 0);
	EXPECT_EQ(numa.cpu_node[1], 0);
}

TEST(test_damaged_tables_are_refused_as_a_whole)
{
	three_domains();
	seal();
	table[60]++;
	EXPECT(!numa_read(table, size, &numa));		/* the sum */
	for (uint32_t cut = 1; cut < 40; cut++) {
		three_domains();
		size -= cut;
		expect_refused();
	}
	three_domains();
	table[49] = 0;					/* no length */
	expect_refused();
	three_domains();
	add_memory(100 * MB, MB, 7);			/* overlaps */
	expect_refused();
	three_domains();
	add_memory(~0ul - MB, 2 * MB, 7);		/* wraps */
	expect_refused();
	three_domains();
	entry(1, 24);					/* too short */
	expect_refused();
	three_domains();
	entry(2, 16);
	expect_refused();
}

static bool
read_slit(unsigned count, const uint8_t *distance)
{
	begin(44);
	put(36, 8, count);
	memcpy(table + 44, distance, count * count);
	size += count * count;
	seal();
	return numa_order(table, size, &numa);
}

TEST(test_order_follows_distance_then_number)
{
	static const uint8_t distance[16] = {
		10, 40, 20, 20,  40, 10, 30, 20,
		20, 30, 10, 20,  20, 20, 20, 10,
	};

	begin(48);
	for (unsigned i = 0; i < 4; i++)
		add_memory(i * MB, MB, i);
	EXPECT(read_srat());
	EXPECT(read_slit(4, distance));
	EXPECT(memcmp(numa.order[0], "\0\2\3\1", 4) == 0);
	EXPECT(memcmp(numa.order[1], "\1\3\2\0", 4) == 0);
	EXPECT(memcmp(numa.order[2], "\2\0\3\1", 4) == 0);
	EXPECT(memcmp(numa.order[3], "\3\0\1\2", 4) == 0);
}

TEST(test_damaged_distances_leave_the_order)
{
	static const uint8_t distance[9] = { 10, 30, 20, 30, 10, 20, 20, 20, 10 };
	struct numa before;

	begin(48);
	for (unsigned i = 0; i < 3; i++)
		add_memory(i * MB, MB, i);
	EXPECT(read_srat());
	before = numa;
	EXPECT(!read_slit(2, distance));	/* knows two domains only */
	EXPECT(read_slit(3, distance));
	numa = before;
	table[46]++;
	EXPECT(!numa_order(table, size, &numa));
	table[46]--;
	size--;
	seal();
	EXPECT(!numa_order(table, size, &numa));
	put(36, 8, 1ul << 32);
	seal();
	EXPECT(!numa_order(table, size, &numa));
	EXPECT(!numa_order(table, 40, &numa));
	EXPECT(memcmp(&numa, &before, sizeof(numa)) == 0);
}

TEST_MAIN(0)
