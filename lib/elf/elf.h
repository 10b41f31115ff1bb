/* SPDX-License-Identifier: MIT */
/*
 * ELF64 executables for x86-64: from bytes to a list of segments.
 *
 * Only [image, image + available) is looked at. It must hold the file header
 * and the program headers; places of segments are checked against the size of
 * the file, their contents are not read. What is accepted satisfies, for every
 * segment:
 *
 *	- file_size <= memory_size, memory_size > 0
 *	- offset + file_size lies in the file
 *	- vaddr + memory_size does not wrap and ends at or below ELF_ADDRESS_MAX
 *	- offset and vaddr are equal modulo ELF_PAGE
 *	- segments are sorted by vaddr and share no byte
 *	- the entry point lies in an executable segment
 *
 * An ET_DYN image starts near 0 and is moved by the caller as a whole.
 * Sections, symbols and relocations are not looked at: a static-PIE program
 * relocates itself.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_PAGE		4096ul
#define ELF_ADDRESS_MAX		0x7ffffffff000ul
#define ELF_SEGMENTS_MAX	16
#define ELF_HEADERS_MAX		64	/* program headers in a file */

enum elf_error {
	ELF_OK,
	ELF_TRUNCATED,		/* a header lies beyond the bytes given */
	ELF_NOT_ELF,		/* no magic number */
	ELF_WRONG_CLASS,	/* not 64 bit little endian version 1 */
	ELF_WRONG_MACHINE,	/* not x86-64 */
	ELF_WRONG_TYPE,		/* neither ET_EXEC nor ET_DYN */
	ELF_BAD_HEADER,		/* sizes of headers are not those of ELF64 */
	ELF_TOO_MANY,		/* more headers or segments than the limits */
	ELF_NO_SEGMENT,		/* nothing to load */
	ELF_BAD_SEGMENT,	/* sizes, alignment or place are not consistent */
	ELF_OVERLAP,		/* segments overlap or are not in order */
	ELF_BAD_ENTRY,		/* the entry point is not in executable memory */
	ELF_BAD_INTERPRETER,	/* PT_INTERP repeated, empty or outside the file */
	ELF_ERROR_COUNT,
};

#define ELF_READ	0x1u
#define ELF_WRITE	0x2u
#define ELF_EXEC	0x4u

struct elf_segment {
	uint64_t offset;	/* in the file */
	uint64_t file_size;
	uint64_t vaddr;
	uint64_t memory_size;
	unsigned flags;		/* ELF_READ, ELF_WRITE, ELF_EXEC */
};

struct elf_image {
	uint64_t entry;
	uint64_t low, high;	/* bytes used: first vaddr, end of the last */
	uint64_t headers;	/* vaddr of the program headers, 0 if not loaded */
	uint64_t header_count;
	uint64_t align;		/* largest alignment asked for, >= ELF_PAGE */
	int	 relocatable;	/* ET_DYN */
	int	 stack_exec;	/* PT_GNU_STACK asks for an executable stack */
	uint64_t interpreter;	/* file offset of the path, 0 if none */
	uint64_t interpreter_length;	/* with its NUL */
	unsigned segment_count;
	struct elf_segment segments[ELF_SEGMENTS_MAX];
};

/*
 * The first word of the descriptor of a note with that name and type, in a
 * PT_NOTE segment. Headers and note must lie in the bytes given; false if there
 * is no such note in them. The image has been accepted before.
 */
bool elf_note(const void *image, size_t available, const char *name,
    uint32_t type, uint32_t *out_word);

/* The whole file is at hand. */
enum elf_error elf_parse(const void *image, size_t available,
    struct elf_image *out_image);

/* Only the first bytes of a file of file_size bytes are at hand. */
enum elf_error elf_parse_head(const void *image, size_t available,
    uint64_t file_size, struct elf_image *out_image);

const char *elf_error_name(enum elf_error error);
