/* SPDX-License-Identifier: MIT */
/*
 * What execve gathers before the point of no return: the argument strings in
 * memory of the libOS, and the file to run.
 */
#pragma once

#include <abi/object.h>
#include <idl/storage.h>
#include <lib/elf/elf.h>
#include <stdbool.h>
#include <stdint.h>

/* args.c: strings of a new program, packed: arguments, then environment. */

#define ARGS_ROOM	0x8000u		/* before them, for interpreters */
#define ARGS_MAX	0x200000u	/* all strings, as Linux allows */
#define ARGS_STRING_MAX	131072u

struct args {
	char	*text;		/* ARGS_ROOM + ARGS_MAX bytes */
	uint64_t head, tail;	/* strings lie in [head, tail) */
	uint32_t argument_count, environment_count;
};

void args_begin(struct args *args, char *text);
/* Appends; arguments first. False: too much. */
bool args_add(struct args *args, const char *string, uint64_t length,
    bool environment);
/* Puts a string before the first argument. */
bool args_prepend(struct args *args, const char *string, uint64_t length);
void args_drop_first(struct args *args);

/* A "#!" line. False: none, or no interpreter on it. */
struct script_line {
	const char *interpreter, *argument;	/* argument NULL: none */
	uint64_t interpreter_length, argument_length;
};
bool script_parse(const char *head, uint64_t length,
    struct script_line *out_line);

/* image.c: one ELF file, opened to be mapped and run. */

#define IMAGE_HEAD	4096u	/* its headers lie in these bytes */

struct image_head {
	char	 bytes[IMAGE_HEAD];
	uint64_t length;
};

struct image {
	cap_t	 file;		/* open description; CAP_NONE: no image */
	cap_t	 base;		/* of file, see spare.h */
	cap_t	 object;	/* its memory */
	uint64_t size;
	struct elf_image elf;
};

/* Opens what may be executed, reads its first bytes; 0 or -E_*. */
long image_open(struct image *image, cap_t base, const char *path,
    uint64_t length, struct image_head *out_head);
/* Is it a program for this machine? Gets its memory. */
long image_check(struct image *image, const struct image_head *head);
/* Path of its interpreter, NUL-terminated: length, 0 if none, or -E_*. */
long image_interpreter(const struct image *image,
    const struct image_head *head, char *out_path, uint64_t size);
/* What to add to addresses of an image that is to lie at or below. */
uint64_t image_bias(const struct elf_image *elf, uint64_t at);
/* Maps all segments; *out_end is where the last one ends. */
long image_load(const struct image *image, uint64_t bias, uint64_t *out_end);
void image_close(struct image *image);

/* load.c */

struct program {
	struct image main;
	struct image interpreter;
	char	 path[STORAGE_PATH_MAX];	/* as given: AT_EXECFN */
	char	 next[STORAGE_PATH_MAX];	/* of an interpreter */
	struct image_head head;		/* of what was opened last */
};

/* Opens path and what it names as its interpreter; 0 or -E_*. */
long program_open(struct program *program, cap_t base, const char *path,
    uint64_t length, struct args *args);
void program_close(struct program *program);
/* Replaces the memory of the process. Failure ends it. */
_Noreturn void program_start(struct program *program, const struct args *args);
void program_init(void);
