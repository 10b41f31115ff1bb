/* SPDX-License-Identifier: MIT */
/*
 * The memory functions that the compiler may call on its own. Whole pages and
 * user data go through arch_page_clear(), arch_page_copy() and arch_copy().
 */
#pragma once

#include <stddef.h>

void *memset(void *destination, int value, size_t length);
void *memcpy(void *restrict destination, const void *restrict source,
    size_t length);
void *memmove(void *destination, const void *source, size_t length);
int memcmp(const void *left, const void *right, size_t length);
