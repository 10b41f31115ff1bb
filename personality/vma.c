/* SPDX-License-Identifier: MIT */
#include "vma.h"

#include <abi/object.h>
#include <stddef.h>

void
vma_clear(struct vma_list *list)
{
	list->count = 0;
}

bool
vma_has_room(const struct vma_list *list)
{
	return list->count + 2 <= VMA_MAX;
}

/* Index of the first range that ends above address. */
static uint32_t
find_index(const struct vma_list *list, uint64_t address)
{
	uint32_t low = 0, high = list->count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;
		if (list->entry[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct vma *
vma_at_or_above(const struct vma_list *list, uint64_t address)
{
	uint32_t i = find_index(list, address);

	return i < list->count ? &list->entry[i] : NULL;
}

const struct vma *
vma_find(const struct vma_list *list, uint64_t address)
{
	const struct vma *v = vma_at_or_above(list, address);

	return v != NULL && v->start <= address ? v : NULL;
}

bool
vma_is_free(const struct vma_list *list, uint64_t start, uint64_t end)
{
	const struct vma *v = vma_at_or_above(list, start);

	return v == NULL || v->start >= end;
}

bool
vma_is_mapped(const struct vma_list *list, uint64_t start, uint64_t end)
{
	for (uint32_t i = find_index(list, start); start < end; i++) {
		if (i == list->count || list->entry[i].start > start)
			return false;
		start = list->entry[i].end;
	}
	return true;
}

static void
open_gap(struct vma_list *list, uint32_t at)
{
	for (uint32_t i = list->count; i > at; i--)
		list->entry[i] = list->entry[i - 1];
	list->count++;
}

static void
close_gap(struct vma_list *list, uint32_t at, uint32_t length)
{
	for (uint32_t i = at; i + length < list->count; i++)
		list->entry[i] = list->entry[i + length];
	list->count -= length;
}

static void
merge_at(struct vma_list *list, uint32_t at)
{
	if (at == 0 || at >= list->count)
		return;
	struct vma *left = &list->entry[at - 1], *right = &list->entry[at];
	if (left->end != right->start || left->flags != right->flags ||
	    left->protection != right->protection ||
	    left->backing != right->backing || (left->backing != 0 &&
	    left->offset + (left->end - left->start) != right->offset))
		return;
	left->end = right->end;
	close_gap(list, at, 1);
}

/* Makes address a border between ranges, if it lies inside one. */
static void
split_at(struct vma_list *list, uint64_t address)
{
	uint32_t i = find_index(list, address);

	if (i == list->count || list->entry[i].start >= address)
		return;
	open_gap(list, i);
	list->entry[i].end = address;
	list->entry[i + 1].start = address;
	if (list->entry[i].backing != 0)
		list->entry[i + 1].offset += address - list->entry[i].start;
}

void
vma_insert(struct vma_list *list, const struct vma *range)
{
	uint32_t i = find_index(list, range->start);

	open_gap(list, i);
	list->entry[i] = *range;
	merge_at(list, i + 1);
	merge_at(list, i);
}

/* The ranges that make up [start, end): first, and the one behind the last. */
static uint32_t
cut_out(struct vma_list *list, uint64_t start, uint64_t end,
    uint32_t *out_last)
{
	split_at(list, start);
	split_at(list, end);
	uint32_t first = find_index(list, start), last = first;
	while (last < list->count && list->entry[last].end <= end)
		last++;
	*out_last = last;
	return first;
}

void
vma_remove(struct vma_list *list, uint64_t start, uint64_t end)
{
	uint32_t last, first = cut_out(list, start, end, &last);

	if (last > first)
		close_gap(list, first, last - first);
}

static void
merge_all(struct vma_list *list, uint32_t first, uint32_t last)
{
	for (uint32_t i = last + 1; i-- > first;)
		merge_at(list, i);
}

void
vma_protect(struct vma_list *list, uint64_t start, uint64_t end,
    unsigned protection)
{
	uint32_t last, first = cut_out(list, start, end, &last);

	for (uint32_t i = first; i < last; i++)
		list->entry[i].protection = (uint8_t)protection;
	merge_all(list, first, last);
}

void
vma_mark(struct vma_list *list, uint64_t start, uint64_t end,
    unsigned clear, unsigned set)
{
	uint32_t last, first = cut_out(list, start, end, &last);

	for (uint32_t i = first; i < last; i++)
		list->entry[i].flags = (uint8_t)
		    ((list->entry[i].flags & ~clear) | set);
	merge_all(list, first, last);
}

uint64_t
vma_find_free(const struct vma_list *list, uint64_t length, uint64_t low,
    uint64_t high)
{
	uint32_t i = find_index(list, high);

	/* The range at i may reach below high; all others lie lower. */
	if (i < list->count && list->entry[i].start < high)
		high = list->entry[i].start;
	while (high > low && high - low >= length) {
		uint64_t below = i > 0 ? list->entry[i - 1].end : 0;
		if (below <= high - length)
			return high - length;
		high = list->entry[--i].start;
	}
	return 0;
}

uint64_t
vma_total(const struct vma_list *list)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < list->count; i++)
		total += list->entry[i].end - list->entry[i].start;
	return total;
}

bool
vma_ok(const struct vma_list *list)
{
	uint64_t last = 0;

	if (list->count > VMA_MAX)
		return false;
	for (uint32_t i = 0; i < list->count; i++) {
		const struct vma *v = &list->entry[i];
		if (v->start < last || v->end <= v->start ||
		    (v->start | v->end) % PAGE_SIZE != 0)
			return false;
		last = v->end;
	}
	return true;
}
