/* SPDX-License-Identifier: MIT */
/*
 * Requests. Each is checked for its form (protocol.h), then for who asks: a
 * number that belongs to another process does not exist for this one. The
 * answer goes out after all that the request caused was told, so that what
 * the answer says holds for everybody.
 */
#include "state.h"

#include <lib/channel/config.h>
#include <lib/channel/statistics.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

struct request {
	struct client *client;
	const struct broker_packet *in;
	struct broker_packet *out;
};

static struct member *
own_member(const struct request *request, uint64_t number)
{
	struct member *member = table_find(&request->client->broker->members,
	    number);

	return member != NULL && member->client == request->client ? member :
	    NULL;
}

static status_t
handle_hello(struct request *request)
{
	struct client *client = request->client;

	if (client->greeted)
		return ERR_STATE;
	if (request->in->value != BROKER_VERSION)
		return ERR_NOSYS;
	client->greeted = true;
	request->out->value = BROKER_VERSION;
	client->answer_file[0] = client->page_file;
	client->answer_files = 1;
	return OK;
}

static uint16_t
holder_of(const struct client *client)
{
	return (uint16_t)client->pid;
}

static status_t
mint(struct client *client, uint64_t object, unsigned rights, unsigned trust,
    struct token *out_token)
{
	struct token_grant grant = {
		.object = object, .rights = (uint8_t)rights,
		.trust = (uint8_t)trust, .holder = holder_of(client),
	};

	return token_mint(client->broker->authority, &grant, out_token);
}

/* What a joiner gets: by a token at most what that allows, too. */
static status_t
decide(const struct request *request, const struct channel_entry *channel,
    struct policy_grant *out_grant)
{
	struct client *client = request->client;
	const struct broker_join *join = &request->in->join;
	unsigned needed = channel_role_rights(join->role);

	policy_decide(client->broker->policy, &client->subject, channel->name,
	    channel->creator, out_grant);
	if (join->has_token) {
		if (join->token.object != channel->object)
			return ERR_STALE;
		if (token_verify(client->broker->authority, &join->token,
		    (uint8_t)needed) != OK)
			return ERR_RIGHT;
		out_grant->rights &= join->token.rights;
		if (join->token.trust < out_grant->trust)
			out_grant->trust = join->token.trust;
	} else if (out_grant->needs_token &&
	    client->subject.uid != channel->creator) {
		return ERR_RIGHT;
	}
	if (out_grant->rights == 0 || (out_grant->rights & needed) != needed)
		return ERR_RIGHT;
	return OK;
}

static void
describe_member(const struct request *request, const struct member *member,
    unsigned rights)
{
	struct broker_joined *joined = &request->out->joined;
	struct client *client = request->client;
	const struct segment *segment = member->statistics;

	*joined = (struct broker_joined){
		.member = member->number,
		.channel = member->channel->number,
		.trust = member->token.trust, .rights = rights,
		.pool_size = member->pool == NULL ? 0 : member->pool->size,
		.segment = segment->number, .segment_size = segment->size,
		.offset = (uint64_t)member->statistics_slot * STATISTICS_PAGE,
		.token = member->token,
	};
	token_identity(client->broker->authority, &member->token,
	    &joined->identity);
	broker_config_write(&member->channel->config, &joined->config);
	client->answer_file[client->answer_files++] = segment->file;
	if (member->pool != NULL)
		client->answer_file[client->answer_files++] =
		    member->pool->file;
}

static status_t
join(struct request *request, struct channel_entry *channel,
    const struct policy_grant *grant, bool is_creator)
{
	struct client *client = request->client;
	const struct broker_join *in = &request->in->join;
	struct channel_options options = {
		.role = in->role, .serializer = in->serializer,
		.schema = in->schema, .groups = in->groups,
	};
	struct member *member;
	struct token token;
	status_t status = channel_config_admits(&channel->config, &options,
	    grant->trust, channel->receivers);

	if (status == OK)
		status = mint(client, channel->object, grant->rights,
		    grant->trust, &token);
	if (status == OK)
		status = member_make(client, channel, in, &token, &member);
	if (status != OK)
		return status;
	if (is_creator)
		channel->creator_member = member->number;
	/*
	 * With a pool it is shown to others when that cannot be changed, one
	 * that is kept when its owner will know of it for good.
	 */
	if (member->pool == NULL && !member->kept)
		status = member_connect(member);
	if (status != OK) {
		member_close(member);
		return status;
	}
	describe_member(request, member, grant->rights);
	return OK;
}

/* Bells are given away, and a pool is mapped by one process only. */
static bool
may_be_kept(const struct broker_join *join, const struct channel_config *config)
{
	return join->kept == 0 || (!config->pollable &&
	    (!config->zero_copy || (join->role & CHANNEL_SENDER) == 0));
}

static status_t
handle_create(struct request *request)
{
	struct client *client = request->client;
	const struct broker_join *in = &request->in->join;
	struct policy_grant grant;
	struct channel_config wanted, config;
	struct channel_entry *channel;
	uint64_t number;
	status_t status;

	policy_decide(client->broker->policy, &client->subject, in->name,
	    client->subject.uid, &grant);
	if ((grant.rights & TOKEN_OWN) == 0)
		return ERR_RIGHT;
	/* There is no object yet that a token could be of. */
	if (in->has_token)
		return ERR_ARG;
	status = broker_config_read(&in->config, &wanted);
	if (status == OK)
		status = channel_config_fill(&wanted, &config);
	if (status == OK)
		status = entry_make(client, in, &config, &channel);
	if (status != OK)
		return status;
	number = channel->number;
	status = may_be_kept(in, &config) ?
	    join(request, channel, &grant, true) : ERR_ARG;
	/* A member that was made and closed again took it along. */
	if (status != OK && table_find(&client->broker->channels, number) !=
	    NULL)
		entry_put(client->broker, channel);
	return status;
}

static status_t
handle_open(struct request *request)
{
	struct channel_entry *channel = entry_find(request->client->broker,
	    request->in->join.name);
	struct policy_grant grant;
	status_t status;

	if (channel == NULL)
		return ERR_NOENT;
	status = decide(request, channel, &grant);
	if (status != OK)
		return status;
	if (!may_be_kept(&request->in->join, &channel->config))
		return ERR_ARG;
	return join(request, channel, &grant, false);
}

/* The member of somebody else does not exist for this one. */
static status_t
handle_resume(struct request *request)
{
	struct client *client = request->client;
	const struct broker_resume *in = &request->in->resume;
	struct member *member = table_find(&client->broker->members,
	    in->member);

	if (member == NULL || !member->kept || !member->connected ||
	    member->role != in->role ||
	    member->client->subject.uid != client->subject.uid ||
	    token_difference(&member->token, &in->token) != 0)
		return ERR_NOENT;
	member_move(member, client);
	describe_member(request, member, member->token.rights);
	return OK;
}

static status_t
handle_close(struct request *request)
{
	struct member *member = own_member(request, request->in->value);

	if (member == NULL)
		return ERR_NOENT;
	member_close(member);
	return OK;
}

static status_t
handle_mapped(struct request *request)
{
	struct member *member = own_member(request, request->in->value);

	if (member == NULL)
		return ERR_NOENT;
	return member->kept ? member_enter(member) :
	    member_share_pool(member);
}

static status_t
handle_drop(struct request *request)
{
	const struct broker_drop *drop = &request->in->drop;
	const struct member *member = own_member(request, drop->member);
	struct lane *lane = table_find(&request->client->broker->lanes,
	    drop->lane);

	if (member == NULL || lane == NULL)
		return ERR_NOENT;
	for (unsigned i = 0; i < 2; i++)
		if (lane->side[i].member == member &&
		    lane->side[i].state != SIDE_NEW) {
			side_leave(&lane->side[i]);
			return OK;
		}
	return ERR_NOENT;
}

static status_t
handle_ack(struct request *request)
{
	struct client *client = request->client;

	if (request->in->value > client->unread)
		return ERR_ARG;
	client->unread -= (uint32_t)request->in->value;
	if (!list_is_empty(&client->news) || !list_is_empty(&client->revoked))
		client_touch(client);
	return OK;
}

static void
describe_token(const struct request *request, const struct token *token)
{
	request->out->token = (struct broker_token){
		.token = *token, .rights = token->rights,
		.trust = token->trust, .holder = token->holder,
	};
}

static status_t
handle_mint(struct request *request)
{
	struct client *client = request->client;
	const struct broker_token *in = &request->in->token;
	struct channel_entry *channel = entry_find(client->broker, in->name);
	struct policy_grant grant;
	struct token token;
	status_t status;

	if (channel == NULL)
		return ERR_NOENT;
	policy_decide(client->broker->policy, &client->subject, channel->name,
	    channel->creator, &grant);
	if (grant.needs_token && client->subject.uid != channel->creator)
		return ERR_RIGHT;
	if (in->rights == 0 || (in->rights & ~grant.rights) != 0 ||
	    in->trust > grant.trust)
		return ERR_RIGHT;
	status = mint(client, channel->object, in->rights, in->trust, &token);
	if (status == OK)
		describe_token(request, &token);
	return status;
}

static status_t
handle_derive(struct request *request)
{
	const struct broker_token *in = &request->in->token;
	struct token_grant grant = {
		.object = in->token.object, .rights = (uint8_t)in->rights,
		.trust = (uint8_t)in->trust, .holder = (uint16_t)in->holder,
	};
	struct token token;
	status_t status = token_derive(request->client->broker->authority,
	    &in->token, &grant, &token);

	if (status == OK)
		describe_token(request, &token);
	return status;
}

/* All tokens of the channel end, but whoever revokes goes on with new ones. */
static status_t
handle_revoke(struct request *request)
{
	struct client *client = request->client;
	struct token_authority *authority = client->broker->authority;
	struct token token = request->in->token.token;
	struct channel_entry *channel;
	status_t status = token_verify(authority, &token, TOKEN_OWN);

	if (status != OK)
		return status;
	channel = entry_of(client->broker, token.object);
	if (channel == NULL)
		return ERR_NOENT;
	status = token_revoke(authority, token.object);
	if (status == OK)
		status = mint(client, token.object, token.rights, token.trust,
		    &token);
	if (status != OK)
		return status;
	LIST_EACH(&channel->members, link, following) {
		struct member *member = LIST_ENTRY(link, struct member,
		    in_channel);

		if (member->client != client)
			member_revoke(member);
		else if (mint(client, token.object, member->token.rights,
		    member->token.trust, &member->token) != OK)
			member_revoke(member);
	}
	describe_token(request, &token);
	return OK;
}

static status_t
handle_rights(struct request *request)
{
	const struct token *token = &request->in->token.token;
	status_t status = token_verify(request->client->broker->authority,
	    token, 0);

	if (status == OK)
		describe_token(request, token);
	return status;
}

static bool
may_see(const struct client *client, const struct channel_entry *channel)
{
	return channel->creator == client->subject.uid ||
	    policy_observes(client->broker->policy, &client->subject);
}

static void
describe_channel(const struct channel_entry *channel,
    struct broker_listed *out_listed)
{
	*out_listed = (struct broker_listed){
		.channel = channel->number,
		.uid = channel->creator, .pid = channel->creator_pid,
		.members = channel->member_count, .lanes = channel->lanes,
		.type = (uint8_t)channel->config.type,
		.linked = channel->linked,
	};
	memcpy(out_listed->name, channel->name, sizeof(out_listed->name));
}

static status_t
handle_list(struct request *request)
{
	struct broker *broker = request->client->broker;
	struct broker_list *list = &request->out->list;
	uint32_t slot = (uint32_t)request->in->value;
	struct channel_entry *channel;

	if (request->in->value > UINT32_MAX)
		return ERR_ARG;
	memset(list, 0, sizeof(*list));
	for (; (channel = table_from(&broker->channels, &slot)) != NULL;
	    slot++) {
		if (!may_see(request->client, channel))
			continue;
		if (list->count == BROKER_LISTED) {
			list->next = slot;
			break;
		}
		describe_channel(channel, &list->channel[list->count++]);
	}
	return OK;
}

static status_t
handle_depend(struct request *request)
{
	struct member *parent = own_member(request, request->in->edge.parent);
	struct member *child = own_member(request, request->in->edge.child);

	if (parent == NULL || child == NULL)
		return ERR_NOENT;
	return member_depend(parent, child);
}

static status_t
handle_remove_depend(struct request *request)
{
	struct member *parent = own_member(request, request->in->edge.parent);
	struct member *child = own_member(request, request->in->edge.child);

	if (parent == NULL || child == NULL)
		return ERR_NOENT;
	return member_remove_depend(parent, child);
}

/* A process shows its own statistics to its user and to observers. */
static bool
may_watch(const struct client *client, const struct segment *segment)
{
	return segment->pair->low == 0 &&
	    (segment->account == client->account ||
	    policy_observes(client->broker->policy, &client->subject));
}

/* Another description of the file, which only reads. */
static int
open_to_read(int file)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static status_t
handle_watch(struct request *request)
{
	struct client *client = request->client;
	struct broker_watched *watched = &request->out->watched;
	uint32_t slot = (uint32_t)request->in->value;
	struct segment *segment;

	if (request->in->value > UINT32_MAX)
		return ERR_ARG;
	memset(watched, 0, sizeof(*watched));
	while ((segment = table_from(&client->broker->segments, &slot)) !=
	    NULL && !may_watch(client, segment))
		slot++;
	if (segment == NULL)
		return OK;
	client->watched_file = open_to_read(segment->file);
	if (client->watched_file < 0)
		return ERR_FULL;
	client->answer_file[client->answer_files++] = client->watched_file;
	*watched = (struct broker_watched){
		.next = slot + 1, .found = 1, .segment = segment->number,
		.segment_size = segment->size,
	};
	return OK;
}

static uint64_t
count_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	uint64_t count = 0;

	if (folder == NULL)
		return 0;
	while (readdir(folder) != NULL)
		count++;
	closedir(folder);
	/* Without ".", ".." and the folder itself. */
	return count - 3;
}

static uint64_t
count_accounts(const struct broker *broker, uint64_t *out_bytes)
{
	uint64_t count = 0;

	*out_bytes = 0;
	LIST_EACH(&broker->accounts, link, following) {
		*out_bytes += LIST_ENTRY(link, struct account,
		    in_broker)->used.bytes;
		count++;
	}
	return count;
}

static status_t
handle_totals(struct request *request)
{
	struct broker *broker = request->client->broker;
	struct broker_totals *totals = &request->out->totals;

	if (!policy_observes(broker->policy, &request->client->subject))
		return ERR_RIGHT;
	*totals = (struct broker_totals){
		.processes = broker->client_count,
		.channels = broker->channels.used,
		.members = broker->members.used,
		.lanes = broker->lanes.used,
		.segments = broker->segments.used,
		.pools = broker->pool_count,
		.descriptors = count_descriptors(),
		.edges = broker->edges,
		.refused = broker->refused, .malformed = broker->malformed,
	};
	totals->accounts = count_accounts(broker, &totals->bytes);
	return OK;
}

static status_t (*const handlers[BROKER_KINDS])(struct request *request) = {
	[BROKER_HELLO] = handle_hello,
	[BROKER_CREATE] = handle_create,
	[BROKER_OPEN] = handle_open,
	[BROKER_CLOSE] = handle_close,
	[BROKER_MAPPED] = handle_mapped,
	[BROKER_DROP] = handle_drop,
	[BROKER_ACK] = handle_ack,
	[BROKER_MINT] = handle_mint,
	[BROKER_DERIVE] = handle_derive,
	[BROKER_REVOKE] = handle_revoke,
	[BROKER_RIGHTS] = handle_rights,
	[BROKER_LIST] = handle_list,
	[BROKER_TOTALS] = handle_totals,
	[BROKER_DEPEND] = handle_depend,
	[BROKER_WATCH] = handle_watch,
	[BROKER_REMOVE_DEPEND] = handle_remove_depend,
	[BROKER_RESUME] = handle_resume,
};

static bool
has_answer(uint32_t kind)
{
	return kind != BROKER_DROP && kind != BROKER_ACK;
}

void
request_handle(struct client *client, const void *bytes, size_t length)
{
	struct broker_packet in;
	struct request request = { client, &in, &client->answer };
	status_t status;

	/* Who does not speak the protocol is not worth an answer. */
	if (broker_check_request(bytes, length, &in) != OK ||
	    (!client->greeted && in.head.kind != BROKER_HELLO)) {
		client->broker->malformed++;
		client_kill(client);
		return;
	}
	client->answer_files = 0;
	memset(&client->answer, 0, sizeof(client->answer));
	status = handlers[in.head.kind] == NULL ? ERR_NOSYS :
	    handlers[in.head.kind](&request);
	client->broker->refused += status != OK;
	clients_tell(client->broker);
	if (!has_answer(in.head.kind) || client->is_dead)
		return;
	client->answer.head = (struct broker_head){
		.kind = in.head.kind, .status = (uint32_t)status,
		.number = in.head.number,
	};
	if (status != OK)
		client->answer_files = 0;
	client_answer(client);
}
