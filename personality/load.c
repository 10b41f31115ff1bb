/* SPDX-License-Identifier: MIT */
/*
 * From a path to a running program.
 *
 * program_open does everything that may fail and changes nothing: it opens the
 * file, follows "#!" lines, and validates the ELF headers. program_start is the
 * point of no return: from its first line on the old program is gone, and what
 * fails ends the process.
 *
 * Layout, top down from PROGRAM_HIGH: a random gap, the stack, a guard gap, the
 * vDSO, mappings. A static-PIE program lies near PIE_BASE. The heap follows the
 * program.
 */
#include "crash.h"
#include "exec.h"

#include "file.h"
#include "memory.h"
#include "process.h"
#include "service.h"
#include "signals.h"
#include "spare.h"
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
#define IMAGE_LOW	0x10000ul
#define IMAGE_HIGH	0x700000000000ul
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
	if (program->object != CAP_NONE)
		sys_cap_delete(0, program->object);
	if (program->file != CAP_NONE)
		spare_close(program->file, program->base, false);
	program->object = program->file = CAP_NONE;
}

/* Opening */

static long
open_file(struct program *p, cap_t base, const char *path, uint64_t length)
{
	const struct storage_open_args in = {
		.flags = OPEN_READ | OPEN_EXECUTE, .path = { path, length, 0 },
	};
	struct storage_open_results opened;
	struct storage_read_results read;
	cap_t file = CAP_NONE;
	long error = spare_open(base, &in, &opened, &file, &p->base);

	if (error != 0)
		return error;
	p->file = file;
	p->size = opened.size;
	if (opened.kind != KIND_REGULAR)
		return -E_ACCES;
	error = storage_read(p->file, 0, p->head, sizeof(p->head), &read);
	if (error != 0)
		return error;
	p->head_length = read.data_length <= sizeof(p->head) ?
	    read.data_length : 0;
	return 0;
}

static long
check_image(struct program *p)
{
	enum elf_error error = elf_parse_head(p->head, p->head_length,
	    p->size > p->head_length ? p->size : p->head_length, &p->image);

	if (error != ELF_OK)
		return -E_NOEXEC;
	if (p->image.interpreter != 0) {
		process_log("libos: dynamic linking is not supported\n");
		return -E_NOEXEC;
	}
	if (p->image.high > IMAGE_HIGH ||
	    (!p->image.relocatable && p->image.low < IMAGE_LOW) ||
	    p->image.align > 1ul << 30)
		return -E_NOEXEC;
	uint64_t size;
	return storage_map(p->file, &size, &p->object);
}

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

long
program_open(struct program *p, cap_t base, const char *path, uint64_t length,
    struct args *args)
{
	static char next[STORAGE_PATH_MAX];
	struct script_line line;
	long error;

	memcpy(p->path, path, length);
	p->path[length] = 0;
	path = p->path;
	for (unsigned depth = 0;; depth++) {
		p->file = p->object = CAP_NONE;
		error = open_file(p, base, path, length);
		if (error != 0)
			break;
		if (!script_parse(p->head, p->head_length, &line)) {
			error = check_image(p);
			break;
		}
		error = depth == SCRIPT_DEPTH ? -E_LOOP :
		    use_script(&line, path, length, args);
		if (error != 0)
			break;
		length = line.interpreter_length;
		memcpy(next, line.interpreter, length);
		path = next;
		base = next[0] == '/' ? PROCESS_ROOT :
		    path_working_directory();
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

static uint64_t
page_up(uint64_t value)
{
	return (value + PAGE_MASK) & ~PAGE_MASK;
}

static void
load_segment(const struct program *p, const struct elf_segment *s,
    uint64_t bias, uint64_t *loaded_end)
{
	uint64_t start = (s->vaddr + bias) & ~PAGE_MASK;
	uint64_t file_end = s->vaddr + bias + s->file_size;
	uint64_t pages_end = s->file_size != 0 ? page_up(file_end) : start;
	uint64_t end = page_up(s->vaddr + bias + s->memory_size);
	uint64_t offset = s->offset & ~PAGE_MASK;

	/* A page that two segments share belongs to the later one. */
	if (start < *loaded_end)
		must(memory_unmap(start, *loaded_end - start));
	if (pages_end > start && (s->flags & ELF_WRITE) != 0) {
		must(memory_map_copy(start, p->object, offset,
		    pages_end - start, s->flags | MAP_READ));
		must(user_zero((void *)file_end, pages_end - file_end));
	} else if (pages_end > start) {
		must(memory_map_object(start, p->object, offset,
		    pages_end - start, s->flags | MAP_READ, VMA_FILE));
	}
	if (end > pages_end)
		must(memory_map_zero(pages_end, end - pages_end,
		    s->flags | MAP_READ, 0));
	*loaded_end = end;
}

static uint64_t
choose_bias(const struct elf_image *image)
{
	if (!image->relocatable)
		return 0;
	uint64_t base = PIE_BASE + ((random_word() & PIE_RANDOM) << PAGE_SHIFT);
	return (base & ~(image->align - 1)) -
	    (image->low & ~(image->align - 1));
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

static void
fill_aux(struct stack_input *in, const struct elf_image *image, uint64_t bias,
    uint64_t vdso)
{
	uint64_t base;

	if (vdso != 0)
		add_aux(in, L_AT_SYSINFO_EHDR, vdso);
	add_aux(in, L_AT_HWCAP, cpu_features());
	add_aux(in, L_AT_PAGESZ, PAGE_SIZE);
	add_aux(in, L_AT_CLKTCK, CLOCK_TICKS);
	if (image->headers != 0)
		add_aux(in, L_AT_PHDR, image->headers + bias);
	add_aux(in, L_AT_PHENT, 56);
	add_aux(in, L_AT_PHNUM, image->header_count);
	add_aux(in, L_AT_BASE, 0);
	add_aux(in, L_AT_FLAGS, 0);
	add_aux(in, L_AT_ENTRY, image->entry + bias);
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
	uint64_t size = page_up((uint64_t)(vdso_end - vdso_start));
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
	if (storage_path(p->file, process_path, sizeof(process_path) - 1,
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

void
program_start(struct program *p, const struct args *args)
{
	static struct stack_input in;
	static struct user_frame frame;
	uint64_t loaded_end = 0;
	uint64_t top = PROGRAM_HIGH -
	    ((random_word() & STACK_RANDOM) << PAGE_SHIFT);
	uint64_t bias = choose_bias(&p->image);

	crash_load_bias = bias;
	memory_reset(top - MEMORY_STACK_SIZE - GUARD);
	for (unsigned i = 0; i < p->image.segment_count; i++)
		load_segment(p, &p->image.segments[i], bias, &loaded_end);
	memory_set_heap(loaded_end +
	    ((random_word() & HEAP_RANDOM) << PAGE_SHIFT));
	uint64_t vdso = map_vdso();

	in = (struct stack_input){
		.strings = args->text + args->head,
		.strings_length = args->tail - args->head,
		.argument_count = args->argument_count,
		.environment_count = args->environment_count,
		.path = p->path,
	};
	random_fill(in.random, sizeof(in.random));
	fill_aux(&in, &p->image, bias, vdso);
	uint64_t sp = make_stack(&in, top);
	view_new_program(&in, sp);

	fd_close_on_exec();
	signal_after_exec();
	take_name(p, args);
	frame = (struct user_frame){ .rip = p->image.entry + bias, .rsp = sp,
	    .rflags = RFLAGS_USER };
	program_close(p);
	sys_unmap(PROCESS_VSPACE, (uint64_t)args->text, ARGS_ROOM + ARGS_MAX);
	thread_vector_reset();
	thread_resume(&frame);
}
