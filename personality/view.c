/* SPDX-License-Identifier: MIT */
#include "view.h"

#include "file.h"
#include "memory.h"
#include "process.h"
#include "signals.h"
#include "stack.h"
#include "user.h"

#include <lib/base/string.h>

#define SAME(ours, ours_field, theirs, theirs_field) \
	_Static_assert(offsetof(struct ours, ours_field) == \
	    offsetof(struct theirs, theirs_field), #theirs_field)

SAME(file, kind, libos_file, kind);
SAME(file, node, libos_file, node);
SAME(file, can_read, libos_file, can_read);
SAME(file, can_write, libos_file, can_write);
SAME(file, flags, libos_file, flags);
SAME(file, terminal, libos_file, terminal);
SAME(file, device, libos_file, device);
SAME(file, cap, libos_file, cap);
SAME(vma, start, libos_map, start);
SAME(vma, end, libos_map, end);
SAME(vma, protection, libos_map, protection);
SAME(vma, flags, libos_map, flags);
_Static_assert(sizeof(struct vma) == sizeof(struct libos_map), "vma");
_Static_assert((int)FILE_STORAGE == LIBOS_FILE_STORAGE &&
    (int)FILE_CONSOLE == LIBOS_FILE_CONSOLE &&
    (int)FILE_DEVICE == LIBOS_FILE_DEVICE &&
    (int)FILE_PIPE == LIBOS_FILE_PIPE &&
    (int)FILE_TERMINAL == LIBOS_FILE_TERMINAL &&
    (int)FILE_FIFO == LIBOS_FILE_FIFO &&
    (int)FILE_PATH == LIBOS_FILE_PATH, "kinds of files");
_Static_assert(VMA_SHARED == LIBOS_MAP_SHARED && VMA_STACK == LIBOS_MAP_STACK &&
    VMA_HEAP == LIBOS_MAP_HEAP, "flags of mappings");
_Static_assert(offsetof(struct linux_sigaction, handler) == 0, "handlers");

struct libos_view libos_view;

void
view_init(void)
{
	libos_view.maps = (uint64_t)memory_vmas.entry;
	libos_view.map_count = (uint64_t)&memory_vmas.count;
	libos_view.path = (uint64_t)process_path;
	libos_view.path_size = sizeof(process_path);
	libos_view.working_directory = path_working_directory();
	libos_view.blocked = (uint64_t)&signal_state.blocked;
	libos_view.handlers = (uint64_t)signal_state.action;
	libos_view.handler_size = sizeof(signal_state.action[0]);
	fd_show(&libos_view);
}

/*
 * The strings lie together, and the first pointer of the vector says where. An
 * empty vector of arguments does not occur.
 */
void
view_new_program(const struct stack_input *stack, uint64_t sp)
{
	const char *string = stack->strings;
	uint64_t start = 0;

	user_read(&start, (const void *)(sp + 8), sizeof(start));
	for (uint32_t i = 0; i < stack->argument_count; i++)
		string += strlen(string) + 1;
	uint64_t middle = start + (uint64_t)(string - stack->strings);
	libos_view.stack = sp;
	libos_view.arguments[0] = start;
	libos_view.arguments[1] = middle;
	libos_view.environment[0] = middle;
	libos_view.environment[1] = start + stack->strings_length;
}
