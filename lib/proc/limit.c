/* SPDX-License-Identifier: MIT */
/*
 * Resource limits: kept here, for children inherit them and others may look at
 * them and set them. Here the numbers of processes and of queued signals are
 * enforced; the rest is the libOS's, which reads them in its info page.
 */
#include <lib/proc/proc.h>

#include <lib/base/string.h>
#include <lib/proc/state.h>

#define STACK_DEFAULT	(8ul << 20)

void
limits_default(struct process *process)
{
	memset(process->limit, 0xff, sizeof(process->limit));
	process->limit[LIMIT_STACK][0] = STACK_DEFAULT;
	process->limit[LIMIT_CORE][0] = 0;
	for (unsigned i = 0; i < 2; i++) {
		process->limit[LIMIT_FILES][i] = LIMIT_FILES_MAX;
		process->limit[LIMIT_SIGNALS][i] = PROC_QUEUE_MAX;
		process->limit[LIMIT_NICE][i] = 0;
		process->limit[LIMIT_PRIORITY][i] = 0;
	}
}

int
proc_may_fork(const struct proc *proc, const struct process *process)
{
	uint64_t limit = process->limit[LIMIT_PROCESSES][0], count = 0;

	if (process->who.uid == 0 || limit == LIMIT_NONE ||
	    identity_may(&process->who, PRIVILEGE_SYS_ADMIN) ||
	    identity_may(&process->who, PRIVILEGE_SYS_RESOURCE))
		return 0;
	FOR_EACH_PROCESS(proc, other)
		count += other->who.uid == process->who.uid;
	return count < limit ? 0 : E_AGAIN;
}

static int
check(const struct process *caller, const struct proc_limit *request,
    const uint64_t before[2])
{
	if (request->soft > request->hard)
		return E_INVAL;
	if (request->hard > before[1] &&
	    (!identity_may(&caller->who, PRIVILEGE_SYS_RESOURCE) ||
	    (request->resource == LIMIT_FILES &&
	    request->hard > LIMIT_FILES_MAX)))
		return E_PERM;
	return 0;
}

int
proc_limit(struct proc *proc, const struct process *caller,
    const struct proc_limit *request, uint64_t out_before[2])
{
	struct process *target = proc_find(proc, request->pid == 0 ?
	    caller->pid : request->pid);

	out_before[0] = out_before[1] = 0;
	if (request->resource >= LIMIT_COUNT)
		return E_INVAL;
	if (target == NULL)
		return E_SRCH;
	if (target != caller && !identity_same(&caller->who, &target->who) &&
	    !identity_may(&caller->who, PRIVILEGE_SYS_RESOURCE))
		return E_PERM;
	uint64_t *limit = target->limit[request->resource];
	memcpy(out_before, limit, sizeof(*target->limit));
	if (!request->set)
		return 0;
	int error = check(caller, request, out_before);
	if (error != 0)
		return error;
	if (tx_add(proc->arena, limit, sizeof(*target->limit)) != OK ||
	    process_hold(proc, target) != 0)
		return E_NOMEM;
	limit[0] = request->soft;
	limit[1] = request->hard;
	return process_lives(target) ?
	    process_add_work(proc, target, PROC_WORK_INFO) : 0;
}
