/* SPDX-License-Identifier: MIT */
/* Operations on threads that the system calls offer. */
#pragma once

#include <kernel/object/thread.h>

struct death;
struct memory;
struct table;

/* The one thread whose death is the system's. Set once at start. */
extern struct thread *init_thread;

status_t thread_create(struct container *container, struct thread **out_thread);
/* Once, before the start. death may be NULL. */
status_t thread_setup(struct thread *thread, struct table *table,
    struct vspace *vspace, struct memory *utcb, struct death *death,
    const struct thread_setup *setup);
status_t thread_start(struct thread *thread);
status_t thread_kill(struct thread *thread);
void thread_kick(struct thread *thread);
void thread_take_kick(struct thread *thread);
/* Thread ids are never reused: true if the thread with this id can still run. */
bool thread_is_alive(uint64_t id);
