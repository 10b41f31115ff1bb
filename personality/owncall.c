/* SPDX-License-Identifier: MIT */
/*
 * Calls of the own table that no call of Linux on this machine equals. What
 * they mean is said in docs/design/own-abi.md.
 *
 * What a program has no authority for, and nobody could give it (the clock,
 * the power, I/O ports), is EPERM after the arguments were looked at.
 */
#include "own.h"

#include "calls.h"
#include "signals.h"
#include "thread.h"
#include "user.h"

#include <lib/base/string.h>

/* Numbers of Linux. */
#define RT_SIGACTION	13u
#define RT_SIGPENDING	127u
#define RT_SIGSUSPEND	130u
#define WAIT4		61u
#define UMOUNT2		166u
#define EXIT_GROUP	231u

#define MASK_SIZE	8u
#define LOW_SIGNALS	0xfffffffful	/* that sgetmask knows */
#define NICE_RANGE	40
#define NICE_BASE	20		/* getpriority tells 20 less the value */
#define MICROSECONDS	1000000
#define PORTS		65536ul

long
own_exit(int status)
{
	return own_linux(EXIT_GROUP, (uint64_t[6]){ (uint64_t)status });
}

long
own_waitpid(int pid, int *status, unsigned options)
{
	return own_linux(WAIT4, (uint64_t[6]){ (uint64_t)pid,
	    (uint64_t)status, options });
}

long
own_umount(const char *target)
{
	return own_linux(UMOUNT2, (uint64_t[6]){ (uint64_t)target });
}

/* Of the caller; EPERM for what only root may, as nice always said. */
long
own_nice(int increment)
{
	long now = linux_getpriority(0, 0);

	if (now < 0)
		return now;
	if (increment < -NICE_RANGE)
		increment = -NICE_RANGE;
	if (increment > NICE_RANGE)
		increment = NICE_RANGE;
	long error = linux_setpriority(0, 0,
	    NICE_BASE - (int)now + increment);
	return error == -E_ACCES ? -E_PERM : error;
}

/* Where the data ends then; 0 only asks. */
long
own_brk(uint64_t end)
{
	long now = linux_brk(end);

	return end == 0 || (uint64_t)now == end ? now : -E_NOMEM;
}

/* Signals */

/* The handler stays, and blocks its signal; calls go on after it. */
long
own_signal(int number, uint64_t handler)
{
	const struct linux_sigaction act = {
		.handler = handler, .flags = L_SA_RESTART,
	};
	struct linux_sigaction before;

	if (handler >= PROGRAM_HIGH)
		return -E_INVAL;
	long error = signal_action(number, &act, &before);
	return error != 0 ? error : (long)before.handler;
}

long
own_sigaction(int number, const struct linux_sigaction *new,
    struct linux_sigaction *old)
{
	return own_linux(RT_SIGACTION, (uint64_t[6]){ (uint64_t)number,
	    (uint64_t)new, (uint64_t)old, MASK_SIZE });
}

long
own_sgetmask(void)
{
	return (long)(signal_state.blocked & LOW_SIGNALS);
}

/* Signals above 32 stay as they are: who knows no more cannot mean them. */
long
own_ssetmask(uint32_t mask)
{
	uint64_t before = signal_state.blocked;

	signal_set_mask((before & ~LOW_SIGNALS) | mask);
	signal_keep_blocked();
	return (long)(before & LOW_SIGNALS);
}

long
own_sigsuspend(const uint64_t *mask)
{
	return own_linux(RT_SIGSUSPEND, (uint64_t[6]){ (uint64_t)mask,
	    MASK_SIZE });
}

long
own_sigpending(uint64_t *out)
{
	return own_linux(RT_SIGPENDING, (uint64_t[6]){ (uint64_t)out,
	    MASK_SIZE });
}

/* The clock */

long
own_stime(const int64_t *from)
{
	int64_t seconds;

	if (user_read(&seconds, from, sizeof(seconds)) != 0)
		return -E_FAULT;
	return seconds < 0 ? -E_INVAL : -E_PERM;
}

/* Nothing to set is no error. */
long
own_settimeofday(const struct linux_timeval *time, const int32_t *zone)
{
	struct linux_timeval t = { 0, 0 };
	int32_t z[2];

	if ((time != NULL && user_read(&t, time, sizeof(t)) != 0) ||
	    (zone != NULL && user_read(z, zone, sizeof(z)) != 0))
		return -E_FAULT;
	if (t.seconds < 0 || t.microseconds < 0 ||
	    t.microseconds >= MICROSECONDS)
		return -E_INVAL;
	return time == NULL && zone == NULL ? 0 : -E_PERM;
}

/* The machine */

#define REBOOT_MAGIC	0xfee1deadu

static bool
is_magic2(uint32_t magic)
{
	return magic == 672274793 || magic == 85072278 ||
	    magic == 369367448 || magic == 537993216;
}

long
own_reboot(uint32_t magic, uint32_t magic2, uint32_t command,
    const void *argument)
{
	(void)command;
	(void)argument;
	return magic != REBOOT_MAGIC || !is_magic2(magic2) ? -E_INVAL :
	    -E_PERM;
}

/* To give up what nobody has works. */
long
own_ioperm(uint64_t from, uint64_t count, int on)
{
	if (count == 0 || from >= PORTS || count > PORTS - from)
		return -E_INVAL;
	return on != 0 ? -E_PERM : 0;
}

long
own_iopl(unsigned level)
{
	return level > 3 ? -E_INVAL : level != 0 ? -E_PERM : 0;
}

long
own_vhangup(void)
{
	return -E_PERM;
}

/* sysname and release are those of this interface, the rest as for all. */
long
own_uname(void *out)
{
	static const struct {
		char sysname[65], nodename[65], release[65];
	} own = { "Bennu", "", "1" };
	long error = linux_uname(out);

	if (error == 0)
		error = user_write(out, own.sysname, sizeof(own.sysname));
	return error != 0 ? error : user_write((char *)out +
	    offsetof(__typeof__(own), release), own.release,
	    sizeof(own.release));
}

/* Sockets */

long
own_socketcall(int kind, const uint64_t *from)
{
	/* Linux's number and how many arguments; 1 to 20. */
	static const struct {
		uint16_t number, count;
	} kinds[] = {
		{ 0, 0 }, { 41, 3 }, { 49, 3 }, { 42, 3 }, { 50, 2 },
		{ 43, 3 }, { 51, 3 }, { 52, 3 }, { 53, 4 }, { 44, 4 },
		{ 45, 4 }, { 44, 6 }, { 45, 6 }, { 48, 2 }, { 54, 5 },
		{ 55, 5 }, { 46, 3 }, { 47, 3 }, { 288, 4 }, { 299, 5 },
		{ 307, 4 },
	};
	uint64_t arguments[6] = { 0 };

	if (kind < 1 || kind >= (int)(sizeof(kinds) / sizeof(kinds[0])))
		return -E_INVAL;
	if (user_read(arguments, from,
	    kinds[kind].count * sizeof(arguments[0])) != 0)
		return -E_FAULT;
	return own_linux(kinds[kind].number, arguments);
}
