/* SPDX-License-Identifier: MIT */
/*
 * What a test of phoenix needs of it and does not look at: the log, reports,
 * and images, which are not read.
 */
#include "../phoenix.h"

#include <lib/elf/elf.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void
service_log(const char *format, ...)
{
	(void)format;
}

_Noreturn void
service_panic(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	abort();
}

enum elf_error
elf_parse(const void *data, size_t size, struct elf_image *out)
{
	(void)data, (void)size, (void)out;
	abort();
}

unsigned
place_index(const struct phoenix *of, const struct place *place)
{
	return (unsigned)(place - of->place);
}

void
place_next_group_if_up(struct phoenix *of)
{
	(void)of;
}

void
report_death(const struct phoenix *of, const struct place *place,
    const struct death_info *info)
{
	(void)of, (void)place, (void)info;
}

void
report_now(const struct phoenix *of, const struct place *place)
{
	(void)of, (void)place;
}

void
report_ready(const struct phoenix *of, const struct place *place)
{
	(void)of, (void)place;
}

void
service_crash_point(const char *name)
{
	(void)name;
}

uint64_t
report_ticks_ns(uint64_t ticks)
{
	return ticks;
}

void
place_drop_image(struct image *image)
{
	cap_t memory = image->loaded.segment[0].memory;

	if (memory != CAP_NONE)
		sys_cap_delete(CAP_NONE, memory);
	if (memory != CAP_NONE)
		service_cap_drop(memory);
	*image = (struct image){ 0 };
}

struct place_builder
place_builder(void)
{
	return (struct place_builder){ .vspace = service_info()->vspace,
	    .utcb = (struct utcb *)PLACE_UTCB };
}

struct arena *
service_arena(void)
{
	return NULL;
}
