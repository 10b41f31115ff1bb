/* SPDX-License-Identifier: MIT */
/* System calls whose handlers live outside core/syscall.c. */
#pragma once

#include <kernel/object/table.h>
#include <kernel/object/thread.h>

extern uint64_t boot_user_tsc;	/* TSC when the first user instruction ran */

/*
 * Lookups for system calls that are not IPC. The object stays alive until the
 * call is over. out_object points to a pointer to the structure of that type.
 */
status_t call_lookup(struct thread *thread, cap_t handle, struct cap *out_cap);
status_t call_find(struct thread *thread, cap_t handle, unsigned type,
    unsigned rights, void *out_object);
/* 0 names the caller's own table, which needs no right. */
status_t call_find_table(struct thread *thread, cap_t handle,
    struct table **out_table);

/* core/notify_fast.c: signal or wait; true if that was all. */
bool notify_fast(struct thread *thread, uint64_t number);

/*
 * Handlers: object is what RDI names if the call table gives a type for it.
 */
/* core/create.c */
status_t call_object_create(struct thread *thread, void *object);

/* core/memory_calls.c */
status_t call_memory_clone(struct thread *thread, void *object);
status_t call_memory_info(struct thread *thread, void *object);
status_t call_memory_resize(struct thread *thread, void *object);
status_t call_memory_copy(struct thread *thread, void *object);
status_t call_vspace_map(struct thread *thread, void *object);
status_t call_vspace_unmap(struct thread *thread, void *object);
status_t call_vspace_protect(struct thread *thread, void *object);
status_t call_vspace_clone(struct thread *thread, void *object);
status_t call_vspace_copy(struct thread *thread, void *object);
status_t call_vspace_query(struct thread *thread, void *object);

/* core/thread_calls.c */
status_t call_thread_setup(struct thread *thread, void *object);
status_t call_thread_write(struct thread *thread, void *object);
status_t call_thread_read(struct thread *thread, void *object);
status_t call_thread_start(struct thread *thread, void *object);
status_t call_thread_kill(struct thread *thread, void *object);
status_t call_thread_kick(struct thread *thread, void *object);
status_t call_thread_resume(struct thread *thread, void *object);
status_t call_thread_exit(struct thread *thread, void *object);
status_t call_thread_yield(struct thread *thread, void *object);
status_t call_thread_alive(struct thread *thread, void *object);
status_t call_thread_schedule(struct thread *thread, void *object);
status_t call_thread_info(struct thread *thread, void *object);
