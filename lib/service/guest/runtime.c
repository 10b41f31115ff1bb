/* SPDX-License-Identifier: MIT */
/*
 * The process that a service runs in: arena, log, clock, phoenix.
 *
 * A crash point is armed by the boot option crash=SERVICE:POINT:COUNT: the
 * first incarnation stops with an invalid instruction when it passes POINT for
 * the COUNT-th time. With crash=SERVICE:POINT:COUNT:N the first N do.
 */
#include <lib/service/loop.h>

#include <lib/service/book.h>
#include <lib/service/guest/protect.h>

#include <abi/boot.h>
#include <idl/phoenix_client.h>
#include <lib/base/format.h>
#include <lib/base/string.h>
#include <stdarg.h>

_Static_assert(offsetof(struct place_info, seed) == 72, "see start.S");

/* start.S fills it from the seed of the incarnation. */
uintptr_t __stack_chk_guard;
_Noreturn void __stack_chk_fail(void);

#define LINE_MAX	240u	/* of a log line, without its end */

static struct {
	bool	 ready;
	char	 crash_text[48];
	const char *crash_point;	/* in crash_text; NULL = not armed */
	uint64_t crash_countdown;
} runtime;

const struct place_info *
service_info(void)
{
	return (const struct place_info *)PLACE_INFO;
}

static void
log_line(const char *format, va_list arguments)
{
	struct utcb *utcb = (struct utcb *)PLACE_UTCB;
	char *line = (char *)utcb->data;
	size_t length = 0;

	for (const char *name = service_info()->name; *name != '\0'; name++)
		line[length++] = *name;
	line[length++] = ':';
	line[length++] = ' ';
	length += format_print(line + length, LINE_MAX - length, format,
	    arguments);
	if (length > LINE_MAX - 1)
		length = LINE_MAX - 1;
	line[length++] = '\n';
	sys_invoke(SYS_LOG_WRITE, length, 0, 0, 0, 0, 0);
}

void
service_log(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_line(format, arguments);
	va_end(arguments);
}

_Noreturn void
service_panic(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_line(format, arguments);
	va_end(arguments);
	sys_exit(DEATH_PANIC, 0);
}

_Noreturn void
__stack_chk_fail(void)
{
	service_panic("the stack is damaged");
}

static void
arena_failed(const char *reason)
{
	service_panic("arena: %s", reason);
}

struct arena *
runtime_open_arena(uint64_t layout_version)
{
	static struct arena_environment environment;
	const struct place_info *info = service_info();
	struct arena *arena;

	protect_start(info->arena_size, info->unprotected != 0 ?
	    PROTECT_NOTHING : (info->cpu_features & CPU_FEATURE_PKU) != 0 ?
	    PROTECT_KEYS : PROTECT_PAGES, &environment);
	environment.fail = arena_failed;
	status_t status = info->arena_size == 0 ? ERR_RANGE :
	    arena_open((void *)PLACE_ARENA_BASE, info->arena_size,
	    layout_version, &environment, &arena);
	if (status == OK && arena_layout_version(arena) != layout_version)
		status = ERR_CORRUPT;
	if (status != OK)
		service_panic("the arena cannot be opened: status %lu", status);
	protect_close();
	return arena;
}

status_t
service_option(const char *key, char value[48])
{
	struct phoenix_option_results found;
	status_t status = wire_status(phoenix_option(PLACE_PHOENIX, key,
	    &found));

	if (status == OK)
		memcpy(value, found.value, sizeof(found.value));
	return status;
}

void
service_ready(void)
{
	if (!runtime.ready)
		phoenix_ready(PLACE_PHOENIX);
	runtime.ready = true;
}

status_t
service_request(const char *name, cap_t *out_cap)
{
	struct book *book = loop_book();
	cap_t granted = CAP_NONE;
	char text[48];

	wire_text_set(text, sizeof(text), name);
	*out_cap = book_find_request(book, text);
	if (*out_cap != CAP_NONE)
		return OK;
	status_t status = wire_status(phoenix_request(PLACE_PHOENIX, name,
	    &granted));
	if (status != OK)
		return status;
	/* start() already runs in a transaction. */
	bool own = !tx_is_open(book->arena);
	if (own)
		loop_transaction_begin();
	status = book_add_request(book, text, granted);
	if (status == OK)
		*out_cap = granted;
	if (own && status == OK)
		loop_transaction_end();
	else if (own)
		loop_transaction_abort();
	return status;
}

/* Cuts the text at the next colon and returns what lies before it. */
static char *
next_field(char **text)
{
	char *field = *text;

	while (**text != '\0' && **text != ':')
		(*text)++;
	if (**text == ':')
		*(*text)++ = '\0';
	return field;
}

static uint64_t
number(const char *text, uint64_t missing)
{
	uint64_t value = 0;

	if (*text == '\0')
		return missing;
	for (; *text >= '0' && *text <= '9'; text++)
		value = value * 10 + (uint64_t)(*text - '0');
	return value;
}

void
runtime_arm(const char option[48])
{
	char *text = runtime.crash_text;

	memcpy(text, option, sizeof(runtime.crash_text));
	if (strcmp(next_field(&text), service_info()->name) != 0)
		return;
	const char *point = next_field(&text);
	runtime.crash_countdown = number(next_field(&text), 1);
	if (service_info()->incarnation <= number(text, 1))
		runtime.crash_point = point;
}

struct trace_page *
runtime_trace(void)
{
	return (struct trace_page *)PLACE_TRACE;
}

void
runtime_start(void)
{
	char option[48];

	if (service_option("crash", option) == OK)
		runtime_arm(option);
}

void
service_crash_point(const char *name)
{
	if (__builtin_expect(runtime.crash_point == NULL, 1))
		return;
	if (strcmp(runtime.crash_point, name) == 0 &&
	    --runtime.crash_countdown == 0)
		__builtin_trap();
}

static uint64_t
read_clock(bool wall)
{
	const volatile struct clock_page *page =
	    (const volatile struct clock_page *)PLACE_CLOCK_PAGE;
	uint32_t sequence, low, high;
	uint64_t ns;

	do {
		sequence = page->sequence;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
		uint64_t delta = ((uint64_t)high << 32 | low) - page->tsc_base;
		ns = page->ns_base +
		    (uint64_t)(((unsigned __int128)delta * page->mult) >> 32);
		if (wall)
			ns += page->wall_offset_ns;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while ((sequence & 1) != 0 || page->sequence != sequence);
	return ns;
}

uint64_t
service_now_ns(void)
{
	return read_clock(false);
}

uint64_t
service_wall_ns(void)
{
	return read_clock(true);
}
