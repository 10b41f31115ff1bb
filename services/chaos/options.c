/* SPDX-License-Identifier: MIT */
/*
 * Boot options, 47 characters each:
 *
 *	chaos.seed=N
 *	chaos.services=NAME,NAME...	default console,storage,proc,phoenix
 *	chaos.faults=KIND,KIND...	or fail-stop (default), inside, or all,
 *					which leaves out only stray-open and
 *					flip-arena
 *	chaos.every_us=N		default 20000
 *	chaos.count=N			default 100
 *	chaos.start_us=N		rest before the first one, default 20000
 */
#include "chaos.h"

#include <lib/base/string.h>
#include <lib/service/service.h>

static const char *const names[KIND_COUNT] = {
	[FAULT_EXCEPTION] = "exception",
	[FAULT_HANG] = "hang",
	[FAULT_LOOP] = "loop",
	[FAULT_PANIC] = "panic",
	[FAULT_LEAK] = "leak",
	[FAULT_STRAY_OUTSIDE] = "stray-outside",
	[FAULT_STRAY_ARENA] = "stray-arena",
	[FAULT_BAD_CAP] = "bad-cap",
	[FAULT_BAD_REPLY] = "bad-reply",
	[FAULT_SLOW] = "slow",
	[FAULT_STRAY_OPEN] = "stray-open",
	[KIND_KILL] = "kill",
	[KIND_FLIP_DATA] = "flip-data",
	[KIND_FLIP_STACK] = "flip-stack",
	[KIND_FLIP_REGISTER] = "flip-register",
	[KIND_FLIP_TEXT] = "flip-text",
	[KIND_MUTATE_BRANCH] = "mutate-branch",
	[KIND_MUTATE_OPERAND] = "mutate-operand",
	[KIND_MUTATE_OFFBYONE] = "mutate-offbyone",
	[KIND_MUTATE_NOP] = "mutate-nop",
	[KIND_FLIP_ARENA] = "flip-arena",
};

const char *
kind_name(uint64_t kind)
{
	return names[kind];
}

static uint64_t
read_number(const char *key, uint64_t missing)
{
	char text[48];
	uint64_t value = 0;

	if (service_option(key, text) != OK)
		return missing;
	for (const char *c = text; *c != '\0'; c++) {
		if (*c < '0' || *c > '9')
			service_panic("%s=%s is no number", key, text);
		value = value * 10 + (uint64_t)(*c - '0');
	}
	return value;
}

/* Cuts the text at the next comma; NULL at the end. */
static char *
next_item(char **text)
{
	char *item = *text;

	if (*item == '\0')
		return NULL;
	while (**text != '\0' && **text != ',')
		(*text)++;
	if (**text == ',')
		*(*text)++ = '\0';
	return item;
}

static void
read_victims(struct options *options)
{
	char text[48] = "console,storage,proc,phoenix";
	char *at = text, *name;

	service_option("chaos.services", text);
	if (strcmp(text, "all") == 0)
		memcpy(text, "console,storage,proc,phoenix", 29);
	while ((name = next_item(&at)) != NULL) {
		if (options->victims == VICTIMS_MAX ||
		    strlen(name) >= sizeof(options->victim[0]))
			service_panic("chaos.services: %s is too much", name);
		memcpy(options->victim[options->victims++], name,
		    strlen(name) + 1);
	}
}

static unsigned
find_kind(const char *name)
{
	for (unsigned kind = FAULT_NONE + 1; kind < KIND_COUNT; kind++)
		if (strcmp(names[kind], name) == 0)
			return kind;
	service_panic("chaos.faults: there is no kind %s", name);
}

/* Names of groups: the classes of docs/design/resurrection.md. */
static bool
find_group(const char *name, unsigned *out_first, unsigned *out_last)
{
	bool all = strcmp(name, "all") == 0;
	bool inside = strcmp(name, "inside") == 0;

	*out_first = inside ? KIND_KILL + 1 : FAULT_NONE + 1;
	*out_last = all || inside ? KIND_FLIP_ARENA - 1 : KIND_KILL;
	return all || inside || strcmp(name, "fail-stop") == 0;
}

static void
add_kinds(struct options *options, unsigned first, unsigned last)
{
	for (unsigned kind = first; kind <= last; kind++) {
		if (kind == FAULT_STRAY_OPEN && first != last)
			continue;
		if (options->kinds == KIND_COUNT)
			service_panic("chaos.faults: too many kinds");
		options->kind[options->kinds++] = (uint8_t)kind;
	}
}

static void
read_kinds(struct options *options)
{
	char text[48] = "fail-stop";
	char *at = text, *name;
	unsigned first, last;

	service_option("chaos.faults", text);
	while ((name = next_item(&at)) != NULL) {
		if (!find_group(name, &first, &last))
			first = last = find_kind(name);
		add_kinds(options, first, last);
	}
}

void
options_read(struct options *out_options)
{
	*out_options = (struct options){
		.seed = read_number("chaos.seed", 1),
		.count = read_number("chaos.count", 100),
		.start_ns = read_number("chaos.start_us", 20000) * 1000,
		.every_ns = read_number("chaos.every_us", 20000) * 1000,
	};
	read_victims(out_options);
	read_kinds(out_options);
	if (out_options->victims == 0 || out_options->kinds == 0)
		service_panic("nothing to hurt, or no way to");
}
