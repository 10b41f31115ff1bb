/* SPDX-License-Identifier: MIT */
/* Walks the roster, for tests. */
#include <lib/roster/state.h>

static bool
side_is_ok(const struct roster *roster, const struct roster_side *side,
    const struct roster_member *member)
{
	const struct roster_lane *lane = side->lane;

	return side->member == member && lane->channel == member->channel &&
	    lane->member[roster_end(side)] == member->number &&
	    arena_map_get(roster->root->by_number[ROSTER_BY_LANE],
	    lane->number) == lane && (!side->gone_told ||
	    (side->gone && side->told)) && (!side->gone || side->told ||
	    member->kept || roster_end(side) == ROSTER_RECEIVER);
}

/* Counts the lanes that the member sends on. */
static bool
member_is_ok(const struct roster *roster, const struct roster_member *member,
    uint32_t *lanes)
{
	ROSTER_EACH(&member->sides, node, following) {
		const struct roster_side *side = ROSTER_OF(node,
		    struct roster_side, in_member);

		if (!side_is_ok(roster, side, member))
			return false;
		*lanes += roster_end(side) == ROSTER_SENDER;
	}
	return arena_map_get(roster->root->by_number[ROSTER_BY_MEMBER],
	    member->number) == member && arena_map_get(
	    roster->root->by_number[ROSTER_BY_CLIENT],
	    member->client->number) == member->client;
}

static bool
channel_is_ok(const struct roster *roster,
    const struct roster_channel *channel)
{
	uint32_t members = 0, receivers = 0, lanes = 0;

	ROSTER_EACH(&channel->members, node, following) {
		const struct roster_member *member = ROSTER_OF(node,
		    struct roster_member, in_channel);

		if (member->channel != channel ||
		    !member_is_ok(roster, member, &lanes))
			return false;
		members++;
		receivers += (member->role & CHANNEL_RECEIVER) != 0;
	}
	return members == channel->member_count && members != 0 &&
	    receivers == channel->receivers && lanes == channel->lanes &&
	    roster->root->object_word[roster_index(channel)] >> 32 ==
	    channel->object >> 32;
}

static bool
client_is_ok(const struct roster *roster, const struct roster_client *client)
{
	uint32_t members = 0;

	ROSTER_EACH(&client->members, node, following) {
		if (ROSTER_OF(node, struct roster_member, in_client)->client !=
		    client)
			return false;
		members++;
	}
	return members == client->member_count &&
	    roster->root->slot_used[client->slot] &&
	    client->bytes <= ROSTER_CLIENT_BYTES;
}

bool
roster_ok(const struct roster *roster)
{
	const struct roster_root *root = roster->root;

	ROSTER_EACH(&root->channels, node, following)
		if (!channel_is_ok(roster, ROSTER_OF(node,
		    struct roster_channel, all)))
			return false;
	ROSTER_EACH(&root->clients, node, following)
		if (!client_is_ok(roster, ROSTER_OF(node,
		    struct roster_client, all)))
			return false;
	return arena_ok(roster->arena);
}
