/* SPDX-License-Identifier: MIT */
/*
 * What the kernel hands to init, and the image format init comes in.
 *
 * init is linked as a flat image that begins with struct init_image and is
 * embedded in the kernel ELF: no parser runs in the kernel. It is mapped at
 * INIT_BASE (text and read-only data), then data, then bss, then the stack.
 * At entry RDI = address of struct boot_info (read-only page).
 */
#pragma once

#include <abi/object.h>
#include <stdint.h>

#define INIT_MAGIC		0x494e4954554e4542ul	/* "BENUINIT" */
#define INIT_BASE		0x10000000ul
#define INIT_STACK_TOP		0x20000000ul
#define INIT_STACK_SIZE		0x8000ul
#define INIT_UTCB		0x20001000ul
#define INIT_BOOT_INFO		0x20002000ul

struct init_image {
	uint64_t magic;
	uint64_t entry;		/* absolute address */
	uint64_t text_size;	/* bytes, page aligned: read + execute */
	uint64_t data_size;	/* bytes, page aligned: read + write */
	uint64_t bss_size;	/* bytes, page aligned: zero filled */
};

/* Well-known slots of init's table. */
#define INIT_TABLE		CAP_FIRST(0)
#define INIT_VSPACE		CAP_FIRST(1)
#define INIT_THREAD		CAP_FIRST(2)
#define INIT_CONTAINER		CAP_FIRST(3)	/* root: all memory */
#define INIT_SYSTEM		CAP_FIRST(4)
#define INIT_ARCHIVE		CAP_FIRST(5)	/* boot module, read only */
#define INIT_CLOCK_PAGE		CAP_FIRST(6)	/* struct clock_page, read only */
#define INIT_IOPORTS		CAP_FIRST(7)	/* all ports */
#define INIT_FREE_SLOT		8

struct boot_info {
	uint64_t archive_size;	/* bytes of the boot module */
	uint64_t cpus;
	uint64_t memory_bytes;
	uint64_t wall_clock_s;	/* seconds since 1970 at boot, 0 if unknown */
	char	 command_line[2048];	/* NUL terminated */
};

/*
 * Clock page: ns = ns_base + ((tsc - tsc_base) * mult >> 32), valid while
 * sequence is even and unchanged (seqlock).
 */
struct clock_page {
	uint32_t sequence;
	uint32_t reserved;
	uint64_t tsc_base;
	uint64_t ns_base;
	uint64_t mult;
	uint64_t wall_offset_ns;	/* add to get ns since 1970 */
};
