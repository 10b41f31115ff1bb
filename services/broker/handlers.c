/* SPDX-License-Identifier: MIT */
/*
 * Requests. What a client gets is a copy with the least rights: it may ring the
 * bells of its peers, not wait for them; it may write the lanes it is an end of,
 * its own pool and its own statistics, and only read those of others.
 */
#include "shell.h"

#include <idl/place.h>
#include <lib/base/string.h>

#define PASS_READ	(RIGHT_READ | RIGHT_COPY)
#define PASS_WRITE	(RIGHT_READ | RIGHT_WRITE | RIGHT_COPY)
#define PASS_RING	(RIGHT_WRITE | RIGHT_COPY)

/* One more capability of the reply. */
static status_t
give(struct service_call *call, cap_t cap, unsigned rights)
{
	cap_t copied;
	status_t status = sys_cap_copy(cap, CAP_NONE, CAP_ANY_SLOT, rights,
	    TRUST_MAX, 0, &copied);

	if (status != OK)
		return status;
	status = service_cap_keep(copied);
	if (status != OK) {
		sys_cap_delete(CAP_NONE, copied);
		return status;
	}
	wire_give_cap(call, copied);
	return OK;
}

/* What peers get to ring it with; CAP_NONE: it is no notification. */
static cap_t
make_bell(cap_t given)
{
	struct sys_result r = sys_invoke(SYS_CAP_INFO, CAP_NONE, given, 0, 0, 0,
	    0);
	cap_t bell;

	if (r.status != OK || (r.value[0] & 0xff) != OBJ_NOTIFICATION ||
	    sys_cap_copy(given, CAP_NONE, CAP_ANY_SLOT, PASS_RING, TRUST_MAX,
	    0, &bell) != OK)
		return CAP_NONE;
	if (service_cap_keep(bell) != OK) {
		sys_cap_delete(CAP_NONE, bell);
		return CAP_NONE;
	}
	return bell;
}

static unsigned
handle_connect(struct channels_context *context, struct service_call *call,
    const struct channels_connect_args *in,
    struct channels_connect_results *out)
{
	struct roster_client *client;
	cap_t bell = make_bell(in->bell);
	status_t status = bell == CAP_NONE || in->bits == 0 ? ERR_ARG :
	    roster_connect(context->roster, bell, in->bits, &client);

	if (status != OK)
		return (unsigned)status;
	client->place = call->badge - 1;
	client->trust = call->trust;
	status = service_give_session(call, PLACE_CONTAINER, client->number,
	    &client->session);
	if (status == OK)
		status = give(call, context->page, PASS_READ);
	out->slot = client->slot;
	/* The copy is what is kept; with an error the loop deletes it. */
	if (status == OK)
		wire_drop_cap(in->bell);
	return (unsigned)status;
}

static status_t
answer_join(struct channels_context *context, struct service_call *call,
    const struct roster_member *member, const struct wire_room *room)
{
	struct channels_joined joined;
	status_t status;

	if (room->length < sizeof(joined))
		return ERR_RANGE;
	roster_describe(context->roster, member, &joined);
	status = wire_give(call, room, &joined, sizeof(joined));
	if (status == OK)
		status = give(call, member->statistics, PASS_WRITE);
	if (status == OK && member->pool != NULL)
		status = give(call, member->pool->memory, PASS_WRITE);
	return status;
}

static unsigned
handle_create(struct channels_context *context, struct service_call *call,
    const struct channels_create_args *in, struct channels_create_results *out)
{
	struct roster_member *member;
	status_t status = roster_create_channel(context->roster,
	    context->client, in->join, &member);

	if (status == OK)
		status = answer_join(context, call, member, &in->joined);
	out->joined_length = sizeof(struct channels_joined);
	return (unsigned)status;
}

static unsigned
handle_open(struct channels_context *context, struct service_call *call,
    const struct channels_open_args *in, struct channels_open_results *out)
{
	struct roster_member *member;
	status_t status = roster_open_channel(context->roster,
	    context->client, in->join, &member);

	if (status == OK)
		status = answer_join(context, call, member, &in->joined);
	out->joined_length = sizeof(struct channels_joined);
	return (unsigned)status;
}

static unsigned
handle_resume(struct channels_context *context, struct service_call *call,
    const struct channels_resume_args *in, struct channels_resume_results *out)
{
	struct roster_member *member;
	struct token token;

	memcpy(&token, in, sizeof(token));
	status_t status = roster_resume(context->roster, context->client,
	    in->member, &token, &member);
	if (status == OK)
		status = answer_join(context, call, member, &in->joined);
	/* The client that it was of may be over now. */
	if (status == OK)
		status = service_effect_signal(PLACE_NOTIFICATION, BIT_BURY);
	out->joined_length = sizeof(struct channels_joined);
	return (unsigned)status;
}

static unsigned
handle_enter(struct channels_context *context, struct service_call *call,
    const struct channels_enter_args *in)
{
	struct roster_member *member = roster_member(context->roster,
	    context->client, in->member);

	(void)call;
	return member == NULL ? ERR_NOENT :
	    (unsigned)roster_enter(context->roster, member);
}

static unsigned
handle_close(struct channels_context *context, struct service_call *call,
    const struct channels_close_args *in)
{
	struct roster_member *member = roster_member(context->roster,
	    context->client, in->member);

	(void)call;
	return member == NULL ? ERR_NOENT :
	    (unsigned)roster_close(context->roster, member);
}

static status_t
describe_lane(struct service_call *call, const struct roster_side *side,
    struct channels_event_results *out)
{
	const struct roster_side *other = roster_other(side);
	const struct roster_lane *lane = side->lane;

	out->lane = lane->number;
	out->peer = lane->member[roster_end(other)];
	out->trust = lane->trust[roster_end(other)];
	out->groups = lane->groups;
	if (out->kind != CHANNELS_EVENT_LANE_OUT &&
	    out->kind != CHANNELS_EVENT_LANE_IN)
		return OK;
	status_t status = give(call, lane->memory, PASS_WRITE);
	/* A sender that is gone left messages, and needs no bell. */
	if (status != OK || other->member == NULL)
		return status;
	out->bits = other->member->client->bits;
	return give(call, other->member->client->bell, PASS_RING);
}

static unsigned
handle_event(struct channels_context *context, struct service_call *call,
    const struct channels_event_args *in, struct channels_event_results *out)
{
	struct roster_member *member = roster_member(context->roster,
	    context->client, in->member);
	struct roster_event event;

	if (member == NULL)
		return ERR_NOENT;
	status_t status = roster_next_event(context->roster, member, &event);
	out->kind = event.kind;
	if (status == OK && event.side != NULL)
		status = describe_lane(call, event.side, out);
	return (unsigned)status;
}

static unsigned
handle_pool(struct channels_context *context, struct service_call *call,
    const struct channels_pool_args *in)
{
	const struct roster_member *member = roster_member(context->roster,
	    context->client, in->member);
	const struct roster_side *side = member == NULL ? NULL :
	    roster_side(context->roster, member, in->lane);

	if (side == NULL || roster_end(side) != ROSTER_RECEIVER ||
	    side->lane->pool == NULL)
		return ERR_NOENT;
	return (unsigned)give(call, side->lane->pool->memory, PASS_READ);
}

static unsigned
handle_drop(struct channels_context *context, struct service_call *call,
    const struct channels_drop_args *in)
{
	const struct roster_member *member = roster_member(context->roster,
	    context->client, in->member);
	struct roster_side *side = member == NULL ? NULL :
	    roster_side(context->roster, member, in->lane);

	(void)call;
	return side == NULL ? ERR_NOENT :
	    (unsigned)roster_drop(context->roster, side);
}

static unsigned
handle_mint(struct channels_context *context, struct service_call *call,
    const struct channels_mint_args *in, struct channels_mint_results *out)
{
	struct token_grant grant = {
		.rights = (uint8_t)in->rights, .trust = (uint8_t)in->trust,
		.holder = (uint16_t)context->client->place,
	};
	struct token token;

	(void)call;
	if (in->rights > TOKEN_ALL || in->trust > TOKEN_TRUST_MAX)
		return ERR_RIGHT;
	status_t status = roster_mint(context->roster, context->client,
	    in->name, &grant, &token);
	if (status == OK)
		memcpy(out, &token, sizeof(token));
	return (unsigned)status;
}

static unsigned
handle_derive(struct channels_context *context, struct service_call *call,
    const struct channels_derive_args *in, struct channels_derive_results *out)
{
	struct token_grant grant = {
		.object = in->object, .rights = (uint8_t)in->rights,
		.trust = (uint8_t)in->trust, .holder = (uint16_t)in->holder,
	};
	struct token parent, token;

	(void)call;
	if (in->rights > TOKEN_ALL || in->trust > TOKEN_TRUST_MAX)
		return ERR_RIGHT;
	memcpy(&parent, in, sizeof(parent));
	status_t status = roster_derive(context->roster, &parent, &grant,
	    &token);
	if (status == OK)
		memcpy(out, &token, sizeof(token));
	return (unsigned)status;
}

static unsigned
handle_revoke(struct channels_context *context, struct service_call *call,
    const struct channels_revoke_args *in, struct channels_revoke_results *out)
{
	struct token token;

	(void)call;
	memcpy(&token, in, sizeof(token));
	status_t status = roster_revoke(context->roster, context->client,
	    &token);
	if (status == OK)
		memcpy(out, &token, sizeof(token));
	return (unsigned)status;
}

static unsigned
handle_rights(struct channels_context *context, struct service_call *call,
    const struct channels_rights_args *in, struct channels_rights_results *out)
{
	const struct roster_member *member = roster_member(context->roster,
	    context->client, in->member);
	struct token token;

	(void)call;
	if (member == NULL)
		return ERR_NOENT;
	memcpy(&token, in, sizeof(token));
	out->rights = roster_rights(context->roster, member, &token);
	return OK;
}

static unsigned
handle_depend(struct channels_context *context, struct service_call *call,
    const struct channels_depend_args *in)
{
	struct roster_member *parent = roster_member(context->roster,
	    context->client, in->parent);
	struct roster_member *child = roster_member(context->roster,
	    context->client, in->child);

	(void)call;
	if (parent == NULL || child == NULL)
		return ERR_NOENT;
	return (unsigned)roster_depend(context->roster, parent, child);
}

static unsigned
handle_list(struct channels_context *context, struct service_call *call,
    const struct channels_list_args *in, struct channels_list_results *out)
{
	const struct roster_channel *channel = roster_channel_after(
	    context->roster, in->after);

	if (channel == NULL)
		return ERR_EMPTY;
	struct channels_listed listed = {
		.number = channel->number, .members = channel->member_count,
		.receivers = channel->receivers, .lanes = channel->lanes,
		.type = channel->config.type,
		.place = (uint32_t)channel->place, .named = channel->named,
		.edges = channel->edges,
	};
	memcpy(listed.name, channel->name, sizeof(listed.name));
	if (in->listed.length < sizeof(listed))
		return ERR_RANGE;
	out->listed_length = sizeof(listed);
	return (unsigned)wire_give(call, &in->listed, &listed, sizeof(listed));
}

static unsigned
handle_watch(struct channels_context *context, struct service_call *call,
    const struct channels_watch_args *in, struct channels_watch_results *out)
{
	const struct roster_member *member = roster_member_after(
	    context->roster, in->after);

	if (member == NULL)
		return ERR_EMPTY;
	out->member = member->number;
	return (unsigned)give(call, member->statistics, PASS_READ);
}

_Static_assert(sizeof(struct channels_mint_results) == sizeof(struct token) &&
    sizeof(struct channels_derive_results) == sizeof(struct token) &&
    sizeof(struct channels_revoke_results) == sizeof(struct token) &&
    sizeof(struct channels_revoke_args) == sizeof(struct token),
    "a token is four words");

const struct channels_operations broker_of_places = {
	.connect = handle_connect,
};

const struct channels_operations broker_of_sessions = {
	.create = handle_create,
	.open = handle_open,
	.close = handle_close,
	.event = handle_event,
	.pool = handle_pool,
	.drop = handle_drop,
	.mint = handle_mint,
	.derive = handle_derive,
	.revoke = handle_revoke,
	.rights = handle_rights,
	.depend = handle_depend,
	.list = handle_list,
	.watch = handle_watch,
	.resume = handle_resume,
	.enter = handle_enter,
};
