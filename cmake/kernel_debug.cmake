# SPDX-License-Identifier: MIT
#
# Debug kernels: what is in kernel/debug/, and the calls that compiler and
# linker add to the rest of the kernel. Included by kernel.cmake.

file(GLOB debug CONFIGURE_DEPENDS debug/*.c)
list(FILTER debug EXCLUDE REGEX "_(test|fuzz)\\.c$")
target_sources(kernel PRIVATE ${debug})

# Calls, not inline checks: there is no shadow memory to look into.
set(check_addresses -fsanitize=kernel-address
	--param=asan-instrumentation-with-call-threshold=0
	--param=asan-globals=0 --param=asan-stack=0)
# A block that ended in a jump to the hook would be taken for its caller.
set(trace_blocks -fsanitize-coverage=trace-pc -fno-optimize-sibling-calls)
target_compile_options(kernel PRIVATE ${check_addresses} ${trace_blocks})

# The allocators link free memory, and a panic is past checking.
set_source_files_properties(core/frame.c core/slab.c core/panic.c PROPERTIES
	COMPILE_OPTIONS "-O2;-fno-sanitize=kernel-address")
# The boot stage reads tables of the firmware, apic.c the registers of devices.
set_source_files_properties(
	arch/x86_64/acpi.c arch/x86_64/apic.c arch/x86_64/boot.c
	arch/x86_64/handoff.c arch/x86_64/machine.c arch/x86_64/memory_boot.c
	arch/x86_64/numa.c
	TARGET_DIRECTORY kernel
	PROPERTIES COMPILE_OPTIONS -fno-sanitize=kernel-address)
# What is called must not call itself; mistake.c has to be caught.
list(FILTER debug EXCLUDE REGEX "mistake\\.c$")
set_source_files_properties(${debug} PROPERTIES COMPILE_OPTIONS
	"-O2;-fno-sanitize=kernel-address;-fno-sanitize-coverage=trace-pc")

# Each call of these goes to __wrap_NAME in debug/wrap.c.
set(BENNU_KERNEL_WRAPS)
foreach(name arch_page_clear arch_page_copy arch_copy frame_alloc
	frame_alloc_block kernel_main arch_enter_user arch_exit)
	list(APPEND BENNU_KERNEL_WRAPS LINKER:--wrap=${name})
endforeach()
