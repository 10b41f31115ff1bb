/* SPDX-License-Identifier: MIT */
/*
 * Inside of the hosted port: the connection, what is mapped, who waits for
 * which events. All of it is guarded by hosted.lock, except where it says else.
 */
#pragma once

#include <lib/channel/hosted/depend.h>
#include <lib/channel/hosted/protocol.h>

#include <pthread.h>
#include <sys/types.h>

#define LINK_BUCKETS		1024u	/* of mappings */
#define LINK_MEMBER_BUCKETS	65536u
#define LINK_ACK_AFTER		(BROKER_WINDOW / 2)

struct mapping {		/* a segment or somebody's pool */
	struct mapping *next;
	uint64_t number;
	uint8_t	*base;
	size_t	 size;
	uint32_t references;
};

struct mapping_table {
	struct mapping *bucket[LINK_BUCKETS];
};

struct hosted_lane {
	struct hosted_lane *next;	/* of the member */
	uint64_t number, peer;
	struct mapping *segment, *pool;
	void	*memory;		/* in the segment */
	int	 bell;			/* -1: none; constant */
};

struct hosted_event {
	struct hosted_event *next;
	struct broker_packet packet;
	unsigned files;
	int	 file[BROKER_DESCRIPTORS];
};

struct event_queue {
	struct hosted_event *first, **end;
};

struct hosted_member {
	struct hosted_member *next;	/* of its bucket */
	struct hosted *hosted;		/* constant */
	uint64_t number, object;	/* constant */
	uint64_t seen;			/* generation without an event; by its
					 * thread only */
	struct channel_config config;	/* constant */
	struct event_queue events;
	struct hosted_lane *lanes;
	struct mapping *statistics;
	void	*pool;			/* own; constant */
	size_t	 pool_size;
	int	 poll, knock;		/* -1: not asked for */
};

struct hosted {
	struct channel_domain domain;	/* first; constant */
	const struct broker_page *page;	/* constant */
	pid_t	 process;		/* constant */
	bool	 has_waitv;		/* constant */

	pthread_mutex_t lock;
	int	 socket;
	bool	 is_cut;
	bool	 joining;	/* events may be for a member to come */
	uint64_t last_request;
	uint32_t unacknowledged;
	struct event_queue early;
	struct hosted_member *members[LINK_MEMBER_BUCKETS];
	struct mapping_table segments, pools;
};

static inline struct hosted *
hosted_of(struct channel_domain *domain)
{
	return (struct hosted *)domain;
}

static inline void
event_queue_clear(struct event_queue *queue)
{
	queue->first = NULL;
	queue->end = &queue->first;
}

/* link.c */
struct link_files {
	unsigned count;
	int	 file[BROKER_DESCRIPTORS];	/* owned by who asked */
};
/*
 * Sends the request in *packet and waits for the answer, which takes its place.
 * out_files may be NULL. The status of the answer, or ERR_GONE.
 */
status_t link_call(struct hosted *hosted, struct broker_packet *packet,
    struct link_files *out_files);
/* The same, for who does not hold the lock. */
status_t link_call_locked(struct hosted *hosted, struct broker_packet *packet,
    struct link_files *out_files);
/* Without an answer. */
void link_tell(struct hosted *hosted, struct broker_packet *packet);
/* Reads the events that are there, and gives them to their members. */
void link_drain(struct hosted *hosted);
/* Early events of this member become its own; all others are forgotten. */
void link_adopt(struct hosted *hosted, struct hosted_member *member);
/* An event's descriptors, and itself. */
void link_event_free(struct hosted_event *event);
struct hosted_member *link_member(struct hosted *hosted, uint64_t number);
struct hosted_member **link_bucket(struct hosted *hosted, uint64_t number);
void link_files_close(struct link_files *files);

/* mapping.c: `file` is closed in any case. NULL: cannot be mapped. */
struct mapping *mapping_take(struct mapping_table *table, uint64_t number,
    size_t size, int file, bool writable);
void mapping_put(struct mapping_table *table, struct mapping *mapping);

/* wait.c: entries of the port, and the bells of a pollable member. */
status_t hosted_sleep(struct channel_domain *domain,
    struct channel_member *member, uint32_t *const *words, uint32_t count,
    uint64_t deadline_ns);
void hosted_wake(struct channel_domain *domain, const struct lane_place *place,
    uint32_t *word);
status_t hosted_descriptor(struct channel_domain *domain,
    struct channel_member *member, int *out_descriptor);
void hosted_quiet(struct channel_domain *domain,
    struct channel_member *member);
uint64_t hosted_now_ns(struct channel_domain *domain);
bool wait_has_waitv(void);
/* For the broker to go on behind this generation; may return before. */
void wait_broker(const struct hosted *hosted, uint64_t generation);
void wait_add_bell(struct hosted_member *member, int bell);
void wait_remove_bell(struct hosted_member *member, int bell);

/* ask.c */
status_t hosted_remove_dep(struct channel_domain *domain,
    const struct channel_member *parent, const struct channel_member *child);

/* event.c */
status_t hosted_next_event(struct channel_domain *domain,
    struct channel_member *member, struct channel_event *out_event);
void hosted_drop_lane(struct channel_domain *domain,
    struct channel_member *member, struct lane_place *place);
void lane_release(struct hosted_member *member, struct hosted_lane *lane);

extern const struct channel_port hosted_port;
