/* SPDX-License-Identifier: MIT */
/*
 * The two IPC fast paths: a call without capabilities that finds a waiting
 * server, and a reply that finds its caller and goes back to waiting
 * with the same reply object on the same endpoint.
 *
 * Each is a row of cheap checks that change nothing, then a point of no return.
 * Whatever does not fit goes to core/ipc.c, which handles everything. The entry
 * stub calls these functions directly; they leave the status in the frame.
 *
 * A hand-over does not touch the run queue and does not read the clock: the
 * time slice of the CPU goes on. A thread that ran here last needs no look at
 * affinity or vector state, because neither can have changed without it having
 * been queued elsewhere.
 */
#include <kernel/core/ipc.h>

#include <kernel/core/sched.h>
#include <kernel/object/eventpair.h>
#include <kernel/object/thread.h>
#include <machine/switch.h>

#include <abi/syscall.h>

static __attribute__((noinline, cold)) void
call_slow(struct thread *thread)
{
	this_cpu()->ipc_slow++;
	syscall_dispatch(thread, SYS_CALL);
}

static __attribute__((noinline, cold)) void
reply_slow(struct thread *thread)
{
	syscall_dispatch(thread, SYS_REPLY_WAIT);
}

/* A filled slot whose handle matches, or NULL; fields as table_lookup() reads. */
static inline bool
lookup(const struct table *table, cap_t handle, struct cap *out_cap)
{
	return __builtin_expect(table_lookup(table, handle, out_cap) == OK, 1);
}

static inline bool
may_hand_over(const struct cpu *cpu, const struct thread *next)
{
	return next->cpu == cpu && cpu->queue_mask >> next->class <= 1;
}

/* The registers of one message: each is loaded once. */
#define MESSAGE_EACH(X) \
	X(0, rdx) X(1, r10) X(2, r8) X(3, r9) X(4, rbx) X(5, r12) X(6, r13) \
	X(7, r14)

static inline void
hand_over(struct cpu *cpu, struct thread *previous, struct thread *next)
{
	next->state = THREAD_RUNNING;
	next->on_cpu = cpu;
	cpu->ipc_fast++;
	arch_switch_fast(cpu, next);
	__atomic_store_n(&previous->on_cpu, NULL, __ATOMIC_RELEASE);
}

void
ipc_call_fast(struct thread *thread)
{
	struct endpoint *endpoint;
	struct cap cap;
	struct cpu *cpu = this_cpu();
	uint64_t badge;

	uint64_t transfer = thread->frame.rsi;

	if (__builtin_expect((transfer & ~IPC_WINDOWS_MASK) != 0 ||
	    transfer == IPC_WINDOWS_MASK || !lookup(thread->table,
	    thread->frame.rdi, &cap) || (cap.meta & RIGHT_CALL) == 0, 0))
		goto slow;
	if (META_TYPE(cap.meta) == OBJ_ENDPOINT) {
		endpoint = (struct endpoint *)cap.object;
		badge = cap.badge;
	} else {
		struct eventpair *pair = (struct eventpair *)cap.object;
		if (META_TYPE(cap.meta) != OBJ_EVENTPAIR_A ||
		    pair->endpoint == NULL)
			goto slow;
		endpoint = pair->endpoint;
		badge = pair->badge;
	}
	if (__builtin_expect(!lock_try(&endpoint->lock), 0))
		goto slow;
	struct list *first = endpoint->receivers.next;
	struct thread *server = LIST_ENTRY(first, struct thread, link);
	if (__builtin_expect(first == &endpoint->receivers ||
	    !may_hand_over(cpu, server) || thread->utcb->kick_pending != 0, 0)) {
		lock_release(&endpoint->lock);
		goto slow;
	}

	/* A closed endpoint has no receivers, so nothing can fail from here. */
	struct reply *reply = server->armed;
	list_remove(first);
	server->armed = NULL;
	server->blocked_on = NULL;
#define COPY(i, r) \
	{ uint64_t w = thread->frame.r; reply->word[i] = w; server->frame.r = w; }
	MESSAGE_EACH(COPY)
#undef COPY
	reply->badge = server->frame.rdi = badge;
	if (transfer != 0) {
		reply->windows[0] = thread->utcb->windows[0];
		reply->windows[1] = thread->utcb->windows[1];
	}
	reply->info = server->frame.rsi = (cap.meta & 0xf00) | transfer;
	reply->order = server->frame.r15 = ++endpoint->next_order;
	server->frame.rax = OK;
	reply->caller = thread;
	reply->state = REPLY_HELD;
	server->request_order = reply->order;
	server->request_tag = reply->word[0];
	server->request_badge = badge;
	server->class = thread->class > server->base_class ? thread->class :
	    server->base_class;
	thread->calling = reply;
	__atomic_store_n(&thread->state, THREAD_BLOCKED_REPLY, __ATOMIC_SEQ_CST);
	hand_over(cpu, thread, server);
	lock_release(&endpoint->lock);
	/* A kick from another CPU that still saw it running. */
	if (__builtin_expect(__atomic_load_n(&thread->kick_pending,
	    __ATOMIC_RELAXED), 0))
		ipc_cancel(thread);
	return;
slow:
	call_slow(thread);
}

void
ipc_reply_wait_fast(struct thread *server)
{
	struct cap reply_cap, endpoint_cap;
	struct cpu *cpu = this_cpu();

	if (__builtin_expect(server->frame.rdi != server->frame.r15 ||
	    !lookup(server->table, server->frame.rdi, &reply_cap) ||
	    !lookup(server->table, server->frame.rsi, &endpoint_cap), 0))
		goto slow;
	if (__builtin_expect((reply_cap.meta & (0xf000 | RIGHT_WRITE)) !=
	    (OBJ_REPLY << 12 | RIGHT_WRITE) ||
	    (endpoint_cap.meta & (0xf000 | RIGHT_RECEIVE)) !=
	    (OBJ_ENDPOINT << 12 | RIGHT_RECEIVE), 0))
		goto slow;
	struct reply *reply = (struct reply *)reply_cap.object;
	struct endpoint *endpoint = (struct endpoint *)endpoint_cap.object;
	struct notification *bound = server->bound;
	if (__builtin_expect(server->utcb->reply_caps != 0 ||
	    !lock_try(&endpoint->lock), 0))
		goto slow;
	struct thread *caller = reply->caller;
	if (__builtin_expect(reply->endpoint != endpoint ||
	    reply->state != REPLY_HELD ||
	    (reply->info & (IPC_INFO_CANCELLED | IPC_CAPS_MASK)) != 0 ||
	    !list_is_empty(&endpoint->callers) ||
	    !may_hand_over(cpu, caller), 0))
		goto unlock;

	/*
	 * A closed endpoint has no held call, so this one is open.
	 *
	 * Queued as a receiver first, then a look at the bound notification: a
	 * signal either is seen here or finds the receiver.
	 */
	reply->state = REPLY_ARMED;
	reply->server = server;
	reply->caller = NULL;
	server->armed = reply;
	server->blocked_on = endpoint;
	list_append(&endpoint->receivers, &server->link);
	__atomic_store_n(&server->state, THREAD_BLOCKED_RECEIVE,
	    __ATOMIC_RELEASE);
	if (bound != NULL) {
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (__builtin_expect(__atomic_load_n(&bound->word,
		    __ATOMIC_RELAXED) != 0, 0))
			goto notified;
	}
#define COPY(i, r) caller->frame.r = server->frame.r;
	MESSAGE_EACH(COPY)
#undef COPY
	caller->frame.rdi = caller->frame.rsi = CAP_NONE;
	caller->frame.rax = OK;
	caller->calling = NULL;
	if (caller->request_order == 0)
		cpu->payer = caller;
	hand_over(cpu, server, caller);
	lock_release(&endpoint->lock);
	return;

notified:
	list_remove(&server->link);
	server->state = THREAD_RUNNING;
	server->blocked_on = NULL;
	server->armed = NULL;
	reply->caller = caller;
	reply->state = REPLY_HELD;
unlock:
	lock_release(&endpoint->lock);
slow:
	reply_slow(server);
}
