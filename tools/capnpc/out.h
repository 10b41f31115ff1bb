/* SPDX-License-Identifier: MIT */
/*
 * Text of one generated file at a time. Lines of C that are too long are broken
 * at blanks and go on four columns further in.
 */
#pragma once

#include <stdbool.h>

/* Starts a file: what was emitted before is gone. */
void out_begin(void);
/* As printf; lines end where the format says. */
void out(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Lines of C with their tabs in front, broken to 80 columns. */
void out_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A comment, indented by so many tabs; nothing for "". */
void out_comment(unsigned tabs, const char *text);
/* A struct member or a #define, with its comment behind or above it. */
void out_member(const char *text, const char *doc);
/* Licence, where it comes from, what it is; #pragma once. */
void out_header(const char *schema, const char *what);
/*
 * Writes FOLDER/NAME unless it has that text already, so that nothing is built
 * again in vain. Ends the process if it cannot.
 */
void out_end(const char *folder, const char *name);
