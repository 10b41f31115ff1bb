/* SPDX-License-Identifier: MIT */
/* What a program asks about the machine and sets for itself. */
#include "calls.h"
#include "clock.h"
#include "file.h"
#include "privilege.h"
#include "process.h"
#include "service.h"
#include "signals.h"
#include "thread.h"
#include "user.h"
#include "view.h"

#include <idl/identity_client.h>
#include <idl/privilege.h>
#include <idl/proc_client.h>
#include <lib/base/string.h>
#include <lib/sys/sys.h>

#define NS	1000000000ul

#define PERSONALITY_ASK		0xffffffffu
#define PERSONALITY_KIND	0xffu
#define PERSONALITY_32		8u
#define MACHINE			4
#define NAME_ROOM		65	/* with its NUL */

static unsigned kind_of_program;

/* Only what uname tells depends on it. */
long
linux_personality(unsigned wanted)
{
	unsigned before = kind_of_program;

	if (wanted != PERSONALITY_ASK)
		kind_of_program = wanted;
	return before;
}

long
linux_uname(void *out)
{
	char names[6][NAME_ROOM] = { "Linux", "", "6.1.0", "#1 Bennu",
	    "x86_64", "" };
	char host[2][NAME_ROOM];
	uint64_t length;

	_Static_assert(sizeof(host) == IDENTITY_HOST_NAMES_BYTES, "names");
	service_insist_begin();
	long error = identity_host_names(PROCESS_PROC, host, sizeof(host),
	    &length);
	service_insist_end();
	if (error != 0)
		return error;
	memcpy(names[1], host[0], NAME_ROOM);
	memcpy(names[5], host[1], NAME_ROOM);
	if ((kind_of_program & PERSONALITY_KIND) == PERSONALITY_32)
		memcpy(names[MACHINE], "i686\0", sizeof("i686\0"));
	return user_write(out, names, sizeof(names));
}

static long
set_host_name(bool domain, const char *from, int length)
{
	char name[IDENTITY_HOST_NAME_MAX] = "";
	uint64_t size = (uint64_t)length;

	if (length < 0 || size > sizeof(name)) {
		long may = privilege_has(PRIVILEGE_SYS_ADMIN);
		return may == 0 ? -E_PERM : may < 0 ? may : -E_INVAL;
	}
	if (user_read(name, from, size) != 0)
		return -E_FAULT;
	return identity_set_host_name(PROCESS_PROC, domain, name, size);
}

long
linux_sethostname(const char *name, int length)
{
	return set_host_name(false, name, length);
}

long
linux_setdomainname(const char *name, int length)
{
	return set_host_name(true, name, length);
}

long
linux_sysinfo(void *out)
{
	struct {
		int64_t uptime;
		uint64_t loads[3], total, free, shared, buffers, swap[2];
		uint16_t processes, pad[3];
		uint64_t high[2];
		uint32_t unit, pad2;
	} info = { .unit = PAGE_SIZE };
	struct proc_machine_results machine;

	_Static_assert(sizeof(info) == 112, "struct sysinfo");
	service_insist_begin();
	long error = proc_machine(PROCESS_PROC, &machine);
	service_insist_end();
	if (error != 0)
		return error;
	info.total = machine.pages;
	info.free = machine.free_pages;
	info.processes = (uint16_t)machine.processes;
	info.uptime = (int64_t)(time_now_ns() / NS);
	return user_write(out, &info, sizeof(info));
}

#define GRND_NONBLOCK	1u
#define GRND_RANDOM	2u
#define GRND_INSECURE	4u

long
linux_getrandom(void *buffer, size_t size, unsigned flags)
{
	uint8_t piece[256];

	if (flags > 7 || (flags & (GRND_RANDOM | GRND_INSECURE)) == 6)
		return -E_INVAL;
	if (size > 0x7fffffff)
		size = 0x7fffffff;
	for (size_t done = 0; done < size;) {
		size_t step = size - done < sizeof(piece) ? size - done :
		    sizeof(piece);
		random_fill(piece, step);
		if (user_write((uint8_t *)buffer + done, piece, step) != 0)
			return done != 0 ? (long)done : -E_FAULT;
		done += step;
	}
	return (long)size;
}

#define PR_SET_NAME	15
#define PR_GET_NAME	16
#define NAME_SIZE	LIBOS_NAME_SIZE

void
process_set_name(const char *name)
{
	size_t length = strnlen(name, NAME_SIZE - 1);

	memset(libos_view.name, 0, NAME_SIZE);
	memcpy(libos_view.name, name, length);
}

static long
set_name(const char *from)
{
	char name[NAME_SIZE] = "";
	long length = user_string(name, from, NAME_SIZE);

	if (length == -E_FAULT)
		return length;
	name[NAME_SIZE - 1] = 0;
	memcpy(libos_view.name, name, NAME_SIZE);
	return 0;
}

long
linux_prctl(int option, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	switch (option) {
	case PR_SET_NAME:
		return set_name((const char *)a);
	case PR_GET_NAME:
		return user_write((void *)a, libos_view.name, NAME_SIZE);
	default:
		return privilege_is_option(option) ? privilege_prctl(option,
		    (uint64_t[]){ a, b, c, d }) : -E_INVAL;
	}
}

#define ARCH_SET_GS	0x1001
#define ARCH_SET_FS	0x1002
#define ARCH_GET_FS	0x1003
#define ARCH_GET_GS	0x1004

/* GS base is the libOS's. FS base is loaded on the way out. */
long
linux_arch_prctl(int code, uint64_t address)
{
	static struct user_frame frame;
	uint64_t base;

	switch (code) {
	case ARCH_SET_FS:
		if (address >= PROGRAM_HIGH)
			return -E_PERM;
		thread_frame(0, &frame);
		frame.fs_base = address;
		thread_resume(&frame);
	case ARCH_GET_FS:
		base = thread_fs_base();
		return user_write((void *)address, &base, sizeof(base));
	case ARCH_SET_GS:
	case ARCH_GET_GS:
		return -E_PERM;
	default:
		return -E_INVAL;
	}
}

/* Cleared by nobody: there is one thread, and nobody waits for its end. */
long
linux_set_tid_address(int *address)
{
	(void)address;
	return INFO->pid;
}

/* Locks in it are of no use to a process with one thread. */
long
linux_set_robust_list(void *head, size_t size)
{
	(void)head;
	return size == 24 ? 0 : -E_INVAL;
}

long
linux_sched_yield(void)
{
	sys_invoke(SYS_THREAD_YIELD, 0, 0, 0, 0, 0, 0);
	return 0;
}

long
linux_getcpu(unsigned *cpu, unsigned *node)
{
	struct sys_result r = sys_invoke(SYS_THREAD_INFO, 0, 0, 0, 0, 0, 0);
	unsigned zero = 0, now = (unsigned)(r.value[1] >> 16);

	if (cpu != NULL && user_write(cpu, &now, sizeof(now)) != 0)
		return -E_FAULT;
	if (node != NULL && user_write(node, &zero, sizeof(zero)) != 0)
		return -E_FAULT;
	return 0;
}

#define FUTEX_COMMAND		0x7f
#define FUTEX_WAIT		0
#define FUTEX_WAKE		1
#define FUTEX_REQUEUE		3
#define FUTEX_CMP_REQUEUE	4
#define FUTEX_WAIT_BITSET	9
#define FUTEX_WAKE_BITSET	10
#define FUTEX_CLOCK_REALTIME	0x100

static long
futex_wait(uint32_t *word, int operation, uint32_t value,
    const struct linux_timespec *timeout)
{
	uint64_t deadline = DEADLINE_NEVER;
	uint32_t now;

	if (timeout != NULL) {
		long error = time_deadline(timeout, &deadline);
		if (error != 0)
			return error;
		if ((operation & FUTEX_COMMAND) == FUTEX_WAIT_BITSET) {
			/* Given as an absolute time. */
			deadline -= time_now_ns();
			if ((operation & FUTEX_CLOCK_REALTIME) != 0)
				deadline -= time_wall_offset_ns();
		}
	}
	if (user_read(&now, word, sizeof(now)) != 0)
		return -E_FAULT;
	if (now != value)
		return -E_AGAIN;
	status_t status = time_wait(deadline);
	if (status == ERR_TIMEOUT)
		return -E_TIMEDOUT;
	signal_look_again();
	return -RESTART_SYS;
}

/* One thread, and no futexes between processes: nobody ever wakes a waiter. */
long
linux_futex(uint32_t *word, int operation, uint32_t value,
    const struct linux_timespec *timeout)
{
	if ((uint64_t)word % 4 != 0)
		return -E_INVAL;
	switch (operation & FUTEX_COMMAND) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
		return futex_wait(word, operation, value, timeout);
	case FUTEX_WAKE:
	case FUTEX_WAKE_BITSET:
	case FUTEX_REQUEUE:
	case FUTEX_CMP_REQUEUE:
		return 0;
	default:
		return -E_NOSYS;
	}
}
