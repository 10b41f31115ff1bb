/* SPDX-License-Identifier: MIT */
/*
 * Access to program memory. Every routine here survives a fault: the upcall
 * handler recognises the instruction in a table and continues at its fix-up.
 * Ranges that leave the program's part of the address space are refused first.
 */
#pragma once

#include <idl/process.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* entry.S. Bytes not copied. */
size_t user_copy_raw(void *to, const void *from, size_t length);
size_t user_zero_raw(void *to, size_t length);
/* Length without NUL, `max` if there is none in max bytes, negative: fault. */
long user_string_raw(char *to, const char *from, size_t max);
/* 0, or not 0 if the instruction does not exist. */
int user_set_fs_base(uint64_t base);
int user_get_fs_base(uint64_t *out_base);
int user_xrstor(const void *area, uint64_t mask);
int user_fxrstor(const void *area);

/* Where a fault at rip continues, 0 if it is not one of ours. */
uint64_t user_fixup(uint64_t rip);

static inline bool
user_range(const void *address, size_t length)
{
	return (uint64_t)address <= PROGRAM_HIGH &&
	    length <= PROGRAM_HIGH - (uint64_t)address;
}

/* 0 or -E_FAULT. */
long user_read(void *to, const void *from, size_t length);
long user_write(void *to, const void *from, size_t length);
long user_zero(void *to, size_t length);
/*
 * Copies a NUL terminated string of at most size - 1 bytes. Its length, or
 * -E_FAULT, or -E_NAMETOOLONG.
 */
long user_string(char *to, const char *from, size_t size);
