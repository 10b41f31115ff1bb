/* SPDX-License-Identifier: MIT */
/* The process as a whole: its end, and errors that concern all of it. */
#pragma once

#include "linux.h"

#include <abi/utcb.h>
#include <stdbool.h>

_Noreturn void process_exit_code(int code);
_Noreturn void process_exit_signal(int number);
/* A fault in libOS code: says where, ends the process. */
_Noreturn void process_internal_error(const struct user_frame *frame);
/* Signal and code of a page fault of the program. */
/* True: the file has grown, so the access can be made again. */
bool process_fault_ends(const struct user_frame *frame);
void process_fault_info(const struct user_frame *frame,
    struct linux_siginfo *out_info);
/* One line on the log stream. */
void process_log(const char *text);


/* process.c, for spawn.c: the pid of a child that runs its program, or -E_*. */
long process_spawn(void);
/* spawn.c: in a new child; returns if it comes from a fork. */
void spawn_child(void);
/* exec, past the point of no return. */
void spawn_done(void);

/* system.c: what PR_GET_NAME tells. */
void process_set_name(const char *name);

/* table.c */
void table_select(int traced);
void table_report_unmapped(void);

/* exec.c: the first program. */
_Noreturn void exec_first(void);

/* CPU time of this process. */
uint64_t usage_own_ns(void);
/* struct rusage of so much user time. 0 or -E_FAULT. */
long usage_write(void *usage, uint64_t user_ns);
