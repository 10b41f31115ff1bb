/* SPDX-License-Identifier: MIT */
/*
 * How much of the machine a process gets, and which part of it.
 *
 * There is one class for programs, SCHED_OTHER; BATCH and IDLE are taken and
 * told again, with no effect. Real-time classes are refused as to a user who has
 * no right to them.
 */
#include "calls.h"
#include "process.h"
#include "service.h"
#include "thread.h"
#include "user.h"

#include <idl/proc_client.h>
#include <lib/base/string.h>
#include <lib/sys/sys.h>

static long
nice_request(bool set, int kind, int id, int nice)
{
	const struct proc_nice_args in = {
		.set = set, .kind = (uint32_t)kind, .id = id, .value = nice,
	};
	int32_t value;

	if (kind < 0)
		return -E_INVAL;
	long error = proc_nice(PROCESS_PROC, &in, &value);
	/* Linux tells 40 to 1, for a negative number would be an error. */
	return error != 0 ? error : 20 - value;
}

long
linux_getpriority(int kind, int id)
{
	return nice_request(false, kind, id, 0);
}

long
linux_setpriority(int kind, int id, int nice)
{
	long result = nice_request(true, kind, id, nice);

	return result < 0 ? result : 0;
}

/* 0, or an error: is there such a process? */
static long
process_exists(int pid)
{
	long group = pid == 0 ? 0 : linux_getpgid(pid);

	return group < 0 ? group : 0;
}

/* Which CPUs */

static uint64_t
cpus(void)
{
	struct sys_result r = sys_invoke(SYS_SYSTEM_INFO, PROCESS_CONTAINER, 0,
	    0, 0, 0, 0);
	const struct system_info *info =
	    (const struct system_info *)UTCB->data;

	if (r.status != OK || info->cpus == 0)
		return 1;
	return info->cpus >= 64 ? ~0ul : (1ul << info->cpus) - 1;
}

long
linux_sched_getaffinity(int pid, unsigned size, uint8_t *mask)
{
	uint64_t allowed;

	if (size < sizeof(uint64_t) || size % 8 != 0)
		return -E_INVAL;
	long error = proc_affinity(PROCESS_PROC, pid, false, 0, &allowed);
	if (error != 0)
		return error;
	allowed &= cpus();
	return user_write(mask, &allowed, sizeof(allowed)) != 0 ? -E_FAULT :
	    (long)sizeof(allowed);
}

long
linux_sched_setaffinity(int pid, unsigned size, const uint8_t *mask)
{
	uint64_t wanted = 0, all = cpus(), before;

	if (size > sizeof(wanted))
		size = sizeof(wanted);
	if (user_read(&wanted, mask, size) != 0)
		return -E_FAULT;
	return proc_affinity(PROCESS_PROC, pid, true, wanted & all, &before);
}

/* Classes */

#define POLICY_OTHER	0
#define POLICY_FIFO	1
#define POLICY_RR	2
#define POLICY_BATCH	3
#define POLICY_IDLE	5
#define RESET_ON_FORK	0x40000000
#define REAL_TIME_LAST	99
#define SLICE_NS	10000000

static int policy;

static bool
is_real_time(int which)
{
	return which == POLICY_FIFO || which == POLICY_RR;
}

static bool
is_policy(int which)
{
	return is_real_time(which) || which == POLICY_OTHER ||
	    which == POLICY_BATCH || which == POLICY_IDLE;
}

static bool
is_self(int pid)
{
	return pid == 0 || pid == (int)INFO->pid;
}

long
linux_sched_setscheduler(int pid, int which, const int *parameter)
{
	int priority, kind = which & ~RESET_ON_FORK;

	if (parameter == NULL || pid < 0)
		return -E_INVAL;
	if (user_read(&priority, parameter, sizeof(priority)) != 0)
		return -E_FAULT;
	long error = process_exists(pid);
	if (error != 0)
		return error;
	if (!is_policy(kind) || priority < 0 || priority > REAL_TIME_LAST ||
	    is_real_time(kind) != (priority != 0))
		return -E_INVAL;
	if (is_real_time(kind) || !is_self(pid))
		return -E_PERM;
	policy = kind;
	return 0;
}

long
linux_sched_getscheduler(int pid)
{
	long error = pid < 0 ? -E_INVAL : process_exists(pid);

	return error != 0 ? error : is_self(pid) ? policy : POLICY_OTHER;
}

long
linux_sched_setparam(int pid, const int *parameter)
{
	return linux_sched_setscheduler(pid, is_self(pid) ? policy :
	    POLICY_OTHER, parameter);
}

long
linux_sched_getparam(int pid, int *out)
{
	if (out == NULL || pid < 0)
		return -E_INVAL;
	long error = process_exists(pid);
	return error != 0 ? error : user_write(out, &(int){ 0 }, sizeof(*out));
}

long
linux_sched_get_priority_max(int which)
{
	return !is_policy(which) ? -E_INVAL :
	    is_real_time(which) ? REAL_TIME_LAST : 0;
}

long
linux_sched_get_priority_min(int which)
{
	return !is_policy(which) ? -E_INVAL : is_real_time(which);
}

long
linux_sched_rr_get_interval(int pid, struct linux_timespec *out)
{
	long error = pid < 0 ? -E_INVAL : process_exists(pid);

	return error != 0 ? error :
	    user_write(out, &(struct linux_timespec){ 0, SLICE_NS },
	    sizeof(*out));
}
