/* SPDX-License-Identifier: MIT */
/*
 * Messages in hand: what a thread has received and is not done with.
 *
 * A message is in hand from the peek to its release, and a request from its
 * receive or peek to its answer (or to the next receive). Whoever calls
 * meanwhile waits with it: so each channel in hand gets an edge to the called
 * one, in the graph of the port, before anything is sent. An end remembers the
 * edges it has; a call that is made again costs a look at the list.
 *
 * The list is the thread's, but an end may be handed to another thread, or
 * closed by one, with a message in hand: hence the lock, which nearly always
 * is free. It is held while the port adds an edge, so that the end stays.
 */
#include "state.h"

static void
lock(struct channel_hand *hand)
{
	while (__atomic_exchange_n(&hand->lock, 1, __ATOMIC_ACQUIRE) != 0)
		__builtin_ia32_pause();
}

static void
unlock(struct channel_hand *hand)
{
	__atomic_store_n(&hand->lock, 0, __ATOMIC_RELEASE);
}

static struct channel_hand *
hand_of_thread(const struct channel *channel)
{
	const struct channel_port *port = channel->domain->port;

	return port->hand == NULL ? NULL : port->hand(channel->domain);
}

static struct channel_hand *
hand_that_holds(const struct channel *channel)
{
	return __atomic_load_n(&channel->hand, __ATOMIC_ACQUIRE);
}

/* The lock is held. */
static void
take_out(struct channel *channel)
{
	struct channel_hand *hand = channel->hand;

	if (channel->hand_previous != NULL)
		channel->hand_previous->hand_next = channel->hand_next;
	else
		__atomic_store_n(&hand->first, channel->hand_next,
		    __ATOMIC_RELAXED);
	if (channel->hand_next != NULL)
		channel->hand_next->hand_previous = channel->hand_previous;
	channel->hand_next = channel->hand_previous = NULL;
	__atomic_store_n(&channel->hand, NULL, __ATOMIC_RELEASE);
}

static void
drop(struct channel *channel, struct channel_hand *hand)
{
	lock(hand);
	/* The thread may have ended, and let go of everything. */
	if (channel->hand == hand)
		take_out(channel);
	unlock(hand);
}

void
channel_hold(struct channel *channel)
{
	struct channel_hand *hand = hand_of_thread(channel);
	struct channel_hand *before = hand_that_holds(channel);

	if (hand == before)
		return;
	if (before != NULL)
		drop(channel, before);
	if (hand == NULL)
		return;
	lock(hand);
	channel->hand_next = hand->first;
	if (hand->first != NULL)
		hand->first->hand_previous = channel;
	__atomic_store_n(&hand->first, channel, __ATOMIC_RELAXED);
	__atomic_store_n(&channel->hand, hand, __ATOMIC_RELEASE);
	unlock(hand);
}

void
channel_let_go(struct channel *channel)
{
	struct channel_hand *hand = hand_that_holds(channel);

	if (hand != NULL && channel->shown.lane == NULL &&
	    channel->asked.lane == NULL)
		drop(channel, hand);
}

void
channel_hand_empty(struct channel_hand *hand)
{
	lock(hand);
	while (hand->first != NULL)
		take_out(hand->first);
	unlock(hand);
}

status_t
channel_remember_edge(struct channel *parent, const struct channel *child)
{
	const struct channel_port *port = parent->domain->port;
	status_t status;

	for (uint32_t i = 0; i < EDGES_KNOWN; i++)
		if (parent->edge[i] == child->member.channel)
			return OK;
	if (port->add_dep == NULL)
		return ERR_NOSYS;
	status = port->add_dep(parent->domain, &parent->member,
	    &child->member);
	if (status != OK)
		return status;
	parent->edge[parent->edge_next] = child->member.channel;
	parent->edge_next = (parent->edge_next + 1) % EDGES_KNOWN;
	return OK;
}

void
channel_forget_edge(struct channel *parent, const struct channel *child)
{
	for (uint32_t i = 0; i < EDGES_KNOWN; i++)
		if (parent->edge[i] == child->member.channel)
			parent->edge[i] = 0;
}

status_t
channel_depend_on_held(struct channel *channel)
{
	struct channel_hand *hand = hand_of_thread(channel);
	status_t status = OK;

	if (hand == NULL ||
	    __atomic_load_n(&hand->first, __ATOMIC_RELAXED) == NULL)
		return OK;
	lock(hand);
	for (struct channel *held = hand->first; held != NULL && status == OK;
	    held = held->hand_next)
		if (held->domain == channel->domain)
			status = channel_remember_edge(held, channel);
	unlock(hand);
	/* Without its broker an open channel goes on. */
	return status == ERR_GONE || status == ERR_NOSYS ? OK : status;
}
