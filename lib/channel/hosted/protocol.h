/* SPDX-License-Identifier: MIT */
/*
 * What a process and bennu-broker say to each other.
 *
 * A Unix SEQPACKET socket carries packets of fixed layout: a head, then a body
 * whose size its kind fixes. A process sends requests, one at a time, each with
 * a number; the broker answers with the same kind and number. Events come from
 * the broker at any time. Memory travels as descriptors beside a packet:
 *
 *	packet			descriptors
 *	answer to HELLO		page of the process
 *	answer to CREATE, OPEN,
 *	RESUME			segment of its statistics page; its pool, if
 *				pool_size > 0
 *	answer to WATCH		segment, read-only, if there was one
 *	event LANE		segment; pool, if pool_size > 0 and the lane
 *				comes in; bell, if the channel is pollable
 *
 * An event carries its segment each time, so neither side has to know what the
 * other has mapped. At most BROKER_WINDOW events are on their way to a process
 * that has not acknowledged them (ACK, which has no answer, nor has DROP).
 *
 * Both sides check all that they receive with the functions below, which copy
 * nothing that they have not checked. What only a table can tell (does this
 * number exist, is it yours) is left to the caller.
 */
#pragma once

#include <lib/channel/channel.h>
#include <lib/channel/hosted/list.h>

#define BROKER_VERSION		3u
#define BROKER_WINDOW		32u
#define BROKER_DESCRIPTORS	3u	/* beside a packet, at most */

/* Limits of what any policy can allow. */
#define BROKER_MESSAGE_MAX	(64u << 20)	/* bytes */
#define BROKER_BUFFER_MAX	(64u << 20)
#define BROKER_BUFFERS_MAX	65536u
#define BROKER_BATCH_MAX	65536u

enum broker_kind {
	BROKER_HELLO = 1,	/* first: version */
	BROKER_CREATE,		/* join */
	BROKER_OPEN,		/* join, without config */
	BROKER_CLOSE,		/* member */
	BROKER_MAPPED,		/* member: its pool is mapped now, or it is
				 * kept and its owner has committed that */
	BROKER_DROP,		/* this side uses a lane no more; no answer */
	BROKER_ACK,		/* count: so many events were read; no answer */
	BROKER_MINT,		/* token for a name, as the policy allows */
	BROKER_DERIVE,		/* narrower token */
	BROKER_REVOKE,		/* all tokens of the object; a new one */
	BROKER_RIGHTS,		/* what a token allows now */
	BROKER_DEPEND,		/* edge of the channel graph */
	BROKER_LIST,		/* channels from a place of the table on */
	BROKER_TOTALS,		/* what the broker holds */
	BROKER_WATCH,		/* statistics of processes, one after another */
	BROKER_REMOVE_DEPEND,	/* the edge goes again */
	BROKER_RESUME,		/* a kept member of a dead process */
	BROKER_KINDS,

	BROKER_EVENT_LANE = 64,
	BROKER_EVENT_GONE,	/* the peer of a lane closed, dropped it, died */
	BROKER_EVENT_REVOKED,	/* the token of a member */
	BROKER_EVENT_END,
};

struct broker_head {
	uint32_t kind;
	uint32_t status;	/* answers: status_t; else 0 */
	uint64_t number;	/* of the request; 0 in events */
};

#define BROKER_ZERO_COPY	0x1u
#define BROKER_POLLABLE		0x2u

struct broker_config {
	uint8_t	 type, overflow, serializer;
	uint8_t	 flags;		/* BROKER_ZERO_COPY, BROKER_POLLABLE */
	uint32_t message_max, buffer_size, buffers, batch;
	uint32_t zero;
	uint64_t schema, spin_ns;
};

struct broker_join {
	char	 name[CHANNEL_NAME_MAX + 1];
	struct broker_config config;	/* CREATE; zeroes in OPEN */
	uint32_t role, serializer;
	uint64_t schema, groups;
	uint32_t has_token;
	uint32_t kept;			/* 1: the member outlives its process */
	struct token token;
};

struct broker_joined {
	uint64_t member, channel, identity;
	uint32_t trust, rights;
	uint64_t pool_size;		/* bytes; 0: none */
	uint64_t segment, segment_size;	/* its page of statistics is there */
	uint64_t offset;		/* bytes; multiple of STATISTICS_PAGE */
	struct broker_config config;
	struct token token;
};

struct broker_token {
	char	 name[CHANNEL_NAME_MAX + 1];	/* MINT */
	struct token token;			/* the others */
	uint32_t rights, trust;			/* wanted; of the answer */
	uint32_t holder, zero;			/* DERIVE: who gets it */
};

struct broker_drop {
	uint64_t member, lane;
};

/* Who knows both, and is the same user, is the successor. */
struct broker_resume {
	uint64_t member;
	struct token token;		/* of the member */
	uint32_t role, zero;
};

struct broker_edge {
	uint64_t parent, child;		/* members: who receives, who sends */
};

struct broker_lane {
	uint64_t member;		/* whose event it is */
	uint64_t lane;
	uint64_t peer;			/* member at the other end */
	uint64_t segment;		/* number, for the mapping */
	uint64_t segment_size, offset;	/* bytes */
	uint64_t pool;			/* number; of the lane's sender */
	uint64_t pool_size;		/* 0: none */
	uint64_t groups;		/* of the lane's receiver */
	uint64_t identity;		/* session identity of the peer */
	uint32_t trust;			/* of the peer */
	uint8_t	 out;			/* 1: the member sends */
	uint8_t	 has_bell;
	uint8_t	 revoked;		/* GONE: because its token was */
	uint8_t	 zero;
};

/* Pages of STATISTICS_PAGE bytes (lib/channel/statistics.h), to be read. */
struct broker_packet {
	struct broker_head head;
	union {
		uint64_t value;		/* HELLO, CLOSE, MAPPED, ACK, LIST, WATCH,
					 * EVENT_REVOKED: member */
		struct broker_join join;
		struct broker_joined joined;
		struct broker_token token;
		struct broker_drop drop;
		struct broker_resume resume;
		struct broker_edge edge;
		struct broker_lane lane;
		struct broker_list list;
		struct broker_watched watched;
		struct broker_totals totals;
	};
};

/* Shared with the process, written by the broker only. */
struct broker_page {
	uint64_t generation;	/* its low half is a futex word */
	/*
	 * 1: revocations are not sent yet, because the process has not read
	 * what came before them. Set before the generation advances for them,
	 * cleared behind the last one; the generation advances then, too.
	 */
	uint32_t held;
	uint32_t zero;
};

/* The whole packet's length, 0 for a kind that does not exist. */
size_t broker_request_length(uint32_t kind);
size_t broker_answer_length(uint32_t kind, uint32_t status);

/*
 * Checks `length` bytes that came from the other side, and copies them to
 * *out_packet. ERR_ARG: no such kind, wrong length, a field out of range.
 */
status_t broker_check_request(const void *bytes, size_t length,
    struct broker_packet *out_packet);
/* Answers and events. */
status_t broker_check_answer(const void *bytes, size_t length,
    struct broker_packet *out_packet);

bool broker_name_ok(const char name[CHANNEL_NAME_MAX + 1]);
/* ERR_ARG a field that cannot be; *out_config has defaults filled in. */
status_t broker_config_read(const struct broker_config *wire,
    struct channel_config *out_config);
void broker_config_write(const struct channel_config *config,
    struct broker_config *out_wire);
