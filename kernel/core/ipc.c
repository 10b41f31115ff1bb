/* SPDX-License-Identifier: MIT */
/*
 * IPC in full: call, reply-and-wait, and what a server may do with a call it
 * holds. The common cases never get here, see core/ipc_fast.c.
 *
 * The message of a call travels in registers and is also stored in the reply
 * object, so that the next incarnation of a server can read it again. A call
 * that finds a waiting server, and a reply that finds its caller, hand the CPU
 * over directly: the run queue is not touched, the time slice goes on, the
 * class of the caller passes to the server.
 *
 * Locks: derivation_lock first when capabilities travel, then the endpoint.
 * The lock is held until the hand-over is complete, so nobody sees a thread
 * that is neither running nor blocked.
 */
#include <kernel/core/ipc.h>

#include <kernel/core/panic.h>
#include <kernel/core/sched.h>
#include <kernel/core/syscall.h>
#include <kernel/object/eventpair.h>
#include <kernel/object/memory.h>
#include <kernel/object/thread.h>
#include <kernel/object/vspace.h>

#include <abi/syscall.h>

/* Off the fast path: kept out of it, and small rather than quick. */

#define TRANSFER_CAPS(t)	((unsigned)((t) & IPC_CAPS_MASK))
#define TRANSFER_WINDOWS(t)	\
	((unsigned)(((t) & IPC_WINDOWS_MASK) >> IPC_WINDOWS_SHIFT))

static void
words_store(uint64_t *word, const struct user_frame *frame)
{
	word[0] = frame->rdx;
	word[1] = frame->r10;
	word[2] = frame->r8;
	word[3] = frame->r9;
	word[4] = frame->rbx;
	word[5] = frame->r12;
	word[6] = frame->r13;
	word[7] = frame->r14;
}

static void
words_load(struct user_frame *frame, const uint64_t *word)
{
	frame->rdx = word[0];
	frame->r10 = word[1];
	frame->r8 = word[2];
	frame->r9 = word[3];
	frame->rbx = word[4];
	frame->r12 = word[5];
	frame->r13 = word[6];
	frame->r14 = word[7];
}

/* A server works in the better class of the two. */
static void
donate(struct thread *server, const struct thread *caller)
{
	server->class = caller->class > server->base_class ? caller->class :
	    server->base_class;
}

/* derivation_lock held. All or nothing. */
static status_t
take_caller_caps(struct reply *reply, struct thread *caller, unsigned count)
{
	status_t status = OK;

	for (unsigned i = 0; i < count && status == OK; i++) {
		cap_t handle = __atomic_load_n(&caller->utcb->caps_out[i],
		    __ATOMIC_RELAXED);
		struct slot *from = table_slot(caller->table, handle);
		if (from == NULL)
			status = ERR_HANDLE;
		else if ((META_RIGHTS(from->meta) & RIGHT_COPY) == 0)
			status = ERR_RIGHT;
		/* Replies that hold each other would never go away. */
		else if (META_TYPE(from->meta) == OBJ_REPLY)
			status = ERR_TYPE;
		else
			slot_fill(&reply->caps[i], NULL, from, from->object,
			    META_TYPE(from->meta),
			    (unsigned)(from->meta & 0xfff), from->badge);
	}
	for (unsigned i = 0; i < count && status != OK; i++)
		if (reply->caps[i].object != NULL)
			slot_clear(&reply->caps[i]);
	return status;
}

/* derivation_lock held. */
static void
drop_held_caps(struct reply *reply)
{
	for (unsigned i = 0; i < 4; i++)
		if (reply->caps[i].object != NULL)
			slot_clear(&reply->caps[i]);
}

/*
 * endpoint.lock held (and derivation_lock if the call has capabilities). Moves
 * a call into the reply object; on failure nothing has changed.
 */
static status_t
accept_call(struct endpoint *endpoint, struct reply *reply,
    struct thread *caller, struct thread *server)
{
	uint64_t transfer = caller->transfer;
	unsigned caps = TRANSFER_CAPS(transfer);

	if (caps != 0) {
		status_t status = take_caller_caps(reply, caller, caps);
		if (status != OK)
			return status;
	}
	if ((transfer & IPC_WINDOWS_MASK) != 0) {
		reply->windows[0] = caller->utcb->windows[0];
		reply->windows[1] = caller->utcb->windows[1];
	}
	words_store(reply->word, &caller->frame);
	reply->badge = caller->caller_badge;
	reply->info = transfer | (uint64_t)caller->caller_trust << 8;
	reply->order = ++endpoint->next_order;
	reply->caller = caller;
	__atomic_store_n(&caller->calling, reply, __ATOMIC_RELEASE);
	reply->state = REPLY_HELD;
	server->request_order = reply->order;
	server->request_tag = reply->word[0];
	server->request_badge = reply->badge;
	donate(server, caller);
	if (server == this_cpu()->current && caller->request_order == 0)
		this_cpu()->payer = caller;
	return OK;
}

static void
deliver(struct thread *server, const struct reply *reply)
{
	server->frame.rax = OK;
	server->frame.rdi = reply->badge;
	server->frame.rsi = reply->info;
	server->frame.r15 = reply->order;
}

/* The endpoint that a capability leads to, with badge and trust for the call. */
static status_t
call_target(struct thread *thread, struct endpoint **out_endpoint)
{
	struct cap cap;
	status_t status = table_lookup(thread->table, thread->frame.rdi, &cap);

	if (status != OK)
		return status;
	if ((cap.meta & RIGHT_CALL) == 0)
		return ERR_RIGHT;
	thread->caller_trust = META_TRUST(cap.meta);
	if (META_TYPE(cap.meta) == OBJ_ENDPOINT) {
		*out_endpoint = (struct endpoint *)cap.object;
		thread->caller_badge = cap.badge;
		return OK;
	}
	if (META_TYPE(cap.meta) != OBJ_EVENTPAIR_A)
		return ERR_TYPE;
	struct eventpair *pair = (struct eventpair *)cap.object;
	if (pair->endpoint == NULL)
		return ERR_TYPE;
	*out_endpoint = pair->endpoint;
	thread->caller_badge = pair->badge;
	return OK;
}

status_t
ipc_call(struct thread *thread, void *none)
{
	struct endpoint *endpoint;
	struct cpu *cpu = this_cpu();
	uint64_t transfer = thread->frame.rsi;
	status_t status = call_target(thread, &endpoint);

	if (status != OK)
		return status;
	if (transfer != 0) {
		if (transfer > (IPC_CAPS_MASK | IPC_WINDOWS_MASK) ||
		    TRANSFER_CAPS(transfer) > 4 ||
		    TRANSFER_WINDOWS(transfer) > 2)
			return ERR_ARG;
		if (TRANSFER_CAPS(transfer) != 0)
			lock_acquire(&derivation_lock);
	}
	thread->transfer = (uint32_t)transfer;
	lock_acquire(&endpoint->lock);
	if (endpoint->closed) {
		status = ERR_GONE;
	} else if (__builtin_expect(thread->utcb->kick_pending != 0, 0)) {
		status = ERR_INTERRUPTED;
	} else if (!list_is_empty(&endpoint->receivers)) {
		struct thread *server = LIST_ENTRY(endpoint->receivers.next,
		    struct thread, link);
		struct reply *reply = server->armed;
		status = accept_call(endpoint, reply, thread, server);
		if (status == OK) {
			list_remove(&server->link);
			server->armed = NULL;
			server->blocked_on = NULL;
			words_load(&server->frame, reply->word);
			deliver(server, reply);
			__atomic_store_n(&thread->state, THREAD_BLOCKED_REPLY,
			    __ATOMIC_SEQ_CST);
			thread_make_ready(server);
			sched_block_current(cpu);
			status = STATUS_DONE;
		}
	} else {
		list_append(&endpoint->callers, &thread->link);
		__atomic_store_n(&thread->blocked_on, endpoint,
		    __ATOMIC_RELEASE);
		__atomic_store_n(&thread->state, THREAD_BLOCKED_CALL,
		    __ATOMIC_SEQ_CST);
		sched_block_current(cpu);
		status = STATUS_DONE;
	}
	lock_release(&endpoint->lock);
	if (__builtin_expect(TRANSFER_CAPS(transfer) != 0, 0))
		lock_release(&derivation_lock);
	/* A kicker that still saw it running left only the flag. */
	if (status == STATUS_DONE && __atomic_load_n(&thread->kick_pending,
	    __ATOMIC_SEQ_CST))
		ipc_cancel(thread);
	return status;
}

/*
 * derivation_lock held. Puts the capabilities of a reply into the caller's
 * table. All or nothing.
 */
static status_t
give_reply_caps(struct thread *server, struct thread *caller, unsigned count)
{
	cap_t given[4] = { 0 };
	status_t status = OK;

	for (unsigned i = 0; i < count && status == OK; i++) {
		struct slot *to;
		struct slot *from = table_slot(server->table,
		    __atomic_load_n(&server->utcb->caps_out[i],
		    __ATOMIC_RELAXED));
		if (from == NULL)
			status = ERR_HANDLE;
		else if ((META_RIGHTS(from->meta) & RIGHT_COPY) == 0)
			status = ERR_RIGHT;
		else
			status = table_reserve(caller->table, CAP_ANY_SLOT, &to);
		if (status == OK)
			given[i] = slot_fill(to, caller->table, from,
			    from->object, META_TYPE(from->meta),
			    (unsigned)(from->meta & 0xfff), from->badge);
	}
	for (unsigned i = 0; i < 4; i++) {
		if (status == OK)
			caller->utcb->caps_in[i] = given[i];
		else if (given[i] != CAP_NONE)
			slot_clear(table_slot(caller->table, given[i]));
	}
	if (status == OK) {
		caller->frame.rdi = given[0];
		caller->frame.rsi = given[1];
	}
	return status;
}

/*
 * endpoint.lock held. The answer goes to the caller, which is returned; it is
 * not running yet. NULL if the caller is dead.
 */
static struct thread *
answer(struct thread *server, struct reply *reply)
{
	struct thread *caller = reply->caller;

	reply->state = REPLY_FREE;
	reply->caller = NULL;
	if (__builtin_expect((reply->info & IPC_INFO_CANCELLED) != 0, 0))
		event_resolve(&reply->cancel);
	if (__builtin_expect(caller == NULL, 0))
		return NULL;
	words_store(reply->word, &server->frame);
	words_load(&caller->frame, reply->word);
	caller->frame.rax = OK;
	caller->calling = NULL;
	return caller;
}

/* The reply half with capabilities: the slow way, under derivation_lock. */
static status_t
reply_slow(struct thread *server, struct reply *reply, unsigned caps)
{
	struct endpoint *endpoint = reply->endpoint;
	struct thread *caller = NULL;
	status_t status = OK;

	lock_acquire(&derivation_lock);
	lock_acquire(&endpoint->lock);
	if (reply->endpoint != endpoint ||
	    (reply->state != REPLY_HELD && reply->state != REPLY_VOID))
		status = ERR_STATE;
	else if (caps != 0 && reply->caller != NULL)
		status = give_reply_caps(server, reply->caller, caps);
	if (status == OK)
		caller = answer(server, reply);
	if (caller != NULL) {
		if (caps == 0)
			caller->frame.rdi = caller->frame.rsi = CAP_NONE;
		thread_make_ready(caller);
	}
	lock_release(&endpoint->lock);
	/* Not before: a last holder's drop may signal this endpoint's server. */
	if (status == OK)
		drop_held_caps(reply);
	lock_release(&derivation_lock);
	return status;
}

static bool
claim(struct reply *reply)
{
	uint32_t expected = REPLY_FREE;

	return __atomic_compare_exchange_n(&reply->state, &expected,
	    REPLY_CLAIMED, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* A claimed reply object that served another endpoint, or none, changes sides. */
static status_t
reassociate(struct reply *reply, struct endpoint *endpoint)
{
	struct endpoint *old = reply->endpoint;

	if (old == endpoint)
		return OK;
	if (!object_try_reference(&endpoint->object))
		return ERR_HANDLE;
	if (old != NULL) {
		lock_acquire(&old->lock);
		list_remove(&reply->link);
		lock_release(&old->lock);
		object_release(&old->object);
	}
	lock_acquire(&endpoint->lock);
	__atomic_store_n(&reply->endpoint, endpoint, __ATOMIC_RELEASE);
	list_append(&endpoint->replies, &reply->link);
	lock_release(&endpoint->lock);
	return OK;
}

/*
 * endpoint.lock held. Takes the first queued call that can be accepted; calls
 * with bad capabilities are answered with their error. Returns true if the
 * server got one. *need_caps: derivation_lock is needed first.
 */
static bool
take_queued(struct endpoint *endpoint, struct reply *next,
    struct thread *server, bool have_derivation, bool *need_caps)
{
	while (!list_is_empty(&endpoint->callers)) {
		struct thread *caller = LIST_ENTRY(endpoint->callers.next,
		    struct thread, link);
		if (TRANSFER_CAPS(caller->transfer) != 0 && !have_derivation) {
			*need_caps = true;
			return false;
		}
		list_remove(&caller->link);
		status_t status = accept_call(endpoint, next, caller, server);
		caller->blocked_on = NULL;
		if (status != OK) {
			caller->frame.rax = status;
			thread_make_ready(caller);
			continue;
		}
		__atomic_store_n(&caller->state, THREAD_BLOCKED_REPLY,
		    __ATOMIC_RELEASE);
		words_load(&server->frame, next->word);
		deliver(server, next);
		return true;
	}
	return false;
}

/*
 * endpoint.lock held. True if the receive is over: a notification or a queued
 * call was there. Else the server is queued and its bound notification has been
 * looked at after that.
 */
static bool
receive(struct endpoint *endpoint, struct reply *next, struct thread *server,
    bool have_derivation, bool *need_caps)
{
	struct notification *bound = server->bound;

	if (bound != NULL && __builtin_expect(
	    __atomic_load_n(&bound->word, __ATOMIC_RELAXED) != 0, 0)) {
		server->frame.rdi = __atomic_exchange_n(&bound->word, 0,
		    __ATOMIC_SEQ_CST);
		server->frame.rsi = IPC_INFO_NOTIFIED;
		server->frame.r15 = 0;
		server->frame.rax = OK;
		return true;
	}
	if (__builtin_expect(!list_is_empty(&endpoint->callers), 0)) {
		if (take_queued(endpoint, next, server, have_derivation,
		    need_caps))
			return true;
		if (*need_caps)
			return false;
	}
	next->state = REPLY_ARMED;
	next->server = server;
	server->armed = next;
	list_append(&endpoint->receivers, &server->link);
	server->blocked_on = endpoint;
	__atomic_store_n(&server->state, THREAD_BLOCKED_RECEIVE,
	    __ATOMIC_SEQ_CST);
	/* A signal between the first look and the queue must not be lost. */
	if (bound != NULL && __builtin_expect(
	    __atomic_load_n(&bound->word, __ATOMIC_SEQ_CST) != 0, 0)) {
		list_remove(&server->link);
		server->armed = NULL;
		server->blocked_on = NULL;
		server->state = THREAD_RUNNING;
		next->state = REPLY_CLAIMED;
		next->server = NULL;
		return receive(endpoint, next, server, have_derivation,
		    need_caps);
	}
	return false;
}

/* Waits for a call with `next`, which is claimed; the reply half is done. */
static status_t
wait_slow(struct thread *server, struct endpoint *endpoint, struct reply *next)
{
	bool need_caps = false, have = false, done;
	status_t status = STATUS_DONE;

	server->request_order = 0;	/* a call it parked is not its work now */
	for (;;) {
		lock_acquire(&endpoint->lock);
		need_caps = false;
		if (endpoint->closed) {
			status = ERR_GONE;
			break;
		}
		done = receive(endpoint, next, server, have, &need_caps);
		if (!need_caps) {
			if (!done)
				sched_block_current(this_cpu());
			break;
		}
		lock_release(&endpoint->lock);
		lock_acquire(&derivation_lock);
		have = true;
	}
	if (next->state == REPLY_CLAIMED)
		next->state = REPLY_FREE;
	lock_release(&endpoint->lock);
	if (have)
		lock_release(&derivation_lock);
	return status;
}

/* RDI reply or 0, RSI endpoint or 0, R15 reply object for the next call. */
status_t
ipc_reply_wait(struct thread *server, void *none)
{
	struct user_frame *frame = &server->frame;
	struct reply *reply = NULL, *next = NULL;
	struct endpoint *endpoint = NULL;
	unsigned caps = (unsigned)__atomic_exchange_n(
	    &server->utcb->reply_caps, 0, __ATOMIC_RELAXED);
	status_t status = OK;

	this_cpu()->ipc_slow++;
	if (frame->rdi != 0)
		status = call_find(server, frame->rdi, OBJ_REPLY, RIGHT_WRITE,
		    &reply);
	if (status == OK && frame->rsi != 0)
		status = call_find(server, frame->rsi, OBJ_ENDPOINT,
		    RIGHT_RECEIVE, &endpoint);
	if (status == OK && frame->rsi != 0)
		status = call_find(server, frame->r15, OBJ_REPLY, RIGHT_WRITE,
		    &next);
	if (status == OK && caps > 4)
		status = ERR_ARG;
	/* What can be known to fail does so before the answer is out. */
	if (status == OK && next != NULL && next != reply && !claim(next))
		return ERR_STATE;
	if (status == OK && reply != NULL)
		status = reply->endpoint != NULL ?
		    reply_slow(server, reply, caps) : ERR_STATE;
	if (status == OK && next != NULL && next == reply && !claim(next))
		return ERR_STATE;
	if (status == OK && next != NULL)
		status = reassociate(next, endpoint);
	if (status == OK && next != NULL)
		return wait_slow(server, endpoint, next);
	if (next != NULL && next != reply)
		next->state = REPLY_FREE;
	return status;
}

status_t
ipc_reply_read(struct thread *thread, void *object)
{
	struct reply *reply = object;
	struct endpoint *endpoint = reply->endpoint;
	status_t status;

	if (endpoint == NULL)
		return ERR_EMPTY;
	lock_acquire(&endpoint->lock);
	if (reply->endpoint == endpoint &&
	    (reply->state == REPLY_HELD || reply->state == REPLY_VOID)) {
		words_load(&thread->frame, reply->word);
		deliver(thread, reply);
		thread->request_order = reply->order;
		thread->request_tag = reply->word[0];
		thread->request_badge = reply->badge;
		status = STATUS_DONE;
	} else {
		status = ERR_EMPTY;
	}
	lock_release(&endpoint->lock);
	return status;
}

/* RDI reply, RSI index, RDX slot or CAP_ANY_SLOT -> RDI capability. */
status_t
ipc_take_cap(struct thread *thread, void *object)
{
	struct user_frame *frame = &thread->frame;
	struct reply *reply = object;
	struct slot *to;
	status_t status;

	if (frame->rsi >= 4)
		return ERR_RANGE;
	lock_acquire(&derivation_lock);
	struct slot *held = &reply->caps[frame->rsi];
	if (held->object == NULL)
		status = ERR_NOENT;
	else
		status = table_reserve(thread->table, frame->rdx, &to);
	/* A sibling, not a child: the held slot is cleared with the reply. */
	if (status == OK)
		frame->rdi = slot_fill(to, thread->table, held->parent,
		    held->object, META_TYPE(held->meta),
		    (unsigned)(held->meta & 0xfff), held->badge);
	lock_release(&derivation_lock);
	return status;
}

/* One window of a held call, checked: address, length, and whose it is. */
static status_t
find_window(struct reply *reply, uint64_t selector, uint64_t offset,
    struct vspace **out_vspace, vaddr_t *out_address, uint64_t *length)
{
	struct endpoint *endpoint = reply->endpoint;
	uint64_t number = selector & 0xf;
	uint64_t access = selector & WINDOW_TO_CALLER ? WINDOW_WRITE : WINDOW_READ;
	status_t status = OK;

	if (endpoint == NULL || (selector & ~(WINDOW_TO_CALLER | 0xful)) != 0)
		return ERR_ARG;
	lock_acquire(&endpoint->lock);
	if (reply->state == REPLY_VOID)
		status = ERR_GONE;
	else if (reply->state != REPLY_HELD || reply->endpoint != endpoint)
		status = ERR_STATE;
	else if (number >= IPC_INFO_WINDOWS(reply->info))
		status = ERR_RANGE;
	if (status == OK) {
		const struct window *window = &reply->windows[number];
		uint64_t size = window->length_access >> 2;
		if ((window->length_access & access) == 0)
			status = ERR_RIGHT;
		else if (offset > size || *length > size - offset)
			status = ERR_RANGE;
		*out_address = window->address + offset;
	}
	if (status == OK) {
		*out_vspace = reply->caller->vspace;
		object_reference(&(*out_vspace)->object);
	}
	lock_release(&endpoint->lock);
	return status;
}

#define COPY_BUDGET	(16 * PAGE_SIZE)	/* bytes between interrupt looks */

/*
 * RDI reply, RSI window | direction, RDX offset, R10 memory or 0, R8 place,
 * R9 length -> RDI bytes done. At most COPY_BUDGET bytes a call: the caller
 * goes on from there, interrupts get their turn in between.
 */
status_t
ipc_window_copy(struct thread *thread, void *object)
{
	struct user_frame *frame = &thread->frame;
	struct memory *memory = NULL;
	struct vspace *vspace;
	vaddr_t address;
	uint64_t length = frame->r9, total = 0;
	bool to_caller = (frame->rsi & WINDOW_TO_CALLER) != 0;
	status_t status = frame->r10 == 0 ? OK : call_find(thread, frame->r10,
	    OBJ_MEMORY, to_caller ? RIGHT_READ : RIGHT_WRITE, &memory);

	if (status == OK)
		status = find_window(object, frame->rsi, frame->rdx, &vspace,
		    &address, &length);
	if (status != OK) {
		frame->rdi = 0;
		return status;
	}
	if (length > COPY_BUDGET)
		length = COPY_BUDGET;
	while (status == OK && total < length) {
		uint64_t done = 0, left = length - total;
		if (memory != NULL)
			status = vspace_memory_step(vspace, address + total,
			    memory, frame->r8 + total, left, to_caller, &done);
		else if (to_caller)
			status = vspace_vspace_step(vspace, address + total,
			    thread->vspace, frame->r8 + total, left, &done);
		else
			status = vspace_vspace_step(thread->vspace,
			    frame->r8 + total, vspace, address + total, left,
			    &done);
		total += done;
	}
	object_release(&vspace->object);
	frame->rdi = total;
	return status;
}
