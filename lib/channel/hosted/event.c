/* SPDX-License-Identifier: MIT */
/* Events of the broker become events of the channel library; lanes. */
#include <lib/base/checked.h>
#include <lib/channel/hosted/link.h>
#include <lib/channel/lane.h>

#include <stdlib.h>
#include <unistd.h>

static struct hosted_lane **
lane_find(struct hosted_member *member, uint64_t number)
{
	struct hosted_lane **link = &member->lanes;

	while (*link != NULL && (*link)->number != number)
		link = &(*link)->next;
	return link;
}

static void
lane_free(struct hosted *hosted, struct hosted_lane *lane)
{
	mapping_put(&hosted->segments, lane->segment);
	mapping_put(&hosted->pools, lane->pool);
	if (lane->bell >= 0)
		close(lane->bell);
	free(lane);
}

void
lane_release(struct hosted_member *member, struct hosted_lane *lane)
{
	struct hosted_lane **link = lane_find(member, lane->number);

	*link = lane->next;
	if (lane->bell >= 0)
		wait_remove_bell(member, lane->bell);
	lane_free(member->hosted, lane);
}

/* Takes what came beside the event; false if it is not what it should be. */
static bool
lane_map(struct hosted_member *member, struct hosted_event *event,
    struct hosted_lane *lane)
{
	const struct broker_lane *told = &event->packet.lane;
	struct hosted *hosted = member->hosted;
	unsigned pools = told->pool_size != 0, next = 1;

	if (event->files != 1 + pools + told->has_bell ||
	    !checked_within(told->offset, lane_size(&member->config),
	    told->segment_size))
		return false;
	event->files = 0;
	lane->segment = mapping_take(&hosted->segments, told->segment,
	    told->segment_size, event->file[0], true);
	if (pools != 0)
		lane->pool = mapping_take(&hosted->pools, told->pool,
		    told->pool_size, event->file[next++], false);
	if (told->has_bell)
		lane->bell = event->file[next];
	return lane->segment != NULL && (pools == 0 || lane->pool != NULL);
}

static struct hosted_lane *
lane_make(struct hosted_member *member, struct hosted_event *event)
{
	struct hosted_lane *lane = malloc(sizeof(*lane));

	if (lane == NULL)
		return NULL;
	*lane = (struct hosted_lane){
		.number = event->packet.lane.lane,
		.peer = event->packet.lane.peer,
		.bell = -1,
	};
	if (!lane_map(member, event, lane)) {
		lane_free(member->hosted, lane);
		return NULL;
	}
	lane->memory = lane->segment->base + event->packet.lane.offset;
	lane->next = member->lanes;
	member->lanes = lane;
	if (lane->bell >= 0)
		wait_add_bell(member, lane->bell);
	return lane;
}

static void
tell_drop(struct hosted_member *member, uint64_t lane)
{
	struct broker_packet packet = {
		.head.kind = BROKER_DROP,
		.drop = { member->number, lane },
	};

	link_tell(member->hosted, &packet);
}

/* A lane that cannot be mapped here is dropped: the other end learns it. */
static bool
take_lane(struct hosted_member *member, struct hosted_event *event,
    struct channel_event *out_event)
{
	const struct broker_lane *told = &event->packet.lane;
	struct hosted_lane *lane = lane_make(member, event);

	if (lane == NULL) {
		tell_drop(member, told->lane);
		return false;
	}
	*out_event = (struct channel_event){
		.kind = told->out ? CHANNEL_LANE_OUT : CHANNEL_LANE_IN,
		.place = {
			.memory = lane->memory,
			.lines = lane_lines(&member->config),
			.return_lines = lane_return_lines(&member->config),
			.peer = told->peer, .trust = told->trust,
			.identity = told->identity,
			.groups = told->groups, .number = told->lane,
			.port_data = lane,
		},
	};
	if (lane->pool != NULL) {
		out_event->place.pool = lane->pool->base;
		out_event->place.pool_size = lane->pool->size;
	}
	return true;
}

/* Nothing to tell of a lane that was dropped here meanwhile. */
static bool
take_gone(struct hosted_member *member, const struct hosted_event *event,
    struct channel_event *out_event)
{
	const struct broker_lane *told = &event->packet.lane;
	struct hosted_lane *lane = *lane_find(member, told->lane);

	if (lane == NULL)
		return false;
	*out_event = (struct channel_event){
		.kind = told->revoked ? CHANNEL_PEER_REVOKED :
		    CHANNEL_PEER_GONE,
		.place = {
			.memory = lane->memory, .peer = lane->peer,
			.port_data = lane,
		},
	};
	return true;
}

static bool
take_event(struct hosted_member *member, struct hosted_event *event,
    struct channel_event *out_event)
{
	switch (event->packet.head.kind) {
	case BROKER_EVENT_LANE:
		return take_lane(member, event, out_event);
	case BROKER_EVENT_GONE:
		return take_gone(member, event, out_event);
	default:
		*out_event = (struct channel_event){
			.kind = CHANNEL_REVOKED,
		};
		return true;
	}
}

static status_t
next_event(struct hosted_member *member, struct channel_event *out_event)
{
	struct hosted_event *event;
	bool taken;

	while ((event = member->events.first) != NULL) {
		member->events.first = event->next;
		if (event->next == NULL)
			event_queue_clear(&member->events);
		taken = take_event(member, event, out_event);
		link_event_free(event);
		if (taken)
			return OK;
	}
	return ERR_EMPTY;
}

/* What another thread read for this member, then what is there to be read. */
static status_t
look(struct hosted_member *member, struct channel_event *out_event)
{
	struct hosted *hosted = member->hosted;
	status_t status;

	pthread_mutex_lock(&hosted->lock);
	status = next_event(member, out_event);
	if (status == ERR_EMPTY) {
		link_drain(hosted);
		status = next_event(member, out_event);
		if (status == ERR_EMPTY && hosted->is_cut)
			status = ERR_GONE;
	}
	pthread_mutex_unlock(&hosted->lock);
	return status;
}

/*
 * Whoever hears that there is no more event acts on what it knows. So it has to
 * wait while revocations are held back; what was read lets the broker go on.
 */
status_t
hosted_next_event(struct channel_domain *domain,
    struct channel_member *member, struct channel_event *out_event)
{
	struct hosted *hosted = hosted_of(domain);
	struct hosted_member *own = member->port_data;
	uint64_t generation;
	status_t status;

	for (;;) {
		/* Before looking: what comes behind it changes it again. */
		generation = __atomic_load_n(&hosted->page->generation,
		    __ATOMIC_ACQUIRE);
		bool held = __atomic_load_n(&hosted->page->held,
		    __ATOMIC_ACQUIRE) != 0;

		status = look(own, out_event);
		if (status != ERR_EMPTY || !held ||
		    hosted->process != getpid())
			break;
		wait_broker(hosted, generation);
	}
	/* Without a broker nothing is to come. */
	if (status != OK)
		own->seen = generation;
	return status == OK ? OK : ERR_EMPTY;
}

void
hosted_drop_lane(struct channel_domain *domain,
    struct channel_member *member, struct lane_place *place)
{
	struct hosted *hosted = hosted_of(domain);
	struct hosted_member *own = member->port_data;
	struct hosted_lane *lane = place->port_data;

	pthread_mutex_lock(&hosted->lock);
	tell_drop(own, lane->number);
	lane_release(own, lane);
	pthread_mutex_unlock(&hosted->lock);
	*place = (struct lane_place){ 0 };
}
