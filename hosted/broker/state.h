/* SPDX-License-Identifier: MIT */
/*
 * What the broker holds. One thread, one epoll loop; nothing here waits.
 *
 *	client		a process: one connection, one page
 *	account		what all clients of one uid hold together
 *	channel		a name, its configuration, its object of the authority
 *	member		an end of a channel, of one client
 *	lane		from a sender to a receiver; has two sides
 *	pair		two clients that share lanes; has segments
 *	segment		memory file cut into slots of one size
 *
 * A side of a lane is a piece of somebody's mapped memory: the slot is free
 * when both sides said that they left it, or are dead. What a client has to be
 * told hangs as a list of sides at the client, each at most once, so a client
 * that does not listen costs no more than its lanes. Members pay for the lanes
 * that they caused by joining, until both sides left.
 */
#pragma once

#include <lib/channel/hosted/protocol.h>

#include "list.h"
#include "policy.h"
#include "table.h"

#define NAME_BUCKETS		16384u
#define PAIR_BUCKETS		4096u
#define CLIENTS_MAX		4096u
#define OBJECTS_MAX		(1u << 18)	/* channels, of all users */
#define MEMBERS_MAX		4096u	/* of one channel */
/* Lanes whose other end is gone that one member may not have left yet. */
#define OWED_MAX		256u
#define EDGES_MAX		(1u << 17)	/* of all */
#define MEMBER_EDGES_MAX	64u
#define KEPT_NS			60000000000ul	/* a successor has so long */

struct account {
	struct list in_broker;
	uid_t	 uid;
	uint32_t references;
	struct policy_limits used;
};

struct broker {
	struct policy *policy;
	struct graph *graph;		/* of the numbers in channel_entry */
	void	*graph_memory;
	uint64_t edges;
	struct token_authority *authority;
	void	*authority_memory;
	uint64_t name_seed;
	struct list names[NAME_BUCKETS];	/* of channels */
	struct list objects[NAME_BUCKETS];	/* the same, by object */
	struct list pairs[PAIR_BUCKETS];
	struct list accounts, clients;
	struct list dirty;		/* clients whose page is to advance */
	struct list dead;		/* clients to be freed */
	struct table channels, members, lanes, segments;
	uint64_t last_client, last_pool;
	uint32_t client_count, pool_count;
	uint64_t refused, malformed;
	int	 epoll, listener;
	bool	 blocked;		/* somebody could not be sent to */
	bool	 ending;		/* nothing is kept any more */
	uint32_t waiting;		/* dead clients with kept members */
};

struct client {
	struct list in_broker, dirty, dead;
	struct broker *broker;
	uint64_t number;	/* never used again */
	int	 socket;
	int	 process;	/* descriptor that tells its end; -1: unknown */
	uint32_t pid;
	struct policy_subject subject;
	struct policy_limits limits;
	struct account *account;
	struct broker_page *page;
	int	 page_file;		/* until HELLO */
	int	 watched_file;		/* until its answer is sent; -1 */
	struct list members;
	struct list news;		/* sides to be told about; cut first */
	struct list revoked;		/* members to be told about */
	uint32_t unread;		/* events sent, not acknowledged */
	bool	 greeted, is_dead, can_write;
	/* Dead, and its kept members wait for a successor until then. */
	uint64_t waits_until_ns;	/* 0: not so */
	uint32_t interest;		/* EPOLL* */

	/* The one answer that could not be sent yet. */
	struct broker_packet answer;
	size_t	 answer_length;		/* 0: none */
	int	 answer_file[BROKER_DESCRIPTORS];
	unsigned answer_files;
};

struct channel_entry {
	struct list in_bucket, in_objects;
	uint64_t number, object;
	uint32_t place;			/* in the graph */
	char	 name[CHANNEL_NAME_MAX + 1];
	struct channel_config config;
	uid_t	 creator;
	uint32_t creator_pid;
	struct account *account;
	struct list members;
	uint32_t member_count, receivers, lanes;
	bool	 linked;
	uint64_t creator_member;
};

struct segment;

/* Buffers of a sender; its lanes hold it, too: others may still read them. */
struct pool {
	struct broker *broker;
	struct account *account;	/* who pays */
	int	 file;
	uint64_t number, size;
	uint32_t references;
};

struct member {
	struct list in_channel, in_client, revoked;
	uint64_t number;
	struct channel_entry *channel;
	struct client *client;
	unsigned role;
	uint64_t groups;
	struct token token;
	struct list sides;
	uint32_t owed;		/* sides whose other end is gone */
	bool	 connected;	/* others know it */
	bool	 is_revoked;
	bool	 kept;		/* outlives its client, for a while */
	struct pool *pool;	/* NULL: none */
	struct segment *statistics;
	uint32_t statistics_slot;
	uint32_t edge_count;
	uint64_t *edge;		/* channels that handling a message may call */
};

enum side_state {
	SIDE_NEW,	/* to be told that the lane is there */
	SIDE_LATE,	/* the same, then that the other end is gone */
	SIDE_KNOWN,	/* the client may have it mapped */
	SIDE_GONE,	/* to be told that the other end is gone */
	SIDE_OWED,	/* was told; has not left yet */
	SIDE_LEFT,
};

#define LANE_SENDER	0u
#define LANE_RECEIVER	1u

struct lane_side {
	struct list in_member, news;
	struct lane *lane;
	struct member *member;	/* NULL: left */
	enum side_state state;
	bool	 told;		/* the client could use the lane */
	int	 bell;		/* -1: none, or given */
};

struct lane {
	uint64_t number;
	struct broker *broker;
	uint32_t size;		/* what it needs, bytes */
	struct lane_side side[2];
	struct segment *segment;
	uint32_t slot;
	struct account *account;	/* who pays */
	struct pool *pool;		/* of the sender; NULL: none */
	uint64_t peer, identity;	/* the sender, when it left */
	uint32_t trust;
	bool	 cut;	/* because the other end was revoked */
};

/* By number: a pair outlives its clients until both sides left all slots. */
struct pair {
	struct list in_bucket;
	uint64_t low, high;	/* clients; low = 0: memory of `high` alone */
	struct list segments;
};

struct segment {
	struct list in_pair;
	struct pair *pair;
	struct broker *broker;
	uint64_t number;
	int	 file;
	uint64_t size;
	uint32_t slot_size, slots, used, hint;
	struct account *account;
	uint64_t map[];		/* bits of slots in use */
};

/* account.c */
struct account *account_take(struct broker *broker, uid_t uid);
void account_put(struct account *account);
/* ERR_LIMIT, nothing charged. `field` is one of struct policy_limits. */
status_t account_charge(uint64_t *used, uint64_t limit, uint64_t amount);

/* segment.c: memory. */
int memory_create(const char *name, uint64_t size);
struct pair *pair_find(struct broker *broker, uint64_t left, uint64_t right);
/* Drops the pair if nothing is left in it. */
void pair_put(struct pair *pair);
/*
 * A zeroed slot; `payer` is charged if a new segment has to be made. ERR_LIMIT,
 * ERR_NOMEM, ERR_FULL no descriptor.
 */
status_t segment_carve(struct pair *pair, uint32_t slot_size,
    struct client *payer, struct segment **out_segment, uint32_t *out_slot);
/* For a moment, to write to it. NULL: cannot be mapped. */
struct slot_view {
	void	*base;
	uint64_t size;
};
void *slot_map(const struct segment *segment, uint32_t slot,
    struct slot_view *view);
void slot_unmap(const struct slot_view *view);
/* Zeroes the slot; frees segment and pair behind the last one. */
void segment_release(struct segment *segment, uint32_t slot);

/* member.c: channels, members, lanes. */
struct channel_entry *entry_find(struct broker *broker, const char *name);
struct channel_entry *entry_of(struct broker *broker, uint64_t object);
status_t entry_make(struct client *client, const struct broker_join *join,
    const struct channel_config *config, struct channel_entry **out_channel);
/* Frees it if it has no members any more. */
void entry_put(struct broker *broker, struct channel_entry *channel);
status_t member_make(struct client *client, struct channel_entry *channel,
    const struct broker_join *join, const struct token *token,
    struct member **out_member);
/* Lanes to and from all others; on an error to none. */
status_t member_connect(struct member *member);
/* Nobody can get to write its pool any more, and others may know the member. */
status_t member_share_pool(struct member *member);
/* A kept one is known to others from here on; again: OK. */
status_t member_enter(struct member *member);
void member_close(struct member *member);
/*
 * To the client of its successor, which is told of all lanes again; the client
 * before may be alive still.
 */
void member_move(struct member *member, struct client *to);
/* The side's client does not use its memory any more. */
void side_leave(struct lane_side *side);
/* Ends what was done by the token that was revoked. */
void member_revoke(struct member *member);

/* edge.c */
/*
 * Whoever handles a message of `parent` may wait for `child`. ERR_STATE. OK if
 * the parent has that edge already.
 */
status_t member_depend(struct member *parent, struct member *child);
/* ERR_NOENT: this parent has no such edge. */
status_t member_remove_depend(struct member *parent,
    const struct member *child);
void member_forget_edges(struct member *member);

/* client.c */
struct client *client_make(struct broker *broker, int socket);
/* In epoll, for the end of the process, beside the client itself. */
void *client_end_mark(struct client *client);
/* The client, if `what` is its mark; else NULL. */
struct client *client_ended(void *what);
void client_kill(struct client *client);	/* freed by clients_bury */
void clients_bury(struct broker *broker);
/* Ends dead clients whose members nobody resumed in time. */
void clients_expire(struct broker *broker);
/* Nobody waits any more. */
void clients_end(struct broker *broker);
/* Something is to be told to the client. */
void client_touch(struct client *client);
/* The client has not to be told any more what may have been held back. */
void client_untell(struct client *client);
/* Tells what there is to tell, then advances and wakes the pages. */
void clients_tell(struct broker *broker);
/* Sends the answer now or, if the socket is full, later. */
void client_answer(struct client *client);
/* The socket takes more. */
void client_writable(struct client *client);

/* request.c: handles one packet. */
void request_handle(struct client *client, const void *bytes, size_t length);

/* server.c */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
