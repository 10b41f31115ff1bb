/* SPDX-License-Identifier: MIT */
/*
 * Protocol of `proc`: processes, their relations, signals; and what the libOS
 * finds when a process starts.
 *
 * A process is a table, an address space, a thread, a container and an event
 * pair whose end A (slot PROCESS_PROC) it calls through. proc holds what it
 * needs to stop it at any moment.
 */
#pragma once

#include <abi/object.h>
#include <stdint.h>

#define PROC_FORK		0x0300	/* rip, rsp, rdi of the child, FORK_* -> child id. The child runs in a clone */
#define PROC_EXIT		0x0301	/* wait status. Never answered */
#define PROC_WAIT		0x0302	/* pid selector, WAIT_OPTION_* -> pid (0 none), wait status | uid << 32, CPU ns. Parks */
#define PROC_KILL		0x0303	/* pid selector, signal (0 probes), code: 0 or SI_TKILL */
#define PROC_SIGNAL_FETCH	0x0304	/* blocked mask -> signal or 0, code, pid, uid, value, pending left */
#define PROC_SIGNAL_PENDING	0x0305	/* -> pending set */
#define PROC_SIGNAL_IGNORE	0x0306	/* set of ignored signals, IGNORE_* */
#define PROC_SETPGID		0x0307	/* pid or 0, pgid or 0 */
#define PROC_SETSID		0x0308	/* -> sid */
#define PROC_GET		0x0309	/* pid or 0 -> pid, ppid, pgid, sid, state */
#define PROC_EXEC_DONE		0x030a	/* length; names(in): name, path, arguments, each with a NUL, cut at NAMES_MAX. Releases a vfork parent */
#define PROC_SIGNAL_WAIT	0x030b	/* blocked mask: parks until an unblocked signal is pending (pause, sigsuspend); answers E_INTR */
#define PROC_ALARM		0x030c	/* 1 to set, ns from now (0 none), interval ns or 0 -> ns left before (0 none), interval. SIGALRM */
#define PROC_NICE		0x030d	/* 1 to set, NICE_*, id (0 own), value -> value */

#define PROC_STOP		0x030e	/* fetched stop signal: parks until continued; answered at once if it does not stop */
#define PROC_QUEUE		0x030f	/* pid, signal, code, value, pid and uid << 32 to tell: sigqueue */
#define PROC_TIMES		0x0310	/* -> CPU ns of children that were waited for */
#define PROC_LIMIT		0x0311	/* pid or 0, LIMIT_*, 1 to set, soft, hard -> soft and hard before */
#define PROC_AFFINITY		0x0312	/* pid or 0, 1 to set, mask of CPUs -> mask before */

/*
 * /proc. Through its session a process sends requests of idl/storage.h, with
 * paths relative to /proc: OPEN, STAT_AT, READLINK_AT, ACCESS_AT, and what
 * would change something. A description that OPEN gave answers READ, SEEK,
 * READDIR, STAT, PATH, STATFS, SYNC, and ACCESS_AT of itself; its badge has
 * PROC_BADGE_FILE set. A path that leads out of /proc is E_REMOTE.
 */
#define PROC_LEAVE		0x0340	/* length, room; path(in and out) -> length: where that path leads */
#define PROC_MACHINE		0x0341	/* -> pages, free pages, processes, CPUs */

#define PROC_BADGE_FILE		(1ul << 33)

#define NAMES_MAX		1024u

#define LIMIT_CPU		0u
#define LIMIT_FILE_SIZE		1u
#define LIMIT_DATA		2u
#define LIMIT_STACK		3u
#define LIMIT_CORE		4u
#define LIMIT_PROCESSES		6u
#define LIMIT_FILES		7u
#define LIMIT_SPACE		9u
#define LIMIT_SIGNALS		11u
#define LIMIT_NICE		13u
#define LIMIT_PRIORITY		14u
#define LIMIT_COUNT		16u
#define LIMIT_NONE		(~0ul)
#define LIMIT_FILES_MAX		1024u	/* as many numbers as a libOS has */

#define IGNORE_NO_ZOMBIES	0x1u	/* children need no wait */
#define IGNORE_NO_STOPS		0x2u	/* no SIGCHLD when they stop or go on */

#define FORK_VFORK		0x1u	/* answer when the child execs or ends */

#define NICE_PROCESS		0u
#define NICE_GROUP		1u
#define NICE_USER		2u
#define NICE_MIN		(-20)
#define NICE_MAX		19

#define WAIT_OPTION_NOHANG	0x1u
#define WAIT_OPTION_UNTRACED	0x2u
#define WAIT_OPTION_CONTINUED	0x8u
#define WAIT_OPTION_NOWAIT	0x1000000u
#define WAIT_OPTION_NOT_EXITED	0x2000000u	/* ended ones do not count */

/* Well-known slots of a process's table; proc fills them afresh in a child. */
#define PROCESS_TABLE		CAP_FIRST(0)
#define PROCESS_VSPACE		CAP_FIRST(1)
#define PROCESS_THREAD		CAP_FIRST(2)
#define PROCESS_CONTAINER	CAP_FIRST(3)
#define PROCESS_PROC		CAP_FIRST(4)	/* event pair end A to proc */
#define PROCESS_INHERITED	5		/* first slot that fork clones */
#define PROCESS_ROOT		CAP_FIRST(8)	/* storage: root directory */
#define PROCESS_CONSOLE		CAP_FIRST(9)	/* console endpoint */
#define PROCESS_CLOCK		CAP_FIRST(10)	/* clock page memory */
#define PROCESS_LIBOS_DATA	CAP_FIRST(11)	/* pristine libOS data, for clones */
#define PROCESS_CONTROL		CAP_FIRST(12)	/* phoenix: commands */
#define PROCESS_FREE_SLOT	16

/*
 * Address layout of the libOS, outside anything a program is placed at. What
 * every process has lies within one page table (2 MiB).
 */
#define LIBOS_BASE		0x7e0000000000ul	/* image */
#define LIBOS_END		0x7e0040000000ul	/* native call range ends */
#define LIBOS_STACK_TOP		0x7e0000180000ul	/* 64 KiB stack below */
#define LIBOS_UTCB		0x7e0000100000ul	/* not cloned by fork */
#define LIBOS_INFO		0x7e0000101000ul	/* struct process_info, read only, not cloned */
#define LIBOS_CLOCK_PAGE	0x7e0000102000ul	/* read only, shared */
#define LIBOS_START_ARGS	0x7e0000103000ul	/* first process only: struct process_start, 64 KiB */
#define PROGRAM_HIGH		0x7d0000000000ul	/* programs live below */

/* Written by proc, read by the libOS of that process only. */
struct process_info {
	uint32_t pid, ppid, pgid, sid;
	uint32_t uid, euid, gid, egid;
	uint64_t start_ns;
	uint64_t trace;		/* 1: log each call to the trace stream */
	uint64_t terminal;	/* 1: the console is a terminal (idl/terminal.h) */
	uint8_t	 seed[32];	/* fresh per process */
	uint64_t limit[LIMIT_COUNT][2];	/* soft, hard; kept up to date */
};

/* First process: argv and environment, NUL separated, as offsets into text. */
struct process_start {
	uint32_t argument_count, environment_count;
	uint32_t text_length;
	uint32_t reserved;
	char	 text[];	/* arguments, then environment strings */
};

/*
 * Entry of the libOS image, found through its ELF entry point: registers
 *	RDI = 0	first start: exec the program of process_start
 *	RDI = 1	not used; a forked child enters at the RIP its parent named
 */

/* States in PROC_GET. */
#define PROCESS_RUNNING		1u
#define PROCESS_STOPPED		2u
#define PROCESS_ZOMBIE		3u
