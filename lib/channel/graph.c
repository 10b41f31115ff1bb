/* SPDX-License-Identifier: MIT */
#include <lib/channel/graph_state.h>

#include <lib/base/string.h>

size_t
graph_size(uint32_t channels, uint32_t edges)
{
	if (channels == 0 || channels > GRAPH_CHANNELS_MAX ||
	    edges > GRAPH_EDGES_MAX)
		return 0;
	return sizeof(struct graph) +
	    channels * (sizeof(struct graph_channel) + 2 * sizeof(uint32_t)) +
	    edges * sizeof(struct graph_edge) + sizeof(uint64_t);
}

static void
chain(struct graph *graph)
{
	for (uint32_t i = 0; i < graph->channels; i++) {
		graph->line[i] = i;
		graph->channel[i] = (struct graph_channel){
			.first = { GRAPH_NONE, GRAPH_NONE },
			.place = i,
			.free = i + 1 < graph->channels ? i + 1 : GRAPH_NONE,
		};
	}
	for (uint32_t i = 0; i < graph->edges; i++)
		graph->edge[i].link[0].next = i + 1 < graph->edges ? i + 1 :
		    GRAPH_NONE;
	graph->free_edge = graph->edges > 0 ? 0 : GRAPH_NONE;
}

status_t
graph_create(void *memory, size_t size, uint32_t channels, uint32_t edges,
    struct graph **out_graph)
{
	struct graph *graph = memory;
	size_t needed = graph_size(channels, edges);

	if (memory == NULL || (uintptr_t)memory % sizeof(uint64_t) != 0)
		return ERR_ARG;
	if (needed == 0 || size < needed)
		return ERR_RANGE;
	memset(memory, 0, needed);
	graph->channels = channels;
	graph->edges = edges;
	graph->edge = (struct graph_edge *)(graph + 1);
	graph->channel = (struct graph_channel *)(graph->edge + edges);
	graph->line = (uint32_t *)(graph->channel + channels);
	graph->work = graph->line + channels;
	chain(graph);
	*out_graph = graph;
	return OK;
}

static bool
exists(const struct graph *graph, uint32_t channel)
{
	return channel < graph->channels && graph->channel[channel].exists;
}

status_t
graph_add_channel(struct graph *graph, uint32_t *out_channel)
{
	uint32_t number = graph->free_channel;

	if (number == GRAPH_NONE)
		return ERR_FULL;
	graph->free_channel = graph->channel[number].free;
	graph->channel[number].exists = true;
	*out_channel = number;
	return OK;
}

static void
link_edge(struct graph *graph, uint32_t number, enum graph_side side)
{
	struct graph_edge *edge = &graph->edge[number];
	uint32_t *first = &graph->channel[edge->end[side]].first[side];

	edge->link[side] = (struct graph_link){ GRAPH_NONE, *first };
	if (*first != GRAPH_NONE)
		graph->edge[*first].link[side].previous = number;
	*first = number;
}

static void
unlink_edge(struct graph *graph, uint32_t number, enum graph_side side)
{
	struct graph_edge *edge = &graph->edge[number];
	struct graph_link link = edge->link[side];

	if (link.previous != GRAPH_NONE)
		graph->edge[link.previous].link[side].next = link.next;
	else
		graph->channel[edge->end[side]].first[side] = link.next;
	if (link.next != GRAPH_NONE)
		graph->edge[link.next].link[side].previous = link.previous;
}

static void
free_edge(struct graph *graph, uint32_t number)
{
	unlink_edge(graph, number, GRAPH_OUT);
	unlink_edge(graph, number, GRAPH_IN);
	graph->edge[number].count = 0;
	graph->edge[number].link[0].next = graph->free_edge;
	graph->free_edge = number;
}

status_t
graph_remove_channel(struct graph *graph, uint32_t channel)
{
	if (!exists(graph, channel))
		return ERR_NOENT;
	struct graph_channel *gone = &graph->channel[channel];
	for (enum graph_side side = GRAPH_OUT; side <= GRAPH_IN; side++) {
		while (gone->first[side] != GRAPH_NONE)
			free_edge(graph, gone->first[side]);
	}
	gone->exists = false;
	gone->free = graph->free_channel;
	graph->free_channel = channel;
	return OK;
}

static uint32_t
find_edge(const struct graph *graph, uint32_t parent, uint32_t child)
{
	uint32_t number = graph->channel[parent].first[GRAPH_OUT];

	while (number != GRAPH_NONE && graph->edge[number].end[GRAPH_IN] !=
	    child)
		number = graph->edge[number].link[GRAPH_OUT].next;
	return number;
}

/* A number for a search that no mark has. */
static void
begin_search(struct graph *graph)
{
	if (++graph->search != 0)
		return;
	for (uint32_t i = 0; i < graph->channels; i++)
		graph->channel[i].mark = 0;
	graph->search = 1;
}

static void
visit(struct graph *graph, uint32_t channel, uint32_t *found)
{
	if (graph->channel[channel].mark == graph->search)
		return;
	graph->channel[channel].mark = graph->search;
	graph->work[(*found)++] = channel;
}

/*
 * Marks what `from` leads to along the edges of its side (GRAPH_IN: what it
 * depends on), itself included, but nothing behind place `last` of the line
 * (which is not asked of parents: they come before). Returns how many.
 */
static uint32_t
search(struct graph *graph, uint32_t from, enum graph_side side, uint32_t last)
{
	uint32_t found = 0;

	begin_search(graph);
	visit(graph, from, &found);
	for (uint32_t i = 0; i < found; i++) {
		const struct graph_channel *at =
		    &graph->channel[graph->work[i]];

		for (uint32_t edge = at->first[side]; edge != GRAPH_NONE;
		    edge = graph->edge[edge].link[side].next) {
			uint32_t next = graph->edge[edge].end[!side];
			if (graph->channel[next].place <= last)
				visit(graph, next, &found);
		}
	}
	return found;
}

static void
put(struct graph *graph, uint32_t place, uint32_t channel)
{
	graph->line[place] = channel;
	graph->channel[channel].place = place;
}

/*
 * What was marked from `first` on moves behind `last`, what was not moves up;
 * both keep their order.
 */
static void
move_marked_behind(struct graph *graph, uint32_t first, uint32_t last)
{
	uint32_t moved = 0;

	for (uint32_t place = first; place <= last; place++) {
		uint32_t channel = graph->line[place];

		if (graph->channel[channel].mark == graph->search)
			graph->work[moved++] = channel;
		else
			put(graph, place - moved, channel);
	}
	for (uint32_t i = 0; i < moved; i++)
		put(graph, last + 1 - moved + i, graph->work[i]);
}

static status_t
make_order(struct graph *graph, uint32_t parent, uint32_t child)
{
	uint32_t first = graph->channel[child].place;
	uint32_t last = graph->channel[parent].place;

	if (last < first)
		return OK;
	(void)search(graph, child, GRAPH_OUT, last);
	if (graph->channel[parent].mark == graph->search)
		return ERR_STATE;
	move_marked_behind(graph, first, last);
	return OK;
}

status_t
graph_add_dep(struct graph *graph, uint32_t parent, uint32_t child)
{
	if (!exists(graph, parent) || !exists(graph, child))
		return ERR_NOENT;
	uint32_t number = find_edge(graph, parent, child);
	if (number != GRAPH_NONE) {
		graph->edge[number].count++;
		return OK;
	}
	number = graph->free_edge;
	if (number == GRAPH_NONE)
		return ERR_FULL;
	status_t status = make_order(graph, parent, child);
	if (status != OK)
		return status;
	graph->free_edge = graph->edge[number].link[0].next;
	graph->edge[number] = (struct graph_edge){ .end = { parent, child },
	    .count = 1 };
	link_edge(graph, number, GRAPH_OUT);
	link_edge(graph, number, GRAPH_IN);
	return OK;
}

status_t
graph_remove_dep(struct graph *graph, uint32_t parent, uint32_t child)
{
	if (!exists(graph, parent) || !exists(graph, child))
		return ERR_NOENT;
	uint32_t number = find_edge(graph, parent, child);
	if (number == GRAPH_NONE)
		return ERR_NOENT;
	if (--graph->edge[number].count == 0)
		free_edge(graph, number);
	return OK;
}

status_t
graph_may_block(struct graph *graph, const uint32_t *held, size_t held_count,
    uint32_t wanted)
{
	uint32_t last = 0;

	if (!exists(graph, wanted))
		return ERR_NOENT;
	for (size_t i = 0; i < held_count; i++) {
		if (!exists(graph, held[i]))
			return ERR_NOENT;
		if (graph->channel[held[i]].place > last)
			last = graph->channel[held[i]].place;
	}
	if (last < graph->channel[wanted].place)
		return OK;
	(void)search(graph, wanted, GRAPH_OUT, last);
	for (size_t i = 0; i < held_count; i++) {
		if (graph->channel[held[i]].mark == graph->search)
			return ERR_STATE;
	}
	return OK;
}

status_t
graph_submit_order(struct graph *graph, uint32_t channel, uint32_t *list,
    size_t room, size_t *out_length)
{
	if (!exists(graph, channel))
		return ERR_NOENT;
	uint32_t found = search(graph, channel, GRAPH_IN, GRAPH_NONE);
	*out_length = found;
	if (found > room)
		return ERR_RANGE;
	/* From the channel, which is last of them all, to the front. */
	for (uint32_t place = graph->channel[channel].place; found > 0;
	    place--) {
		uint32_t at = graph->line[place];

		if (graph->channel[at].mark == graph->search)
			list[--found] = at;
	}
	return OK;
}
