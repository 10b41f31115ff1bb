/* SPDX-License-Identifier: MIT */
/*
 * Timers in a pairing heap per CPU.
 *
 * A node's `previous` is its parent if it is a first child, else its left
 * sibling; that makes removal from the middle possible.
 */
#include <kernel/object/timer.h>

#include <kernel/core/sched.h>

/* Links the larger of two roots below the smaller. */
static struct timer_node *
meld(struct timer_node *a, struct timer_node *b)
{
	if (a == NULL)
		return b;
	if (b == NULL)
		return a;
	if (b->deadline_ns < a->deadline_ns) {
		struct timer_node *swap = a;
		a = b;
		b = swap;
	}
	b->sibling = a->child;
	if (a->child != NULL)
		a->child->previous = b;
	b->previous = a;
	a->child = b;
	a->sibling = NULL;
	a->previous = NULL;
	return a;
}

/* Melds a list of siblings in pairs, left to right, then all together. */
static struct timer_node *
meld_siblings(struct timer_node *first)
{
	struct timer_node *pairs = NULL;

	while (first != NULL) {
		struct timer_node *second = first->sibling;
		struct timer_node *rest = second != NULL ? second->sibling : NULL;
		first->sibling = first->previous = NULL;
		if (second != NULL)
			second->sibling = second->previous = NULL;
		struct timer_node *pair = meld(first, second);
		pair->sibling = pairs;
		pairs = pair;
		first = rest;
	}
	struct timer_node *root = NULL;
	while (pairs != NULL) {
		struct timer_node *next = pairs->sibling;
		pairs->sibling = NULL;
		root = meld(root, pairs);
		pairs = next;
	}
	return root;
}

/* timer_lock of the node's CPU held. */
static void
heap_remove(struct cpu *cpu, struct timer_node *node)
{
	struct timer_node *below = meld_siblings(node->child);

	if (cpu->timer_root == node) {
		cpu->timer_root = below;
	} else {
		if (node->previous->child == node)
			node->previous->child = node->sibling;
		else
			node->previous->sibling = node->sibling;
		if (node->sibling != NULL)
			node->sibling->previous = node->previous;
		cpu->timer_root = meld(cpu->timer_root, below);
	}
	node->child = node->sibling = node->previous = NULL;
	__atomic_store_n(&node->cpu, NULL, __ATOMIC_RELEASE);
}

void
timer_node_start(struct timer_node *node, uint64_t deadline_ns)
{
	struct cpu *cpu = this_cpu();

	lock_acquire(&cpu->timer_lock);
	node->deadline_ns = deadline_ns;
	node->child = node->sibling = node->previous = NULL;
	cpu->timer_root = meld(cpu->timer_root, node);
	__atomic_store_n(&node->cpu, cpu, __ATOMIC_RELEASE);
	lock_release(&cpu->timer_lock);
	sched_need_exit_work(cpu);
}

void
timer_node_stop(struct timer_node *node)
{
	struct cpu *cpu = __atomic_load_n(&node->cpu, __ATOMIC_ACQUIRE);

	if (cpu == NULL)
		return;
	lock_acquire(&cpu->timer_lock);
	if (node->cpu == cpu)
		heap_remove(cpu, node);
	lock_release(&cpu->timer_lock);
}

void
timer_run_expired(struct cpu *cpu, uint64_t now_ns)
{
	for (;;) {
		lock_acquire(&cpu->timer_lock);
		struct timer_node *node = cpu->timer_root;
		if (node == NULL || node->deadline_ns > now_ns) {
			lock_release(&cpu->timer_lock);
			return;
		}
		heap_remove(cpu, node);
		lock_release(&cpu->timer_lock);
		node->expire(node);
	}
}

uint64_t
timer_next_deadline(const struct cpu *cpu)
{
	/* Read once: another CPU may take it out. It stays in memory. */
	const struct timer_node *root = __atomic_load_n(&cpu->timer_root,
	    __ATOMIC_RELAXED);

	return root != NULL ? root->deadline_ns : DEADLINE_NEVER;
}

static void
timer_expired(struct timer_node *node)
{
	struct timer *timer = LIST_ENTRY(node, struct timer, node);

	notification_signal(timer->notification, timer->bits);
}

status_t
timer_create(struct container *container, struct notification *notification,
    uint64_t bits, struct timer **out_timer)
{
	status_t status;
	struct object *object = object_alloc(OBJ_TIMER, container, &status);

	if (object == NULL)
		return status;
	struct timer *timer = (struct timer *)object;
	timer->notification = notification;
	object_reference(&notification->object);
	timer->bits = bits;
	timer->node.expire = timer_expired;
	*out_timer = timer;
	return OK;
}

void
timer_set(struct timer *timer, uint64_t deadline_ns)
{
	lock_acquire(&timer->lock);
	timer_node_stop(&timer->node);
	if (deadline_ns != DEADLINE_NEVER)
		timer_node_start(&timer->node, deadline_ns);
	lock_release(&timer->lock);
}

bool
timer_destroy(struct object *object)
{
	struct timer *timer = (struct timer *)object;

	timer_node_stop(&timer->node);
	object_release(&timer->notification->object);
	return true;
}
