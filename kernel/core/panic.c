/* SPDX-License-Identifier: MIT */
/* Panic: the last words. The host side turns the addresses into names. */
#include <kernel/core/panic.h>

#include <kernel/core/arch.h>
#include <kernel/core/log.h>

#include <stdarg.h>

#define PANIC_EXIT_CODE 125u

/* Not a secret: it catches overruns of kernel stack buffers, not attackers. */
uintptr_t __stack_chk_guard = 0x595e9fbd94fda766;

_Noreturn void __stack_chk_fail(void);

static void
print_return_address(uint64_t address)
{
	log_print("backtrace: 0x%lx\n", address);
}

_Noreturn void
kernel_panic(const char *format, ...)
{
	va_list arguments;

	log_break_lock();
	log_print("panic: ");
	va_start(arguments, format);
	log_vprint(format, arguments);
	va_end(arguments);
	log_print("\n");
	arch_backtrace(print_return_address);
	arch_exit(PANIC_EXIT_CODE);
}

_Noreturn void
__stack_chk_fail(void)
{
	kernel_panic("kernel stack overrun");
}
