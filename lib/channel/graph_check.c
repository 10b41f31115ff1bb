/* SPDX-License-Identifier: MIT */
#include <lib/channel/graph_state.h>

/* Edges of one side of a channel; UINT32_MAX if its list is broken. */
static uint32_t
list_length(const struct graph *graph, uint32_t channel, enum graph_side side)
{
	uint32_t length = 0, previous = GRAPH_NONE;

	for (uint32_t number = graph->channel[channel].first[side];
	    number != GRAPH_NONE;
	    number = graph->edge[number].link[side].next) {
		if (number >= graph->edges || length == graph->edges)
			return GRAPH_NONE;
		const struct graph_edge *edge = &graph->edge[number];
		if (edge->count == 0 || edge->end[side] != channel ||
		    edge->link[side].previous != previous)
			return GRAPH_NONE;
		previous = number;
		length++;
	}
	return length;
}

static bool
edge_ok(const struct graph *graph, const struct graph_edge *edge)
{
	const struct graph_channel *parent, *child;

	if (edge->end[0] >= graph->channels || edge->end[1] >= graph->channels)
		return false;
	parent = &graph->channel[edge->end[GRAPH_OUT]];
	child = &graph->channel[edge->end[GRAPH_IN]];
	return parent->exists && child->exists && parent->place < child->place;
}

static bool
channels_ok(const struct graph *graph, uint32_t used)
{
	uint64_t listed[2] = { 0 };

	for (uint32_t i = 0; i < graph->channels; i++) {
		const struct graph_channel *channel = &graph->channel[i];

		if (channel->place >= graph->channels ||
		    graph->line[channel->place] != i)
			return false;
		for (unsigned side = 0; side < 2; side++) {
			uint32_t length = list_length(graph, i, side);
			if (length == GRAPH_NONE)
				return false;
			listed[side] += length;
		}
	}
	return listed[0] == used && listed[1] == used;
}

static bool
free_ok(const struct graph *graph, uint32_t used)
{
	uint32_t free = 0, missing = 0, number;

	for (number = graph->free_edge; number < graph->edges &&
	    free <= graph->edges; number = graph->edge[number].link[0].next)
		free += graph->edge[number].count == 0;
	if (number != GRAPH_NONE || free + used != graph->edges)
		return false;
	for (uint32_t i = 0; i < graph->channels; i++)
		missing += !graph->channel[i].exists;
	free = 0;
	for (number = graph->free_channel; number < graph->channels &&
	    free <= missing; number = graph->channel[number].free)
		free += !graph->channel[number].exists;
	return number == GRAPH_NONE && free == missing;
}

bool
graph_ok(const struct graph *graph)
{
	uint32_t used = 0;

	for (uint32_t i = 0; i < graph->edges; i++) {
		if (graph->edge[i].count == 0)
			continue;
		if (!edge_ok(graph, &graph->edge[i]))
			return false;
		used++;
	}
	return channels_ok(graph, used) && free_ok(graph, used);
}
