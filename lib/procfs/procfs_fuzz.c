/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a path: what is found has a path by which it is found again,
 * and the rest lies inside. Listings of what is found end.
 */
#include <lib/procfs/procfs.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SELF	77u

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static void
list(const struct procfs_node *node, size_t room)
{
	uint8_t buffer[256];
	struct procfs_listing listing = { .buffer = buffer, .size = room };
	uint64_t before;

	do {
		before = listing.position;
		listing.length = 0;
		listing.full = false;
		procfs_list_names(&listing, node);
		must(listing.length <= room);
		must(listing.length == 0 || listing.position > before);
	} while (listing.length != 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct procfs_walk walk, again;
	struct storage_stat stat;
	char path[64], link[64];

	if (size == 0)
		return 0;
	if (procfs_resolve((const char *)data + 1, size - 1, SELF,
	    (data[0] & 1) != 0, &walk) != 0)
		return 0;
	must(walk.rest <= size - 1);
	must(walk.node.kind != PROCFS_NONE &&
	    walk.node.kind < PROCFS_KIND_COUNT);
	size_t length = procfs_path(&walk.node, path, sizeof(path));
	must(length < sizeof(path) && strlen(path) == length);
	must(procfs_resolve(path, length, SELF, false, &again) == 0);
	must(memcmp(&walk.node, &again.node, sizeof(walk.node)) == 0);
	procfs_stat(&walk.node, &stat);
	must(stat.inode != 0 && stat.links != 0);
	procfs_link(&walk.node, SELF, link, sizeof(link));
	if (procfs_is_directory(&walk.node))
		list(&walk.node, data[0]);
	return 0;
}
