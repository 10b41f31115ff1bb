/* SPDX-License-Identifier: MIT */
/*
 * Birth and death of processes, and the list of work.
 */
#include <lib/proc/proc.h>

#include <lib/base/string.h>
#include <lib/proc/state.h>

#define ORPHANS_AT_ONCE	64u	/* children of one process */
#define SPAWN_ERROR_LAST	4095u

int
proc_table_start(struct proc *proc)
{
	struct proc_table *table = proc->table;

	if (tx_add(proc->arena, table, sizeof(*table)) != OK ||
	    arena_map_create(proc->arena, &table->by_pid) != OK ||
	    arena_map_create(proc->arena, &table->by_pgid) != OK ||
	    arena_map_create(proc->arena, &table->by_sid) != OK ||
	    arena_list_init(proc->arena, &table->all) != OK ||
	    arena_list_init(proc->arena, &table->work) != OK ||
	    arena_list_init(proc->arena, &table->alarms) != OK ||
	    arena_map_create(proc->arena, &table->watchers) != OK ||
	    arena_map_create(proc->arena, &table->watched) != OK ||
	    arena_list_init(proc->arena, &table->all_watchers) != OK)
		return E_NOMEM;
	table->next_pid = FIRST_PID;
	memcpy(table->host_name[0], "bennu", sizeof("bennu"));
	memcpy(table->host_name[1], "(none)", sizeof("(none)"));
	return 0;
}

struct process *
proc_find(const struct proc *proc, uint64_t pid)
{
	return arena_map_get(proc->table->by_pid, pid);
}

static bool
pid_in_use(const struct proc *proc, uint32_t pid)
{
	return proc_find(proc, pid) != NULL ||
	    group_find(proc, pid) != NULL || session_find(proc, pid) != NULL;
}

int
proc_pick_pid(const struct proc *proc, uint32_t *out_pid)
{
	const struct proc_table *table = proc->table;
	uint32_t pid = table->next_pid;

	if (table->count >= PROC_MAX || table->finished)
		return E_AGAIN;
	while (table->wrapped && pid_in_use(proc, pid))
		pid = pid == PROC_PID_MAX ? FIRST_PID + 1 : pid + 1;
	*out_pid = pid;
	return 0;
}

static void
next_pid_after(struct proc_table *table, uint32_t pid)
{
	table->next_pid = pid + 1;
	if (pid == PROC_PID_MAX) {
		table->next_pid = FIRST_PID + 1;
		table->wrapped = 1;
	}
}

int
proc_skip_pid(struct proc *proc)
{
	struct proc_table *table = proc->table;
	uint32_t pid;

	if (proc_pick_pid(proc, &pid) != 0)
		return 0;
	if (tx_add(proc->arena, table, sizeof(*table)) != OK)
		return E_NOMEM;
	next_pid_after(table, pid);
	return 0;
}

static int
table_insert(struct proc *proc, struct process *process)
{
	struct proc_table *table = proc->table;
	struct arena *arena = proc->arena;

	if (tx_add(arena, table, sizeof(*table)) != OK)
		return E_NOMEM;
	table->count++;
	next_pid_after(table, process->pid);
	if (arena_map_put(arena, table->by_pid, process->pid, process) != OK)
		return E_NOMEM;
	return from_status(arena_list_append(arena, &table->all,
	    &process->all));
}

static void
process_inherit(struct process *process, const struct process *parent)
{
	process->terminal = parent->terminal;
	process->who = parent->who;
	process->root = parent->root;
	process->control = parent->control;
	process->ignored = parent->ignored;
	process->no_zombies = parent->no_zombies;
	process->no_stops = parent->no_stops;
	process->nice = parent->nice;
	process->affinity = parent->affinity;
	memcpy(process->limit, parent->limit, sizeof(process->limit));
}

int
proc_create(struct proc *proc, uint32_t pid, struct process *parent,
    struct process **out_process)
{
	struct arena *arena = proc->arena;
	struct process *process = arena_alloc(arena, sizeof(*process));

	if (process == NULL ||
	    arena_list_init(arena, &process->children) != OK ||
	    arena_list_init(arena, &process->signals) != OK)
		return E_NOMEM;
	process->pid = pid;
	process->state = PROCESS_RUNNING;
	limits_default(process);
	identity_first(&process->who);
	if (parent != NULL) {
		process_inherit(process, parent);
		process->parent = parent;
		if (names_copy(proc, process, parent) != 0 ||
		    groups_share(proc, process->who.groups) != 0 ||
		    arena_list_append(arena, &parent->children,
		    &process->sibling) != OK)
			return E_NOMEM;
	}
	*out_process = process;
	int error = table_insert(proc, process);
	if (error == 0)
		error = group_join(proc, process,
		    parent == NULL ? pid : parent->pgid,
		    parent == NULL ? pid : parent->sid);
	if (error != 0)
		return error;
	return process_add_work(proc, process, PROC_WORK_START |
	    ((process->nice | (int64_t)process->affinity) != 0 ?
	    PROC_WORK_NICE : 0));
}

int
proc_vfork(struct proc *proc, struct process *parent, struct process *child,
    struct proc_call call)
{
	if (process_hold(proc, parent) != 0 || process_hold(proc, child) != 0)
		return E_NOMEM;
	process_park(proc, parent, PARK_VFORK, call);
	parent->vfork_child = child->pid;
	child->vfork_parent = parent->pid;
	return 0;
}

int
proc_spawn(struct proc *proc, struct process *parent, struct process *child,
    struct proc_call call)
{
	int error = proc_vfork(proc, parent, child, call);

	if (error == 0)
		child->is_spawned = 1;
	return error;
}

int
proc_spawn_failed(struct proc *proc, struct process *process, uint32_t error)
{
	if (process->is_spawned == 0 || process->execed != 0 ||
	    error == 0 || error > SPAWN_ERROR_LAST)
		return E_INVAL;
	if (process_hold(proc, process) != 0)
		return E_NOMEM;
	process->spawn_error = error;
	return proc_end(proc, process, STATUS_SIGNALLED(SIGNAL_KILL));
}

static int
vfork_release(struct proc *proc, struct process *child)
{
	struct process *parent = proc_find(proc, child->vfork_parent);

	if (parent == NULL || parent->park != PARK_VFORK ||
	    parent->vfork_child != child->pid)
		return 0;
	if (process_hold(proc, parent) != 0)
		return E_NOMEM;
	parent->park = PARK_NONE;
	proc->answer(proc->context, &(struct proc_answer){
		.call = parent->call, .what = PARK_VFORK,
		.error = child->spawn_error,
		.waited.pid = child->pid,
	});
	return 0;
}

int
proc_exec_done(struct proc *proc, struct process *process)
{
	if (process_hold(proc, process) != 0)
		return E_NOMEM;
	process->execed = 1;
	return vfork_release(proc, process);
}

int
process_add_work(struct proc *proc, struct process *process, uint32_t work)
{
	uint32_t before = process->work;

	process->work |= work;
	if (before != 0 || work == 0)
		return 0;
	return from_status(arena_list_append(proc->arena, &proc->table->work,
	    &process->work_link));
}

struct process *
proc_work_next(const struct proc *proc)
{
	struct arena_list *first = proc->table->work.next;

	return first == &proc->table->work ? NULL :
	    PROCESS_OF(first, work_link);
}

int
proc_work_done(struct proc *proc, struct process *process, uint32_t work)
{
	if (process_hold(proc, process) != 0)
		return E_NOMEM;
	uint32_t before = process->work;
	if ((before & work & PROC_WORK_RESUME) != 0 &&
	    job_resumed(proc, process) != 0)
		return E_NOMEM;
	process->work &= ~work;
	if (before == 0 || process->work != 0)
		return 0;
	return from_status(arena_list_remove(proc->arena,
	    &process->work_link));
}

int
proc_end(struct proc *proc, struct process *process, uint32_t status)
{
	if (!process_lives(process))
		return 0;
	if (process_hold(proc, process) != 0 || job_forget(proc, process) != 0)
		return E_NOMEM;
	process->state = PROC_DYING;
	process->status = status;
	/* Its call goes with its thread. */
	process->park = PARK_NONE;
	return process_add_work(proc, process, PROC_WORK_DESTROY);
}

/* Nobody points to it any more. */
static int
process_free(struct proc *proc, struct process *process)
{
	struct proc_table *table = proc->table;

	if (tx_add(proc->arena, &table->count, sizeof(table->count)) != OK ||
	    arena_map_remove(proc->arena, table->by_pid, process->pid) != OK ||
	    arena_list_remove(proc->arena, &process->all) != OK)
		return E_NOMEM;
	table->count--;
	if (group_leave(proc, process) != 0 ||
	    groups_release(proc, process->who.groups) != 0)
		return E_NOMEM;
	if (process->names != NULL && arena_free(proc->arena,
	    process->names) != OK)
		return E_NOMEM;
	return from_status(arena_free(proc->arena, process));
}

int
process_remove(struct proc *proc, struct process *process)
{
	if (process->parent != NULL && arena_list_remove(proc->arena,
	    &process->sibling) != OK)
		return E_NOMEM;
	return process_free(proc, process);
}

static int
signal_parent(struct proc *proc, struct process *parent,
    const struct process *child)
{
	uint32_t signal = child->status & 0x7f;

	if (signal == 0)
		return child_signal(proc, parent, child, CHILD_EXITED,
		    child->status >> 8 & 0xff);
	return child_signal(proc, parent, child, (child->status & 0x80) != 0 ?
	    CHILD_DUMPED : CHILD_KILLED, signal);
}

/* A zombie has a (new) parent: reported, or removed if that is not wanted. */
static int
report(struct proc *proc, struct process *parent, struct process *zombie)
{
	struct process copy = *zombie;

	bool is_unseen = copy.spawn_error != 0;

	if ((parent->no_zombies || is_unseen) &&
	    process_remove(proc, zombie) != 0)
		return E_NOMEM;
	if (wait_check(proc, parent) != 0)
		return E_NOMEM;
	return is_unseen ? 0 : signal_parent(proc, parent, &copy);
}

/* init NULL: there is nobody who could. */
static int
adopt(struct proc *proc, struct process *init, struct process *child)
{
	bool zombie = child->state == PROCESS_ZOMBIE;

	if (init == NULL)
		return zombie ? process_free(proc, child) : 0;
	if (arena_list_append(proc->arena, &init->children,
	    &child->sibling) != OK)
		return E_NOMEM;
	return zombie ? report(proc, init, child) :
	    process_add_work(proc, child, PROC_WORK_INFO);
}

/*
 * Children of an ended process go to process 1, or are alone if that ended. Only
 * some at once: their number must not matter for the undo log.
 */
static int
reparent(struct proc *proc, struct process *process)
{
	struct process *init = proc_find(proc, FIRST_PID);
	struct arena_list *head = &process->children;

	if (init == process)
		init = NULL;
	for (unsigned i = 0; i < ORPHANS_AT_ONCE && head->next != head; i++) {
		struct process *child = PROCESS_OF(head->next, sibling);

		if (process_hold(proc, child) != 0 ||
		    arena_list_remove(proc->arena, &child->sibling) != OK)
			return E_NOMEM;
		child->parent = init;
		bool lives = process_lives(child);
		if (adopt(proc, init, child) != 0 ||
		    (lives && job_orphaned(proc, child, process) != 0))
			return E_NOMEM;
	}
	return 0;
}

/* Process 1 has ended: so does all else. */
static int
finish(struct proc *proc, const struct process *process)
{
	struct proc_table *table = proc->table;

	if (tx_add(proc->arena, table, sizeof(*table)) != OK)
		return E_NOMEM;
	table->finished = 1;
	table->final_status = process->status;
	FOR_EACH_PROCESS(proc, other) {
		if (proc_end(proc, other, STATUS_SIGNALLED(SIGNAL_KILL)) != 0)
			return E_NOMEM;
	}
	return 0;
}

static int
session_end(struct proc *proc, const struct process *process)
{
	if (process->sid != process->pid || process->terminal == 0 ||
	    proc->session_ended == NULL)
		return 0;
	return proc->session_ended(proc->context, process->sid,
	    process->terminal);
}

int
proc_spent(struct proc *proc, struct process *process, uint64_t ns)
{
	if (process_hold(proc, process) != 0)
		return E_NOMEM;
	process->spent_ns = ns;
	return 0;
}

int
proc_ended(struct proc *proc, struct process *process)
{
	struct process *parent = process->parent;

	if (process_hold(proc, process) != 0 ||
	    signals_drop(proc, process, ~0ul) != 0 ||
	    alarm_drop(proc, process) != 0 ||
	    proc_work_done(proc, process, ~0u) != 0 ||
	    vfork_release(proc, process) != 0)
		return E_NOMEM;
	if (process->pid == FIRST_PID && finish(proc, process) != 0)
		return E_NOMEM;
	if (session_end(proc, process) != 0)
		return E_NOMEM;
	if (reparent(proc, process) != 0)
		return E_NOMEM;
	if (process->children.next != &process->children)
		return process_add_work(proc, process, PROC_WORK_ORPHANS);
	if (parent != NULL && job_orphaned(proc, process, parent) != 0)
		return E_NOMEM;
	/* Last: from here on a waiting parent may remove it. */
	process->state = PROCESS_ZOMBIE;
	if (parent == NULL)
		return process_free(proc, process);
	return report(proc, parent, process);
}

uint32_t
proc_state(const struct process *process)
{
	return process->state == PROC_DYING ? PROCESS_RUNNING : process->state;
}

uint32_t
proc_parent_pid(const struct process *process)
{
	return process->parent == NULL ? 0 : process->parent->pid;
}
