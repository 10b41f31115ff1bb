/* SPDX-License-Identifier: MIT */
/*
 * What lies where, and the heap. Check first, then change: the list has room
 * before the kernel is asked, and the list changes only after the kernel
 * agreed.
 *
 * Heap: one object of MEMORY_HEAP_MAX bytes is mapped without access at exec.
 * brk makes its beginning accessible in growing steps, so a heap that grows a
 * thousand times is a handful of regions.
 *
 * A private mapping of a file is the file's own object as long as it is not
 * writable; then it is a copy on write of it. Where a range reaches beyond its
 * object no region is: a fault there looks whether the object has grown.
 */
#include "memory.h"

#include "calls.h"
#include "limit.h"
#include "service.h"

#include <lib/sys/sys.h>

#define HEAP_STEP	(1ul << 20)

struct vma_list memory_vmas;
struct memory_layout memory_layout;

unsigned
memory_region_flags(const struct vma *range, unsigned protection)
{
	return protection |
	    ((range->flags & VMA_SHARED) != 0 ? MAP_SHARED : 0) |
	    ((range->flags & (VMA_NOFORK | VMA_WIPE)) != 0 ? MAP_NOCLONE : 0);
}

void
memory_reset(uint64_t map_top)
{
	sys_unmap(PROCESS_VSPACE, USER_LOW, PROGRAM_HIGH - USER_LOW);
	vma_clear(&memory_vmas);
	backing_drop_all();
	memory_layout = (struct memory_layout){ .map_top = map_top };
}

/* Pages for a range, ready to be mapped. */
struct pages {
	cap_t	 object;
	bool	 fresh;		/* made for this: the handle goes after */
	uint64_t offset, length;	/* length: what there is; 0: nothing */
};

/* How much of the range the object reaches. */
static uint64_t
present(const struct vma *range, const struct backing *backing)
{
	uint64_t size = backing_size(backing);
	uint64_t length = range->end - range->start;

	if (range->offset >= size)
		return 0;
	return size - range->offset < length ? size - range->offset : length;
}

static status_t
pages_make(const struct vma *range, struct pages *out)
{
	const struct backing *backing = backing_of(range->backing);
	struct sys_result r;

	*out = (struct pages){ .length = range->end - range->start };
	if (backing == NULL) {
		out->fresh = true;
		return sys_object_create(OBJ_MEMORY, PROCESS_CONTAINER,
		    out->length, 0, &out->object);
	}
	out->length = present(range, backing);
	out->offset = range->offset;
	out->object = backing->object;
	if (out->length == 0 || (range->flags & VMA_COPY) == 0)
		return OK;
	r = sys_invoke(SYS_MEMORY_CLONE, backing->object, range->offset,
	    out->length, PROCESS_CONTAINER, CAP_ANY_SLOT, 0);
	/* Cut a moment ago: a fault will look again. */
	if (r.status == ERR_RANGE)
		out->length = 0;
	if (r.status != OK)
		return r.status == ERR_RANGE ? OK : r.status;
	out->object = r.value[0];
	out->fresh = true;
	out->offset = 0;
	return OK;
}

static status_t
pages_map(const struct pages *pages, const struct vma *range)
{
	status_t status;

	if (pages->length == 0)
		return OK;
	status = sys_map(PROCESS_VSPACE, range->start, pages->object,
	    pages->offset, pages->length,
	    memory_region_flags(range, range->protection));
	return status == ERR_RANGE && !pages->fresh ? OK : status;
}

static void
pages_drop(const struct pages *pages)
{
	if (pages->fresh)
		sys_cap_delete(CAP_NONE, pages->object);
}

long
memory_map(const struct vma *range)
{
	struct pages pages;
	status_t status;

	if (!vma_has_room(&memory_vmas))
		return -E_NOMEM;
	status = pages_make(range, &pages);
	if (status != OK)
		return service_memory_error(status);
	status = pages_map(&pages, range);
	pages_drop(&pages);
	if (status == OK)
		vma_insert(&memory_vmas, range);
	return service_memory_error(status);
}

long
memory_replace(const struct vma *range)
{
	struct pages pages;
	status_t status = pages_make(range, &pages);

	if (status != OK)
		return service_memory_error(status);
	status = sys_unmap(PROCESS_VSPACE, range->start,
	    range->end - range->start);
	if (status == OK)
		status = pages_map(&pages, range);
	pages_drop(&pages);
	return service_memory_error(status);
}

long
memory_map_zero(uint64_t start, uint64_t length, unsigned protection,
    unsigned vma_flags)
{
	return memory_map(&(struct vma){
		.start = start, .end = start + length,
		.protection = (uint8_t)protection,
		.flags = (uint8_t)vma_flags,
	});
}

long
memory_map_object(const struct vma *range, cap_t object)
{
	status_t status;

	if (!vma_has_room(&memory_vmas))
		return -E_NOMEM;
	status = sys_map(PROCESS_VSPACE, range->start, object, range->offset,
	    range->end - range->start,
	    memory_region_flags(range, range->protection));
	if (status == OK)
		vma_insert(&memory_vmas, range);
	return service_memory_error(status);
}

long
memory_unmap(uint64_t start, uint64_t length)
{
	const struct vma *v = vma_at_or_above(&memory_vmas, start);
	const struct vma *end = memory_vmas.entry + memory_vmas.count;
	bool backed = false;

	if (!vma_has_room(&memory_vmas))
		return -E_NOMEM;
	for (; v != NULL && v < end && v->start < start + length; v++)
		backed = backed || v->backing != 0;
	status_t status = sys_unmap(PROCESS_VSPACE, start, length);
	if (status != OK)
		return service_memory_error(status);
	vma_remove(&memory_vmas, start, start + length);
	if (backed)
		backing_sweep(&memory_vmas);
	return 0;
}

bool
memory_fault(uint64_t address)
{
	const struct vma *v = vma_find(&memory_vmas, address);
	struct sys_result r;
	struct vma part;

	if (v == NULL || v->backing == 0)
		return false;
	part = *v;
	part.start = address & ~PAGE_MASK;
	part.offset += part.start - v->start;
	if (present(&part, backing_of(v->backing)) == 0)
		return false;
	/* Up to what is there already; if that is here, it was no hole. */
	r = sys_invoke(SYS_VSPACE_QUERY, PROCESS_VSPACE, part.start, 0, 0, 0,
	    0);
	if (r.status == OK && r.value[0] <= part.start)
		return false;
	if (r.status == OK && r.value[0] < part.end)
		part.end = r.value[0];
	return memory_replace(&part) == 0;
}

void
memory_after_fork(void)
{
	for (uint32_t i = memory_vmas.count; i-- > 0;) {
		struct vma v = memory_vmas.entry[i];
		if ((v.flags & VMA_WIPE) != 0)
			memory_replace(&v);
		else if ((v.flags & VMA_NOFORK) != 0)
			memory_unmap(v.start, v.end - v.start);
	}
}

bool
memory_shared_key(uint64_t address, uint64_t out_key[2], uint64_t *out_offset)
{
	const struct vma *v = vma_find(&memory_vmas, address);
	const struct backing *backing;

	if (v == NULL || (v->flags & VMA_SHARED) == 0 || v->backing == 0)
		return false;
	backing = backing_of(v->backing);
	out_key[0] = backing->key[0];
	out_key[1] = backing->key[1];
	*out_offset = v->offset + (address - v->start);
	return true;
}

/* brk */

long
memory_set_heap(uint64_t start)
{
	struct memory_layout *m = &memory_layout;
	cap_t object;
	status_t status = sys_object_create(OBJ_MEMORY, PROCESS_CONTAINER,
	    MEMORY_HEAP_MAX, 0, &object);

	m->heap_start = m->heap_break = m->heap_ready = start;
	m->heap_end = start;
	if (status != OK)
		return service_memory_error(status);
	status = sys_map(PROCESS_VSPACE, start, object, 0, MEMORY_HEAP_MAX, 0);
	sys_cap_delete(0, object);
	if (status == OK)
		m->heap_end = start + MEMORY_HEAP_MAX;
	return service_memory_error(status);
}

static long
heap_grow(uint64_t top)
{
	struct memory_layout *m = &memory_layout;

	if (!vma_is_free(&memory_vmas, memory_round_up(m->heap_break), top))
		return -E_NOMEM;
	if (top > m->heap_ready) {
		uint64_t step = (m->heap_ready - m->heap_start) / 4;
		uint64_t ready = top;
		if (step < HEAP_STEP)
			step = HEAP_STEP;
		if (ready < m->heap_ready + (step & ~PAGE_MASK))
			ready = m->heap_ready + (step & ~PAGE_MASK);
		if (ready > m->heap_end)
			ready = m->heap_end;
		if (sys_protect(PROCESS_VSPACE, m->heap_ready,
		    ready - m->heap_ready, MAP_READ | MAP_WRITE) != OK)
			return -E_NOMEM;
		m->heap_ready = ready;
	}
	if (top > memory_round_up(m->heap_break))
		vma_insert(&memory_vmas, &(struct vma){
			.start = memory_round_up(m->heap_break), .end = top,
			.protection = MAP_READ | MAP_WRITE, .flags = VMA_HEAP,
		});
	return 0;
}

static long
heap_shrink(uint64_t top)
{
	struct memory_layout *m = &memory_layout;
	uint64_t old = memory_round_up(m->heap_break);

	if (top == old)
		return 0;
	/* What is left of the big object below stays; this is of its own. */
	long error = memory_replace(&(struct vma){
		.start = top, .end = old, .protection = MAP_READ | MAP_WRITE,
	});
	if (error == 0)
		vma_remove(&memory_vmas, top, old);
	return error;
}

long
linux_brk(uint64_t wanted)
{
	struct memory_layout *m = &memory_layout;
	uint64_t top = memory_round_up(wanted);
	long error;

	if (wanted < m->heap_start || wanted > m->heap_end ||
	    !vma_has_room(&memory_vmas))
		return (long)m->heap_break;
	uint64_t more = wanted < m->heap_break ? 0 :
	    top - memory_round_up(m->heap_break);
	if (more != 0 && (!limit_allows_memory(more) ||
	    !limit_allows_data(more)))
		return (long)m->heap_break;
	if (wanted >= m->heap_break)
		error = heap_grow(top);
	else
		error = heap_shrink(top);
	if (error == 0)
		m->heap_break = wanted;
	return (long)m->heap_break;
}
