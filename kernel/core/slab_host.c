/* SPDX-License-Identifier: MIT */
/*
 * Is a slab sound? Asked by tests only, so no kernel image holds it.
 */
#include <kernel/core/slab.h>
#include <kernel/debug/access.h>
#include <abi/object.h>

static bool
slab_frame_ok(const struct slab *slab, const struct slab_frame *frame)
{
	uint32_t free = 0;

	for (const void *place = frame->free; place != NULL;) {
		if ((uintptr_t)frame != ((uintptr_t)place & ~PAGE_MASK) || ++free > frame->capacity)
			return false;
		allow_access(place, sizeof(void *));
		const void *next = *(void *const *)place;
		forbid_access(place, sizeof(void *));
		place = next;
	}
	return frame->slab == slab && free != 0 &&
	    frame->live + free == frame->capacity;
}

bool
slab_ok(struct slab *slab)
{
	bool ok = true;

	lock_acquire(&slab->lock);
	if (slab->partial.next != NULL)
		for (struct list *node = slab->partial.next;
		    ok && node != &slab->partial; node = node->next)
			ok = slab_frame_ok(slab,
			    LIST_ENTRY(node, struct slab_frame, link));
	ok = ok && slab->live >= (slab->frames != 0);
	lock_release(&slab->lock);
	return ok;
}
