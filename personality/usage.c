/* SPDX-License-Identifier: MIT */
/*
 * CPU time: the kernel knows that of the own thread, proc that of children that
 * were waited for. It is told as user time: the kernel does not tell apart what
 * a thread does itself and what is done in its name.
 */
#include "calls.h"
#include "clock.h"
#include "process.h"
#include "service.h"
#include "user.h"

#include <idl/proc_client.h>
#include <lib/sys/sys.h>

#define NS		1000000000ul
#define TICK_NS		10000000ul
#define USAGE_SIZE	144u

#define USAGE_THREAD	1
#define USAGE_SELF	0
#define USAGE_CHILDREN	(-1)

long
usage_write(void *usage, uint64_t user_ns)
{
	struct linux_timeval user = { (int64_t)(user_ns / NS),
	    (int64_t)(user_ns % NS / 1000) };

	if (user_zero(usage, USAGE_SIZE) != 0)
		return -E_FAULT;
	return user_write(usage, &user, sizeof(user));
}

uint64_t
usage_own_ns(void)
{
	struct sys_result r = sys_invoke(SYS_THREAD_INFO, 0, 0, 0, 0, 0, 0);

	return r.status == OK ? r.value[0] : 0;
}

long
linux_getrusage(int who, void *out)
{
	uint64_t ns = usage_own_ns();
	long error = 0;

	if (who < USAGE_CHILDREN || who > USAGE_THREAD)
		return -E_INVAL;
	if (who == USAGE_CHILDREN)
		error = proc_times(PROCESS_PROC, &ns);
	return error != 0 ? error : usage_write(out, ns);
}

long
linux_times(int64_t *out)
{
	int64_t ticks[4] = { 0 };
	uint64_t children;
	long error = proc_times(PROCESS_PROC, &children);

	if (error != 0)
		return error;
	ticks[0] = (int64_t)(usage_own_ns() / TICK_NS);
	ticks[2] = (int64_t)(children / TICK_NS);
	if (out != NULL && user_write(out, ticks, sizeof(ticks)) != 0)
		return -E_FAULT;
	return (long)(time_now_ns() / TICK_NS);
}
