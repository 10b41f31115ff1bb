/* SPDX-License-Identifier: MIT */
/*
 * Report of a program that dies of a signal that says it is broken.
 *
 * Addresses are those of the program's file; `./bennu run` adds functions and
 * lines where it has that file. The back trace follows frame pointers. Where a
 * program keeps none, the words on its stack that look like return addresses
 * are listed instead: some of them may be left over from calls that ended.
 */
#include "crash.h"

#include "file.h"
#include "memory.h"
#include "signals.h"
#include "thread.h"
#include "user.h"

#include <lib/base/format.h>
#include <lib/base/string.h>
#include <lib/sys/sys.h>

#define REPORTED	(SIGNAL_BIT(L_SIGQUIT) | SIGNAL_BIT(L_SIGILL) | \
			SIGNAL_BIT(L_SIGTRAP) | SIGNAL_BIT(L_SIGABRT) | \
			SIGNAL_BIT(L_SIGBUS) | SIGNAL_BIT(L_SIGFPE) | \
			SIGNAL_BIT(L_SIGSEGV) | SIGNAL_BIT(L_SIGSYS))
#define LINE_MAX	240u
#define FRAMES_MAX	10u
#define STACK_WORDS	256u
#define CALL_LONGEST	7u	/* bytes of a CALL instruction */

uint64_t crash_load_bias;

struct back_trace {
	unsigned count;
	uint64_t address[FRAMES_MAX];
};

static void __attribute__((format(printf, 1, 2)))
report_line(const char *format, ...)
{
	char *line = (char *)(uintptr_t)UTCB->data;
	size_t length = format_text(line, LINE_MAX, "libos: process %u ",
	    INFO->pid);
	va_list arguments;

	va_start(arguments, format);
	length += format_print(line + length, LINE_MAX - length, format,
	    arguments);
	va_end(arguments);
	if (length > LINE_MAX - 1)
		length = LINE_MAX - 1;
	/* The program chose the text of its path. */
	for (size_t i = 0; i < length; i++) {
		if (line[i] < ' ' || line[i] > '~')
			line[i] = '?';
	}
	line[length++] = '\n';
	sys_invoke(SYS_LOG_WRITE, length, 0, 0, 0, 0, 0);
}

static bool
is_code(uint64_t address)
{
	const struct vma *v = vma_find(&memory_vmas, address);

	return v != NULL && (v->protection & MAP_EXEC) != 0;
}

/* Does a CALL end right before the address? */
static bool
follows_call(uint64_t address)
{
	uint8_t b[CALL_LONGEST];

	if (!is_code(address) || !is_code(address - CALL_LONGEST) ||
	    user_read(b, (void *)(address - CALL_LONGEST), sizeof(b)) != 0)
		return false;
	if (b[2] == 0xe8)
		return true;
	/* FF /2 with a register, 8 bit or 32 bit displacement. */
	return (b[5] == 0xff && (b[6] & 0xf8) == 0xd0) ||
	    (b[5] == 0xff && (b[6] & 0x38) == 0x10) ||
	    (b[4] == 0xff && (b[5] & 0xf8) == 0x50) ||
	    (b[1] == 0xff && ((b[2] & 0xf8) == 0x90 || b[2] == 0x15));
}

static void
follow_frames(const struct user_frame *frame, struct back_trace *trace)
{
	uint64_t rbp = frame->rbp, below = frame->rsp, next[2];

	while (trace->count < FRAMES_MAX && rbp % 8 == 0 && rbp >= below &&
	    rbp - below < MEMORY_STACK_SIZE &&
	    user_read(next, (void *)rbp, sizeof(next)) == 0 &&
	    follows_call(next[1])) {
		trace->address[trace->count++] = next[1];
		below = rbp + 16;
		rbp = next[0];
	}
}

static void
search_stack(const struct user_frame *frame, struct back_trace *trace)
{
	uint64_t word;

	for (unsigned i = 0; i < STACK_WORDS && trace->count < FRAMES_MAX;
	    i++) {
		if (user_read(&word, (void *)((frame->rsp & ~7ul) + i * 8),
		    sizeof(word)) != 0)
			return;
		if (follows_call(word))
			trace->address[trace->count++] = word;
	}
}

static void
report_trace(const struct user_frame *frame)
{
	struct back_trace trace = { .count = 0 };
	char text[FRAMES_MAX * 20 + 1] = "";
	const char *how = "back trace";
	size_t used = 0;

	follow_frames(frame, &trace);
	if (trace.count < 2) {
		trace.count = 0;
		search_stack(frame, &trace);
		how = "back trace from the stack's words";
	}
	for (unsigned i = 0; i < trace.count; i++)
		used += format_text(text + used, sizeof(text) - used,
		    " 0x%lx", trace.address[i] - crash_load_bias);
	report_line("%s: 0x%lx%s", how, frame->rip - crash_load_bias, text);
}

void
crash_report(const struct user_frame *f, const struct linux_siginfo *info)
{
	if ((REPORTED & SIGNAL_BIT(info->signo)) == 0)
		return;
	report_line("died: %s signal %d code %d address 0x%lx", process_path,
	    info->signo, info->code,
	    info->code > 0 && info->signo != L_SIGABRT ? info->address : 0);
	report_line("registers: rax %lx rbx %lx rcx %lx rdx %lx rsi %lx "
	    "rdi %lx rbp %lx rsp %lx", f->rax, f->rbx, f->rcx, f->rdx, f->rsi,
	    f->rdi, f->rbp, f->rsp);
	report_line("registers: r8 %lx r9 %lx r10 %lx r11 %lx r12 %lx r13 %lx "
	    "r14 %lx r15 %lx", f->r8, f->r9, f->r10, f->r11, f->r12, f->r13,
	    f->r14, f->r15);
	report_trace(f);
	if (thread_block.number < CALL_COUNT)
		report_line("last call: %lu", thread_block.number);
}
