/* SPDX-License-Identifier: MIT */
/*
 * What the channel library asks of where it runs: a domain is a name space of
 * channels and a way to share memory and sleep. There are three: private
 * (threads of one process), hosted (processes that meet at bennu-broker), guest
 * (services of Bennu).
 *
 * A member learns about its lanes through events. Events are rare: the library
 * looks for them when *generation differs from what it saw last, which is one
 * load from a page that nobody writes on the fast path, and before it sleeps.
 * The generation also changes when a token was revoked, so the same comparison
 * keeps the checked token valid.
 *
 * A port makes the memory of lanes (lane.h: sizes, format) and of statistics
 * pages (statistics.h), and asks config.h what a configuration allows, so that
 * all ports admit and refuse alike.
 */
#pragma once

#include <lib/base/linkage.h>
#include <lib/channel/channel.h>
#include <lib/channel/domain.h>

LINKAGE_BEGIN

struct lane_place {		/* one direction, from one member to another */
	/*
	 * Messages, then the ring back: released buffers and, on SYNC
	 * channels, answers. lane_format made both.
	 */
	void	*memory;	/* mapped by the port; aligned to 64 */
	uint32_t lines, return_lines;	/* of the two rings */
	void	*pool;		/* IN: of the sender, may only be read */
	size_t	 pool_size;	/* lane_pool_size; not zero_copy: 0 */
	uint64_t peer;		/* member number of the other end */
	unsigned trust;		/* of the other end */
	uint64_t identity;	/* session identity of the other end */
	uint64_t groups;	/* of the receiver; not MULTICAST: ~0 */
	uint64_t number;	/* unique in the domain; not 0 */
	void	*port_data;	/* how to wake the other end */
};

enum channel_event_kind {
	CHANNEL_LANE_OUT,	/* a receiver came: new lane to it */
	CHANNEL_LANE_IN,	/* a sender came */
	/* Of all lanes of place.peer; if place.memory is set, of that one. */
	CHANNEL_PEER_GONE,	/* closed or died; drain them */
	CHANNEL_PEER_REVOKED,	/* lost its right; drop them */
	CHANNEL_REVOKED,	/* the own token */
};

struct channel_event {
	enum channel_event_kind kind;
	struct lane_place place;
};

/* What create and open give; config is the creator's, with defaults filled. */
struct channel_member {
	uint64_t number;	/* unique in the domain, never used again */
	uint64_t channel;	/* number of the channel, never used again */
	unsigned trust;		/* own, by token */
	unsigned rights;	/* of the token: TOKEN_* */
	uint64_t identity;	/* session identity (lib/token) */
	struct token token;	/* its own: resume asks for it */
	struct channel_config config;
	void	*pool;		/* SENDER and zero_copy: of lane_pool_size */
	struct statistics_page *statistics;	/* zeroed; NULL: not shown */
	uint64_t generation_seen;	/* the library's, for sleep */
	void	*port_data;
};

struct channel_port {
	status_t (*create)(struct channel_domain *domain, const char *name,
	    const struct channel_config *config,
	    const struct channel_options *options, const struct token *owner,
	    struct channel_member *out_member);
	status_t (*open)(struct channel_domain *domain, const char *name,
	    const struct channel_options *options, const struct token *holder,
	    struct channel_member *out_member);
	/*
	 * The kept member (options->keeper of its create or open) that was left
	 * behind by the death of its owner, whose successor the caller is; or
	 * still is there, because that death was not noticed yet. All its lanes
	 * are events again. ERR_NOENT no such member, ERR_RIGHT not the
	 * caller's. NULL: the domain keeps none.
	 */
	status_t (*resume)(struct channel_domain *domain, uint64_t number,
	    const struct token *token, const struct channel_options *options,
	    struct channel_member *out_member);
	/*
	 * A kept member has its lanes, and outlives its owner, from here on:
	 * its number is committed. Again: OK. NULL: it has them at once.
	 */
	status_t (*enter)(struct channel_domain *domain,
	    struct channel_member *member);
	void (*close)(struct channel_domain *domain,
	    struct channel_member *member);
	/* ERR_EMPTY when there is no more. */
	status_t (*next_event)(struct channel_domain *domain,
	    struct channel_member *member, struct channel_event *out_event);
	/*
	 * This end is done with the lane: its memory is not used any more. For
	 * the other end that is CHANNEL_PEER_GONE of this lane.
	 */
	void (*drop_lane)(struct channel_domain *domain,
	    struct channel_member *member, struct lane_place *place);
	/*
	 * Sleeps while each of the words is 1, the generation is
	 * member->generation_seen or changed only for others, and the deadline
	 * (ns of now_ns) is not reached: ERR_TIMEOUT. May return OK for no
	 * reason. count may be 0. Looks at them after it got ready to be
	 * woken: who sets one to 0 calls wake behind that (bell.h).
	 */
	status_t (*sleep)(struct channel_domain *domain,
	    struct channel_member *member, uint32_t *const *words,
	    uint32_t count, uint64_t deadline_ns);
	/*
	 * The other end of the lane may sleep on the word, which is 0 by now,
	 * or wait for its descriptor.
	 */
	void (*wake)(struct channel_domain *domain,
	    const struct lane_place *place, uint32_t *word);
	/*
	 * What a token other than that of the open allows: TOKEN_* or 0.
	 * Cached by the caller until the generation changes.
	 */
	unsigned (*rights)(struct channel_domain *domain,
	    struct channel_member *member, const struct token *token);
	/*
	 * config.pollable: becomes readable by wake and by events, and is so
	 * at first; quiet makes it unreadable.
	 */
	status_t (*descriptor)(struct channel_domain *domain,
	    struct channel_member *member, int *out_descriptor);
	void (*quiet)(struct channel_domain *domain,
	    struct channel_member *member);
	/*
	 * The edge parent -> child of the graph of channels, which this parent
	 * keeps once, until it closes or remove_dep. ERR_ARG the parent does
	 * not receive or the child does not send, ERR_STATE it would close a
	 * cycle, ERR_LIMIT, ERR_NOMEM; remove_dep: ERR_NOENT. NULL: there is no
	 * graph.
	 */
	status_t (*add_dep)(struct channel_domain *domain,
	    const struct channel_member *parent,
	    const struct channel_member *child);
	status_t (*remove_dep)(struct channel_domain *domain,
	    const struct channel_member *parent,
	    const struct channel_member *child);
	/*
	 * Where the calling thread keeps which messages it has in hand
	 * (hand.h). NULL (also the function itself): it does not.
	 */
	struct channel_hand *(*hand)(struct channel_domain *domain);
	uint64_t (*now_ns)(struct channel_domain *domain);
	/*
	 * Memory of this end only, zeroed, aligned to 64; NULL when there is
	 * none. On the slow path: opening, lanes that come and go.
	 */
	void *(*allocate)(struct channel_domain *domain, size_t size);
	void (*release)(struct channel_domain *domain, void *memory,
	    size_t size);
};

struct channel_domain {
	const struct channel_port *port;
	const uint64_t *generation;	/* written by the port or the broker */
	uint32_t cpus;			/* 1: waiting never spins */
	void	*context;
};

LINKAGE_END
