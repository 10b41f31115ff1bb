/* SPDX-License-Identifier: MIT */
/*
 * Tokens and the channel graph: lib/token and lib/channel/graph as a shadow of
 * the arena. A change goes to the shadow first, which decides, then to the
 * arena; `version` on both sides says whether they agree.
 */
#include <lib/roster/state.h>

#include <lib/channel/config.h>
#include <lib/channel/graph.h>

/* Bytes that no authority or graph of this size goes beyond. */
#define AUTHORITY_ROOM	(448u << 10)
#define GRAPH_ROOM	(64u << 10)

static uint8_t authority_memory[AUTHORITY_ROOM]
    __attribute__((aligned(TOKEN_ALIGNMENT)));
static uint64_t graph_memory[GRAPH_ROOM / 8];

const struct roster_channel *
roster_channel_of(const struct roster *roster, uint64_t object)
{
	ROSTER_EACH(&roster->root->channels, node, following) {
		const struct roster_channel *channel = ROSTER_OF(node,
		    struct roster_channel, all);

		if (channel->object == object)
			return channel;
	}
	return NULL;
}

static const struct roster_channel *
channel_numbered(const struct roster *roster, uint64_t number)
{
	ROSTER_EACH(&roster->root->channels, node, following) {
		const struct roster_channel *channel = ROSTER_OF(node,
		    struct roster_channel, all);

		if (channel->number == number)
			return channel;
	}
	return NULL;
}

static status_t
shadow_tokens(struct roster *roster)
{
	const struct roster_root *root = roster->root;
	struct token_config config = {
		.objects = ROSTER_CHANNELS, .key = root->key,
	};
	status_t status = token_authority_create(authority_memory,
	    sizeof(authority_memory), &config, &roster->authority);

	if (status != OK)
		return status;
	token_authority_restore(roster->authority, root->object_word,
	    roster->nonce);
	/* The next shadow of this incarnation gives others. */
	roster->nonce += 1ul << 28;
	return OK;
}

static status_t
shadow_edges(struct roster *roster, const struct roster_member *member)
{
	status_t status = OK;

	ROSTER_EACH(&member->edges, node, following) {
		const struct roster_channel *child = channel_numbered(roster,
		    ROSTER_OF(node, struct roster_edge, in_member)->child);

		if (status == OK && child != NULL)
			status = graph_add_dep(roster->graph,
			    roster->graph_place[roster_index(member->channel)],
			    roster->graph_place[roster_index(child)]);
	}
	return status;
}

static status_t
shadow_graph(struct roster *roster)
{
	status_t status = graph_create(graph_memory, sizeof(graph_memory),
	    ROSTER_CHANNELS, ROSTER_EDGES, &roster->graph);

	ROSTER_EACH(&roster->root->channels, node, following)
		if (status == OK)
			status = graph_add_channel(roster->graph,
			    &roster->graph_place[roster_index(ROSTER_OF(node,
			    struct roster_channel, all))]);
	ROSTER_EACH(&roster->root->members, node, following)
		if (status == OK)
			status = shadow_edges(roster, ROSTER_OF(node,
			    struct roster_member, all));
	return status;
}

status_t
roster_begin(struct roster *roster)
{
	status_t status = OK;

	roster->failed = OK;
	memset(roster->posted, 0, sizeof(roster->posted));
	if (roster->version == roster->root->version)
		return OK;
	status = shadow_tokens(roster);
	if (status == OK)
		status = shadow_graph(roster);
	roster->version = status == OK ? roster->root->version : 0;
	return status;
}

static void
keep_word(struct roster *roster, uint32_t index)
{
	ROSTER_SET(roster, roster->root->object_word[index],
	    token_object_word(roster->authority, index));
	roster_changed(roster);
}

status_t
roster_object_create(struct roster *roster, struct roster_channel *channel)
{
	uint64_t object;
	uint32_t place;
	status_t status = token_object_create(roster->authority, &object);

	if (status != OK)
		return ERR_LIMIT;
	/* What follows may fail: then the shadow is made anew. */
	channel->object = object;
	keep_word(roster, (uint32_t)object);
	status = graph_add_channel(roster->graph, &place);
	if (status != OK)
		return ERR_LIMIT;
	roster->graph_place[(uint32_t)object] = place;
	return roster->failed;
}

void
roster_object_close(struct roster *roster, struct roster_channel *channel)
{
	uint32_t index = roster_index(channel);

	(void)token_object_close(roster->authority, channel->object);
	(void)graph_remove_channel(roster->graph,
	    roster->graph_place[index]);
	keep_word(roster, index);
}

status_t
roster_token_for(struct roster *roster, uint64_t object, unsigned rights,
    unsigned trust, struct token *out_token)
{
	struct token_grant grant = {
		.object = object, .rights = (uint8_t)rights,
		.trust = (uint8_t)trust,
	};

	return token_mint(roster->authority, &grant, out_token);
}

status_t
roster_mint(struct roster *roster, const struct roster_client *client,
    const char *name, const struct token_grant *wanted,
    struct token *out_token)
{
	const struct roster_channel *channel = roster_channel_named(roster,
	    name);
	struct token_grant grant = *wanted;
	unsigned allowed = TOKEN_SEND | TOKEN_RECEIVE;

	if (channel == NULL)
		return ERR_NOENT;
	if (channel->place == client->place)
		allowed = TOKEN_ALL;
	if (client->trust < TRUST_LIBOS || wanted->rights == 0 ||
	    (wanted->rights & ~allowed) != 0 || wanted->trust > client->trust)
		return ERR_RIGHT;
	grant.object = channel->object;
	return token_mint(roster->authority, &grant, out_token);
}

status_t
roster_derive(struct roster *roster, const struct token *parent,
    const struct token_grant *grant, struct token *out_token)
{
	return token_derive(roster->authority, parent, grant, out_token);
}

/* Of the channel; those of the client get a token of the new epoch. */
static status_t
renew_members(struct roster *roster, const struct roster_channel *channel,
    const struct roster_client *client)
{
	status_t status = OK;

	ROSTER_EACH(&channel->members, node, following) {
		struct roster_member *member = ROSTER_OF(node,
		    struct roster_member, in_channel);
		struct token token;

		if (member->revoked || status != OK)
			continue;
		if (member->client != client) {
			roster_lanes_revoke(roster, member);
			continue;
		}
		status = roster_token_for(roster, channel->object,
		    member->token.rights, member->token.trust, &token);
		if (status == OK)
			ROSTER_SET(roster, member->token, token);
	}
	return status;
}

status_t
roster_revoke(struct roster *roster, const struct roster_client *client,
    struct token *token)
{
	const struct roster_channel *channel;
	status_t status = token_verify(roster->authority, token, TOKEN_OWN);

	if (status != OK)
		return status;
	channel = roster_channel_of(roster, token->object);
	if (channel == NULL)
		return ERR_NOENT;
	status = token_revoke(roster->authority, token->object);
	if (status != OK)
		return status;
	keep_word(roster, roster_index(channel));
	status = roster_token_for(roster, token->object, token->rights,
	    token->trust, token);
	if (status == OK)
		status = renew_members(roster, channel, client);
	return status != OK ? status : roster->failed;
}

unsigned
roster_rights(const struct roster *roster, const struct roster_member *member,
    const struct token *token)
{
	if (token->object != member->channel->object || token_verify(
	    roster->authority, token, token->rights) != OK)
		return 0;
	return token->rights;
}

status_t
roster_depend(struct roster *roster, struct roster_member *parent,
    struct roster_member *child)
{
	if ((parent->role & CHANNEL_RECEIVER) == 0 ||
	    (child->role & CHANNEL_SENDER) == 0)
		return ERR_ARG;
	status_t status = graph_add_dep(roster->graph,
	    roster->graph_place[roster_index(parent->channel)],
	    roster->graph_place[roster_index(child->channel)]);
	if (status != OK)
		return status;
	roster_changed(roster);
	struct roster_edge *edge = arena_alloc(roster->arena, sizeof(*edge));
	if (edge == NULL)
		return ERR_NOMEM;
	edge->child = child->channel->number;
	roster_note(roster, arena_list_append(roster->arena, &parent->edges,
	    &edge->in_member));
	ROSTER_SET(roster, parent->channel->edges,
	    parent->channel->edges + 1);
	return roster->failed;
}

/* A channel that is gone took its edges along. */
void
roster_remove_edges(struct roster *roster, struct roster_member *member)
{
	struct roster_channel *channel = member->channel;

	while (roster->failed == OK && !roster_is_empty(&member->edges)) {
		struct roster_edge *edge = ROSTER_OF(member->edges.next,
		    struct roster_edge, in_member);
		const struct roster_channel *child = channel_numbered(roster,
		    edge->child);

		if (child != NULL)
			(void)graph_remove_dep(roster->graph,
			    roster->graph_place[roster_index(channel)],
			    roster->graph_place[roster_index(child)]);
		roster_changed(roster);
		ROSTER_SET(roster, channel->edges, channel->edges - 1);
		roster_note(roster, arena_list_remove(roster->arena,
		    &edge->in_member));
		roster_note(roster, arena_free(roster->arena, edge));
	}
}

const struct roster_channel *
roster_channel_after(const struct roster *roster, uint64_t number)
{
	/* New ones are appended and numbers only grow. */
	ROSTER_EACH(&roster->root->channels, node, following) {
		const struct roster_channel *channel = ROSTER_OF(node,
		    struct roster_channel, all);

		if (channel->number > number)
			return channel;
	}
	return NULL;
}

const struct roster_member *
roster_member_after(const struct roster *roster, uint64_t number)
{
	ROSTER_EACH(&roster->root->members, node, following) {
		const struct roster_member *member = ROSTER_OF(node,
		    struct roster_member, all);

		if (member->number > number)
			return member;
	}
	return NULL;
}
