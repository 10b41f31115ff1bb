/* SPDX-License-Identifier: MIT */
/*
 * Parts of the proc service: main.c is its life, requests.c serves processes,
 * objects.c owns the kernel objects of a process, first.c makes the first
 * process, terminals.c joins lib/terminal to sessions, line.c serves open
 * terminals, pump.c joins terminal 0 to the console, watches.c serves those who
 * wait for many things. /proc is names.c (paths),
 * files.c (what is open), inspect.c (where it comes from).
 */
#pragma once

#include <idl/place.h>
#include <idl/file.h>
#include <idl/proc.h>
#include <idl/process.h>
#include <idl/storage_server.h>
#include <lib/proc/proc.h>
#include <lib/procfs/procfs.h>
#include <lib/service/service.h>
#include <lib/terminal/terminal.h>
#include <idl/libos.h>

/* process->handle[] */
enum {
	HANDLE_CONTAINER,
	HANDLE_TABLE,
	HANDLE_VSPACE,
	HANDLE_THREAD,
	HANDLE_SESSION,		/* end B of the process's event pair */
	HANDLE_DEATH,
	HANDLE_INFO,		/* memory of struct process_info */
	HANDLE_COUNT,
};
_Static_assert(HANDLE_COUNT <= PROC_HANDLES, "handles of a process");

#define TERMINAL_COUNT	(1 + TERMINAL_PTY_MAX)

/* An open terminal; whoever has end A of its event pair calls through it. */
struct open_terminal {
	uint64_t badge;
	cap_t	 session;	/* end B */
	struct terminal *terminal;
	uint32_t master;
	uint32_t how;		/* TERMINAL_OPEN_* */
	uint32_t epoch;		/* of the terminal; another: hung up */
};

/* Of one side of a terminal: who polls it. */
struct terminal_watch {
	uint64_t key[2];	/* 0: nobody ever did */
	uint32_t armed;
	struct terminal_state state;	/* as POLL told it when armed */
};

struct terminals {
	struct arena_map *open;	/* struct open_terminal by badge */
	struct terminal *terminal[TERMINAL_COUNT];
	struct terminal_watch watch[TERMINAL_COUNT][2];	/* slave, master */
	uint32_t watched;	/* how many are armed */
	uint64_t next_badge;
	uint64_t typed;		/* bytes taken from the console */
	cap_t	 directory;	/* session at storage's root, for nodes */
	uint64_t nodes_gone;	/* bit n: /dev/pts/n may have to go */
};
_Static_assert(TERMINAL_PTY_MAX <= 64, "bits of nodes_gone");

struct watches {
	uint64_t next_badge;
	uint64_t console[2];	/* key of the console; 0: nobody watches it */
};

/* Root of the arena. */
struct root {
	struct terminals terminals;
	struct watches watches;
	struct proc_table table;
	struct libos_header libos;	/* as the image has it */
	uint64_t started;		/* the first process exists */
	uint64_t failed;		/* it cannot be made: exit code */
	cap_t	 timer;			/* for the alarms of the table */
	cap_t	 scratch;		/* INSPECT_MAX bytes of memory */
	struct arena_map *files;	/* open in /proc, by badge */
	uint64_t next_file;
	uint8_t	 boot_id[16];
};

/* What each incarnation asks phoenix for. */
struct granted {
	cap_t	 users;		/* container of all processes */
	cap_t	 storage, console, system, clock, archive, control;
	bool	 trace;
	bool	 terminal;	/* the host has one */
};

extern struct granted granted;
extern struct proc proc;	/* the core, on the root's table */

/* Registers of a new thread. */
struct entry_state {
	uint64_t rip, rsp, rdi;
};

/*
 * Everything a process consists of, but for the slots that name itself: it
 * could not be swept if it did. In a transaction; on failure nothing is left.
 */
status_t objects_create(uint32_t pid, cap_t handle[HANDLE_COUNT]);
/* Gives it the thread; table and address space are complete. */
status_t objects_set_entry(const struct libos_header *libos,
    const cap_t handle[HANDLE_COUNT], const struct entry_state *state);
/* A copy of the parent's table and of its memory from that address on. */
status_t objects_fork(const struct libos_header *libos,
    const cap_t parent[HANDLE_COUNT], uint32_t pid,
    const struct entry_state *state, uint64_t from,
    cap_t handle[HANDLE_COUNT]);
/* Never published: deletes what there is. */
void objects_delete(const cap_t handle[HANDLE_COUNT]);
/* Makes the handles those of the process, in its transaction. */
status_t objects_adopt(struct process *process,
    const cap_t handle[HANDLE_COUNT]);

/* Work of lib/proc. Each may be done again. */
status_t objects_start(const struct process *process);
void objects_schedule(const struct process *process);
/* Returns what its thread has used, in ns. */
uint64_t objects_destroy(const struct process *process);

status_t info_write(const struct process *process);
/* Ids and limits only. */
status_t info_update(const struct process *process);

/* Requests of a process that lives. */
service_outcome requests_dispatch(struct root *root, struct process *caller,
    struct service_call *call);
/* identities.c: the same, of who it is. */
#define TAG_IDENTITY	0x0370u
#define TAG_IDENTITY_END 0x0380u
service_outcome identities_dispatch(struct process *caller,
    struct service_call *call);
/* It runs that program from here on. 0 or E_*; secure: distrusts its parent. */
unsigned identities_run(struct process *process,
    const struct proc_program *program, bool *out_secure);
/* For the core: to a call that was parked. */
void requests_answer(void *context, const struct proc_answer *answer);
/* Whatever a process says of its own end as a wait status. */
uint32_t requests_status(uint64_t status);

/* Badges from here on are those of open terminals. */
#define TERMINALS_BADGE	(1ul << 32)
#define BIT_CONSOLE	(1ul << 34)	/* of the notification: pump() */
#define BIT_TERMINALS	(1ul << 35)	/* terminals_serve() */

extern struct terminals *terminals;	/* in the arena */
extern struct terminal_core terminal_core;

status_t terminals_start(struct terminals *in);
/* First thing in an incarnation, in a transaction. */
void terminals_resume(struct terminals *in);
/* First thing in every transaction. */
void terminals_begin(void);
/* After a request: has terminal 0 looked after. */
void terminals_end(void);
/* Requests through the session of a process. */
service_outcome terminals_session(struct service_call *call,
    struct process *process);
/* NULL: the badge names none. */
struct open_terminal *terminals_find(uint64_t badge);
/* line.c. Requests through an open terminal. */
service_outcome line_request(struct service_call *call);
/* Nobody has end A any more. */
void terminals_closed(uint64_t badge);
bool terminals_cancel(struct parked_call id);
/* linewatch.c: who polls a side of a terminal that has changed is woken. */
unsigned terminals_watch(const struct open_terminal *open, uint64_t out_key[2]);
void terminals_wake(void);
/* Whatever POLL says: its descriptions are of no use any more. */
void terminals_wake_all_of(const struct terminal *terminal);
/* Answers whose time is up, or who did not fit into the last transaction. */
void terminals_serve(void);
uint64_t terminals_due(void);	/* 0: never */
int terminals_session_ended(void *context, uint32_t sid, uint32_t number);
/* The typist is gone, or the master. */
void terminals_hang_up(struct terminal *terminal);

/* nodes.c. First thing after terminals_resume(), not in a transaction. */
void nodes_resume(void);
/* E_* or 0. Last thing in the transaction that makes the pair. */
int nodes_make(uint32_t number, uint32_t uid);
/* The pair has no master any more. */
void nodes_gone(uint32_t number);
void nodes_serve(void);
cap_t attach_root(void);

/* watches.c */
#define PROC_BADGE_WATCHER	(1ul << 34)

void watches_start(struct watches *in);
/* First thing in an incarnation, in a transaction. */
void watches_resume(struct watches *in);
/* Requests through the session of a process, and through a watcher. */
service_outcome watches_session(struct service_call *call,
    struct process *process);
service_outcome watches_request(struct service_call *call);
/* Nobody has end A any more. */
void watches_closed(uint64_t badge);
void watches_console_changed(void);
/* For the core. */
void watches_signal(void *context, uint64_t notification, uint64_t bits);

/* Terminal 0 and the console. First thing in an incarnation, a transaction. */
void pump_resume(void);
void pump(void);
/* Output or, after programs may have read, input may go on its way. */
bool pump_has_output(void);
bool pump_has_input(void);
/* The typist is gone; known again after the first pump() of an incarnation. */
bool pump_input_ended(void);
/* All output that can leave has left. */
bool pump_is_done(void);

/* Makes the first process, in a transaction; a reason in *out_reason. */
status_t first_process(struct root *root, cap_t root_directory,
    const char **out_reason);

/* Copies own memory into a memory object. */
status_t copy_to_memory(cap_t memory, uint64_t offset, const void *from,
    size_t length);

/* Seeds of processes: fresh, and none tells anything of another. */
void seed_start(const uint8_t seed[32]);
void seed_next(uint8_t out[32]);

/* -- /proc -- */

/* In the badges of descriptions. */
#define PROC_BADGE_FILE	(1ul << 33)

/*
 * Requests of storage.capnp: of a process on a path below /proc, and through
 * what it opened there, whose badge has PROC_BADGE_FILE set.
 */
struct proc_file;
struct storage_context {
	const struct process *caller;	/* NULL: through an open file */
	struct proc_file *file;
};
service_outcome names_serve(struct service_call *call,
    const struct process *caller);
service_outcome files_serve(struct service_call *call);

/* In the first transaction of all, and in one of each incarnation. */
int files_create(struct root *root);
int files_start(struct root *root);
/* Answers with a description. */
int files_open(struct service_call *call, const struct process *opener,
    const struct procfs_node *node);
void files_close(uint64_t badge);
/* Of a path relative to /proc: where it leads, outside. 0 or E_*. */
unsigned files_leave(struct service_call *call, const struct process *caller,
    const struct proc_leave_args *in, uint64_t *out_length);
/* What sysinfo tells. 0 or E_*. */
unsigned files_machine(struct proc_machine_results *out);
/* Path of an open file, 0 if the object is not that of the badge. */
size_t files_path(uint64_t badge, uint64_t object, char *out, size_t size);
void files_stat(const struct procfs_node *node,
    struct storage_stat_at_results *out);
unsigned files_access(const struct procfs_node *node, uint32_t wanted);
unsigned files_link(const struct procfs_node *node, uint32_t self, char *out,
    size_t size, size_t *out_length);

#define INSPECT_MAX	65536ul

void inspect_start(const struct root *root);
/* It has memory and a table. */
bool inspect_is_alive(const struct process *process);
/* It is on a CPU or waits for one. */
bool inspect_runs(const struct process *process);
/* How many bytes could be read of its memory, at most INSPECT_MAX. */
size_t inspect_read(const struct process *process, uint64_t address,
    void *out, size_t length);
bool inspect_view(const struct process *process, struct libos_view *out);
/* Until `each` returns false. */
void inspect_maps(const struct process *process,
    const struct libos_view *view,
    bool (*each)(void *context, const struct libos_map *map), void *context);
/* All but handlers and limits. */
void inspect_process(const struct process *process, uint32_t reader,
    struct procfs_process *out);
void inspect_handlers(const struct process *process,
    struct procfs_process *out);
/* How long the CPUs were at work, and idle. */
void inspect_cpus(struct procfs_machine *machine);
bool inspect_has_fd(const struct process *process, uint32_t fd);
/* Open ones from `first` on, ascending. */
unsigned inspect_fds(const struct process *process, uint64_t first,
    uint32_t *out, unsigned room);
/* Where a link of the process leads; 0: not known. */
size_t inspect_link(const struct process *process,
    const struct procfs_node *node, char *out, size_t size);

static inline struct utcb *
own_utcb(void)
{
	return (struct utcb *)PLACE_UTCB;
}
