/* SPDX-License-Identifier: MIT */
/* What else a process may ask the broker: tokens, lists, totals. */
#include <lib/channel/config.h>
#include <lib/channel/hosted/link.h>

#include <string.h>

static status_t
call_token(struct channel_domain *domain, struct broker_packet *packet,
    struct token *out_token)
{
	status_t status = link_call_locked(hosted_of(domain), packet, NULL);

	if (status == OK)
		*out_token = packet->token.token;
	return status;
}

status_t
channel_hosted_mint(struct channel_domain *domain, const char *name,
    unsigned rights, unsigned trust, struct token *out_token)
{
	struct broker_packet packet = {
		.head.kind = BROKER_MINT,
		.token = { .rights = rights, .trust = trust },
	};

	if (!channel_name_valid(name))
		return ERR_ARG;
	memcpy(packet.token.name, name, strlen(name) + 1);
	return call_token(domain, &packet, out_token);
}

status_t
channel_hosted_derive(struct channel_domain *domain,
    const struct token *parent, const struct token_grant *grant,
    struct token *out_token)
{
	struct broker_packet packet = {
		.head.kind = BROKER_DERIVE,
		.token = {
			.token = *parent, .rights = grant->rights,
			.trust = grant->trust, .holder = grant->holder,
		},
	};

	if (grant->object != parent->object)
		return ERR_ARG;
	return call_token(domain, &packet, out_token);
}

status_t
channel_hosted_revoke(struct channel_domain *domain, struct token *token)
{
	struct broker_packet packet = {
		.head.kind = BROKER_REVOKE, .token.token = *token,
	};

	return call_token(domain, &packet, token);
}

status_t
channel_hosted_list(struct channel_domain *domain, uint32_t from,
    struct broker_list *out_list)
{
	struct broker_packet packet = {
		.head.kind = BROKER_LIST, .value = from,
	};
	status_t status = link_call_locked(hosted_of(domain), &packet, NULL);

	if (status == OK)
		*out_list = packet.list;
	return status;
}

status_t
channel_hosted_totals(struct channel_domain *domain,
    struct broker_totals *out_totals)
{
	struct broker_packet packet = { .head.kind = BROKER_TOTALS };
	status_t status = link_call_locked(hosted_of(domain), &packet, NULL);

	if (status == OK)
		*out_totals = packet.totals;
	return status;
}

static status_t
call_edge(struct channel_domain *domain, enum broker_kind kind,
    const struct channel_member *parent, const struct channel_member *child)
{
	struct broker_packet packet = {
		.head.kind = kind,
		.edge = { parent->number, child->number },
	};

	return link_call_locked(hosted_of(domain), &packet, NULL);
}

status_t
channel_hosted_depend(struct channel_domain *domain,
    const struct channel_member *parent, const struct channel_member *child)
{
	return call_edge(domain, BROKER_DEPEND, parent, child);
}

status_t
hosted_remove_dep(struct channel_domain *domain,
    const struct channel_member *parent, const struct channel_member *child)
{
	return call_edge(domain, BROKER_REMOVE_DEPEND, parent, child);
}

status_t
channel_hosted_watch(struct channel_domain *domain, uint32_t from,
    struct broker_watched *out_watched, int *out_file)
{
	struct broker_packet packet = {
		.head.kind = BROKER_WATCH, .value = from,
	};
	struct link_files files = { 0 };
	status_t status = link_call_locked(hosted_of(domain), &packet, &files);

	if (status != OK)
		return status;
	if (files.count != packet.watched.found) {
		link_files_close(&files);
		return ERR_CORRUPT;
	}
	*out_watched = packet.watched;
	*out_file = files.count == 1 ? files.file[0] : -1;
	return OK;
}
