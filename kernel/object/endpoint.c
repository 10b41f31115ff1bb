/* SPDX-License-Identifier: MIT */
/*
 * Endpoints and reply objects: creation, closing, and how threads are taken
 * off them. The calls themselves are in core/ipc.c.
 */
#include <kernel/object/endpoint.h>

#include <kernel/core/panic.h>
#include <kernel/core/sched.h>
#include <kernel/object/thread.h>

#include <abi/syscall.h>

status_t
endpoint_create(struct container *container, struct endpoint **out_endpoint)
{
	status_t status;
	struct object *object = object_alloc(OBJ_ENDPOINT, container, &status);

	if (object == NULL)
		return status;
	struct endpoint *endpoint = (struct endpoint *)object;
	list_init(&endpoint->callers);
	list_init(&endpoint->receivers);
	list_init(&endpoint->replies);
	*out_endpoint = endpoint;
	return OK;
}

status_t
reply_create(struct container *container, uint64_t badge,
    struct notification *notification, struct reply **out_reply)
{
	status_t status;
	struct object *object = object_alloc(OBJ_REPLY, container, &status);

	if (object == NULL)
		return status;
	struct reply *reply = (struct reply *)object;
	list_init(&reply->link);
	event_init(&reply->cancel, EVENT_CANCEL);
	if (notification != NULL)
		event_bind(&reply->cancel, notification, 1ul << 63, badge);
	*out_reply = reply;
	return OK;
}

/* endpoint.lock held. The thread's call or receive ends with a status. */
static void
finish(struct thread *thread, status_t status)
{
	thread->blocked_on = NULL;
	thread->frame.rax = status;
	thread_make_ready(thread);
}

/* endpoint.lock held. A receiver's wait ends; its reply object is free again. */
static void
disarm(struct thread *receiver, status_t status)
{
	list_remove(&receiver->link);
	receiver->armed->state = REPLY_FREE;
	receiver->armed->server = NULL;
	receiver->armed = NULL;
	receiver->request_order = 0;	/* answered before it waited */
	finish(receiver, status);
}

/* endpoint.lock held. The caller of a held call is answered by the kernel. */
static void
void_held(struct reply *reply, status_t status)
{
	struct thread *caller = reply->caller;

	reply->caller = NULL;
	reply->state = REPLY_VOID;
	reply->info |= IPC_INFO_CANCELLED;
	caller->calling = NULL;
	if (status != OK)
		finish(caller, status);
}

/* endpoint.lock held. Those who wait at the endpoint. */
static void
turn_away(struct endpoint *endpoint)
{
	struct list *node;

	while (!list_is_empty(&endpoint->callers)) {
		node = endpoint->callers.next;
		list_remove(node);
		finish(LIST_ENTRY(node, struct thread, link), ERR_GONE);
	}
	while (!list_is_empty(&endpoint->receivers)) {
		disarm(LIST_ENTRY(endpoint->receivers.next, struct thread, link),
		    ERR_GONE);
	}
}

/*
 * endpoint.lock held. Answers the held calls whose cancellation is told to the
 * same notification as the first one's, which is returned, to be signalled
 * without the lock; NULL if no call is held.
 */
static struct reply *
void_all_held(struct endpoint *endpoint, uint64_t *out_bits)
{
	struct reply *first = NULL;

	*out_bits = 0;
	for (struct list *node = endpoint->replies.next;
	    node != &endpoint->replies; node = node->next) {
		struct reply *reply = LIST_ENTRY(node, struct reply, link);
		if (reply->state != REPLY_HELD)
			continue;
		if (first == NULL)
			first = reply;
		if (reply->cancel.notification != first->cancel.notification)
			continue;
		void_held(reply, ERR_GONE);
		*out_bits |= event_mark(&reply->cancel);
	}
	return first;
}

/* Mostly there is one notification, and so two rounds. */
void
endpoint_close(struct endpoint *endpoint)
{
	struct reply *voided;
	uint64_t bits;

	do {
		lock_acquire(&endpoint->lock);
		endpoint->closed = true;
		turn_away(endpoint);
		voided = void_all_held(endpoint, &bits);
		lock_release(&endpoint->lock);
		/* A server that comes back must not wait for these callers. */
		if (voided != NULL)
			event_signal(&voided->cancel, bits);
	} while (voided != NULL);
}

void
endpoint_reopen(struct endpoint *endpoint)
{
	lock_acquire(&endpoint->lock);
	endpoint->closed = false;
	lock_release(&endpoint->lock);
}

bool
endpoint_destroy(struct object *object)
{
	endpoint_close((struct endpoint *)object);
	return true;
}

bool
reply_destroy(struct object *object)
{
	struct reply *reply = (struct reply *)object;
	struct endpoint *endpoint = reply->endpoint;

	if (endpoint != NULL) {
		lock_acquire(&endpoint->lock);
		if (reply->state == REPLY_HELD)
			void_held(reply, ERR_GONE);
		else if (reply->state == REPLY_ARMED)
			disarm(reply->server, ERR_GONE);
		list_remove(&reply->link);
		lock_release(&endpoint->lock);
	}
	lock_acquire(&derivation_lock);
	for (unsigned i = 0; i < 4; i++)
		if (reply->caps[i].object != NULL)
			slot_clear(&reply->caps[i]);
	lock_release(&derivation_lock);
	event_detach(&reply->cancel);
	if (endpoint != NULL)
		object_release(&endpoint->object);
	return true;
}

void
endpoint_deliver_bound(struct thread *receiver, struct notification *n)
{
	struct endpoint *endpoint = __atomic_load_n(&receiver->blocked_on,
	    __ATOMIC_ACQUIRE);

	if (endpoint == NULL || endpoint->object.type != OBJ_ENDPOINT)
		return;
	lock_acquire(&endpoint->lock);
	if (receiver->state == THREAD_BLOCKED_RECEIVE &&
	    receiver->blocked_on == endpoint && receiver->bound == n) {
		uint64_t word = __atomic_exchange_n(&n->word, 0,
		    __ATOMIC_SEQ_CST);
		if (word != 0) {
			receiver->frame.rdi = word;
			receiver->frame.rsi = IPC_INFO_NOTIFIED;
			receiver->frame.r15 = 0;
			disarm(receiver, OK);
		}
	}
	lock_release(&endpoint->lock);
}

/*
 * Runs `act` under the lock of the endpoint that the thread's IPC state hangs
 * on. Found without a lock, so the lock is taken and the finding checked again.
 */
static struct endpoint *
lock_ipc_of(struct thread *thread)
{
	for (;;) {
		uint32_t state = __atomic_load_n(&thread->state, __ATOMIC_ACQUIRE);
		struct endpoint *endpoint = NULL;
		if (state == THREAD_BLOCKED_CALL ||
		    state == THREAD_BLOCKED_RECEIVE) {
			endpoint = __atomic_load_n(&thread->blocked_on,
			    __ATOMIC_ACQUIRE);
		} else if (state == THREAD_BLOCKED_REPLY) {
			struct reply *reply = __atomic_load_n(&thread->calling,
			    __ATOMIC_ACQUIRE);
			if (reply != NULL)
				endpoint = reply->endpoint;
		} else {
			return NULL;
		}
		if (endpoint == NULL ||
		    endpoint->object.type != OBJ_ENDPOINT) {
			arch_spin_relax();
			continue;	/* it is just changing state */
		}
		lock_acquire(&endpoint->lock);
		if (thread->state == state &&
		    (state == THREAD_BLOCKED_REPLY ?
		    thread->calling != NULL &&
		    thread->calling->endpoint == endpoint :
		    thread->blocked_on == endpoint))
			return endpoint;
		lock_release(&endpoint->lock);
	}
}

bool
ipc_unblock(struct thread *thread)
{
	struct endpoint *endpoint = lock_ipc_of(thread);
	struct reply *voided = NULL;
	uint64_t bits = 0;

	if (endpoint == NULL)
		return false;
	if (thread->state == THREAD_BLOCKED_REPLY) {
		voided = thread->calling;
		void_held(voided, OK);
		bits = event_mark(&voided->cancel);
	} else {
		list_remove(&thread->link);
		if (thread->armed != NULL) {
			thread->request_order = 0;
			thread->armed->state = REPLY_FREE;
			thread->armed->server = NULL;
			thread->armed = NULL;
		}
	}
	thread->blocked_on = NULL;
	__atomic_store_n(&thread->state, THREAD_STOPPED, __ATOMIC_RELEASE);
	lock_release(&endpoint->lock);
	if (voided != NULL)
		event_signal(&voided->cancel, bits);
	return true;
}

bool
ipc_cancel(struct thread *thread)
{
	struct endpoint *endpoint = lock_ipc_of(thread);
	struct reply *flagged = NULL;
	uint64_t bits = 0;

	if (endpoint == NULL)
		return false;
	if (thread->state == THREAD_BLOCKED_CALL) {
		list_remove(&thread->link);
		finish(thread, ERR_INTERRUPTED);
	} else if (thread->state == THREAD_BLOCKED_REPLY) {
		flagged = thread->calling;
		flagged->info |= IPC_INFO_CANCELLED;
		bits = event_mark(&flagged->cancel);
	}
	lock_release(&endpoint->lock);
	if (flagged != NULL)
		event_signal(&flagged->cancel, bits);
	return flagged == NULL;
}
