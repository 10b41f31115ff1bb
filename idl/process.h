/* SPDX-License-Identifier: MIT */
/*
 * What a process of programs finds when it starts: capabilities, addresses,
 * struct process_info.
 *
 * A process is a table, an address space, a thread, a container and an event
 * pair whose end A (slot PROCESS_PROC) it calls through (idl/proc.capnp). proc
 * holds what it needs to stop it at any moment.
 */
#pragma once

#include <abi/object.h>
#include <stdint.h>

/* Well-known slots of a process's table; proc fills them afresh in a child. */
#define PROCESS_TABLE		CAP_FIRST(0)
#define PROCESS_VSPACE		CAP_FIRST(1)
#define PROCESS_THREAD		CAP_FIRST(2)
#define PROCESS_CONTAINER	CAP_FIRST(3)
#define PROCESS_PROC		CAP_FIRST(4)	/* event pair end A to proc */
#define PROCESS_INHERITED	5		/* first slot that fork clones */
#define PROCESS_ROOT		CAP_FIRST(8)	/* storage: root directory, at first */
#define PROCESS_CONSOLE		CAP_FIRST(9)	/* console endpoint */
#define PROCESS_CLOCK		CAP_FIRST(10)	/* clock page memory */
#define PROCESS_LIBOS_DATA	CAP_FIRST(11)	/* pristine libOS data, for clones */
#define PROCESS_CONTROL		CAP_FIRST(12)	/* phoenix: commands, at first */
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

#define PROCESS_LIMITS		16u

/* Written by proc, read by the libOS of that process only. */
struct process_info {
	uint32_t pid, ppid, pgid, sid;
	uint32_t uid, euid, suid, gid, egid, sgid;
	uint64_t start_ns;
	uint64_t trace;		/* 1: log each call to the trace stream */
	uint64_t terminal;	/* 1: the console is a terminal (idl/terminal.capnp) */
	uint8_t	 seed[32];	/* fresh per process */
	/*
	 * Where PROCESS_ROOT and PROCESS_CONTROL are now: proc replaces them
	 * when the process becomes somebody else. CAP_NONE: it has none.
	 */
	cap_t	 root, control;
	uint64_t limit[PROCESS_LIMITS][2];	/* LIMIT_*: soft, hard; kept up to date */
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
