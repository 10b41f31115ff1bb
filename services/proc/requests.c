/* SPDX-License-Identifier: MIT */
/*
 * The requests of idl/proc.capnp: lib/proc decides, objects.c asks the kernel.
 */
#include "shell.h"

#include <idl/proc_server.h>

#define FORK_RESERVE_FRAMES	1024u	/* 4 MiB */
#define ALARM_MAX_NS	(1ul << 62)	/* no clock will see it */

struct proc_context {
	struct root *root;
	struct process *process;	/* that calls */
};

static unsigned
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

static struct proc_call
id_of(const struct service_call *call)
{
	return (struct proc_call){ call->id.reply, call->id.order };
}

/* What the core returned, for a handler to return. */
static unsigned
outcome_of(int error, bool was_parked)
{
	return error != 0 ? (unsigned)error : was_parked ? WIRE_PARKED : 0;
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

static unsigned
adopt_child(struct process *parent, uint32_t pid,
    const cap_t handle[HANDLE_COUNT], struct process **out_child)
{
	int error = proc_create(&proc, pid, parent, out_child);

	if (error != 0)
		return (unsigned)error;
	(*out_child)->start_ns = service_now_ns();
	status_t status = objects_adopt(*out_child, handle);
	if (status == OK)
		status = info_write(*out_child);
	return error_of(status);
}

static unsigned
handle_fork(struct proc_context *context, struct service_call *call,
    const struct proc_fork_args *in, struct proc_fork_results *out)
{
	struct process *process = context->process, *child;
	const struct entry_state state = { in->rip, in->rsp, in->rdi };
	bool spawn = (in->flags & FORK_SPAWN) != 0;
	bool vfork = (in->flags & FORK_VFORK) != 0 || spawn;
	cap_t handle[HANDLE_COUNT];
	int refused = users_nearly_full() ? E_AGAIN :
	    proc_may_fork(&proc, process);

	if (refused == 0)
		refused = proc_pick_pid(&proc, &out->pid);
	if (refused != 0)
		return (unsigned)refused;
	status_t status = objects_fork(&context->root->libos, process->handle,
	    out->pid, &state, spawn ? LIBOS_BASE : 0, handle);
	if (status != OK)
		return error_of(status);
	unsigned error = adopt_child(process, out->pid, handle, &child);
	if (error == 0 && vfork)
		error = (unsigned)(spawn ? proc_spawn : proc_vfork)(&proc,
		    process, child, id_of(call));
	if (error != 0) {
		objects_delete(handle);
		return error;
	}
	return vfork ? WIRE_PARKED : 0;
}

/* As exit. */
static unsigned
handle_spawn_failed(struct proc_context *context, struct service_call *call,
    const struct proc_spawn_failed_args *in)
{
	return outcome_of(proc_spawn_failed(&proc, context->process,
	    in->error), true);
}

/* What a process says of its own end, made a wait status in any case. */
uint32_t
requests_status(uint64_t status)
{
	return (status & 0x7f) == 0 ? status & 0xff00 : status & 0xff;
}

/* Not answered: the thread is killed, its reply object comes to cancel(). */
static unsigned
handle_exit(struct proc_context *context, struct service_call *call,
    const struct proc_exit_args *in)
{
	if (TX_SET(service_arena(), context->process->left, 1) != OK)
		return E_NOMEM;
	return outcome_of(proc_end(&proc, context->process,
	    requests_status(in->status)), true);
}

static unsigned
handle_wait(struct proc_context *context, struct service_call *call,
    const struct proc_wait_args *in, struct proc_wait_results *out)
{
	struct proc_waited waited;
	bool was_parked;

	if (call->cancelled)
		return E_INTR;
	int error = proc_wait(&proc, context->process, id_of(call),
	    in->selector, in->options, &waited, &was_parked);
	*out = (struct proc_wait_results){ waited.pid, waited.status,
	    waited.uid, waited.spent_ns };
	return outcome_of(error, was_parked);
}

/* A cancelled one asks again: who is stopped stays so. */
static unsigned
handle_stop(struct proc_context *context, struct service_call *call,
    const struct proc_stop_args *in)
{
	bool was_parked;

	if (call->cancelled)
		return E_INTR;
	int error = proc_stop(&proc, context->process, id_of(call),
	    in->signal, &was_parked);
	return outcome_of(error, was_parked);
}

static unsigned
handle_kill(struct proc_context *context, struct service_call *call,
    const struct proc_kill_args *in)
{
	return (unsigned)proc_kill(&proc, context->process, in->selector,
	    in->signal, in->code);
}

static unsigned
handle_queue(struct proc_context *context, struct service_call *call,
    const struct proc_queue_args *in)
{
	const struct proc_signal signal = {
		.signal = in->signal, .code = in->code, .value = in->value,
		.pid = in->tell_pid, .uid = in->tell_uid,
	};

	return (unsigned)proc_queue(&proc, context->process,
	    (uint64_t)in->pid, &signal);
}

static unsigned
handle_signal_fetch(struct proc_context *context, struct service_call *call,
    const struct proc_signal_fetch_args *in,
    struct proc_signal_fetch_results *out)
{
	struct proc_fetched got;
	int error = proc_signal_fetch(&proc, context->process, in->blocked,
	    &got);

	*out = (struct proc_signal_fetch_results){ got.signal, got.code,
	    got.pid, got.uid, got.value, got.left };
	return (unsigned)error;
}

static unsigned
handle_signal_pending(struct proc_context *context, struct service_call *call,
    struct proc_signal_pending_results *out)
{
	out->pending = context->process->pending;
	return 0;
}

static unsigned
handle_signal_ignore(struct proc_context *context, struct service_call *call,
    const struct proc_signal_ignore_args *in)
{
	return (unsigned)proc_signal_ignore(&proc, context->process, in->set,
	    in->flags);
}

static unsigned
handle_signal_wait(struct proc_context *context, struct service_call *call,
    const struct proc_signal_wait_args *in)
{
	if (call->cancelled)
		return E_INTR;
	return outcome_of(proc_signal_wait(&proc, context->process,
	    id_of(call), in->blocked), true);
}

static unsigned
handle_get(struct proc_context *context, struct service_call *call,
    const struct proc_get_args *in, struct proc_get_results *out)
{
	const struct process *target = in->pid == 0 ? context->process :
	    proc_find(&proc, (uint64_t)in->pid);

	if (target == NULL)
		return E_SRCH;
	*out = (struct proc_get_results){ target->pid,
	    proc_parent_pid(target), target->pgid, target->sid,
	    proc_state(target) };
	return 0;
}

static uint64_t
at_most(uint64_t value, uint64_t limit)
{
	return value < limit ? value : limit;
}

static unsigned
handle_alarm(struct proc_context *context, struct service_call *call,
    const struct proc_alarm_args *in, struct proc_alarm_results *out)
{
	struct process *process = context->process;
	uint64_t now = service_now_ns(), due = process->alarm_ns;

	out->left_ns = due == 0 ? 0 : due > now ? due - now : 1;
	out->interval_ns = process->interval_ns;
	if (!in->set)
		return 0;
	return (unsigned)proc_alarm_set(&proc, process, in->ns == 0 ? 0 :
	    now + at_most(in->ns, ALARM_MAX_NS),
	    at_most(in->interval_ns, ALARM_MAX_NS));
}

static unsigned
handle_nice(struct proc_context *context, struct service_call *call,
    const struct proc_nice_args *in, struct proc_nice_results *out)
{
	const struct process *process = context->process;
	struct proc_nice request = {
		.set = in->set, .kind = in->kind, .id = (uint64_t)in->id,
		.nice = in->value,
	};

	if (request.id == 0)
		request.id = request.kind == NICE_PROCESS ? process->pid :
		    request.kind == NICE_GROUP ? process->pgid : process->who.uid;
	return (unsigned)proc_nice(&proc, process, &request, &out->value);
}

/* Told in the info page before the answer, for the caller may look there. */
static unsigned
handle_limit(struct proc_context *context, struct service_call *call,
    const struct proc_limit_args *in, struct proc_limit_results *out)
{
	const struct process *process = context->process;
	const struct proc_limit request = {
		.pid = (uint64_t)in->pid, .resource = in->resource,
		.set = in->set, .soft = in->soft, .hard = in->hard,
	};
	uint64_t before[2];
	int error = proc_limit(&proc, process, &request, before);

	if (error != 0)
		return (unsigned)error;
	if (request.set && (request.pid == 0 || request.pid == process->pid))
		info_update(process);
	*out = (struct proc_limit_results){ before[0], before[1] };
	return 0;
}

static unsigned
handle_affinity(struct proc_context *context, struct service_call *call,
    const struct proc_affinity_args *in, struct proc_affinity_results *out)
{
	return (unsigned)proc_affinity(&proc, context->process,
	    (uint64_t)in->pid, in->set ? &in->mask : NULL, &out->mask);
}

static unsigned
handle_times(struct proc_context *context, struct service_call *call,
    struct proc_times_results *out)
{
	out->children_ns = context->process->children_ns;
	return 0;
}

/* So are the group and the session, for the caller and for a child. */
static unsigned
handle_setpgid(struct proc_context *context, struct service_call *call,
    const struct proc_setpgid_args *in)
{
	struct process *process = context->process;
	const struct process *target = in->pid == 0 ? process :
	    proc_find(&proc, (uint64_t)in->pid);
	int error = proc_setpgid(&proc, process, (uint64_t)in->pid,
	    (uint64_t)in->pgid);

	if (error == 0)
		info_update(target);
	return (unsigned)error;
}

static unsigned
handle_setsid(struct proc_context *context, struct service_call *call,
    struct proc_setsid_results *out)
{
	int error = proc_setsid(&proc, context->process);

	if (error == 0)
		info_update(context->process);
	out->sid = context->process->sid;
	return (unsigned)error;
}

/* What the new program may no longer do; it cannot go on with more. */
static unsigned
run_as_program(struct process *process)
{
	static const struct proc_program plain;
	bool secure;

	if (identities_run(process, &plain, &secure) == 0)
		return 0;
	return (unsigned)proc_end(&proc, process,
	    STATUS_SIGNALLED(SIGNAL_KILL));
}

/* Names that make no sense are left out: exec has happened all the same. */
static unsigned
handle_exec_done(struct proc_context *context, struct service_call *call,
    const struct proc_exec_done_args *in)
{
	static char names[NAMES_MAX];
	uint64_t length = in->names.length;
	int error = proc_exec_done(&proc, context->process);

	if (error == 0)
		error = (int)run_as_program(context->process);
	if (error != 0 || length == 0 ||
	    wire_take(call, &in->names, names) != OK)
		return (unsigned)error;
	error = proc_set_names(&proc, context->process, names, length);
	return error == E_INVAL ? 0 : (unsigned)error;
}

static unsigned
handle_leave(struct proc_context *context, struct service_call *call,
    const struct proc_leave_args *in, struct proc_leave_results *out)
{
	return files_leave(call, context->process, in, &out->target_length);
}

static unsigned
handle_machine(struct proc_context *context, struct service_call *call,
    struct proc_machine_results *out)
{
	return files_machine(out);
}

static const struct proc_operations operations = {
	.fork = handle_fork,
	.exit = handle_exit,
	.wait = handle_wait,
	.kill = handle_kill,
	.signal_fetch = handle_signal_fetch,
	.signal_pending = handle_signal_pending,
	.signal_ignore = handle_signal_ignore,
	.setpgid = handle_setpgid,
	.setsid = handle_setsid,
	.get = handle_get,
	.exec_done = handle_exec_done,
	.signal_wait = handle_signal_wait,
	.alarm = handle_alarm,
	.nice = handle_nice,
	.stop = handle_stop,
	.queue = handle_queue,
	.times = handle_times,
	.limit = handle_limit,
	.affinity = handle_affinity,
	.leave = handle_leave,
	.machine = handle_machine,
	.spawn_failed = handle_spawn_failed,
};

static struct parked_call
parked(struct proc_call call)
{
	return (struct parked_call){ call.reply, call.order };
}

static status_t
answer_of_kind(const struct proc_answer *answer)
{
	const struct proc_waited *waited = &answer->waited;
	struct parked_call id = parked(answer->call);

	if (answer->error != 0)
		return service_answer_error(id, answer->error);
	switch (answer->what) {
	case PARK_WAIT:
		return proc_wait_answer(id, &(struct proc_wait_results){
		    waited->pid, waited->status, waited->uid,
		    waited->spent_ns });
	case PARK_VFORK:
		return proc_fork_answer(id, &(struct proc_fork_results){
		    waited->pid });
	case PARK_STOP:
		return proc_stop_answer(id);
	default:
		return ERR_STATE;
	}
}

/* For the core: a failure to list an answer ends the transaction. */
void
requests_answer(void *context, const struct proc_answer *answer)
{
	status_t status = answer_of_kind(answer);

	if (status != OK && status != ERR_NOENT)
		service_panic("cannot answer: status %lu", status);
}

service_outcome
requests_dispatch(struct root *root, struct process *caller,
    struct service_call *call)
{
	struct proc_context context = { root, caller };

	return proc_dispatch(&operations, &context, call);
}
