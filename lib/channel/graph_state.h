/* SPDX-License-Identifier: MIT */
/*
 * The memory of a graph: this structure, the channels, the edges, two arrays.
 *
 * The line is a permutation of all channels, those that do not exist included:
 * these have no edges and stand wherever they happen to. An edge is in two
 * lists, of what its parent leads to and of what its child depends on.
 */
#pragma once

#include <lib/channel/graph.h>

#define GRAPH_NONE	UINT32_MAX	/* no edge, no channel */

enum graph_side { GRAPH_OUT, GRAPH_IN };	/* of parent, of child */

struct graph_link {
	uint32_t previous, next;
};

struct graph_edge {
	uint32_t end[2];	/* GRAPH_OUT: the parent, GRAPH_IN: the child */
	struct graph_link link[2];
	uint64_t count;		/* of adds; 0: free, link[0].next chains */
};

struct graph_channel {
	uint32_t first[2];	/* edge by enum graph_side */
	uint32_t place;		/* in the line */
	uint32_t mark;		/* found by the search of that number */
	uint32_t free;		/* next free one, if it does not exist */
	bool	 exists;
};

struct graph {
	struct graph_channel *channel;
	struct graph_edge *edge;
	uint32_t *line;		/* place -> channel */
	uint32_t *work;		/* of a search: as many as channels */
	uint32_t channels, edges;
	uint32_t free_channel, free_edge;
	uint32_t search;	/* number of the last one */
};
