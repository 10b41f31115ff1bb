/* SPDX-License-Identifier: MIT */
#include "exec.h"

#include <lib/base/string.h>

void
args_begin(struct args *args, char *text)
{
	*args = (struct args){ .text = text, .head = ARGS_ROOM,
	    .tail = ARGS_ROOM };
}

bool
args_add(struct args *args, const char *string, uint64_t length,
    bool environment)
{
	if (length >= ARGS_ROOM + ARGS_MAX - args->tail)
		return false;
	memcpy(args->text + args->tail, string, length);
	args->text[args->tail + length] = 0;
	args->tail += length + 1;
	if (environment)
		args->environment_count++;
	else
		args->argument_count++;
	return true;
}

bool
args_prepend(struct args *args, const char *string, uint64_t length)
{
	if (length >= args->head)
		return false;
	args->head -= length + 1;
	memcpy(args->text + args->head, string, length);
	args->text[args->head + length] = 0;
	args->argument_count++;
	return true;
}

void
args_drop_first(struct args *args)
{
	if (args->argument_count == 0)
		return;
	args->head += strlen(args->text + args->head) + 1;
	args->argument_count--;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

#define SCRIPT_LINE_MAX	256u

/*
 * "#!" blanks interpreter [blanks argument] newline. The argument is the rest
 * of the line without blanks at its end. A line that is longer than the limit
 * counts only if the interpreter is complete in it.
 */
bool
script_parse(const char *head, uint64_t length, struct script_line *out)
{
	uint64_t end = 2, at = 2;
	uint64_t limit = length < SCRIPT_LINE_MAX ? length : SCRIPT_LINE_MAX;

	if (length < 2 || head[0] != '#' || head[1] != '!')
		return false;
	while (end < limit && head[end] != '\n' && head[end] != 0)
		end++;
	bool whole = end < limit || length < SCRIPT_LINE_MAX;
	while (at < end && is_blank(head[at]))
		at++;
	uint64_t start = at;
	while (at < end && !is_blank(head[at]))
		at++;
	if (at == start || (at == end && !whole))
		return false;
	*out = (struct script_line){ .interpreter = head + start,
	    .interpreter_length = at - start };
	while (at < end && is_blank(head[at]))
		at++;
	while (end > at && is_blank(head[end - 1]))
		end--;
	if (end > at) {
		out->argument = head + at;
		out->argument_length = end - at;
	}
	return true;
}
