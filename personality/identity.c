/* SPDX-License-Identifier: MIT */
/*
 * Who the process is: asked of proc, which keeps it. What may be read without
 * asking is in the info page.
 */
#include "calls.h"
#include "file.h"
#include "privilege.h"
#include "process.h"
#include "service.h"
#include "thread.h"
#include "user.h"

#include <idl/identity_client.h>
#include <idl/privilege.h>
#include <idl/process.h>

/* proc decides; the own handles may have become useless meanwhile. */
static long
set_ids(uint32_t how, uint32_t real, uint32_t effective, uint32_t saved)
{
	const struct identity_set_ids_args in = { how, real, effective,
		saved };
	uint32_t before;
	long error = identity_set_ids(PROCESS_PROC, &in, &before);

	if (error == 0)
		path_renew();
	return error != 0 ? error : (how & ~IDS_GROUP) == IDS_FILES ?
	    (long)before : 0;
}

long
linux_setresuid(uint32_t real, uint32_t effective, uint32_t saved)
{
	return set_ids(IDS_THREE, real, effective, saved);
}

long
linux_setresgid(uint32_t real, uint32_t effective, uint32_t saved)
{
	return set_ids(IDS_THREE | IDS_GROUP, real, effective, saved);
}

long
linux_setreuid(uint32_t real, uint32_t effective)
{
	return set_ids(IDS_TWO, real, effective, 0);
}

long
linux_setregid(uint32_t real, uint32_t effective)
{
	return set_ids(IDS_TWO | IDS_GROUP, real, effective, 0);
}

long
linux_setuid(uint32_t id)
{
	return set_ids(IDS_ONE, id, 0, 0);
}

long
linux_setgid(uint32_t id)
{
	return set_ids(IDS_ONE | IDS_GROUP, id, 0, 0);
}

/* These tell what was, and never fail. */
long
linux_setfsuid(uint32_t id)
{
	return set_ids(IDS_FILES, id, 0, 0);
}

long
linux_setfsgid(uint32_t id)
{
	return set_ids(IDS_FILES | IDS_GROUP, id, 0, 0);
}

static long
three(const uint32_t value[3], uint32_t *out[3])
{
	for (int i = 0; i < 3; i++) {
		if (user_write(out[i], &value[i], sizeof(value[i])) != 0)
			return -E_FAULT;
	}
	return 0;
}

long
linux_getresuid(uint32_t *real, uint32_t *effective, uint32_t *saved)
{
	return three((uint32_t[3]){ INFO->uid, INFO->euid, INFO->suid },
	    (uint32_t *[3]){ real, effective, saved });
}

long
linux_getresgid(uint32_t *real, uint32_t *effective, uint32_t *saved)
{
	return three((uint32_t[3]){ INFO->gid, INFO->egid, INFO->sgid },
	    (uint32_t *[3]){ real, effective, saved });
}

/* The list travels in pieces of the program's memory: it may be anywhere. */
long
linux_setgroups(unsigned count, const uint32_t *list)
{
	uint32_t groups[IDENTITY_GROUPS_MAX];

	/* Who may not is told so first; more than there may be is the same. */
	if (count > IDENTITY_GROUPS_MAX) {
		long may = privilege_has(PRIVILEGE_SETGID);
		return may == 0 ? -E_PERM : may < 0 ? may : -E_INVAL;
	}
	if (count != 0 && user_read(groups, list, count * sizeof(*list)) != 0)
		return -E_FAULT;
	long error = identity_set_groups(PROCESS_PROC, groups,
	    count * sizeof(*list));
	if (error == 0)
		path_renew();
	return error;
}

long
linux_getgroups(int size, uint32_t *list)
{
	uint32_t groups[IDENTITY_GROUPS_MAX];
	struct identity_get_groups_results got;

	if (size < 0)
		return -E_INVAL;
	long error = identity_get_groups(PROCESS_PROC, groups, sizeof(groups),
	    &got);
	if (error != 0 || size == 0)
		return error != 0 ? error : (long)got.count;
	if (got.count > (uint32_t)size)
		return -E_INVAL;
	return user_write(list, groups, got.count * sizeof(*list)) != 0 ?
	    -E_FAULT : (long)got.count;
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
