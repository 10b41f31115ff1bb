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
#include <idl/errno.h>
#include <idl/phoenix_client.h>
#include <lib/base/string.h>
#include <lib/service/loop.h>

#define FORK_RESERVE_FRAMES	1024u	/* 4 MiB */
#define LAYOUT		7u
#define TABLE_SLOTS	262144u	/* as in proc.toml; some ten a process */
#define BIT_WORK	(1ul << 32)
#define BIT_TIMER	(1ul << 33)
#define WORK_AT_ONCE	8u	/* processes in one transaction */
#define CODE_NO_BOOT	125u
#define ALARM_MAX_NS	(1ul << 62)	/* no clock will see it */
#define VECTOR_DIVIDE	0u
#define VECTOR_INVALID	6u

struct granted granted;
struct proc proc;

/* Session of the first process; used up when that exists. */
static cap_t root_directory;

static struct parked_call
parked(struct proc_call call)
{
	return (struct parked_call){ call.reply, call.order };
}

/* For the core: a failure to list an answer ends the transaction. */
static void
answer(void *context, struct proc_call call, uint64_t error,
    const uint64_t value[3])
{
	struct message message = { { TAG_REPLY_OK, value[0], value[1],
	    value[2] } };
	status_t status;

	(void)context;
	if (error != 0)
		status = service_answer_error(parked(call), error);
	else
		status = service_answer(parked(call), &message);
	if (status != OK && status != ERR_NOENT)
		service_panic("cannot answer: status %lu", status);
}

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

static int
error_of(status_t status)
{
	switch (status) {
	case OK:
		return 0;
	case ERR_NOMEM:
		return E_NOMEM;
	case ERR_LIMIT:
	case ERR_FULL:
		return E_AGAIN;
	default:
		return E_IO;
	}
}

/* -- requests; each returns 0, an E_* code, or PARKED -- */

static void
reply(struct service_call *call, uint64_t a, uint64_t b, uint64_t c)
{
	call->message = (struct message){ { TAG_REPLY_OK, a, b, c } };
}

/*
 * A fork is refused while its container is nearly full: the last pages are for
 * what runs already, which would be killed by the next page fault otherwise.
 */
static bool
users_nearly_full(void)
{
	const struct container_info *info =
	    (const struct container_info *)((struct utcb *)PLACE_UTCB)->data;

	if (sys_invoke(SYS_CONTAINER_INFO, granted.users, 0, 0, 0, 0, 0).status !=
	    OK)
		return false;
	return info->frames_limit - info->frames_used < FORK_RESERVE_FRAMES;
}

static int
handle_fork(struct root *root, struct service_call *call,
    struct process *process, struct proc_call id)
{
	const uint64_t *word = call->message.word;
	struct entry_state state = { word[1], word[2], word[3] };
	bool vfork = (word[4] & FORK_VFORK) != 0;
	cap_t handle[HANDLE_COUNT];
	struct process *child;
	uint32_t pid;
	int error = users_nearly_full() ? E_AGAIN :
	    proc_may_fork(&proc, process);

	if (error == 0)
		error = proc_pick_pid(&proc, &pid);
	if (error != 0)
		return error;
	status_t status = objects_fork(&root->libos, process->handle, pid,
	    &state, handle);
	if (status != OK)
		return error_of(status);
	error = proc_create(&proc, pid, process, &child);
	if (error == 0) {
		child->start_ns = service_now_ns();
		status = objects_adopt(child, handle);
		if (status == OK)
			status = info_write(child);
		error = error_of(status);
	}
	if (error == 0 && vfork)
		error = proc_vfork(&proc, process, child, id);
	if (error != 0) {
		objects_delete(handle);
		return error;
	}
	reply(call, pid, 0, 0);
	return vfork ? PARKED : 0;
}

/* What a process says of its own end, made a wait status in any case. */
static uint32_t
checked_status(uint64_t status)
{
	return (status & 0x7f) == 0 ? status & 0xff00 : status & 0xff;
}

/* Not answered: the thread is killed, its reply object comes to cancel(). */
static int
handle_exit(struct service_call *call, struct process *process)
{
	int error = proc_end(&proc, process,
	    checked_status(call->message.word[1]));

	return error != 0 ? error : PARKED;
}

static int
handle_wait(struct service_call *call, struct process *process,
    struct proc_call id)
{
	struct proc_waited waited;
	bool was_parked;

	if (call->cancelled)
		return E_INTR;
	int error = proc_wait(&proc, process, id,
	    (int64_t)call->message.word[1], call->message.word[2], &waited,
	    &was_parked);
	if (error != 0)
		return error;
	reply(call, waited.pid, waited.status, waited.spent_ns);
	return was_parked ? PARKED : 0;
}

/* A cancelled one asks again: who is stopped stays so. */
static int
handle_stop(struct service_call *call, struct process *process,
    struct proc_call id)
{
	bool was_parked;

	if (call->cancelled)
		return E_INTR;
	int error = proc_stop(&proc, process, id, call->message.word[1],
	    &was_parked);
	if (error != 0)
		return error;
	reply(call, 0, 0, 0);
	return was_parked ? PARKED : 0;
}

static int
handle_queue(struct service_call *call, struct process *process)
{
	const uint64_t *word = call->message.word;
	struct proc_signal signal = {
		.signal = word[2] > SIGNAL_MAX ? SIGNAL_MAX + 1 :
		    (uint32_t)word[2],
		.code = (int32_t)word[3],
		.value = word[4],
		.pid = (uint32_t)word[5],
		.uid = (uint32_t)(word[5] >> 32),
	};

	return proc_queue(&proc, process, word[1], &signal);
}

static int
handle_fetch(struct service_call *call, struct process *process)
{
	struct proc_fetched fetched;
	int error = proc_signal_fetch(&proc, process, call->message.word[1],
	    &fetched);

	call->message = (struct message){ { TAG_REPLY_OK, fetched.signal,
	    (uint64_t)fetched.code, fetched.pid, fetched.uid, fetched.value,
	    fetched.left } };
	return error;
}

static int
handle_signal_wait(struct service_call *call, struct process *process,
    struct proc_call id)
{
	if (call->cancelled)
		return E_INTR;
	int error = proc_signal_wait(&proc, process, id,
	    call->message.word[1]);
	return error != 0 ? error : PARKED;
}

static int
handle_get(struct service_call *call, const struct process *process)
{
	uint64_t pid = call->message.word[1];
	const struct process *target = pid == 0 ? process :
	    proc_find(&proc, pid);

	if (target == NULL)
		return E_SRCH;
	call->message = (struct message){ { TAG_REPLY_OK, target->pid,
	    proc_parent_pid(target), target->pgid, target->sid,
	    proc_state(target) } };
	return 0;
}

static uint64_t
at_most(uint64_t value, uint64_t limit)
{
	return value < limit ? value : limit;
}

static int
handle_alarm(struct service_call *call, struct process *process)
{
	const uint64_t *word = call->message.word;
	uint64_t now = service_now_ns(), due = process->alarm_ns;
	uint64_t left = due == 0 ? 0 : due > now ? due - now : 1;
	uint64_t interval = process->interval_ns;
	int error = 0;

	if (word[1] != 0)
		error = proc_alarm_set(&proc, process, word[2] == 0 ? 0 :
		    now + at_most(word[2], ALARM_MAX_NS),
		    at_most(word[3], ALARM_MAX_NS));
	reply(call, left, interval, 0);
	return error;
}

static int
handle_nice(struct service_call *call, struct process *process)
{
	const uint64_t *word = call->message.word;
	struct proc_nice request = {
		.set = word[1] != 0, .kind = word[2], .id = word[3],
		.nice = (int64_t)word[4],
	};
	int32_t nice;

	if (request.id == 0)
		request.id = request.kind == NICE_PROCESS ? process->pid :
		    request.kind == NICE_GROUP ? process->pgid : process->uid;
	int error = proc_nice(&proc, process, &request, &nice);
	reply(call, (uint64_t)(int64_t)nice, 0, 0);
	return error;
}

/* Told in the info page before the answer, for the caller may look there. */
static int
handle_limit(struct service_call *call, struct process *process)
{
	const uint64_t *word = call->message.word;
	struct proc_limit request = {
		.pid = word[1], .resource = word[2], .set = word[3] != 0,
		.soft = word[4], .hard = word[5],
	};
	uint64_t before[2];
	int error = proc_limit(&proc, process, &request, before);

	if (error == 0 && request.set &&
	    (request.pid == 0 || request.pid == process->pid))
		info_update(process);
	reply(call, before[0], before[1], 0);
	return error;
}

/* So are the group and the session, for the caller and for a child. */
static int
handle_setpgid(struct service_call *call, struct process *process)
{
	uint64_t pid = call->message.word[1];
	const struct process *target = pid == 0 ? process :
	    proc_find(&proc, pid);
	int error = proc_setpgid(&proc, process, pid, call->message.word[2]);

	if (error == 0)
		info_update(target);
	reply(call, 0, 0, 0);
	return error;
}

static int
handle_setsid(struct service_call *call, struct process *process)
{
	int error = proc_setsid(&proc, process);

	if (error == 0)
		info_update(process);
	reply(call, process->sid, 0, 0);
	return error;
}

/* Names that make no sense are left out: exec has happened all the same. */
static int
handle_exec_done(struct service_call *call, struct process *process)
{
	static char names[NAMES_MAX];
	uint64_t length = call->message.word[1];
	int error = proc_exec_done(&proc, process);

	reply(call, 0, 0, 0);
	if (error != 0 || call->windows == 0 || length > sizeof(names) ||
	    sys_window_copy(call->reply, 0 | WINDOW_FROM_CALLER, 0, CAP_NONE,
	    (uint64_t)names, length, NULL) != OK)
		return error;
	error = proc_set_names(&proc, process, names, length);
	return error == E_INVAL ? 0 : error;
}

static int
dispatch(struct root *root, struct service_call *call,
    struct process *process)
{
	struct proc_call id = { call->id.reply, call->id.order };
	uint64_t tag = call->message.word[0];
	uint64_t a = call->message.word[1], b = call->message.word[2];
	uint64_t before;
	int error;

	switch (tag) {
	case PROC_FORK:
		return handle_fork(root, call, process, id);
	case PROC_EXIT:
		return handle_exit(call, process);
	case PROC_WAIT:
		return handle_wait(call, process, id);
	case PROC_SIGNAL_FETCH:
		return handle_fetch(call, process);
	case PROC_SIGNAL_WAIT:
		return handle_signal_wait(call, process, id);
	case PROC_STOP:
		return handle_stop(call, process, id);
	case PROC_GET:
		return handle_get(call, process);
	case PROC_ALARM:
		return handle_alarm(call, process);
	case PROC_LIMIT:
		return handle_limit(call, process);
	case PROC_AFFINITY:
		error = proc_affinity(&proc, process, a, b != 0 ?
		    &call->message.word[3] : NULL, &before);
		reply(call, before, 0, 0);
		return error;
	case PROC_NICE:
		return handle_nice(call, process);
	case PROC_KILL:
		error = proc_kill(&proc, process, (int64_t)a, b,
		    (int32_t)call->message.word[3]);
		break;
	case PROC_QUEUE:
		error = handle_queue(call, process);
		break;
	case PROC_TIMES:
		reply(call, process->children_ns, 0, 0);
		return 0;
	case PROC_SIGNAL_PENDING:
		reply(call, process->pending, 0, 0);
		return 0;
	case PROC_SIGNAL_IGNORE:
		error = proc_signal_ignore(&proc, process, a, b);
		break;
	case PROC_SETPGID:
		return handle_setpgid(call, process);
	case PROC_SETSID:
		return handle_setsid(call, process);
	case TERMINAL_OPEN:
	case TERMINAL_SET_GROUP:
	case TERMINAL_ACQUIRE:
	case TERMINAL_RELEASE:
	case TERMINAL_STOP_GROUP:
		return terminals_session(call, process);
	case PROC_MACHINE:
		return files_machine(call);
	case PROC_EXEC_DONE:
		return handle_exec_done(call, process);
	default:
		return E_NOSYS;
	}
	reply(call, 0, 0, 0);
	return error;
}

static service_outcome
finish(struct service_call *call, int error)
{
	if (error > 0)
		return wire_refuse(call, (unsigned)error);
	terminals_end();
	ask_for_work();
	return error == PARKED ? SERVICE_PARK : SERVICE_REPLY;
}

static int
handle_leave(struct service_call *call, const struct process *process)
{
	const struct storage_context context = { .caller = process };
	const struct wire_bytes path = { NULL, call->message.word[1], 0 };
	const struct wire_room to = { NULL, call->message.word[2], 0 };
	uint64_t length;
	int error = path.length >= STORAGE_PATH_MAX ? E_NAMETOOLONG :
	    (int)names_leave(&context, call, &path, &to, &length);

	if (error == 0)
		reply(call, length, 0, 0);
	return error;
}

static service_outcome
dispatch_session(struct root *root, struct service_call *call)
{
	struct process *process = proc_find(&proc, call->badge);
	uint64_t tag = call->message.word[0];

	/* Only processes call, and only while they live and are not stopped. */
	if (process == NULL || (process->state != PROCESS_RUNNING &&
	    (process->state != PROCESS_STOPPED || tag != PROC_STOP)))
		return wire_refuse(call, E_PERM);
	/* Requests about /proc have the tags of storage. */
	if (tag < TAG_SOCKET)
		return names_serve(call, process);
	if (tag == PROC_LEAVE)
		return finish(call, handle_leave(call, process));
	return finish(call, dispatch(root, call, process));
}

static service_outcome
handle(void *root, struct service_call *call)
{
	terminals_begin();
	if ((call->badge & PROC_BADGE_FILE) != 0)
		return files_serve(call);
	if (call->badge >= TERMINALS_BADGE)
		return finish(call, terminals_request(call));
	return dispatch_session(root, call);
}

/* -- work, events -- */

static void
work_on(struct process *process)
{
	uint32_t work = process->work;

	if (work & PROC_WORK_DESTROY)
		must(proc_spent(&proc, process, objects_destroy(process)));
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
	if (bits & BIT_CONSOLE)
		pump();
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
	ask_for_work();
}

static uint32_t
death_status(const struct death_info *info)
{
	if (info->cause == DEATH_EXIT)
		return checked_status(info->code);
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
	proc.answer = answer;
	proc.session_ended = terminals_session_ended;
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
