/* SPDX-License-Identifier: MIT */
/*
 * Notification: 64 bits that signals set, a count of signals, and a list of
 * events that have fired.
 *
 * WAIT_BITS takes the word; WAIT_COUNT waits until the count moves, so several
 * waiters on one condition lose no wake-up: each reads the count, checks its
 * condition, then waits for the count to differ.
 *
 * A notification can be bound to one thread: a signal then also ends that
 * thread's wait on an endpoint.
 *
 * Event sources (an end of an event pair, a death record, a held call) point
 * to a notification. A source is idle, fired (listed) or taken. It becomes
 * idle again only when its owner resolves it.
 */
#pragma once

#include <kernel/core/list.h>
#include <kernel/core/lock.h>
#include <kernel/object/object.h>

struct thread;

struct notification {
	struct object	object;
	uint64_t	word;		/* atomic */

	struct lock	lock;		/* guards the rest */
	uint64_t	count;
	struct list	waiters;	/* of struct thread */
	struct thread	*bound;
	struct list	fired, taken;	/* of struct event */
};

#define EVENT_IDLE	0u
#define EVENT_FIRED	1u
#define EVENT_TAKEN	2u

struct event {
	struct notification *notification;	/* set once; reference */
	struct list	link;		/* notification.lock guards the rest */
	uint64_t	bits, badge;
	uint8_t		kind;		/* EVENT_* of the ABI; constant */
	uint8_t		state;
};

status_t notification_create(struct container *container,
    struct notification **out_notification);
void notification_signal(struct notification *notification, uint64_t bits);
/* Blocks the current thread or sets its result registers. */
status_t notification_wait(struct thread *thread,
    struct notification *notification, unsigned mode, uint64_t seen,
    uint64_t deadline_ns);
/* Takes a thread blocked on a notification off it; false if it is not there. */
bool notification_unblock(struct thread *thread);
status_t notification_bind(struct notification *notification,
    struct thread *thread);
void notification_unbind(struct thread *thread);
status_t notification_next_event(struct notification *notification,
    uint64_t *out_kind, uint64_t *out_badge);
void notification_rearm(struct notification *notification);

void event_init(struct event *event, unsigned kind);
/* Once per source; again only to change bits and badge. */
status_t event_bind(struct event *event, struct notification *notification,
    uint64_t bits, uint64_t badge);
void event_fire(struct event *event);
/* The same in two halves: list it (under the lock of what it tells about), then
 * signal the bits that this returned (without that lock). */
uint64_t event_mark(struct event *event);
void event_signal(struct event *event, uint64_t bits);
void event_resolve(struct event *event);
/* Resolve and drop the reference: the source is going away. */
void event_detach(struct event *event);
