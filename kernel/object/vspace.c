/* SPDX-License-Identifier: MIT */
/*
 * Address spaces (see vspace.h).
 *
 * Page tables only hold what a fault put there: mapping, widening rights and
 * cloning leave them alone or narrow them. Leaf entries follow the laws at the
 * top of memory.c. Fields of a region that memory.c reads (start, length,
 * offset, flags, link) change under vspace.lock and memory.lock together.
 */
#include <kernel/object/vspace.h>
#include <kernel/object/container.h>
#include <kernel/object/pages.h>
#include <kernel/object/region.h>

#define MAP_FLAGS		(MAP_RIGHTS | MAP_SHARED | MAP_NOCLONE | \
				 MAP_PKEY_MASK)
#define UNMAP_PAGES		256u	/* work of one call ... */
#define REGION_COST		8u	/* ... a region is worth so many */
#define CLONE_PIECES		4u
#define DESTROY_REGIONS		16u

/* --- Leaf entries; memory.lock is held. --- */

bool
vspace_remove_pages(struct vspace *vspace, vaddr_t start, vaddr_t end,
    uint64_t *pages)
{
	vaddr_t first = start;
	vaddr_t last = arch_range_unmap(&vspace->arch, &first, end, pages);

	if (last != first)
		arch_tlb_flush(vspace, first, last - first);
	return *pages > 0;
}

void
vspace_limit_rights(struct vspace *vspace, vaddr_t start, uint64_t length,
    unsigned flags)
{
	if (arch_range_protect(&vspace->arch, start, length,
	    flags & (MAP_RIGHTS | MAP_PKEY_MASK)))
		arch_tlb_flush(vspace, start, length);
}

/*
 * Maps a page, and its neighbours that are present anyway: they lie in the same
 * page table and cost little. A page that was just made has none to speak of.
 */
static status_t
map_page(struct vspace *vspace, const struct region *region, vaddr_t page,
    uint64_t frame, bool around)
{
	struct page_batch batch = {
		.flags = region->flags & (MAP_RIGHTS | MAP_PKEY_MASK),
		.uncached = (region->memory->flags & MEMORY_UNCACHED) != 0,
		.count = 1,
	};
	vaddr_t low = page, high = region_end(region);
	unsigned wanted = 0;

	if (around) {
		low &= ~(BATCH_PAGES * PAGE_SIZE - 1);
		if (high > low + BATCH_PAGES * PAGE_SIZE)
			high = low + BATCH_PAGES * PAGE_SIZE;
		if (low < region->start)
			low = region->start;
		batch.count = (unsigned)((high - low) >> PAGE_SHIFT);
		wanted = (unsigned)((page - low) >> PAGE_SHIFT);
		memory_pages_present(region->memory,
		    region->offset + (low - region->start), &batch);
	}
	if (frame != FRAME_NONE)
		batch.page[wanted] = frame;
	return arch_pages_map(&vspace->arch, vspace->object.container, low,
	    &batch, wanted);
}

/*
 * Maps what is present of a region from `at` on, if that is little: no fault
 * has to. What fails here is left to one.
 */
static void
map_few(struct vspace *vspace, const struct region *region, vaddr_t at)
{
	struct memory *memory = region->memory;
	uint64_t bias = region->offset - region->start;

	lock_acquire(&memory->lock);
	while (at < region_end(region) && memory->resident <= BATCH_PAGES) {
		uint64_t page = pages_next(memory, (at + bias) >> PAGE_SHIFT);

		if (page >= (region_end(region) + bias) >> PAGE_SHIFT)
			break;
		at = (page << PAGE_SHIFT) - bias;
		map_page(vspace, region, at, FRAME_NONE, true);
		at = (at | (BATCH_PAGES * PAGE_SIZE - 1)) + 1;
	}
	lock_release(&memory->lock);
}

/* --- Map, unmap, protect. --- */

static status_t
range_check(vaddr_t address, uint64_t length)
{
	if (((address | length) & PAGE_MASK) != 0 || length == 0)
		return ERR_ARG;
	return range_is_user(address, length) ? OK : ERR_RANGE;
}

status_t
vspace_enter(struct vspace *vspace)
{
	lock_acquire(&vspace->lock);
	if (!object_is_dying(&vspace->object))
		return OK;
	lock_release(&vspace->lock);
	return ERR_HANDLE;
}

status_t
vspace_create(struct container *container, struct vspace **out_vspace)
{
	status_t status;
	struct object *object = object_alloc(OBJ_VSPACE, container, &status);
	struct vspace *vspace = (struct vspace *)object;

	if (object == NULL)
		return status;
	status = arch_vspace_init(&vspace->arch, container);
	if (status != OK) {
		object_discard(object);
		return status;
	}
	*out_vspace = vspace;
	return OK;
}

status_t
vspace_map(struct vspace *vspace, vaddr_t address, struct memory *memory,
    uint64_t offset, uint64_t length, unsigned flags)
{
	struct region wanted = {
		.vspace = vspace,
		.memory = memory,
		.start = address,
		.length = length,
		.offset = offset,
		.flags = flags & MAP_FLAGS,
		.limit = (flags >> MAP_LIMIT_SHIFT) & MAP_RIGHTS,
	};
	status_t status = range_check(address, length);

	if (status != OK)
		return status;
	if ((flags & ~(MAP_FLAGS | MAP_LIMIT(MAP_RIGHTS))) != 0 ||
	    (offset & PAGE_MASK) != 0)
		return ERR_ARG;
	if (wanted.limit == 0)
		wanted.limit = flags & MAP_RIGHTS;
	if ((flags & MAP_RIGHTS & ~wanted.limit) != 0)
		return ERR_RIGHT;
	status = vspace_enter(vspace);
	if (status != OK)
		return status;
	/* It may shrink at any time after; what lies beyond is a fault. */
	status = region_add(vspace, &wanted,
	    __atomic_load_n(&memory->size, __ATOMIC_RELAXED));
	if (status == OK) {
		uint32_t index = region_find(vspace, address);

		region_merge(vspace, index);
		if (index > 0)
			region_merge(vspace, index - 1);
		if ((memory->flags & MEMORY_CONTIGUOUS) != 0)
			map_few(vspace, region_at(vspace, address), address);
	}
	lock_release(&vspace->lock);
	return status;
}

/*
 * Cuts [low, high) out of the region at index: first its pages, up to *pages,
 * then the region itself. ERR_RETRY if pages are left.
 */
static status_t
unmap_part(struct vspace *vspace, uint32_t index, vaddr_t low, vaddr_t high,
    uint64_t *pages)
{
	struct region *region = vspace->regions[index];
	struct memory *memory = region->memory;
	struct region_reserve spare = { .count = 0 };
	bool clean, whole = low == region->start && high == region_end(region);

	/* Only a hole in the middle needs memory. */
	if (low > region->start && high < region_end(region)) {
		status_t status = region_reserve(vspace, 1, &spare);

		if (status != OK)
			return status;
		region_split(vspace, index, high, &spare);
	}
	lock_acquire(&memory->lock);
	clean = vspace_remove_pages(vspace, low, high, pages);
	if (clean && whole) {
		list_remove(&region->link);
	} else if (clean && low == region->start) {
		region->start = high;
		region->offset += high - low;
		region->length -= high - low;
	} else if (clean) {
		region->length = low - region->start;
	}
	lock_release(&memory->lock);
	if (!clean)
		return ERR_RETRY;
	if (whole)
		region_remove(vspace, index);
	return OK;
}

status_t
vspace_unmap(struct vspace *vspace, vaddr_t *address, uint64_t *length)
{
	status_t status = range_check(*address, *length);
	uint64_t pages = UNMAP_PAGES;

	if (status == OK)
		status = vspace_enter(vspace);
	if (status != OK)
		return status;

	vaddr_t end = *address + *length;

	while (status == OK && *address < end) {
		uint32_t index = region_find(vspace, *address);
		vaddr_t low, high = end;

		if (index == vspace->region_count ||
		    vspace->regions[index]->start >= end) {
			*address = end;
			break;
		}
		low = vspace->regions[index]->start;
		if (low < *address)
			low = *address;
		if (high > region_end(vspace->regions[index]))
			high = region_end(vspace->regions[index]);
		if (pages < REGION_COST) {
			status = ERR_RETRY;
			break;
		}
		pages -= REGION_COST;
		status = unmap_part(vspace, index, low, high, &pages);
		if (status == OK)
			*address = high;
	}
	*length = end - *address;
	lock_release(&vspace->lock);
	return status;
}

/* New flags for one whole region. */
static void
region_protect(struct vspace *vspace, struct region *region, unsigned flags)
{
	uint64_t pages = ~0ul;

	lock_acquire(&region->memory->lock);
	region->flags = flags;
	/* The right to write comes back by a fault, page by page. */
	if ((flags & MAP_RIGHTS) == 0)
		vspace_remove_pages(vspace, region->start, region_end(region),
		    &pages);
	else
		vspace_limit_rights(vspace, region->start, region->length,
		    flags & ~MAP_WRITE);
	lock_release(&region->memory->lock);
}

/* Is all of it mapped, and may it have the rights? *out_splits: ends inside. */
static status_t
protect_check(struct vspace *vspace, vaddr_t address, vaddr_t end,
    unsigned flags, unsigned *out_splits)
{
	uint32_t index = region_find(vspace, address);
	vaddr_t at = address;

	*out_splits = 0;
	while (at < end) {
		const struct region *region;

		if (index == vspace->region_count)
			return ERR_FAULT;
		region = vspace->regions[index];
		if (region->start > at)
			return ERR_FAULT;
		if ((flags & MAP_RIGHTS & ~region->limit) != 0)
			return ERR_RIGHT;
		if (region->start < address)
			++*out_splits;
		at = region_end(region);
		if (at > end)
			++*out_splits;
		index++;
	}
	return OK;
}

status_t
vspace_protect(struct vspace *vspace, vaddr_t address, uint64_t length,
    unsigned flags)
{
	status_t status = range_check(address, length);
	vaddr_t end = address + length;
	struct region_reserve spare;
	unsigned splits;

	if (status != OK)
		return status;
	if ((flags & ~MAP_FLAGS) != 0)
		return ERR_ARG;
	status = vspace_enter(vspace);
	if (status != OK)
		return status;
	status = protect_check(vspace, address, end, flags, &splits);
	if (status == OK)
		status = region_reserve(vspace, splits, &spare);
	if (status != OK) {
		lock_release(&vspace->lock);
		return status;
	}

	uint32_t first = region_find(vspace, address), i;

	if (vspace->regions[first]->start < address)
		region_split(vspace, first++, address, &spare);
	for (i = first; i < vspace->region_count &&
	    vspace->regions[i]->start < end; i++) {
		if (region_end(vspace->regions[i]) > end)
			region_split(vspace, i, end, &spare);
		region_protect(vspace, vspace->regions[i], flags);
	}
	for (; i + 1 > first; i--)
		if (i > 0)
			region_merge(vspace, i - 1);
	lock_release(&vspace->lock);
	return OK;
}

status_t
vspace_query(struct vspace *vspace, vaddr_t address, vaddr_t *out_start,
    uint64_t *out_length, unsigned *out_flags)
{
	status_t status = vspace_enter(vspace);

	if (status != OK)
		return status;

	uint32_t index = region_find(vspace, address);

	if (index < vspace->region_count) {
		*out_start = vspace->regions[index]->start;
		*out_length = vspace->regions[index]->length;
		*out_flags = vspace->regions[index]->flags;
	} else {
		status = ERR_NOENT;
	}
	lock_release(&vspace->lock);
	return status;
}

/* --- Clone. --- */

/* The clone that receives [at, ...) of a private region, made if need be. */
static status_t
clone_target(struct vspace *destination, struct container *container,
    const struct region *region, vaddr_t at, struct region **out_target)
{
	struct region *target = region_at(destination, at);
	struct region wanted = *region;
	status_t status;

	if (target == NULL) {
		wanted.vspace = destination;
		wanted.start = at;
		wanted.length = region_end(region) - at;
		wanted.offset = 0;
		status = memory_create(container, wanted.length, 0, 0,
		    &wanted.memory);
		if (status != OK)
			return status;
		status = region_add(destination, &wanted, ~0ul);
		object_release(&wanted.memory->object);
		if (status != OK)
			return status;
		target = region_at(destination, at);
	}
	/* Only what an earlier step made: no other holder, no capability. */
	if (target->memory->object.references != 1 || target->memory->flags != 0)
		return ERR_EXIST;
	*out_target = target;
	return OK;
}

/* What one space has mapped of a memory object, the other has too. */
static void
share_entries(const struct region *from, const struct region *to)
{
	struct vspace *destination = to->vspace;

	lock_acquire(&to->memory->lock);
	arch_range_copy(&from->vspace->arch, &destination->arch,
	    destination->object.container, to->start, region_end(to));
	lock_release(&to->memory->lock);
}

/* Clones the region from the address on, or a step of it. */
static status_t
clone_piece(struct vspace *destination, struct container *container,
    const struct region *region, vaddr_t *at)
{
	uint64_t from = region->offset + (*at - region->start);
	struct region wanted = *region, *target;
	uint64_t length = region_end(region) - *at, done;
	status_t status;

	if ((region->flags & MAP_SHARED) != 0 ||
	    (region->limit & MAP_WRITE) == 0 || (region->memory->flags &
	    (MEMORY_PHYSICAL | MEMORY_CONTIGUOUS)) != 0) {
		wanted.vspace = destination;
		wanted.start = *at;
		wanted.length = length;
		wanted.offset = from;
		*at += length;
		status = region_add(destination, &wanted, ~0ul);
		if (status == OK)
			share_entries(region, &wanted);
		return status;
	}
	status = clone_target(destination, container, region, *at, &target);
	if (status != OK)
		return status;
	if (length > region_end(target) - *at)
		length = region_end(target) - *at;
	status = memory_share_step(region->memory, from, target->memory,
	    target->offset + (*at - target->start), length, &done);
	if (status != OK)
		return status;
	*at += done;
	map_few(destination, target, *at - done);
	return OK;
}

/* Up to CLONE_PIECES pieces; both are locked. */
static status_t
clone_step(struct vspace *source, struct vspace *destination,
    struct container *container, vaddr_t *cursor)
{
	unsigned work = 0;
	status_t status = OK;

	while (status == OK) {
		uint32_t index = region_find(source, *cursor);

		if (index == source->region_count)
			break;

		const struct region *region = source->regions[index];

		if (*cursor < region->start)
			*cursor = region->start;
		if ((region->flags & MAP_NOCLONE) != 0)
			*cursor = region_end(region);
		else if (work++ == CLONE_PIECES)
			status = ERR_RETRY;
		else
			status = clone_piece(destination, container, region,
			    cursor);
	}
	return status;
}

status_t
vspace_clone(struct vspace *source, struct vspace *destination,
    struct container *container, vaddr_t *cursor)
{
	struct vspace *low = source < destination ? source : destination;
	struct vspace *high = source < destination ? destination : source;
	status_t status;

	if (source == destination || (*cursor & PAGE_MASK) != 0)
		return ERR_ARG;
	status = vspace_enter(low);
	if (status != OK)
		return status;
	status = vspace_enter(high);
	if (status == OK) {
		status = clone_step(source, destination, container, cursor);
		lock_release(&high->lock);
	}
	lock_release(&low->lock);
	return status;
}

/* --- Faults. --- */

/* Under both locks. */
static status_t
fault_page(struct vspace *vspace, const struct region *region, vaddr_t page,
    unsigned access)
{
	uint64_t offset = region->offset + (page - region->start);
	uint64_t resident = region->memory->resident;
	paddr_t frame;
	bool writable;
	/* Another thread may have been faster; that does no harm. */
	status_t status = memory_page(region->memory, offset,
	    access == MAP_WRITE, &frame, &writable);

	if (status != OK)
		return status == ERR_RANGE ? ERR_FAULT : status;
	return map_page(vspace, region, page, frame | writable,
	    region->memory->resident == resident);
}

status_t
vspace_fault(struct vspace *vspace, vaddr_t address, unsigned access)
{
	status_t status = vspace_enter(vspace);

	if (status != OK)
		return status;

	struct region *region = region_for(vspace, address, access);

	status = ERR_FAULT;
	if (region != NULL) {
		lock_acquire(&region->memory->lock);
		status = fault_page(vspace, region, address & ~PAGE_MASK,
		    access);
		lock_release(&region->memory->lock);
	}
	lock_release(&vspace->lock);
	return status;
}

/* --- End, and checks. --- */

bool
vspace_destroy(struct object *object)
{
	struct vspace *vspace = (struct vspace *)object;
	bool done;

	/* The last thread is dead, but its CPU may not have switched yet. */
	if (__atomic_load_n(&vspace->active_cpus, __ATOMIC_ACQUIRE) != 0)
		return false;
	lock_acquire(&vspace->lock);
	for (unsigned i = 0; i < DESTROY_REGIONS && vspace->region_count > 0;
	    i++) {
		uint32_t last = vspace->region_count - 1;
		struct region *region = vspace->regions[last];

		/* Off the list, its page tables are touched by nobody. */
		lock_acquire(&region->memory->lock);
		list_remove(&region->link);
		lock_release(&region->memory->lock);
		region_remove(vspace, last);
	}
	done = vspace->region_count == 0;
	if (done) {
		region_array_free(vspace);
		arch_vspace_destroy(&vspace->arch, object->container);
	}
	lock_release(&vspace->lock);
	return done;
}
