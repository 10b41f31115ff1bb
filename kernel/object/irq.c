/* SPDX-License-Identifier: MIT */
/*
 * Interrupt lines. A line is masked when it fires and unmasked when no object
 * on it is pending any more, so a level line whose device is not served yet
 * does not fire again and again.
 */
#include <kernel/object/irq.h>

#define LINES_MAX 256u

static struct lock irq_lock;
static struct list lines[LINES_MAX];

static struct list *
line_head(unsigned line)
{
	if (lines[line].next == NULL)
		list_init(&lines[line]);
	return &lines[line];
}

status_t
irq_create(struct container *container, unsigned line,
    struct notification *notification, uint64_t bits, struct irq **out_irq)
{
	status_t status;

	if (line >= arch_irq_count() || line >= LINES_MAX)
		return ERR_RANGE;
	struct object *object = object_alloc(OBJ_IRQ, container, &status);
	if (object == NULL)
		return status;
	struct irq *irq = (struct irq *)object;
	irq->line = line;
	irq->bits = bits;
	irq->notification = notification;
	object_reference(&notification->object);
	lock_acquire(&irq_lock);
	list_append(line_head(line), &irq->link);
	arch_irq_unmask(line);
	lock_release(&irq_lock);
	*out_irq = irq;
	return OK;
}

void
interrupt_entry(unsigned line)
{
	if (line >= LINES_MAX)
		return;
	lock_acquire(&irq_lock);
	struct list *head = line_head(line);
	for (struct list *n = head->next; n != head; n = n->next) {
		struct irq *irq = LIST_ENTRY(n, struct irq, link);
		irq->pending = true;
		irq->count++;
		notification_signal(irq->notification, irq->bits);
	}
	lock_release(&irq_lock);
}

/* irq_lock held. */
static void
unmask_if_served(unsigned line)
{
	struct list *head = line_head(line);

	if (list_is_empty(head))
		return;
	for (struct list *n = head->next; n != head; n = n->next)
		if (LIST_ENTRY(n, struct irq, link)->pending)
			return;
	arch_irq_unmask(line);
}

void
irq_acknowledge(struct irq *irq)
{
	lock_acquire(&irq_lock);
	irq->pending = false;
	unmask_if_served(irq->line);
	lock_release(&irq_lock);
}

bool
irq_destroy(struct object *object)
{
	struct irq *irq = (struct irq *)object;

	lock_acquire(&irq_lock);
	list_remove(&irq->link);
	if (list_is_empty(line_head(irq->line)))
		arch_irq_mask(irq->line);
	else
		unmask_if_served(irq->line);
	lock_release(&irq_lock);
	object_release(&irq->notification->object);
	return true;
}
