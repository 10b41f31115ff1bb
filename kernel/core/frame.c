/* SPDX-License-Identifier: MIT */
/*
 * Physical memory, by buddies.
 *
 * frames[] has an entry for each frame below `top`. Its state says what the
 * frame is, so that any single frame can be asked whether it is free:
 *
 *	ABSENT		no RAM that we know of
 *	RESERVED	RAM in use since before the allocator: never handed out
 *	USED		handed out; references > 0
 *	FREE		part of a free block
 *
 * A free block of order k is 2^k frames, naturally aligned, all FREE; its first
 * frame has order = k + 1 and carries the list node of blocks[k], the
 * others have order = 0. Two free buddies of one order never exist: they are
 * merged. So taking a block apart writes only the heads of its halves.
 *
 * Each node has lists of its own. Nodes begin at multiples of the largest block,
 * so buddies are of one node. A frame goes back to the node it is of, whoever
 * frees it; an allocation looks at the node of its CPU, then at the others in
 * the order of their distance.
 *
 * frame_lock guards states, orders and lists, and is a leaf. References are
 * atomic: who holds one may add one, and the frame cannot change state then.
 */
#include <kernel/core/frame_state.h>

#include <kernel/core/cpu.h>
#include <kernel/core/panic.h>
#include <kernel/core/string.h>
#include <abi/object.h>

#define RESERVED_MAX	32
#define BORDERS_MAX	32

struct range {
	uint64_t first, end;	/* frame numbers */
};

/* Boot only, constant afterwards. */
static struct range reserved[RESERVED_MAX];
static unsigned reserved_count;
struct frame *frames;
uint64_t frame_count;
unsigned frame_node_count = 1;
uint8_t frame_node_order[NODE_MAX][NODE_MAX];
/* Where memory of another node begins; what lies below is of node 0. */
static struct border {
	uint64_t first;		/* frame number */
	unsigned node;
} borders[BORDERS_MAX];
static unsigned border_count;
static uint64_t frames_reserved;

struct lock frame_lock;
struct frame_node frame_nodes[NODE_MAX];
static uint64_t fail_countdown;

struct frame_node *
frame_node_of(uint64_t number)
{
	for (unsigned i = border_count; i > 0; i--)
		if (number >= borders[i - 1].first)
			return &frame_nodes[borders[i - 1].node];
	return &frame_nodes[0];
}

static struct list *
block_node(uint64_t number)
{
	return arch_frame_pointer(number << PAGE_SHIFT);
}

static uint64_t
block_number(const struct list *node)
{
	return arch_frame_address(node) >> PAGE_SHIFT;
}

static void
block_insert(struct list *list, uint64_t number, unsigned order)
{
	frames[number].order = (uint8_t)(order + 1);
	/* At the head: a frame freed just now is likely still cached. */
	list_append(list->next, block_node(number));
}

static void
block_remove(uint64_t number)
{
	frames[number].order = 0;
	list_remove(block_node(number));
}

/* Inserts a block whose frames are marked FREE, merged with its buddies. */
static void
block_free(uint64_t number, unsigned order)
{
	struct frame_node *node = frame_node_of(number);

	node->free += 1ul << order;
	while (order < FRAME_MAX_ORDER) {
		uint64_t buddy = number ^ (1ul << order);

		if (buddy >= frame_count ||
		    frames[buddy].state != FRAME_FREE ||
		    frames[buddy].order != order + 1)
			break;
		block_remove(buddy);
		number &= ~(1ul << order);
		order++;
	}
	block_insert(&node->blocks[order], number, order);
}

void
frame_node_begins(paddr_t base, unsigned node)
{
	uint64_t first = ((base >> PAGE_SHIFT) + (1ul << FRAME_MAX_ORDER) - 1) &
	    ~((1ul << FRAME_MAX_ORDER) - 1);

	/* A node that would begin where the next one does has no memory. */
	if (border_count > 0 && borders[border_count - 1].first == first)
		border_count--;
	if (border_count == BORDERS_MAX)
		return;
	borders[border_count++] = (struct border){ first, node };
	if (node >= frame_node_count)
		frame_node_count = node + 1;
}

void
frame_reserve_range(paddr_t base, uint64_t length)
{
	if (length == 0)
		return;
	if (reserved_count == RESERVED_MAX)
		kernel_panic("frame: too many reserved ranges");
	reserved[reserved_count++] = (struct range){
		.first = base >> PAGE_SHIFT,
		.end = (base + length + PAGE_MASK) >> PAGE_SHIFT,
	};
}

uint64_t
frame_bookkeeping_size(paddr_t top)
{
	uint64_t bytes = (top >> PAGE_SHIFT) * sizeof(struct frame);

	return (bytes + PAGE_MASK) & ~PAGE_MASK;
}

void
frame_init(paddr_t top, paddr_t bookkeeping)
{
	frame_count = top >> PAGE_SHIFT;
	frames = arch_frame_pointer(bookkeeping);
	memset(frames, 0, frame_bookkeeping_size(top));
	for (unsigned node = 0; node < NODE_MAX; node++)
		for (unsigned order = 0; order < ORDER_COUNT; order++)
			list_init(&frame_nodes[node].blocks[order]);
	frame_reserve_range(bookkeeping, frame_bookkeeping_size(top));
	frame_reserve_range(0, PAGE_SIZE);	/* FRAME_NONE */
}

/* Is the frame reserved? *end is lowered to where the answer may change. */
static bool
number_is_reserved(uint64_t number, uint64_t *end)
{
	for (unsigned i = 0; i < reserved_count; i++) {
		const struct range *range = &reserved[i];

		if (number >= range->first && number < range->end) {
			if (*end > range->end)
				*end = range->end;
			return true;
		}
		if (range->first > number && *end > range->first)
			*end = range->first;
	}
	return false;
}

static void
add_free_run(uint64_t number, uint64_t end)
{
	for (uint64_t i = number; i < end; i++)
		frames[i].state = FRAME_FREE;
	while (number < end) {
		unsigned order = 0;

		while (order < FRAME_MAX_ORDER &&
		    (number & (1ul << order)) == 0 &&
		    number + (2ul << order) <= end)
			order++;
		block_free(number, order);
		number += 1ul << order;
	}
}

void
frame_add_range(paddr_t base, uint64_t length)
{
	uint64_t number = (base + PAGE_MASK) >> PAGE_SHIFT;
	uint64_t end = (base + length) >> PAGE_SHIFT;

	if (end > frame_count)
		end = frame_count;
	while (number < end) {
		uint64_t run_end = end;
		bool keep = number_is_reserved(number, &run_end);

		for (unsigned i = border_count; i > 0; i--)
			if (borders[i - 1].first > number &&
			    borders[i - 1].first < run_end)
				run_end = borders[i - 1].first;
		for (uint64_t i = number; i < run_end; i++)
			if (frames[i].state != FRAME_ABSENT)
				kernel_panic("frame: %lx added twice",
				    i << PAGE_SHIFT);
		frame_node_of(number)->total += run_end - number;
		if (keep) {
			frames_reserved += run_end - number;
			for (uint64_t i = number; i < run_end; i++)
				frames[i].state = FRAME_RESERVED;
		} else {
			add_free_run(number, run_end);
		}
		number = run_end;
	}
}

/* Takes a block off the lists; frame_lock is held. 0 = none. */
static uint64_t
block_take(struct frame_node *node, unsigned order)
{
	struct list *list = &node->blocks[order];

	while (list_is_empty(list))
		if (++list == &node->blocks[ORDER_COUNT])
			return 0;

	uint64_t number = block_number(list->next);
	unsigned from = (unsigned)(list - node->blocks);

	block_remove(number);
	while (from > order) {
		from--;
		list--;
		block_insert(list, number + (1ul << from), from);
	}
	for (uint64_t i = number; i < number + (1ul << order); i++) {
		if (frames[i].state != FRAME_FREE || frames[i].references != 0)
			kernel_panic("frame: %lx on a free list is in use",
			    i << PAGE_SHIFT);
		frames[i].state = FRAME_USED;
		__atomic_store_n(&frames[i].references, 1, __ATOMIC_RELAXED);
	}
	node->free -= 1ul << order;
	return number;
}

/* Another node has to do. */
static __attribute__((noinline, cold)) uint64_t
block_take_elsewhere(unsigned home, unsigned order)
{
	uint64_t number = 0;

	for (unsigned i = 1; i < frame_node_count && number == 0; i++)
		number = block_take(&frame_nodes[frame_node_order[home][i]],
		    order);
	return number;
}

paddr_t
frame_alloc_block(unsigned order)
{
	unsigned home = this_cpu()->node;
	uint64_t number = 0;

	if (order > FRAME_MAX_ORDER)
		return FRAME_NONE;
	lock_acquire(&frame_lock);
	if (fail_countdown == 0 || --fail_countdown != 0) {
		number = block_take(&frame_nodes[home], order);
		if (number == 0)
			number = block_take_elsewhere(home, order);
	}
	lock_release(&frame_lock);
	return number << PAGE_SHIFT;
}

paddr_t
frame_alloc(void)
{
	return frame_alloc_block(0);
}

/* Entry of a frame that the caller holds a reference to. */
static struct frame *
used_frame(paddr_t address)
{
	uint64_t number = address >> PAGE_SHIFT;

	if ((address & PAGE_MASK) != 0 || number >= frame_count ||
	    frames[number].state != FRAME_USED)
		kernel_panic("frame: %lx is not a frame in use", address);
	return &frames[number];
}

void
frame_reference(paddr_t address)
{
	struct frame *frame = used_frame(address);

	if (__atomic_fetch_add(&frame->references, 1, __ATOMIC_RELAXED) == 0)
		kernel_panic("frame: %lx referenced after free", address);
}

void
frame_release(paddr_t address)
{
	struct frame *frame = used_frame(address);
	uint32_t before;

	before = __atomic_fetch_sub(&frame->references, 1, __ATOMIC_ACQ_REL);
	if (before == 0)
		kernel_panic("frame: %lx released twice", address);
	if (before > 1)
		return;
	lock_acquire(&frame_lock);
	frame->state = FRAME_FREE;
	block_free(address >> PAGE_SHIFT, 0);
	lock_release(&frame_lock);
}

uint32_t
frame_references(paddr_t address)
{
	return __atomic_load_n(&used_frame(address)->references,
	    __ATOMIC_ACQUIRE);
}

uint16_t *
frame_note(const void *in_page)
{
	return &frames[arch_frame_address(in_page) >> PAGE_SHIFT].note;
}

unsigned
frame_scan(const void *page, unsigned from, unsigned end)
{
	const uint64_t *e = page;

	while (from < end && e[from] == 0) {
		from++;
		while (from % 8 == 0 && from < end && (e[from] | e[from + 1] |
		    e[from + 2] | e[from + 3] | e[from + 4] | e[from + 5] |
		    e[from + 6] | e[from + 7]) == 0)
			from += 8;
	}
	return from;
}

/* These two are asked at each access of a debug kernel. */
__attribute__((no_sanitize_coverage)) bool
frame_is_ram(paddr_t address)
{
	uint64_t number = address >> PAGE_SHIFT;

	return number < frame_count && frames[number].state != FRAME_ABSENT;
}

__attribute__((no_sanitize_coverage)) bool
frame_is_free(paddr_t address)
{
	uint64_t number = address >> PAGE_SHIFT;

	return number < frame_count && frames[number].state == FRAME_FREE;
}

void
frame_get_statistics(struct frame_statistics *out_statistics)
{
	*out_statistics = (struct frame_statistics){
		.reserved = frames_reserved };
	lock_acquire(&frame_lock);
	for (unsigned i = 0; i < frame_node_count; i++) {
		const struct frame_node *node = &frame_nodes[i];

		out_statistics->node[i].total = node->total;
		out_statistics->node[i].free = node->free;
		out_statistics->total += node->total;
		out_statistics->free += node->free;
	}
	lock_release(&frame_lock);
}

void
frame_fail_nth(uint64_t n)
{
	lock_acquire(&frame_lock);
	fail_countdown = n;
	lock_release(&frame_lock);
}
