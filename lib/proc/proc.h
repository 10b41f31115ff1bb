/* SPDX-License-Identifier: MIT */
/*
 * Process table: identities, relations, waiting and signals of processes.
 *
 * A pure state machine in an arena; every function that changes it runs in an
 * open transaction and returns 0 or an E_* code, after which the caller aborts
 * the transaction. What has to happen to threads and memory is listed as work
 * in the table, to be done after the commit and as often as asked:
 *
 *	START	the process is complete, its thread may run
 *	KICK	the thread shall look at its signals
 *	INFO	ids shown in the info page have changed
 *	NICE	the thread's share of the machine has changed
 *	RESUME	a stopped process goes on: proc_work_done() answers it and
 *		tells its parent, as one signal may continue any number
 *	DESTROY	kill the thread, empty table and address space; then
 *		proc_ended() makes it a zombie and tells the parent
 *	ORPHANS	proc_ended() again: it had more children than may leave it
 *		in one transaction
 *
 * So a parent never sees a zombie that still owns memory.
 *
 *	RUNNING --proc_end--> DYING --proc_ended--> ZOMBIE --wait--> gone
 *	RUNNING --proc_stop--> STOPPED --SIGCONT--> RUNNING; --proc_end--> DYING
 *
 * Rules. Each process but the first has a parent; children of an ended process
 * go to process 1. A process has at most one call parked, for it has one
 * thread. A pid is in use while a process, a group or a session has it. One
 * signal of each number below SIGNAL_REALTIME is pending at most, the first
 * one's details count; the others queue. Process 1 is not killed or stopped.
 *
 * A process stops itself: its libOS alone knows whether a signal has a handler.
 * It asks when it has fetched a stop signal, and its call is parked until a
 * SIGCONT. What was fetched counts only until a SIGCONT is sent.
 */
#pragma once

#include <idl/proc.h>
#include <idl/watch.h>
#include <lib/arena/arena.h>
#include <lib/proc/identity.h>
#include <stdbool.h>
#include <stdint.h>

#define PROC_MAX		12288u	/* processes, zombies included */
#define PROC_CALLS_MAX		PROC_MAX	/* one for each may wait */
#define PROC_PID_MAX		4194303u
#define PROC_HANDLES		8u	/* for the shell */
#define PROC_HOST_NAME		64u
#define PROC_DYING		4u	/* beside PROCESS_*; seen as running */

#define PROC_WORK_START		0x1u
#define PROC_WORK_KICK		0x2u
#define PROC_WORK_INFO		0x4u
#define PROC_WORK_DESTROY	0x8u
#define PROC_WORK_NICE		0x10u
#define PROC_WORK_RESUME	0x20u
#define PROC_WORK_ORPHANS	0x40u

/* Numbers that the rules know. */
#define SIGNAL_HUP		1u
#define SIGNAL_ILL		4u
#define SIGNAL_TRAP		5u
#define SIGNAL_ABRT		6u
#define SIGNAL_BUS		7u
#define SIGNAL_FPE		8u
#define SIGNAL_KILL		9u
#define SIGNAL_SEGV		11u
#define SIGNAL_ALRM		14u
#define SIGNAL_CHLD		17u
#define SIGNAL_CONT		18u
#define SIGNAL_STOP		19u
#define SIGNAL_TSTP		20u
#define SIGNAL_TTIN		21u
#define SIGNAL_TTOU		22u
#define SIGNAL_SYS		31u
#define SIGNAL_REALTIME		32u	/* from here on they queue */
#define SIGNAL_MAX		64u
#define SIGNAL_BIT(n)		(1ul << ((n) - 1))

/* Codes that go with a signal, as POSIX programs see them. */
#define SIGNAL_CODE_USER	0
#define SIGNAL_CODE_KERNEL	0x80
#define SIGNAL_CODE_THREAD	(-6)	/* tkill */
#define CHILD_EXITED		1
#define CHILD_KILLED		2
#define CHILD_DUMPED		3
#define CHILD_STOPPED		5
#define CHILD_CONTINUED		6

/* Wait status. */
#define STATUS_EXITED(code)	(((uint32_t)(code) & 0xff) << 8)
#define STATUS_SIGNALLED(sig)	((uint32_t)(sig) & 0x7f)
#define STATUS_STOPPED(sig)	((uint32_t)(sig) << 8 | 0x7f)
#define STATUS_CONTINUED	0xffffu

/* Signals in queues: of one process, and of all. */
#define PROC_QUEUE_MAX		256u
#define PROC_QUEUE_ALL_MAX	16384u

enum proc_park { PARK_NONE, PARK_WAIT, PARK_VFORK, PARK_SIGNAL, PARK_STOP };

/* A call that waits for its answer; names a struct parked_call. */
struct proc_call {
	uint32_t reply;
	uint64_t order;
};

struct proc_waited {
	uint32_t pid;		/* 0: none is ready */
	uint32_t status, uid;
	uint64_t spent_ns;	/* by it and by what it waited for */
};

/* To a call that was parked. */
struct proc_answer {
	struct proc_call call;
	enum proc_park what;	/* why it was */
	uint32_t error;		/* E_* or 0 */
	struct proc_waited waited;	/* WAIT; VFORK: pid of the child */
};

struct proc_signal {
	struct arena_list link;
	uint32_t signal;
	int32_t	 code;
	uint32_t pid, uid;	/* of the sender */
	uint64_t value;		/* SIGCHLD: status, clock ticks << 32 */
};

/*
 * Watches (docs/design/polling.md): keys of objects that somebody waits for.
 * A watcher is a notification; what it watches goes with it.
 */
#define PROC_WATCHERS_MAX	8192u	/* of all */
#define PROC_WATCHERS_OWN	512u	/* of one process */
#define PROC_WATCHES_MAX	65536u	/* of all */
#define PROC_WATCHES_OWN	4096u	/* of one watcher */

struct proc_watcher {
	struct arena_list all;		/* in the table */
	struct arena_list watches;	/* struct proc_watch, of_watcher */
	uint64_t badge;
	uint64_t notification, session;	/* handles of the shell */
	uint64_t name[2];		/* watched by others; 0: by none */
	uint32_t pid;			/* whom it counts for */
	uint32_t count;			/* of watches */
};

/* One key; goes with its last watch. */
struct proc_watched {
	uint64_t key[2];
	struct arena_list watches;	/* struct proc_watch, of_key */
};

struct proc_watch {
	struct arena_list of_watcher, of_key;
	struct proc_watcher *watcher;
	struct proc_watched *watched;
	uint64_t bits;
	uint32_t exclusive;
	uint32_t count;			/* how often it was added */
};

/* A watch as requests name it. */
struct proc_watch_name {
	uint64_t key[2], bits;
	bool	 exclusive;
};

struct proc_session {
	uint32_t sid;
	struct arena_list groups;	/* never empty */
};

struct proc_group {
	uint32_t pgid;
	struct proc_session *session;
	struct arena_list in_session;
	struct arena_list members;	/* never empty; zombies, too */
};

struct process {
	struct arena_list all;		/* in the table */
	struct arena_list sibling;	/* in parent->children */
	struct arena_list work_link;	/* in the table, if work != 0 */
	struct arena_list alarm_link;	/* in the table, if alarm_ns != 0 */
	struct arena_list group_link;	/* in group->members */
	struct arena_list children;
	struct arena_list signals;	/* struct proc_signal, by age */
	struct process *parent;		/* NULL: the first, or it has ended */
	struct proc_group *group;	/* that of pgid */

	uint32_t pid, pgid, sid;
	uint32_t terminal;		/* controlling one + 1; 0: none */
	uint32_t state;			/* PROCESS_*, PROC_DYING */
	uint32_t status;		/* wait status, from DYING on */
	uint32_t work;			/* PROC_WORK_* */
	uint32_t execed;
	uint32_t no_zombies;		/* its children need no wait */
	uint32_t no_stops;		/* nor does it want to know of stops */
	uint32_t report;		/* of a stop, for wait; 0: was told */
	uint32_t stop_fetched;		/* it may ask to be stopped */
	uint32_t queued;		/* signals in the queue */
	uint32_t watchers;
	uint32_t left;			/* it asked to end: it owes no wake */
	int32_t	 nice;
	uint64_t affinity;		/* mask of CPUs; 0: all */
	uint64_t pending, ignored;	/* SIGNAL_BIT */
	uint64_t alarm_ns, interval_ns;	/* since boot; 0: none */
	uint64_t spent_ns;		/* CPU time, known when it has ended */
	uint64_t children_ns;		/* of children that were waited for */

	uint32_t park;			/* enum proc_park */
	uint32_t vfork_child;		/* PARK_VFORK: the answer */
	uint32_t vfork_parent;		/* parked until this one execs or ends */
	uint32_t is_spawned;		/* that one is not answered before */
	uint32_t spawn_error;		/* the answer; it will leave no zombie */
	struct proc_call call;
	int64_t	 selector;		/* PARK_WAIT */
	uint64_t options;

	/* Set in the transaction that makes the process, then constant. */
	uint64_t handle[PROC_HANDLES];	/* of the shell */
	uint64_t start_ns;
	/* Where they are in its table; a child inherits them. */
	uint64_t root, control;

	uint64_t limit[LIMIT_COUNT][2];	/* soft, hard */
	struct proc_identity who;
	/* Name, path and arguments of its program, each with a NUL. */
	char	*names;			/* NULL: not told yet */
	uint64_t names_length;		/* at most NAMES_MAX */
};

struct proc_table {
	struct arena_map *by_pid;
	struct arena_map *by_pgid;	/* struct proc_group */
	struct arena_map *by_sid;	/* struct proc_session */
	struct arena_list all;		/* by age */
	struct arena_list work;
	struct arena_list alarms;	/* by time */
	struct arena_map *watchers;	/* struct proc_watcher, by badge */
	struct arena_map *watched;	/* struct proc_watched, by key[0] */
	struct arena_list all_watchers;
	uint32_t watches;		/* of all */
	uint32_t count;
	uint32_t stopped;		/* processes */
	uint32_t queued;		/* signals of all */
	uint32_t next_pid;
	uint32_t wrapped;		/* pids were used before */
	uint32_t finished;		/* process 1 has ended: */
	uint32_t final_status;
	/* Of the machine, and its domain; zeros behind. */
	char	 host_name[2][PROC_HOST_NAME + 1];
};

/* What the core needs, ordinary memory. */
struct proc {
	struct proc_table *table;
	struct arena *arena;
	void (*answer)(void *context, const struct proc_answer *answer);
	/*
	 * A session leader ends that has a terminal (number + 1); in the
	 * transaction that makes it a zombie, before its children go to
	 * process 1. NULL: nobody asks. 0 or E_NOMEM.
	 */
	int (*session_ended)(void *context, uint32_t sid, uint32_t terminal);
	/* A notification of a watcher; may be done again after a crash. */
	void (*signal)(void *context, uint64_t notification, uint64_t bits);
	void *context;
	/*
	 * Pid of who was parked last in a reply object, 0 for none. A hint,
	 * for a transaction that parked may have been undone.
	 */
	uint32_t parked[PROC_CALLS_MAX];
};

struct proc_nice {
	uint64_t kind, id;	/* NICE_* */
	int64_t	 nice;
	bool	 set;
};

struct proc_limit {
	uint64_t pid, resource;		/* LIMIT_* */
	bool	 set;
	uint64_t soft, hard;
};

struct proc_fetched {
	uint32_t signal;	/* 0: none */
	int32_t	 code;
	uint32_t pid, uid;
	uint64_t value;
	uint64_t left;		/* pending after that */
};

int proc_table_start(struct proc *proc);
/* First thing in an incarnation: what is not in the arena. */
void proc_resume(struct proc *proc);

/* NULL if there is none; zombies are found. */
struct process *proc_find(const struct proc *proc, uint64_t pid);
/* A pid for proc_create; E_AGAIN at the limit. */
int proc_pick_pid(const struct proc *proc, uint32_t *out_pid);
/*
 * Leaves out the number that would be next. Each new incarnation does: objects
 * of a fork that a crash undid, and their events, still have that number.
 */
int proc_skip_pid(struct proc *proc);
/* A running process, with START work. parent NULL: the first one. */
int proc_create(struct proc *proc, uint32_t pid, struct process *parent,
    struct process **out_process);
/* The parent's call is answered with the pid when child execs or ends. */
int proc_vfork(struct proc *proc, struct process *parent,
    struct process *child, struct proc_call call);
/*
 * The same, but the parent's call is not given up for a signal, and may be
 * answered with the error of proc_spawn_failed().
 */
int proc_spawn(struct proc *proc, struct process *parent,
    struct process *child, struct proc_call call);
/* It cannot run its program; it ends, and nobody waits for it. */
int proc_spawn_failed(struct proc *proc, struct process *process,
    uint32_t error);
int proc_exec_done(struct proc *proc, struct process *process);
/* What it runs; too long or malformed: E_INVAL. */
int proc_set_names(struct proc *proc, struct process *process,
    const char *names, uint64_t length);

/* Ends a running process; no-op on one that has. */
int proc_end(struct proc *proc, struct process *process, uint32_t status);
/* What its thread has used; before proc_ended(). */
int proc_spent(struct proc *proc, struct process *process, uint64_t ns);
/* Its DESTROY or ORPHANS work is done. The process may be gone after that. */
int proc_ended(struct proc *proc, struct process *process);

/* The next process with work, NULL if there is none. */
struct process *proc_work_next(const struct proc *proc);
int proc_work_done(struct proc *proc, struct process *process, uint32_t work);

/*
 * 0: *out_waited is the answer. *out_parked: the call was recorded and will be
 * answered with a struct proc_waited.
 */
int proc_wait(struct proc *proc, struct process *process,
    struct proc_call call, int64_t selector, uint64_t options,
    struct proc_waited *out_waited, bool *out_parked);
/* The caller of a parked call asked to stop; false if not parked here. */
int proc_cancel(struct proc *proc, struct proc_call call, bool *out_found);

/* code: SIGNAL_CODE_USER or SIGNAL_CODE_THREAD. */
int proc_kill(struct proc *proc, struct process *sender, int64_t selector,
    uint64_t signal, int32_t code);
/*
 * To one process, with details that the sender makes up; E_AGAIN if its queue
 * is full. What only proc may say of a signal is refused.
 */
int proc_queue(struct proc *proc, struct process *sender, uint64_t pid,
    const struct proc_signal *signal);
int proc_raise(struct proc *proc, struct process *process,
    const struct proc_signal *signal);
int proc_signal_fetch(struct proc *proc, struct process *process,
    uint64_t blocked, struct proc_fetched *out_fetched);
/* flags: IGNORE_*, about its children. */
int proc_signal_ignore(struct proc *proc, struct process *process,
    uint64_t set, uint64_t flags);
/*
 * The process does what a stop signal does without a handler. Parked until it
 * is continued; or it was already, or nobody could continue it.
 */
int proc_stop(struct proc *proc, struct process *process,
    struct proc_call call, uint64_t signal, bool *out_parked);
/* E_INTR, or the call is parked until a kick cancels it. */
int proc_signal_wait(struct proc *proc, struct process *process,
    struct proc_call call, uint64_t blocked);

/* When the next alarm is due, 0 for never. */
uint64_t proc_alarm_next(const struct proc *proc);
/* due_ns 0: none. */
int proc_alarm_set(struct proc *proc, struct process *process, uint64_t due_ns,
    uint64_t interval_ns);
/* Raises the signals of at most that many alarms. */
int proc_alarms_due(struct proc *proc, uint64_t now_ns, unsigned most);
int proc_nice(struct proc *proc, const struct process *caller,
    const struct proc_nice *request, int32_t *out_nice);

/*
 * Makes `who` the identity of the process, with work INFO; the groups stay.
 * 0 or E_NOMEM.
 */
int proc_identity_set(struct proc *proc, struct process *process,
    const struct proc_identity *who);
/* Takes ids in any order and sorts them. 0 or E_*. */
int proc_groups_set(struct proc *proc, struct process *process, uint32_t *gid,
    uint32_t count);

/* which 0: of the machine, 1: of its domain. 0 or E_*. */
int proc_host_name_set(struct proc *proc, const struct process *caller,
    unsigned which, const char *name, uint64_t length);

/* May it have one more child? 0 or E_AGAIN; root always may. */
int proc_may_fork(const struct proc *proc, const struct process *process);
/* As it was before. What is set has work INFO. */
int proc_limit(struct proc *proc, const struct process *caller,
    const struct proc_limit *request, uint64_t out_before[2]);

/* mask NULL only asks; the CPUs it names exist. */
int proc_affinity(struct proc *proc, const struct process *caller,
    uint64_t pid, const uint64_t *mask, uint64_t *out_before);

int proc_setpgid(struct proc *proc, struct process *process, uint64_t pid,
    uint64_t pgid);
int proc_setsid(struct proc *proc, struct process *process);
/* To each that is in the group, whoever sends it; E_SRCH if nobody is. */
int proc_signal_group(struct proc *proc, uint64_t pgid,
    const struct proc_signal *signal);
bool proc_group_in_session(const struct proc *proc, uint64_t pgid,
    uint64_t sid);
/*
 * Nobody outside the group but in its session is the parent of one in it: no
 * shell could continue it after a stop.
 */
bool proc_group_orphaned(const struct proc *proc, uint64_t pgid);
/* No process of the session has a controlling terminal after that. */
int proc_session_forget_terminal(struct proc *proc, uint64_t sid);

/*
 * The badge is free for good. notification and session of *out_watcher are the
 * shell's. E_NFILE at the limits.
 */
int proc_watcher_create(struct proc *proc, struct process *process,
    uint64_t badge, struct proc_watcher **out_watcher);
/* NULL if there is none. */
struct proc_watcher *proc_watcher_find(const struct proc *proc,
    uint64_t badge);
/* With all that it watches. */
int proc_watcher_end(struct proc *proc, struct proc_watcher *watcher);
int proc_watcher_name(struct proc *proc, struct proc_watcher *watcher,
    const uint64_t name[2]);
int proc_watch_add(struct proc *proc, struct proc_watcher *watcher,
    const struct proc_watch_name *name);
int proc_watch_remove(struct proc *proc, struct proc_watcher *watcher,
    const struct proc_watch_name *name);
/*
 * Signals all that watch the key, but of those that are exclusive one, in turn;
 * *out_left: there are others.
 */
int proc_wake(struct proc *proc, const uint64_t key[2], bool *out_left);
/* Every watcher looks at all it watches: somebody may have died in a wake. */
void proc_wake_all(const struct proc *proc);

/* As PROC_GET shows it. */
uint32_t proc_state(const struct process *process);
uint32_t proc_parent_pid(const struct process *process);

/* Walks the table; true if all relations hold. */
bool proc_ok(const struct proc *proc);
