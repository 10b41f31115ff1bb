/* SPDX-License-Identifier: MIT */
/*
 * Event pairs. The holder counts move with the capabilities, under
 * derivation_lock; an end that lost its last holder never comes back, because
 * only a capability can make another.
 */
#include <kernel/object/eventpair.h>

#include <kernel/object/endpoint.h>

static unsigned
end_index(unsigned type)
{
	return type == OBJ_EVENTPAIR_A ? 0 : 1;
}

status_t
eventpair_create(struct container *container, struct endpoint *endpoint,
    uint64_t badge, struct eventpair **out_pair)
{
	status_t status;
	struct object *object = object_alloc(OBJ_EVENTPAIR_A, container,
	    &status);

	if (object == NULL)
		return status;
	struct eventpair *pair = (struct eventpair *)object;
	pair->endpoint = endpoint;
	if (endpoint != NULL)
		object_reference(&endpoint->object);
	pair->badge = badge;
	event_init(&pair->event[0], EVENT_PEER_GONE);
	event_init(&pair->event[1], EVENT_PEER_GONE);
	*out_pair = pair;
	return OK;
}

void
eventpair_end_hold(struct object *object, unsigned type)
{
	((struct eventpair *)object)->holders[end_index(type)]++;
}

void
eventpair_end_drop(struct object *object, unsigned type)
{
	struct eventpair *pair = (struct eventpair *)object;
	unsigned end = end_index(type);

	if (--pair->holders[end] != 0)
		return;
	pair->gone[end] = true;
	/* Nobody is left to hear what happens to the other end. */
	event_resolve(&pair->event[end]);
	if (!pair->gone[1 - end])
		event_fire(&pair->event[1 - end]);
}

bool
eventpair_destroy(struct object *object)
{
	struct eventpair *pair = (struct eventpair *)object;

	event_detach(&pair->event[0]);
	event_detach(&pair->event[1]);
	if (pair->endpoint != NULL)
		object_release(&pair->endpoint->object);
	return true;
}
