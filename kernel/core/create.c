/* SPDX-License-Identifier: MIT */
/*
 * object_create: makes an object and its first capability.
 *
 * RDI type, RSI container, RDX a1, R10 a2, R8 slot or CAP_ANY_SLOT, R9 extra.
 *
 *	TABLE		a1 slots
 *	MEMORY		a1 bytes, a2 MEMORY_* flags; MEMORY_PHYSICAL: a2 holds
 *			the physical address as well, R9 an OBJ_SYSTEM capability
 *	REPLY		a1 badge of its cancel event, a2 notification or 0
 *	EVENTPAIR_A	a1 endpoint or 0, a2 badge -> RDI end A, RSI end B
 *	TIMER		a1 notification, a2 bits
 *	CONTAINER	a1 frames, a2 objects: limits, 0 = none of its own
 *	IRQ		RSI OBJ_SYSTEM, a1 line, a2 notification, R9 bits
 *	IOPORT		RSI OBJ_SYSTEM, a1 first port, a2 count
 *	others		no arguments
 */
#include <kernel/core/syscall.h>

#include <kernel/object/container.h>
#include <kernel/object/death.h>
#include <kernel/object/endpoint.h>
#include <kernel/object/eventpair.h>
#include <kernel/object/ioport.h>
#include <kernel/object/irq.h>
#include <kernel/object/memory.h>
#include <kernel/object/thread_calls.h>
#include <kernel/object/timer.h>
#include <kernel/object/vspace.h>

#define LIMIT_NONE (~0ul)

/* The object is not what a thread begins with. */
static status_t
create_thread(struct container *container, struct object **out_object)
{
	struct thread *thread;
	status_t status = thread_create(container, &thread);

	if (status == OK)
		*out_object = &thread->object;
	return status;
}

static status_t
create_memory(struct thread *thread, struct container *container,
    struct memory **out_memory)
{
	struct user_frame *f = &thread->frame;
	uint32_t flags = (uint32_t)(f->r10 & 0xfff);
	uint64_t physical = f->r10 & ~0xffful;
	struct object *system;

	if ((flags & MEMORY_PHYSICAL) != 0) {
		status_t status = call_find(thread, f->r9, OBJ_SYSTEM,
		    RIGHT_MANAGE, &system);
		if (status != OK)
			return status;
	} else if (physical != 0) {
		return ERR_ARG;
	}
	return memory_create(container, f->rdx, flags, physical, out_memory);
}

static status_t
create_reply(struct thread *thread, struct container *container,
    struct reply **out_reply)
{
	struct user_frame *f = &thread->frame;
	struct notification *n = NULL;
	status_t status = f->r10 == 0 ? OK : call_find(thread, f->r10,
	    OBJ_NOTIFICATION, RIGHT_WRITE, &n);

	return status == OK ? reply_create(container, f->rdx, n, out_reply) :
	    status;
}

static status_t
create_pair(struct thread *thread, struct container *container,
    struct eventpair **out_pair)
{
	struct user_frame *f = &thread->frame;
	struct endpoint *endpoint = NULL;
	status_t status = f->rdx == 0 ? OK : call_find(thread, f->rdx,
	    OBJ_ENDPOINT, RIGHT_RECEIVE, &endpoint);

	return status == OK ? eventpair_create(container, endpoint, f->r10,
	    out_pair) : status;
}

static status_t
create_timer(struct thread *thread, struct container *container,
    struct timer **out_timer)
{
	struct user_frame *f = &thread->frame;
	struct notification *n;
	status_t status = call_find(thread, f->rdx, OBJ_NOTIFICATION,
	    RIGHT_WRITE, &n);

	return status == OK ? timer_create(container, n, f->r10, out_timer) :
	    status;
}

static status_t
create_container(struct thread *thread, struct container *parent,
    struct container **out_container)
{
	struct user_frame *f = &thread->frame;

	return container_create(parent, f->rdx != 0 ? f->rdx : LIMIT_NONE,
	    f->r10 != 0 ? f->r10 : LIMIT_NONE, out_container);
}

static status_t
create_irq(struct thread *thread, struct irq **out_irq)
{
	struct user_frame *f = &thread->frame;
	struct notification *n;
	status_t status = call_find(thread, f->r10, OBJ_NOTIFICATION,
	    RIGHT_WRITE, &n);

	if (status != OK)
		return status;
	if (f->rdx > UINT32_MAX)
		return ERR_RANGE;
	return irq_create(thread->object.container, (unsigned)f->rdx, n, f->r9,
	    out_irq);
}

/* Creates the object; it has one reference, held by nobody yet. */
static status_t
create(struct thread *thread, struct container *container, void *out_object)
{
	struct user_frame *f = &thread->frame;

	switch (f->rdi) {
	case OBJ_TABLE:
		return table_create(container, f->rdx, out_object);
	case OBJ_VSPACE:
		return vspace_create(container, out_object);
	case OBJ_THREAD:
		return create_thread(container, out_object);
	case OBJ_MEMORY:
		return create_memory(thread, container, out_object);
	case OBJ_ENDPOINT:
		return endpoint_create(container, out_object);
	case OBJ_REPLY:
		return create_reply(thread, container, out_object);
	case OBJ_NOTIFICATION:
		return notification_create(container, out_object);
	case OBJ_EVENTPAIR_A:
		return create_pair(thread, container, out_object);
	case OBJ_DEATH:
		return death_create(container, out_object);
	case OBJ_TIMER:
		return create_timer(thread, container, out_object);
	case OBJ_CONTAINER:
		return create_container(thread, container, out_object);
	case OBJ_IRQ:
		return create_irq(thread, out_object);
	case OBJ_IOPORT:
		return ioport_create(thread->object.container, f->rdx, f->r10,
		    out_object);
	default:
		return ERR_TYPE;
	}
}

static status_t
insert_second_end(struct thread *thread, struct object *pair, cap_t first)
{
	status_t status = table_insert_new(thread->table, CAP_ANY_SLOT, pair,
	    OBJ_EVENTPAIR_B, &thread->frame.rsi);

	if (status != OK)
		table_delete(thread->table, first);
	return status;
}

status_t
call_object_create(struct thread *thread, void *none)
{
	struct user_frame *f = &thread->frame;
	bool machine = f->rdi == OBJ_IRQ || f->rdi == OBJ_IOPORT;
	struct container *container = NULL;
	struct object *object, *payer;
	cap_t cap;
	status_t status = call_find(thread, f->rsi,
	    machine ? OBJ_SYSTEM : OBJ_CONTAINER, RIGHT_MANAGE, &payer);

	if (status != OK)
		return status;
	if (!machine)
		container = (struct container *)payer;
	status = create(thread, container, &object);
	if (status != OK)
		return status;
	status = table_insert_new(thread->table, f->r8, object,
	    (unsigned)f->rdi, &cap);
	if (status == OK && f->rdi == OBJ_EVENTPAIR_A)
		status = insert_second_end(thread, object, cap);
	object_release(object);
	if (status == OK)
		f->rdi = cap;
	return status;
}
