/* SPDX-License-Identifier: MIT */
#include "notify.h"

#include <string.h>

#define EXTEND_MAX_US	3600000000ul

struct line {
	const char *name, *value;
	size_t	 name_length, value_length;
};

static bool
is(const struct line *line, const char *name)
{
	return line->name_length == strlen(name) &&
	    memcmp(line->name, name, line->name_length) == 0;
}

static bool
says(const struct line *line, const char *value)
{
	return line->value_length == strlen(value) &&
	    memcmp(line->value, value, line->value_length) == 0;
}

/* As in systemd: printable ASCII but ':', which separates names. */
static bool
take_name(const struct line *line, struct notify *out)
{
	if (line->value_length == 0 || line->value_length > NOTIFY_NAME_MAX)
		return false;
	for (size_t i = 0; i < line->value_length; i++)
		if (line->value[i] <= ' ' || line->value[i] > '~' ||
		    line->value[i] == ':')
			return false;
	memcpy(out->name, line->value, line->value_length);
	out->name[line->value_length] = '\0';
	return true;
}

static void
take_status(const struct line *line, struct notify *out)
{
	size_t length = line->value_length;

	if (length > NOTIFY_STATUS_MAX)
		length = NOTIFY_STATUS_MAX;
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)line->value[i];

		out->status[i] = line->value[i];
		if (c < ' ' || c == 0x7f)
			out->status[i] = '?';
	}
	out->status[length] = '\0';
	out->has_status = true;
}

static void
take_extension(const struct line *line, struct notify *out)
{
	uint64_t us = 0;

	for (size_t i = 0; i < line->value_length; i++) {
		if (line->value[i] < '0' || line->value[i] > '9') {
			out->unknown++;
			return;
		}
		us = us * 10 + (uint64_t)(line->value[i] - '0');
		if (us > EXTEND_MAX_US)
			us = EXTEND_MAX_US;
	}
	out->extend_ns = us * 1000;
}

/* NAME=1 of a flag. */
static bool
take_flag(const struct line *line, struct notify *out)
{
	const struct {
		const char *name;
		bool	*flag;
	} flags[] = {
		{ "READY", &out->ready }, { "STOPPING", &out->stopping },
		{ "RELOADING", &out->reloading },
		{ "WATCHDOG", &out->watchdog }, { "FDSTORE", &out->store },
		{ "FDSTOREREMOVE", &out->store_remove },
		{ "BARRIER", &out->barrier },
	};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (is(line, flags[i].name) && says(line, "1")) {
			*flags[i].flag = true;
			return true;
		}
	}
	return false;
}

static bool
take_line(const struct line *line, struct notify *out)
{
	if (take_flag(line, out))
		return true;
	if (is(line, "FDNAME"))
		return take_name(line, out);
	if (is(line, "STATUS"))
		take_status(line, out);
	else if (is(line, "WATCHDOG") && says(line, "trigger"))
		out->watchdog_trigger = true;
	else if (is(line, "MAINPID"))
		out->main_pid = true;
	else if (is(line, "EXTEND_TIMEOUT_USEC"))
		take_extension(line, out);
	else
		out->unknown++;
	return true;
}

bool
notify_parse(const char *text, size_t length, struct notify *out)
{
	static const char missing[] = "stored";
	const char *at = text, *end = text + length;
	unsigned lines = 0;

	memset(out, 0, sizeof(*out));
	memcpy(out->name, missing, sizeof(missing));
	if (length > NOTIFY_BYTES_MAX ||
	    (length > 0 && memchr(text, '\0', length) != NULL))
		return false;
	while (at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		const char *equals;

		if (stop == NULL)
			stop = end;
		equals = memchr(at, '=', (size_t)(stop - at));
		if (equals != NULL) {
			struct line line = {
				.name = at, .name_length = (size_t)(equals - at),
				.value = equals + 1,
				.value_length = (size_t)(stop - equals - 1),
			};

			if (!take_line(&line, out))
				return false;
			lines++;
		} else if (stop > at) {
			return false;
		}
		at = stop == end ? end : stop + 1;
	}
	return lines > 0;
}
