/* SPDX-License-Identifier: MIT */
/* mmap, munmap, mprotect. */
#include "memory.h"

#include "calls.h"
#include "file.h"
#include "limit.h"
#include "service.h"
#include "user.h"

#include <idl/storage_client.h>
#include <lib/sys/sys.h>

#define LOW_START	0x40000000ul	/* MAP_32BIT, as on Linux */
#define LOW_END		0x80000000ul

/* Accepted and without a meaning here, or only a hint. */
#define NO_MEANING	(L_MAP_DENYWRITE | L_MAP_EXECUTABLE | L_MAP_LOCKED | \
			L_MAP_NORESERVE | L_MAP_NONBLOCK | L_MAP_STACK)
#define SIZES_OF_PAGES	0xfc000000u	/* with L_MAP_HUGETLB */
#define KNOWN		(SIZES_OF_PAGES | L_MAP_TYPE | L_MAP_FIXED | L_MAP_ANONYMOUS | \
			L_MAP_FIXED_NOREPLACE | L_MAP_32BIT | L_MAP_POPULATE | \
			L_MAP_GROWSDOWN | L_MAP_HUGETLB | NO_MEANING)

static unsigned
protection_from(unsigned linux_protection)
{
	unsigned p = linux_protection & (MAP_READ | MAP_WRITE | MAP_EXEC);

	return p != 0 ? p | MAP_READ : 0;
}

uint64_t
memory_find_free(uint64_t hint, uint64_t length)
{
	const struct memory_layout *m = &memory_layout;

	hint = memory_round_up(hint);
	length = memory_round_up(length);
	if (hint >= MEMORY_LOW && hint <= PROGRAM_HIGH - length &&
	    (hint >= m->heap_end || hint + length <= m->heap_start) &&
	    vma_is_free(&memory_vmas, hint, hint + length))
		return hint;
	uint64_t low = m->heap_end > MEMORY_LOW ? m->heap_end : MEMORY_LOW;
	uint64_t found = vma_find_free(&memory_vmas, length, low, m->map_top);
	if (found == 0)
		found = vma_find_free(&memory_vmas, length, MEMORY_LOW,
		    m->heap_start != 0 ? m->heap_start : m->map_top);
	return found;
}

/* Below 2 GiB, outside the place of the heap. */
static uint64_t
find_low(uint64_t length)
{
	const struct memory_layout *m = &memory_layout;
	uint64_t high = LOW_END, low = LOW_START;

	if (m->heap_start < high && m->heap_end > low) {
		high = m->heap_start & ~PAGE_MASK;
		low = MEMORY_LOW;
	}
	return vma_find_free(&memory_vmas, length, low, high);
}

void
memory_touch(uint64_t start, uint64_t end)
{
	uint8_t byte;

	for (uint64_t at = start; at < end; at += PAGE_SIZE)
		(void)user_read(&byte, (const void *)at, sizeof(byte));
}

/* What may be said of a mapping before anything is looked up. */
static long
check_request(uint64_t length, unsigned flags, uint64_t offset)
{
	unsigned type = flags & L_MAP_TYPE;

	if (length == 0)
		return -E_INVAL;
	if (memory_round_up(length) == 0 || length > PROGRAM_HIGH)
		return -E_NOMEM;
	if (offset + length < offset)
		return -E_OVERFLOW;
	if (type != L_MAP_SHARED && type != L_MAP_PRIVATE &&
	    type != L_MAP_SHARED_VALIDATE)
		return -E_INVAL;
	if (type == L_MAP_SHARED_VALIDATE && (flags & ~KNOWN) != 0)
		return -E_OPNOTSUPP;
	/* A stack that grows by itself: the one of the program does not. */
	if ((flags & L_MAP_GROWSDOWN) != 0)
		return (flags & L_MAP_ANONYMOUS) == 0 ||
		    type != L_MAP_PRIVATE ? -E_INVAL : -E_OPNOTSUPP;
	/* There is no pool of large pages, as on most machines. */
	if ((flags & L_MAP_HUGETLB) != 0)
		return (flags & L_MAP_ANONYMOUS) == 0 ? -E_INVAL : -E_NOMEM;
	return 0;
}

/* Where it goes; for a fixed place whether it may. */
static long
choose_place(uint64_t *address, uint64_t length, unsigned flags)
{
	bool fixed = (flags & (L_MAP_FIXED | L_MAP_FIXED_NOREPLACE)) != 0;

	if (!fixed && (flags & L_MAP_32BIT) != 0)
		*address = find_low(length);
	else if (!fixed)
		*address = memory_find_free(*address, length);
	if (!fixed)
		return *address == 0 ? -E_NOMEM : 0;
	if (*address % PAGE_SIZE != 0)
		return -E_INVAL;
	if (*address > PROGRAM_HIGH - length)
		return -E_NOMEM;
	if (*address < MEMORY_LOW)
		return -E_PERM;
	return (flags & L_MAP_FIXED_NOREPLACE) != 0 &&
	    !vma_is_free(&memory_vmas, *address, *address + length) ?
	    -E_EXIST : 0;
}

/* What a mapping of the file lies over, kept or asked for. */
static long
back_by_file(struct file *file, bool write, unsigned *out_backing)
{
	struct backing new = { .writable = write };
	long error;

	*out_backing = file->cap == CAP_NONE ? 0 :
	    backing_find(file->cap, write);
	if (*out_backing != 0)
		return 0;
	error = file_map(file, write, &new);
	if (error != 0 || new.object == CAP_NONE)
		return error;
	*out_backing = backing_add(&new);
	if (*out_backing != 0)
		return 0;
	sys_cap_delete(CAP_NONE, new.object);
	return -E_NOMEM;
}

/* Zero pages that children share. */
static long
back_by_memory(uint64_t length, unsigned *out_backing)
{
	struct backing new = { .writable = true };
	status_t status = sys_object_create(OBJ_MEMORY, PROCESS_CONTAINER,
	    length, 0, &new.object);

	if (status != OK)
		return service_memory_error(status);
	random_fill(new.key, sizeof(new.key));
	*out_backing = backing_add(&new);
	if (*out_backing != 0)
		return 0;
	sys_cap_delete(CAP_NONE, new.object);
	return -E_NOMEM;
}

/* The range without its place. */
static long
describe(struct vma *range, uint64_t length, unsigned flags,
    struct file *file, uint64_t offset)
{
	bool shared = (flags & L_MAP_TYPE) != L_MAP_PRIVATE;
	bool write = (range->protection & MAP_WRITE) != 0;
	unsigned backing = 0;
	long error = 0;

	range->flags = shared ? VMA_SHARED : 0;
	if (file != NULL)
		error = back_by_file(file, shared && write, &backing);
	if (error == 0 && backing == 0 && shared) {
		error = back_by_memory(length, &backing);
	} else if (error == 0 && backing != 0) {
		range->offset = offset;
		range->flags |= !shared && write ? VMA_COPY : VMA_FILE;
	}
	range->backing = (uint16_t)backing;
	return error;
}

static long
map(struct vma *range, unsigned flags)
{
	uint64_t length = range->end - range->start;
	long error = 0;

	/* No range names it yet, or only one that goes. */
	backing_hold(range->backing, true);
	if ((flags & (L_MAP_FIXED | L_MAP_FIXED_NOREPLACE)) != 0)
		error = memory_unmap(range->start, length);
	if (error == 0)
		error = memory_map(range);
	backing_hold(range->backing, false);
	if (error != 0) {
		backing_sweep(&memory_vmas);
		return error;
	}
	if ((flags & (L_MAP_POPULATE | L_MAP_LOCKED)) != 0)
		memory_touch(range->start, range->end);
	return (long)range->start;
}

long
linux_mmap(uint64_t address, uint64_t length, unsigned protection,
    unsigned flags, int fd, uint64_t offset)
{
	bool shared = (flags & L_MAP_TYPE) != L_MAP_PRIVATE;
	struct file *file = NULL;
	struct vma range = { .protection =
	    (uint8_t)protection_from(protection) };
	long error;

	if (offset % PAGE_SIZE != 0)
		return -E_INVAL;
	if ((flags & L_MAP_ANONYMOUS) == 0) {
		file = fd_file((unsigned)fd);
		if (file == NULL || file->kind == FILE_PATH)
			return -E_BADF;
	}
	error = check_request(length, flags, offset);
	if (error != 0)
		return error;
	length = memory_round_up(length);
	error = choose_place(&address, length, flags);
	if (error == 0 && file != NULL)
		error = file_map_check(file, shared, protection);
	if (error != 0)
		return error;
	if (!vma_has_room(&memory_vmas) || !limit_allows_memory(length) ||
	    (!shared && (protection & L_PROT_WRITE) != 0 &&
	    !limit_allows_data(length)))
		return -E_NOMEM;
	range.start = address;
	range.end = address + length;
	error = describe(&range, length, flags, file, offset);
	return error != 0 ? error : map(&range, flags);
}

long
linux_munmap(uint64_t address, uint64_t length)
{
	length = memory_round_up(length);
	if (address % PAGE_SIZE != 0 || length == 0 ||
	    address > PROGRAM_HIGH || length > PROGRAM_HIGH - address)
		return -E_INVAL;
	return memory_unmap(address, length);
}

/* mprotect */

/* The file's own pages become a private copy before they are written. */
static long
make_private(struct vma *piece)
{
	long error;

	piece->flags = (uint8_t)((piece->flags & ~VMA_FILE) | VMA_COPY);
	error = memory_replace(piece);
	if (error == 0)
		vma_mark(&memory_vmas, piece->start, piece->end, VMA_FILE,
		    VMA_COPY);
	return error;
}

/* Who may write the file may write the mapping: asked for when it is wanted. */
static long
make_shared_writable(struct vma *piece, unsigned protection)
{
	struct backing *backing = backing_of(piece->backing);
	struct backing new;
	long error;

	if (backing == NULL || backing->description == CAP_NONE)
		return -E_ACCES;
	if (!backing->writable) {
		error = file_map_description(backing->description, true,
		    &new);
		if (error == -E_PERM)
			error = -E_ACCES;
		if (error != 0)
			return error;
		sys_cap_delete(CAP_NONE, backing->object);
		backing->object = new.object;
		backing->writable = true;
	}
	/* The region was made with fewer rights. */
	piece->protection = (uint8_t)protection;
	return memory_replace(piece);
}

/* A range has holes where its file ends. */
static status_t
protect_regions(const struct vma *piece, unsigned protection)
{
	unsigned flags = memory_region_flags(piece, protection);
	uint64_t at = piece->start;

	while (at < piece->end) {
		struct sys_result r = sys_invoke(SYS_VSPACE_QUERY,
		    PROCESS_VSPACE, at, 0, 0, 0, 0);
		if (r.status != OK || r.value[0] >= piece->end)
			return OK;
		uint64_t end = r.value[0] + r.value[1];
		if (end > piece->end)
			end = piece->end;
		if (r.value[0] > at)
			at = r.value[0];
		status_t status = sys_protect(PROCESS_VSPACE, at, end - at,
		    flags);
		if (status != OK)
			return status;
		at = end;
	}
	return OK;
}

/* One range of the list, or the part of it that is meant. */
static long
protect_piece(struct vma *piece, unsigned protection)
{
	long error = 0;

	if (!vma_has_room(&memory_vmas))
		return -E_NOMEM;
	unsigned kind = piece->flags & (VMA_SHARED | VMA_FILE);
	if ((protection & MAP_WRITE) != 0 && kind == VMA_FILE)
		error = make_private(piece);
	else if ((protection & MAP_WRITE) != 0 && kind != 0 &&
	    (piece->protection & MAP_WRITE) == 0 &&
	    (kind & VMA_FILE) != 0)
		error = make_shared_writable(piece, protection);
	if (error != 0)
		return error;
	status_t status = protect_regions(piece, protection);
	if (status != OK)
		return status == ERR_NOMEM || status == ERR_LIMIT ? -E_NOMEM :
		    -E_ACCES;
	vma_protect(&memory_vmas, piece->start, piece->end, protection);
	return 0;
}

long
linux_mprotect(uint64_t address, uint64_t length, unsigned protection)
{
	uint64_t end = address + memory_round_up(length);
	unsigned p = protection_from(protection);

	if (address % PAGE_SIZE != 0 || (protection & ~0x0300000fu) != 0)
		return -E_INVAL;
	if (length == 0)
		return 0;
	if (end <= address || end > PROGRAM_HIGH)
		return -E_NOMEM;
	/* As on Linux, what lies before a hole is changed. */
	while (address < end) {
		const struct vma *v = vma_find(&memory_vmas, address);
		if (v == NULL)
			return -E_NOMEM;
		struct vma piece = *v;
		piece.offset += piece.backing != 0 ? address - piece.start : 0;
		piece.start = address;
		if (piece.end > end)
			piece.end = end;
		address = piece.end;
		long error = protect_piece(&piece, p);
		if (error != 0)
			return error;
	}
	return 0;
}
