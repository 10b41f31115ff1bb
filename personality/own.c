/* SPDX-License-Identifier: MIT */
#include "own.h"

#include "hot.h"
#include "process.h"
#include "table.h"

#include <lib/base/string.h>

#define NOTE_NAME	"Bennu"
#define NOTE_TYPE	1u
#define ABI_VERSION	1u
#define ADAPTED		UINT16_MAX
#define LINE_MAX	512u

extern const uint8_t vdso_start[], vdso_own_return[];

struct call {
	const char *name, *arguments;
	uint16_t linux;		/* that does the same, or ADAPTED */
};

static const struct call calls[OWN_CALLS] = {
#define CALL(number, NAME, name, arguments, linux) \
	[number] = { #name, arguments, linux },
#include <lib/own/bennu/calls.def>
#undef CALL
};

#define ADAPTER(NAME, name) [OWN_##NAME] = (table_function)own_##name

static const table_function adapters[OWN_CALLS] = {
	ADAPTER(EXIT, exit),
	ADAPTER(WAITPID, waitpid),
	ADAPTER(MKNOD, mknod),
	ADAPTER(UMOUNT, umount),
	ADAPTER(STIME, stime),
	ADAPTER(NICE, nice),
	ADAPTER(BRK, brk),
	ADAPTER(SIGNAL, signal),
	ADAPTER(USTAT, ustat),
	ADAPTER(SIGACTION, sigaction),
	ADAPTER(SGETMASK, sgetmask),
	ADAPTER(SSETMASK, ssetmask),
	ADAPTER(SIGSUSPEND, sigsuspend),
	ADAPTER(SIGPENDING, sigpending),
	ADAPTER(SETTIMEOFDAY, settimeofday),
	ADAPTER(REBOOT, reboot),
	ADAPTER(READDIR, readdir),
	ADAPTER(IOPERM, ioperm),
	ADAPTER(SOCKETCALL, socketcall),
	ADAPTER(UNAME, uname),
	ADAPTER(IOPL, iopl),
	ADAPTER(VHANGUP, vhangup),
	ADAPTER(SPAWN, spawn),
};

typedef long (*call_function)(uint64_t, uint64_t, uint64_t, uint64_t,
    uint64_t, uint64_t);

static table_function own_table[CALL_COUNT];
static uint16_t unmapped[OWN_CALLS + 1];	/* last: all other numbers */
HOT static uint64_t restorer;
HOT static bool active, unmapped_any;

/* Not served: counted, and told when the process ends. */
static long
own_unknown(void)
{
	uint64_t number = thread_block.number;
	uint16_t *count = &unmapped[number < OWN_CALLS ? number : OWN_CALLS];

	*count += *count < UINT16_MAX;
	unmapped_any = true;
	return -E_NOSYS;
}

void
own_init(void)
{
	for (unsigned i = 0; i < CALL_COUNT; i++)
		own_table[i] = (table_function)own_unknown;
	for (unsigned i = 0; i < OWN_CALLS; i++) {
		table_function same = calls[i].linux == ADAPTED ?
		    adapters[i] : table_plain[calls[i].linux];

		if (same != (table_function)call_unknown)
			own_table[i] = same;
	}
}

long
own_recognize(const struct image *image, const struct image_head *head,
    bool *out_own)
{
	uint32_t version;

	*out_own = elf_note(head->bytes, head->length, NOTE_NAME, NOTE_TYPE,
	    &version);
	if (*out_own && (version != ABI_VERSION ||
	    image->elf.interpreter != 0))
		return -E_NOEXEC;
	return 0;
}

void
own_begin(bool is_own, uint64_t vdso)
{
	if (active && !is_own)
		own_report_unmapped();
	active = is_own;
	restorer = vdso == 0 ? 0 :
	    vdso + (uint64_t)(vdso_own_return - vdso_start);
	spawn_done();
	table_use(is_own ? own_table : table_plain);
}

bool
own_active(void)
{
	return active;
}

const char *
own_name(uint64_t number)
{
	return number < OWN_CALLS ? calls[number].name : NULL;
}

const char *
own_arguments(uint64_t number)
{
	return calls[number].arguments;
}

long
own_call(uint64_t number, const uint64_t a[6])
{
	return ((call_function)own_table[number])(a[0], a[1], a[2], a[3], a[4],
	    a[5]);
}

long
own_linux(uint64_t number, const uint64_t a[6])
{
	if (table_plain[number] == (table_function)call_unknown)
		return own_unknown();
	return ((call_function)table_plain[number])(a[0], a[1], a[2], a[3],
	    a[4], a[5]);
}

bool
own_may_not_return(uint64_t number)
{
	return number == OWN_EXIT || number == OWN_EXECVE ||
	    number == OWN_SIGRETURN;
}

uint64_t
own_restorer(void)
{
	return active ? restorer : 0;
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
own_report_unmapped(void)
{
	char line[LINE_MAX], *at = line;
	const char *limit = line + sizeof(line) - 64;

	if (!unmapped_any)
		return;
	at = put_text(at, "unmapped own call");
	for (unsigned i = 0; i <= OWN_CALLS && at < limit; i++) {
		char digits[6];
		unsigned count = 0, left = unmapped[i];

		if (left == 0)
			continue;
		at = put_text(at, " ");
		at = put_text(at, i < OWN_CALLS ? calls[i].name : "other");
		at = put_text(at, " x");
		for (; left != 0; left /= 10)
			digits[count++] = (char)('0' + left % 10);
		while (count > 0)
			*at++ = digits[--count];
	}
	at = put_text(at, "\n");
	*at = 0;
	unmapped_any = false;
	memset(unmapped, 0, sizeof(unmapped));
	process_log(line);
}
