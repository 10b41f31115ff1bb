/* SPDX-License-Identifier: MIT */
/*
 * Memory and string functions for code that runs without a C library. A hosted
 * build takes those of its library; the meaning is the same.
 */
#pragma once

#include <stddef.h>

#ifdef BENNU_HOSTED
/* The next one: this folder may itself be on the path. */
#include_next <string.h>
#else

void *memcpy(void *restrict destination, const void *restrict source,
    size_t length);
void *memmove(void *destination, const void *source, size_t length);
void *memset(void *destination, int value, size_t length);
int memcmp(const void *left, const void *right, size_t length);
void *memchr(const void *memory, int value, size_t length);

size_t strlen(const char *text);
size_t strnlen(const char *text, size_t limit);
int strcmp(const char *left, const char *right);
int strncmp(const char *left, const char *right, size_t limit);
char *strchr(const char *text, int value);
char *strrchr(const char *text, int value);

#endif
