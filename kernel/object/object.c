/* SPDX-License-Identifier: MIT */
/*
 * Birth and death of kernel objects.
 *
 * A dead object goes through three queues; each step of object_reap_step()
 * does one bounded piece:
 *
 *	doomed		the last reference is gone; waits for a grace period
 *	waiting		the grace period in `grace` must pass
 *	expired		no CPU can have it loaded or find it by a capability:
 *			it is taken apart by *_destroy(), then doomed a second
 *			time, because threads and timers led to it until then;
 *			when it comes here again it is freed
 *
 * There is one grace period at a time, and one snapshot of epochs, so memory
 * is bounded however many objects die; those that die meanwhile wait for the
 * next one. The period begins after they lost their last capability: no lookup
 * can find them any more.
 *
 * kernel_exit() calls object_reap_step() when its CPU holds no pointers to
 * objects, after it switched to the next thread. reap_lock is a leaf.
 */
#include <kernel/object/object.h>
#include <kernel/core/epoch.h>
#include <kernel/core/panic.h>
#include <kernel/core/slab.h>
#include <kernel/object/container.h>
#include <kernel/object/memory.h>
#include <kernel/object/thread.h>
#include <kernel/object/vspace.h>
#include <kernel/object/death.h>
#include <kernel/object/endpoint.h>
#include <kernel/object/eventpair.h>
#include <kernel/object/ioport.h>
#include <kernel/object/irq.h>
#include <kernel/object/notification.h>
#include <kernel/object/table.h>
#include <kernel/object/timer.h>

struct kind {
	struct slab	slab;
	size_t		offset;		/* of struct object */
	bool		(*destroy)(struct object *object);
	uint64_t	live;		/* atomic */
};

#define KIND(name) { \
	.slab = SLAB_INITIALIZER(#name, struct name), \
	.offset = offsetof(struct name, object), \
	.destroy = name##_destroy, \
}

static struct kind kinds[OBJ_TYPE_COUNT] = {
	[OBJ_TABLE]		= KIND(table),
	[OBJ_VSPACE]		= KIND(vspace),
	[OBJ_THREAD]		= KIND(thread),
	[OBJ_MEMORY]		= KIND(memory),
	[OBJ_ENDPOINT]		= KIND(endpoint),
	[OBJ_REPLY]		= KIND(reply),
	[OBJ_NOTIFICATION]	= KIND(notification),
	[OBJ_EVENTPAIR_A]	= KIND(eventpair),
	[OBJ_DEATH]		= KIND(death),
	[OBJ_IRQ]		= KIND(irq),
	[OBJ_TIMER]		= KIND(timer),
	[OBJ_IOPORT]		= KIND(ioport),
	[OBJ_CONTAINER]		= KIND(container),
};

static uint64_t last_id;		/* atomic */
static uint64_t reap_count;		/* atomic: objects in the reaper */

/* First in, first out; linked by reap_next. */
struct queue {
	struct object *first, *last;
};

static struct lock reap_lock;		/* guards the rest */
static struct queue doomed, waiting, expired;
static struct epoch_snapshot grace;

static void
queue_put(struct queue *queue, struct object *object)
{
	object->reap_next = NULL;
	if (queue->first == NULL)
		queue->first = object;
	else
		queue->last->reap_next = object;
	queue->last = object;
}

static struct object *
queue_take(struct queue *queue)
{
	struct object *object = queue->first;

	if (object != NULL)
		queue->first = object->reap_next;
	return object;
}

static struct kind *
kind_of(unsigned type)
{
	if (type >= OBJ_TYPE_COUNT || kinds[type].destroy == NULL)
		kernel_panic("object: no type %u", type);
	return &kinds[type];
}

struct object *
object_alloc(unsigned type, struct container *container, status_t *out_status)
{
	struct kind *kind = kind_of(type);
	status_t status = container_charge_object(container);

	*out_status = status;
	if (status != OK)
		return NULL;

	char *memory = slab_alloc(&kind->slab);

	if (memory == NULL) {
		container_release_object(container);
		*out_status = ERR_NOMEM;
		return NULL;
	}

	struct object *object = (struct object *)(void *)(memory + kind->offset);

	object->type = (uint8_t)type;
	object->references = 1;
	object->id = __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED);
	object->container = container;
	object_reference(&container->object);
	__atomic_add_fetch(&kind->live, 1, __ATOMIC_RELAXED);
	return object;
}

void
object_discard(struct object *object)
{
	struct kind *kind = kind_of(object->type);
	struct container *container = object->container;

	slab_free(&kind->slab, (char *)object - kind->offset);
	__atomic_sub_fetch(&kind->live, 1, __ATOMIC_RELAXED);
	container_release_object(container);
	object_release(&container->object);
}

void
object_release(struct object *object)
{
	uint32_t before = __atomic_fetch_sub(&object->references, 1,
	    __ATOMIC_ACQ_REL);

	if (before == 0)
		kernel_panic("object %lu: released twice", object->id);
	if (before > 1)
		return;
	__atomic_store_n(&object->dying, true, __ATOMIC_RELEASE);
	__atomic_add_fetch(&reap_count, 1, __ATOMIC_RELAXED);
	lock_acquire(&reap_lock);
	queue_put(&doomed, object);
	lock_release(&reap_lock);
	this_cpu()->arch.exit_work = 1;
}

/* reap_lock held. Moves queues on; the next object to take apart, or NULL. */
static struct object *
next_expired(void)
{
	if (expired.first == NULL && waiting.first != NULL &&
	    epoch_passed(&grace)) {
		expired = waiting;
		waiting.first = NULL;
	}
	if (waiting.first == NULL && doomed.first != NULL) {
		waiting = doomed;
		doomed.first = NULL;
		epoch_begin(&grace);
	}
	return queue_take(&expired);
}

bool
object_reap_step(void)
{
	if (!object_reap_pending())
		return false;
	lock_acquire(&reap_lock);
	struct object *object = next_expired();
	if (object == NULL)	/* a period on one CPU is over at once */
		object = next_expired();
	lock_release(&reap_lock);
	if (object == NULL)
		return false;

	if (object->apart) {
		object_discard(object);
		__atomic_sub_fetch(&reap_count, 1, __ATOMIC_RELAXED);
		return true;
	}
	object->apart = kind_of(object->type)->destroy(object);
	lock_acquire(&reap_lock);
	queue_put(object->apart ? &doomed : &expired, object);
	lock_release(&reap_lock);
	return true;
}

bool
object_reap_pending(void)
{
	return __atomic_load_n(&reap_count, __ATOMIC_RELAXED) != 0;
}

uint64_t
object_live(unsigned type)
{
	return type < OBJ_TYPE_COUNT ?
	    __atomic_load_n(&kinds[type].live, __ATOMIC_RELAXED) : 0;
}
