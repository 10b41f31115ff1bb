/* SPDX-License-Identifier: MIT */
/*
 * Parts of the proc service: main.c answers requests, objects.c owns the
 * kernel objects of a process, first.c makes the first process.
 */
#pragma once

#include <idl/phoenix.h>
#include <lib/proc/proc.h>
#include <lib/service/service.h>
#include <idl/libos.h>

/* process->handle[] */
enum {
	HANDLE_CONTAINER,
	HANDLE_TABLE,
	HANDLE_VSPACE,
	HANDLE_THREAD,
	HANDLE_SESSION,		/* end B of the process's event pair */
	HANDLE_DEATH,
	HANDLE_INFO,		/* memory of struct process_info */
	HANDLE_COUNT,
};
_Static_assert(HANDLE_COUNT <= PROC_HANDLES, "handles of a process");

/* Root of the arena. */
struct root {
	struct proc_table table;
	struct libos_header libos;	/* as the image has it */
	uint64_t started;		/* the first process exists */
	uint64_t failed;		/* it cannot be made: exit code */
	cap_t	 timer;			/* for the alarms of the table */
};

/* What each incarnation asks phoenix for. */
struct granted {
	cap_t	 users;		/* container of all processes */
	cap_t	 storage, console, system, clock, archive, control;
	bool	 trace;
};

extern struct granted granted;
extern struct proc proc;	/* the core, on the root's table */

/* Registers of a new thread. */
struct entry_state {
	uint64_t rip, rsp, rdi, fs_base;
};

/*
 * Everything a process consists of, but for the slots that name itself: it
 * could not be swept if it did. In a transaction; on failure nothing is left.
 */
status_t objects_create(uint32_t pid, cap_t handle[HANDLE_COUNT]);
/* Gives it the thread; table and address space are complete. */
status_t objects_set_entry(const struct libos_header *libos,
    const cap_t handle[HANDLE_COUNT], const struct entry_state *state);
/* A copy of the parent's table and memory. */
status_t objects_fork(const struct libos_header *libos,
    const cap_t parent[HANDLE_COUNT], uint32_t pid, struct entry_state *state,
    cap_t handle[HANDLE_COUNT]);
/* Never published: deletes what there is. */
void objects_delete(const cap_t handle[HANDLE_COUNT]);
/* Makes the handles those of the process, in its transaction. */
status_t objects_adopt(struct process *process,
    const cap_t handle[HANDLE_COUNT]);

/* Work of lib/proc. Each may be done again. */
status_t objects_start(const struct process *process);
void objects_schedule(const struct process *process);
/* Returns what its thread has used, in ns. */
uint64_t objects_destroy(const struct process *process);

status_t info_write(const struct process *process);
/* Ids and limits only. */
status_t info_update(const struct process *process);

/* Makes the first process, in a transaction; a reason in *out_reason. */
status_t first_process(struct root *root, cap_t root_directory,
    const char **out_reason);

/* Copies own memory into a memory object. */
status_t copy_to_memory(cap_t memory, uint64_t offset, const void *from,
    size_t length);

/* Seeds of processes: fresh, and none tells anything of another. */
void seed_start(const uint8_t seed[32]);
void seed_next(uint8_t out[32]);

static inline struct utcb *
own_utcb(void)
{
	return (struct utcb *)PLACE_UTCB;
}
