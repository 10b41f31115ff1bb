/* SPDX-License-Identifier: MIT */
/*
 * Beside each graph stands a matrix of edges, in which ways are looked for by
 * trying everything.
 */
#include <lib/channel/graph.h>

#include <stdlib.h>
#include <string.h>

#include <lib/test/ktap.h>

#define NODES	12u
#define GRAPHS	100000u

static struct graph *graph;
static uint64_t memory[1 << 17];
static uint64_t seed = 7;

static struct {
	bool	 exists[NODES];
	unsigned edge[NODES][NODES];	/* [parent][child]: how often added */
	unsigned nodes, edges, edges_max;
} model;

static uint32_t
random_below(uint32_t limit)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 20) % limit;
}

static void
fresh(uint32_t nodes, uint32_t edges)
{
	memset(&model, 0, sizeof(model));
	model.nodes = nodes;
	model.edges_max = edges;
	EXPECT_EQ(graph_create(memory, graph_size(nodes, edges), nodes, edges,
	    &graph), OK);
}

static void
add_channel(void)
{
	unsigned living = 0;
	uint32_t number = NODES;

	for (unsigned i = 0; i < model.nodes; i++)
		living += model.exists[i];
	EXPECT_EQ(graph_add_channel(graph, &number),
	    living < model.nodes ? OK : ERR_FULL);
	if (living == model.nodes)
		return;
	if (number >= model.nodes) {
		EXPECT(!"a number out of range");
		return;
	}
	EXPECT(!model.exists[number]);
	model.exists[number] = true;
}

static void
remove_channel(uint32_t number)
{
	EXPECT_EQ(graph_remove_channel(graph, number), model.exists[number] ?
	    OK : ERR_NOENT);
	model.exists[number] = false;
	for (unsigned i = 0; i < NODES; i++) {
		model.edges -= model.edge[i][number] > 0;
		model.edges -= model.edge[number][i] > 0;
		model.edge[i][number] = model.edge[number][i] = 0;
	}
}

/* Is there a way, of any length? */
static bool
leads_to(unsigned from, unsigned to, unsigned seen)
{
	if (from == to)
		return true;
	for (unsigned i = 0; i < model.nodes; i++) {
		if (model.edge[from][i] > 0 && (seen >> i & 1) == 0 &&
		    leads_to(i, to, seen | 1u << i))
			return true;
	}
	return false;
}

static void
add_dep(uint32_t parent, uint32_t child)
{
	status_t expected = OK;

	if (!model.exists[parent] || !model.exists[child])
		expected = ERR_NOENT;
	else if (model.edge[parent][child] == 0) {
		if (model.edges == model.edges_max)
			expected = ERR_FULL;
		else if (leads_to(child, parent, 0))
			expected = ERR_STATE;
	}
	EXPECT_EQ(graph_add_dep(graph, parent, child), expected);
	if (expected == OK && model.edge[parent][child]++ == 0)
		model.edges++;
}

static void
remove_dep(uint32_t parent, uint32_t child)
{
	bool there = model.edge[parent][child] > 0;

	EXPECT_EQ(graph_remove_dep(graph, parent, child), there ? OK :
	    ERR_NOENT);
	if (there && --model.edge[parent][child] == 0)
		model.edges--;
}

static void
ask_may_block(uint32_t wanted)
{
	uint32_t held[3];
	bool exist = model.exists[wanted], circle = false;
	size_t count = random_below(4);

	for (size_t i = 0; i < count; i++) {
		held[i] = random_below(model.nodes);
		exist &= model.exists[held[i]];
		circle |= leads_to(wanted, held[i], 0);
	}
	EXPECT_EQ(graph_may_block(graph, held, count, wanted), !exist ?
	    ERR_NOENT : circle ? ERR_STATE : OK);
}

static void
ask_order(uint32_t channel)
{
	uint32_t list[NODES];
	size_t length = 0, expected = 0;
	bool seen[NODES] = { false };

	for (unsigned i = 0; i < model.nodes; i++)
		expected += leads_to(i, channel, 0);
	status_t status = graph_submit_order(graph, channel, list, NODES,
	    &length);
	EXPECT_EQ(status, model.exists[channel] ? OK : ERR_NOENT);
	if (status != OK)
		return;
	EXPECT_EQ(length, expected);
	EXPECT_EQ(list[length - 1], channel);
	for (size_t i = 0; i < length; i++) {
		EXPECT(!seen[list[i]]);
		EXPECT(leads_to(list[i], channel, 0));
		seen[list[i]] = true;
		for (unsigned parent = 0; parent < model.nodes; parent++)
			EXPECT(model.edge[parent][list[i]] == 0 ||
			    seen[parent]);
	}
	if (length > 1)
		EXPECT_EQ(graph_submit_order(graph, channel, list, length - 1,
		    &length), ERR_RANGE);
	EXPECT_EQ(length, expected);
}

static void
one_step(void)
{
	uint32_t a = random_below(model.nodes), b = random_below(model.nodes);

	switch (random_below(12)) {
	case 0: case 1:
		add_channel();
		break;
	case 2:
		if (random_below(4) == 0)
			remove_channel(a);
		break;
	case 3:
		remove_dep(a, b);
		break;
	case 4:
		ask_may_block(a);
		break;
	case 5:
		ask_order(a);
		break;
	default:
		add_dep(a, b);
	}
}

TEST(test_a_hundred_thousand_random_graphs_are_as_in_the_model)
{
	for (unsigned i = 0; i < GRAPHS && !ktap_state.failed; i++) {
		uint32_t nodes = 2 + random_below(NODES - 1);

		fresh(nodes, 1 + random_below(3 * nodes));
		for (unsigned j = random_below(nodes + 1); j > 0; j--)
			add_channel();
		for (unsigned j = 0; j < 24; j++)
			one_step();
		EXPECT(graph_ok(graph));
	}
}

TEST(test_one_graph_of_many_changes_is_as_in_the_model)
{
	fresh(NODES, 40);
	for (unsigned i = 0; i < 300000 && !ktap_state.failed; i++) {
		one_step();
		if (i % 16 == 0)
			EXPECT(graph_ok(graph));
	}
}

TEST(test_no_edge_to_itself)
{
	uint32_t a;

	fresh(2, 2);
	EXPECT_EQ(graph_add_channel(graph, &a), OK);
	EXPECT_EQ(graph_add_dep(graph, a, a), ERR_STATE);
	EXPECT_EQ(graph_may_block(graph, &a, 1, a), ERR_STATE);
	EXPECT_EQ(graph_may_block(graph, NULL, 0, a), OK);
}

/* Added against the line each time: the costly direction. */
TEST(test_a_chain_of_ten_thousand_closes_nowhere)
{
	enum { LONG = 10000 };
	size_t size = graph_size(LONG, LONG), length;
	void *large = malloc(size);
	uint32_t number;
	static uint32_t list[LONG];

	EXPECT_EQ(graph_create(large, size, LONG, LONG, &graph), OK);
	for (uint32_t i = 0; i < LONG; i++)
		EXPECT_EQ(graph_add_channel(graph, &number), OK);
	for (uint32_t i = 0; i + 1 < LONG; i++)
		EXPECT_EQ(graph_add_dep(graph, i + 1, i), OK);
	for (uint32_t i = 1; i < LONG; i *= 3)
		EXPECT_EQ(graph_add_dep(graph, 0, i), ERR_STATE);
	EXPECT_EQ(graph_submit_order(graph, 0, list, LONG, &length), OK);
	EXPECT_EQ(length, LONG);
	for (uint32_t i = 0; i < LONG; i++)
		EXPECT_EQ(list[i], LONG - 1 - i);
	EXPECT(graph_ok(graph));
	free(large);
}

TEST(test_create_refuses_wrong_memory_and_sizes)
{
	EXPECT_EQ(graph_create(NULL, 1000, 1, 1, &graph), ERR_ARG);
	EXPECT_EQ(graph_create((char *)memory + 4, 1000, 1, 1, &graph),
	    ERR_ARG);
	EXPECT_EQ(graph_create(memory, graph_size(1, 1) - 1, 1, 1, &graph),
	    ERR_RANGE);
	EXPECT_EQ(graph_size(0, 1), 0);
	EXPECT_EQ(graph_size(GRAPH_CHANNELS_MAX + 1, 1), 0);
	EXPECT_EQ(graph_size(1, GRAPH_EDGES_MAX + 1), 0);
	EXPECT_EQ(graph_create(memory, sizeof(memory), 0, 1, &graph),
	    ERR_RANGE);
}

TEST_MAIN(0)
