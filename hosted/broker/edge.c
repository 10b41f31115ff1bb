/* SPDX-License-Identifier: MIT */
/*
 * Edges of the channel graph. A member keeps the numbers of the channels that
 * its own leads to, each once; the graph counts those of several members.
 */
#include "state.h"

#include <lib/channel/graph.h>

#include <stdlib.h>

/* MEMBER_EDGES_MAX or more: there is none. */
static uint32_t
find(const struct member *member, uint64_t child)
{
	for (uint32_t i = 0; i < member->edge_count; i++)
		if (member->edge[i] == child)
			return i;
	return MEMBER_EDGES_MAX;
}

static void
forget(struct member *member, uint32_t at)
{
	member->edge[at] = member->edge[--member->edge_count];
	member->client->broker->edges--;
}

/* A channel that is gone took its edges along, out of the graph. */
static void
forget_dead(struct member *member)
{
	const struct table *channels = &member->client->broker->channels;

	for (uint32_t i = member->edge_count; i-- > 0;)
		if (table_find(channels, member->edge[i]) == NULL)
			forget(member, i);
}

status_t
member_depend(struct member *parent, struct member *child)
{
	struct broker *broker = parent->client->broker;
	uint64_t *edge;
	status_t status;

	if ((parent->role & CHANNEL_RECEIVER) == 0 ||
	    (child->role & CHANNEL_SENDER) == 0)
		return ERR_ARG;
	if (find(parent, child->channel->number) < MEMBER_EDGES_MAX)
		return OK;
	if (parent->edge_count == MEMBER_EDGES_MAX)
		forget_dead(parent);
	if (parent->edge_count == MEMBER_EDGES_MAX)
		return ERR_LIMIT;
	edge = realloc(parent->edge, (parent->edge_count + 1) * sizeof(*edge));
	if (edge == NULL)
		return ERR_NOMEM;
	parent->edge = edge;
	status = graph_add_dep(broker->graph, parent->channel->place,
	    child->channel->place);
	if (status != OK)
		return status;
	edge[parent->edge_count++] = child->channel->number;
	broker->edges++;
	return OK;
}

status_t
member_remove_depend(struct member *parent, const struct member *child)
{
	uint32_t at = find(parent, child->channel->number);

	if (at >= MEMBER_EDGES_MAX)
		return ERR_NOENT;
	(void)graph_remove_dep(parent->client->broker->graph,
	    parent->channel->place, child->channel->place);
	forget(parent, at);
	return OK;
}

void
member_forget_edges(struct member *member)
{
	struct broker *broker = member->client->broker;

	forget_dead(member);
	for (uint32_t i = 0; i < member->edge_count; i++) {
		const struct channel_entry *child = table_find(
		    &broker->channels, member->edge[i]);

		(void)graph_remove_dep(broker->graph, member->channel->place,
		    child->place);
	}
	broker->edges -= member->edge_count;
	free(member->edge);
}
