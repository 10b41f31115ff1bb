/* SPDX-License-Identifier: MIT */
/*
 * Slabs.
 *
 * A slab frame begins with a header and holds as many objects as fit. Free
 * places of a frame are linked through their first word. Frames with a free
 * place are in slab.partial; full ones are in no list and are found again from
 * the address of an object. A frame whose last object is freed goes back to the
 * frame allocator at once, so an idle kernel holds no more frames than it
 * started with; that makes leaks visible.
 *
 * Debug builds fill free places with a pattern, check it on reuse, and forbid
 * to touch them meanwhile.
 */
#include <kernel/core/slab.h>
#include <kernel/core/frame.h>
#include <kernel/core/panic.h>
#include <kernel/core/string.h>
#include <kernel/debug/access.h>
#include <abi/object.h>

#define SLAB_MAX_SIZE	2048u
#define POISON		0x5du

#ifdef BENNU_DEBUG
static void
place_poison(const struct slab *slab, void *place)
{
	memset((char *)place + sizeof(void *), POISON,
	    slab->size - sizeof(void *));
}

static bool
place_is_poisoned(const struct slab *slab, const void *place)
{
	const uint8_t *bytes = place;

	for (uint32_t i = sizeof(void *); i < slab->size; i++)
		if (bytes[i] != POISON)
			return false;
	return true;
}
#endif

static struct slab_frame *
frame_of(const void *object)
{
	return (struct slab_frame *)((uintptr_t)object & ~PAGE_MASK);
}

/* Puts a place on the list of its frame; slab.lock is held. */
static void
place_push(struct slab *slab, struct slab_frame *frame, void *place)
{
#ifdef BENNU_DEBUG
	place_poison(slab, place);
#endif
	*(void **)place = frame->free;
	frame->free = place;
	forbid_access(place, slab->size);
}

static void *
place_pop(struct slab *slab, struct slab_frame *frame)
{
	void *place = frame->free;

	allow_access(place, slab->size);
	frame->free = *(void **)place;
#ifdef BENNU_DEBUG
	if (!place_is_poisoned(slab, place))
		kernel_panic("slab %s: %p was written after it was freed",
		    slab->name, place);
#endif
	return place;
}

/* Adds a frame of free places; slab.lock is held. */
static struct slab_frame *
slab_grow(struct slab *slab)
{
	paddr_t address = frame_alloc();

	if (address == FRAME_NONE)
		return NULL;

	struct slab_frame *frame = arch_frame_pointer(address);

	*frame = (struct slab_frame){
		.slab = slab,
		.capacity = (uint32_t)(PAGE_SIZE - sizeof(*frame)) / slab->size,
	};
	for (uint32_t i = frame->capacity; i-- > 0;)
		place_push(slab, frame, (char *)(frame + 1) + i * slab->size);
	list_append(&slab->partial, &frame->link);
	slab->frames++;
	return frame;
}

static void *
slab_take(struct slab *slab)
{
	struct slab_frame *frame;

	if (slab->partial.next == NULL) {
		if (slab->size < sizeof(void *) || slab->size > SLAB_MAX_SIZE)
			kernel_panic("slab %s: size %u", slab->name,
			    slab->size);
		list_init(&slab->partial);
	}
	if (list_is_empty(&slab->partial))
		frame = slab_grow(slab);
	else
		frame = LIST_ENTRY(slab->partial.next, struct slab_frame, link);
	if (frame == NULL)
		return NULL;

	void *object = place_pop(slab, frame);

	if (++frame->live == frame->capacity)
		list_remove(&frame->link);
	slab->live++;
	return object;
}

void *
slab_alloc(struct slab *slab)
{
	lock_acquire(&slab->lock);
	void *object = slab_take(slab);
	lock_release(&slab->lock);
	if (object != NULL)
		memset(object, 0, slab->size);
	return object;
}

/* Panics unless the pointer is an object of this slab that is in use. */
static void
check_object(const struct slab *slab, const struct slab_frame *frame,
    const void *object)
{
	uintptr_t offset = (uintptr_t)object & PAGE_MASK;

	if (frame->slab != slab || offset < sizeof(*frame) ||
	    (offset - sizeof(*frame)) % slab->size != 0 || frame->live == 0)
		kernel_panic("slab %s: %p is not its object", slab->name,
		    object);
#ifdef BENNU_DEBUG
	for (const void *place = frame->free; place != NULL;) {
		if (place == object)
			kernel_panic("slab %s: %p freed twice", slab->name,
			    object);
		allow_access(place, sizeof(void *));
		const void *next = *(void *const *)place;
		forbid_access(place, sizeof(void *));
		place = next;
	}
#endif
}

void
slab_free(struct slab *slab, void *object)
{
	struct slab_frame *frame = frame_of(object);
	paddr_t empty = FRAME_NONE;

	lock_acquire(&slab->lock);
	check_object(slab, frame, object);
	if (frame->live == frame->capacity)
		list_append(&slab->partial, &frame->link);
	place_push(slab, frame, object);
	slab->live--;
	if (--frame->live == 0) {
		list_remove(&frame->link);
		frame->slab = NULL;
		slab->frames--;
		empty = arch_frame_address(frame);
		allow_access(frame, PAGE_SIZE);
	}
	lock_release(&slab->lock);
	if (empty != FRAME_NONE)
		frame_release(empty);
}
