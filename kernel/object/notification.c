/* SPDX-License-Identifier: MIT */
/*
 * Notifications and event sources.
 *
 * A signal to a thread that waits on an endpoint (bound) is delivered after
 * notification.lock was given up, because endpoint.lock comes first in the
 * order. That is safe: the word is atomic, a receiver looks at it after it is
 * queued, and endpoint_deliver_bound() looks at the queue after the word is
 * set. One of the two sees the other.
 */
#include <kernel/object/notification.h>

#include <kernel/core/panic.h>
#include <kernel/core/sched.h>
#include <kernel/object/endpoint.h>
#include <kernel/object/thread.h>
#include <kernel/object/timer.h>

status_t
notification_create(struct container *container,
    struct notification **out_notification)
{
	status_t status;
	struct object *object = object_alloc(OBJ_NOTIFICATION, container,
	    &status);

	if (object == NULL)
		return status;
	struct notification *n = (struct notification *)object;
	list_init(&n->waiters);
	list_init(&n->fired);
	list_init(&n->taken);
	*out_notification = n;
	return OK;
}

/* Lock held. Ends the wait of one thread with these results. */
static void
wake(struct thread *thread, status_t status, uint64_t word, uint64_t count)
{
	list_remove(&thread->link);
	thread->blocked_on = NULL;
	timer_node_stop(&thread->timeout);
	thread->frame.rax = status;
	thread->frame.rdi = word;
	thread->frame.rsi = count;
	thread_make_ready(thread);
}

/* Lock held. The first bits waiter gets the word, count waiters all wake. */
static void
wake_waiters(struct notification *n)
{
	struct list *node = n->waiters.next;

	while (node != &n->waiters) {
		struct thread *thread = LIST_ENTRY(node, struct thread, link);
		node = node->next;
		uint64_t word = 0;
		if (thread->notify_mode == WAIT_BITS) {
			word = __atomic_exchange_n(&n->word, 0, __ATOMIC_SEQ_CST);
			if (word == 0)
				continue;
		} else if (thread->notify_seen == n->count) {
			continue;
		}
		wake(thread, OK, word, n->count);
	}
}

void
notification_signal(struct notification *n, uint64_t bits)
{
	__atomic_or_fetch(&n->word, bits, __ATOMIC_SEQ_CST);
	lock_acquire(&n->lock);
	n->count++;
	wake_waiters(n);
	struct thread *bound = n->bound;
	/* The binding is no reference: the thread may be on its way out. */
	if (bound != NULL && !object_try_reference(&bound->object))
		bound = NULL;
	lock_release(&n->lock);
	if (bound != NULL) {
		endpoint_deliver_bound(bound, n);
		object_release(&bound->object);
	}
}

static void
timeout_expired(struct timer_node *node)
{
	struct thread *thread = LIST_ENTRY(node, struct thread, timeout);
	struct notification *n = __atomic_load_n(&thread->blocked_on,
	    __ATOMIC_ACQUIRE);

	if (n == NULL || n->object.type != OBJ_NOTIFICATION)
		return;
	lock_acquire(&n->lock);
	/* It may have been woken, and even wait anew, in the meantime. */
	if (thread->state == THREAD_BLOCKED_NOTIFY && thread->blocked_on == n &&
	    thread->timeout.deadline_ns <= arch_clock_now())
		wake(thread, ERR_TIMEOUT, 0, n->count);
	lock_release(&n->lock);
}

/* Lock held. True if the wait is over before it began. */
static bool
wait_is_over(struct thread *thread, struct notification *n, unsigned mode,
    uint64_t seen)
{
	uint64_t word = 0;

	if (mode == WAIT_POLL)
		word = __atomic_load_n(&n->word, __ATOMIC_SEQ_CST);
	else if (mode == WAIT_BITS)
		word = __atomic_exchange_n(&n->word, 0, __ATOMIC_SEQ_CST);
	thread->frame.rdi = word;
	thread->frame.rsi = n->count;
	return mode == WAIT_POLL || (mode == WAIT_BITS && word != 0) ||
	    (mode == WAIT_COUNT && seen != n->count);
}

status_t
notification_wait(struct thread *thread, struct notification *n, unsigned mode,
    uint64_t seen, uint64_t deadline_ns)
{
	if (mode > WAIT_POLL)
		return ERR_ARG;
	lock_acquire(&n->lock);
	if (wait_is_over(thread, n, mode, seen)) {
		lock_release(&n->lock);
		return OK;
	}
	status_t status = STATUS_DONE;
	if (deadline_ns != DEADLINE_NEVER &&
	    deadline_ns <= arch_clock_now())
		status = ERR_TIMEOUT;
	if (status == STATUS_DONE) {
		thread->notify_mode = mode;
		thread->notify_seen = seen;
		thread->timeout.expire = timeout_expired;
		list_append(&n->waiters, &thread->link);
		__atomic_store_n(&thread->blocked_on, n, __ATOMIC_RELEASE);
		thread->timeout.deadline_ns = deadline_ns;
		__atomic_store_n(&thread->state, THREAD_BLOCKED_NOTIFY,
		    __ATOMIC_SEQ_CST);
		/* A kicker that still saw it running left only the flag. */
		if (__atomic_load_n(&thread->utcb->kick_pending,
		    __ATOMIC_SEQ_CST) != 0) {
			list_remove(&thread->link);
			thread->blocked_on = NULL;
			thread->state = THREAD_RUNNING;
			status = ERR_INTERRUPTED;
		} else {
			if (deadline_ns != DEADLINE_NEVER)
				timer_node_start(&thread->timeout, deadline_ns);
			sched_block_current(this_cpu());
		}
	}
	lock_release(&n->lock);
	return status;
}

bool
notification_unblock(struct thread *thread)
{
	struct notification *n = __atomic_load_n(&thread->blocked_on,
	    __ATOMIC_ACQUIRE);
	bool found = false;

	if (n == NULL || n->object.type != OBJ_NOTIFICATION)
		return false;
	lock_acquire(&n->lock);
	if (thread->state == THREAD_BLOCKED_NOTIFY && thread->blocked_on == n) {
		list_remove(&thread->link);
		thread->blocked_on = NULL;
		timer_node_stop(&thread->timeout);
		found = true;
	}
	lock_release(&n->lock);
	return found;
}

status_t
notification_bind(struct notification *n, struct thread *thread)
{
	status_t status = OK;

	struct notification *expected = NULL;

	lock_acquire(&n->lock);
	if (n->bound != NULL || !__atomic_compare_exchange_n(&thread->bound,
	    &expected, n, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		status = ERR_STATE;
	} else {
		n->bound = thread;
		object_reference(&n->object);
	}
	lock_release(&n->lock);
	return status;
}

void
notification_unbind(struct thread *thread)
{
	struct notification *n = thread->bound;

	if (n == NULL)
		return;
	lock_acquire(&n->lock);
	n->bound = NULL;
	thread->bound = NULL;
	lock_release(&n->lock);
	object_release(&n->object);
}

status_t
notification_next_event(struct notification *n, uint64_t *out_kind,
    uint64_t *out_badge)
{
	status_t status = ERR_EMPTY;

	lock_acquire(&n->lock);
	if (!list_is_empty(&n->fired)) {
		struct event *event = LIST_ENTRY(n->fired.next, struct event,
		    link);
		list_remove(&event->link);
		list_append(&n->taken, &event->link);
		event->state = EVENT_TAKEN;
		*out_kind = event->kind;
		*out_badge = event->badge;
		status = OK;
	}
	lock_release(&n->lock);
	return status;
}

void
notification_rearm(struct notification *n)
{
	uint64_t bits = 0;

	lock_acquire(&n->lock);
	while (!list_is_empty(&n->taken)) {
		struct event *event = LIST_ENTRY(n->taken.next, struct event,
		    link);
		list_remove(&event->link);
		list_append(&n->fired, &event->link);
		event->state = EVENT_FIRED;
		bits |= event->bits;
	}
	lock_release(&n->lock);
	if (bits != 0)
		notification_signal(n, bits);
}

bool
notification_destroy(struct object *object)
{
	struct notification *n = (struct notification *)object;

	/* Waiters hold no reference: their capability was deleted meanwhile. */
	lock_acquire(&n->lock);
	while (!list_is_empty(&n->waiters))
		wake(LIST_ENTRY(n->waiters.next, struct thread, link), ERR_GONE,
		    0, 0);
	lock_release(&n->lock);
	return true;
}

void
event_init(struct event *event, unsigned kind)
{
	list_init(&event->link);
	event->kind = (uint8_t)kind;
	event->state = EVENT_IDLE;
}

status_t
event_bind(struct event *event, struct notification *n, uint64_t bits,
    uint64_t badge)
{
	struct notification *expected = NULL;
	status_t status = OK;

	/* Whoever finds it bound waits for the bits as well. */
	lock_acquire(&n->lock);
	if (__atomic_compare_exchange_n(&event->notification, &expected, n,
	    false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		object_reference(&n->object);
	else if (expected != n)
		status = ERR_STATE;
	if (status == OK) {
		event->bits = bits;
		event->badge = badge;
	}
	lock_release(&n->lock);
	return status;
}

uint64_t
event_mark(struct event *event)
{
	struct notification *n = __atomic_load_n(&event->notification,
	    __ATOMIC_ACQUIRE);

	if (n == NULL)
		return 0;
	lock_acquire(&n->lock);
	if (event->state == EVENT_TAKEN)
		list_remove(&event->link);
	if (event->state != EVENT_FIRED)
		list_append(&n->fired, &event->link);
	event->state = EVENT_FIRED;
	uint64_t bits = event->bits;
	lock_release(&n->lock);
	return bits;
}

void
event_signal(struct event *event, uint64_t bits)
{
	struct notification *n = __atomic_load_n(&event->notification,
	    __ATOMIC_ACQUIRE);

	if (n != NULL && bits != 0)
		notification_signal(n, bits);
}

void
event_fire(struct event *event)
{
	event_signal(event, event_mark(event));
}

void
event_resolve(struct event *event)
{
	struct notification *n = __atomic_load_n(&event->notification,
	    __ATOMIC_ACQUIRE);

	if (n == NULL)
		return;
	lock_acquire(&n->lock);
	if (event->state != EVENT_IDLE)
		list_remove(&event->link);
	event->state = EVENT_IDLE;
	lock_release(&n->lock);
}

void
event_detach(struct event *event)
{
	struct notification *n = event->notification;

	if (n == NULL)
		return;
	event_resolve(event);
	event->notification = NULL;
	object_release(&n->object);
}
