/* SPDX-License-Identifier: MIT */
/*
 * Kernel log: a ring of text that every writer also sends to the early console.
 * Safe on any CPU at any time; a line is written whole.
 */
#pragma once

#include <abi/status.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_SIZE	16384u
#define LOG_LINE_MAX	256u

void log_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_vprint(const char *format, va_list arguments);
void log_bytes(const char *text, size_t length);
/* Copies from position on; returns the position after what was copied. */
uint64_t log_read(uint64_t position, char *out_text, size_t size,
    size_t *out_length);
/* Panic: stop taking the lock. */
void log_break_lock(void);
