/* SPDX-License-Identifier: MIT */
/*
 * The hosted domain: channels between processes of Linux, which meet at
 * bennu-broker(8). One connection for a process serves all its threads.
 *
 *	struct channel_domain *domain;
 *
 *	if (channel_domain_hosted(NULL, &domain) == OK)
 *		channel_domain_set_default(domain);
 *
 * Who the process is the broker learns from the kernel. When the broker dies,
 * open channels go on; what needs it returns ERR_GONE. A child of fork must
 * connect anew: with the parent's domain it gets ERR_STATE.
 *
 * Errors of create and open besides those of channel.h: ERR_RIGHT the policy
 * does not allow it, ERR_LIMIT a limit of the user is reached, ERR_BUSY a member
 * does not look at its events, ERR_FULL no descriptor or number, ERR_GONE no
 * broker. create takes no token: its object does not exist yet (ERR_ARG).
 */
#pragma once

#include <lib/channel/hosted/protocol.h>
#include <lib/channel/port.h>

/*
 * path: of the broker's socket; NULL: $BENNU_BROKER or BROKER_SOCKET. ERR_GONE
 * nobody serves there, or the user has too many connections; ERR_NOSYS another
 * version, ERR_NOMEM.
 * Close it after the last channel.
 */
status_t channel_domain_hosted(const char *path,
    struct channel_domain **out_domain);
void channel_domain_hosted_close(struct channel_domain *domain);

/* Has the connection to the broker ended? Never a connection to a new one. */
bool channel_hosted_is_cut(struct channel_domain *domain);

/* A token of the channel, to be handed on; ERR_RIGHT more than is allowed. */
status_t channel_hosted_mint(struct channel_domain *domain, const char *name,
    unsigned rights, unsigned trust, struct token *out_token);
/* As token_derive. */
status_t channel_hosted_derive(struct channel_domain *domain,
    const struct token *parent, const struct token_grant *grant,
    struct token *out_token);
/*
 * Ends all tokens of the channel, and with them the members of other processes;
 * needs TOKEN_OWN. Those of this process go on. *token is a new one then.
 */
status_t channel_hosted_revoke(struct channel_domain *domain,
    struct token *token);

/* Channels from `from` on (0: the first) that this process may see. */
status_t channel_hosted_list(struct channel_domain *domain, uint32_t from,
    struct broker_list *out_list);
/*
 * Whoever handles a message of the parent may wait for an answer of the child:
 * both are members of this process, as receiver and as sender. ERR_STATE if
 * somebody could wait in a circle then. Until the parent closes. It is what
 * channel_add_dep asks.
 */
status_t channel_hosted_depend(struct channel_domain *domain,
    const struct channel_member *parent, const struct channel_member *child);

/*
 * Statistics pages of a process that this one may see, from `from` on. When
 * out_watched->found, *out_file is a descriptor to map them read-only; of the
 * caller.
 */
status_t channel_hosted_watch(struct channel_domain *domain, uint32_t from,
    struct broker_watched *out_watched, int *out_file);
/* What the broker holds; ERR_RIGHT for who is no observer. */
status_t channel_hosted_totals(struct channel_domain *domain,
    struct broker_totals *out_totals);
