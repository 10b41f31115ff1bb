/* SPDX-License-Identifier: MIT */
/* The life of the roster, of clients, channels and members. */
#include <lib/roster/state.h>

#include <lib/channel/config.h>
#include <lib/channel/lane.h>
#include <lib/channel/statistics.h>

#define PAGE	4096ul

status_t
roster_create(struct roster *roster, const uint8_t key[16])
{
	struct roster_root *root = roster->root;
	struct arena *arena = roster->arena;
	status_t status = tx_add(arena, root, sizeof(*root));

	if (status != OK)
		return status;
	memcpy(root->key, key, sizeof(root->key));
	root->version = 1;
	root->numbers = ROSTER_FIRST;
	status = arena_list_init(arena, &root->clients);
	if (status == OK)
		status = arena_list_init(arena, &root->channels);
	if (status == OK)
		status = arena_list_init(arena, &root->members);
	for (unsigned i = 0; i < 3 && status == OK; i++)
		status = arena_map_create(arena, &root->by_number[i]);
	return status;
}

static uint32_t
free_slot(const struct roster *roster)
{
	uint32_t slot = 0;

	while (slot < ROSTER_CLIENTS && roster->root->slot_used[slot])
		slot++;
	return slot;
}

status_t
roster_connect(struct roster *roster, uint64_t bell, uint64_t bits,
    struct roster_client **out_client)
{
	struct roster_root *root = roster->root;
	uint32_t slot = free_slot(roster);

	if (slot == ROSTER_CLIENTS)
		return ERR_LIMIT;
	struct roster_client *client = arena_alloc(roster->arena,
	    sizeof(*client));
	if (client == NULL)
		return ERR_NOMEM;
	client->number = roster_number(roster);
	client->bell = bell;
	client->bits = bits;
	client->slot = slot;
	ROSTER_SET(roster, root->slot_used[slot], true);
	roster_note(roster, arena_list_init(roster->arena, &client->members));
	roster_note(roster, arena_list_append(roster->arena, &root->clients,
	    &client->all));
	roster_note(roster, arena_map_put(roster->arena,
	    root->by_number[ROSTER_BY_CLIENT], client->number, client));
	*out_client = client;
	return roster->failed;
}

struct roster_client *
roster_client(const struct roster *roster, uint64_t number)
{
	struct roster_client *client = arena_map_get(
	    roster->root->by_number[ROSTER_BY_CLIENT], number);

	return client == NULL || client->gone ? NULL : client;
}

status_t
roster_gone(struct roster *roster, struct roster_client *client)
{
	ROSTER_SET(roster, client->gone, true);
	return roster->failed;
}

static void
client_free(struct roster *roster, struct roster_client *client)
{
	struct roster_root *root = roster->root;

	ROSTER_SET(roster, root->slot_used[client->slot], false);
	roster_note(roster, roster->environment.drop(
	    roster->environment.context, client->bell));
	roster_note(roster, arena_list_remove(roster->arena, &client->all));
	roster_note(roster, arena_map_remove(roster->arena,
	    root->by_number[ROSTER_BY_CLIENT], client->number));
	roster_note(roster, arena_free(roster->arena, client));
}

/* One that ends with its client; NULL: there is none. */
static struct roster_member *
mortal_member(struct roster_client *client)
{
	ROSTER_EACH(&client->members, node, following) {
		struct roster_member *member = ROSTER_OF(node,
		    struct roster_member, in_client);

		if (!member->kept || !member->entered)
			return member;
	}
	return NULL;
}

bool
roster_bury(struct roster *roster, status_t *out_status)
{
	ROSTER_EACH(&roster->root->clients, node, following) {
		struct roster_client *client = ROSTER_OF(node,
		    struct roster_client, all);

		if (!client->gone)
			continue;
		struct roster_member *member = mortal_member(client);
		if (member != NULL)
			roster_close(roster, member);
		else if (roster_is_empty(&client->members))
			client_free(roster, client);
		else
			continue;
		*out_status = roster->failed;
		return true;
	}
	*out_status = OK;
	return false;
}

struct roster_channel *
roster_channel_named(const struct roster *roster, const char *name)
{
	ROSTER_EACH(&roster->root->channels, node, following) {
		struct roster_channel *channel = ROSTER_OF(node,
		    struct roster_channel, all);

		if (channel->named && strcmp(channel->name, name) == 0)
			return channel;
	}
	return NULL;
}

struct roster_member *
roster_member(const struct roster *roster, const struct roster_client *client,
    uint64_t number)
{
	struct roster_member *member = arena_map_get(
	    roster->root->by_number[ROSTER_BY_MEMBER], number);

	return member == NULL || member->client != client ? NULL : member;
}

/* Both memories of a member; what it can write it got for itself. */
static status_t
member_memory(struct roster *roster, struct roster_member *member)
{
	const struct roster_environment *environment = &roster->environment;
	const struct channel_config *config = &member->channel->config;
	struct roster_client *client = member->client;
	uint64_t size = (lane_pool_size(config) + PAGE - 1) & ~(PAGE - 1);
	status_t status = environment->memory_create(environment->context,
	    PAGE, &member->statistics);

	if (status != OK || (member->role & CHANNEL_SENDER) == 0 || size == 0)
		return status;
	if (size > ROSTER_CLIENT_BYTES - client->bytes)
		return ERR_LIMIT;
	member->pool = arena_alloc(roster->arena, sizeof(*member->pool));
	if (member->pool == NULL)
		return ERR_NOMEM;
	member->pool->references = 1;
	member->pool->payer = client->number;
	member->pool->bytes = size;
	ROSTER_SET(roster, client->bytes, client->bytes + size);
	return environment->memory_create(environment->context, size,
	    &member->pool->memory);
}

static void
member_list(struct roster *roster, struct roster_member *member)
{
	struct roster_root *root = roster->root;
	struct arena *arena = roster->arena;
	struct roster_channel *channel = member->channel;

	roster_note(roster, arena_list_init(arena, &member->sides));
	roster_note(roster, arena_list_init(arena, &member->edges));
	roster_note(roster, arena_list_append(arena, &root->members,
	    &member->all));
	roster_note(roster, arena_list_append(arena, &channel->members,
	    &member->in_channel));
	roster_note(roster, arena_list_append(arena, &member->client->members,
	    &member->in_client));
	roster_note(roster, arena_map_put(arena,
	    root->by_number[ROSTER_BY_MEMBER], member->number, member));
	ROSTER_SET(roster, channel->member_count, channel->member_count + 1);
	if ((member->role & CHANNEL_RECEIVER) != 0)
		ROSTER_SET(roster, channel->receivers, channel->receivers + 1);
	ROSTER_SET(roster, member->client->member_count,
	    member->client->member_count + 1);
}

status_t
roster_enter(struct roster *roster, struct roster_member *member)
{
	if (member->entered)
		return OK;
	ROSTER_SET(roster, member->entered, true);
	status_t status = roster_lanes_join(roster, member);
	return status != OK ? status : roster->failed;
}

static status_t
join(struct roster *roster, struct roster_channel *channel,
    struct roster_client *client, const struct channels_join *join,
    const struct token_grant *grant, struct roster_member **out_member)
{
	struct channel_options options = {
		.role = join->role,
		.serializer = (enum channel_serializer)join->own_serializer,
		.schema = join->own_schema, .groups = join->groups,
	};
	status_t status = channel_config_admits(&channel->config, &options,
	    grant->trust, channel->receivers);

	if (status != OK)
		return status;
	if (channel->member_count >= ROSTER_MEMBERS ||
	    client->member_count >= ROSTER_CLIENT_MEMBERS)
		return ERR_LIMIT;
	struct roster_member *member = arena_alloc(roster->arena,
	    sizeof(*member));
	if (member == NULL)
		return ERR_NOMEM;
	member->channel = channel;
	member->client = client;
	member->role = join->role;
	member->kept = (join->flags & CHANNELS_KEPT) != 0;
	member->groups = channel->config.type == CHANNEL_MULTICAST ?
	    join->groups : ~0ul;
	member->number = roster_number(roster);
	member_list(roster, member);
	status = roster_token_for(roster, channel->object, grant->rights,
	    grant->trust, &member->token);
	if (status == OK)
		status = member_memory(roster, member);
	if (status == OK && !member->kept)
		status = roster_enter(roster, member);
	*out_member = member;
	return status != OK ? status : roster->failed;
}

static status_t
read_config(const struct channels_join *join, struct channel_config *out_config)
{
	const struct channel_config wanted = {
		.type = (enum channel_type)join->type,
		.overflow = (enum channel_overflow)join->overflow,
		.serializer = (enum channel_serializer)join->serializer,
		.zero_copy = (join->flags & CHANNELS_ZERO_COPY) != 0,
		.pollable = (join->flags & CHANNELS_POLLABLE) != 0,
		.message_max = join->message_max,
		.buffer_size = join->buffer_size, .buffers = join->buffers,
		.batch = join->batch, .schema = join->schema,
		.spin_ns = join->spin_ns,
	};

	return channel_config_fill(&wanted, out_config);
}

static bool
join_is_sound(const struct channels_join *join)
{
	return memchr(join->name, '\0', sizeof(join->name)) != NULL &&
	    channel_name_valid(join->name) &&
	    join->own_serializer <= CHANNEL_FULL;
}

static status_t
make_channel(struct roster *roster, struct roster_client *client,
    const struct channels_join *join, const struct channel_config *config,
    struct roster_channel **out_channel)
{
	struct roster_channel *channel = arena_alloc(roster->arena,
	    sizeof(*channel));

	if (channel == NULL)
		return ERR_NOMEM;
	memcpy(channel->name, join->name, sizeof(channel->name));
	channel->config = *config;
	channel->named = true;
	channel->place = client->place;
	channel->number = roster_number(roster);
	roster_note(roster, arena_list_init(roster->arena,
	    &channel->members));
	roster_note(roster, arena_list_append(roster->arena,
	    &roster->root->channels, &channel->all));
	*out_channel = channel;
	return roster_object_create(roster, channel);
}

/*
 * A place that joins with a kept member has forgotten what an incarnation
 * before left behind in that channel and role: nobody will resume it.
 */
static void
replace_left_behind(struct roster *roster, const struct roster_client *client,
    const struct channels_join *join)
{
	struct roster_channel *channel = roster_channel_named(roster,
	    join->name);

	if (channel == NULL || (join->flags & CHANNELS_KEPT) == 0)
		return;
	ROSTER_EACH(&roster->root->members, node, following) {
		struct roster_member *member = ROSTER_OF(node,
		    struct roster_member, all);

		if (member->channel == channel && member->kept &&
		    member->role == join->role && member->client->gone &&
		    member->client->place == client->place)
			roster_close(roster, member);
	}
}

status_t
roster_create_channel(struct roster *roster, struct roster_client *client,
    const struct channels_join *in, struct roster_member **out_member)
{
	struct token_grant grant = { .rights = TOKEN_ALL,
	    .trust = (uint8_t)client->trust };
	struct roster_channel *channel;
	struct channel_config config;

	/* There is no object yet that a token could be of. */
	if (!join_is_sound(in) || (in->flags & CHANNELS_HAS_TOKEN) != 0)
		return ERR_ARG;
	if (client->trust < TRUST_LIBOS)
		return ERR_RIGHT;
	replace_left_behind(roster, client, in);
	if (roster_channel_named(roster, in->name) != NULL)
		return ERR_EXIST;
	status_t status = read_config(in, &config);
	if (status == OK)
		status = make_channel(roster, client, in, &config, &channel);
	if (status == OK)
		status = join(roster, channel, client, in, &grant, out_member);
	if (status == OK)
		channel->creator = (*out_member)->number;
	return status;
}

/* What a joiner gets; by a token at most what that allows, too. */
static status_t
decide(struct roster *roster, const struct roster_channel *channel,
    const struct roster_client *client, const struct channels_join *join,
    struct token_grant *out_grant)
{
	unsigned needed = channel_role_rights(join->role);
	struct token token;

	*out_grant = (struct token_grant){
		.rights = TOKEN_SEND | TOKEN_RECEIVE,
		.trust = (uint8_t)client->trust,
	};
	if (client->place == channel->place)
		out_grant->rights = TOKEN_ALL;
	if ((join->flags & CHANNELS_HAS_TOKEN) != 0) {
		memcpy(&token, join->token, sizeof(token));
		if (token.object != channel->object)
			return ERR_STALE;
		if (token_verify(roster->authority, &token,
		    (uint8_t)needed) != OK)
			return ERR_RIGHT;
		out_grant->rights = token.rights;
		if (token.trust < out_grant->trust)
			out_grant->trust = token.trust;
	} else if (client->trust < TRUST_LIBOS) {
		return ERR_RIGHT;
	}
	return (out_grant->rights & needed) == needed ? OK : ERR_RIGHT;
}

status_t
roster_open_channel(struct roster *roster, struct roster_client *client,
    const struct channels_join *in, struct roster_member **out_member)
{
	struct token_grant grant;

	if (!join_is_sound(in))
		return ERR_ARG;
	replace_left_behind(roster, client, in);
	struct roster_channel *channel = roster_channel_named(roster,
	    in->name);
	if (channel == NULL)
		return ERR_NOENT;
	status_t status = decide(roster, channel, client, in, &grant);
	if (status != OK)
		return status;
	return join(roster, channel, client, in, &grant, out_member);
}

static void
member_move(struct roster *roster, struct roster_member *member,
    struct roster_client *to)
{
	struct roster_client *from = member->client;

	if (from == to)
		return;
	roster_note(roster, arena_list_remove(roster->arena,
	    &member->in_client));
	roster_note(roster, arena_list_append(roster->arena, &to->members,
	    &member->in_client));
	ROSTER_SET(roster, from->member_count, from->member_count - 1);
	ROSTER_SET(roster, to->member_count, to->member_count + 1);
	roster_lanes_move(roster, member, from, to);
	ROSTER_SET(roster, member->client, to);
}

status_t
roster_resume(struct roster *roster, struct roster_client *client,
    uint64_t number, const struct token *token,
    struct roster_member **out_member)
{
	struct roster_member *member = arena_map_get(
	    roster->root->by_number[ROSTER_BY_MEMBER], number);

	if (member == NULL || !member->entered)
		return ERR_NOENT;
	if (!member->kept || member->client->place != client->place ||
	    token_difference(&member->token, token) != 0)
		return ERR_RIGHT;
	if (member->client->bits != client->bits)
		return ERR_ARG;
	if (client->member_count >= ROSTER_CLIENT_MEMBERS)
		return ERR_LIMIT;
	member_move(roster, member, client);
	ROSTER_SET(roster, member->revoked_told, false);
	roster_lanes_tell_again(roster, member);
	*out_member = member;
	return roster->failed;
}

void
roster_describe(const struct roster *roster, const struct roster_member *member,
    struct channels_joined *out)
{
	const struct channel_config *config = &member->channel->config;

	*out = (struct channels_joined){
		.member = member->number, .channel = member->channel->number,
		.schema = config->schema, .spin_ns = config->spin_ns,
		.type = config->type, .overflow = config->overflow,
		.serializer = config->serializer,
		.message_max = config->message_max,
		.buffer_size = config->buffer_size,
		.buffers = config->buffers, .batch = config->batch,
		.flags = (config->zero_copy ? CHANNELS_ZERO_COPY : 0) |
		    (config->pollable ? CHANNELS_POLLABLE : 0),
		.rights = member->token.rights, .trust = member->token.trust,
	};
	memcpy(out->token, &member->token, sizeof(out->token));
	if (token_identity(roster->authority, &member->token,
	    &out->identity) != OK)
		out->identity = 0;
}

static void
channel_free(struct roster *roster, struct roster_channel *channel)
{
	roster_object_close(roster, channel);
	roster_note(roster, arena_list_remove(roster->arena, &channel->all));
	roster_note(roster, arena_free(roster->arena, channel));
}

static void
drop_memory(struct roster *roster, uint64_t memory)
{
	const struct roster_environment *environment = &roster->environment;

	roster_note(roster, environment->drop(environment->context, memory));
}

void
roster_uncharge(struct roster *roster, uint64_t number, uint64_t bytes)
{
	struct roster_client *client = arena_map_get(
	    roster->root->by_number[ROSTER_BY_CLIENT], number);

	if (client != NULL)
		ROSTER_SET(roster, client->bytes, client->bytes - bytes);
}

void
roster_pool_put(struct roster *roster, struct roster_pool *pool)
{
	if (pool == NULL)
		return;
	ROSTER_SET(roster, pool->references, pool->references - 1);
	if (roster->failed != OK || pool->references != 0)
		return;
	drop_memory(roster, pool->memory);
	roster_uncharge(roster, pool->payer, pool->bytes);
	roster_note(roster, arena_free(roster->arena, pool));
}

static void
member_unlist(struct roster *roster, struct roster_member *member)
{
	struct arena *arena = roster->arena;
	struct roster_channel *channel = member->channel;
	struct roster_client *client = member->client;

	roster_note(roster, arena_list_remove(arena, &member->all));
	roster_note(roster, arena_list_remove(arena, &member->in_channel));
	roster_note(roster, arena_list_remove(arena, &member->in_client));
	roster_note(roster, arena_map_remove(arena,
	    roster->root->by_number[ROSTER_BY_MEMBER], member->number));
	ROSTER_SET(roster, channel->member_count, channel->member_count - 1);
	if ((member->role & CHANNEL_RECEIVER) != 0)
		ROSTER_SET(roster, channel->receivers, channel->receivers - 1);
	ROSTER_SET(roster, client->member_count, client->member_count - 1);
}

status_t
roster_close(struct roster *roster, struct roster_member *member)
{
	struct roster_channel *channel = member->channel;

	roster_lanes_leave(roster, member);
	roster_remove_edges(roster, member);
	member_unlist(roster, member);
	roster_pool_put(roster, member->pool);
	drop_memory(roster, member->statistics);
	if (channel->creator == member->number && channel->named)
		ROSTER_SET(roster, channel->named, false);
	roster_note(roster, arena_free(roster->arena, member));
	if (roster->failed == OK && roster_is_empty(&channel->members))
		channel_free(roster, channel);
	return roster->failed;
}
