/* SPDX-License-Identifier: MIT */
/*
 * Timers: a pairing heap of deadlines per CPU, and the timer object that
 * signals a notification. The hardware is armed for the earliest deadline
 * only; there is no periodic tick.
 */
#pragma once

#include <kernel/object/notification.h>
#include <kernel/object/thread.h>

struct timer {
	struct object	object;
	struct notification *notification;	/* constant; reference */
	uint64_t	bits;			/* constant */
	struct lock	lock;			/* timer_set calls, one at a time */
	struct timer_node node;
};

status_t timer_create(struct container *container,
    struct notification *notification, uint64_t bits, struct timer **out_timer);
void timer_set(struct timer *timer, uint64_t deadline_ns);

/* Puts the node into this CPU's heap; it must not be in one. */
void timer_node_start(struct timer_node *node, uint64_t deadline_ns);
/* Takes it out if it is in one. expire() may run a last time on another CPU. */
void timer_node_stop(struct timer_node *node);
/* Runs all expired nodes of this CPU. */
void timer_run_expired(struct cpu *cpu, uint64_t now_ns);
uint64_t timer_next_deadline(const struct cpu *cpu);
