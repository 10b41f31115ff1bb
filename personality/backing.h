/* SPDX-License-Identifier: MIT */
/*
 * What a range of the program's memory lies over, if that is more than pages of
 * its own: the memory of a file, or memory that is shared with children. A
 * backing keeps the memory object, so that parts of it can be mapped again
 * (mremap, mprotect, MADV_DONTNEED, a file that grew), and the description of
 * the file, by which its time is set and proc finds its path.
 *
 * Ranges of the list (vma.h) name a backing by its number, 0 for none. It goes
 * with the last of them. While the file is open, the description belongs to
 * that; then the backing takes it over.
 *
 * Plain data: a forked child has the same handles in its own table.
 */
#pragma once

#include "vma.h"

#include <abi/object.h>
#include <stdbool.h>
#include <stdint.h>

#define BACKING_MAX	1024u

struct backing {
	cap_t	 description;	/* of a file, else CAP_NONE */
	uint64_t inode;
	cap_t	 object;	/* CAP_NONE: free */
	uint64_t key[2];	/* for waits on words of shared memory */
	bool	 owned;		/* the description was left to us */
	bool	 writable;	/* the object may be mapped to be written */
	bool	 held;		/* about to be named by a range */
	bool	 wanted;	/* for backing_sweep */
};

struct libos_view;

void backing_show(struct libos_view *view);
/* NULL for number 0. */
struct backing *backing_of(unsigned number);
/* One of that description, good for that; 0: none. */
unsigned backing_find(cap_t description, bool write);
/* Takes the object; 0: no room, nothing was taken. */
unsigned backing_add(const struct backing *take_backing);
/* While it is held it stays without ranges. */
void backing_hold(unsigned number, bool held);
/* The file of the description is closed: true if it is still needed here. */
bool backing_keep(cap_t take_description);
/* Lets go of all that no range names. */
void backing_sweep(const struct vma_list *list);
/* No range is left. */
void backing_drop_all(void);
/* Bytes of the object now, 0 if it has none any more. */
uint64_t backing_size(const struct backing *backing);
