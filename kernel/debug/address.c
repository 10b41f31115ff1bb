/* SPDX-License-Identifier: MIT */
/*
 * Address checking: the compiler calls __asan_* before each access of the
 * kernel, and what copies or clears by single instructions is wrapped.
 *
 * There is no shadow memory, the kernel's own bookkeeping is asked:
 *
 *	user half	never: the kernel follows no pointer of a program
 *	direct map	RAM whose frame is not free; in a slab frame, no header
 *			and no free place
 *	image		code and constants are not written
 *	stacks		their guard pages are not mapped, that is enough
 *
 * For slabs there is a bit for each frame here, and in the frame's header a bit
 * for each 16 bytes, set by core/slab.c under the lock of the slab. An object
 * in use keeps its bits, so they are read without the lock. Frames beyond the
 * bit map are checked as a whole only.
 *
 * The files of the allocators, which link free memory, of the boot stage and of
 * device registers are compiled without the calls (cmake/kernel_debug.cmake).
 */
#include <abi/object.h>
#include <kernel/core/frame.h>
#include <kernel/core/panic.h>
#include <kernel/core/slab.h>
#include <kernel/debug/debug.h>
#include <machine/machine.h>

#define UNIT		16ul
#define FRAMES_MAX	(1ul << 21)	/* 8 GiB */

static uint64_t slab_frames[FRAMES_MAX / 64];	/* atomic */
static bool enabled;
static uint32_t reporting;			/* atomic */

void
debug_check_addresses(void)
{
	enabled = true;
}

static struct slab_frame *
header_of(uint64_t address)
{
	return (struct slab_frame *)(address & ~PAGE_MASK);
}

static void
units_set(uint64_t address, uint64_t length, bool forbidden)
{
	uint64_t *words = header_of(address)->forbidden;
	uint64_t first = (address & PAGE_MASK) / UNIT;

	for (uint64_t unit = first; unit * UNIT < first * UNIT + length; unit++)
		words[unit / 64] = (words[unit / 64] & ~(1ul << unit % 64)) |
		    (uint64_t)forbidden << unit % 64;
}

void
debug_forbid(const void *address, uint64_t length)
{
	struct slab_frame *frame = header_of((uint64_t)address);
	uint64_t number = arch_frame_address(frame) >> PAGE_SHIFT;

	if (number >= FRAMES_MAX)
		return;
	units_set((uint64_t)address, length, true);
	units_set((uint64_t)frame, sizeof(*frame), true);
	__atomic_or_fetch(&slab_frames[number / 64], 1ul << number % 64,
	    __ATOMIC_RELEASE);
}

void
debug_allow(const void *address, uint64_t length)
{
	uint64_t number = arch_frame_address(address) >> PAGE_SHIFT;

	if (number < FRAMES_MAX && length == PAGE_SIZE)
		__atomic_and_fetch(&slab_frames[number / 64],
		    ~(1ul << number % 64), __ATOMIC_RELEASE);
	else if (number < FRAMES_MAX)
		units_set((uint64_t)address, length, false);
}

/* --- The rules. Each returns what is wrong, or NULL. --- */

static const char *
slab_problem(uint64_t address, uint64_t length)
{
	const struct slab_frame *frame = header_of(address);
	uint64_t last = ((address & PAGE_MASK) + length - 1) / UNIT;

	for (uint64_t unit = (address & PAGE_MASK) / UNIT; unit <= last; unit++)
		if (frame->forbidden[unit / 64] >> unit % 64 & 1)
			return unit < sizeof(*frame) / UNIT ?
			    "header of slab" : "freed slab object";
	return NULL;
}

static const char *
direct_problem(uint64_t address, uint64_t length, const char **out_name)
{
	paddr_t frame = (address - DIRECT_BASE) & ~PAGE_MASK;
	uint64_t number = frame >> PAGE_SHIFT;

	if (!frame_is_ram(frame))
		return "no memory";
	if (frame_is_free(frame))
		return "free frame";
	if (number >= FRAMES_MAX || (__atomic_load_n(&slab_frames[number / 64],
	    __ATOMIC_ACQUIRE) >> number % 64 & 1) == 0)
		return NULL;
	*out_name = header_of(address)->slab->name;
	return slab_problem(address, length);
}

/* The range lies in one page. */
static const char *
page_problem(uint64_t address, uint64_t length, bool write,
    const char **out_name)
{
	if (address < DIRECT_BASE)
		return "user address";
	if (address < KERNEL_BASE)
		return direct_problem(address, length, out_name);
	if (write && address >= (uint64_t)text_start &&
	    address < (uint64_t)data_start)
		return "kernel code or constant";
	return NULL;
}

void
debug_check(uint64_t address, uint64_t length, bool write, uint64_t rip)
{
	uint64_t at = address, left = length;

	while (enabled && left > 0) {
		uint64_t part = PAGE_SIZE - (at & PAGE_MASK);
		const char *name = "", *problem;

		if (part > left)
			part = left;
		problem = page_problem(at, part, write, &name);
		/* What prints the report may stumble over the same. */
		if (problem != NULL &&
		    __atomic_exchange_n(&reporting, 1, __ATOMIC_ACQ_REL) == 0)
			kernel_panic("bad access: %s of %lu at 0x%lx "
			    "(%s%s%s%s) by 0x%lx", write ? "write" : "read",
			    length, address, problem, *name != 0 ? " '" : "",
			    name, *name != 0 ? "'" : "", rip);
		at += part;
		left -= part;
	}
}

/* --- What the compiler calls. --- */

#define HERE ((uint64_t)__builtin_return_address(0))

#define ACCESS(name, write, length, ...) \
	void __asan_##name(uint64_t address __VA_OPT__(,) __VA_ARGS__); \
	void __asan_##name(uint64_t address __VA_OPT__(,) __VA_ARGS__) \
	{ \
		debug_check(address, length, write, HERE); \
	}

ACCESS(load1_noabort, false, 1)
ACCESS(load2_noabort, false, 2)
ACCESS(load4_noabort, false, 4)
ACCESS(load8_noabort, false, 8)
ACCESS(load16_noabort, false, 16)
ACCESS(loadN_noabort, false, size, uint64_t size)
ACCESS(store1_noabort, true, 1)
ACCESS(store2_noabort, true, 2)
ACCESS(store4_noabort, true, 4)
ACCESS(store8_noabort, true, 8)
ACCESS(store16_noabort, true, 16)
ACCESS(storeN_noabort, true, size, uint64_t size)

void __asan_handle_no_return(void);

void
__asan_handle_no_return(void)
{
}
