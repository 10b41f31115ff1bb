/* SPDX-License-Identifier: MIT */
/*
 * From a path to a running program.
 *
 * program_open does everything that may fail and changes nothing: it opens the
 * file, follows "#!" lines, validates the ELF headers, and does the same for
 * the interpreter that they name (image.c). program_start is the point of no
 * return: from its first line on the old program is gone, and what fails ends
 * the process.
 *
 * Layout, top down from PROGRAM_HIGH: a random gap, the stack, a guard gap, the
 * vDSO, the interpreter, mappings. A position-independent program lies near
 * PIE_BASE. The heap follows the program.
 *
 * With an interpreter (ld.so) the program begins in that; the auxiliary vector
 * tells it where the program lies and where that begins.
 */
#include "crash.h"
#include "exec.h"

#include "file.h"
#include "memory.h"
#include "own.h"
#include "process.h"
#include "service.h"
#include "signals.h"
#include "stack.h"
#include "thread.h"
#include "user.h"
#include "view.h"

#include <idl/proc_client.h>
#include <idl/storage_client.h>
#include <lib/base/string.h>
#include <lib/sys/sys.h>

#define NAME_MAX	15u		/* of a program, as Linux tells it */
#define PATH_TOLD_MAX	511u
#define SCRIPT_DEPTH	5
#define PIE_BASE	0x555555554000ul
#define PIE_RANDOM	0xffffffful	/* pages */
#define STACK_RANDOM	0x3fffful
#define HEAP_RANDOM	0x3fful
#define GUARD		(1ul << 20)
#define VDSO_GAP	0x10000ul
#define SCRATCH		0x7e8000000000ul
#define RFLAGS_USER	0x202ul
#define CLOCK_TICKS	100
#define HWCAP2_FSGSBASE	2

extern const uint8_t vdso_start[], vdso_end[];

static cap_t vdso_object;

void
program_init(void)
{
	uint64_t size = (uint64_t)(vdso_end - vdso_start);

	size = (size + PAGE_MASK) & ~PAGE_MASK;
	if (sys_object_create(OBJ_MEMORY, PROCESS_CONTAINER, size, 0,
	    &vdso_object) != OK)
		return;
	if (sys_map(PROCESS_VSPACE, SCRATCH, vdso_object, 0, size,
	    MAP_READ | MAP_WRITE) != OK)
		return;
	user_copy_raw((void *)SCRATCH, vdso_start,
	    (size_t)(vdso_end - vdso_start));
	sys_unmap(PROCESS_VSPACE, SCRATCH, size);
}

void
program_close(struct program *program)
{
	image_close(&program->main);
	image_close(&program->interpreter);
}

/* Opening */

/* The script's path takes the place of argument 0, the interpreter leads. */
static long
use_script(const struct script_line *line, const char *path,
    uint64_t length, struct args *args)
{
	args_drop_first(args);
	if (!args_prepend(args, path, length) || (line->argument != NULL &&
	    !args_prepend(args, line->argument, line->argument_length)) ||
	    !args_prepend(args, line->interpreter, line->interpreter_length))
		return -E_2BIG;
	return 0;
}

static cap_t
base_of(const char *path)
{
	return path[0] == '/' ? ROOT_DIRECTORY : path_working_directory();
}

/* The file that PT_INTERP names; its own would be ignored. */
static long
open_interpreter(struct program *p)
{
	struct image *image = &p->interpreter;
	long length = image_interpreter(&p->main, &p->head, p->next,
	    sizeof(p->next));

	if (length <= 0)
		return length;
	long error = image_open(image, base_of(p->next), p->next,
	    (uint64_t)length, &p->head);
	if (error == 0)
		error = image_check(image, &p->head);
	if (error == 0 && !p->main.elf.relocatable &&
	    !image->elf.relocatable && image->elf.low < p->main.elf.high &&
	    p->main.elf.low < image->elf.high)
		error = -E_NOEXEC;
	/* The program is one, but what it needs is not. */
	return error == -E_NOEXEC ? -E_LIBBAD : error;
}

long
program_open(struct program *p, cap_t base, const char *path, uint64_t length,
    struct args *args)
{
	struct script_line line;
	long error;

	p->main = p->interpreter = (struct image){ .file = CAP_NONE };
	memcpy(p->path, path, length);
	p->path[length] = 0;
	path = p->path;
	for (unsigned depth = 0;; depth++) {
		error = image_open(&p->main, base, path, length, &p->head);
		if (error != 0)
			break;
		if (!script_parse(p->head.bytes, p->head.length, &line)) {
			error = image_check(&p->main, &p->head);
			if (error == 0)
				error = own_recognize(&p->main, &p->head,
				    &p->is_own);
			if (error == 0)
				error = open_interpreter(p);
			break;
		}
		error = depth == SCRIPT_DEPTH ? -E_LOOP :
		    use_script(&line, path, length, args);
		if (error != 0)
			break;
		length = line.interpreter_length;
		memcpy(p->next, line.interpreter, length);
		path = p->next;
		base = base_of(path);
		program_close(p);
	}
	if (error != 0)
		program_close(p);
	return error;
}

/* Loading. There is no program to return to: failure is the end. */

static void
must(long error)
{
	if (error != 0) {
		process_log("libos: exec failed after the old program was "
		    "gone\n");
		process_exit_signal(L_SIGKILL);
	}
}

static uint32_t
cpu_features(void)
{
	uint32_t a = 1, b, c = 0, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return d;
}

static void
add_aux(struct stack_input *in, uint64_t kind, uint64_t value)
{
	in->aux[in->aux_count][0] = kind;
	in->aux[in->aux_count++][1] = value;
}

/* Where things lie in the new memory. */
struct places {
	uint64_t bias;		/* added to addresses of the program */
	uint64_t interpreter;	/* the same, of that */
	uint64_t vdso;		/* 0: none */
};

static void
fill_aux(struct stack_input *in, const struct elf_image *image,
    const struct places *at)
{
	uint64_t base;

	if (at->vdso != 0)
		add_aux(in, L_AT_SYSINFO_EHDR, at->vdso);
	add_aux(in, L_AT_HWCAP, cpu_features());
	add_aux(in, L_AT_PAGESZ, PAGE_SIZE);
	add_aux(in, L_AT_CLKTCK, CLOCK_TICKS);
	if (image->headers != 0)
		add_aux(in, L_AT_PHDR, image->headers + at->bias);
	add_aux(in, L_AT_PHENT, 56);
	add_aux(in, L_AT_PHNUM, image->header_count);
	add_aux(in, L_AT_BASE, at->interpreter);
	add_aux(in, L_AT_FLAGS, 0);
	add_aux(in, L_AT_ENTRY, image->entry + at->bias);
	add_aux(in, L_AT_UID, INFO->uid);
	add_aux(in, L_AT_EUID, INFO->euid);
	add_aux(in, L_AT_GID, INFO->gid);
	add_aux(in, L_AT_EGID, INFO->egid);
	add_aux(in, L_AT_SECURE, 0);
	add_aux(in, L_AT_HWCAP2,
	    user_get_fs_base(&base) == 0 ? HWCAP2_FSGSBASE : 0);
	add_aux(in, L_AT_MINSIGSTKSZ, sizeof(struct linux_sigframe) +
	    thread_vector_size() + 256);
}

static uint64_t
map_vdso(void)
{
	uint64_t size = ((uint64_t)(vdso_end - vdso_start) + PAGE_MASK) &
	    ~PAGE_MASK;
	uint64_t at = memory_layout.map_top - size;

	if (vdso_object == CAP_NONE ||
	    memory_map_object(at, vdso_object, 0, size, MAP_READ | MAP_EXEC,
	    VMA_SHARED | VMA_FILE) != 0)
		return 0;
	/* Nothing is placed right below it. */
	memory_layout.map_top = at - VDSO_GAP;
	return at;
}

static uint64_t
make_stack(struct stack_input *in, uint64_t top)
{
	uint64_t low = top - MEMORY_STACK_SIZE;
	uint64_t size = stack_size(in);

	must(memory_map_zero(low, MEMORY_STACK_SIZE, MAP_READ | MAP_WRITE,
	    VMA_STACK));
	/* Have the pages first: what follows may not fault. */
	must(size > MEMORY_STACK_SIZE / 2 ? -E_2BIG :
	    user_zero((void *)(top - size), size));
	return stack_build((uint8_t *)low, low, top, in);
}

static size_t
append(char *names, size_t used, const char *text, size_t length)
{
	if (length > NAMES_MAX - used)
		length = NAMES_MAX - used;
	memcpy(names + used, text, length);
	return used + length;
}

/* proc keeps them for who asks; what is too long is cut. */
static void
tell_names(const char *name, const struct args *args)
{
	static char names[NAMES_MAX];
	const char *from = args->text + args->head;
	const char *to = from;
	size_t used = append(names, 0, name, strnlen(name, NAME_MAX));

	for (uint32_t i = 0; i < args->argument_count; i++)
		to += strlen(to) + 1;
	names[used++] = 0;
	used = append(names, used, process_path,
	    strnlen(process_path, PATH_TOLD_MAX));
	names[used++] = 0;
	used = append(names, used, from, (size_t)(to - from));
	names[used - 1] = 0;
	service_insist_begin();
	proc_exec_done(PROCESS_PROC, names, used);
	service_insist_end();
}

/* "name" of the process, and what /proc/self/exe says. */
static void
take_name(const struct program *p, const struct args *args)
{
	const char *name = p->path;
	uint64_t length;

	service_insist_begin();
	if (storage_path(p->main.file, process_path, sizeof(process_path) - 1,
	    &length) != 0 || length >= sizeof(process_path))
		length = 0;
	service_insist_end();
	process_path[length] = 0;
	for (const char *c = p->path; *c != 0; c++) {
		if (*c == '/')
			name = c + 1;
	}
	process_set_name(name);
	tell_names(name, args);
}

static uint64_t
choose_bias(const struct elf_image *elf)
{
	if (!elf->relocatable)
		return 0;
	return image_bias(elf, PIE_BASE +
	    ((random_word() & PIE_RANDOM) << PAGE_SHIFT));
}

/* Below what is mapped already, like any library; returns where to begin. */
static uint64_t
load_interpreter(const struct image *image, uint64_t *out_bias)
{
	const struct elf_image *elf = &image->elf;
	uint64_t end, room = elf->high - (elf->low & ~(elf->align - 1)) +
	    elf->align;

	if (elf->relocatable) {
		uint64_t at = memory_find_free(room);
		must(at == 0 ? -E_NOMEM : 0);
		*out_bias = image_bias(elf, at + elf->align - 1);
	}
	must(image_load(image, *out_bias, &end));
	return elf->entry + *out_bias;
}

/* All that is mapped but the stack; returns where to begin. */
static uint64_t
load_program(const struct program *p, struct places *out_places)
{
	uint64_t bias = choose_bias(&p->main.elf), end;
	uint64_t entry = p->main.elf.entry + bias;

	*out_places = (struct places){ .bias = bias };
	crash_load_bias = bias;
	must(image_load(&p->main, bias, &end));
	/* What has its place may lie where the heap would. */
	if (p->interpreter.file != CAP_NONE &&
	    !p->interpreter.elf.relocatable && p->interpreter.elf.high > end)
		end = (p->interpreter.elf.high + PAGE_MASK) & ~PAGE_MASK;
	memory_set_heap(end + ((random_word() & HEAP_RANDOM) << PAGE_SHIFT));
	out_places->vdso = map_vdso();
	if (p->interpreter.file != CAP_NONE)
		entry = load_interpreter(&p->interpreter,
		    &out_places->interpreter);
	return entry;
}

void
program_start(struct program *p, const struct args *args)
{
	static struct stack_input in;
	static struct user_frame frame;
	struct places places;
	uint64_t top = PROGRAM_HIGH -
	    ((random_word() & STACK_RANDOM) << PAGE_SHIFT);

	memory_reset(top - MEMORY_STACK_SIZE - GUARD);
	uint64_t entry = load_program(p, &places);

	in = (struct stack_input){
		.strings = args->text + args->head,
		.strings_length = args->tail - args->head,
		.argument_count = args->argument_count,
		.environment_count = args->environment_count,
		.path = p->path,
	};
	random_fill(in.random, sizeof(in.random));
	fill_aux(&in, &p->main.elf, &places);
	uint64_t sp = make_stack(&in, top);
	view_new_program(&in, sp);

	own_begin(p->is_own, places.vdso);
	fd_close_on_exec();
	signal_after_exec();
	take_name(p, args);
	frame = (struct user_frame){ .rip = entry, .rsp = sp,
	    .rflags = RFLAGS_USER };
	program_close(p);
	sys_unmap(PROCESS_VSPACE, (uint64_t)args->text, ARGS_ROOM + ARGS_MAX);
	thread_vector_reset();
	thread_resume(&frame);
}
