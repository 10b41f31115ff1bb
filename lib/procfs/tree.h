/* SPDX-License-Identifier: MIT */
/* Between the parts of lib/procfs. */
#pragma once

#include <lib/procfs/procfs.h>

/* A fixed name. */
struct tree_entry {
	const char *name;	/* NULL: the end */
	uint8_t	 folder, kind;	/* PROCFS_* */
	uint32_t mode;		/* with KIND_* << 12 */
};

extern const struct tree_entry tree_entries[];

bool tree_is_in(const struct tree_entry *entry,
    const struct procfs_node *folder);
struct procfs_node tree_child(const struct procfs_node *folder,
    unsigned kind);
/* The top is its own parent. */
struct procfs_node tree_parent(const struct procfs_node *node);

/* Unique and stable: process, thread or not, kind, number. */
static inline uint64_t
tree_inode(const struct procfs_node *node)
{
	return (uint64_t)node->pid << 24 | (uint64_t)(node->thread & 1) << 23 |
	    (uint64_t)(node->kind & 0x7f) << 16 | (node->number & 0xffff);
}
