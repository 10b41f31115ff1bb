/* SPDX-License-Identifier: MIT */
/*
 * Waiting for children to end, to stop or to go on. proc has one request for
 * all of it; the two calls differ in what they ask and how they tell it.
 */
#include "calls.h"
#include "process.h"
#include "service.h"
#include "thread.h"
#include "user.h"

#include <idl/proc_client.h>

#define W_NOHANG	1u
#define W_STOPPED	2u
#define W_EXITED	4u
#define W_CONTINUED	8u
#define W_NOWAIT	0x1000000u
#define W_IGNORED	0xe0000000u	/* __WALL, __WCLONE, __WNOTHREAD */

#define P_ALL		0
#define P_PID		1
#define P_PGID		2

#define STATUS_CONTINUED	0xffffu
#define STATUS_STOPPED		0x7fu	/* low byte */

/* Returns the pid, 0 for none, or -E_*. */
static long
wait_child(int64_t selector, unsigned options,
    struct proc_wait_results *out)
{
	long error = proc_wait(PROCESS_PROC, selector, options, out);

	return error != 0 ? service_waits(error) : (long)out->pid;
}

long
linux_wait4(int selector, int *status, unsigned options, void *usage)
{
	struct proc_wait_results waited;

	if ((options & ~(W_NOHANG | W_STOPPED | W_CONTINUED | W_IGNORED)) != 0)
		return -E_INVAL;
	if (selector == INT32_MIN)
		return -E_SRCH;
	long pid = wait_child(selector, options & ~W_IGNORED, &waited);
	if (pid <= 0)
		return pid;
	if (status != NULL && user_write(status, &(int){ (int)waited.status },
	    sizeof(int)) != 0)
		return -E_FAULT;
	return usage != NULL && usage_write(usage, waited.spent_ns) != 0 ?
	    -E_FAULT : pid;
}

static void
describe(const struct proc_wait_results *waited, struct linux_siginfo *out)
{
	uint32_t status = waited->status, number = status & 0x7f;

	out->signo = L_SIGCHLD;
	out->child.pid = (int32_t)waited->pid;
	out->child.uid = waited->uid;
	if (status == STATUS_CONTINUED) {
		out->code = L_CLD_CONTINUED;
		out->child.status = L_SIGCONT;
	} else if ((status & 0xff) == STATUS_STOPPED) {
		out->code = L_CLD_STOPPED;
		out->child.status = (int32_t)(status >> 8 & 0xff);
	} else if (number == 0) {
		out->code = L_CLD_EXITED;
		out->child.status = (int32_t)(status >> 8 & 0xff);
	} else {
		out->code = (status & 0x80) != 0 ? L_CLD_DUMPED :
		    L_CLD_KILLED;
		out->child.status = (int32_t)number;
	}
}

long
linux_waitid(int type, int id, struct linux_siginfo *out, unsigned options,
    void *usage)
{
	const unsigned what = W_EXITED | W_STOPPED | W_CONTINUED;
	struct linux_siginfo info = { 0 };
	struct proc_wait_results waited;
	int64_t selector = type == P_ALL ? -1 : type == P_PID ? id :
	    -(int64_t)id;

	if ((options & ~(W_NOHANG | what | W_NOWAIT | W_IGNORED)) != 0 ||
	    (options & what) == 0 || type < P_ALL || type > P_PGID ||
	    (type == P_PID && id <= 0) || (type == P_PGID && id < 0))
		return -E_INVAL;
	unsigned asked = options & ~(W_IGNORED | W_EXITED);
	if ((options & W_EXITED) == 0)
		asked |= WAIT_OPTION_NOT_EXITED;
	long pid = wait_child(selector, asked, &waited);
	if (pid < 0)
		return pid;
	if (pid > 0)
		describe(&waited, &info);
	if (out != NULL && user_write(out, &info, sizeof(info)) != 0)
		return -E_FAULT;
	return pid == 0 || usage == NULL ? 0 :
	    usage_write(usage, waited.spent_ns);
}
