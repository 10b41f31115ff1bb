/* SPDX-License-Identifier: MIT */
/*
 * The guest domain: channels between services of Bennu, which meet at broker(8).
 * One domain for a thread, with a notification that only this thread waits for.
 *
 *	struct channel_guest_options options = {
 *		.broker = broker, .vspace = service_info()->vspace,
 *		.notification = PLACE_NOTIFICATION, .bits = 1,
 *		.now_ns = service_now_ns,
 *	};
 *	struct channel_domain *domain;
 *
 *	if (channel_domain_guest(&options, &domain) == OK)
 *		channel_domain_set_default(domain);
 *
 * `broker` is what the place was granted for "broker:open". While the broker is
 * being restarted, open channels go on and what needs it waits. Errors of create
 * and open besides those of channel.h: ERR_LIMIT, ERR_GONE the broker was given
 * up. create takes no token: its object does not exist yet (ERR_ARG).
 *
 * Sleeping. A simple thread blocks in the library. A service with a loop never
 * does: its channels are pollable, it operates with CHANNEL_NOW until
 * ERR_TIMEOUT, and does that again when `notified` brings one of `bits`. Bits
 * that others are meant to see come back from channel_guest_other_bits.
 *
 * A kept member (keep.h) is resumed by the same place, in a domain with the same
 * bits of the same notification: that of the place, which outlives incarnations.
 * What a place leaves behind and never resumes goes when it opens the channel
 * anew with a kept member of that role.
 *
 * The capabilities of a domain (session, lanes, bells) are made by this
 * incarnation and end with it: the next one's sweep deletes them, which ends the
 * session. So they are not named in the arena. A service on the loop whose
 * table has more than 256 slots in use opens its domain after its first sweep.
 */
#pragma once

#include <abi/object.h>
#include <lib/channel/port.h>

#define CHANNEL_GUEST_AT	0x240000000ul	/* in the range of the heap */
#define CHANNEL_GUEST_SIZE	(1ul << 32)	/* bytes of addresses */

struct channel_guest_options {
	cap_t	 broker;
	cap_t	 vspace;	/* own; of this incarnation or peer */
	cap_t	 container;	/* pays for private memory; 0: the place's */
	cap_t	 notification;
	uint64_t bits;		/* of it, that the domain may use; not 0 */
	uint64_t at;		/* addresses; 0: CHANNEL_GUEST_AT */
	uint64_t heap_size;	/* of private memory, bytes; 0: 1 MiB */
	uint32_t cpus;		/* 1: waiting never spins; 0: 1 */
	uint64_t (*now_ns)(void);
};

/* ERR_ARG, ERR_NOMEM, or what the broker said. */
status_t channel_domain_guest(const struct channel_guest_options *options,
    struct channel_domain **out_domain);
/* After its last channel. */
void channel_domain_guest_close(struct channel_domain *domain);

/* Bits that were signalled to the notification and are not the domain's. */
uint64_t channel_guest_other_bits(struct channel_domain *domain);

/* A token of the channel, to be handed on; ERR_RIGHT more than is allowed. */
status_t channel_guest_mint(struct channel_domain *domain, const char *name,
    unsigned rights, unsigned trust, struct token *out_token);
/* As token_derive. */
status_t channel_guest_derive(struct channel_domain *domain,
    const struct token *parent, const struct token_grant *grant,
    struct token *out_token);
/*
 * Ends all tokens of the channel, and with them the members of other sessions;
 * needs TOKEN_OWN. Those of this domain go on. *token is a new one then.
 */
status_t channel_guest_revoke(struct channel_domain *domain,
    struct token *token);
/*
 * Whoever handles a message of the parent may wait for an answer of the child:
 * both are members of this domain, as receiver and as sender. ERR_STATE if
 * somebody could wait in a circle then. Until the parent closes.
 */
status_t channel_guest_depend(struct channel_domain *domain,
    const struct channel_member *parent, const struct channel_member *child);
