/* SPDX-License-Identifier: MIT */
/*
 * Containers: hierarchical limits on frames and objects.
 *
 * The counters are atomic and no lock is taken: a charge goes up the tree one
 * container at a time and is taken back from those below when an ancestor
 * refuses. Meanwhile the charge is visible, so a second charge that would fit
 * may be refused; none that does not fit is ever let through.
 *
 * The reference that object.container holds keeps `parent` in memory, until
 * the container itself is freed.
 */
#include <kernel/object/container.h>
#include <kernel/core/panic.h>
#include <stddef.h>

struct container root_container = {
	.object = { .type = OBJ_CONTAINER, .references = 1, .id = 0 },
	.frames_limit = ~0ul,
	.objects_limit = ~0ul,
};

/* A counter and the limit behind it, by their place in struct container. */
#define FRAMES	offsetof(struct container, frames_used)
#define OBJECTS	offsetof(struct container, objects_used)

_Static_assert(offsetof(struct container, frames_limit) ==
    FRAMES + sizeof(uint64_t), "the limit follows its counter");
_Static_assert(offsetof(struct container, objects_limit) ==
    OBJECTS + sizeof(uint64_t), "the limit follows its counter");

static uint64_t *
counter_of(struct container *container, size_t which)
{
	return (uint64_t *)(void *)((char *)container + which);
}

/* Adds if the sum stays within the limit. */
static bool
counter_charge(uint64_t *counter, uint64_t count)
{
	uint64_t used = __atomic_load_n(&counter[0], __ATOMIC_RELAXED);
	uint64_t limit = __atomic_load_n(&counter[1], __ATOMIC_RELAXED);

	do {
		if (used > limit || count > limit - used)
			return false;
	} while (!__atomic_compare_exchange_n(&counter[0], &used, used + count,
	    true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return true;
}

/* Takes a charge back from container and its ancestors below `end`. */
static void
release(struct container *container, const struct container *end,
    size_t which, uint64_t count)
{
	for (; container != end; container = container->parent) {
		uint64_t *counter = counter_of(container, which);

		if (__atomic_fetch_sub(counter, count, __ATOMIC_RELAXED) <
		    count)
			kernel_panic("container %lu: released what was never "
			    "charged", container->object.id);
	}
}

static status_t
charge(struct container *container, size_t which, uint64_t count)
{
	if (count == 0)
		return OK;
	for (struct container *at = container; at != NULL; at = at->parent) {
		if (!counter_charge(counter_of(at, which), count)) {
			release(container, at, which, count);
			return ERR_LIMIT;
		}
	}
	return OK;
}

status_t
container_charge_frames(struct container *container, uint64_t count)
{
	return charge(container, FRAMES, count);
}

void
container_release_frames(struct container *container, uint64_t count)
{
	release(container, NULL, FRAMES, count);
}

status_t
container_charge_object(struct container *container)
{
	return charge(container, OBJECTS, 1);
}

void
container_release_object(struct container *container)
{
	release(container, NULL, OBJECTS, 1);
}

status_t
container_create(struct container *parent, uint64_t frames_limit,
    uint64_t objects_limit, struct container **out_container)
{
	status_t status;
	struct object *object;
	struct container *container;

	if (parent->depth + 1 >= CONTAINER_MAX_DEPTH)
		return ERR_RANGE;
	object = object_alloc(OBJ_CONTAINER, parent, &status);
	if (object == NULL)
		return status;
	container = (struct container *)object;
	container->parent = parent;
	container->depth = parent->depth + 1;
	container->frames_limit = frames_limit;
	container->objects_limit = objects_limit;
	*out_container = container;
	return OK;
}

/* Limits below what is in use refuse new charges and take nothing away. */
status_t
container_set_limits(struct container *container, uint64_t frames,
    uint64_t objects)
{
	__atomic_store_n(&container->frames_limit, frames, __ATOMIC_RELAXED);
	__atomic_store_n(&container->objects_limit, objects, __ATOMIC_RELAXED);
	return OK;
}

void
container_get_info(struct container *container,
    struct container_info *out_info)
{
	out_info->frames_used =
	    __atomic_load_n(&container->frames_used, __ATOMIC_RELAXED);
	out_info->frames_limit =
	    __atomic_load_n(&container->frames_limit, __ATOMIC_RELAXED);
	out_info->objects_used =
	    __atomic_load_n(&container->objects_used, __ATOMIC_RELAXED);
	out_info->objects_limit =
	    __atomic_load_n(&container->objects_limit, __ATOMIC_RELAXED);
}

/* The last charge went before the last reference: all who pay hold one. */
bool
container_destroy(struct object *object)
{
	struct container *container = (struct container *)object;

	if (container->frames_used != 0 || container->objects_used != 0)
		kernel_panic("container %lu: dies with %lu frames, %lu objects",
		    object->id, container->frames_used,
		    container->objects_used);
	return true;
}
