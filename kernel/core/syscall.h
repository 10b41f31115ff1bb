/* SPDX-License-Identifier: MIT */
/* System calls whose handlers live outside core/syscall.c. */
#pragma once

#include <kernel/object/table.h>
#include <kernel/object/thread.h>

extern uint64_t boot_user_tsc;	/* TSC when the first user instruction ran */

/*
 * Lookups for system calls that are not IPC. The object stays alive until the
 * call is over. out_object points to a pointer to the object's structure, which
 * begins with struct object (so not for threads).
 */
status_t call_lookup(struct thread *thread, cap_t handle, struct cap *out_cap);
status_t call_find(struct thread *thread, cap_t handle, unsigned type,
    unsigned rights, void *out_object);
/* Runs the call again from its argument registers. */
status_t call_restart(struct thread *thread, unsigned number);

/* core/create.c */
status_t call_object_create(struct thread *thread);

/* core/memory_calls.c */
status_t call_memory_clone(struct thread *thread);
status_t call_memory_info(struct thread *thread);
status_t call_memory_resize(struct thread *thread);
status_t call_memory_copy(struct thread *thread);
status_t call_vspace_map(struct thread *thread);
status_t call_vspace_unmap(struct thread *thread);
status_t call_vspace_protect(struct thread *thread);
status_t call_vspace_clone(struct thread *thread);
status_t call_vspace_copy(struct thread *thread);
status_t call_vspace_query(struct thread *thread);
