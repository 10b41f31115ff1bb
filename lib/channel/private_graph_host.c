/* SPDX-License-Identifier: MIT */
/*
 * The graph of channels of the private port, under the lock of the domain.
 *
 * A channel has a place in it from its first edge on. A member keeps the
 * numbers of the channels that its own leads to, each once, and takes its edges
 * along; the graph counts those of several members. When the graph is full a
 * larger one is made from what the members keep.
 */
#include "private_host.h"

#include <lib/channel/graph.h>

#include <stdlib.h>

#define CHANNELS_AT_FIRST	64u
#define EDGES_AT_FIRST		256u

struct private_edge {
	struct private_edge *next;	/* of the member */
	uint64_t child;			/* number of a channel */
};

static struct private_channel *
channel_of(const struct private_domain *domain, uint64_t number)
{
	struct private_channel *channel = domain->channels;

	while (channel != NULL && channel->number != number)
		channel = channel->next;
	return channel;
}

static struct private_edge **
edge_of(struct member *member, uint64_t child)
{
	struct private_edge **at = &member->edges;

	while (*at != NULL && (*at)->child != child)
		at = &(*at)->next;
	return at;
}

/* Into a graph that has room for all of it. */
static void
copy_edges(const struct private_domain *domain)
{
	for (struct private_channel *channel = domain->channels;
	    channel != NULL; channel = channel->next)
		for (struct member *member = channel->members; member != NULL;
		    member = member->next)
			for (struct private_edge *edge = member->edges;
			    edge != NULL; edge = edge->next)
				(void)graph_add_dep(domain->graph,
				    channel->place,
				    channel_of(domain, edge->child)->place);
}

static status_t
grow(struct private_domain *domain)
{
	uint32_t channels = domain->graph == NULL ? CHANNELS_AT_FIRST :
	    2 * domain->graph_channels;
	uint32_t edges = channels / CHANNELS_AT_FIRST * EDGES_AT_FIRST;
	size_t size = graph_size(channels, edges);
	void *memory = size == 0 ? NULL : malloc(size);

	if (memory == NULL)
		return size == 0 ? ERR_LIMIT : ERR_NOMEM;
	free(domain->graph_memory);
	domain->graph_memory = memory;
	domain->graph_channels = channels;
	/* Cannot fail: the memory is as large as it said. */
	(void)graph_create(memory, size, channels, edges, &domain->graph);
	for (struct private_channel *channel = domain->channels;
	    channel != NULL; channel = channel->next)
		if (channel->placed)
			(void)graph_add_channel(domain->graph,
			    &channel->place);
	copy_edges(domain);
	return OK;
}

static status_t
place(struct private_domain *domain, struct private_channel *channel)
{
	status_t status = ERR_FULL;

	if (channel->placed)
		return OK;
	if (domain->graph != NULL)
		status = graph_add_channel(domain->graph, &channel->place);
	if (status == ERR_FULL) {
		status = grow(domain);
		if (status == OK)
			status = graph_add_channel(domain->graph,
			    &channel->place);
	}
	channel->placed = status == OK;
	return status;
}

static status_t
add_locked(struct private_domain *domain, struct member *parent,
    struct member *child)
{
	struct private_channel *from = parent->channel, *to = child->channel;
	struct private_edge *edge;
	status_t status;

	if (*edge_of(parent, to->number) != NULL)
		return OK;
	edge = malloc(sizeof(*edge));
	if (edge == NULL)
		return ERR_NOMEM;
	status = place(domain, from);
	if (status == OK)
		status = place(domain, to);
	if (status == OK)
		status = graph_add_dep(domain->graph, from->place, to->place);
	if (status == ERR_FULL) {
		status = grow(domain);
		if (status == OK)
			status = graph_add_dep(domain->graph, from->place,
			    to->place);
	}
	if (status != OK) {
		free(edge);
		return status;
	}
	*edge = (struct private_edge){ parent->edges, to->number };
	parent->edges = edge;
	return OK;
}

static void
remove_edge(struct private_domain *domain, struct member *parent,
    struct private_edge **at)
{
	struct private_edge *edge = *at;

	(void)graph_remove_dep(domain->graph, parent->channel->place,
	    channel_of(domain, edge->child)->place);
	*at = edge->next;
	free(edge);
}

status_t
private_add_dep(struct channel_domain *base,
    const struct channel_member *parent, const struct channel_member *child)
{
	struct private_domain *domain = base->context;
	struct member *from = parent->port_data, *to = child->port_data;
	status_t status = ERR_ARG;

	pthread_mutex_lock(&domain->lock);
	if ((from->role & CHANNEL_RECEIVER) != 0 &&
	    (to->role & CHANNEL_SENDER) != 0)
		status = add_locked(domain, from, to);
	pthread_mutex_unlock(&domain->lock);
	return status;
}

status_t
private_remove_dep(struct channel_domain *base,
    const struct channel_member *parent, const struct channel_member *child)
{
	struct private_domain *domain = base->context;
	struct member *from = parent->port_data, *to = child->port_data;
	struct private_edge **at;

	pthread_mutex_lock(&domain->lock);
	at = edge_of(from, to->channel->number);
	status_t status = *at != NULL ? OK : ERR_NOENT;
	if (*at != NULL)
		remove_edge(domain, from, at);
	pthread_mutex_unlock(&domain->lock);
	return status;
}

void
private_edges_leave(struct private_domain *domain, struct member *member)
{
	while (member->edges != NULL)
		remove_edge(domain, member, &member->edges);
}

void
private_place_leave(struct private_domain *domain,
    struct private_channel *gone)
{
	if (!gone->placed)
		return;
	for (struct private_channel *channel = domain->channels;
	    channel != NULL; channel = channel->next)
		for (struct member *member = channel->members; member != NULL;
		    member = member->next) {
			struct private_edge **at = edge_of(member,
			    gone->number);

			if (*at != NULL)
				remove_edge(domain, member, at);
		}
	(void)graph_remove_channel(domain->graph, gone->place);
}
