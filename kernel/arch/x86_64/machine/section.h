/* SPDX-License-Identifier: MIT */
/*
 * The boot stage: code and data needed only until all CPUs run. The linker
 * script gathers it at the start of the image; arch_start_secondary_cpus()
 * unmaps it and gives its frames to the allocator, so nothing resident may
 * refer to it afterwards.
 */
#pragma once

#define BOOT_CODE	__attribute__((section(".boot.text"), noinline, cold))
#define BOOT_RODATA	__attribute__((section(".boot.rodata")))
#define BOOT_DATA	__attribute__((section(".boot.data")))
#define BOOT_BSS	__attribute__((section(".boot.bss")))

/* Bounds of the image parts, from boot/kernel.ld; all page aligned. */
extern char image_start[], image_end[];
extern char boot_start[], boot_text_end[], boot_end[];
extern char text_start[], text_end[];
extern char rodata_start[], rodata_end[];	/* includes .init_image */
extern char data_start[], data_end[];		/* includes .bss */
