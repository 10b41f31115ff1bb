/* SPDX-License-Identifier: MIT */
/*
 * The roster: who is a member of which channel, and which lanes join them. It is
 * the state of the broker of Bennu (services/broker), in an arena: every
 * operation is part of one transaction of the caller and can be done again by
 * the next incarnation. No system calls; memory and bells are handles that the
 * environment understands.
 *
 *	client		a session: one thread or process, one bell
 *	channel		a name, its configuration, its object of the authority
 *	member		an end of a channel, of one client
 *	lane		from a sender to a receiver; has two sides
 *
 * Events are not queued: each side remembers what it was told, as in the private
 * port (lib/channel/private_host.c), so no event needs memory, and one is told
 * once because the mark is made in the transaction that answers.
 *
 * The authority of the tokens and the channel graph are lib/token and
 * lib/channel/graph in ordinary memory. They are made anew from the arena when
 * they do not agree with it: after a restart and after an aborted transaction.
 *
 * Errors of all functions: ERR_NOMEM the arena or its log is full; the caller
 * aborts the transaction. Everything refused changed nothing but the shadow.
 *
 * Thread safety: none, one thread.
 */
#pragma once

#include <idl/channel.h>
#include <lib/arena/arena.h>
#include <lib/channel/channel.h>
#include <lib/token/token.h>

#define ROSTER_CLIENTS		64u
#define ROSTER_CHANNELS		256u	/* at once */
#define ROSTER_MEMBERS		48u	/* of a channel */
#define ROSTER_EDGES		1024u
#define ROSTER_CLIENT_MEMBERS	256u
#define ROSTER_FIRST		(1ul << 16)	/* numbers begin here */
/* Bytes of lanes and pools that all members of a client may cause. */
#define ROSTER_CLIENT_BYTES	(64ul << 20)

struct roster_client {
	struct arena_list all, members;
	uint64_t number;
	uint64_t bell, bits;	/* of the environment */
	uint64_t session;	/* of the shell */
	uint64_t place;		/* who connected */
	uint64_t bytes;		/* of lanes and pools that it caused */
	uint32_t slot, member_count;
	unsigned trust;
	bool	 gone;		/* is taken apart step by step, but for what is
				 * kept: that waits with it */
};

struct roster_channel {
	struct arena_list all, members;
	uint64_t number, object;
	uint64_t creator;	/* member */
	uint64_t place;
	uint32_t member_count, receivers, lanes, edges;
	bool	 named;		/* until its creator leaves */
	char	 name[CHANNEL_NAME_MAX + 1];
	struct channel_config config;
};

/* Buffers of a sender; its lanes hold it, too: others may still read them. */
struct roster_pool {
	uint64_t memory;
	uint64_t payer, bytes;		/* client */
	uint32_t references;
};

struct roster_member {
	struct arena_list all, in_channel, in_client, sides, edges;
	struct roster_channel *channel;
	struct roster_client *client;
	uint64_t number;
	uint64_t groups;
	uint64_t statistics;		/* memory */
	struct roster_pool *pool;	/* NULL: none */
	struct token token;
	unsigned role;
	bool	 kept;		/* outlives its client, for the next one's resume,
				 * if it has entered */
	bool	 entered;	/* has its lanes; those not kept: at once */
	bool	 revoked, revoked_told;
};

struct roster_side {
	struct arena_list in_member;
	struct roster_member *member;	/* NULL: left */
	struct roster_lane *lane;
	bool	 told;		/* that the lane is there */
	bool	 gone, gone_told;	/* the other side */
	bool	 cut;		/* because its token was revoked */
};

#define ROSTER_SENDER		0u
#define ROSTER_RECEIVER		1u

struct roster_lane {
	struct roster_side side[2];
	struct roster_channel *channel;
	struct roster_pool *pool;	/* of the sender; NULL: none */
	uint64_t number, memory;
	uint64_t member[2];		/* numbers */
	uint64_t groups;		/* of the receiver */
	uint64_t payer, bytes;		/* client */
	unsigned trust[2];
};

struct roster_edge {
	struct arena_list in_member;
	uint64_t child;			/* number of a channel */
};

struct roster_root {
	uint8_t	 key[16];
	uint64_t version;		/* of all that is shadowed */
	uint64_t numbers;		/* given so far */
	uint64_t lanes, edges;
	struct arena_list clients, channels, members;
	struct arena_map *by_number[3];	/* clients, members, lanes */
	bool	 slot_used[ROSTER_CLIENTS];
	uint64_t object_word[ROSTER_CHANNELS];
};

struct roster_environment {
	/* Of a place whose container pays; a multiple of a page. */
	status_t (*memory_create)(void *context, uint64_t size,
	    uint64_t *out_memory);
	/* Makes the rings of a lane (lane_format) in new memory. */
	status_t (*lane_format)(void *context, uint64_t memory,
	    const struct channel_config *config);
	/* After the commit. */
	status_t (*drop)(void *context, uint64_t handle);
	/* Advances the client's generation now, rings its bell after the commit. */
	status_t (*post)(void *context, const struct roster_client *client);
	void	*context;
};

struct roster {
	struct arena *arena;
	struct roster_root *root;
	struct roster_environment environment;
	uint64_t nonce;			/* first one of this incarnation */

	/* The shadow, in ordinary memory. */
	uint64_t version;		/* of the root that it agrees with */
	struct token_authority *authority;
	struct graph *graph;
	uint32_t graph_place[ROSTER_CHANNELS];	/* by index of the object */

	/* The operation that runs. */
	status_t failed;		/* the arena is full */
	bool	 posted[ROSTER_CLIENTS];
};

/* In the transaction that makes the arena; the root is zeroed. */
status_t roster_create(struct roster *roster, const uint8_t key[16]);
/* Before anything else in each transaction. ERR_NOMEM: no shadow. */
status_t roster_begin(struct roster *roster);

status_t roster_connect(struct roster *roster, uint64_t bell, uint64_t bits,
    struct roster_client **out_client);
/* NULL: no such client, or it is gone. */
struct roster_client *roster_client(const struct roster *roster,
    uint64_t number);
/*
 * Its session ended; the handle of that is the caller's, the bell goes with the
 * client. What it was a member of ends in steps, one transaction each: true
 * while there is more. Kept members stay, and may get lanes and messages, until
 * another client of the place resumes them, or opens their channel anew.
 */
status_t roster_gone(struct roster *roster, struct roster_client *client);
bool roster_bury(struct roster *roster, status_t *out_status);

/* Of a client; NULL: not its. */
struct roster_member *roster_member(const struct roster *roster,
    const struct roster_client *client, uint64_t number);
status_t roster_create_channel(struct roster *roster,
    struct roster_client *client, const struct channels_join *join,
    struct roster_member **out_member);
status_t roster_open_channel(struct roster *roster,
    struct roster_client *client, const struct channels_join *join,
    struct roster_member **out_member);
/* A kept member gets its lanes; again: OK. */
status_t roster_enter(struct roster *roster, struct roster_member *member);
/*
 * Moves a kept member of an earlier client of the same place, whose token is
 * proof, to this one; it is told of all its lanes again. ERR_NOENT no such
 * member, ERR_RIGHT not its, ERR_ARG bits of the bell that peers do not know.
 */
status_t roster_resume(struct roster *roster, struct roster_client *client,
    uint64_t number, const struct token *token,
    struct roster_member **out_member);
void roster_describe(const struct roster *roster,
    const struct roster_member *member, struct channels_joined *out_joined);
status_t roster_close(struct roster *roster, struct roster_member *member);

struct roster_event {
	unsigned kind;			/* CHANNELS_EVENT_* */
	const struct roster_side *side;	/* own one; NULL: REVOKED, NONE */
};
status_t roster_next_event(struct roster *roster, struct roster_member *member,
    struct roster_event *out_event);
/* The own side of a lane; NULL: not of this member, or it left. */
struct roster_side *roster_side(const struct roster *roster,
    const struct roster_member *member, uint64_t lane);
status_t roster_drop(struct roster *roster, struct roster_side *side);

static inline unsigned
roster_end(const struct roster_side *side)
{
	return side == &side->lane->side[ROSTER_SENDER] ? ROSTER_SENDER :
	    ROSTER_RECEIVER;
}

static inline struct roster_side *
roster_other(const struct roster_side *side)
{
	return &side->lane->side[!roster_end(side)];
}

/* tokens.c */
status_t roster_mint(struct roster *roster, const struct roster_client *client,
    const char *name, const struct token_grant *wanted,
    struct token *out_token);
status_t roster_derive(struct roster *roster, const struct token *parent,
    const struct token_grant *grant, struct token *out_token);
/* Members of the client go on with new tokens. *token is a new one then. */
status_t roster_revoke(struct roster *roster,
    const struct roster_client *client, struct token *token);
unsigned roster_rights(const struct roster *roster,
    const struct roster_member *member, const struct token *token);
status_t roster_depend(struct roster *roster, struct roster_member *parent,
    struct roster_member *child);

/* The first behind a number; NULL: there is none. */
const struct roster_channel *roster_channel_after(const struct roster *roster,
    uint64_t number);
const struct roster_member *roster_member_after(const struct roster *roster,
    uint64_t number);

/* Walks everything; true if all is consistent. */
bool roster_ok(const struct roster *roster);
