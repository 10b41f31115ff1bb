/* SPDX-License-Identifier: MIT */
/*
 * Memory objects (see memory.h).
 *
 * Laws that keep snapshots and rights honest, all under memory.lock:
 *
 *  - A page is mapped writable only while its frame has one reference. Sharing
 *    a frame first takes the write right from all mappings.
 *  - Whoever takes a right from a page-table entry flushes before it lets go of
 *    memory.lock. The next holder that finds the right gone need not flush; it
 *    may share or free the frame.
 *  - So an entry is never replaced by a weaker one silently: a page that is
 *    mapped is left as it is, or gets more rights, or is unmapped and flushed.
 *
 * A copy in flight holds a reference on its source frame. That looks like
 * sharing: a write then copies a page that it could have kept, nothing worse.
 */
#include <kernel/object/memory.h>
#include <kernel/core/string.h>
#include <kernel/object/container.h>
#include <kernel/object/pages.h>
#include <kernel/object/vspace.h>

#define STEP_PAGES	64u		/* pages freed in one step */
#define COPY_AT_ONCE	4u		/* cheaper than a fault on each side */
#define PHYSICAL_END	(1ul << 52)
#define PINNED		(MEMORY_PHYSICAL | MEMORY_CONTIGUOUS)

/* --- Mappings. --- */

/* The part of a region that maps [offset, offset + length) of its memory. */
static bool
region_part(const struct region *region, uint64_t offset, uint64_t length,
    vaddr_t *out_start, uint64_t *out_length)
{
	uint64_t low = region->offset, high = low + region->length;

	if (low < offset)
		low = offset;
	if (high > offset + length)
		high = offset + length;
	if (low >= high)
		return false;
	*out_start = region->start + (low - region->offset);
	*out_length = high - low;
	return true;
}

/* Removes a range of pages from all page tables; no TLB has them after. */
static void
unmap_everywhere(struct memory *memory, uint64_t offset, uint64_t length)
{
	for (struct list *node = memory->mappings.next;
	    node != &memory->mappings; node = node->next) {
		struct region *region = LIST_ENTRY(node, struct region, link);
		uint64_t pages = ~0ul;
		vaddr_t start;
		uint64_t part;

		if (region_part(region, offset, length, &start, &part))
			vspace_remove_pages(region->vspace, start,
			    start + part, &pages);
	}
}

/* Takes the write right from all mappings of a range. */
static void
write_protect_everywhere(struct memory *memory, uint64_t offset,
    uint64_t length)
{
	for (struct list *node = memory->mappings.next;
	    node != &memory->mappings; node = node->next) {
		struct region *region = LIST_ENTRY(node, struct region, link);
		vaddr_t start;
		uint64_t part;

		if ((region->flags & MAP_WRITE) != 0 &&
		    region_part(region, offset, length, &start, &part))
			vspace_limit_rights(region->vspace, start, part,
			    region->flags & ~MAP_WRITE);
	}
}

/* --- Pages; memory.lock is held. --- */

/* Cleared frames that the object pays for. */
static status_t
frames_reserve(struct memory *memory, unsigned count,
    struct page_reserve *out_reserve)
{
	struct container *container = memory->object.container;
	status_t status = container_charge_frames(container, count);

	if (status == OK && !pages_reserve(out_reserve, count)) {
		container_release_frames(container, count);
		status = ERR_NOMEM;
	}
	return status;
}

/* Zero-filled page, with the nodes that lead to it. */
static status_t
page_add(struct memory *memory, uint64_t page, unsigned missing,
    uint64_t *entry, paddr_t *out_frame)
{
	struct page_reserve reserve;
	status_t status = frames_reserve(memory, missing + 1, &reserve);

	if (status != OK)
		return status;
	*out_frame = pages_take(&reserve);
	if (entry == NULL)
		entry = pages_entry_create(memory, page, &reserve);
	pages_set(entry, *out_frame);
	memory->resident++;
	return OK;
}

/* Gives the object a copy of its own; the old frame stays with the others. */
static status_t
page_unshare(struct memory *memory, uint64_t page, uint64_t *entry)
{
	paddr_t old = *entry, copy = frame_alloc();

	if (copy == FRAME_NONE)
		return ERR_NOMEM;
	arch_page_copy(arch_frame_pointer(copy), arch_frame_pointer(old));
	unmap_everywhere(memory, page << PAGE_SHIFT, PAGE_SIZE);
	*entry = copy;
	frame_release(old);
	return OK;
}

static bool
is_pinned(const struct memory *memory)
{
	return (memory->flags & PINNED) != 0;
}

void
memory_pages_present(struct memory *memory, uint64_t offset,
    struct page_batch *batch)
{
	uint64_t *entry = NULL;
	unsigned missing;

	for (unsigned i = 0; i < batch->count; i++, offset += PAGE_SIZE) {
		uint64_t page = offset >> PAGE_SHIFT;

		if (offset >= memory->size)
			return;
		if (is_pinned(memory)) {
			batch->page[i] = (memory->base + offset) | PAGE_WRITABLE;
			continue;
		}
		if (i == 0 || page % PAGES_PER_NODE == 0)
			entry = pages_entry(memory, page, &missing);
		if (entry != NULL && *entry != FRAME_NONE)
			batch->page[i] = *entry |
			    (frame_references(*entry) == 1);
		if (entry != NULL)
			entry++;
	}
}

bool
memory_page_present(struct memory *memory, uint64_t offset,
    paddr_t *out_frame, bool *out_writable)
{
	struct page_batch batch;

	batch.count = 1;
	batch.page[0] = FRAME_NONE;
	memory_pages_present(memory, offset, &batch);
	*out_frame = batch.page[0] & ~PAGE_MASK;
	*out_writable = (batch.page[0] & PAGE_WRITABLE) != 0;
	return batch.page[0] != FRAME_NONE;
}

status_t
memory_page(struct memory *memory, uint64_t offset, bool write,
    paddr_t *out_frame, bool *out_writable)
{
	uint64_t page = offset >> PAGE_SHIFT;
	unsigned missing = 0;
	uint64_t *entry;
	status_t status;

	if (offset >= memory->size)
		return ERR_RANGE;
	if (is_pinned(memory)) {
		memory_page_present(memory, offset, out_frame, out_writable);
		return OK;
	}
	entry = pages_entry(memory, page, &missing);
	if (entry == NULL || *entry == FRAME_NONE) {
		*out_writable = true;
		return page_add(memory, page, missing, entry, out_frame);
	}
	if (write && frame_references(*entry) > 1) {
		status = page_unshare(memory, page, entry);
		if (status != OK)
			return status;
	}
	*out_frame = *entry;
	*out_writable = write || frame_references(*entry) == 1;
	return OK;
}

/* --- Creation, size, destruction. --- */

static bool
range_is_ram(paddr_t base, uint64_t size)
{
	for (uint64_t i = 0; i < size; i += PAGE_SIZE)
		if (!frame_is_ram(base + i))
			return false;
	return true;
}

static status_t
create_check(uint64_t size, uint32_t flags, paddr_t physical)
{
	bool uncached = (flags & MEMORY_UNCACHED) != 0;

	if ((size & PAGE_MASK) != 0 || (flags & ~(PINNED | MEMORY_UNCACHED)) ||
	    (flags & PINNED) == PINNED)
		return ERR_ARG;
	if (size > MEMORY_MAX_SIZE)
		return ERR_RANGE;
	if ((flags & MEMORY_CONTIGUOUS) != 0 &&
	    (size == 0 || size > PAGE_SIZE << FRAME_MAX_ORDER))
		return ERR_RANGE;
	if ((flags & MEMORY_PHYSICAL) == 0)
		return uncached ? ERR_ARG : OK;
	if ((physical & PAGE_MASK) != 0)
		return ERR_ARG;
	if (physical >= PHYSICAL_END || size > PHYSICAL_END - physical)
		return ERR_RANGE;
	/* Device registers must not be cached, nor seen by the kernel. */
	if (!uncached && !range_is_ram(physical, size))
		return ERR_ARG;
	return OK;
}

/* One block, cleared; what the power of two has too much is given back. */
static status_t
contiguous_fill(struct memory *memory, uint64_t size)
{
	struct container *container = memory->object.container;
	uint64_t pages = size >> PAGE_SHIFT;
	unsigned order = 0;
	status_t status = container_charge_frames(container, pages);

	if (status != OK)
		return status;
	while (1ul << order < pages)
		order++;
	memory->base = frame_alloc_block(order);
	if (memory->base == FRAME_NONE) {
		container_release_frames(container, pages);
		return ERR_NOMEM;
	}
	for (uint64_t i = 0; i < 1ul << order; i++) {
		paddr_t frame = memory->base + (i << PAGE_SHIFT);

		if (i < pages)
			arch_page_clear(arch_frame_pointer(frame));
		else
			frame_release(frame);
	}
	memory->resident = pages;
	return OK;
}

status_t
memory_create(struct container *container, uint64_t size, uint32_t flags,
    paddr_t physical, struct memory **out_memory)
{
	status_t status = create_check(size, flags, physical);
	struct object *object;
	struct memory *memory;

	if (status != OK)
		return status;
	object = object_alloc(OBJ_MEMORY, container, &status);
	if (object == NULL)
		return status;
	memory = (struct memory *)object;
	memory->flags = flags;
	memory->size = size;
	list_init(&memory->mappings);
	if ((flags & MEMORY_PHYSICAL) != 0) {
		memory->base = physical;
	} else if ((flags & MEMORY_CONTIGUOUS) != 0) {
		status = contiguous_fill(memory, size);
		if (status != OK) {
			object_discard(object);
			return status;
		}
	}
	*out_memory = memory;
	return OK;
}

/*
 * Drops up to STEP_PAGES pages at or above memory.size, all in one leaf node;
 * false if there was none.
 */
static bool
drop_step(struct memory *memory)
{
	uint64_t first = memory->size >> PAGE_SHIFT;
	uint64_t page = pages_next(memory, first);
	unsigned missing;

	if (page == ~0ul)
		return false;

	uint64_t *entry = pages_entry(memory, page, &missing);
	unsigned index = page % PAGES_PER_NODE, i = index;
	uint64_t count = PAGES_PER_NODE - index, dropped = 0;

	/* All of the node, or so many that it is time for interrupts. */
	unmap_everywhere(memory, page << PAGE_SHIFT, count << PAGE_SHIFT);
	for (entry -= index; dropped < STEP_PAGES && *frame_note(entry) != 0;
	    i++) {
		i = frame_scan(entry, i, PAGES_PER_NODE);
		if (i == PAGES_PER_NODE)
			break;
		frame_release(entry[i]);
		pages_set(&entry[i], FRAME_NONE);
		dropped++;
	}
	memory->resident -= dropped;
	container_release_frames(memory->object.container, dropped);
	pages_prune(memory, page);
	return true;
}

status_t
memory_resize(struct memory *memory, uint64_t size)
{
	status_t status = OK;

	if ((size & PAGE_MASK) != 0)
		return ERR_ARG;
	if (size > MEMORY_MAX_SIZE)
		return ERR_RANGE;
	lock_acquire(&memory->lock);
	if (object_is_dying(&memory->object)) {
		status = ERR_HANDLE;
	} else if (is_pinned(memory)) {
		status = ERR_STATE;
	} else {
		if (size < memory->size)
			memory->size = size;
		/* What lies above would show up again after growth. */
		if (drop_step(memory))
			status = ERR_RETRY;
		else
			memory->size = size;
	}
	lock_release(&memory->lock);
	return status;
}

static bool
contiguous_drop_step(struct memory *memory)
{
	uint64_t count = 0;

	while (memory->resident > 0 && count < STEP_PAGES) {
		memory->resident--;
		count++;
		frame_release(memory->base + (memory->resident << PAGE_SHIFT));
	}
	container_release_frames(memory->object.container, count);
	return count != 0;
}

bool
memory_destroy(struct object *object)
{
	struct memory *memory = (struct memory *)object;
	bool more;

	lock_acquire(&memory->lock);
	memory->size = 0;
	if ((memory->flags & MEMORY_CONTIGUOUS) != 0)
		more = contiguous_drop_step(memory);
	else
		more = drop_step(memory);
	lock_release(&memory->lock);
	return !more;
}

/* --- Clones. --- */

/* The entry of a page, with the nodes that lead to it. */
static status_t
entry_make(struct memory *memory, uint64_t page, uint64_t **out_entry)
{
	struct page_reserve reserve;
	unsigned missing = 0;
	status_t status;

	*out_entry = pages_entry(memory, page, &missing);
	if (*out_entry != NULL)
		return OK;
	status = frames_reserve(memory, missing, &reserve);
	if (status == OK)
		*out_entry = pages_entry_create(memory, page, &reserve);
	return status;
}

/* The frame with one more reference, or a copy of it. */
static paddr_t
frame_share(paddr_t frame, bool copy)
{
	paddr_t shared = copy ? frame_alloc() : frame;

	if (!copy)
		frame_reference(frame);
	else if (shared != FRAME_NONE)
		arch_page_copy(arch_frame_pointer(shared),
		    arch_frame_pointer(frame));
	return shared;
}

/*
 * Shares the present pages of one leaf node from `page` on. The write right
 * goes first; frames are shared only once no CPU can write them any more. A
 * clone that is mapped already is that of a fork: few pages are copied, since
 * both sides are going to write to them.
 */
static status_t
share_pages(struct memory *source, uint64_t page, uint64_t count,
    struct memory *clone, uint64_t to)
{
	struct container *container = clone->object.container;
	unsigned missing, i = page % PAGES_PER_NODE, end = i + (unsigned)count;
	const uint64_t *node = pages_entry(source, page, &missing) - i;
	uint64_t present = 0, known = ~0ul, *entry = NULL;
	status_t status;
	bool copy;

	to -= i;
	for (unsigned j = i; present < *frame_note(node) &&
	    (j = frame_scan(node, j, end)) < end; j++)
		present++;
	copy = present <= COPY_AT_ONCE && !list_is_empty(&clone->mappings);
	if (!copy)
		write_protect_everywhere(source, page << PAGE_SHIFT,
		    count << PAGE_SHIFT);
	status = container_charge_frames(container, present);
	if (status != OK)
		return status;
	for (; present > 0; i++, present--) {
		i = frame_scan(node, i, end);

		paddr_t frame = frame_share(node[i], copy);

		if (frame == FRAME_NONE)
			status = ERR_NOMEM;
		else if ((to + i) / PAGES_PER_NODE != known / PAGES_PER_NODE)
			status = entry_make(clone, to + i, &entry);
		else
			entry += to + i - known;
		if (status == OK && *entry != FRAME_NONE)
			status = ERR_EXIST;
		if (status != OK) {
			if (frame != FRAME_NONE)
				frame_release(frame);
			break;
		}
		known = to + i;
		pages_set(entry, frame);
		clone->resident++;
	}
	container_release_frames(container, present);
	return status;
}

/* One leaf node of the source, after a gap of any size; both are locked. */
static status_t
share_step(struct memory *source, uint64_t from, struct memory *clone,
    uint64_t to, uint64_t length, uint64_t *out_done)
{
	uint64_t first = from >> PAGE_SHIFT;
	uint64_t end = (from + length) >> PAGE_SHIFT;
	uint64_t page = pages_next(source, first);
	uint64_t stop = (page | (PAGES_PER_NODE - 1)) + 1;

	if (page >= end) {
		*out_done = length;
		return OK;
	}
	if (stop > end)
		stop = end;
	*out_done = (stop - first) << PAGE_SHIFT;
	return share_pages(source, page, stop - page, clone,
	    (to >> PAGE_SHIFT) + page - first);
}

static status_t
share_check(const struct memory *source, uint64_t from, uint64_t length)
{
	if (object_is_dying(&source->object))
		return ERR_HANDLE;
	if (is_pinned(source))
		return ERR_STATE;
	if (from > source->size || length > source->size - from)
		return ERR_RANGE;
	return OK;
}

status_t
memory_share_step(struct memory *source, uint64_t from, struct memory *clone,
    uint64_t to, uint64_t length, uint64_t *out_done)
{
	bool source_first = source->object.id < clone->object.id;
	struct memory *low = source_first ? source : clone;
	struct memory *high = source_first ? clone : source;
	status_t status;

	*out_done = length;
	if (source == clone)
		return ERR_STATE;
	lock_acquire(&low->lock);
	lock_acquire(&high->lock);
	status = share_check(source, 0, 0);
	if (status == OK)
		status = share_check(clone, to, length);
	/* Nothing lies above the size of the source. */
	if (from < source->size && length > source->size - from)
		length = source->size - from;
	if (status == OK && from < source->size)
		status = share_step(source, from, clone, to, length, out_done);
	lock_release(&high->lock);
	lock_release(&low->lock);
	return status;
}

status_t
memory_clone(struct memory *source, uint64_t offset, uint64_t length,
    struct container *container, struct memory **out_memory)
{
	struct memory *clone = NULL;
	status_t status;

	if (((offset | length) & PAGE_MASK) != 0)
		return ERR_ARG;
	status = memory_create(container, length, 0, 0, &clone);
	if (status != OK)
		return status;
	/* The source stays locked: a snapshot of one moment. */
	lock_acquire(&source->lock);
	status = share_check(source, offset, length);
	for (uint64_t done = 0; status == OK && done < length;) {
		uint64_t step = 0;

		status = share_step(source, offset + done, clone, done,
		    length - done, &step);
		done += step;
	}
	lock_release(&source->lock);
	if (status != OK) {
		object_release(&clone->object);
		return status;
	}
	*out_memory = clone;
	return OK;
}

/* --- Copies. --- */

/* May the kernel touch [offset, offset + length) through its own mapping? */
static status_t
data_check(const struct memory *memory, uint64_t offset, uint64_t length)
{
	if (object_is_dying(&memory->object))
		return ERR_HANDLE;
	if ((memory->flags & MEMORY_UNCACHED) != 0)
		return ERR_STATE;
	if (offset > memory->size || length > memory->size - offset)
		return ERR_RANGE;
	return OK;
}

status_t
memory_hold(struct memory *memory, uint64_t offset,
    struct held_page *out_page)
{
	paddr_t frame;
	bool writable;

	*out_page = (struct held_page){ 0 };
	lock_acquire(&memory->lock);
	status_t status = data_check(memory, offset, 1);
	if (status == OK &&
	    memory_page_present(memory, offset, &frame, &writable)) {
		out_page->data = (const char *)arch_frame_pointer(frame) +
		    (offset & PAGE_MASK);
		if ((memory->flags & MEMORY_PHYSICAL) == 0) {
			frame_reference(frame);
			out_page->frame = frame;
		}
	}
	lock_release(&memory->lock);
	return status;
}

void
memory_let_go(struct held_page *page)
{
	if (page->frame != FRAME_NONE)
		frame_release(page->frame);
}

/* Writes inside one page; locked and checked. */
static status_t
put_locked(struct memory *memory, uint64_t offset, const void *data,
    uint64_t length)
{
	paddr_t frame;
	bool writable;
	status_t status = memory_page(memory, offset, true, &frame, &writable);

	if (status != OK)
		return status;

	char *to = (char *)arch_frame_pointer(frame) + (offset & PAGE_MASK);

	if (data == NULL)
		memset(to, 0, length);
	else
		arch_copy(to, data, length);
	return OK;
}

status_t
memory_put(struct memory *memory, uint64_t offset, const void *data,
    uint64_t length)
{
	lock_acquire(&memory->lock);
	status_t status = data_check(memory, offset, length);
	if (status == OK)
		status = put_locked(memory, offset, data, length);
	lock_release(&memory->lock);
	return status;
}

/* Makes all pages of a range present and unshared, before any is written. */
static status_t
populate(struct memory *memory, uint64_t offset, uint64_t length)
{
	for (uint64_t done = 0; done < length;) {
		uint64_t at = offset + done;
		paddr_t frame;
		bool writable;
		status_t status = memory_page(memory, at, true, &frame,
		    &writable);

		if (status != OK)
			return status;
		done += page_rest(at, length - done);
	}
	return OK;
}

status_t
memory_write(struct memory *memory, uint64_t offset, const void *buffer,
    uint64_t length)
{
	lock_acquire(&memory->lock);
	status_t status = data_check(memory, offset, length);
	if (status == OK)
		status = populate(memory, offset, length);
	for (uint64_t done = 0; status == OK && done < length;) {
		uint64_t at = offset + done;
		uint64_t part = page_rest(at, length - done);

		status = put_locked(memory, at, (const char *)buffer + done,
		    part);
		done += part;
	}
	lock_release(&memory->lock);
	return status;
}

status_t
memory_copy_step(struct memory *destination, uint64_t to,
    struct memory *source, uint64_t from, uint64_t length, uint64_t *out_done)
{
	uint64_t part = page_rest(from, page_rest(to, length));
	struct held_page page;
	status_t status;

	*out_done = 0;
	if (length == 0)
		return OK;
	status = memory_hold(source, from, &page);
	if (status != OK)
		return status;
	status = memory_put(destination, to, page.data, part);
	memory_let_go(&page);
	if (status == OK)
		*out_done = part;
	return status;
}
