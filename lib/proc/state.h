/* SPDX-License-Identifier: MIT */
/* Between the parts of lib/proc. */
#pragma once

#include <idl/errno.h>
#include <lib/proc/proc.h>
#include <stddef.h>

/* The process that a list node lies in. */
#define PROCESS_OF(node, member) \
	((struct process *)((char *)(node) - offsetof(struct process, member)))

#define FIRST_PID	1u
#define STOP_SIGNALS	(SIGNAL_BIT(SIGNAL_STOP) | SIGNAL_BIT(SIGNAL_TSTP) | \
			SIGNAL_BIT(SIGNAL_TTIN) | SIGNAL_BIT(SIGNAL_TTOU))

#define FOR_EACH_PROCESS(proc, each) \
	for (struct process *each = \
	    PROCESS_OF((proc)->table->all.next, all); \
	    &each->all != &(proc)->table->all; \
	    each = PROCESS_OF(each->all.next, all))

#define FOR_EACH_MEMBER(of, each) \
	for (struct process *each = \
	    PROCESS_OF((of)->members.next, group_link); \
	    &each->group_link != &(of)->members; \
	    each = PROCESS_OF(each->group_link.next, group_link))

#define FOR_EACH_CHILD(of, each) \
	for (struct process *each = \
	    PROCESS_OF((of)->children.next, sibling); \
	    &each->sibling != &(of)->children; \
	    each = PROCESS_OF(each->sibling.next, sibling))

/*
 * From here to the end of the transaction the process may be changed, but for
 * its lists and what never changes: a signal to all processes must fit into
 * the undo log.
 */
static inline int
process_hold(struct proc *proc, struct process *process)
{
	size_t start = offsetof(struct process, parent);

	return tx_add(proc->arena, (char *)process + start,
	    offsetof(struct process, handle) - start) == OK ? 0 : E_NOMEM;
}

/* Its end has not been decided. */
static inline bool
process_lives(const struct process *process)
{
	return process->state == PROCESS_RUNNING ||
	    process->state == PROCESS_STOPPED;
}

static inline int
from_status(status_t status)
{
	return status == OK ? 0 : E_NOMEM;
}

/* The group, or NULL. */
static inline struct proc_group *
group_find(const struct proc *proc, uint64_t pgid)
{
	return arena_map_get(proc->table->by_pgid, pgid);
}

static inline struct proc_session *
session_find(const struct proc *proc, uint64_t sid)
{
	return arena_map_get(proc->table->by_sid, sid);
}

/*
 * Makes the process, which is held, a member of a group and session, which may
 * be new; it leaves the one it was in.
 */
int group_join(struct proc *proc, struct process *process, uint32_t pgid,
    uint32_t sid);
/* Out of its group, which goes with its last member. */
int group_leave(struct proc *proc, struct process *process);
/* Its call waits. The process is held. */
void process_park(struct proc *proc, struct process *process,
    enum proc_park why, struct proc_call call);
/* The process is held. */
int process_add_work(struct proc *proc, struct process *process,
    uint32_t work);
/* Out of all lists, and freed. */
int process_remove(struct proc *proc, struct process *process);
/* A child has become a zombie, or is gone: the parent may be waiting. */
int wait_check(struct proc *proc, struct process *parent);
/* Those of the first process; a child has its parent's. */
void limits_default(struct process *process);
/* Those of the parent, for a child; a process that goes lets them go. */
int groups_share(struct proc *proc, struct proc_groups *groups);
int groups_release(struct proc *proc, struct proc_groups *groups);
/* A copy, for a child. */
int names_copy(struct proc *proc, struct process *process,
    const struct process *parent);
/* Takes it out of the list of alarms. */
int alarm_drop(struct proc *proc, struct process *process);
/* What a signal does when it is sent, also to who ignores or blocks it. */
int job_signalled(struct proc *proc, struct process *process, uint32_t signal);
/* RESUME. The process is held. */
int job_resumed(struct proc *proc, struct process *process);
/* It will not be continued any more. The process is held. */
int job_forget(struct proc *proc, struct process *process);
/*
 * parent is no longer who continues the process: a group of stopped ones may be
 * left alone by that.
 */
int job_orphaned(struct proc *proc, const struct process *process,
    const struct process *parent);
/* SIGCHLD to its parent. */
int child_signal(struct proc *proc, struct process *parent,
    const struct process *child, int32_t code, uint32_t status);
int signals_drop(struct proc *proc, struct process *process, uint64_t set);
/* watch.c: walks watchers and watches. */
bool watches_ok(const struct proc *proc);
