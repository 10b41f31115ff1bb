/* SPDX-License-Identifier: MIT */
/*
 * Lanes and what members are told of them. Neither side waits for the other: a
 * side that leaves turns the other one into "gone", and one that was never told
 * of the lane leaves with it. But a receiver is told of a lane whose sender
 * knew it, before it is told of its end: what was sent is received first.
 */
#include <lib/roster/state.h>

#include <lib/channel/lane.h>

#define PAGE	4096ul

static void
lane_free(struct roster *roster, struct roster_lane *lane)
{
	const struct roster_environment *environment = &roster->environment;
	struct roster_root *root = roster->root;

	roster_note(roster, environment->drop(environment->context,
	    lane->memory));
	roster_uncharge(roster, lane->payer, lane->bytes);
	roster_pool_put(roster, lane->pool);
	ROSTER_SET(roster, root->lanes, root->lanes - 1);
	roster_note(roster, arena_map_remove(roster->arena,
	    root->by_number[ROSTER_BY_LANE], lane->number));
	roster_note(roster, arena_free(roster->arena, lane));
}

static void side_leave(struct roster *roster, struct roster_side *side);

/* The sender could have sent something that the receiver does not know of. */
static bool
may_hold_messages(const struct roster_side *side)
{
	return roster_end(side) == ROSTER_RECEIVER && roster_other(side)->told;
}

/* The other end is not there any more. */
static void
side_abandon(struct roster *roster, struct roster_side *side, bool cut)
{
	if (side->member == NULL || side->gone)
		return;
	if (!side->told && (cut || !may_hold_messages(side))) {
		side_leave(roster, side);
		return;
	}
	ROSTER_SET(roster, side->gone, true);
	ROSTER_SET(roster, side->cut, cut);
	roster_post(roster, side->member->client);
}

static void
side_leave(struct roster *roster, struct roster_side *side)
{
	struct roster_lane *lane = side->lane;
	struct roster_side *other = roster_other(side);
	struct roster_channel *channel = lane->channel;

	if (roster_end(side) == ROSTER_SENDER)
		ROSTER_SET(roster, channel->lanes, channel->lanes - 1);
	roster_note(roster, arena_list_remove(roster->arena,
	    &side->in_member));
	ROSTER_SET(roster, side->member, NULL);
	if (roster->failed != OK)
		return;
	if (other->member == NULL)
		lane_free(roster, lane);
	else
		side_abandon(roster, other, false);
}

static void
side_start(struct roster *roster, struct roster_lane *lane, unsigned end,
    struct roster_member *member)
{
	struct roster_side *side = &lane->side[end];

	side->lane = lane;
	side->member = member;
	lane->member[end] = member->number;
	lane->trust[end] = member->token.trust;
	roster_note(roster, arena_list_append(roster->arena, &member->sides,
	    &side->in_member));
	roster_post(roster, member->client);
}

static status_t
lane_make(struct roster *roster, struct roster_member *sender,
    struct roster_member *receiver, struct roster_client *payer)
{
	const struct roster_environment *environment = &roster->environment;
	struct roster_channel *channel = sender->channel;
	struct roster_root *root = roster->root;
	uint64_t size = (lane_size(&channel->config) + PAGE - 1) & ~(PAGE - 1);

	if (size > ROSTER_CLIENT_BYTES - payer->bytes)
		return ERR_LIMIT;
	struct roster_lane *lane = arena_alloc(roster->arena, sizeof(*lane));
	if (lane == NULL)
		return ERR_NOMEM;
	status_t status = environment->memory_create(environment->context,
	    size, &lane->memory);
	if (status == OK)
		status = environment->lane_format(environment->context,
		    lane->memory, &channel->config);
	if (status != OK)
		return status;
	lane->channel = channel;
	lane->number = roster_number(roster);
	lane->groups = receiver->groups;
	lane->payer = payer->number;
	lane->pool = sender->pool;
	if (lane->pool != NULL)
		ROSTER_SET(roster, lane->pool->references,
		    lane->pool->references + 1);
	lane->bytes = size;
	side_start(roster, lane, ROSTER_SENDER, sender);
	side_start(roster, lane, ROSTER_RECEIVER, receiver);
	ROSTER_SET(roster, payer->bytes, payer->bytes + size);
	ROSTER_SET(roster, root->lanes, root->lanes + 1);
	ROSTER_SET(roster, channel->lanes, channel->lanes + 1);
	roster_note(roster, arena_map_put(roster->arena,
	    root->by_number[ROSTER_BY_LANE], lane->number, lane));
	return roster->failed;
}

static status_t
connect(struct roster *roster, struct roster_member *member,
    struct roster_member *other)
{
	status_t status = OK;

	if ((member->role & CHANNEL_SENDER) != 0 &&
	    (other->role & CHANNEL_RECEIVER) != 0)
		status = lane_make(roster, member, other, member->client);
	if (status == OK && (member->role & CHANNEL_RECEIVER) != 0 &&
	    (other->role & CHANNEL_SENDER) != 0)
		status = lane_make(roster, other, member, member->client);
	return status;
}

status_t
roster_lanes_join(struct roster *roster, struct roster_member *member)
{
	status_t status = OK;

	ROSTER_EACH(&member->channel->members, node, following) {
		struct roster_member *other = ROSTER_OF(node,
		    struct roster_member, in_channel);

		/* What is about to go gets no more to do. */
		if (status == OK && other != member && other->entered &&
		    !other->revoked &&
		    (!other->client->gone || other->kept))
			status = connect(roster, member, other);
	}
	return status;
}

void
roster_lanes_leave(struct roster *roster, struct roster_member *member)
{
	while (roster->failed == OK && !roster_is_empty(&member->sides))
		side_leave(roster, ROSTER_OF(member->sides.next,
		    struct roster_side, in_member));
}

void
roster_lanes_revoke(struct roster *roster, struct roster_member *member)
{
	ROSTER_SET(roster, member->revoked, true);
	ROSTER_EACH(&member->sides, node, following) {
		struct roster_side *side = ROSTER_OF(node,
		    struct roster_side, in_member);

		if (!side->told)
			side_leave(roster, side);
		else
			side_abandon(roster, roster_other(side), true);
	}
	roster_post(roster, member->client);
}

/* A new incarnation of the member knows of no lane. */
void
roster_lanes_tell_again(struct roster *roster, struct roster_member *member)
{
	ROSTER_EACH(&member->sides, node, following) {
		struct roster_side *side = ROSTER_OF(node,
		    struct roster_side, in_member);

		ROSTER_SET(roster, side->told, false);
		ROSTER_SET(roster, side->gone_told, false);
	}
	roster_post(roster, member->client);
}

/* What it caused is the new client's. */
void
roster_lanes_move(struct roster *roster, struct roster_member *member,
    struct roster_client *from, struct roster_client *to)
{
	uint64_t bytes = 0;

	ROSTER_EACH(&member->sides, node, following) {
		struct roster_lane *lane = ROSTER_OF(node,
		    struct roster_side, in_member)->lane;

		if (lane->payer != from->number)
			continue;
		ROSTER_SET(roster, lane->payer, to->number);
		bytes += lane->bytes;
	}
	if (member->pool != NULL && member->pool->payer == from->number) {
		ROSTER_SET(roster, member->pool->payer, to->number);
		bytes += member->pool->bytes;
	}
	ROSTER_SET(roster, from->bytes, from->bytes - bytes);
	ROSTER_SET(roster, to->bytes, to->bytes + bytes);
}

/* What the side was not told yet. */
static unsigned
tell(struct roster *roster, struct roster_side *side)
{
	if (!side->told) {
		ROSTER_SET(roster, side->told, true);
		return roster_end(side) == ROSTER_SENDER ?
		    CHANNELS_EVENT_LANE_OUT : CHANNELS_EVENT_LANE_IN;
	}
	if (side->gone && !side->gone_told) {
		ROSTER_SET(roster, side->gone_told, true);
		return side->cut ? CHANNELS_EVENT_PEER_REVOKED :
		    CHANNELS_EVENT_GONE;
	}
	return CHANNELS_EVENT_NONE;
}

status_t
roster_next_event(struct roster *roster, struct roster_member *member,
    struct roster_event *out_event)
{
	*out_event = (struct roster_event){ .kind = CHANNELS_EVENT_NONE };
	if (member->revoked && !member->revoked_told) {
		ROSTER_SET(roster, member->revoked_told, true);
		out_event->kind = CHANNELS_EVENT_REVOKED;
		return roster->failed;
	}
	ROSTER_EACH(&member->sides, node, following) {
		struct roster_side *side = ROSTER_OF(node,
		    struct roster_side, in_member);

		out_event->kind = tell(roster, side);
		out_event->side = side;
		if (out_event->kind != CHANNELS_EVENT_NONE)
			return roster->failed;
	}
	out_event->side = NULL;
	return roster->failed;
}

struct roster_side *
roster_side(const struct roster *roster, const struct roster_member *member,
    uint64_t number)
{
	struct roster_lane *lane = arena_map_get(
	    roster->root->by_number[ROSTER_BY_LANE], number);

	for (unsigned i = 0; lane != NULL && i < 2; i++)
		if (lane->side[i].member == member)
			return &lane->side[i];
	return NULL;
}

status_t
roster_drop(struct roster *roster, struct roster_side *side)
{
	side_leave(roster, side);
	return roster->failed;
}
