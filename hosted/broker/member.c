/* SPDX-License-Identifier: MIT */
/*
 * Channels, members and lanes: who is connected with whom.
 *
 * A lane goes through the states of its two sides (state.h). Neither side waits
 * for the other: a side that leaves turns the other one into "gone", and one
 * that its client was never told about leaves with it. But a receiver is told
 * of a lane whose sender knew it, before it is told of its end: what was sent
 * is received first.
 */
#include "state.h"

#include <lib/base/hash.h>
#include <lib/channel/config.h>
#include <lib/channel/graph.h>
#include <lib/channel/lane.h>
#include <lib/channel/statistics.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct list *
name_bucket(struct broker *broker, const char *name)
{
	return &broker->names[hash_bytes(broker->name_seed, name,
	    strlen(name)) % NAME_BUCKETS];
}

static struct list *
object_bucket(struct broker *broker, uint64_t object)
{
	return &broker->objects[hash_mix(object) % NAME_BUCKETS];
}

struct channel_entry *
entry_find(struct broker *broker, const char *name)
{
	LIST_EACH(name_bucket(broker, name), link, following) {
		struct channel_entry *channel = LIST_ENTRY(link,
		    struct channel_entry, in_bucket);

		if (strcmp(channel->name, name) == 0)
			return channel;
	}
	return NULL;
}

struct channel_entry *
entry_of(struct broker *broker, uint64_t object)
{
	LIST_EACH(object_bucket(broker, object), link, following) {
		struct channel_entry *channel = LIST_ENTRY(link,
		    struct channel_entry, in_objects);

		if (channel->object == object)
			return channel;
	}
	return NULL;
}

static status_t
entry_register(struct client *client, struct channel_entry *channel)
{
	struct broker *broker = client->broker;
	uint64_t *used = &client->account->used.channels;
	status_t status = account_charge(used, client->limits.channels, 1);

	if (status != OK)
		return status;
	status = token_object_create(broker->authority, &channel->object);
	if (status != OK)
		goto fail_charge;
	status = ERR_FULL;
	if (!table_add(&broker->channels, channel, &channel->number))
		goto fail_object;
	status = graph_add_channel(broker->graph, &channel->place);
	if (status != OK)
		goto fail_number;
	channel->account = client->account;
	channel->account->references++;
	list_append(name_bucket(broker, channel->name), &channel->in_bucket);
	list_append(object_bucket(broker, channel->object),
	    &channel->in_objects);
	return OK;
fail_number:
	table_remove(&broker->channels, channel->number);
fail_object:
	token_object_close(broker->authority, channel->object);
fail_charge:
	--*used;
	return status;
}

status_t
entry_make(struct client *client, const struct broker_join *join,
    const struct channel_config *config, struct channel_entry **out_channel)
{
	struct channel_entry *channel;
	status_t status;

	if (entry_find(client->broker, join->name) != NULL)
		return ERR_EXIST;
	channel = calloc(1, sizeof(*channel));
	if (channel == NULL)
		return ERR_NOMEM;
	memcpy(channel->name, join->name, sizeof(channel->name));
	channel->config = *config;
	channel->creator = client->subject.uid;
	channel->creator_pid = client->pid;
	channel->linked = true;
	list_clear(&channel->members);
	status = entry_register(client, channel);
	if (status != OK) {
		free(channel);
		return status;
	}
	*out_channel = channel;
	return OK;
}

void
entry_put(struct broker *broker, struct channel_entry *channel)
{
	if (!list_is_empty(&channel->members))
		return;
	list_remove(&channel->in_bucket);
	list_remove(&channel->in_objects);
	table_remove(&broker->channels, channel->number);
	token_object_close(broker->authority, channel->object);
	(void)graph_remove_channel(broker->graph, channel->place);
	channel->account->used.channels--;
	account_put(channel->account);
	free(channel);
}

static uint32_t
side_index(const struct lane_side *side)
{
	return side == &side->lane->side[LANE_SENDER] ? LANE_SENDER :
	    LANE_RECEIVER;
}

static void
pool_put(struct pool *pool)
{
	if (pool == NULL || --pool->references != 0)
		return;
	close(pool->file);
	pool->account->used.bytes -= pool->size;
	pool->broker->pool_count--;
	account_put(pool->account);
	free(pool);
}

static void
lane_free(struct lane *lane)
{
	table_remove(&lane->broker->lanes, lane->number);
	segment_release(lane->segment, lane->slot);
	pool_put(lane->pool);
	lane->account->used.lanes--;
	account_put(lane->account);
	free(lane);
}

static void
side_hang(struct lane_side *side, enum side_state state)
{
	side->state = state;
	list_remove(&side->news);
	/* Nothing that carries descriptors may hold a revocation back. */
	(state == SIDE_GONE && side->lane->cut ? list_prepend : list_append)(
	    &side->member->client->news, &side->news);
	client_touch(side->member->client);
}

static void
bell_close(struct lane_side *side)
{
	if (side->bell >= 0)
		close(side->bell);
	side->bell = -1;
}

/* The sender could have sent something that the receiver does not know of. */
static bool
may_hold_messages(const struct lane_side *side)
{
	const struct lane *lane = side->lane;

	return side_index(side) == LANE_RECEIVER && !lane->cut &&
	    lane->side[LANE_SENDER].told;
}

/* The other end is not there any more. */
static void
side_abandon(struct lane_side *side)
{
	if (side->state == SIDE_NEW && may_hold_messages(side)) {
		side->member->owed++;
		side->state = SIDE_LATE;
	} else if (side->state == SIDE_NEW) {
		side_leave(side);
	} else if (side->state == SIDE_KNOWN) {
		side->member->owed++;
		side_hang(side, SIDE_GONE);
	}
}

/* What a receiver that comes late is told of its sender. */
static void
keep_sender(struct lane *lane, const struct member *sender)
{
	lane->peer = sender->number;
	lane->trust = sender->token.trust;
	if (token_identity(lane->broker->authority, &sender->token,
	    &lane->identity) != OK)
		lane->identity = 0;
}

static bool
is_owed(const struct lane_side *side)
{
	return side->state == SIDE_LATE || side->state == SIDE_GONE ||
	    side->state == SIDE_OWED;
}

void
side_leave(struct lane_side *side)
{
	struct lane *lane = side->lane;
	struct lane_side *other = &lane->side[!side_index(side)];

	if (side->state == SIDE_LEFT)
		return;
	side->member->owed -= is_owed(side);
	list_remove(&side->news);
	client_untell(side->member->client);
	list_remove(&side->in_member);
	bell_close(side);
	side->state = SIDE_LEFT;
	side->member->channel->lanes -= side_index(side) == LANE_SENDER;
	if (side_index(side) == LANE_SENDER)
		keep_sender(lane, side->member);
	side->member = NULL;
	if (other->state == SIDE_LEFT)
		lane_free(lane);
	else
		side_abandon(other);
}

static void
side_start(struct lane *lane, uint32_t index, struct member *member)
{
	struct lane_side *side = &lane->side[index];

	side->lane = lane;
	side->member = member;
	list_clear(&side->news);
	list_append(&member->sides, &side->in_member);
	side_hang(side, SIDE_NEW);
}

static status_t
lane_memory(struct lane *lane, const struct member *sender,
    const struct member *receiver, struct client *payer)
{
	struct pair *pair = pair_find(lane->broker, sender->client->number,
	    receiver->client->number);
	status_t status;

	if (pair == NULL)
		return ERR_NOMEM;
	status = segment_carve(pair, (uint32_t)lane_size(
	    &sender->channel->config), payer, &lane->segment, &lane->slot);
	if (status != OK)
		pair_put(pair);
	return status;
}

static status_t
lane_begin(struct lane *lane, const struct channel_config *config)
{
	struct slot_view view;
	void *memory = slot_map(lane->segment, lane->slot, &view);

	if (memory == NULL)
		return ERR_NOMEM;
	lane_format_zeroed(memory, config);
	slot_unmap(&view);
	return OK;
}

static status_t
lane_bells(struct lane *lane, const struct channel_config *config)
{
	int bell[2] = { -1, -1 };

	if (config->pollable && socketpair(AF_UNIX,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, bell) != 0)
		return ERR_FULL;
	lane->side[LANE_SENDER].bell = bell[0];
	lane->side[LANE_RECEIVER].bell = bell[1];
	return OK;
}

static status_t
lane_fill(struct lane *lane, struct member *sender, struct member *receiver,
    struct client *payer)
{
	status_t status = account_charge(&payer->account->used.lanes,
	    payer->limits.lanes, 1);

	if (status != OK)
		return status;
	status = lane_memory(lane, sender, receiver, payer);
	if (status != OK)
		goto fail_charge;
	status = lane_begin(lane, &sender->channel->config);
	if (status == OK)
		status = lane_bells(lane, &sender->channel->config);
	if (status != OK)
		goto fail_memory;
	status = ERR_FULL;
	if (!table_add(&lane->broker->lanes, lane, &lane->number))
		goto fail_bells;
	lane->account = payer->account;
	lane->account->references++;
	lane->pool = sender->pool;
	if (lane->pool != NULL)
		lane->pool->references++;
	return OK;
fail_bells:
	bell_close(&lane->side[LANE_SENDER]);
	bell_close(&lane->side[LANE_RECEIVER]);
fail_memory:
	segment_release(lane->segment, lane->slot);
fail_charge:
	payer->account->used.lanes--;
	return status;
}

static status_t
lane_make(struct member *sender, struct member *receiver,
    struct client *payer)
{
	struct lane *lane;
	status_t status;

	if (sender->owed >= OWED_MAX || receiver->owed >= OWED_MAX)
		return ERR_BUSY;
	lane = calloc(1, sizeof(*lane));
	if (lane == NULL)
		return ERR_NOMEM;
	lane->broker = payer->broker;
	status = lane_fill(lane, sender, receiver, payer);
	if (status != OK) {
		free(lane);
		return status;
	}
	side_start(lane, LANE_SENDER, sender);
	side_start(lane, LANE_RECEIVER, receiver);
	sender->channel->lanes++;
	return OK;
}

static status_t
connect_two(struct member *member, struct member *other)
{
	unsigned mine = member->role, its = other->role;
	status_t status = OK;

	if ((mine & CHANNEL_SENDER) != 0 && (its & CHANNEL_RECEIVER) != 0)
		status = lane_make(member, other, member->client);
	if (status == OK && (mine & CHANNEL_RECEIVER) != 0 &&
	    (its & CHANNEL_SENDER) != 0)
		status = lane_make(other, member, member->client);
	return status;
}

static void
leave_all(struct member *member)
{
	while (!list_is_empty(&member->sides))
		side_leave(LIST_ENTRY(member->sides.next, struct lane_side,
		    in_member));
}

status_t
member_connect(struct member *member)
{
	status_t status = OK;

	LIST_EACH(&member->channel->members, link, following) {
		struct member *other = LIST_ENTRY(link, struct member,
		    in_channel);

		if (status == OK && other != member && other->connected &&
		    !other->is_revoked)
			status = connect_two(member, other);
	}
	if (status != OK)
		leave_all(member);
	else
		member->connected = true;
	return status;
}

static status_t
pool_fill(struct pool *pool, struct client *payer)
{
	status_t status = account_charge(&payer->account->used.bytes,
	    payer->limits.bytes, pool->size);

	if (status != OK)
		return status;
	pool->file = memory_create("bennu-pool", pool->size);
	if (pool->file < 0) {
		payer->account->used.bytes -= pool->size;
		return ERR_FULL;
	}
	pool->broker = payer->broker;
	pool->account = payer->account;
	pool->account->references++;
	pool->number = ++payer->broker->last_pool;
	payer->broker->pool_count++;
	return OK;
}

static status_t
pool_make(struct member *member)
{
	struct pool *pool;
	status_t status;

	if ((member->role & CHANNEL_SENDER) == 0 ||
	    !member->channel->config.zero_copy)
		return OK;
	pool = calloc(1, sizeof(*pool));
	if (pool == NULL)
		return ERR_NOMEM;
	pool->references = 1;
	pool->size = (lane_pool_size(&member->channel->config) + 4095) &
	    ~4095ul;
	status = pool_fill(pool, member->client);
	if (status != OK) {
		free(pool);
		return status;
	}
	member->pool = pool;
	return OK;
}

status_t
member_share_pool(struct member *member)
{
	if (member->pool == NULL || member->connected)
		return ERR_STATE;
	if (member->is_revoked)
		return ERR_RIGHT;
	/* Again after a connect that failed, it is sealed already. */
	if ((fcntl(member->pool->file, F_GET_SEALS) &
	    F_SEAL_FUTURE_WRITE) == 0 && fcntl(member->pool->file, F_ADD_SEALS,
	    F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) != 0)
		return ERR_NOMEM;
	return member_connect(member);
}

status_t
member_enter(struct member *member)
{
	if (member->connected)
		return OK;
	return member->is_revoked ? ERR_RIGHT : member_connect(member);
}

static status_t
statistics_make(struct member *member)
{
	struct client *client = member->client;
	struct pair *pair = pair_find(client->broker, 0, client->number);
	status_t status;

	if (pair == NULL)
		return ERR_NOMEM;
	status = segment_carve(pair, STATISTICS_PAGE, client,
	    &member->statistics, &member->statistics_slot);
	if (status != OK)
		pair_put(pair);
	return status;
}

static status_t
member_fill(struct member *member)
{
	struct client *client = member->client;
	status_t status = account_charge(&client->account->used.members,
	    client->limits.members, 1);

	if (status != OK)
		return status;
	status = pool_make(member);
	if (status != OK)
		goto fail_charge;
	status = statistics_make(member);
	if (status != OK)
		goto fail_pool;
	status = ERR_FULL;
	if (!table_add(&client->broker->members, member, &member->number))
		goto fail_statistics;
	return OK;
fail_statistics:
	segment_release(member->statistics, member->statistics_slot);
fail_pool:
	pool_put(member->pool);
fail_charge:
	client->account->used.members--;
	return status;
}

status_t
member_make(struct client *client, struct channel_entry *channel,
    const struct broker_join *join, const struct token *token,
    struct member **out_member)
{
	struct member *member;
	status_t status;

	if (channel->member_count >= MEMBERS_MAX)
		return ERR_LIMIT;
	member = calloc(1, sizeof(*member));
	if (member == NULL)
		return ERR_NOMEM;
	*member = (struct member){
		.channel = channel, .client = client, .role = join->role,
		.groups = channel->config.type == CHANNEL_MULTICAST ?
		    join->groups : UINT64_MAX,
		.token = *token, .kept = join->kept != 0,
	};
	status = member_fill(member);
	if (status != OK) {
		free(member);
		return status;
	}
	list_clear(&member->sides);
	list_clear(&member->revoked);
	list_append(&channel->members, &member->in_channel);
	list_append(&client->members, &member->in_client);
	channel->member_count++;
	channel->receivers += (join->role & CHANNEL_RECEIVER) != 0;
	*out_member = member;
	return OK;
}

void
member_close(struct member *member)
{
	struct channel_entry *channel = member->channel;
	struct broker *broker = member->client->broker;

	leave_all(member);
	member_forget_edges(member);
	list_remove(&member->in_channel);
	list_remove(&member->in_client);
	list_remove(&member->revoked);
	client_untell(member->client);
	channel->member_count--;
	channel->receivers -= (member->role & CHANNEL_RECEIVER) != 0;
	if (channel->creator_member == member->number) {
		channel->linked = false;
		list_remove(&channel->in_bucket);
	}
	table_remove(&broker->members, member->number);
	segment_release(member->statistics, member->statistics_slot);
	pool_put(member->pool);
	member->client->account->used.members--;
	free(member);
	entry_put(broker, channel);
}

/* As at first, but what was told may have been used. */
static void
side_tell_again(struct lane_side *side)
{
	struct list *news = &side->member->client->news;

	side->state = is_owed(side) ? SIDE_LATE : SIDE_NEW;
	list_remove(&side->news);
	list_append(news, &side->news);
}

void
member_move(struct member *member, struct client *to)
{
	struct client *from = member->client;

	list_remove(&member->in_client);
	list_append(&to->members, &member->in_client);
	member->client = to;
	LIST_EACH(&member->sides, link, following)
		side_tell_again(LIST_ENTRY(link, struct lane_side, in_member));
	if (member->is_revoked) {
		list_remove(&member->revoked);
		list_append(&to->revoked, &member->revoked);
	}
	client_touch(to);
	if (from->waits_until_ns != 0 && list_is_empty(&from->members))
		client_kill(from);
}

void
member_revoke(struct member *member)
{
	if (member->is_revoked)
		return;
	member->is_revoked = true;
	LIST_EACH(&member->sides, link, following) {
		struct lane_side *side = LIST_ENTRY(link, struct lane_side,
		    in_member);
		struct lane *lane = side->lane;

		lane->cut = true;
		if (side->state == SIDE_NEW || side->state == SIDE_LATE)
			side_leave(side);
		else
			side_abandon(&lane->side[!side_index(side)]);
	}
	list_append(&member->client->revoked, &member->revoked);
	client_touch(member->client);
}
