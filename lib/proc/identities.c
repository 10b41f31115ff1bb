/* SPDX-License-Identifier: MIT */
/*
 * Identities of processes in the table. Lists of groups are shared: a fork
 * counts one more, a change makes a new one.
 */
#include <lib/proc/proc.h>

#include <idl/identity.h>
#include <lib/base/string.h>
#include <lib/proc/state.h>

int
groups_share(struct proc *proc, struct proc_groups *groups)
{
	if (groups == NULL)
		return 0;
	if (tx_add(proc->arena, &groups->references,
	    sizeof(groups->references)) != OK)
		return E_NOMEM;
	groups->references++;
	return 0;
}

int
groups_release(struct proc *proc, struct proc_groups *groups)
{
	if (groups == NULL)
		return 0;
	if (groups->references == 1)
		return from_status(arena_free(proc->arena, groups));
	if (tx_add(proc->arena, &groups->references,
	    sizeof(groups->references)) != OK)
		return E_NOMEM;
	groups->references--;
	return 0;
}

static int
store(struct proc *proc, struct process *process,
    const struct proc_identity *who)
{
	if (tx_add(proc->arena, &process->who, sizeof(process->who)) != OK ||
	    process_hold(proc, process) != 0)
		return E_NOMEM;
	process->who = *who;
	return process_lives(process) ?
	    process_add_work(proc, process, PROC_WORK_INFO) : 0;
}

int
proc_identity_set(struct proc *proc, struct process *process,
    const struct proc_identity *who)
{
	return who->groups != process->who.groups ? E_INVAL :
	    store(proc, process, who);
}

static void
sort(uint32_t *gid, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++) {
		uint32_t value = gid[i], at = i;

		for (; at > 0 && gid[at - 1] > value; at--)
			gid[at] = gid[at - 1];
		gid[at] = value;
	}
}

int
proc_groups_set(struct proc *proc, struct process *process, uint32_t *gid,
    uint32_t count)
{
	struct proc_identity who = process->who;

	if (!identity_may(&who, PRIVILEGE_SETGID))
		return E_PERM;
	if (count > IDENTITY_GROUPS_MAX)
		return E_INVAL;
	who.groups = NULL;
	if (count > 0) {
		who.groups = arena_alloc(proc->arena, sizeof(*who.groups) +
		    count * sizeof(gid[0]));
		if (who.groups == NULL)
			return E_NOMEM;
		sort(gid, count);
		who.groups->references = 1;
		who.groups->count = count;
		for (uint32_t i = 0; i < count; i++)
			who.groups->gid[i] = gid[i];
	}
	if (groups_release(proc, process->who.groups) != 0)
		return E_NOMEM;
	return store(proc, process, &who);
}

int
proc_host_name_set(struct proc *proc, const struct process *caller,
    unsigned which, const char *name, uint64_t length)
{
	char *to = proc->table->host_name[which];

	if (!identity_may(&caller->who, PRIVILEGE_SYS_ADMIN))
		return E_PERM;
	if (length > PROC_HOST_NAME)
		return E_INVAL;
	if (tx_add(proc->arena, to, PROC_HOST_NAME + 1) != OK)
		return E_NOMEM;
	memset(to, 0, PROC_HOST_NAME + 1);
	memcpy(to, name, length);
	return 0;
}
