/* SPDX-License-Identifier: MIT */
/*
 * Dispatch: the entry code jumps through a table of CALL_COUNT functions. When
 * tracing, another table sends every number to trace_call, which uses this one.
 *
 * A number without a function is answered with ENOSYS and counted; the counts
 * are written once, when the process ends. Nothing pretends to work.
 */
#include "table.h"

#include "calls.h"
#include "hot.h"
#include "process.h"
#include "thread.h"

#include <lib/base/string.h>
#include <stdbool.h>

#define CALL_RSEQ	334u
#define CALL_CLONE3	435u

long full_linux_fork(void);
long full_linux_vfork(void);
long full_linux_clone(void);
long full_linux_rt_sigreturn(void);
long full_linux_arch_prctl(void);

#define CALL(number, name, arguments, function) \
	[number] = (table_function)(function),
#define NAME(number, name)

/* Filled by table_select where it is empty. */
table_function table_plain[CALL_COUNT] = {
#include "calls.def"
};

table_function table_traced[CALL_COUNT];
static uint16_t unmapped[CALL_COUNT];
static uint32_t unmapped_other;
HOT static bool unmapped_any;	/* one that the report is about */

#undef CALL
#undef NAME

long
call_unknown(void)
{
	uint64_t number = thread_block.number;

	/* C libraries only try these two and go on without. */
	if (number == CALL_RSEQ || number == CALL_CLONE3)
		return -E_NOSYS;
	if (number >= CALL_COUNT)
		unmapped_other++;
	else if (unmapped[number] < UINT16_MAX)
		unmapped[number]++;
	unmapped_any = true;
	return -E_NOSYS;
}

void
table_select(int traced)
{
	for (unsigned i = 0; i < CALL_COUNT; i++) {
		if (table_plain[i] == NULL)
			table_plain[i] = (table_function)call_unknown;
		table_traced[i] = trace_enter;
	}
	thread_block.table = traced ? table_traced : table_plain;
}

void
table_use(const table_function *table)
{
	if (thread_block.table != table_traced)
		thread_block.table = table;
}

static char *
put_number(char *at, uint64_t value)
{
	char digits[20];
	unsigned count = 0;

	do {
		digits[count++] = (char)('0' + value % 10);
		value /= 10;
	} while (value != 0);
	while (count > 0)
		*at++ = digits[--count];
	return at;
}

static char *
put_text(char *at, const char *text)
{
	size_t length = strlen(text);

	memcpy(at, text, length);
	return at + length;
}

/* One line; what does not fit is left out. */
void
table_report_unmapped(void)
{
	static char line[512];
	char *at = line;
	const char *limit = line + sizeof(line) - 64;

	/* A child that ends at once touches nothing here. */
	if (!unmapped_any)
		return;
	for (unsigned i = 0; i < CALL_COUNT && at < limit; i++) {
		if (unmapped[i] == 0)
			continue;
		at = put_text(at, at == line ? "unmapped call " : ", ");
		at = put_number(at, i);
		at = put_text(at, " x");
		at = put_number(at, unmapped[i]);
	}
	if (unmapped_other != 0) {
		at = put_text(at, at == line ? "unmapped call " : ", ");
		at = put_text(at, "other x");
		at = put_number(at, unmapped_other);
	}
	at = put_text(at, "\n");
	*at = 0;
	unmapped_any = false;
	memset(unmapped, 0, sizeof(unmapped));
	process_log(line);
}
