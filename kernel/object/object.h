/* SPDX-License-Identifier: MIT */
/*
 * What all kernel objects share.
 *
 * Life: created with one reference, held by whoever creates the first
 * capability. Capabilities and kernel pointers that outlive a kernel entry
 * count as references. When the last one goes, the object is queued for the
 * reaper, which takes it apart in bounded steps (object_reap_step) and frees
 * its memory one grace period later: until then a CPU that found the object
 * without a lock may still look at it, so `dying` is checked under the
 * object's own lock.
 */
#pragma once

#include <abi/object.h>
#include <abi/status.h>
#include <stdbool.h>
#include <stdint.h>

struct container;

struct object {
	uint8_t		type;		/* OBJ_*; event pairs: OBJ_EVENTPAIR_A */
	bool		dying;		/* last reference is gone */
	bool		apart;		/* reaper only: *_destroy() is done */
	uint32_t	references;	/* atomic */
	uint64_t	id;		/* never reused */
	struct container *container;	/* pays; holds a reference on it */
	struct object	*reap_next;	/* reaper only */
};

/*
 * Allocates from the slab of the type, charges one object to the container.
 * On failure returns NULL and sets *out_status.
 */
struct object *object_alloc(unsigned type, struct container *container,
    status_t *out_status);

static inline void
object_reference(struct object *object)
{
	__atomic_add_fetch(&object->references, 1, __ATOMIC_RELAXED);
}

/*
 * For an object found without holding a reference: false if the last one is
 * gone. Once this succeeded the reaper stays away.
 */
static inline bool
object_try_reference(struct object *object)
{
	uint32_t count = __atomic_load_n(&object->references, __ATOMIC_RELAXED);

	do {
		if (count == 0)
			return false;
	} while (!__atomic_compare_exchange_n(&object->references, &count,
	    count + 1, true, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
	return true;
}

static inline bool
object_is_dying(const struct object *object)
{
	return __atomic_load_n(&object->dying, __ATOMIC_ACQUIRE);
}

void object_release(struct object *object);
/* Undoes object_alloc() for an object that nobody else has seen. */
void object_discard(struct object *object);

/* Does a bounded amount of reclaiming; false when nothing is left to do now. */
bool object_reap_step(void);
bool object_reap_pending(void);
uint64_t object_live(unsigned type);

/*
 * Per type: takes the object apart; returns false to be called again (bounded
 * work per call). Implemented in the file of the type.
 */
bool table_destroy(struct object *object);
bool vspace_destroy(struct object *object);
bool thread_destroy(struct object *object);
bool memory_destroy(struct object *object);
bool endpoint_destroy(struct object *object);
bool reply_destroy(struct object *object);
bool notification_destroy(struct object *object);
bool eventpair_destroy(struct object *object);
bool death_destroy(struct object *object);
bool irq_destroy(struct object *object);
bool timer_destroy(struct object *object);
bool ioport_destroy(struct object *object);
bool container_destroy(struct object *object);
