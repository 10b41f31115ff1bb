/* SPDX-License-Identifier: MIT */
/*
 * Is the bookkeeping of frames sound? Asked by tests only, so no kernel image
 * holds it. Nothing else may allocate meanwhile.
 */
#include <kernel/core/frame_state.h>
#include <abi/object.h>

/* Frames in the blocks of one list, or ~0 if the list is wrong. */
static uint64_t
count_blocks(struct frame_node *node_of_list, unsigned order)
{
	uint64_t count = 0, size = 1ul << order;
	struct list *head = &node_of_list->blocks[order];

	for (struct list *node = head->next; node != head; node = node->next) {
		uint64_t number = arch_frame_address(node) >> PAGE_SHIFT;
		uint64_t buddy = number ^ size;

		if (node->next->prev != node || (number & (size - 1)) != 0 ||
		    number + size > frame_count ||
		    frames[number].order != order + 1 ||
		    frame_node_of(number) != node_of_list ||
		    count > frame_count)
			return ~0ul;
		if (order < FRAME_MAX_ORDER && buddy < frame_count &&
		    frames[buddy].state == FRAME_FREE &&
		    frames[buddy].order == order + 1)
			return ~0ul;	/* should have been merged */
		for (uint64_t i = number; i < number + size; i++)
			if (frames[i].state != FRAME_FREE ||
			    (i != number && frames[i].order != 0))
				return ~0ul;
		count += size;
	}
	return count;
}

/* All blocks of a node are sound and of the node. */
static bool
node_ok(struct frame_node *node)
{
	uint64_t listed = 0;

	for (unsigned order = 0; order < ORDER_COUNT; order++) {
		uint64_t count = count_blocks(node, order);

		if (count == ~0ul)
			return false;
		listed += count;
	}
	return listed == node->free;
}

/* ... and nothing else is free. */
static bool
bookkeeping_ok(uint64_t expected)
{
	uint64_t free = 0;

	for (unsigned i = 0; i < NODE_MAX; i++)
		if (!node_ok(&frame_nodes[i]))
			return false;
	for (uint64_t i = 0; i < frame_count; i++) {
		if (frames[i].state == FRAME_FREE)
			free++;
		if (frames[i].state != FRAME_USED && frames[i].references != 0)
			return false;
	}
	return free == expected;
}

bool
frame_ok(void)
{
	struct frame_statistics statistics;

	frame_get_statistics(&statistics);
	lock_acquire(&frame_lock);
	bool ok = bookkeeping_ok(statistics.free);
	lock_release(&frame_lock);
	return ok;
}
