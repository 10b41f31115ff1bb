/* SPDX-License-Identifier: MIT */
/* The calls of core/ipc.c are declared with the objects they act on. */
#pragma once

#include <kernel/object/endpoint.h>

struct thread;

/* Called by the entry stub for SYS_CALL and SYS_REPLY_WAIT. */
void ipc_call_fast(struct thread *thread);
void ipc_reply_wait_fast(struct thread *thread);
/* Runs the handler of a call number that is in range; sets the result. */
void syscall_dispatch(struct thread *thread, unsigned number);
