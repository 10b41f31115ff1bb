/* SPDX-License-Identifier: MIT */
/*
 * Fork, exit and identity.
 *
 * fork: proc clones the table and the address space. The child's thread begins
 * at child_entry on a copy of this memory, made while this thread was inside
 * the call; it has a fresh UTCB and info page, and its vector registers are
 * loaded from what the parent saved. Then it leaves with the parent's registers
 * and 0 as the result.
 */
#include "process.h"
#include "hot.h"

#include "calls.h"
#include "file.h"
#include "lock.h"
#include "memory.h"
#include "own.h"
#include "service.h"
#include "signals.h"
#include "thread.h"
#include "user.h"
#include "watch.h"
#include "window.h"

#include <idl/console_client.h>
#include <idl/proc_client.h>
#include <lib/base/string.h>
#include <lib/sys/sys.h>

char process_path[STORAGE_PATH_MAX] = "";

HOT static struct user_frame child_frame;
/* Apart from what else is hot: most of it is never used. */
static uint8_t child_vectors[THREAD_VECTOR_MAX]
    __attribute__((aligned(64), section(".data.hot.zero")));
HOT static int *child_id_address;

/* The end */

void
process_log(const char *text)
{
	uint64_t done;

	service_insist_begin();
	console_write(PROCESS_CONSOLE, CONSOLE_STREAM_LOG, text, strlen(text),
	    &done);
	service_insist_end();
}

static _Noreturn void
leave(uint32_t wait_status)
{
	table_report_unmapped();
	own_report_unmapped();
	watch_before_exit();
	service_insist_begin();
	proc_exit(PROCESS_PROC, wait_status);
	service_insist_end();
	sys_exit(DEATH_EXIT, wait_status);
}

void
process_exit_code(int code)
{
	leave((uint32_t)(code & 0xff) << 8);
}

void
process_exit_signal(int number)
{
	leave((uint32_t)number);
}

long
linux_exit(int code)
{
	process_exit_code(code);
}

static char *
put_hex(char *at, uint64_t value)
{
	for (int shift = 60; shift >= 0; shift -= 4)
		*at++ = "0123456789abcdef"[value >> shift & 15];
	return at;
}

void
process_internal_error(const struct user_frame *frame)
{
	static char line[128] = "libos: fault at ";
	char *at = put_hex(line + strlen(line), frame->rip);

	memcpy(at, " address ", 9);
	at = put_hex(at + 9, frame->address);
	memcpy(at, " vector ", 8);
	at = put_hex(at + 8, frame->vector);
	*at++ = '\n';
	*at = 0;
	UTCB->in_upcall = 0;
	process_log(line);
	process_exit_signal(L_SIGSEGV);
}

#define FAULT_WRITE	2u
#define FAULT_EXEC	16u
#define SEGV_MAPERR	1
#define SEGV_ACCERR	2
#define BUS_ADRERR	2

/*
 * A fault where the list allows the access has two reasons: a file mapping
 * reaches beyond its file, or there is no memory left, which ends the process
 * as Linux would.
 */
void
process_fault_info(const struct user_frame *frame,
    struct linux_siginfo *info)
{
	const struct vma *v = vma_find(&memory_vmas, frame->address);
	unsigned need = (frame->error & FAULT_WRITE) != 0 ? MAP_WRITE :
	    (frame->error & FAULT_EXEC) != 0 ? MAP_EXEC : MAP_READ;

	info->signo = L_SIGSEGV;
	info->address = frame->address;
	if (v == NULL) {
		info->code = SEGV_MAPERR;
	} else if ((v->protection & need) == 0) {
		info->code = SEGV_ACCERR;
	} else if ((v->flags & VMA_FILE) != 0) {
		info->signo = L_SIGBUS;
		info->code = BUS_ADRERR;
	} else {
		process_log("libos: out of memory\n");
		process_exit_signal(L_SIGKILL);
	}
}

/* Fork */

__attribute__((visibility("hidden"))) void child_entry(void);
void process_child(void);

void
process_child(void)
{
	random_reseed();
	signal_after_fork();
	window_after_fork();
	lock_after_fork();
	watch_after_fork();
	thread_vector_load(child_vectors);
	spawn_child();
	if (child_id_address != NULL)
		user_write(child_id_address, &(int){ (int)INFO->pid },
		    sizeof(int));
	child_frame.rax = 0;
	thread_resume(&child_frame);
}

static long
fork_error(long error)
{
	/* The caller may try again when a process has ended. */
	return error == -E_NOMEM ? -E_AGAIN : error;
}

static long
do_fork(uint64_t flags, uint64_t stack, int *parent_id, int *child_id,
    uint32_t fork_flags)
{
	thread_frame(0, &child_frame);
	thread_vector_save(child_vectors);
	if (stack != 0)
		child_frame.rsp = stack;
	if ((flags & L_CLONE_SETTLS) != 0)
		child_frame.fs_base = thread_block.r8;
	child_id_address = (flags & L_CLONE_CHILD_SETTID) != 0 ? child_id :
	    NULL;
	file_share_all();
	const struct proc_fork_args in = {
		.rip = (uint64_t)child_entry, .rsp = LIBOS_STACK_TOP,
		.flags = fork_flags,
	};
	uint32_t id;
	long error = proc_fork(PROCESS_PROC, &in, &id);
	if (error != 0)
		return fork_error(error);
	if ((flags & L_CLONE_PARENT_SETTID) != 0)
		user_write(parent_id, &id, sizeof(id));
	return id;
}

long
linux_fork(void)
{
	return do_fork(0, 0, NULL, NULL, 0);
}

long
linux_vfork(void)
{
	return do_fork(0, 0, NULL, NULL, FORK_VFORK);
}

/* As vfork, but of the libOS alone: the child begins in spawn_child(). */
long
process_spawn(void)
{
	return do_fork(0, 0, NULL, NULL, FORK_SPAWN);
}

/*
 * Memory is never shared: CLONE_VM is taken only together with CLONE_VFORK,
 * where the child execs or ends before the parent goes on.
 */
long
linux_clone(uint64_t flags, uint64_t stack, int *parent_id, int *child_id,
    uint64_t tls)
{
	uint64_t known = 0xff | L_CLONE_VM | L_CLONE_VFORK | L_CLONE_SETTLS |
	    L_CLONE_PARENT_SETTID | L_CLONE_CHILD_CLEARTID |
	    L_CLONE_CHILD_SETTID;

	(void)tls;
	if ((flags & ~known) != 0 ||
	    ((flags & L_CLONE_VM) != 0 && (flags & L_CLONE_VFORK) == 0))
		return -E_NOSYS;
	return do_fork(flags, stack, parent_id, child_id,
	    (flags & L_CLONE_VFORK) != 0 ? FORK_VFORK : 0);
}

/* Identity: proc keeps the info page up to date. */

long linux_getpid(void) { return INFO->pid; }
long linux_getppid(void) { return *(const volatile uint32_t *)&INFO->ppid; }
long linux_getuid(void) { return INFO->uid; }
long linux_geteuid(void) { return INFO->euid; }
long linux_getgid(void) { return INFO->gid; }
long linux_getegid(void) { return INFO->egid; }
long linux_getpgrp(void) { return *(const volatile uint32_t *)&INFO->pgid; }

static long
ask_about(int pid, struct proc_get_results *out)
{
	return pid < 0 ? -E_SRCH : proc_get(PROCESS_PROC, pid, out);
}

long
linux_getpgid(int pid)
{
	struct proc_get_results of;
	long error;

	if (pid == 0)
		return linux_getpgrp();
	error = ask_about(pid, &of);
	return error != 0 ? error : (long)of.pgid;
}

long
linux_getsid(int pid)
{
	struct proc_get_results of;
	long error = ask_about(pid, &of);

	return error != 0 ? error : (long)of.sid;
}

long
linux_setpgid(int pid, int group)
{
	return group < 0 ? -E_INVAL : proc_setpgid(PROCESS_PROC, pid, group);
}

long
linux_setsid(void)
{
	uint32_t sid;
	long error = proc_setsid(PROCESS_PROC, &sid);

	return error != 0 ? error : (long)sid;
}
