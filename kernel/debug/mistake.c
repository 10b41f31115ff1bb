/* SPDX-License-Identifier: MIT */
/*
 * Bad accesses on purpose, each of which would do its harm silently: the proof
 * that address checking works. Compiled like the rest of the kernel.
 */
#include <abi/object.h>
#include <kernel/core/frame.h>
#include <kernel/core/slab.h>
#include <kernel/debug/debug.h>
#include <kernel/debug/options.h>
#include <machine/machine.h>

static struct slab sample = { .name = "sample", .size = 64 };

/* Its frame stays a slab frame: a second object lives on. */
static void *
freed_object(void)
{
	void *object = slab_alloc(&sample);

	(void)slab_alloc(&sample);
	slab_free(&sample, object);
	return object;
}

void
debug_make_mistake(unsigned kind)
{
	paddr_t frame = frame_alloc();
	uint64_t copy[2];
	volatile uint64_t *at = copy;

	switch (kind) {
	case MISTAKE_SLAB:
		at = freed_object();
		at[1] = 1;
		break;
	case MISTAKE_COPY:
		arch_copy(copy, freed_object(), sizeof(copy));
		break;
	case MISTAKE_FRAME:
		at = arch_frame_pointer(frame);
		frame_release(frame);
		(void)*at;
		break;
	case MISTAKE_USER:
		at = (volatile uint64_t *)0x400000;
		(void)*at;
		break;
	case MISTAKE_TEXT:
		at = (volatile uint64_t *)text_start;
		*at = 0;
		break;
	}
}
