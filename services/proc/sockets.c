/* SPDX-License-Identifier: MIT */
/*
 * Local sockets: the requests of idl/socket.capnp. lib/proc/socket.h decides,
 * here capabilities are kept, copied and looked at.
 */
#include "shell.h"

#include <idl/socket_server.h>
#include <idl/socketname.h>
#include <idl/sockets_server.h>
#include <lib/base/string.h>

static bool look_for_lost;	/* a process has ended: sockets_collect() */

static void
must(int error)
{
	if (error != 0)
		service_panic("sockets: error %d", error);
}

/* -- what the core asks for -- */

static void
port_drop(void *context, uint64_t cap)
{
	if (service_cap_drop(cap) != OK)
		service_panic("effect list full");
}

static void
port_ready(void *context, const struct socket_bound *bound)
{
	bool left;

	if (service_effect_signal(bound->caps.note, 1) != OK ||
	    proc_wake(&proc, bound->key, &left) != 0)
		service_panic("a transaction is too large");
	if (left)
		proc_wake_all(&proc);
}

static void
port_answer(void *context, struct proc_call call, int error,
    const struct socket_who *who)
{
	struct parked_call id = { call.reply, call.order };
	status_t status = error != 0 ?
	    service_answer_error(id, (uint64_t)error) :
	    sockets_connect_answer(id, &(struct sockets_connect_results){
		who->pid, who->uid, who->gid });

	if (status != OK && status != ERR_NOENT)
		service_panic("cannot answer: status %lu", status);
}

static bool
port_gone(void *context, uint64_t watch)
{
	struct sys_result r = sys_invoke(SYS_EVENTPAIR_QUERY, watch, 0, 0, 0,
	    0, 0);

	return r.status != OK || r.value[0] != 0;
}

/* The kernel's number of an event pair, if this is its end A; else 0. */
static uint64_t
end_of(cap_t table, cap_t cap)
{
	struct sys_result r = sys_invoke(SYS_CAP_INFO, table, cap, 0, 0, 0, 0);

	return r.status == OK && (r.value[0] & 0xff) == OBJ_EVENTPAIR_A ?
	    r.value[2] : 0;
}

static uint64_t
object_number(cap_t cap)
{
	return sys_invoke(SYS_CAP_INFO, CAP_NONE, cap, 0, 0, 0, 0).value[2];
}

static bool
table_has(cap_t table, uint64_t end)
{
	struct sys_result r = sys_invoke(SYS_TABLE_NEXT, table, 0, 0, 0, 0, 0);

	while (r.status == OK) {
		cap_t cap = r.value[0];
		if (end_of(table, cap) == end)
			return true;
		r = sys_invoke(SYS_TABLE_NEXT, table, CAP_INDEX(cap) + 1, 0, 0,
		    0, 0);
	}
	return false;
}

/* Only the kernel knows who holds what: all tables are looked through. */
static bool
port_held(void *context, uint64_t end)
{
	const struct arena_list *head = &proc.table->all;

	for (const struct arena_list *node = head->next; node != head;
	    node = node->next) {
		const struct process *process = (const struct process *)
		    ((const char *)node - offsetof(struct process, all));
		if (inspect_is_alive(process) &&
		    table_has(process->handle[HANDLE_TABLE], end))
			return true;
	}
	return false;
}

static const struct socket_port port = {
	.drop = port_drop, .ready = port_ready, .answer = port_answer,
	.gone = port_gone, .held = port_held,
};

struct sockets sockets = { .port = &port };

/* -- helpers -- */

struct sockets_context {
	const struct process *process;	/* that calls */
};

struct socket_context {
	struct socket_bound *bound;
};

static struct socket_who
who_is(const struct process *process)
{
	return (struct socket_who){ process->pid, process->who.euid,
	    process->who.egid };
}

static unsigned
keep(const uint64_t *caps, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (caps[i] != 0 && service_cap_keep(caps[i]) != OK)
			return E_NOMEM;
	}
	return 0;
}

static unsigned
keep_caps(const struct socket_caps *caps)
{
	const uint64_t all[] = { caps->memory, caps->note, caps->end,
		caps->watch };

	return keep(all, 4);
}

/* A copy of what stays here goes with the answer. */
static unsigned
give_copy(struct service_call *call, uint64_t cap)
{
	cap_t copy;

	if (sys_cap_copy(cap, CAP_NONE, CAP_ANY_SLOT, RIGHT_ALL, TRUST_USER, 0,
	    &copy) != OK)
		return E_NFILE;
	if (service_cap_keep(copy) != OK) {
		sys_cap_delete(CAP_NONE, copy);
		return E_NOMEM;
	}
	wire_give_cap(call, copy);
	return 0;
}

static unsigned
take_name(const struct service_call *call, uint32_t kind,
    const struct wire_bytes *from, struct socket_name *out)
{
	memset(out, 0, sizeof(*out));
	out->kind = kind;
	out->length = (uint32_t)from->length;
	return wire_error(wire_take(call, from, out->bytes));
}

static bool
type_valid(uint32_t type)
{
	return type == SOCKET_STREAM || type == SOCKET_DATAGRAM ||
	    type == SOCKET_SEQUENCED;
}

/* -- requests through the session of a process: names -- */

static unsigned
handle_bind(struct sockets_context *context, struct service_call *call,
    const struct sockets_bind_args *in, struct sockets_bind_results *out)
{
	const struct socket_caps caps = { .memory = in->memory,
		.note = in->note, .watch = in->watch };
	struct socket_bound *bound;
	struct socket_name name;
	cap_t session;
	unsigned error = take_name(call, in->kind, &in->name, &name);

	if (error == 0 && !type_valid(in->type))
		error = E_INVAL;
	if (error == 0)
		error = keep_caps(&caps);
	if (error == 0)
		error = (unsigned)sockets_bind(&sockets, in->type, &name, &caps,
		    &bound, &out->chosen);
	if (error != 0)
		return error;
	if (service_give_session(call,
	    (cap_t)context->process->handle[HANDLE_CONTAINER],
	    PROC_BADGE_SOCKET | bound->badge, &session) != OK)
		return E_NFILE;
	bound->session = session;
	return 0;
}

/* The name of who listens, as the peer's, for getpeername. */
static unsigned
write_peer_name(const struct socket_bound *bound, cap_t memory)
{
	struct socket_shared_name shared = { 0 };
	unsigned skip = bound->name.kind == SOCKETS_NODE ?
	    SOCKETS_KEY_BYTES : 0;

	/* An abstract name begins with a NUL. */
	unsigned at = skip == 0 ? 1 : 0;
	uint32_t length = bound->name.length - skip;
	if (length > sizeof(shared.bytes) - at)
		length = sizeof(shared.bytes) - at;
	memcpy(shared.bytes + at, bound->name.bytes + skip, length);
	shared.length = (uint16_t)(length + at);
	return copy_to_memory(memory, SOCKET_SHARED_NAME_AT, &shared,
	    sizeof(shared)) == OK ? 0 : E_INVAL;
}

static unsigned
handle_connect(struct sockets_context *context, struct service_call *call,
    const struct sockets_connect_args *in, struct sockets_connect_results *out)
{
	struct socket_connect connect = {
		.caps = { in->memory, in->note, in->end, in->watch },
		.who = who_is(context->process),
		.call = { call->id.reply, call->id.order },
		.wait = in->wait,
	};
	struct socket_name name;
	bool parked;

	if (call->cancelled)
		return E_INTR;
	unsigned error = take_name(call, in->kind, &in->name, &name);
	if (error == 0 && in->type == SOCKET_DATAGRAM)
		error = E_PROTOTYPE;
	if (error == 0)
		error = (unsigned)sockets_find(&sockets, in->type, &name,
		    &connect.bound);
	if (error == 0)
		error = write_peer_name(connect.bound, in->memory);
	if (error == 0)
		error = keep_caps(&connect.caps);
	if (error == 0)
		error = (unsigned)sockets_connect(&sockets, &connect, &parked);
	if (error != 0)
		return error;
	const struct socket_who *who = &connect.bound->who;
	*out = (struct sockets_connect_results){ who->pid, who->uid,
	    who->gid };
	return parked ? WIRE_PARKED : 0;
}

static unsigned
handle_find(struct sockets_context *context, struct service_call *call,
    const struct sockets_find_args *in)
{
	struct socket_bound *bound;
	struct socket_name name;
	unsigned error = take_name(call, in->kind, &in->name, &name);

	if (error == 0)
		error = (unsigned)sockets_find(&sockets, in->type, &name,
		    &bound);
	if (error == 0 && bound->caps.memory == 0)
		error = E_NOTSUP;
	if (error == 0)
		error = give_copy(call, bound->caps.memory);
	if (error == 0)
		error = give_copy(call, bound->caps.note);
	if (error == 0)
		error = give_copy(call, bound->caps.watch);
	return error;
}

/* Who calls is known by this session, the socket by a capability of its own. */
static unsigned
handle_listen(struct sockets_context *context, struct service_call *call,
    const struct sockets_listen_args *in)
{
	struct sys_result r = sys_invoke(SYS_CAP_INFO, CAP_NONE, in->socket, 0,
	    0, 0, 0);
	const struct socket_listen listen = {
		.who = who_is(context->process), .backlog = in->backlog,
		.note = in->note, .key = { in->low, in->high },
	};
	struct socket_bound *bound = r.status == OK ? sockets_bound(&sockets,
	    r.value[1] & SERVICE_BADGE_MASK & ~PROC_BADGE_SOCKET) : NULL;

	if (bound == NULL || object_number(bound->session) != r.value[2])
		return E_BADF;
	unsigned error = keep(&listen.note, 1);
	if (error == 0)
		error = (unsigned)sockets_listen(&sockets, bound, &listen);
	if (error == 0)
		wire_drop_cap(in->socket);
	return error;
}

/* -- the same: parcels -- */

static bool
is_one_of(uint32_t id, const uint32_t ids[4])
{
	return id == ids[0] || id == ids[1] || id == ids[2];
}

/* Who it may say that it is, beside itself. */
static bool
may_claim(const struct process *process, const struct socket_who *who)
{
	const struct proc_identity *own = &process->who;

	return (who->pid == process->pid ||
	    identity_may(own, PRIVILEGE_SYS_ADMIN)) &&
	    (is_one_of(who->uid, own->users) ||
	    identity_may(own, PRIVILEGE_SETUID)) &&
	    (is_one_of(who->gid, own->group_ids) ||
	    identity_may(own, PRIVILEGE_SETGID));
}

static unsigned
handle_pack(struct sockets_context *context, struct service_call *call,
    const struct sockets_pack_args *in, struct sockets_pack_results *out)
{
	const struct process *process = context->process;
	struct socket_who who = who_is(process);
	uint64_t random[4], watch = in->watch;

	if (in->pid != 0) {
		who = (struct socket_who){ in->pid, in->uid, in->gid };
		if (!may_claim(process, &who))
			return E_PERM;
		if (proc_find(&proc, in->pid) == NULL)
			return E_SRCH;
	}
	seed_next((uint8_t *)random);
	unsigned error = keep(&watch, 1);
	if (error == 0)
		error = (unsigned)sockets_pack(&sockets, random, &who, watch,
		    watch == 0 ? 0 : object_number(watch));
	out->low = random[0];
	out->high = random[1];
	return error;
}

static struct socket_parcel *
parcel_of(uint64_t low, uint64_t high)
{
	return sockets_parcel(&sockets, (const uint64_t[2]){ low, high });
}

static unsigned
handle_add(struct sockets_context *context, struct service_call *call,
    const struct sockets_add_args *in)
{
	struct socket_parcel *parcel = parcel_of(in->low, in->high);
	const cap_t caps[] = { in->first, in->second, in->third, in->fourth };
	struct socket_entry entry = { .length = (uint32_t)in->content.length };

	if (parcel == NULL)
		return E_NOENT;
	while (entry.count < 4 && caps[entry.count] != CAP_NONE) {
		entry.cap[entry.count] = caps[entry.count];
		entry.end[entry.count] = end_of(CAP_NONE, caps[entry.count]);
		entry.count++;
	}
	unsigned error = wire_error(wire_take(call, &in->content,
	    entry.content));
	if (error == 0)
		error = keep(entry.cap, entry.count);
	return error != 0 ? error :
	    (unsigned)sockets_add(&sockets, parcel, &entry);
}

static unsigned
handle_look(struct sockets_context *context, struct service_call *call,
    const struct sockets_look_args *in, struct sockets_look_results *out)
{
	const struct socket_parcel *parcel = parcel_of(in->low, in->high);

	if (parcel == NULL)
		return E_NOENT;
	*out = (struct sockets_look_results){ parcel->count, parcel->who.pid,
	    parcel->who.uid, parcel->who.gid };
	return 0;
}

static unsigned
handle_take(struct sockets_context *context, struct service_call *call,
    const struct sockets_take_args *in, struct sockets_take_results *out)
{
	const struct socket_parcel *parcel = parcel_of(in->low, in->high);
	const struct socket_entry *entry = parcel == NULL ? NULL :
	    sockets_entry(parcel, in->index);
	unsigned error = 0;

	if (entry == NULL)
		return E_NOENT;
	for (unsigned i = 0; i < entry->count && error == 0; i++)
		error = give_copy(call, entry->cap[i]);
	if (error != 0)
		return error;
	out->count = entry->count;
	out->content_length = entry->length < in->content.length ?
	    entry->length : in->content.length;
	return wire_error(wire_give(call, &in->content, entry->content,
	    out->content_length));
}

static unsigned
handle_drop(struct sockets_context *context, struct service_call *call,
    const struct sockets_drop_args *in)
{
	struct socket_parcel *parcel = parcel_of(in->low, in->high);

	return parcel == NULL ? E_NOENT :
	    (unsigned)sockets_drop(&sockets, parcel);
}

static unsigned
handle_collect(struct sockets_context *context, struct service_call *call)
{
	return (unsigned)sockets_collect(&sockets);
}

static const struct sockets_operations session_operations = {
	.bind = handle_bind,
	.connect = handle_connect,
	.find = handle_find,
	.pack = handle_pack,
	.add = handle_add,
	.look = handle_look,
	.take = handle_take,
	.drop = handle_drop,
	.collect = handle_collect,
	.listen = handle_listen,
};

service_outcome
sockets_session(struct service_call *call, const struct process *process)
{
	struct sockets_context context = { process };

	return sockets_dispatch(&session_operations, &context, call);
}

/* -- requests through a socket that has a name -- */

static unsigned
handle_accept(struct socket_context *context, struct service_call *call,
    struct socket_accept_results *out)
{
	struct socket_caps caps;
	struct socket_who who;
	int error = sockets_accept(&sockets, context->bound, &caps, &who);

	if (error != 0)
		return (unsigned)error;
	wire_give_cap(call, caps.memory);
	wire_give_cap(call, caps.note);
	wire_give_cap(call, caps.end);
	wire_give_cap(call, caps.watch);
	*out = (struct socket_accept_results){ who.pid, who.uid, who.gid };
	return 0;
}

static unsigned
handle_waiting(struct socket_context *context, struct service_call *call,
    struct socket_waiting_results *out)
{
	out->count = context->bound->answered;
	return 0;
}

static const struct socket_operations bound_operations = {
	.accept = handle_accept,
	.waiting = handle_waiting,
};

service_outcome
sockets_request(struct service_call *call)
{
	struct socket_context context = {
		.bound = sockets_bound(&sockets,
		    call->badge & ~PROC_BADGE_SOCKET),
	};

	return context.bound == NULL ? wire_refuse(call, E_STALE) :
	    socket_dispatch(&bound_operations, &context, call);
}

/* -- the loop -- */

void
sockets_peer_gone(uint64_t badge)
{
	struct socket_bound *bound = sockets_bound(&sockets,
	    badge & ~PROC_BADGE_SOCKET);

	if (bound != NULL)
		must(sockets_closed(&sockets, bound));
}

bool
sockets_cancelled(struct parked_call id)
{
	bool found;

	must(sockets_cancel(&sockets, (struct proc_call){ id.reply, id.order },
	    &found));
	return found;
}

void
sockets_process_ended(void)
{
	look_for_lost = true;
}

void
sockets_serve(void)
{
	if (look_for_lost && sockets.table->parcel_count != 0)
		must(sockets_collect(&sockets));
	look_for_lost = false;
	if (!sockets_has_work(&sockets))
		return;
	must(sockets_work(&sockets));
	/* Ends of sockets and pipes may have been among it. */
	proc_wake_all(&proc);
}

status_t
sockets_create(struct socket_table *table, uint64_t seed)
{
	sockets.table = table;
	sockets.arena = service_arena();
	return sockets_start(&sockets, seed) == 0 ? OK : ERR_NOMEM;
}

void
sockets_come_back(struct socket_table *table)
{
	sockets.table = table;
	sockets.arena = service_arena();
	if (!sockets_ok(&sockets))
		service_panic("sockets are inconsistent");
	must(sockets_resume(&sockets));
	look_for_lost = true;
}
