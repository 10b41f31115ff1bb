/* SPDX-License-Identifier: MIT */
/* Listings of directories. */
#include <lib/procfs/tree.h>

#include <lib/base/format.h>
#include <lib/base/string.h>

#define NAME_ROOM	24u	/* longest name, with its NUL */
#define POSITION_SELF	0u
#define POSITION_PARENT	1u
#define POSITION_NAMES	2u

static void
put(struct procfs_listing *listing, const struct procfs_node *node,
    const char *name, uint64_t next)
{
	struct storage_entry entry = { 0 };
	struct storage_stat stat;
	size_t name_length = strlen(name) + 1;
	size_t at = offsetof(struct storage_entry, name);
	size_t length = (at + name_length + 7) & ~7ul;

	if (length > listing->size - listing->length) {
		listing->full = true;
		return;
	}
	procfs_stat(node, &stat);
	entry.inode = stat.inode;
	entry.next = next;
	entry.length = (uint16_t)length;
	entry.kind = (uint8_t)(stat.mode >> 12);
	uint8_t *out = listing->buffer + listing->length;
	memset(out, 0, length);
	memcpy(out, &entry, at);
	memcpy(out + at, name, name_length);
	listing->length += length;
	listing->position = next;
}

void
procfs_list_names(struct procfs_listing *listing,
    const struct procfs_node *node)
{
	uint64_t position = POSITION_NAMES;
	struct procfs_node other = tree_parent(node);

	if (listing->position <= POSITION_SELF)
		put(listing, node, ".", POSITION_SELF + 1);
	if (listing->position <= POSITION_PARENT && !listing->full)
		put(listing, &other, "..", POSITION_PARENT + 1);
	for (const struct tree_entry *e = tree_entries; e->name != NULL;
	    e++, position++) {
		if (listing->position > position || listing->full ||
		    !tree_is_in(e, node))
			continue;
		other = tree_child(node, e->kind);
		put(listing, &other, e->name, position + 1);
	}
}

void
procfs_list_numbers(struct procfs_listing *listing,
    const struct procfs_node *node, const uint32_t *numbers, unsigned count)
{
	char name[NAME_ROOM];

	for (unsigned i = 0; i < count && !listing->full; i++) {
		struct procfs_node child = *node;

		if (node->kind == PROCFS_TOP)
			child = (struct procfs_node){ PROCFS_PROCESS, 0,
			    numbers[i], 0 };
		else if (node->kind == PROCFS_TASKS)
			child.kind = PROCFS_THREAD;
		else
			child.kind = PROCFS_FD;
		if (child.kind == PROCFS_FD)
			child.number = numbers[i];
		format_text(name, sizeof(name), "%u", numbers[i]);
		put(listing, &child, name,
		    (uint64_t)PROCFS_NUMBERS + numbers[i] + 1);
	}
}
