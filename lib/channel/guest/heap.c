/* SPDX-License-Identifier: MIT */
#include <lib/channel/guest/heap.h>

#include <lib/base/string.h>

static size_t
rounded(size_t size)
{
	return size == 0 ? HEAP_UNIT :
	    (size + HEAP_UNIT - 1) & ~(size_t)(HEAP_UNIT - 1);
}

void
heap_open(struct heap *heap, void *memory, size_t size)
{
	heap->free = memory;
	*heap->free = (struct heap_block){ .size = size &
	    ~(size_t)(HEAP_UNIT - 1) };
}

void *
heap_take(struct heap *heap, size_t wanted)
{
	struct heap_block **link = &heap->free;
	size_t size = rounded(wanted);

	if (size < wanted)
		return NULL;
	while (*link != NULL && (*link)->size < size)
		link = &(*link)->next;
	struct heap_block *block = *link;
	if (block == NULL)
		return NULL;
	if (block->size == size) {
		*link = block->next;
	} else {
		struct heap_block *rest = (void *)((char *)block + size);

		*rest = (struct heap_block){ block->next, block->size - size };
		*link = rest;
	}
	return memset(block, 0, size);
}

/* Two neighbours become one. */
static void
join_next(struct heap_block *block)
{
	struct heap_block *next = block->next;

	if (next == NULL || (char *)block + block->size != (char *)next)
		return;
	block->size += next->size;
	block->next = next->next;
}

void
heap_give(struct heap *heap, void *memory, size_t size)
{
	struct heap_block **link = &heap->free, *before = NULL;
	struct heap_block *block = memory;

	while (*link != NULL && *link < block) {
		before = *link;
		link = &before->next;
	}
	*block = (struct heap_block){ *link, rounded(size) };
	*link = block;
	join_next(block);
	if (before != NULL)
		join_next(before);
}

void
ranges_open(struct ranges *ranges, uint64_t start, uint64_t size)
{
	ranges->free[0] = (struct range){ start, size };
	ranges->count = 1;
}

static void
remove_entry(struct ranges *ranges, uint32_t i)
{
	ranges->count--;
	memmove(&ranges->free[i], &ranges->free[i + 1],
	    (ranges->count - i) * sizeof(ranges->free[0]));
}

uint64_t
ranges_take(struct ranges *ranges, uint64_t size)
{
	for (uint32_t i = 0; i < ranges->count; i++) {
		struct range *entry = &ranges->free[i];
		uint64_t start = entry->start;

		if (entry->size < size)
			continue;
		entry->start += size;
		entry->size -= size;
		if (entry->size == 0)
			remove_entry(ranges, i);
		return start;
	}
	return 0;
}

void
ranges_give(struct ranges *ranges, uint64_t start, uint64_t size)
{
	struct range *free = ranges->free;
	uint32_t i = 0;

	while (i < ranges->count && free[i].start < start)
		i++;
	bool before = i > 0 && free[i - 1].start + free[i - 1].size == start;
	bool behind = i < ranges->count && start + size == free[i].start;
	if (before && behind) {
		free[i - 1].size += size + free[i].size;
		remove_entry(ranges, i);
	} else if (before) {
		free[i - 1].size += size;
	} else if (behind) {
		free[i].start = start;
		free[i].size += size;
	} else if (ranges->count < RANGES_MAX) {
		memmove(&free[i + 1], &free[i],
		    (ranges->count - i) * sizeof(free[0]));
		free[i] = (struct range){ start, size };
		ranges->count++;
	}
}
