/* SPDX-License-Identifier: MIT */
/*
 * Functions that the linker puts between the kernel and its own: range checks
 * before memory is copied or cleared, the options at the start, the allocation
 * that fails, the coverage at the end.
 */
#include <abi/object.h>
#include <kernel/core/frame.h>
#include <kernel/core/log.h>
#include <kernel/core/panic.h>
#include <kernel/debug/debug.h>
#include <kernel/debug/options.h>

#define HERE ((uint64_t)__builtin_return_address(0))

/* Declares both ends of a wrapped function. */
#define WRAP(type, name, ...) \
	type __real_##name(__VA_ARGS__); \
	type __wrap_##name(__VA_ARGS__); \
	type __wrap_##name(__VA_ARGS__)

static uint64_t options[OPTION_COUNT];	/* constant after boot */
static uint32_t started;		/* atomic */

/* --- Memory. --- */

WRAP(void, arch_page_clear, void *page)
{
	debug_check((uint64_t)page, PAGE_SIZE, true, HERE);
	__real_arch_page_clear(page);
}

WRAP(void, arch_page_copy, void *to, const void *from)
{
	debug_check((uint64_t)to, PAGE_SIZE, true, HERE);
	debug_check((uint64_t)from, PAGE_SIZE, false, HERE);
	__real_arch_page_copy(to, from);
}

WRAP(void, arch_copy, void *to, const void *from, size_t length)
{
	debug_check((uint64_t)to, length, true, HERE);
	debug_check((uint64_t)from, length, false, HERE);
	__real_arch_copy(to, from, length);
}

/* --- Allocations. --- */

/* One that failed is worth a line: a test sees who had to cope with it. */
static paddr_t
report_failure(paddr_t frame, uint64_t rip)
{
	if (frame == FRAME_NONE && options[OPTION_FAIL_ALLOC] != 0)
		log_print("debug: no frame for 0x%lx\n", rip);
	return frame;
}

WRAP(paddr_t, frame_alloc, void)
{
	return report_failure(__real_frame_alloc(), HERE);
}

WRAP(paddr_t, frame_alloc_block, unsigned order)
{
	return report_failure(__real_frame_alloc_block(order), HERE);
}

/* --- Start and end. --- */

WRAP(_Noreturn void, kernel_main, const struct boot_handoff *handoff)
{
	const char *line = handoff->command_line;
	const char *bad = debug_options_parse(line, options);

	if (bad != NULL)
		kernel_panic("command line: byte %lu begins no option of "
		    "bennu-kernel(7)", (uint64_t)(bad - line));
	debug_check_addresses();
	log_print("debug: addresses are checked\n");
	if (options[OPTION_MISTAKE] != 0)
		debug_make_mistake(options[OPTION_MISTAKE]);
	__real_kernel_main(handoff);
}

/* The first CPU to leave for user mode ends the boot. */
WRAP(_Noreturn void, arch_enter_user, void)
{
	if (__atomic_exchange_n(&started, 1, __ATOMIC_ACQ_REL) == 0)
		frame_fail_nth(options[OPTION_FAIL_ALLOC]);
	__real_arch_enter_user();
}

WRAP(_Noreturn void, arch_exit, unsigned code)
{
	if (options[OPTION_COVERAGE] != 0)
		debug_print_coverage();
	__real_arch_exit(code);
}
