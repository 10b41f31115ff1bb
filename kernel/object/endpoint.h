/* SPDX-License-Identifier: MIT */
/*
 * Endpoint: where calls meet servers. Reply object: a received call, kept until
 * it is answered, whoever serves it by then.
 *
 * endpoint.lock guards the endpoint, all reply objects associated with it, and
 * the IPC fields of threads that wait on either.
 *
 * A reply object is
 *	FREE	usable for the next receive
 *	CLAIMED	a receive is about to use it
 *	ARMED	a receiver waits with it
 *	HELD	it holds a call; the caller is blocked on it
 *	VOID	it held a call, but the caller is dead; an answer frees it
 * It belongs to the table that holds its capability, not to the thread that
 * received: a new incarnation reads it again.
 */
#pragma once

#include <abi/utcb.h>
#include <kernel/core/list.h>
#include <kernel/core/lock.h>
#include <kernel/object/notification.h>
#include <kernel/object/table.h>

struct thread;

#define REPLY_FREE	0u
#define REPLY_ARMED	1u
#define REPLY_HELD	2u
#define REPLY_VOID	3u
#define REPLY_CLAIMED	4u

struct endpoint {
	struct object	object;

	struct lock	lock;		/* guards the rest */
	bool		closed;
	struct list	callers;	/* threads with a queued call */
	struct list	receivers;	/* threads waiting for one */
	struct list	replies;	/* reply objects associated with it */
	uint64_t	next_order;
};

struct reply {
	struct object	object;
	struct endpoint	*endpoint;	/* reference; changes only while CLAIMED */
	struct list	link;		/* endpoint.replies */

	/* endpoint->lock guards the rest. */
	uint32_t	state;
	struct thread	*caller;	/* HELD */
	struct thread	*server;	/* ARMED: the receiver */
	uint64_t	word[8];
	uint64_t	badge;
	uint64_t	info;		/* IPC_INFO_* */
	uint64_t	order;
	struct window	windows[2];
	struct slot	caps[4];	/* derivation_lock; filled per info */
	struct event	cancel;		/* EVENT_CANCEL, badge chosen by the owner */
};

status_t endpoint_create(struct container *container,
    struct endpoint **out_endpoint);
status_t reply_create(struct container *container, uint64_t badge,
    struct notification *notification, struct reply **out_reply);
/* All callers, queued or held, get ERR_GONE, as do all later ones. */
void endpoint_close(struct endpoint *endpoint);
/* From now on calls wait for a receiver again. */
void endpoint_reopen(struct endpoint *endpoint);

/* Result of an IPC call that has set the registers itself, or blocked. */
#define STATUS_DONE	(~0ul)

/* System calls; object as in core/syscall.h. */
status_t ipc_call(struct thread *thread, void *object);
status_t ipc_reply_wait(struct thread *thread, void *object);
status_t ipc_reply_read(struct thread *thread, void *object);
status_t ipc_take_cap(struct thread *thread, void *object);
status_t ipc_window_copy(struct thread *thread, void *object);
/* Ends a receiver's wait if its bound notification has bits. */
void endpoint_deliver_bound(struct thread *receiver,
    struct notification *notification);
/* Kill: takes a thread off callers, receivers or the reply object. */
bool ipc_unblock(struct thread *thread);
/* Kick: removes a queued call (true), or flags a held one (false). */
bool ipc_cancel(struct thread *thread);
