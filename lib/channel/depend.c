/* SPDX-License-Identifier: MIT */
/*
 * Dependencies between ends (channel.h).
 *
 * An edge has two halves. That the handling of the parent's messages may wait
 * for the child concerns everybody: it is in the graph of the port, and only
 * who receives from the parent can add it. In which order messages staged here
 * become visible concerns the thread that has both ends: it is a link between
 * them. Both refuse a cycle before either is changed.
 *
 * Searches go by a work list through the ends, each found once: neither depth
 * nor width needs memory.
 */
#include "state.h"

static uint64_t searches;	/* atomic; so far */

struct search {
	uint64_t number;
	struct channel *work;
};

static struct search
search_begin(void)
{
	return (struct search){
		.number = __atomic_add_fetch(&searches, 1, __ATOMIC_RELAXED),
	};
}

static void
search_find(struct search *search, struct channel *channel)
{
	if (channel->search == search->number)
		return;
	channel->search = search->number;
	channel->work = search->work;
	search->work = channel;
}

/* NULL: that were all. */
static struct channel *
search_next(struct search *search)
{
	struct channel *channel = search->work;

	if (channel != NULL)
		search->work = channel->work;
	return channel;
}

static bool
leads_to(struct channel *from, const struct channel *to)
{
	struct search search = search_begin();
	struct channel *at;

	search_find(&search, from);
	while ((at = search_next(&search)) != NULL) {
		if (at == to)
			return true;
		for (struct dependency *dependency = at->children;
		    dependency != NULL; dependency = dependency->next_child)
			search_find(&search, dependency->child);
	}
	return false;
}

static struct dependency *
find(const struct channel *parent, const struct channel *child)
{
	struct dependency *dependency = parent->children;

	while (dependency != NULL && dependency->child != child)
		dependency = dependency->next_child;
	return dependency;
}

static void
unlink(struct dependency *dependency)
{
	struct dependency **at = &dependency->parent->children;
	struct channel_domain *domain = dependency->parent->domain;

	while (*at != dependency)
		at = &(*at)->next_child;
	*at = dependency->next_child;
	at = &dependency->child->parents;
	while (*at != dependency)
		at = &(*at)->next_parent;
	*at = dependency->next_parent;
	domain->port->release(domain, dependency, sizeof(*dependency));
}

static void
link(struct dependency *dependency, struct channel *parent,
    struct channel *child)
{
	*dependency = (struct dependency){
		.parent = parent, .child = child,
		.next_child = parent->children, .next_parent = child->parents,
	};
	parent->children = child->parents = dependency;
}

static bool
may_depend(const struct channel *parent, const struct channel *child)
{
	return parent->domain == child->domain && parent->role != 0 &&
	    (child->role & CHANNEL_SENDER) != 0;
}

status_t
channel_add_dep(struct channel *parent, struct channel *child)
{
	struct channel_domain *domain = parent->domain;
	struct dependency *dependency = NULL;
	status_t status = OK;

	if (!may_depend(parent, child))
		return ERR_ARG;
	if (parent->member.channel == child->member.channel ||
	    leads_to(child, parent))
		return ERR_STATE;
	if ((parent->role & CHANNEL_SENDER) != 0 &&
	    find(parent, child) == NULL) {
		dependency = domain->port->allocate(domain,
		    sizeof(*dependency));
		if (dependency == NULL)
			return ERR_NOMEM;
	}
	if ((parent->role & CHANNEL_RECEIVER) != 0)
		status = channel_remember_edge(parent, child);
	if (status == OK && dependency != NULL)
		link(dependency, parent, child);
	else if (dependency != NULL)
		domain->port->release(domain, dependency,
		    sizeof(*dependency));
	return status;
}

status_t
channel_remove_dep(struct channel *parent, struct channel *child)
{
	struct channel_domain *domain = parent->domain;
	struct dependency *dependency;
	status_t status = ERR_NOENT;

	if (!may_depend(parent, child))
		return ERR_ARG;
	if ((parent->role & CHANNEL_RECEIVER) != 0) {
		if (domain->port->remove_dep == NULL)
			return ERR_NOSYS;
		status = domain->port->remove_dep(domain, &parent->member,
		    &child->member);
		channel_forget_edge(parent, child);
	}
	dependency = find(parent, child);
	if (dependency == NULL)
		return status;
	unlink(dependency);
	return OK;
}

void
channel_forget_deps(struct channel *channel)
{
	while (channel->children != NULL)
		unlink(channel->children);
	while (channel->parents != NULL)
		unlink(channel->parents);
}

/*
 * Marks all that come before the channel, each with how many come just before
 * it. Returns those with none, as a list.
 */
static struct channel *
mark_before(struct channel *channel, uint64_t *out_number)
{
	struct search search = search_begin();
	struct channel *at, *ready = NULL;

	*out_number = search.number;
	search_find(&search, channel);
	while ((at = search_next(&search)) != NULL) {
		at->before = 0;
		for (struct dependency *dependency = at->parents;
		    dependency != NULL; dependency = dependency->next_parent) {
			search_find(&search, dependency->parent);
			at->before++;
		}
		if (at->before == 0) {
			/* It is off the search's list by now. */
			at->work = ready;
			ready = at;
		}
	}
	return ready;
}

status_t
channel_submit(struct channel *channel)
{
	struct channel *ready;
	uint64_t number;

	if ((channel->role & CHANNEL_SENDER) == 0)
		return ERR_STATE;
	ready = mark_before(channel, &number);
	while (ready != NULL) {
		struct channel *at = ready;

		ready = at->work;
		channel_publish(at);
		for (struct dependency *dependency = at->children;
		    dependency != NULL; dependency = dependency->next_child) {
			struct channel *child = dependency->child;

			if (child->search == number && --child->before == 0) {
				child->work = ready;
				ready = child;
			}
		}
	}
	return OK;
}
