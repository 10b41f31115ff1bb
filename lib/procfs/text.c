/* SPDX-License-Identifier: MIT */
/* A text of which the part from a position on is wanted. */
#include <lib/procfs/procfs.h>

#include <lib/base/format.h>
#include <lib/base/string.h>

#define LINE_MAX	512u

void
procfs_append(struct procfs_text *text, const void *bytes, size_t length)
{
	const char *from = bytes;
	size_t left_out = text->skip < length ? (size_t)text->skip : length;
	size_t room = text->size - text->length;

	text->skip -= left_out;
	from += left_out;
	length -= left_out;
	if (length > room)
		length = room;
	if (length == 0)
		return;
	memcpy(text->buffer + text->length, from, length);
	text->length += length;
}

void
procfs_print(struct procfs_text *text, const char *format, ...)
{
	char line[LINE_MAX];
	va_list arguments;

	va_start(arguments, format);
	size_t length = format_print(line, sizeof(line), format, arguments);
	va_end(arguments);
	procfs_append(text, line,
	    length < sizeof(line) ? length : sizeof(line) - 1);
}
