/* SPDX-License-Identifier: MIT */
/*
 * Text from values, without a C library.
 *
 *	%s	string; NULL prints as (null); precision limits its length
 *	%d %i	signed	%u	unsigned	%x	hexadecimal
 *	%c	character	%p	0x and hexadecimal	%%	percent
 *
 * l, ll and z before d i u x take 64 bits. A width pads with blanks on the
 * left, with zeros when it begins with 0, on the right when it begins with -.
 * Width and precision may be `*`. An unknown conversion is printed as written,
 * and nothing after it is converted: the arguments no longer match.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

/*
 * Writes at most size bytes, the last of them NUL, and returns the length that
 * the whole text has. size = 0: writes nothing.
 */
size_t format_print(char *buffer, size_t size, const char *format,
    va_list arguments);
size_t format_text(char *buffer, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
