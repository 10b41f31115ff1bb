/* SPDX-License-Identifier: MIT */
/* Making sockets and pairs of them, and what every open file has. */
#include "socket.h"

#include "calls.h"
#include "fileops.h"
#include "service.h"
#include "sharedlock.h"
#include "user.h"
#include "watch.h"

#include <idl/process.h>
#include <idl/sockets_client.h>
#include <lib/base/string.h>
#include <lib/sys/sys.h>

struct socket socket_table[SOCKETS_MAX];

struct file *
socket_file(unsigned fd, long *error)
{
	struct file *file = fd_file(fd);

	*error = file == NULL || file->kind == FILE_PATH ? -E_BADF :
	    file->kind != FILE_SOCKET ? -E_NOTSOCK : 0;
	return *error == 0 ? file : NULL;
}

bool
socket_watch_gone(cap_t watch)
{
	struct sys_result r = sys_invoke(SYS_EVENTPAIR_QUERY, watch, 0, 0, 0,
	    0, 0);

	return r.status != OK || r.value[0] != 0;
}

uint64_t
socket_number(cap_t cap)
{
	struct sys_result r = sys_invoke(SYS_CAP_INFO, 0, cap, 0, 0, 0, 0);

	return r.status == OK ? r.value[2] : 0;
}

long
socket_copy_cap(cap_t cap, cap_t *out)
{
	return service_error(sys_cap_copy(cap, CAP_NONE, CAP_ANY_SLOT,
	    RIGHT_ALL, TRUST_USER, 0, out));
}

static void
drop(cap_t *cap)
{
	if (*cap != CAP_NONE)
		sys_cap_delete(CAP_NONE, *cap);
	*cap = CAP_NONE;
}

long
socket_make_pair(cap_t note, cap_t *out_end, cap_t *out_watch)
{
	status_t status = sys_eventpair_create(PROCESS_CONTAINER, 0, 0,
	    out_end, out_watch);

	if (status == OK)
		status = sys_invoke(SYS_EVENT_BIND, *out_watch, note, 1, 1, 0,
		    0).status;
	if (status != OK) {
		drop(out_end);
		drop(out_watch);
	}
	return service_error(status);
}

static long
map_at(uint64_t place, cap_t memory)
{
	return service_error(sys_map(PROCESS_VSPACE, place, memory, 0,
	    sizeof(struct socket_memory), MAP_READ | MAP_WRITE | MAP_SHARED));
}

long
socket_map(const struct socket *s)
{
	return map_at((uint64_t)socket_memory(s), s->memory);
}

static long
make_parts(struct socket *s)
{
	long error = service_error(sys_object_create(OBJ_MEMORY,
	    PROCESS_CONTAINER, sizeof(struct socket_memory), 0, &s->memory));

	if (error == 0)
		error = service_error(sys_object_create(OBJ_NOTIFICATION,
		    PROCESS_CONTAINER, 0, 0, &s->note));
	if (error == 0)
		error = socket_make_pair(s->note, &s->end, &s->watch);
	return error != 0 ? error : socket_map(s);
}

long
socket_new(unsigned type, bool fresh, struct socket **out)
{
	unsigned i = 0;

	while (i < SOCKETS_MAX && socket_table[i].used)
		i++;
	if (i == SOCKETS_MAX)
		return -E_NFILE;
	*out = &socket_table[i];
	socket_table[i] = (struct socket){
		.used = true, .type = (uint8_t)type,
	};
	long error = fresh ? make_parts(*out) : 0;
	if (error != 0)
		socket_free(*out);
	return error;
}

long
socket_target_map(struct socket_target *take_target, uint64_t place)
{
	long error = map_at(place, take_target->object);

	if (error == 0)
		take_target->memory = (struct socket_memory *)place;
	else
		socket_target_close(take_target);
	return error;
}

void
socket_target_close(struct socket_target *target)
{
	if (target->memory != NULL)
		sys_unmap(PROCESS_VSPACE, (uint64_t)target->memory,
		    sizeof(struct socket_memory));
	drop(&target->object);
	drop(&target->note);
	drop(&target->watch);
	target->memory = NULL;
}

void
socket_free(struct socket *s)
{
	socket_target_close(&s->target);
	if (s->memory != CAP_NONE)
		sys_unmap(PROCESS_VSPACE, (uint64_t)socket_memory(s),
		    sizeof(struct socket_memory));
	drop(&s->session);
	drop(&s->end);
	drop(&s->watch);
	drop(&s->memory);
	drop(&s->note);
	*s = (struct socket){ 0 };
}

void
socket_stir(const struct socket *s)
{
	struct socket_memory *memory = socket_memory(s);

	sys_signal(s->note, 1);
	for (unsigned i = 0; i < 2; i++) {
		watch_wake(&memory->ring[i].readable);
		watch_wake(&memory->ring[i].writable);
	}
	if (s->target.memory == NULL)
		return;
	sys_signal(s->target.note, 1);
	watch_wake(&s->target.memory->ring[0].writable);
}

/*
 * Others may have it still: who writes to it looks whether that is so. What is
 * on the way to it may be lost now; who knows that is proc.
 */
/* The other side learns that this one is gone. */
static void
leave_socket(struct file *file)
{
	struct socket *s = socket_of(file);
	struct socket_lane in = socket_in(s);

	__atomic_fetch_add(&in.ring->closings, 1, __ATOMIC_SEQ_CST);
	drop(&s->end);
	watch_wake(&in.ring->writable);
	if (!socket_is_datagram(s))
		watch_wake(&socket_out(s).ring->readable);
}

static void
close_socket(struct file *file)
{
	struct socket *s = socket_of(file);
	bool parcels = __atomic_load_n(&socket_side(s)->parcels,
	    __ATOMIC_RELAXED) != 0;

	leave_socket(file);
	socket_free(s);
	if (!parcels)
		return;
	service_insist_begin();
	sockets_collect(PROCESS_PROC);
	service_insist_end();
}

static long
socket_status(const struct file *file, struct storage_stat *out)
{
	*out = file_local_status(file, 0777);
	out->inode = socket_number(file->cap);
	return 0;
}

static void
one_piece(struct socket_pieces *pieces, void *buffer, uint64_t size)
{
	*pieces = (struct socket_pieces){
		.base = (uint64_t)buffer, .length = size,
	};
}

static long
socket_read(struct file *file, void *buffer, uint64_t size, uint64_t offset)
{
	struct socket_receipt receipt;

	socket_receipt_init(&receipt, 0);
	receipt.size = size;
	one_piece(&receipt.pieces, buffer, size);
	long done = socket_receive(file, &receipt);
	if (done >= 0 && (receipt.taken.flags & MARK_PARCEL) != 0)
		socket_parcel_drop(receipt.taken.token);
	return done;
}

static long
socket_write(struct file *file, const void *buffer, uint64_t size,
    uint64_t offset)
{
	struct socket_out out = { .size = size };

	one_piece(&out.pieces, (void *)(uintptr_t)buffer, size);
	return socket_send(file, &out);
}

static long
socket_vector(struct file *file, const struct linux_iovec *from, size_t count,
    bool write)
{
	struct socket_pieces pieces;
	long total = socket_take_pieces(from, count, &pieces);

	if (total < 0)
		return total == -E_MSGSIZE ? -E_INVAL : total;
	if (write) {
		struct socket_out out = {
			.pieces = pieces, .size = (uint64_t)total,
		};
		return socket_send(file, &out);
	}
	struct socket_receipt receipt;
	socket_receipt_init(&receipt, 0);
	receipt.pieces = pieces;
	receipt.size = (uint64_t)total;
	long done = total == 0 ? 0 : socket_receive(file, &receipt);
	if (done >= 0 && (receipt.taken.flags & MARK_PARCEL) != 0)
		socket_parcel_drop(receipt.taken.token);
	return done;
}

/* -- to another process -- */

#define PACKED_CONNECTED	0x100u
#define PACKED_LISTENS		0x200u
#define PACKED_SIDE		0x400u
#define PACKED_SESSION		0x800u
#define PACKED_TARGET		0x1000u

static long
socket_pack(struct file *file, struct parcel_file *out)
{
	const struct socket *s = socket_of(file);
	const cap_t all[] = { s->memory, s->note, s->end, s->watch,
		s->session, s->target.object, s->target.note,
		s->target.watch };

	out->word[0] = s->type | (s->connected ? PACKED_CONNECTED : 0) |
	    (s->listens ? PACKED_LISTENS : 0) |
	    (s->side != 0 ? PACKED_SIDE : 0) |
	    (s->session != CAP_NONE ? PACKED_SESSION : 0) |
	    (s->target.memory != NULL ? PACKED_TARGET : 0);
	out->word[1] = s->peer.pid;
	out->word[2] = (uint64_t)s->peer.gid << 32 | s->peer.uid;
	for (unsigned i = 0; i < PARCEL_CAPS; i++) {
		if (all[i] != CAP_NONE)
			out->cap[out->count++] = all[i];
	}
	return 0;
}

static void
unpack_caps(struct socket *s, const struct parcel_file *in)
{
	unsigned next = 4;

	s->memory = in->cap[0];
	s->note = in->cap[1];
	s->end = in->cap[2];
	s->watch = in->cap[3];
	if ((in->word[0] & PACKED_SESSION) != 0)
		s->session = in->cap[next++];
	if ((in->word[0] & PACKED_TARGET) == 0)
		return;
	s->target.object = in->cap[next];
	s->target.note = in->cap[next + 1];
	s->target.watch = in->cap[next + 2];
}

/* Capabilities stay whose they were. */
static void
forget(struct socket *s)
{
	if (s->target.memory != NULL)
		sys_unmap(PROCESS_VSPACE, (uint64_t)s->target.memory,
		    sizeof(struct socket_memory));
	*s = (struct socket){ 0 };
}

static long
socket_unpack(const struct parcel_file *in, struct file *out)
{
	uint64_t what = in->word[0];
	unsigned needed = 4 + ((what & PACKED_SESSION) != 0) +
	    ((what & PACKED_TARGET) != 0 ? 3 : 0);
	unsigned type = what & L_SOCK_TYPE;
	struct socket *s;

	if (in->count != needed || (type != L_SOCK_STREAM &&
	    type != L_SOCK_DGRAM && type != L_SOCK_SEQPACKET) ||
	    (type == L_SOCK_DGRAM && (what & PACKED_CONNECTED) != 0 &&
	    (what & PACKED_TARGET) == 0))
		return -E_INVAL;
	long error = socket_new(type, false, &s);
	if (error != 0)
		return error;
	unpack_caps(s, in);
	s->connected = (what & PACKED_CONNECTED) != 0;
	s->listens = (what & PACKED_LISTENS) != 0 &&
	    (what & PACKED_SESSION) != 0;
	s->side = type != L_SOCK_DGRAM && (what & PACKED_SIDE) != 0;
	s->peer = (struct socket_who){ (uint32_t)in->word[1],
	    (uint32_t)in->word[2], (uint32_t)(in->word[2] >> 32) };
	uint64_t place = (uint64_t)socket_memory(s);
	if ((what & PACKED_TARGET) != 0) {
		error = map_at(place + SOCKET_PEER_AT, s->target.object);
		if (error == 0)
			s->target.memory = (struct socket_memory *)(place +
			    SOCKET_PEER_AT);
	}
	if (error == 0)
		error = socket_map(s);
	if (error != 0) {
		forget(s);
		return error;
	}
	out->cap = s->end;
	out->pipe = (uint16_t)(s - socket_table);
	return 0;
}

const struct file_ops socket_file_ops = {
	.read = socket_read, .write = socket_write, .poll = socket_poll,
	.announce = socket_announce, .watch = socket_watch,
	.watch_far = socket_watch_far, .waiting = socket_bytes,
	.status = socket_status, .close = close_socket,
	.pack = socket_pack, .unpack = socket_unpack,
	.vector = socket_vector, .messages = true,
	.own_cap = true, .streams = true, .leave = leave_socket,
};

long
socket_install(struct socket *take_s, unsigned flags)
{
	struct file *file = file_new();

	if (file == NULL) {
		socket_free(take_s);
		return -E_NFILE;
	}
	*file = (struct file){
		.kind = FILE_SOCKET, .node = KIND_SOCKET,
		.can_read = true, .can_write = true,
		.pipe = (uint16_t)(take_s - socket_table),
		.cap = take_s->end,
		.flags = L_O_RDWR | (flags & L_O_NONBLOCK),
	};
	return fd_install(file, 0, (flags & L_O_CLOEXEC) != 0);
}

/* Of socket() and socketpair(). */
static long
check_kind(int family, int *type, int protocol, unsigned *out_flags)
{
	int kind = *type & L_SOCK_TYPE;

	*out_flags = (unsigned)(*type & ~L_SOCK_TYPE);
	if ((*out_flags & ~(unsigned)(L_O_CLOEXEC | L_O_NONBLOCK)) != 0)
		return -E_INVAL;
	if (family < 0 || family >= L_AF_MAX)
		return -E_AFNOSUPPORT;
	if (kind > 10)
		return -E_INVAL;
	if (family != L_AF_UNIX)
		return -E_AFNOSUPPORT;
	if (protocol != 0 && protocol != L_AF_UNIX)
		return -E_PROTONOSUPPORT;
	*type = kind == L_SOCK_RAW ? L_SOCK_DGRAM : kind;
	return *type == L_SOCK_STREAM || *type == L_SOCK_DGRAM ||
	    *type == L_SOCK_SEQPACKET ? 0 : -E_SOCKTNOSUPPORT;
}

long
linux_socket(int family, int type, int protocol)
{
	struct socket *s;
	unsigned flags;
	long error = check_kind(family, &type, protocol, &flags);

	if (error == 0 && !fd_may_open())
		error = -E_MFILE;
	if (error == 0)
		error = socket_new((unsigned)type, true, &s);
	return error != 0 ? error : socket_install(s, flags);
}

/* -- pairs -- */

static void
set_peer_self(struct socket *s)
{
	s->peer = (struct socket_who){ INFO->pid, INFO->euid, INFO->egid };
	s->connected = true;
}

/* b gets the other side of a's memory. */
static long
join_connection(struct socket *a, struct socket *b)
{
	cap_t own_watch = a->watch;
	long error = socket_copy_cap(a->memory, &b->memory);

	if (error == 0)
		error = socket_copy_cap(a->note, &b->note);
	if (error == 0)
		error = socket_make_pair(a->note, &b->end, &a->watch);
	if (error != 0) {
		a->watch = own_watch;
		return error;
	}
	b->watch = own_watch;
	b->side = 1;
	error = socket_map(b);
	if (error == 0)
		socket_side(b)->flags = SIDE_ACCEPTED;
	return error;
}

static long
aim(struct socket *from, const struct socket *to)
{
	struct socket_target *t = &from->target;
	long error = socket_copy_cap(to->memory, &t->object);

	if (error == 0)
		error = socket_copy_cap(to->note, &t->note);
	if (error == 0)
		error = socket_copy_cap(to->watch, &t->watch);
	if (error == 0)
		error = socket_target_map(t, (uint64_t)socket_memory(from) +
		    SOCKET_PEER_AT);
	if (error == 0)
		socket_side(from)->only = socket_number(to->end);
	return error;
}

static long
make_pair(unsigned type, struct socket **a, struct socket **b)
{
	bool datagrams = type == L_SOCK_DGRAM;
	long error = socket_new(type, true, a);

	if (error != 0)
		return error;
	error = socket_new(type, datagrams, b);
	if (error != 0) {
		socket_free(*a);
		return error;
	}
	error = datagrams ? aim(*a, *b) : join_connection(*a, *b);
	if (error == 0 && datagrams)
		error = aim(*b, *a);
	if (error != 0) {
		socket_free(*a);
		socket_free(*b);
		return error;
	}
	set_peer_self(*a);
	set_peer_self(*b);
	return 0;
}

long
linux_socketpair(int family, int type, int protocol, int *fds)
{
	struct socket *a, *b;
	unsigned flags;
	int out[2];
	long error = check_kind(family, &type, protocol, &flags);

	if (error == 0)
		error = make_pair((unsigned)type, &a, &b);
	if (error != 0)
		return error;
	long first = socket_install(a, flags);
	if (first < 0) {
		socket_free(b);
		return first;
	}
	long second = socket_install(b, flags);
	if (second < 0) {
		fd_close((unsigned)first);
		return second;
	}
	out[0] = (int)first;
	out[1] = (int)second;
	if (user_write(fds, out, sizeof(out)) == 0)
		return 0;
	fd_close((unsigned)first);
	fd_close((unsigned)second);
	return -E_FAULT;
}
