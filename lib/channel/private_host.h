/* SPDX-License-Identifier: MIT */
/* Inside of the private port: see private_host.c. */
#pragma once

#include <lib/channel/lane.h>
#include <lib/channel/port.h>

#include <pthread.h>

struct bell {
	uint32_t word;
	uint32_t references;	/* lock */
	int	 descriptor;	/* -1: not pollable */
};

/* Buffers of a sender; others still read them when it is gone. */
struct buffers {
	void	*memory;
	uint32_t references;	/* lock */
};

struct member;

/* One end of a lane, as its member sees it. */
struct side {
	struct side *next;	/* of the member */
	struct lane *lane;
	struct member *member;	/* NULL: dropped */
	struct bell *other_bell;
	bool	 sends;
	bool	 told;		/* that the lane is there */
	bool	 gone, gone_told;	/* the other side */
	bool	 revoked;	/* that is why */
};

struct lane {
	struct side side[2];	/* sender, receiver */
	void	*memory;
	struct buffers *buffers;	/* of the sender, or NULL */
	uint64_t number[2];	/* of the members */
	uint64_t own_number;
	unsigned trust[2];
	uint64_t identity[2];
	uint64_t groups;
};

struct private_edge;
struct graph;

struct member {
	struct member *next;	/* of the channel */
	struct private_channel *channel;
	struct side *sides;
	struct bell *bell;
	struct token token;
	uint64_t identity;
	struct buffers *buffers;	/* or NULL */
	struct private_edge *edges;	/* what its channel leads to, by it */
	struct statistics_page *statistics;
	uint64_t number;
	uint64_t groups;
	unsigned role, trust;
	bool	 creator;
	bool	 kept;		/* can be resumed */
	bool	 revoked, revoked_told;
	uint32_t pending;	/* events; read without the lock */
};

struct private_channel {
	struct private_channel *next;	/* of the domain */
	struct member *members;
	struct channel_config config;
	uint64_t number, object;
	char	 name[CHANNEL_NAME_MAX + 1];
	bool	 named;		/* until its creator leaves */
	bool	 placed;	/* in the graph, at `place` */
	uint32_t place;
};

struct private_domain {
	struct channel_domain base;
	struct token_authority *authority;

	pthread_mutex_t lock;		/* guards all below */
	struct private_channel *channels;
	uint64_t members, numbers;	/* made so far */
	struct graph *graph;		/* NULL: no edge yet */
	void	*graph_memory;
	uint32_t graph_channels;	/* it has room for */
	uint64_t generation;		/* read without it */
};

void *private_allocate(struct channel_domain *domain, size_t size);

/* private_lane_host.c. All but the bell are called with the lock held. */
/* One reference, the caller's; NULL: no memory or descriptor. */
struct bell *private_bell_create(bool pollable);
void private_bell_release(struct bell *bell);
/* Behind what it is about. */
void private_bell_ring(struct bell *bell);
/* Something happened to the member. */
void private_post(struct private_domain *domain, struct member *member);
struct buffers *private_buffers_create(struct private_domain *domain,
    const struct channel_config *config);
/* Both are told. ERR_NOMEM */
status_t private_lane_create(struct private_domain *domain,
    struct member *sender, struct member *receiver);
/* This side is done with it; the lane goes with the second one. */
void private_side_drop(struct private_domain *domain, struct side *side);
/* Drops all sides and frees the member. */
void private_member_leave(struct private_domain *domain,
    struct member *member);

/* private_graph_host.c: entries of the port; the others hold the lock. */
status_t private_add_dep(struct channel_domain *domain,
    const struct channel_member *parent, const struct channel_member *child);
status_t private_remove_dep(struct channel_domain *domain,
    const struct channel_member *parent, const struct channel_member *child);
/* The edges of a member that leaves. */
void private_edges_leave(struct private_domain *domain, struct member *member);
/* All edges to a channel without members; it is still in the domain. */
void private_place_leave(struct private_domain *domain,
    struct private_channel *channel);
