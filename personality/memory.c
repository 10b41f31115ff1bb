/* SPDX-License-Identifier: MIT */
/*
 * Mapping and unmapping. Check first, then change: the list has room before
 * the kernel is asked, and the list changes only after the kernel agreed.
 *
 * Heap: one object of MEMORY_HEAP_MAX bytes is mapped without access at exec.
 * brk makes its beginning accessible in growing steps, so a heap that grows a
 * thousand times is a handful of regions.
 *
 * A private mapping of a file is the file's own object as long as it is not
 * writable; mprotect turns it into anonymous memory with the same contents.
 */
#include "memory.h"

#include "calls.h"
#include "file.h"
#include "limit.h"
#include "service.h"
#include "thread.h"
#include "user.h"

#include <lib/sys/sys.h>

#define PROGRAM_LOW	0x10000ul	/* vm.mmap_min_addr */
#define HEAP_STEP	(1ul << 20)
#define SCRATCH		0x7e8000000000ul	/* above the libOS */

struct vma_list memory_vmas;
struct memory_layout memory_layout;

static uint64_t
round_up(uint64_t value)
{
	return (value + PAGE_MASK) & ~PAGE_MASK;
}

static unsigned
protection_from(unsigned linux_protection)
{
	unsigned p = linux_protection & (MAP_READ | MAP_WRITE | MAP_EXEC);

	return p != 0 ? p | MAP_READ : 0;
}

static unsigned
region_flags(unsigned protection, unsigned vma_flags)
{
	return protection | ((vma_flags & VMA_SHARED) != 0 ? MAP_SHARED : 0);
}

void
memory_reset(uint64_t map_top)
{
	sys_unmap(PROCESS_VSPACE, USER_LOW, PROGRAM_HIGH - USER_LOW);
	vma_clear(&memory_vmas);
	memory_layout = (struct memory_layout){ .map_top = map_top };
}

long
memory_map_object(uint64_t start, cap_t object, uint64_t offset,
    uint64_t length, unsigned protection, unsigned vma_flags)
{
	if (!vma_has_room(&memory_vmas))
		return -E_NOMEM;
	status_t status = sys_map(PROCESS_VSPACE, start, object, offset, length,
	    region_flags(protection, vma_flags));
	if (status != OK)
		return service_memory_error(status);
	vma_insert(&memory_vmas, start, start + length, protection, vma_flags);
	return 0;
}

long
memory_map_zero(uint64_t start, uint64_t length, unsigned protection,
    unsigned vma_flags)
{
	cap_t object;
	status_t status = sys_object_create(OBJ_MEMORY, PROCESS_CONTAINER,
	    length, 0, &object);

	if (status != OK)
		return service_memory_error(status);
	long error = memory_map_object(start, object, 0, length, protection,
	    vma_flags);
	sys_cap_delete(0, object);
	return error;
}

long
memory_map_copy(uint64_t start, cap_t object, uint64_t offset,
    uint64_t length, unsigned protection)
{
	struct sys_result r = sys_invoke(SYS_MEMORY_CLONE, object, offset,
	    length, PROCESS_CONTAINER, CAP_ANY_SLOT, 0);

	if (r.status != OK)
		return service_memory_error(r.status);
	long error = memory_map_object(start, r.value[0], 0, length, protection,
	    VMA_COPY);
	sys_cap_delete(0, r.value[0]);
	return error;
}

long
memory_unmap(uint64_t start, uint64_t length)
{
	if (!vma_has_room(&memory_vmas))
		return -E_NOMEM;
	status_t status = sys_unmap(PROCESS_VSPACE, start, length);
	if (status != OK)
		return service_memory_error(status);
	vma_remove(&memory_vmas, start, start + length);
	return 0;
}

/* brk */

long
memory_set_heap(uint64_t start)
{
	struct memory_layout *m = &memory_layout;
	cap_t object;
	status_t status = sys_object_create(OBJ_MEMORY, PROCESS_CONTAINER,
	    MEMORY_HEAP_MAX, 0, &object);

	m->heap_start = m->heap_break = m->heap_ready = start;
	m->heap_end = start;
	if (status != OK)
		return service_memory_error(status);
	status = sys_map(PROCESS_VSPACE, start, object, 0, MEMORY_HEAP_MAX, 0);
	sys_cap_delete(0, object);
	if (status == OK)
		m->heap_end = start + MEMORY_HEAP_MAX;
	return service_memory_error(status);
}

static long
heap_grow(uint64_t top)
{
	struct memory_layout *m = &memory_layout;

	if (!vma_is_free(&memory_vmas, round_up(m->heap_break), top))
		return -E_NOMEM;
	if (top > m->heap_ready) {
		uint64_t step = (m->heap_ready - m->heap_start) / 4;
		uint64_t ready = top;
		if (step < HEAP_STEP)
			step = HEAP_STEP;
		if (ready < m->heap_ready + (step & ~PAGE_MASK))
			ready = m->heap_ready + (step & ~PAGE_MASK);
		if (ready > m->heap_end)
			ready = m->heap_end;
		if (sys_protect(PROCESS_VSPACE, m->heap_ready,
		    ready - m->heap_ready, MAP_READ | MAP_WRITE) != OK)
			return -E_NOMEM;
		m->heap_ready = ready;
	}
	if (top > round_up(m->heap_break))
		vma_insert(&memory_vmas, round_up(m->heap_break), top,
		    MAP_READ | MAP_WRITE, VMA_HEAP);
	return 0;
}

/* Fresh zero pages in place of what is mapped there, inside one region. */
static long
replace_with_zero(uint64_t start, uint64_t length, unsigned protection,
    unsigned vma_flags)
{
	cap_t object;
	status_t status = sys_object_create(OBJ_MEMORY, PROCESS_CONTAINER,
	    length, 0, &object);

	if (status != OK)
		return service_memory_error(status);
	status = sys_unmap(PROCESS_VSPACE, start, length);
	if (status == OK)
		status = sys_map(PROCESS_VSPACE, start, object, 0, length,
		    region_flags(protection, vma_flags));
	sys_cap_delete(0, object);
	return service_memory_error(status);
}

static long
heap_shrink(uint64_t top)
{
	struct memory_layout *m = &memory_layout;
	uint64_t old = round_up(m->heap_break);

	if (top == old)
		return 0;
	long error = replace_with_zero(top, old - top, MAP_READ | MAP_WRITE,
	    0);
	if (error == 0)
		vma_remove(&memory_vmas, top, old);
	return error;
}

long
linux_brk(uint64_t wanted)
{
	struct memory_layout *m = &memory_layout;
	uint64_t top = round_up(wanted);
	long error;

	if (wanted < m->heap_start || wanted > m->heap_end ||
	    !vma_has_room(&memory_vmas))
		return (long)m->heap_break;
	uint64_t more = wanted < m->heap_break ? 0 :
	    top - round_up(m->heap_break);
	if (more != 0 && (!limit_allows_memory(more) ||
	    !limit_allows_data(more)))
		return (long)m->heap_break;
	if (wanted >= m->heap_break)
		error = heap_grow(top);
	else
		error = heap_shrink(top);
	if (error == 0)
		m->heap_break = wanted;
	return (long)m->heap_break;
}

/* mmap */

static uint64_t
choose_address(uint64_t hint, uint64_t length)
{
	const struct memory_layout *m = &memory_layout;

	hint = round_up(hint);
	if (hint >= PROGRAM_LOW && hint <= PROGRAM_HIGH - length &&
	    (hint >= m->heap_end || hint + length <= m->heap_start) &&
	    vma_is_free(&memory_vmas, hint, hint + length))
		return hint;
	uint64_t low = m->heap_end > PROGRAM_LOW ? m->heap_end : PROGRAM_LOW;
	uint64_t found = vma_find_free(&memory_vmas, length, low, m->map_top);
	if (found == 0)
		found = vma_find_free(&memory_vmas, length, PROGRAM_LOW,
		    m->heap_start != 0 ? m->heap_start : m->map_top);
	return found;
}

uint64_t
memory_find_free(uint64_t length)
{
	return choose_address(0, round_up(length));
}

static long
map_file(uint64_t start, uint64_t length, unsigned protection, bool shared,
    int fd, uint64_t offset)
{
	cap_t object;
	uint64_t size;
	long error = file_memory(fd, shared && (protection & MAP_WRITE) != 0,
	    &object, &size);

	if (error != 0)
		return error;
	/* Beyond the last page of the file nothing is mapped. */
	uint64_t end = round_up(size), present = 0;
	if (offset < end)
		present = end - offset < length ? end - offset : length;
	if (present != 0) {
		if (!shared && (protection & MAP_WRITE) != 0)
			error = memory_map_copy(start, object, offset, present,
			    protection);
		else
			error = memory_map_object(start, object, offset,
			    present, protection,
			    VMA_FILE | (shared ? VMA_SHARED : 0));
	}
	sys_cap_delete(0, object);
	if (error == 0 && present < length && vma_has_room(&memory_vmas))
		vma_insert(&memory_vmas, start + present, start + length,
		    protection, VMA_FILE);
	return error;
}

long
linux_mmap(uint64_t address, uint64_t length, unsigned protection,
    unsigned flags, int fd, uint64_t offset)
{
	unsigned type = flags & L_MAP_TYPE;
	bool shared = type != L_MAP_PRIVATE;
	bool fixed = (flags & (L_MAP_FIXED | L_MAP_FIXED_NOREPLACE)) != 0;

	if (length == 0 || type == 0 || type > 3 || offset % PAGE_SIZE != 0)
		return -E_INVAL;
	length = round_up(length);
	if (length == 0 || length > PROGRAM_HIGH || offset + length < offset)
		return length == 0 || length > PROGRAM_HIGH ? -E_NOMEM :
		    -E_OVERFLOW;
	if (!vma_has_room(&memory_vmas) || !limit_allows_memory(length) ||
	    (!shared && (protection & L_PROT_WRITE) != 0 &&
	    !limit_allows_data(length)))
		return -E_NOMEM;
	if (fixed) {
		if (address % PAGE_SIZE != 0)
			return -E_INVAL;
		if (address < PROGRAM_LOW)
			return -E_PERM;
		if (address > PROGRAM_HIGH - length)
			return -E_NOMEM;
		if (!vma_is_free(&memory_vmas, address, address + length) &&
		    (flags & L_MAP_FIXED_NOREPLACE) != 0)
			return -E_EXIST;
	} else {
		address = choose_address(address, length);
		if (address == 0)
			return -E_NOMEM;
	}
	long error = 0;
	if ((flags & L_MAP_ANONYMOUS) == 0)
		error = file_memory_check(fd, shared, protection);
	if (error == 0 && fixed)
		error = memory_unmap(address, length);
	if (error != 0)
		return error;
	unsigned p = protection_from(protection);
	if ((flags & L_MAP_ANONYMOUS) != 0)
		error = memory_map_zero(address, length, p,
		    shared ? VMA_SHARED : 0);
	else
		error = map_file(address, length, p, shared, fd, offset);
	return error != 0 ? error : (long)address;
}

long
linux_munmap(uint64_t address, uint64_t length)
{
	length = round_up(length);
	if (address % PAGE_SIZE != 0 || length == 0 ||
	    address > PROGRAM_HIGH || length > PROGRAM_HIGH - address)
		return -E_INVAL;
	return memory_unmap(address, length);
}

/* mprotect */

/* The file's own pages become a private copy before they are written. */
static long
make_private(uint64_t start, uint64_t end)
{
	cap_t object;
	uint64_t length = end - start;
	status_t status = sys_object_create(OBJ_MEMORY, PROCESS_CONTAINER,
	    length, 0, &object);

	if (status != OK)
		return service_memory_error(status);
	status = sys_map(PROCESS_VSPACE, SCRATCH, object, 0, length,
	    MAP_READ | MAP_WRITE);
	if (status == OK) {
		size_t left = user_copy_raw((void *)SCRATCH, (void *)start,
		    length);
		sys_unmap(PROCESS_VSPACE, SCRATCH, length);
		if (left != 0)
			status = ERR_RIGHT;
	}
	if (status == OK)
		status = sys_unmap(PROCESS_VSPACE, start, length);
	if (status == OK)
		status = sys_map(PROCESS_VSPACE, start, object, 0, length,
		    MAP_READ);
	sys_cap_delete(0, object);
	if (status == OK) {
		vma_remove(&memory_vmas, start, end);
		vma_insert(&memory_vmas, start, end, MAP_READ, VMA_COPY);
	}
	return service_memory_error(status);
}

static long
make_writable(uint64_t start, uint64_t end)
{
	while (start < end) {
		const struct vma *v = vma_find(&memory_vmas, start);
		uint64_t stop = v->end < end ? v->end : end;
		long error = 0;

		if (!vma_has_room(&memory_vmas))
			return -E_NOMEM;
		if ((v->flags & VMA_FILE) != 0)
			error = (v->flags & VMA_SHARED) != 0 ? -E_ACCES :
			    make_private(start, stop);
		if (error != 0)
			return error;
		start = stop;
	}
	return 0;
}

long
linux_mprotect(uint64_t address, uint64_t length, unsigned protection)
{
	uint64_t end = address + round_up(length);
	long error = 0;

	if (address % PAGE_SIZE != 0 || (protection & ~0x0300000fu) != 0)
		return -E_INVAL;
	if (length == 0)
		return 0;
	if (end <= address || end > PROGRAM_HIGH ||
	    !vma_is_mapped(&memory_vmas, address, end) ||
	    !vma_has_room(&memory_vmas))
		return -E_NOMEM;
	unsigned p = protection_from(protection);
	if ((p & MAP_WRITE) != 0)
		error = make_writable(address, end);
	if (error != 0)
		return error;
	status_t status = sys_protect(PROCESS_VSPACE, address, end - address,
	    p);
	if (status != OK)
		return status == ERR_NOMEM || status == ERR_LIMIT ? -E_NOMEM :
		    -E_ACCES;
	vma_protect(&memory_vmas, address, end, p);
	return 0;
}

/* mremap, madvise, msync */

#define MREMAP_MAYMOVE	1u
#define MREMAP_FIXED	2u

static long
move_mapping(const struct vma *v, uint64_t old, uint64_t old_length,
    uint64_t to, uint64_t length)
{
	struct vma copy = *v;
	uint64_t count = old_length < length ? old_length : length;
	long error = memory_map_zero(to, length, MAP_READ | MAP_WRITE, 0);

	if (error != 0)
		return error;
	if (user_copy_raw((void *)to, (void *)old, count) != 0) {
		memory_unmap(to, length);
		return -E_FAULT;
	}
	if (copy.protection != (MAP_READ | MAP_WRITE)) {
		sys_protect(PROCESS_VSPACE, to, length, copy.protection);
		vma_protect(&memory_vmas, to, to + length, copy.protection);
	}
	error = memory_unmap(old, old_length);
	return error != 0 ? error : (long)to;
}

long
linux_mremap(uint64_t old, uint64_t old_length, uint64_t length,
    unsigned flags, uint64_t target)
{
	old_length = round_up(old_length);
	length = round_up(length);
	if (old % PAGE_SIZE != 0 || length == 0 || old_length == 0 ||
	    (flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED)) != 0 ||
	    ((flags & MREMAP_FIXED) != 0 && ((flags & MREMAP_MAYMOVE) == 0 ||
	    target % PAGE_SIZE != 0 || target < PROGRAM_LOW)) ||
	    length > PROGRAM_HIGH || old > PROGRAM_HIGH - old_length)
		return -E_INVAL;
	const struct vma *v = vma_find(&memory_vmas, old);
	if (v == NULL || v->end - old < old_length)
		return -E_FAULT;
	if ((flags & MREMAP_FIXED) != 0) {
		if (target > PROGRAM_HIGH - length ||
		    (target < old + old_length && old < target + length))
			return -E_INVAL;
	} else if (length <= old_length) {
		if (length < old_length)
			memory_unmap(old + length, old_length - length);
		return (long)old;
	}
	if ((v->flags & (VMA_SHARED | VMA_FILE)) != 0 ||
	    (length > old_length && (!limit_allows_memory(length -
	    old_length) || !limit_allows_data(length - old_length))))
		return -E_NOMEM;
	if ((flags & MREMAP_FIXED) != 0) {
		memory_unmap(target, length);
		v = vma_find(&memory_vmas, old);
		return move_mapping(v, old, old_length, target, length);
	}
	if (v->end == old + old_length && old <= PROGRAM_HIGH - length &&
	    old + length <= memory_layout.map_top &&
	    (old >= memory_layout.heap_end || old < memory_layout.heap_start) &&
	    vma_is_free(&memory_vmas, old + old_length, old + length)) {
		long error = memory_map_zero(old + old_length,
		    length - old_length, v->protection, v->flags);
		if (error == 0)
			return (long)old;
	}
	if ((flags & MREMAP_MAYMOVE) == 0)
		return -E_NOMEM;
	target = choose_address(0, length);
	if (target == 0)
		return -E_NOMEM;
	return move_mapping(v, old, old_length, target, length);
}

#define MADV_DONTNEED	4
#define MADV_FREE	8

static long
drop_pages(uint64_t start, uint64_t end)
{
	while (start < end) {
		const struct vma *v = vma_find(&memory_vmas, start);
		uint64_t stop = v->end < end ? v->end : end;
		long error = 0;

		if ((v->flags & VMA_COPY) != 0)
			return -E_INVAL;
		if ((v->flags & (VMA_FILE | VMA_SHARED)) == 0)
			error = replace_with_zero(start, stop - start,
			    v->protection, v->flags);
		if (error != 0)
			return error;
		start = stop;
	}
	return 0;
}

long
linux_madvise(uint64_t address, uint64_t length, int advice)
{
	uint64_t end = address + round_up(length);

	if (address % PAGE_SIZE != 0 || end < address)
		return -E_INVAL;
	if (length == 0)
		return 0;
	if (end > PROGRAM_HIGH || !vma_is_mapped(&memory_vmas, address, end))
		return -E_NOMEM;
	if (advice == MADV_DONTNEED)
		return drop_pages(address, end);
	if ((advice >= 0 && advice <= 3) || advice == MADV_FREE ||
	    (advice >= 10 && advice <= 21))
		return 0;
	return -E_INVAL;
}

/* Pages of files are never written through a mapping: nothing to store. */
long
linux_msync(uint64_t address, uint64_t length, int flags)
{
	uint64_t end = address + round_up(length);

	if (address % PAGE_SIZE != 0 || (flags & ~7) != 0 || (flags & 5) == 5)
		return -E_INVAL;
	if (end < address || end > PROGRAM_HIGH ||
	    !vma_is_mapped(&memory_vmas, address, end))
		return -E_NOMEM;
	return 0;
}
