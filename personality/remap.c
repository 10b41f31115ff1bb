/* SPDX-License-Identifier: MIT */
/* mremap, and what is said of pages: madvise, msync, mlock, mincore. */
#include "memory.h"

#include "calls.h"
#include "limit.h"
#include "service.h"
#include "user.h"

#include <idl/storage_client.h>
#include <lib/sys/sys.h>

/* mremap */

#define MREMAP_MAYMOVE		1u
#define MREMAP_FIXED		2u
#define MREMAP_DONTUNMAP	4u

struct remap {
	uint64_t old, old_length, length, target;
	unsigned flags;
};

/* The part of a range from address on, for a length. */
static struct vma
part_of(const struct vma *v, uint64_t address, uint64_t length)
{
	struct vma part = *v;

	if (part.backing != 0)
		part.offset += address - part.start;
	part.start = address;
	part.end = address + length;
	return part;
}

/* Pages without access are readable meanwhile. */
static long
copy_bytes(const struct vma *old, uint64_t to, uint64_t count)
{
	uint64_t left;

	if (old->protection == 0)
		sys_protect(PROCESS_VSPACE, old->start, count,
		    memory_region_flags(old, MAP_READ));
	left = user_copy_raw((void *)to, (void *)old->start, count);
	if (old->protection == 0)
		sys_protect(PROCESS_VSPACE, old->start, count,
		    memory_region_flags(old, 0));
	return left != 0 ? -E_FAULT : 0;
}

/*
 * The old range at a new place: shared pages and pages of a file are mapped
 * there, others copied. A copy of a file goes on with the file.
 */
static long
map_moved(const struct vma *old, uint64_t to, uint64_t length)
{
	bool own = (old->flags & (VMA_SHARED | VMA_FILE)) == 0;
	uint64_t count = old->end - old->start;
	struct vma part = *old;
	long error;

	part.start = to;
	part.end = to + length;
	if (own)
		part.protection = MAP_READ | MAP_WRITE;
	error = memory_map(&part);
	if (error != 0 || !own)
		return error;
	if (count > length)
		count = length;
	if (part.backing != 0) {
		uint64_t size = backing_size(backing_of(part.backing));
		size = size < part.offset ? 0 : size - part.offset;
		count = count < size ? count : size;
	}
	error = copy_bytes(old, to, count);
	if (error != 0) {
		memory_unmap(to, length);
		return error;
	}
	if (old->protection != part.protection) {
		sys_protect(PROCESS_VSPACE, to, length,
		    memory_region_flags(old, old->protection));
		vma_protect(&memory_vmas, to, to + length, old->protection);
	}
	return 0;
}

static long
move(const struct vma *old, const struct remap *in, uint64_t to)
{
	struct vma zero = { .start = old->start, .end = old->end,
		.protection = old->protection };
	long error = map_moved(old, to, in->length);

	if (error != 0 || in->old_length == 0)
		return error != 0 ? error : (long)to;
	if ((in->flags & MREMAP_DONTUNMAP) == 0)
		error = memory_unmap(old->start, in->old_length);
	else if (old->flags == 0)
		error = memory_replace(&zero);
	return error != 0 ? error : (long)to;
}

static long
check_remap(const struct remap *in)
{
	unsigned known = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
	bool must_move = (in->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) != 0;

	if (in->old % PAGE_SIZE != 0 || in->length == 0 ||
	    (in->flags & ~known) != 0 ||
	    (must_move && (in->flags & MREMAP_MAYMOVE) == 0) ||
	    ((in->flags & MREMAP_DONTUNMAP) != 0 &&
	    in->old_length != in->length) ||
	    in->length > PROGRAM_HIGH || in->old > PROGRAM_HIGH ||
	    in->old_length > PROGRAM_HIGH - in->old)
		return -E_INVAL;
	/* As on Linux, the address is looked at in both cases. */
	if (must_move && in->target % PAGE_SIZE != 0)
		return -E_INVAL;
	if ((in->flags & MREMAP_FIXED) != 0 &&
	    (in->target > PROGRAM_HIGH - in->length ||
	    (in->target < in->old + in->old_length &&
	    in->old < in->target + in->length)))
		return -E_INVAL;
	return (in->flags & MREMAP_FIXED) != 0 && in->target < MEMORY_LOW ?
	    -E_PERM : 0;
}

/* Into free space behind it. */
static bool
grow_in_place(const struct vma *old, const struct remap *in)
{
	const struct memory_layout *m = &memory_layout;
	uint64_t from = in->old + in->old_length, to = in->old + in->length;
	struct vma more = *old;

	if (to > PROGRAM_HIGH || to > m->map_top ||
	    (in->old < m->heap_end && to > m->heap_start) ||
	    !vma_is_free(&memory_vmas, from, to))
		return false;
	more.start = from;
	more.end = to;
	if (more.backing != 0)
		more.offset += in->old_length;
	return memory_map(&more) == 0;
}

static long
remap(const struct vma *old, const struct remap *in)
{
	bool grows = in->length > in->old_length && in->old_length != 0;
	uint64_t more = grows ? in->length - in->old_length : 0;
	uint64_t target = in->target;
	long error = 0;

	if ((in->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) == 0 &&
	    in->old_length != 0 && !grows) {
		if (in->length < in->old_length)
			error = memory_unmap(in->old + in->length,
			    in->old_length - in->length);
		return error != 0 ? error : (long)in->old;
	}
	if (more != 0 && (!limit_allows_memory(more) ||
	    ((old->flags & VMA_SHARED) == 0 && !limit_allows_data(more))))
		return -E_NOMEM;
	if ((in->flags & MREMAP_FIXED) == 0) {
		if (grows && vma_find(&memory_vmas, in->old)->end ==
		    old->end && grow_in_place(old, in))
			return (long)in->old;
		if ((in->flags & MREMAP_MAYMOVE) == 0)
			return -E_NOMEM;
		target = memory_find_free(0, in->length);
		return target == 0 ? -E_NOMEM : move(old, in, target);
	}
	backing_hold(old->backing, true);
	error = memory_unmap(target, in->length);
	if (error == 0)
		error = move(old, in, target);
	backing_hold(old->backing, false);
	return error;
}

long
linux_mremap(uint64_t old, uint64_t old_length, uint64_t length,
    unsigned flags, uint64_t target)
{
	struct remap in = { old, memory_round_up(old_length),
		memory_round_up(length), target, flags };
	long error = check_remap(&in);

	if (error != 0)
		return error;
	const struct vma *v = vma_find(&memory_vmas, old);
	if (v == NULL || v->end - old < in.old_length)
		return -E_FAULT;
	if (in.old_length == 0 && (v->flags & VMA_SHARED) == 0)
		return -E_INVAL;
	if (!vma_has_room(&memory_vmas))
		return -E_NOMEM;
	struct vma part = part_of(v, old, in.old_length);
	return remap(&part, &in);
}

/* madvise */

#define MADV_REMOVE		9
#define MADV_DONTNEED		4
#define MADV_FREE		8
#define MADV_DONTFORK		10
#define MADV_DOFORK		11
#define MADV_WIPEONFORK		18
#define MADV_KEEPONFORK		19
#define MADV_POPULATE_READ	22
#define MADV_POPULATE_WRITE	23

static long
mark(const struct vma *piece, unsigned clear, unsigned set)
{
	struct vma after = *piece;

	if (!vma_has_room(&memory_vmas))
		return -E_NOMEM;
	after.flags = (uint8_t)((after.flags & ~clear) | set);
	/* Without a region there is nothing to tell the kernel. */
	sys_protect(PROCESS_VSPACE, piece->start, piece->end - piece->start,
	    memory_region_flags(&after, piece->protection));
	vma_mark(&memory_vmas, piece->start, piece->end, clear, set);
	return 0;
}

static long
advise(const struct vma *piece, int advice)
{
	bool anonymous = (piece->flags & VMA_SHARED) == 0 &&
	    piece->backing == 0;
	bool shared = (piece->flags & (VMA_SHARED | VMA_FILE)) != 0;

	switch (advice) {
	case MADV_DONTNEED:
		return shared ? 0 : memory_replace(piece);
	case MADV_FREE:
		return anonymous ? 0 : -E_INVAL;
	case MADV_REMOVE:
		return (piece->flags & VMA_SHARED) == 0 ? -E_INVAL :
		    -E_OPNOTSUPP;
	case MADV_DONTFORK:
		return mark(piece, 0, VMA_NOFORK);
	case MADV_DOFORK:
		return mark(piece, VMA_NOFORK, 0);
	case MADV_WIPEONFORK:
		return anonymous ? mark(piece, 0, VMA_WIPE) : -E_INVAL;
	case MADV_KEEPONFORK:
		return mark(piece, VMA_WIPE, 0);
	case MADV_POPULATE_WRITE:
		if ((piece->protection & MAP_WRITE) == 0)
			return -E_INVAL;
		memory_touch(piece->start, piece->end);
		return 0;
	case MADV_POPULATE_READ:
		if (piece->protection == 0)
			return -E_INVAL;
		memory_touch(piece->start, piece->end);
		return 0;
	default:
		return 0;
	}
}

static bool
is_advice(int advice)
{
	/* The hints of Linux that ask for nothing that can be seen. */
	return (advice >= 0 && advice <= MADV_DONTNEED) ||
	    (advice >= MADV_FREE && advice <= MADV_POPULATE_WRITE);
}

/*
 * Applies to each range from start to end. Holes are passed over and told at
 * the end, as on Linux.
 */
static long
for_each(uint64_t start, uint64_t end,
    long (*apply)(const struct vma *piece, int value), int value)
{
	long hole = 0;

	while (start < end) {
		const struct vma *v = vma_at_or_above(&memory_vmas, start);
		if (v == NULL || v->start >= end)
			return -E_NOMEM;
		if (v->start > start) {
			hole = -E_NOMEM;
			start = v->start;
		}
		uint64_t stop = v->end < end ? v->end : end;
		struct vma piece = part_of(v, start, stop - start);
		long error = apply(&piece, value);
		if (error != 0)
			return error;
		start = stop;
	}
	return hole;
}

static long
check_range(uint64_t address, uint64_t length)
{
	uint64_t end = address + memory_round_up(length);

	if (address % PAGE_SIZE != 0 || end < address ||
	    (length != 0 && memory_round_up(length) == 0))
		return -E_INVAL;
	return end > PROGRAM_HIGH ? -E_NOMEM : 0;
}

long
linux_madvise(uint64_t address, uint64_t length, int advice)
{
	long error = is_advice(advice) ? check_range(address, length) :
	    -E_INVAL;

	return error != 0 ? error : for_each(address,
	    address + memory_round_up(length), advise, advice);
}

/* msync */

#define MS_ASYNC	1
#define MS_INVALIDATE	2
#define MS_SYNC		4

/* Nothing is to be stored; the time of what may have been written is. */
static long
note_time(const struct vma *piece, int flags)
{
	const struct backing *backing = backing_of(piece->backing);

	(void)flags;
	if (backing == NULL || backing->description == CAP_NONE ||
	    (piece->flags & VMA_SHARED) == 0 ||
	    (piece->protection & MAP_WRITE) == 0)
		return 0;
	storage_utimens_at(backing->description,
	    &(const struct storage_utimens_at_args){
		.atime_ns = TIME_OMIT, .mtime_ns = TIME_NOW,
		.flags = AT_HANDLE, .path = { "", 0, 0 },
	    });
	return 0;
}

long
linux_msync(uint64_t address, uint64_t length, int flags)
{
	long error = check_range(address, length);

	if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) != 0 ||
	    (flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC))
		return -E_INVAL;
	/* Linux says so of a length that wraps, too. */
	if (error == -E_INVAL && address % PAGE_SIZE == 0)
		return -E_NOMEM;
	return error != 0 ? error : for_each(address,
	    address + memory_round_up(length), note_time, flags);
}

/*
 * mlock: nothing is ever moved out of memory, so to have the pages is all.
 */

#define MLOCK_ONFAULT	1
#define MCL_CURRENT	1
#define MCL_FUTURE	2
#define MCL_ONFAULT	4

static long
have_pages(const struct vma *piece, int flags)
{
	if (flags == 0 && piece->protection != 0)
		memory_touch(piece->start, piece->end);
	/* Linux tells so of pages that nobody may touch. */
	return flags == 0 && piece->protection == 0 ? -E_NOMEM : 0;
}

static long
nothing(const struct vma *piece, int flags)
{
	(void)piece, (void)flags;
	return 0;
}

static long
lock_range(uint64_t address, uint64_t length,
    long (*apply)(const struct vma *piece, int value), int flags)
{
	uint64_t start = address & ~PAGE_MASK;
	uint64_t end = memory_round_up(length + (address & PAGE_MASK)) + start;

	if (end < start)
		return -E_INVAL;
	return end > PROGRAM_HIGH ? -E_NOMEM :
	    for_each(start, end, apply, flags);
}

long
linux_mlock(uint64_t address, uint64_t length)
{
	return lock_range(address, length, have_pages, 0);
}

long
linux_mlock2(uint64_t address, uint64_t length, int flags)
{
	return (flags & ~MLOCK_ONFAULT) != 0 ? -E_INVAL :
	    lock_range(address, length, have_pages, flags);
}

long
linux_munlock(uint64_t address, uint64_t length)
{
	return lock_range(address, length, nothing, 0);
}

long
linux_mlockall(int flags)
{
	return flags == 0 || flags == MCL_ONFAULT ||
	    (flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) != 0 ?
	    -E_INVAL : 0;
}

long
linux_munlockall(void)
{
	return 0;
}

/* To touch a page never waits for a disk: all are told to be there. */
long
linux_mincore(uint64_t address, uint64_t length, uint8_t *out)
{
	uint64_t end = address + memory_round_up(length);
	uint8_t there = 1;

	if (address % PAGE_SIZE != 0)
		return -E_INVAL;
	if (end < address || end > PROGRAM_HIGH ||
	    (length != 0 && memory_round_up(length) == 0))
		return -E_NOMEM;
	if (!user_range(out, memory_round_up(length) >> PAGE_SHIFT))
		return -E_FAULT;
	if (!vma_is_mapped(&memory_vmas, address, end))
		return -E_NOMEM;
	for (uint64_t i = 0; address + (i << PAGE_SHIFT) < end; i++) {
		if (user_write(&out[i], &there, sizeof(there)) != 0)
			return -E_FAULT;
	}
	return 0;
}
