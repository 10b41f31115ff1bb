/* SPDX-License-Identifier: MIT */
/*
 * Channel graph: which channel depends on which, without a cycle.
 *
 * An edge parent -> child says two things that are one: who handles a message
 * of the parent may wait for an answer on the child; and what is queued on the
 * parent is delivered before what is queued on the child. The graph refuses an
 * edge that would close a cycle, so nobody waits in a circle.
 *
 * All channels stand in one line in which every parent comes before its
 * children (Marchetti-Spaccamela, Nanni and Rohnert 1996). An edge that agrees
 * with the line costs nothing. For another, the channels that the child leads
 * to are looked for between the two places only: if the parent is among them
 * it is a cycle, else they move behind it.
 *
 * Channels are small numbers that the graph gives out and uses again after
 * remove. An edge that several need is counted: add and remove it as often.
 *
 * Errors: ERR_NOENT no such channel or edge, ERR_STATE would close a cycle,
 * ERR_FULL as many channels or edges as configured. What failed changed
 * nothing.
 *
 * Thread safety: none; the caller holds one lock, or is one thread. No function
 * calls out. The memory is the caller's and of a fixed size.
 */
#pragma once

#include <abi/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GRAPH_CHANNELS_MAX	(1u << 20)
#define GRAPH_EDGES_MAX		(1u << 22)

struct graph;

/* Bytes, aligned to 8; 0: out of range. */
size_t graph_size(uint32_t channels, uint32_t edges);
/* ERR_ARG memory is NULL or not aligned, ERR_RANGE a limit or size. */
status_t graph_create(void *memory, size_t size, uint32_t channels,
    uint32_t edges, struct graph **out_graph);

status_t graph_add_channel(struct graph *graph, uint32_t *out_channel);
/* With all its edges, however often they were added. */
status_t graph_remove_channel(struct graph *graph, uint32_t channel);

status_t graph_add_dep(struct graph *graph, uint32_t parent, uint32_t child);
/* The edge is gone when it was removed as often as it was added. */
status_t graph_remove_dep(struct graph *graph, uint32_t parent, uint32_t child);

/*
 * May a thread that is handling messages of `held` wait on `wanted`? OK, or
 * ERR_STATE: `wanted` is one of them or leads to one, so that its answer may
 * need this thread. Adds no edge. Channels that do not exist: ERR_NOENT.
 */
status_t graph_may_block(struct graph *graph, const uint32_t *held,
    size_t held_count, uint32_t wanted);

/*
 * Submit: fills `list` with the channel and all that it depends on, each once,
 * parents before their children, the channel last. The caller delivers what is
 * queued on them in this order. ERR_RANGE: *out_length says how much room is
 * needed, the list is not written.
 */
status_t graph_submit_order(struct graph *graph, uint32_t channel,
    uint32_t *list, size_t room, size_t *out_length);

/* Walks everything: false if something is not as it must be. */
bool graph_ok(const struct graph *graph);
