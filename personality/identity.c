/* SPDX-License-Identifier: MIT */
/*
 * What a process may do.
 *
 * Users do not change yet: a call that asks for the ids that the process has
 * succeeds, any other is not served.
 */
#include "calls.h"
#include "process.h"
#include "service.h"
#include "thread.h"
#include "user.h"

#include <idl/process.h>

#define SAME	UINT32_MAX	/* an id that shall stay */

static long
stays(uint32_t id, uint32_t now)
{
	return id == SAME || id == now ? 0 : -E_NOSYS;
}

static long
all_stay(const uint32_t id[3], const uint32_t now[3])
{
	for (unsigned i = 0; i < 3; i++) {
		if (stays(id[i], now[i]) != 0)
			return -E_NOSYS;
	}
	return 0;
}

long
linux_setresuid(uint32_t real, uint32_t effective, uint32_t saved)
{
	return all_stay((uint32_t[3]){ real, effective, saved },
	    (uint32_t[3]){ INFO->uid, INFO->euid, INFO->euid });
}

long
linux_setresgid(uint32_t real, uint32_t effective, uint32_t saved)
{
	return all_stay((uint32_t[3]){ real, effective, saved },
	    (uint32_t[3]){ INFO->gid, INFO->egid, INFO->egid });
}

long
linux_setreuid(uint32_t real, uint32_t effective)
{
	return linux_setresuid(real, effective, SAME);
}

long
linux_setregid(uint32_t real, uint32_t effective)
{
	return linux_setresgid(real, effective, SAME);
}

long
linux_setuid(uint32_t id)
{
	return id == SAME ? -E_INVAL : linux_setresuid(id, id, id);
}

long
linux_setgid(uint32_t id)
{
	return id == SAME ? -E_INVAL : linux_setresgid(id, id, id);
}

#define GROUPS_MAX	65536u

/* The own group adds nothing, so a list of it is the empty one. */
long
linux_setgroups(unsigned count, const uint32_t *list)
{
	uint32_t group;

	if (INFO->euid != 0)
		return -E_PERM;
	if (count > GROUPS_MAX)
		return -E_INVAL;
	for (unsigned i = 0; i < count; i++) {
		if (user_read(&group, list + i, sizeof(group)) != 0)
			return -E_FAULT;
		if (group != INFO->egid)
			return -E_NOSYS;
	}
	return 0;
}

#define CAPABILITY_VERSION	0x20080522u
#define CAPABILITY_HIGH		0x1ffu	/* 41 of them */

/* Linux's capabilities: root has all, others none. */
long
linux_capget(uint32_t *header, uint32_t *data)
{
	uint32_t head[2], all = INFO->euid == 0 ? ~0u : 0;
	uint32_t high = all & CAPABILITY_HIGH;

	if (user_read(head, header, sizeof(head)) != 0)
		return -E_FAULT;
	if (head[0] != CAPABILITY_VERSION) {
		head[0] = CAPABILITY_VERSION;
		if (user_write(header, head, sizeof(head[0])) != 0)
			return -E_FAULT;
		return data == NULL ? 0 : -E_INVAL;
	}
	if ((int32_t)head[1] < 0)
		return -E_INVAL;
	if (head[1] != 0 && linux_getpgid((int)head[1]) < 0)
		return -E_SRCH;
	/* Effective, permitted, inheritable; low words, then high ones. */
	uint32_t words[6] = { all, all, 0, high, high, 0 };
	return user_write(data, words, sizeof(words));
}

/* 0, or an error: is there such a process? */
static long
process_exists(int pid)
{
	long group = pid == 0 ? 0 : linux_getpgid(pid);

	return group < 0 ? group : 0;
}

#define IO_PROCESS	1
#define IO_LAST		3
#define IO_CLASS_SHIFT	13
#define IO_CLASS_LAST	3
#define IO_LEVELS	8

static int io_priority;

/* Files are in memory: nothing waits for a disk in any order. */
long
linux_ioprio_set(int kind, int id, int value)
{
	int class = value >> IO_CLASS_SHIFT;
	int level = value & ((1 << IO_CLASS_SHIFT) - 1);

	if (kind < IO_PROCESS || kind > IO_LAST || class < 0 ||
	    class > IO_CLASS_LAST || level >= IO_LEVELS ||
	    (class == 0 && level != 0))
		return -E_INVAL;
	if (kind != IO_PROCESS)
		return -E_NOSYS;
	if (id != 0 && id != (int)INFO->pid)
		return process_exists(id) == 0 ? -E_PERM : -E_SRCH;
	io_priority = value;
	return 0;
}

long
linux_ioprio_get(int kind, int id)
{
	if (kind < IO_PROCESS || kind > IO_LAST)
		return -E_INVAL;
	if (kind != IO_PROCESS)
		return -E_NOSYS;
	if (id != 0 && id != (int)INFO->pid)
		return process_exists(id);
	return io_priority;
}

/* There are no namespaces to leave. */
long
linux_unshare(uint64_t flags)
{
	return flags == 0 ? 0 : -E_INVAL;
}
