/* SPDX-License-Identifier: MIT */
/*
 * The first bytes of the libOS image, at LIBOS_BASE (idl/process.h).
 *
 * proc maps the image, reads this header and sets up each thread with it:
 *
 *	thread_setup.redirect_entry, upcall_entry, window_low, window_high
 *		as here; native_low = LIBOS_BASE, native_high = LIBOS_END
 *	first thread of the first process
 *		rip = the ELF entry point, rdi = 0, rsp = LIBOS_STACK_TOP - 8,
 *		gs_base = thread_block, fs_base = 0, rflags = 0x202
 *	thread of a forked child
 *		rip, rsp, rdi as PROC_FORK said, gs_base = thread_block,
 *		fs_base = 0: the libOS loads that of the program
 *
 * proc maps the stack, [LIBOS_STACK_TOP - LIBOS_STACK_SIZE, LIBOS_STACK_TOP),
 * anonymous, readable and writable, cloned by fork. Everything else in
 * [LIBOS_BASE, LIBOS_END) that idl/process.h does not name stays unmapped.
 * The first LIBOS_HOT_SIZE bytes of the writable segment are a memory object of
 * their own: fork copies few pages at once, and shares many.
 * All addresses are absolute.
 */
#pragma once

#include <idl/process.h>
#include <stdint.h>

#define LIBOS_HEADER_MAGIC	0x534f42494c4e4542ul	/* "BENLIBOS" */
#define LIBOS_HEADER_VERSION	2ul
#define LIBOS_STACK_SIZE	0x10000ul
#define LIBOS_HOT_FILLED	0x1000ul	/* start of the data, mapped apart ... */
#define LIBOS_HOT_SIZE		0x5000ul	/* ... with what follows, all 0 */

struct libos_header {
	uint64_t magic;
	uint64_t version;
	uint64_t redirect_entry;
	uint64_t upcall_entry;
	uint64_t window_low;
	uint64_t window_high;
	uint64_t thread_block;	/* GS base of the one thread */
	uint64_t view;		/* struct libos_view */
};

_Static_assert(sizeof(struct libos_header) == 64, "fixed layout");

/*
 * What /proc shows of a process and only its libOS knows. proc copies it out of
 * the process when asked, at any moment and without the process's help: so it
 * may be half changed, and it is whatever the process likes. Addresses are of
 * the process; nothing in it is relied on.
 */
#define LIBOS_NAME_SIZE		16u

struct libos_view {
	uint64_t fds;		/* struct libos_fd[fd_count] */
	uint64_t files;		/* file_size bytes each, a libos_file in front */
	uint64_t maps;		/* struct libos_map[] */
	uint64_t map_count;	/* address of a uint32_t */
	uint64_t path;		/* of the program: a string */
	uint32_t fd_count, file_count, file_size;
	uint32_t path_size, handler_size, reserved;
	cap_t	 working_directory;
	uint64_t arguments[2];	/* where they begin and end */
	uint64_t environment[2];
	uint64_t stack;		/* the stack pointer at the start */
	uint64_t blocked;	/* address of the mask */
	uint64_t handlers;	/* one for each signal and 0, handler_size apart */
	char	 name[LIBOS_NAME_SIZE];
};

struct libos_fd {
	uint16_t file;		/* index + 1; 0: not open */
	uint16_t close_on_exec;
};

#define LIBOS_FILE_STORAGE	1u
#define LIBOS_FILE_CONSOLE	2u
#define LIBOS_FILE_DEVICE	3u
#define LIBOS_FILE_PIPE		4u
#define LIBOS_FILE_PATH		5u
#define LIBOS_FILE_TERMINAL	6u
#define LIBOS_FILE_FIFO		7u

struct libos_file {
	uint8_t	 kind;		/* LIBOS_FILE_* */
	uint8_t	 node;		/* KIND_* */
	uint8_t	 can_read, can_write;
	uint16_t references, pipe;
	uint16_t terminal;	/* 0: the console, else of /dev/pts and 1 */
	uint16_t reserved;
	uint32_t flags;
	uint32_t device;	/* DEVICE_* */
	cap_t	 cap;		/* in the table of the process */
};

#define LIBOS_MAP_SHARED	0x1u
#define LIBOS_MAP_STACK		0x8u
#define LIBOS_MAP_HEAP		0x10u

struct libos_map {
	uint64_t start, end;
	uint8_t	 protection;	/* MAP_READ ... */
	uint8_t	 flags;		/* LIBOS_MAP_* */
};
