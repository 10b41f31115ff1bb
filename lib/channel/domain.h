/* SPDX-License-Identifier: MIT */
/*
 * Domains as users of channels see them: where names are looked up. port.h has
 * what is behind; lib/channel/hosted/hosted.h the domain between processes.
 *
 * Thread safety: a domain may be used by all threads of its process.
 */
#pragma once

#include <abi/status.h>
#include <lib/base/linkage.h>
#include <lib/channel/channel.h>

LINKAGE_BEGIN

/* For members without an own: set once, before the first channel. */
void channel_domain_set_default(struct channel_domain *domain);

/*
 * private_host.c: threads of this process. Without an authority nobody is asked
 * for a token and all have trust 0xF. An authority is set before the first
 * channel, and made with these in its configuration, so that a revocation is
 * complete when token_revoke returns:
 *
 *	.revoked = channel_domain_private_revoked, .context = domain
 *
 * Close the domain after its last channel. ERR_NOMEM.
 */
struct token_authority;
status_t channel_domain_private(struct channel_domain **out_domain);
void channel_domain_private_set_authority(struct channel_domain *domain,
    struct token_authority *authority);
void channel_domain_private_revoked(void *domain, uint64_t generation);
void channel_domain_private_close(struct channel_domain *domain);

LINKAGE_END
