/* SPDX-License-Identifier: MIT */
/*
 * Interrupt line as an object. Several objects may share a line: each is
 * signalled, and the line is unmasked when all have acknowledged.
 */
#pragma once

#include <kernel/object/notification.h>

struct irq {
	struct object	object;
	struct notification *notification;	/* constant; reference */
	uint64_t	bits;			/* constant */
	unsigned	line;			/* constant */

	/* irq_lock guards the rest. */
	struct list	link;			/* objects of the line */
	bool		pending;		/* signalled, not acknowledged */
	uint64_t	count;
};

status_t irq_create(struct container *container, unsigned line,
    struct notification *notification, uint64_t bits, struct irq **out_irq);
void irq_acknowledge(struct irq *irq);
