/* SPDX-License-Identifier: MIT */
/*
 * One line for each call on the trace stream of the console:
 *
 *	[pid] name(arguments) = result [ERROR] <ticks>
 *	[pid] --- signal NUMBER code CODE address ADDRESS at PROGRAM COUNTER
 *
 * Ticks are of the time-stamp counter, from the dispatch to the result; with
 * the emulator's instruction counting they are instructions. Calls that do not
 * come back are written before they run, with "?" as the result.
 */
#include "table.h"

#include "linux.h"
#include "own.h"
#include "service.h"
#include "user.h"

#include <idl/console_client.h>
#include <lib/base/string.h>

#define TEXT_MAX	48u	/* of one string argument */
#define LINE_MAX	512u
#define ARGUMENTS	6u

struct description {
	const char *name;
	const char *arguments;
};

#define CALL(number, text, arguments, function) \
	[number] = { #text, arguments },
#define NAME(number, text) [number] = { #text, "xxxxxx" },

static const struct description descriptions[CALL_COUNT] = {
#include "calls.def"
};

#undef CALL
#undef NAME

static const char *const error_names[] = {
#define ERROR(number, name, text) [number] = #name,
#define ALIAS(name, other)
#include <lib/own/bennu/errors.def>
#undef ERROR
#undef ALIAS
	[RESTART_SYS] = "ERESTARTSYS", [RESTART_ALWAYS] = "ERESTARTNOINTR",
	[RESTART_NO_HANDLER] = "ERESTARTNOHAND",
	[RESTART_BLOCK] = "ERESTART_RESTARTBLOCK",
};

struct line {
	char	 text[LINE_MAX];
	unsigned length;
};

static void
put_char(struct line *line, char c)
{
	if (line->length < LINE_MAX - 1)
		line->text[line->length++] = c;
}

static void
put_text(struct line *line, const char *text)
{
	while (*text != 0)
		put_char(line, *text++);
}

static void
put_unsigned(struct line *line, uint64_t value, unsigned base)
{
	char digits[24];
	unsigned count = 0;

	do {
		digits[count++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value != 0);
	while (count > 0)
		put_char(line, digits[--count]);
}

static void
put_signed(struct line *line, int64_t value)
{
	if (value < 0)
		put_char(line, '-');
	put_unsigned(line, value < 0 ? 0 - (uint64_t)value : (uint64_t)value,
	    10);
}

static void
put_byte(struct line *line, unsigned char c)
{
	static const char escapes[] = "\nn\tt\rr\"\"\\\\";

	for (unsigned i = 0; i + 1 < sizeof(escapes); i += 2) {
		if (c == (unsigned char)escapes[i]) {
			put_char(line, '\\');
			put_char(line, escapes[i + 1]);
			return;
		}
	}
	if (c >= ' ' && c < 0x7f) {
		put_char(line, (char)c);
		return;
	}
	put_char(line, '\\');
	put_unsigned(line, c, 8);
}

static void
put_quoted(struct line *line, uint64_t address, uint64_t length, bool string)
{
	char copy[TEXT_MAX + 1];
	uint64_t shown = length < TEXT_MAX ? length : TEXT_MAX;
	bool more = length > TEXT_MAX;

	if (string) {
		long got = user_string(copy, (const char *)address,
		    sizeof(copy));
		more = got == -E_NAMETOOLONG;
		shown = more ? TEXT_MAX : got < 0 ? 0 : (uint64_t)got;
		if (got < 0 && !more)
			address = 0;
	} else if (user_read(copy, (const void *)address, shown) != 0) {
		address = 0;
	}
	if (address == 0) {
		put_text(line, "?");
		return;
	}
	put_char(line, '"');
	for (uint64_t i = 0; i < shown; i++)
		put_byte(line, (unsigned char)copy[i]);
	put_text(line, more ? "\"..." : "\"");
}

static void
put_hex(struct line *line, uint64_t value)
{
	if (value != 0)
		put_text(line, "0x");
	put_unsigned(line, value, 16);
}

static void
put_argument(struct line *line, char kind, const uint64_t *value)
{
	switch (kind) {
	case 'd':
		put_signed(line, (int32_t)*value);
		break;
	case 'l':
		put_signed(line, (int64_t)*value);
		break;
	case 'u':
		put_unsigned(line, *value, 10);
		break;
	case 'o':
		if (*value != 0)
			put_char(line, '0');
		put_unsigned(line, (uint32_t)*value, 8);
		break;
	case 's':
	case 'b':
		if (*value == 0)
			put_text(line, "NULL");
		else
			put_quoted(line, *value, value[1], kind == 's');
		break;
	case 'p':
		if (*value == 0)
			put_text(line, "NULL");
		else
			put_hex(line, *value);
		break;
	default:
		put_hex(line, *value);
	}
}

static void
put_call(struct line *line, uint64_t number, const uint64_t *value)
{
	bool own = own_active();
	const char *name = own ? own_name(number) : descriptions[number].name;
	const char *kinds = name == NULL ? "xxxxxx" :
	    own ? own_arguments(number) : descriptions[number].arguments;

	line->length = 0;
	put_char(line, '[');
	put_unsigned(line, INFO->pid, 10);
	put_text(line, "] ");
	if (name != NULL) {
		put_text(line, name);
	} else {
		put_text(line, "syscall_");
		put_unsigned(line, number, 10);
	}
	put_char(line, '(');
	for (unsigned i = 0; i < ARGUMENTS && kinds[i] != 0; i++) {
		if (i != 0)
			put_text(line, ", ");
		put_argument(line, kinds[i], &value[i]);
	}
	put_text(line, ") = ");
}

static void
put_result(struct line *line, long result, uint64_t ticks)
{
	if (result < 0 && result > -4096) {
		uint64_t error = (uint64_t)-result;
		put_text(line, "-1 ");
		if (error < sizeof(error_names) / sizeof(error_names[0]) &&
		    error_names[error] != NULL)
			put_text(line, error_names[error]);
		else
			put_unsigned(line, error, 10);
	} else if (result > 0xffffff || result < 0) {
		put_hex(line, (uint64_t)result);
	} else {
		put_signed(line, result);
	}
	put_text(line, " <");
	put_unsigned(line, ticks, 10);
	put_char(line, '>');
}

static void
write_line(struct line *line)
{
	uint64_t done;

	line->text[line->length++] = '\n';
	service_insist_begin();
	console_write(PROCESS_CONSOLE, CONSOLE_STREAM_TRACE, line->text,
	    line->length, &done);
	service_insist_end();
}

/* exit, exit_group, rt_sigreturn; execve when it succeeds; arch_prctl. */
static bool
may_not_return(uint64_t number)
{
	if (own_active())
		return own_may_not_return(number);
	return number == 15 || number == 59 || number == 60 || number == 158 ||
	    number == 231 || number == 322;
}

static uint64_t
read_tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

void
trace_signal(const struct linux_siginfo *info, uint64_t rip)
{
	static struct line line;

	if (thread_block.table != table_traced)
		return;
	line.length = 0;
	put_char(&line, '[');
	put_unsigned(&line, INFO->pid, 10);
	put_text(&line, "] --- signal ");
	put_signed(&line, info->signo);
	put_text(&line, " code ");
	put_signed(&line, info->code);
	put_text(&line, " address ");
	put_hex(&line, info->address);
	put_text(&line, " at ");
	put_hex(&line, rip);
	write_line(&line);
}

typedef long (*call_function)(uint64_t, uint64_t, uint64_t, uint64_t,
    uint64_t, uint64_t);

/*
 * fork, clone, sigreturn and arch_prctl find the callee-saved registers of the
 * program in the thread block: the compiler keeps some of ours in them here, so
 * the entry code of those calls must not store them again. trace_enter, in
 * entry.S, stored them before this function ran.
 */
long
trace_call(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
    uint64_t f)
{
	static struct line line;
	uint64_t number = thread_block.number;
	uint64_t values[ARGUMENTS + 1] = { a, b, c, d, e, f, 0 };

	put_call(&line, number, values);
	if (may_not_return(number)) {
		unsigned kept = line.length;
		put_text(&line, "?");
		write_line(&line);
		line.length = kept;
	}
	uint64_t start = read_tsc();
	long result = own_active() ? own_call(number, values) :
	    ((call_function)table_plain[number])(a, b, c, d, e, f);
	uint64_t ticks = read_tsc() - start;
	/* The child of a fork does not come here; its memory is a copy. */
	put_result(&line, result, ticks);
	write_line(&line);
	return result;
}
