/* SPDX-License-Identifier: MIT */
/*
 * proc: processes, their relations and signals.
 *
 * lib/proc decides, this shell asks the kernel. A request changes the table in
 * its transaction; what must happen to threads and memory is work in the table,
 * done after the commit when the service signals itself. proc waits for no
 * program: a process that has to end is stopped from outside.
 *
 * Process 1 ends the system: its wait status is the exit code.
 */
#include "shell.h"

#include <idl/console_client.h>
#include <idl/phoenix_client.h>
#include <lib/base/string.h>
#include <lib/service/loop.h>
#include <lib/wire/server.h>

#define LAYOUT		10u
#define TABLE_SLOTS	262144u	/* as in proc.toml; some ten a process */
#define BIT_WORK	(1ul << 32)
#define BIT_TIMER	(1ul << 33)
#define WORK_AT_ONCE	8u	/* processes in one transaction */
#define CODE_NO_BOOT	125u
#define VECTOR_DIVIDE	0u
#define VECTOR_INVALID	6u

struct granted granted;
struct proc proc;

/* Session of the first process; used up when that exists. */
static cap_t root_directory;

static void
must(int error)
{
	if (error != 0)
		service_panic("a transaction is too large: error %d", error);
}

static void
ask_for_work(void)
{
	if (proc_work_next(&proc) == NULL)
		return;
	if (service_effect_signal(PLACE_NOTIFICATION, BIT_WORK) != OK)
		service_panic("effect list full");
}

/* -- requests -- */

static service_outcome
dispatch_session(struct root *root, struct service_call *call)
{
	struct process *process = proc_find(&proc, call->badge);
	uint64_t tag = wire_tag(call);

	/* Only processes call, and only while they live and are not stopped. */
	if (process == NULL || (process->state != PROCESS_RUNNING &&
	    (process->state != PROCESS_STOPPED || tag != PROC_STOP)))
		return wire_refuse(call, E_PERM);
	/* Requests about /proc have the tags of storage. */
	if (tag < TAG_SOCKET)
		return names_serve(call, process);
	if (tag >= TAG_IDENTITY && tag < TAG_IDENTITY_END)
		return identities_dispatch(process, call);
	if (tag >= TAG_WATCH)
		return watches_session(call, process);
	if (tag >= TAG_TERMINAL)
		return terminals_session(call, process);
	return requests_dispatch(root, process, call);
}

static service_outcome
handle(void *root, struct service_call *call)
{
	service_outcome outcome;

	terminals_begin();
	if ((call->badge & PROC_BADGE_WATCHER) != 0)
		outcome = watches_request(call);
	else if ((call->badge & PROC_BADGE_FILE) != 0)
		outcome = files_serve(call);
	else if (call->badge >= TERMINALS_BADGE)
		outcome = line_request(call);
	else
		outcome = dispatch_session(root, call);
	if (outcome == SERVICE_ERROR)
		return outcome;
	terminals_end();
	ask_for_work();
	return outcome;
}

/* -- work, events -- */

static void
work_on(struct process *process)
{
	uint32_t work = process->work;

	if (work & PROC_WORK_DESTROY) {
		must(proc_spent(&proc, process, objects_destroy(process)));
		/* What it had open is gone only now. */
		if (!process->left)
			proc_wake_all(&proc);
	}
	if (work & (PROC_WORK_DESTROY | PROC_WORK_ORPHANS)) {
		must(proc_ended(&proc, process));
		return;
	}
	if ((work & PROC_WORK_START) && objects_start(process) != OK) {
		/* Out of memory: it never was. */
		must(proc_end(&proc, process, STATUS_SIGNALLED(SIGNAL_KILL)));
		return;
	}
	if (work & PROC_WORK_INFO)
		info_update(process);
	if (work & PROC_WORK_NICE)
		objects_schedule(process);
	/* Its answer makes who was stopped look. */
	if ((work & PROC_WORK_KICK) && process->park != PARK_STOP)
		sys_invoke(SYS_THREAD_KICK, process->handle[HANDLE_THREAD], 0,
		    0, 0, 0, 0);
	must(proc_work_done(&proc, process, work));
}

/* The first process cannot be made: the system ends. */
static void
give_up(struct root *root, const char *reason, status_t status)
{
	service_log("%s (status %lu)", reason, status);
	if (TX_SET(service_arena(), root->failed, CODE_NO_BOOT) != OK)
		service_panic("%s", reason);
}

static void
start_first(struct root *root)
{
	const char *reason;
	status_t status = first_process(root, root_directory, &reason);

	if (status != OK)
		give_up(root, reason, status);
	sys_cap_delete(CAP_NONE, root_directory);
	root_directory = CAP_NONE;
}

static void
notified(void *arena_root, uint64_t bits)
{
	struct root *root = arena_root;
	struct process *process;

	terminals_begin();
	if (bits & BIT_CONSOLE) {
		pump();
		watches_console_changed();
	}
	must(proc_alarms_due(&proc, service_now_ns(), WORK_AT_ONCE));
	/* What runs must have been committed: its work is done next time. */
	if (!root->started && !root->failed) {
		start_first(root);
		ask_for_work();
		return;
	}
	if (root->failed)
		return;		/* no process was built; idle() ends it all */
	for (unsigned i = 0; i < WORK_AT_ONCE; i++) {
		process = proc_work_next(&proc);
		if (process == NULL)
			break;
		work_on(process);
	}
	terminals_serve();
	terminals_wake();
	ask_for_work();
}

static uint32_t
death_status(const struct death_info *info)
{
	if (info->cause == DEATH_EXIT)
		return requests_status(info->code);
	if (info->cause != DEATH_EXCEPTION)
		return STATUS_SIGNALLED(SIGNAL_KILL);
	switch (info->code) {
	case VECTOR_DIVIDE:
		return STATUS_SIGNALLED(SIGNAL_FPE);
	case VECTOR_INVALID:
		return STATUS_SIGNALLED(SIGNAL_ILL);
	default:
		return STATUS_SIGNALLED(SIGNAL_SEGV);
	}
}

static void
event(void *root, uint64_t kind, uint64_t badge)
{
	const struct death_info *info = (struct death_info *)own_utcb()->data;
	struct process *process = proc_find(&proc, badge);
	uint32_t status = STATUS_SIGNALLED(SIGNAL_KILL);

	(void)root;
	if ((badge & PROC_BADGE_WATCHER) != 0) {
		if (kind == EVENT_PEER_GONE)
			watches_closed(badge);
		return;
	}
	if ((badge & PROC_BADGE_FILE) != 0) {
		if (kind == EVENT_PEER_GONE)
			files_close(badge);
		return;
	}
	terminals_begin();
	if (badge >= TERMINALS_BADGE) {
		terminals_closed(badge);
		terminals_end();
		ask_for_work();
		return;
	}
	if (process == NULL || (process->state != PROCESS_RUNNING &&
	    process->state != PROCESS_STOPPED))
		return;
	if (kind == EVENT_DEATH && sys_invoke(SYS_DEATH_READ,
	    process->handle[HANDLE_DEATH], 0, 0, 0, 0, 0).status == OK) {
		status = death_status(info);
		service_log("process %u died: cause %lu code %lu rip %lx "
		    "address %lx", process->pid, info->cause, info->code,
		    info->frame.rip, info->frame.address);
	}
	must(proc_end(&proc, process, status));
	ask_for_work();
}

static void
cancel(void *root, struct parked_call id)
{
	bool found;

	(void)root;
	terminals_begin();
	if (terminals_cancel(id)) {
		terminals_end();
		return;
	}
	must(proc_cancel(&proc, (struct proc_call){ id.reply, id.order },
	    &found));
	/* Left by a process that has ended: only the object matters. */
	if (!found && service_answer_error(id, E_INTR) != OK)
		service_panic("cannot answer a cancelled call");
}

/* -- start and end -- */

static _Noreturn void
shut_down(uint32_t code)
{
	char value[48];

	if (service_option("leakcheck", value) == OK && value[0] == '1')
		phoenix_report(PLACE_PHOENIX);
	if (console_exit(granted.console, code) != 0)
		service_log("the exit status was not sent");
	sys_invoke(SYS_SYSTEM_CONTROL, granted.system, SYSTEM_EXIT, code, 0, 0,
	    0);
	service_panic("the machine does not stop");
}

/* The alarm that the timer was last set to, by this incarnation. */
static uint64_t timer_ns = DEADLINE_NEVER;

static void
set_timer(const struct root *root)
{
	uint64_t due = proc_alarm_next(&proc), read = terminals_due();

	if (due == 0 || (read != 0 && read < due))
		due = read;
	if (due == 0)
		due = DEADLINE_NEVER;
	if (due == timer_ns && due > service_now_ns())
		return;
	timer_ns = due;
	sys_invoke(SYS_TIMER_SET, root->timer, due, 0, 0, 0, 0);
}

static void
idle(void *arena_root)
{
	const struct root *root = arena_root;
	uint32_t status = root->table.final_status;

	set_timer(root);

	if (root->failed)
		shut_down((uint32_t)root->failed);
	if (!root->table.finished || root->table.count > 0 ||
	    !pump_is_done())
		return;
	shut_down((status & 0x7f) == 0 ? status >> 8 & 0xff :
	    128 + (status & 0x7f));
}

static cap_t
request(const char *name)
{
	cap_t cap = CAP_NONE;
	status_t status = service_request(name, &cap);

	if (status != OK)
		service_panic("%s refused: status %lu", name, status);
	return cap;
}

static status_t
start(void *arena_root)
{
	struct root *root = arena_root;

	proc.table = &root->table;
	proc.arena = service_arena();
	status_t status = sys_object_create(OBJ_TIMER, PLACE_CONTAINER,
	    PLACE_NOTIFICATION, BIT_TIMER, &root->timer);
	if (status == OK)
		status = service_cap_keep(root->timer);
	if (status == OK)
		status = sys_object_create(OBJ_MEMORY, PLACE_CONTAINER,
		    INSPECT_MAX, 0, &root->scratch);
	if (status == OK)
		status = service_cap_keep(root->scratch);
	if (status != OK)
		return status;
	if (files_create(root) != 0)
		return ERR_NOMEM;
	watches_start(&root->watches);
	status = terminals_start(&root->terminals);
	if (status != OK)
		return status;
	return proc_table_start(&proc) == 0 ? OK : ERR_NOMEM;
}

static void
resume(void *arena_root, bool first)
{
	struct root *root = arena_root;
	char value[48];

	(void)first;
	proc.table = &root->table;
	proc.arena = service_arena();
	proc.answer = requests_answer;
	proc.session_ended = terminals_session_ended;
	proc.signal = watches_signal;
	if (!proc_ok(&proc))
		service_panic("the table is inconsistent");
	proc_resume(&proc);
	seed_start(service_info()->seed);
	loop_transaction_begin();
	if (root->started)
		must(proc_skip_pid(&proc));
	must(files_start(root));
	loop_transaction_end();
	inspect_start(root);
	granted = (struct granted){
		.users = request("container:users"),
		.storage = request("storage:open"),
		.console = request("console:write"),
		.system = request("system:exit"),
		.clock = request("clock"),
		.archive = request("archive:bennu"),
		.control = request("phoenix:control"),
		.trace = service_option("trace", value) == OK &&
		    value[0] == '1',
		.terminal = service_option("terminal", value) == OK &&
		    value[0] == '1',
	};
	loop_transaction_begin();
	terminals_resume(&root->terminals);
	watches_resume(&root->watches);
	loop_transaction_end();
	nodes_resume();
	if (!root->started && !root->failed)
		root_directory = attach_root();
	sys_signal(PLACE_NOTIFICATION, BIT_WORK);
}

static const struct service service = {
	.name = "proc",
	.layout_version = LAYOUT,
	.root_size = sizeof(struct root),
	.reply_objects = PROC_CALLS_MAX,
	.table_slots = TABLE_SLOTS,
	.start = start,
	.resume = resume,
	.handle = handle,
	.notified = notified,
	.event = event,
	.cancel = cancel,
	.idle = idle,
};

int main(void);

int
main(void)
{
	service_run(&service);
}
