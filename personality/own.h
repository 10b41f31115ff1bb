/* SPDX-License-Identifier: MIT */
/*
 * The system's own calls (lib/own/bennu/calls.def), a second dispatch table. A
 * program that carries the note of <bennu/abi.h> uses it, all others that of
 * Linux; exec decides, fork inherits.
 */
#pragma once

#include "exec.h"
#include "linux.h"

/* For each name of calls.def: OWN_EXIT, OWN_FORK ... */
enum {
#define CALL(number, NAME, name, arguments, linux) OWN_##NAME = number,
#include <lib/own/bennu/calls.def>
#undef CALL
	OWN_CALLS
};

/* own.c */

/* Once, after table_select. */
void own_init(void);
/*
 * Does the program carry the note? -E_NOEXEC: of a version that is not known,
 * or with an interpreter, which would be one of Linux.
 */
long own_recognize(const struct image *image, const struct image_head *head,
    bool *out_own);
/* exec, past the point of no return. vdso: where it lies, or 0. */
void own_begin(bool is_own, uint64_t vdso);
bool own_active(void);
/* For the tracer; NULL: no such call. */
const char *own_name(uint64_t number);
const char *own_arguments(uint64_t number);
/* Serves that call of the own table, whatever table is in use. */
long own_call(uint64_t number, const uint64_t arguments[6]);
/* The same of the table of Linux. */
long own_linux(uint64_t number, const uint64_t arguments[6]);
bool own_may_not_return(uint64_t number);
/* Where a handler returns to, if the program does not say; 0: nowhere. */
uint64_t own_restorer(void);
void own_report_unmapped(void);

/* owncall.c, ownfile.c, spawn.c: what has no equal among the calls of Linux. */
long own_exit(int status);
long own_waitpid(int pid, int *status, unsigned options);
long own_mknod(const char *path, unsigned mode, uint64_t device);
long own_umount(const char *target);
long own_stime(const int64_t *seconds);
long own_nice(int increment);
long own_brk(uint64_t end);
long own_signal(int number, uint64_t handler);
long own_ustat(uint64_t device, void *out);
long own_sigaction(int number, const struct linux_sigaction *new,
    struct linux_sigaction *old);
long own_sgetmask(void);
long own_ssetmask(uint32_t mask);
long own_sigsuspend(const uint64_t *mask);
long own_sigpending(uint64_t *out);
long own_settimeofday(const struct linux_timeval *time, const int32_t *zone);
long own_reboot(uint32_t magic, uint32_t magic2, uint32_t command,
    const void *argument);
long own_readdir(unsigned fd, void *out, unsigned size);
long own_ioperm(uint64_t from, uint64_t count, int on);
long own_socketcall(int call, const uint64_t *arguments);
long own_uname(void *out);
long own_iopl(unsigned level);
long own_vhangup(void);
long own_spawn(const char *path, const void *how, char *const *arguments,
    char *const *environment);
