/* SPDX-License-Identifier: MIT */
#include "out.h"

#include "request.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX	(4ul << 20)
#define COLUMNS		80u
#define TAB		8u

static char *text;
static size_t length;

void
out_begin(void)
{
	if (text == NULL)
		text = make(TEXT_MAX);
	length = 0;
	text[0] = '\0';
}

static void
append(const char *from, size_t count)
{
	if (count >= TEXT_MAX - length) {
		fprintf(stderr, "capnpc-bennu: a file would be too long\n");
		exit(1);
	}
	/* One empty line is enough. */
	while (count > 0 && *from == '\n' && length > 1 &&
	    text[length - 1] == '\n' && text[length - 2] == '\n') {
		from++;
		count--;
	}
	memcpy(text + length, from, count);
	length += count;
	text[length] = '\0';
}

static char *
format_all(const char *format, va_list arguments)
{
	va_list again;

	va_copy(again, arguments);
	int size = vsnprintf(NULL, 0, format, again);
	va_end(again);
	char *made = make((size_t)size + 1);
	vsnprintf(made, (size_t)size + 1, format, arguments);
	return made;
}

void
out(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	char *made = format_all(format, arguments);
	va_end(arguments);
	append(made, strlen(made));
	free(made);
}

/* Columns of a text that starts at one. */
static unsigned
columns(const char *from, size_t count, unsigned column)
{
	for (size_t i = 0; i < count; i++)
		column = from[i] == '\t' ? (column / TAB + 1) * TAB :
		    column + 1;
	return column;
}

/* Behind a comma or an operator a line is best broken. */
static bool
is_good_break(const char *line, size_t blank)
{
	return blank > 0 && strchr(",=|&?:;{", line[blank - 1]) != NULL;
}

/* How many characters go into this line: up to a blank, if there is one. */
static size_t
fitting(const char *line, unsigned column)
{
	size_t best = 0, any = 0, i = 0;

	while (line[i] == '\t')
		i++;
	for (; line[i] != '\0'; i++) {
		if (columns(line, i, column) <= COLUMNS && line[i] == ' ') {
			any = i;
			if (is_good_break(line, i))
				best = i;
		}
		if (columns(line, i + 1, column) > COLUMNS && any != 0)
			return best != 0 ? best : any;
	}
	return i;
}

static void
break_line(const char *line)
{
	unsigned tabs = (unsigned)strspn(line, "\t");
	unsigned column = 0;

	for (;;) {
		size_t count = fitting(line, column);

		append(line, count);
		append("\n", 1);
		line += count;
		if (*line == '\0')
			return;
		while (*line == ' ')
			line++;
		for (unsigned i = 0; i < tabs; i++)
			append("\t", 1);
		append("    ", 4);
		column = tabs * TAB + 4;
	}
}

void
out_line(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	char *made = format_all(format, arguments);
	va_end(arguments);
	char *line = made, *end;
	while ((end = strchr(line, '\n')) != NULL) {
		*end = '\0';
		break_line(line);
		line = end + 1;
	}
	break_line(line);
	free(made);
}

/* A line break that only ends a line of the schema, not a paragraph or list. */
static bool
is_soft(const char *at)
{
	return at[0] == '\n' && at[1] != '\n' && at[1] != ' ' &&
	    at[1] != '\t' && at[1] != '\0';
}

/* Words of a paragraph, as many as fit behind the head of each line. */
static const char *
comment_line(const char *at, unsigned room)
{
	size_t count = 0, best = 0;

	while (at[count] != '\0' && at[count] != '\n') {
		if (at[count] == ' ' && count <= room)
			best = count;
		if (count >= room && best != 0)
			break;
		count++;
	}
	if (count < room || best == 0)
		best = count;
	append(at, best);
	append("\n", 1);
	at += best;
	while (*at == ' ')
		at++;
	return *at == '\n' ? at + 1 : at;
}

void
out_comment(unsigned tabs, const char *comment)
{
	static const char indent[] = "\t\t\t\t\t\t\t\t";
	unsigned room = COLUMNS - tabs * TAB;
	size_t count = strlen(comment);

	while (count > 0 && comment[count - 1] == '\n')
		count--;
	if (count == 0)
		return;
	char *copy = text_format("%.*s", (int)count, comment);
	for (char *c = copy + 1; *copy != '\0' && *c != '\0'; c++)
		if (is_soft(c) && c[-1] != '\n')
			*c = ' ';
	if (count + 6 <= room && strchr(copy, '\n') == NULL) {
		out("%.*s/* %s */\n", (int)tabs, indent, copy);
		return;
	}
	out("%.*s/*\n", (int)tabs, indent);
	for (const char *at = copy; *at != '\0';) {
		out(*at == '\n' ? "%.*s *" : "%.*s * ", (int)tabs, indent);
		at = comment_line(at, room - 3);
	}
	out("%.*s */\n", (int)tabs, indent);
}

void
out_member(const char *member, const char *doc)
{
	size_t count = strlen(doc);

	while (count > 0 && doc[count - 1] == '\n')
		count--;
	if (count == 0) {
		out_line("%s", member);
		return;
	}
	if (memchr(doc, '\n', count) == NULL &&
	    columns(member, strlen(member), 0) / TAB * TAB + TAB + 6 + count <=
	    COLUMNS) {
		out("%s\t/* %.*s */\n", member, (int)count, doc);
		return;
	}
	out_comment((unsigned)strspn(member, "\t"), doc);
	out_line("%s", member);
}

void
out_header(const char *schema, const char *what)
{
	out("/* SPDX-License-Identifier: MIT */\n");
	out_comment(0, text_format("%s\nGenerated from %s by capnpc-bennu: "
	    "changes belong there.", what, schema));
	out("#pragma once\n\n");
}

static bool
has_that_text(const char *path)
{
	FILE *file = fopen(path, "rb");
	char *old;
	bool same;

	if (file == NULL)
		return false;
	old = make(TEXT_MAX);
	same = fread(old, 1, TEXT_MAX, file) == length &&
	    memcmp(old, text, length) == 0;
	fclose(file);
	free(old);
	return same;
}

void
out_end(const char *folder, const char *name)
{
	char *path = text_format("%s/%s", folder, name);
	FILE *file;

	if (has_that_text(path))
		return;
	file = fopen(path, "wb");
	if (file == NULL || fwrite(text, 1, length, file) != length ||
	    fclose(file) != 0) {
		fprintf(stderr, "capnpc-bennu: cannot write %s\n", path);
		exit(1);
	}
}
