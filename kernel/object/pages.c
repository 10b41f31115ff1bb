/* SPDX-License-Identifier: MIT */
/*
 * The pages of a memory object: a radix tree (see pages.h).
 *
 * A node is a frame of 512 entries. An entry of the lowest level is the address
 * of a page, others name nodes, 0 is none. Every node has an entry that is not
 * 0, so the tree shrinks with its pages. It grows at the root, to as many
 * levels as its highest page needs. Nodes are paid for like pages.
 */
#include <kernel/object/pages.h>
#include <kernel/object/container.h>

#define NODE_BITS	9u

static uint64_t *
node_entries(paddr_t node)
{
	return arch_frame_pointer(node);
}

void
pages_set(uint64_t *entry, uint64_t value)
{
	if (*entry == FRAME_NONE)
		++*frame_note(entry);
	if (value == FRAME_NONE)
		--*frame_note(entry);
	*entry = value;
}

static unsigned
entry_index(uint64_t page, unsigned level)
{
	return (unsigned)(page >> (NODE_BITS * level)) & (PAGES_PER_NODE - 1);
}

/* Does the tree reach that far? */
static bool
tree_covers(unsigned height, uint64_t page)
{
	return height != 0 && page >> (NODE_BITS * height) == 0;
}

uint64_t *
pages_entry(const struct memory *memory, uint64_t page, unsigned *out_missing)
{
	unsigned level = memory->height;
	paddr_t node = memory->root;

	if (!tree_covers(level, page)) {
		bool empty = level == 0;

		while (!tree_covers(level, page))
			level++;
		/* New roots, and a path that leaves at the topmost one. */
		*out_missing = empty ? level :
		    level - memory->height + level - 1;
		return NULL;
	}
	while (--level > 0) {
		node = node_entries(node)[entry_index(page, level)];
		if (node == FRAME_NONE) {
			*out_missing = level;
			return NULL;
		}
	}
	return &node_entries(node)[entry_index(page, 0)];
}

bool
pages_reserve(struct page_reserve *reserve, unsigned count)
{
	reserve->count = 0;
	while (reserve->count < count) {
		paddr_t frame = frame_alloc();

		if (frame == FRAME_NONE) {
			while (reserve->count > 0)
				frame_release(
				    reserve->frames[--reserve->count]);
			return false;
		}
		arch_page_clear(arch_frame_pointer(frame));
		reserve->frames[reserve->count++] = frame;
	}
	return true;
}

paddr_t
pages_take(struct page_reserve *reserve)
{
	return reserve->frames[--reserve->count];
}

uint64_t *
pages_entry_create(struct memory *memory, uint64_t page,
    struct page_reserve *reserve)
{
	memory->table_frames += reserve->count;
	while (!tree_covers(memory->height, page)) {
		paddr_t root = pages_take(reserve);

		/* An empty tree grows without a chain of empty nodes. */
		if (memory->height++ == 0)
			while (!tree_covers(memory->height, page))
				memory->height++;
		else
			pages_set(node_entries(root), memory->root);
		memory->root = root;
	}

	paddr_t node = memory->root;

	for (unsigned level = memory->height - 1; level > 0; level--) {
		uint64_t *entry =
		    &node_entries(node)[entry_index(page, level)];

		if (*entry == FRAME_NONE)
			pages_set(entry, pages_take(reserve));
		node = *entry;
	}
	return &node_entries(node)[entry_index(page, 0)];
}

/* First present page >= page under a node that begins at page `start`. */
static uint64_t
next_under(paddr_t node, unsigned level, uint64_t start, uint64_t page)
{
	const uint64_t *entries = node_entries(node);
	uint64_t span = 1ul << (NODE_BITS * level);
	unsigned i = page > start ? (unsigned)((page - start) / span) : 0;

	for (; (i = frame_scan(entries, i, PAGES_PER_NODE)) < PAGES_PER_NODE;
	    i++) {
		if (level == 0)
			return start + i;

		uint64_t found = next_under(entries[i], level - 1,
		    start + i * span, page);

		if (found != ~0ul)
			return found;
	}
	return ~0ul;
}

uint64_t
pages_next(const struct memory *memory, uint64_t page)
{
	if ((memory->flags & MEMORY_CONTIGUOUS) != 0)
		return page;
	if (!tree_covers(memory->height, page))
		return ~0ul;
	return next_under(memory->root, memory->height - 1, 0, page);
}

void
pages_prune(struct memory *memory, uint64_t page)
{
	uint64_t *path[NODE_LEVELS_MAX];	/* entry that names the node */
	unsigned level = memory->height;

	path[--level] = &memory->root;
	for (; level > 0; level--)
		path[level - 1] =
		    &node_entries(*path[level])[entry_index(page, level)];
	for (; level < memory->height &&
	    *frame_note(node_entries(*path[level])) == 0; level++) {
		frame_release(*path[level]);
		if (path[level] == &memory->root)
			memory->root = FRAME_NONE;
		else
			pages_set(path[level], FRAME_NONE);
		memory->table_frames--;
		container_release_frames(memory->object.container, 1);
	}
	if (memory->root == FRAME_NONE)
		memory->height = 0;
}
