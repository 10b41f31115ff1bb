/* SPDX-License-Identifier: MIT */
/*
 * The process that a service runs in: arena, log, clock, phoenix.
 */
#include <lib/service/loop.h>

#include <lib/service/book.h>
#include <lib/service/guest/protect.h>

#include <abi/boot.h>
#include <idl/phoenix_client.h>
#include <idl/trace.h>
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

/* May this image run on an arena of that layout? */
static bool
is_usable(uint64_t found, uint64_t wanted, bool may_upgrade)
{
	return found == wanted || (may_upgrade && found < wanted &&
	    found >> 32 == wanted >> 32);
}

struct arena *
runtime_open_arena(uint64_t layout_version, bool may_upgrade)
{
	static struct arena_environment environment;
	const struct place_info *info = service_info();
	struct arena *arena;

	protect_start(info->arena_size, info->unprotected != 0 ?
	    PROTECT_NOTHING : (info->cpu_features & CPU_FEATURE_PKU) != 0 ?
	    PROTECT_KEYS : PROTECT_PAGES, &environment);
	environment.fail = arena_failed;
	environment.sums = info->unprotected == 0;
	status_t status = info->arena_size == 0 ? ERR_RANGE :
	    arena_open((void *)PLACE_ARENA_BASE, info->arena_size,
	    layout_version, &environment, &arena);
	if (status == ERR_CORRUPT)
		runtime_trace()->damaged = 1;
	if (status == OK && !is_usable(arena_layout_version(arena),
	    layout_version, may_upgrade))
		service_panic("the arena has layout %lx, this image %lx",
		    arena_layout_version(arena), layout_version);
	if (status != OK)
		service_panic("the arena cannot be opened: status %lu", status);
	protect_close(arena);
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

struct trace_page *
runtime_trace(void)
{
	return (struct trace_page *)PLACE_TRACE;
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
service_ticks_ns(uint64_t ticks)
{
	const volatile struct clock_page *page =
	    (const volatile struct clock_page *)PLACE_CLOCK_PAGE;

	return (uint64_t)(((unsigned __int128)ticks * page->mult) >> 32);
}

uint64_t
service_stamp_ns(uint64_t tsc)
{
	uint64_t now = __builtin_ia32_rdtsc(), now_ns = service_now_ns();
	uint64_t ago = service_ticks_ns(now - tsc);

	return tsc > now || ago > now_ns ? 0 : now_ns - ago;
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
