/* SPDX-License-Identifier: MIT */
/*
 * What a process runs: the name of the program, its path and its arguments, for
 * who looks at processes. The libOS tells it with exec; a child has a copy.
 */
#include <lib/proc/proc.h>

#include <lib/base/string.h>
#include <lib/proc/state.h>

/* Name and path at least, and an end. */
static bool
valid(const char *names, uint64_t length)
{
	unsigned ends = 0;

	if (length > NAMES_MAX || length == 0 || names[length - 1] != 0)
		return false;
	for (uint64_t i = 0; i < length; i++)
		ends += names[i] == 0;
	return ends >= 2;
}

static int
store(struct proc *proc, struct process *process, const char *names,
    uint64_t length)
{
	char *copy = arena_alloc(proc->arena, length);

	if (copy == NULL ||
	    TX_SET(proc->arena, process->names, copy) != OK ||
	    TX_SET(proc->arena, process->names_length, length) != OK)
		return E_NOMEM;
	memcpy(copy, names, length);
	return 0;
}

int
proc_set_names(struct proc *proc, struct process *process, const char *names,
    uint64_t length)
{
	char *old = process->names;

	if (!valid(names, length))
		return E_INVAL;
	if (store(proc, process, names, length) != 0)
		return E_NOMEM;
	return old == NULL ? 0 : from_status(arena_free(proc->arena, old));
}

int
names_copy(struct proc *proc, struct process *process,
    const struct process *parent)
{
	return parent->names == NULL ? 0 :
	    store(proc, process, parent->names, parent->names_length);
}
