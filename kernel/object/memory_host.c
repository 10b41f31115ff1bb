/* SPDX-License-Identifier: MIT */
/*
 * Are the pages of a memory object and its mappings sound? Asked by tests only,
 * so no kernel image holds it.
 */
#include <kernel/object/pages.h>
#include <kernel/object/vspace.h>

/* Some entry is filled, and as many as noted. */
static bool
note_ok(const uint64_t *entries)
{
	unsigned filled = 0;

	for (unsigned i = 0; i < PAGES_PER_NODE; i++)
		filled += entries[i] != FRAME_NONE;
	return filled != 0 && filled == *frame_note(entries);
}

static bool
node_ok(paddr_t node, unsigned level, uint64_t *pages, uint64_t *nodes)
{
	const uint64_t *entries = arch_frame_pointer(node);

	if (frame_references(node) != 1 || !note_ok(entries))
		return false;
	++*nodes;
	for (unsigned i = 0; i < PAGES_PER_NODE; i++) {
		if (entries[i] == FRAME_NONE)
			continue;
		if (level > 0) {
			if (!node_ok(entries[i], level - 1, pages, nodes))
				return false;
		} else {
			if (frame_references(entries[i]) == 0)
				return false;
			++*pages;
		}
	}
	return true;
}

bool
pages_ok(const struct memory *memory)
{
	uint64_t pages = 0, nodes = 0;

	if ((memory->root == FRAME_NONE) != (memory->height == 0))
		return false;
	if (memory->root != FRAME_NONE &&
	    !node_ok(memory->root, memory->height - 1, &pages, &nodes))
		return false;
	return pages == memory->resident && nodes == memory->table_frames;
}


bool
memory_ok(struct memory *memory)
{
	bool ok;

	lock_acquire(&memory->lock);
	if ((memory->flags & (MEMORY_PHYSICAL | MEMORY_CONTIGUOUS)) != 0)
		ok = memory->root == FRAME_NONE;
	else
		ok = pages_ok(memory);
	for (struct list *node = memory->mappings.next;
	    ok && node != &memory->mappings; node = node->next)
		ok = LIST_ENTRY(node, struct region, link)->memory == memory;
	lock_release(&memory->lock);
	return ok;
}
