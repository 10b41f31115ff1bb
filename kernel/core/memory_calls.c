/* SPDX-License-Identifier: MIT */
/* System calls on memory objects and address spaces. */
#include <kernel/core/ipc.h>
#include <kernel/core/syscall.h>

#include <kernel/object/container.h>
#include <kernel/object/memory.h>
#include <kernel/object/pages.h>
#include <kernel/object/vspace.h>

#include <abi/syscall.h>

#define COPY_BUDGET	(16 * PAGE_SIZE)	/* bytes between interrupt looks */


status_t
call_memory_clone(struct thread *thread, void *object)
{
	struct user_frame *f = &thread->frame;
	struct memory *clone;
	struct container *container;
	status_t status = call_find(thread, f->r10, OBJ_CONTAINER, RIGHT_MANAGE,
	    &container);

	if (status == OK)
		status = memory_clone(object, f->rsi, f->rdx, container, &clone);
	if (status != OK)
		return status;
	status = table_insert_new(thread->table, CAP_ANY_SLOT, &clone->object,
	    OBJ_MEMORY, &f->rdi);
	object_release(&clone->object);
	return status;
}

status_t
call_memory_info(struct thread *thread, void *object)
{
	struct user_frame *f = &thread->frame;
	struct memory *memory = object;

	lock_acquire(&memory->lock);
	f->rdi = memory->size;
	f->r10 = pages_next(memory, f->rsi);
	f->rsi = memory->resident;
	f->rdx = memory->flags;
	lock_release(&memory->lock);
	return OK;
}

status_t
call_memory_resize(struct thread *thread, void *object)
{
	return memory_resize(object, thread->frame.rsi);
}

/* RDI destination, RSI to, RDX source, R10 from, R8 length -> RDI done. */
status_t
call_memory_copy(struct thread *thread, void *object)
{
	struct user_frame *f = &thread->frame;
	struct memory *source;
	uint64_t total = 0;
	uint64_t length = f->r8 < COPY_BUDGET ? f->r8 : COPY_BUDGET;
	status_t status = call_find(thread, f->rdx, OBJ_MEMORY, RIGHT_READ,
	    &source);

	while (status == OK && total < length) {
		uint64_t done = 0;
		status = memory_copy_step(object, f->rsi + total, source,
		    f->r10 + total, length - total, &done);
		total += done;
	}
	f->rdi = total;
	return status;
}

/*
 * RDI vspace, RSI address, RDX memory, R10 offset, R8 length, R9 MAP_*. The
 * rights of the capability bound what vspace_protect can ever allow.
 */
status_t
call_vspace_map(struct thread *thread, void *object)
{
	struct user_frame *f = &thread->frame;
	struct cap cap;
	status_t status = call_lookup(thread, f->rdx, &cap);

	if (status != OK)
		return status;
	if (META_TYPE(cap.meta) != OBJ_MEMORY)
		return ERR_TYPE;
	unsigned rights = META_RIGHTS(cap.meta) & 7u;
	if ((f->r9 & 7u & ~(uint64_t)rights) != 0)
		return ERR_RIGHT;
	if (f->r9 >> MAP_LIMIT_SHIFT != 0)
		return ERR_ARG;
	return vspace_map(object, f->rsi, (struct memory *)cap.object, f->r10,
	    f->r8, (unsigned)f->r9 | MAP_LIMIT(rights));
}

status_t
call_vspace_unmap(struct thread *thread, void *object)
{
	return vspace_unmap(object, &thread->frame.rsi, &thread->frame.rdx);
}

status_t
call_vspace_protect(struct thread *thread, void *object)
{
	struct user_frame *f = &thread->frame;

	return f->r10 > UINT32_MAX ? ERR_ARG : vspace_protect(object, f->rsi,
	    f->rdx, (unsigned)f->r10);
}

/* RDI source, RSI destination, RDX container, R10 cursor (0). */
status_t
call_vspace_clone(struct thread *thread, void *object)
{
	struct user_frame *f = &thread->frame;
	struct vspace *destination;
	struct container *container;
	status_t status = call_find(thread, f->rsi, OBJ_VSPACE, RIGHT_MANAGE,
	    &destination);

	if (status == OK)
		status = call_find(thread, f->rdx, OBJ_CONTAINER, RIGHT_MANAGE,
		    &container);
	if (status == OK)
		status = vspace_clone(object, destination, container, &f->r10);
	return status;
}

/* RDI vspace, RSI address, RDX memory, R10 offset, R8 length, R9 1 = into. */
status_t
call_vspace_copy(struct thread *thread, void *object)
{
	struct user_frame *f = &thread->frame;
	struct memory *memory;
	uint64_t total = 0;
	uint64_t length = f->r8 < COPY_BUDGET ? f->r8 : COPY_BUDGET;
	status_t status = call_find(thread, f->rdx, OBJ_MEMORY,
	    f->r9 != 0 ? RIGHT_READ : RIGHT_WRITE, &memory);

	while (status == OK && total < length) {
		uint64_t done = 0;
		status = vspace_memory_step(object, f->rsi + total, memory,
		    f->r10 + total, length - total, f->r9 != 0, &done);
		total += done;
	}
	f->rdi = total;
	return status;
}

status_t
call_vspace_query(struct thread *thread, void *object)
{
	unsigned flags = 0;
	status_t status = vspace_query(object, thread->frame.rsi,
	    &thread->frame.rdi, &thread->frame.rsi, &flags);

	thread->frame.rdx = flags;
	return status;
}
