/* SPDX-License-Identifier: MIT */
/*
 * The requests of idl/identity.capnp, and what a change means for the
 * capabilities of the process (docs/design/credentials.md).
 *
 * Storage knows who asks by the description that he asks through. So when the
 * identity of a process changes, its root directory becomes that of the new
 * subject, and all other descriptions in its table lose their subject: they
 * read and write as before, but open nothing any more. All of this may be done
 * again. It comes before the commit, because afterwards the call could not be
 * refused any more; a process whose change was undone in between has a root
 * directory that it was entitled to.
 */
#include "shell.h"

#include <idl/identity_server.h>
#include <idl/storage_client.h>
#include <lib/base/string.h>

#define AT_ONCE		(STORAGE_RENOUNCE_BYTES / sizeof(struct storage_name))
#define PASSES_MAX	8u	/* threads may open while it is done */

struct identity_context {
	struct process *process;	/* that calls */
};

static struct storage_subject
subject_of(const struct proc_identity *who)
{
	struct storage_subject subject = {
		.uid = who->fsuid, .gid = who->fsgid,
		.real_uid = who->uid, .real_gid = who->gid,
		.privileges = who->may.effective,
		.real_privileges = who->may.effective,
	};

	/* For access(): as if the real user had what he may have. */
	if ((who->secure & SECURE_NO_SETUID_FIXUP) == 0)
		subject.real_privileges = who->uid == 0 ?
		    who->may.permitted : 0;
	return subject;
}

static cap_t
cap_in(cap_t table, cap_t cap, unsigned *out_type, struct storage_name *out)
{
	struct sys_result r = sys_invoke(SYS_CAP_INFO, table, cap, 0, 0, 0, 0);

	*out_type = (unsigned)(r.value[0] & 0xff);
	*out = (struct storage_name){ r.value[1] & SERVICE_BADGE_MASK,
		r.value[2] };
	return r.status == OK ? cap : CAP_NONE;
}

/* Some descriptions of a table, and where they lie. */
struct batch {
	struct storage_name name[AT_ONCE];
	cap_t	 cap[AT_ONCE];
	unsigned count;
};

/* E_* or 0; *changed counts up. */
static unsigned
renounce_batch(cap_t table, struct batch *batch, uint64_t *changed)
{
	const struct storage_renounce_all_args in = {
		.descriptions = { batch->name,
		    batch->count * sizeof(batch->name[0]), 0 },
	};
	struct storage_renounce_all_results out = { 0 };

	if (batch->count == 0)
		return 0;
	long error = storage_renounce_all(granted.storage,
	    in.descriptions.bytes, in.descriptions.length, &out);
	if (error != 0)
		return E_AGAIN;
	for (unsigned i = 0; i < batch->count; i++) {
		if ((out.attached >> i & 1) == 0)
			continue;
		/* The root of somebody that it was. */
		sys_cap_delete(table, batch->cap[i]);
		*changed += 1;
	}
	*changed += out.changed;
	batch->count = 0;
	return 0;
}

/* One pass over the table; the root directory is not touched. */
static unsigned
renounce_table(cap_t table, uint64_t *changed)
{
	static struct batch batch;
	struct sys_result next;
	unsigned type, error = 0;

	batch.count = 0;
	for (uint64_t index = PROCESS_INHERITED; error == 0;
	    index = CAP_INDEX(next.value[0]) + 1) {
		next = sys_invoke(SYS_TABLE_NEXT, table, index, 0, 0, 0, 0);
		if (next.status != OK)
			break;
		if (CAP_INDEX(next.value[0]) == CAP_INDEX(PROCESS_ROOT) ||
		    cap_in(table, next.value[0], &type,
		    &batch.name[batch.count]) == CAP_NONE ||
		    type != OBJ_EVENTPAIR_A)
			continue;
		batch.cap[batch.count++] = next.value[0];
		if (batch.count == AT_ONCE)
			error = renounce_batch(table, &batch, changed);
	}
	return error != 0 ? error : renounce_batch(table, &batch, changed);
}

/* A capability of that object, wherever it is. */
static void
delete_object(cap_t table, uint64_t object)
{
	struct storage_name name;
	struct sys_result next;
	unsigned type;

	for (uint64_t index = PROCESS_INHERITED;;
	    index = CAP_INDEX(next.value[0]) + 1) {
		next = sys_invoke(SYS_TABLE_NEXT, table, index, 0, 0, 0, 0);
		if (next.status != OK)
			break;
		if (cap_in(table, next.value[0], &type, &name) != CAP_NONE &&
		    name.object == object)
			sys_cap_delete(table, next.value[0]);
	}
}

/*
 * Orders to phoenix are for who administers the machine. The process is in the
 * transaction.
 */
static void
set_control(struct process *process)
{
	cap_t table = process->handle[HANDLE_TABLE];
	struct storage_name control;
	unsigned type;

	if (cap_in(CAP_NONE, granted.control, &type, &control) == CAP_NONE)
		return;
	delete_object(table, control.object);
	process->control = CAP_NONE;
	if (identity_may(&process->who, PRIVILEGE_SYS_ADMIN))
		sys_cap_copy(granted.control, table, CAP_ANY_SLOT,
		    RIGHT_CALL | RIGHT_COPY, TRUST_USER, 0, &process->control);
}

/* In its place whatever the program has put there. */
static status_t
set_root(struct process *process, cap_t root)
{
	const unsigned slot = CAP_INDEX(PROCESS_ROOT);
	cap_t table = process->handle[HANDLE_TABLE];
	struct sys_result old = sys_invoke(SYS_TABLE_NEXT, table, slot, 0, 0,
	    0, 0);

	if (old.status == OK && CAP_INDEX(old.value[0]) == slot)
		sys_cap_delete(table, old.value[0]);
	return sys_cap_copy(root, table, slot, RIGHT_CALL | RIGHT_COPY,
	    TRUST_USER, 0, &process->root);
}

/*
 * The capabilities of the process become those of its identity. E_* or 0. The
 * process is in the transaction.
 */
static unsigned
give_authority(struct process *process)
{
	const struct storage_subject subject = subject_of(&process->who);
	const struct proc_groups *groups = process->who.groups;
	cap_t table = process->handle[HANDLE_TABLE], root = CAP_NONE;
	uint64_t changed = 1;
	unsigned error = 0;

	if (storage_attach(granted.storage, &subject,
	    groups == NULL ? NULL : groups->gid,
	    groups == NULL ? 0 : groups->count * sizeof(groups->gid[0]),
	    &root) != 0)
		return E_AGAIN;
	status_t status = set_root(process, root);
	sys_cap_delete(CAP_NONE, root);
	if (status != OK)
		return E_AGAIN;
	for (unsigned i = 0; i < PASSES_MAX && changed != 0 && error == 0;
	    i++) {
		changed = 0;
		error = renounce_table(table, &changed);
	}
	set_control(process);
	return error;
}

static bool
same_authority(const struct proc_identity *a, const struct proc_identity *b)
{
	struct storage_subject of_a = subject_of(a), of_b = subject_of(b);

	return a->groups == b->groups &&
	    memcmp(&of_a, &of_b, sizeof(of_a)) == 0;
}

/* The identity was stored; before is what it was. */
static unsigned
changed(struct process *process, const struct proc_identity *before)
{
	if (!same_authority(before, &process->who)) {
		unsigned error = tx_add(service_arena(), &process->root,
		    2 * sizeof(process->root)) != OK ? E_NOMEM :
		    give_authority(process);

		if (error != 0)
			return error;
	}
	/* The caller looks there as soon as it has its answer. */
	info_update(process);
	return 0;
}

static unsigned
store(struct process *process, const struct proc_identity *who)
{
	const struct proc_identity before = process->who;
	int error = proc_identity_set(&proc, process, who);

	return error != 0 ? (unsigned)error : changed(process, &before);
}

static unsigned
handle_set_ids(struct identity_context *context, struct service_call *call,
    const struct identity_set_ids_args *in,
    struct identity_set_ids_results *out)
{
	const uint32_t id[3] = { in->real, in->effective, in->saved };
	struct proc_identity who = context->process->who;
	int error = identity_set_ids(&who, in->how, id);

	if (error != 0)
		return (unsigned)error;
	out->before = (in->how & IDS_GROUP) != 0 ?
	    context->process->who.fsgid : context->process->who.fsuid;
	return store(context->process, &who);
}

static unsigned
handle_set_groups(struct identity_context *context, struct service_call *call,
    const struct identity_set_groups_args *in)
{
	static uint32_t gid[IDENTITY_GROUPS_MAX];
	const struct proc_identity before = context->process->who;
	uint64_t length = in->groups.length;

	if (length % sizeof(gid[0]) != 0)
		return E_INVAL;
	if (length != 0) {
		unsigned error = wire_error(wire_take(call, &in->groups, gid));
		if (error != 0)
			return error;
	}
	int error = proc_groups_set(&proc, context->process, gid,
	    (uint32_t)(length / sizeof(gid[0])));
	return error != 0 ? (unsigned)error :
	    changed(context->process, &before);
}

static unsigned
handle_get_groups(struct identity_context *context, struct service_call *call,
    const struct identity_get_groups_args *in,
    struct identity_get_groups_results *out)
{
	const struct proc_groups *groups = context->process->who.groups;
	uint64_t length = groups == NULL ? 0 :
	    groups->count * sizeof(groups->gid[0]);

	out->count = groups == NULL ? 0 : groups->count;
	if (length > in->groups.length)
		length = in->groups.length & ~3ul;
	out->groups_length = length;
	return length == 0 ? 0 : wire_error(wire_give(call, &in->groups,
	    groups->gid, length));
}

static unsigned
handle_privileges(struct identity_context *context, struct service_call *call,
    const struct identity_privileges_args *in,
    struct identity_privileges_results *out)
{
	const struct process *process = in->pid == 0 ? context->process :
	    proc_find(&proc, (uint64_t)in->pid);

	if (process == NULL)
		return E_SRCH;
	const struct proc_identity *who = &process->who;
	*out = (struct identity_privileges_results){
		.effective = who->may.effective,
		.permitted = who->may.permitted,
		.inheritable = who->may.inheritable,
		.bounding = who->bounding, .ambient = who->ambient,
		.secure = who->secure, .no_new = who->no_new_privileges,
		.dumpable = who->dumpable,
	};
	return 0;
}

static unsigned
handle_set_privileges(struct identity_context *context,
    struct service_call *call, const struct identity_set_privileges_args *in)
{
	const struct proc_privileges wanted = { in->effective, in->permitted,
		in->inheritable };
	struct proc_identity who = context->process->who;
	int error = identity_set_privileges(&who, &wanted);

	return error != 0 ? (unsigned)error : store(context->process, &who);
}

static unsigned
handle_control(struct identity_context *context, struct service_call *call,
    const struct identity_control_args *in,
    struct identity_control_results *out)
{
	struct proc_identity who = context->process->who;
	int error = identity_control(&who, in->what, in->argument,
	    &out->value);

	return error != 0 ? (unsigned)error : store(context->process, &who);
}

static unsigned
handle_set_host_name(struct identity_context *context,
    struct service_call *call, const struct identity_set_host_name_args *in)
{
	char name[IDENTITY_HOST_NAME_MAX];

	if (in->name.length != 0) {
		unsigned error = wire_error(wire_take(call, &in->name, name));
		if (error != 0)
			return error;
	}
	return (unsigned)proc_host_name_set(&proc, context->process,
	    in->domain, name, in->name.length);
}

static unsigned
handle_host_names(struct identity_context *context, struct service_call *call,
    const struct identity_host_names_args *in,
    struct identity_host_names_results *out)
{
	_Static_assert(sizeof(proc.table->host_name) ==
	    IDENTITY_HOST_NAMES_BYTES, "both names");
	if (in->names.length < IDENTITY_HOST_NAMES_BYTES)
		return E_INVAL;
	out->names_length = IDENTITY_HOST_NAMES_BYTES;
	return wire_error(wire_give(call, &in->names, proc.table->host_name,
	    IDENTITY_HOST_NAMES_BYTES));
}

static const struct identity_operations operations = {
	.set_ids = handle_set_ids,
	.set_groups = handle_set_groups,
	.get_groups = handle_get_groups,
	.privileges = handle_privileges,
	.set_privileges = handle_set_privileges,
	.control = handle_control,
	.set_host_name = handle_set_host_name,
	.host_names = handle_host_names,
};

service_outcome
identities_dispatch(struct process *caller, struct service_call *call)
{
	struct identity_context context = { caller };

	return identity_dispatch(&operations, &context, call);
}

unsigned
identities_run(struct process *process, const struct proc_program *program,
    bool *out_secure)
{
	struct proc_identity who = process->who;

	if (identity_exec(&who, program, out_secure) != 0)
		return E_PERM;
	return memcmp(&who, &process->who, sizeof(who)) == 0 ? 0 :
	    store(process, &who);
}
