/* SPDX-License-Identifier: MIT */
/* Events of the broker become events of the channel library; lanes. */
#include <lib/channel/guest/domain.h>

#include <idl/channels_client.h>
#include <lib/channel/lane.h>
#include <lib/sys/sys.h>

status_t
guest_map(struct guest *guest, cap_t take_memory, uint64_t bytes,
    unsigned flags, struct guest_mapping *out_mapping)
{
	uint64_t size = (bytes + PAGE_MASK) & ~PAGE_MASK;
	uint64_t address = ranges_take(&guest->ranges, size);
	status_t status = address == 0 ? ERR_NOMEM :
	    sys_map(guest->options.vspace, address, take_memory, 0, size,
	    flags | MAP_NOCLONE);

	*out_mapping = (struct guest_mapping){ take_memory, address, size };
	if (status == OK)
		return OK;
	if (address != 0)
		ranges_give(&guest->ranges, address, size);
	sys_cap_delete(CAP_NONE, take_memory);
	*out_mapping = (struct guest_mapping){ 0 };
	return status;
}

void
guest_unmap(struct guest *guest, struct guest_mapping *mapping)
{
	if (mapping->memory == CAP_NONE)
		return;
	sys_unmap(guest->options.vspace, mapping->address, mapping->size);
	ranges_give(&guest->ranges, mapping->address, mapping->size);
	sys_cap_delete(CAP_NONE, mapping->memory);
	*mapping = (struct guest_mapping){ 0 };
}

static struct guest_lane **
lane_find(struct guest_member *member, uint64_t number)
{
	struct guest_lane **link = &member->lanes;

	while (*link != NULL && (*link)->number != number)
		link = &(*link)->next;
	return link;
}

static void
lane_release(struct guest *guest, struct guest_lane **link)
{
	struct guest_lane *lane = *link;

	*link = lane->next;
	guest_unmap(guest, &lane->memory);
	guest_unmap(guest, &lane->pool);
	if (lane->bell != CAP_NONE)
		sys_cap_delete(CAP_NONE, lane->bell);
	heap_give(&guest->heap, lane, sizeof(*lane));
}

void
guest_forget_lanes(struct guest *guest, struct guest_member *member)
{
	while (member->lanes != NULL)
		lane_release(guest, &member->lanes);
}

/* Of the sender; its lane carries names of buffers only. */
static status_t
map_pool(struct guest *guest, const struct guest_member *member,
    struct guest_lane *lane)
{
	cap_t pool;

	if (!member->config.zero_copy)
		return OK;
	status_t status = wire_status(channels_pool(guest->session,
	    member->number, lane->number, &pool));
	if (status != OK)
		return status;
	return guest_map(guest, pool, lane_pool_size(&member->config),
	    MAP_READ, &lane->pool);
}

/* The capabilities are the lane's, or deleted. NULL: no memory or address. */
static struct guest_lane *
lane_make(struct guest *guest, struct guest_member *member,
    const struct channels_event_results *told, cap_t take_memory,
    cap_t take_bell)
{
	struct guest_lane *lane = heap_take(&guest->heap, sizeof(*lane));

	if (lane == NULL) {
		sys_cap_delete(CAP_NONE, take_memory);
		sys_cap_delete(CAP_NONE, take_bell);
		return NULL;
	}
	lane->number = told->lane;
	lane->peer = told->peer;
	lane->bits = told->bits;
	lane->bell = take_bell;
	lane->next = member->lanes;
	member->lanes = lane;
	status_t status = guest_map(guest, take_memory,
	    lane_size(&member->config), MAP_READ | MAP_WRITE, &lane->memory);
	if (status == OK && told->kind == CHANNELS_EVENT_LANE_IN)
		status = map_pool(guest, member, lane);
	if (status == OK)
		return lane;
	lane_release(guest, &member->lanes);
	return NULL;
}

/* A lane that cannot be mapped is dropped: the other end learns it. */
static bool
take_lane(struct guest *guest, struct guest_member *member,
    const struct channels_event_results *told, cap_t take_memory,
    cap_t take_bell, struct channel_event *out_event)
{
	struct guest_lane *lane = lane_make(guest, member, told, take_memory,
	    take_bell);

	if (lane == NULL) {
		channels_drop(guest->session, member->number, told->lane);
		return false;
	}
	*out_event = (struct channel_event){
		.kind = told->kind == CHANNELS_EVENT_LANE_OUT ?
		    CHANNEL_LANE_OUT : CHANNEL_LANE_IN,
		.place = {
			.memory = (void *)lane->memory.address,
			.lines = lane_lines(&member->config),
			.return_lines = lane_return_lines(&member->config),
			.pool = (void *)lane->pool.address,
			.pool_size = lane->pool.size,
			.peer = told->peer, .trust = told->trust,
			.groups = told->groups, .number = told->lane,
			.port_data = lane,
		},
	};
	return true;
}

/* Nothing to tell of a lane that was dropped here meanwhile. */
static bool
take_gone(struct guest_member *member,
    const struct channels_event_results *told, struct channel_event *out_event)
{
	struct guest_lane *lane = *lane_find(member, told->lane);

	if (lane == NULL)
		return false;
	*out_event = (struct channel_event){
		.kind = told->kind == CHANNELS_EVENT_PEER_REVOKED ?
		    CHANNEL_PEER_REVOKED : CHANNEL_PEER_GONE,
		.place = {
			.memory = (void *)lane->memory.address,
			.peer = lane->peer, .port_data = lane,
		},
	};
	return true;
}

status_t
guest_next_event(struct channel_domain *domain, struct channel_member *own,
    struct channel_event *out_event)
{
	struct guest *guest = guest_of(domain);
	struct guest_member *member = own->port_data;
	struct channels_event_results told;
	cap_t memory, bell;

	while (channels_event(guest->session, member->number, &told, &memory,
	    &bell) == 0) {
		switch (told.kind) {
		case CHANNELS_EVENT_LANE_OUT:
		case CHANNELS_EVENT_LANE_IN:
			if (take_lane(guest, member, &told, memory, bell,
			    out_event))
				return OK;
			break;
		case CHANNELS_EVENT_GONE:
		case CHANNELS_EVENT_PEER_REVOKED:
			if (take_gone(member, &told, out_event))
				return OK;
			break;
		case CHANNELS_EVENT_REVOKED:
			*out_event = (struct channel_event){
				.kind = CHANNEL_REVOKED,
			};
			return OK;
		default:
			return ERR_EMPTY;
		}
	}
	/* The broker was given up: nobody comes or goes any more. */
	return ERR_EMPTY;
}

void
guest_drop_lane(struct channel_domain *domain, struct channel_member *own,
    struct lane_place *place)
{
	struct guest *guest = guest_of(domain);
	struct guest_member *member = own->port_data;
	struct guest_lane *lane = place->port_data;

	channels_drop(guest->session, member->number, lane->number);
	lane_release(guest, lane_find(member, lane->number));
	*place = (struct lane_place){ 0 };
}
