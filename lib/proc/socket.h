/* SPDX-License-Identifier: MIT */
/*
 * Where local sockets meet (docs/design/sockets.md): names, connections that
 * wait to be accepted, and parcels, which hold what is passed along with bytes.
 *
 * A pure state machine in the arena, as proc.h is: functions that change it run
 * in a transaction and return 0 or an E_* code, after which the caller aborts.
 * Capabilities are numbers here, kept by the shell, which is told when one is
 * not needed any more.
 *
 * What ends may hold thousands of things. It is out of all tables at once, and
 * taken apart in steps (sockets_work).
 */
#pragma once

#include <idl/socket.h>
#include <lib/arena/tree.h>
#include <lib/proc/proc.h>

#define SOCKETS_BOUND_MAX	8192u
#define SOCKETS_WAITING_MAX	8192u	/* connections, of all */
#define SOCKETS_PARCELS_MAX	4096u
#define SOCKETS_ENTRIES_ALL	16384u	/* of all parcels */
#define SOCKETS_BACKLOG_MAX	4096u

#define SOCKET_STREAM		1u	/* SOCK_* */
#define SOCKET_DATAGRAM		2u
#define SOCKET_SEQUENCED	5u

struct socket_who {
	uint32_t pid, uid, gid;
};

struct socket_name {
	uint32_t kind;			/* SOCKETS_ABSTRACT, _NODE */
	uint32_t length;
	uint8_t	 bytes[SOCKETS_NAME_MAX];
};

struct socket_caps {
	uint64_t memory, note, end, watch;
};

/* A connection that nobody has accepted yet. */
struct socket_waiting {
	struct arena_list link;		/* in bound->waiting */
	struct socket_caps caps;
	struct socket_who who;
	struct proc_call call;		/* order 0: it was answered */
};

struct socket_bound {
	uint64_t badge;
	uint64_t session;
	uint32_t type;
	uint32_t listens;
	uint32_t backlog;
	uint32_t answered;		/* of those that wait, the first ones */
	uint32_t count;
	struct socket_who who;		/* who called listen */
	uint64_t key[2];		/* woken when a connection waits */
	struct socket_name name;
	struct socket_caps caps;	/* no end; who listens: only the note */
	struct arena_list waiting;
	struct arena_list link;		/* in table->ending */
};

struct socket_entry {
	struct arena_list link;
	uint32_t length, count;
	uint64_t cap[4];
	uint64_t end[4];		/* object number of an end, or 0 */
	uint8_t	 content[SOCKETS_CONTENT_MAX];
};

struct socket_parcel {
	struct arena_list all;		/* in table->parcels, ->ending_parcels */
	uint64_t token[2];
	struct socket_who who;
	uint64_t watch;			/* of who will get it; 0: not known */
	uint64_t receiver;		/* object number of that */
	uint32_t count;
	uint32_t reached;		/* sockets_collect() */
	struct arena_list entries;
};

struct socket_table {
	struct arena_tree *by_name;	/* struct socket_bound */
	struct arena_map *by_badge;
	struct arena_map *by_token;	/* struct socket_parcel */
	struct arena_list parcels;
	struct arena_list ending, ending_parcels;
	uint64_t next_badge;
	uint64_t next_number;		/* of automatic names */
	uint32_t waiting, entries, parcel_count;
	uint32_t parked;
};

/* What the shell does; capabilities that are dropped are deleted later. */
struct socket_port {
	void (*drop)(void *context, uint64_t cap);
	/* A connection waits: who sleeps, and who polls. */
	void (*ready)(void *context, const struct socket_bound *bound);
	/* who is NULL with an error. */
	void (*answer)(void *context, struct proc_call call, int error,
	    const struct socket_who *who);
	/* The other end of the pair of this one has no holder any more. */
	bool (*gone)(void *context, uint64_t watch);
	/* A process has the end with that object number. */
	bool (*held)(void *context, uint64_t end);
};

struct sockets {
	struct arena *arena;
	struct socket_table *table;
	const struct socket_port *port;
	void *context;
};

int sockets_start(struct sockets *sockets, uint64_t seed);
/* First thing in an incarnation, in a transaction: see proc_skip_pid(). */
int sockets_resume(struct sockets *sockets);
bool sockets_ok(const struct sockets *sockets);

/*
 * take_caps and session are the table's if this succeeds. *out_number is what
 * was chosen for SOCKETS_AUTOMATIC.
 */
int sockets_bind(struct sockets *sockets, uint32_t type,
    const struct socket_name *name, const struct socket_caps *take_caps,
    struct socket_bound **out_bound, uint64_t *out_number);
struct socket_bound *sockets_bound(const struct sockets *sockets,
    uint64_t badge);
/* Nobody has the socket any more. */
int sockets_closed(struct sockets *sockets, struct socket_bound *bound);
/* The note takes the place of an earlier one. */
struct socket_listen {
	struct socket_who who;
	uint32_t backlog;
	uint64_t note;
	uint64_t key[2];
};
int sockets_listen(struct sockets *sockets, struct socket_bound *bound,
    const struct socket_listen *in);

/* E_CONNREFUSED, E_PROTOTYPE. */
int sockets_find(const struct sockets *sockets, uint32_t type,
    const struct socket_name *name, struct socket_bound **out_bound);
/*
 * To one that listens. E_AGAIN: too many wait, and the caller does not want to;
 * *out_parked: the call is answered later.
 */
struct socket_connect {
	struct socket_bound *bound;
	struct socket_caps caps;	/* of the side that accepts */
	struct socket_who who;		/* who connects */
	struct proc_call call;
	bool	 wait;
};
int sockets_connect(struct sockets *sockets, const struct socket_connect *in,
    bool *out_parked);
/* The caller of a parked call gave up, or is dead. */
int sockets_cancel(struct sockets *sockets, struct proc_call call,
    bool *out_found);
/* The first that waits: its capabilities are the caller's. E_AGAIN. */
int sockets_accept(struct sockets *sockets, struct socket_bound *bound,
    struct socket_caps *out_caps, struct socket_who *out_who);

/* The token is random. E_TOOMANYREFS. */
int sockets_pack(struct sockets *sockets, const uint64_t token[2],
    const struct socket_who *who, uint64_t take_watch, uint64_t receiver);
struct socket_parcel *sockets_parcel(const struct sockets *sockets,
    const uint64_t token[2]);
/* entry is copied; its capabilities are the table's. */
int sockets_add(struct sockets *sockets, struct socket_parcel *parcel,
    const struct socket_entry *entry);
struct socket_entry *sockets_entry(const struct socket_parcel *parcel,
    uint32_t index);
int sockets_drop(struct sockets *sockets, struct socket_parcel *parcel);
/*
 * Drops parcels that nobody can get any more: their receiver is gone, or only
 * parcels hold it that nobody can get.
 */
int sockets_collect(struct sockets *sockets);

/* parcel.c, for socket.c */
int parcels_work(struct sockets *sockets, unsigned most);
bool parcels_ok(const struct sockets *sockets);

/* A part of what has ended; true if there is more. */
bool sockets_has_work(const struct sockets *sockets);
int sockets_work(struct sockets *sockets);
