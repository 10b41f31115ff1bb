/* SPDX-License-Identifier: MIT */
/*
 * Bad accesses on purpose, most of which would do their harm silently: the
 * proof that address checking works. Compiled like the rest of the kernel.
 *
 *	1	writes to a slab object that was freed
 *	2	copies out of one
 *	3	reads a free frame
 *	4	follows a pointer of a program
 *	5	writes to kernel code
 */
#include <abi/object.h>
#include <kernel/core/frame.h>
#include <kernel/core/slab.h>
#include <kernel/debug/debug.h>
#include <machine/machine.h>

void
debug_make_mistake(uint64_t kind)
{
	static struct slab sample = { .name = "sample", .size = 64 };
	volatile uint64_t *object = slab_alloc(&sample), copy;
	paddr_t frame = frame_alloc();

	(void)slab_alloc(&sample);	/* its frame stays in the slab */
	slab_free(&sample, (void *)object);
	frame_release(frame);
	if (kind == 1)
		object[1] = 1;
	else if (kind == 2)
		arch_copy((void *)&copy, (void *)object, sizeof(copy));
	else if (kind == 3)
		copy = *(volatile uint64_t *)arch_frame_pointer(frame);
	else if (kind == 4)
		copy = *(volatile uint64_t *)0x400000;
	else
		*(volatile uint64_t *)text_start = 0;
}
