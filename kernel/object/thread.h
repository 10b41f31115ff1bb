/* SPDX-License-Identifier: MIT */
/*
 * Thread: registers, the table and address space it acts in, and where it is
 * in its life.
 *
 * State changes:
 *	STOPPED -> READY		thread_start
 *	READY <-> RUNNING		scheduler, under cpu.queue_lock
 *	RUNNING -> BLOCKED_*		by its own CPU, under the lock of what it waits for
 *	BLOCKED_* -> READY, RUNNING	by whoever takes it off that object, same lock
 *	any -> DEAD			thread_die, by the CPU that owns it then
 * A killer sets kill_pending and takes the thread off whatever it is on; a
 * running thread dies on its own CPU at the next kernel exit.
 */
#pragma once

#include <abi/utcb.h>
#include <kernel/core/cpu.h>
#include <kernel/object/object.h>

#define THREAD_STOPPED		0u
#define THREAD_READY		1u
#define THREAD_RUNNING		2u
#define THREAD_BLOCKED_CALL	3u	/* in endpoint.callers */
#define THREAD_BLOCKED_REPLY	4u	/* its call lives in a reply object */
#define THREAD_BLOCKED_RECEIVE	5u	/* in endpoint.receivers */
#define THREAD_BLOCKED_NOTIFY	6u	/* in notification.waiters */
#define THREAD_DEAD		7u

/* Deadline timers: an intrusive pairing heap per CPU. */
struct timer_node {
	uint64_t	deadline_ns;
	struct timer_node *child, *sibling, *previous;
	void		(*expire)(struct timer_node *node);
	struct cpu	*cpu;		/* heap it is in, NULL = none */
};

struct thread {
	struct user_frame frame;	/* must be first: entry stubs store here */
	struct arch_thread arch;	/* fixed offset as well */

	struct object	object;
	struct list	by_id;		/* hash bucket; thread_table_lock */
	struct utcb	*utcb;		/* kernel address; constant once started */
	struct memory	*utcb_memory;	/* reference */
	struct table	*table;		/* reference; constant once started */
	struct vspace	*vspace;	/* reference; constant once started */
	uint32_t	flags;		/* THREAD_NO_FPU ... */

	uint32_t	state;		/* THREAD_* */
	struct cpu	*cpu;		/* where it runs, ran last, or is queued */
	struct cpu	*queued;	/* atomic: in its run queue; queue_lock */
	struct cpu	*on_cpu;	/* atomic: its registers are live there */
	uint64_t	affinity;	/* mask of CPUs it may run on */
	struct list	link;		/* run queue, callers, receivers or waiters */

	/* Scheduling: base values, and those in effect (donated by a caller). */
	uint32_t	base_class, base_weight;
	uint32_t	highest_class;	/* it may have, or give to others */
	uint32_t	class, weight;
	uint64_t	virtual_deadline;	/* order inside CLASS_NORMAL */
	uint64_t	runtime_ns;		/* atomic */
	uint64_t	ready_tsc;		/* when it was queued */

	/* IPC; guarded by the lock of the endpoint involved. */
	void		*blocked_on;	/* endpoint or notification */
	struct reply	*calling;	/* reply object that holds my call */
	uint64_t	request_order;	/* call it works on, 0 = none; own CPU */
	uint64_t	request_tag, request_badge;
	struct reply	*armed;		/* reply object for the call I wait for */
	uint64_t	caller_badge;	/* badge and trust of a queued call */
	uint32_t	caller_trust;
	uint32_t	transfer;	/* IPC_* counts of my call */
	struct notification *bound;	/* reference; notification of a receiver */

	uint64_t	notify_seen;	/* WAIT_COUNT argument while blocked */
	uint32_t	notify_mode;
	struct timer_node timeout;

	uint64_t	request_budget_ns;
	uint64_t	request_used_ns;
	uint64_t	budget_order;	/* request that request_used_ns is about */

	struct lock	lock;		/* guards start and kill */
	bool		kill_pending;	/* atomic */
	bool		kick_pending;	/* atomic, sticky */

	/* Personality, constant once started; entry stubs use copies in arch. */
	uint64_t	upcall_entry;
	uint64_t	window_low, window_high;
	struct death	*death;		/* reference or NULL */
};

struct thread *thread_from_object(struct object *object);
/* Makes a blocked or stopped thread ready; its new state is set by this. */
void thread_make_ready(struct thread *thread);
/* On the CPU that owns it; unlinks it from everything, fills the record. */
void thread_die(struct thread *thread, uint64_t cause, uint64_t code);
