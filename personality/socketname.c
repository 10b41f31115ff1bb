/* SPDX-License-Identifier: MIT */
/*
 * Names of sockets, and how connections begin. A name is a node of the tree of
 * files, where storage tells a key to who may write it, or abstract; either way
 * the two sides meet at proc.
 */
#include "socket.h"

#include "calls.h"
#include "clock.h"
#include "service.h"
#include "sharedlock.h"
#include "user.h"
#include "watch.h"

#include <idl/process.h>
#include <idl/socket_client.h>
#include <idl/sockets_client.h>
#include <idl/storage_client.h>
#include <lib/base/string.h>
#include <lib/sys/sys.h>

#define PATH_AT		offsetof(struct linux_sockaddr_un, path)
#define ADDRESS_MAX	sizeof(struct linux_sockaddr_un)
#define TRY_AGAIN_NS	1000000ul

/* As proc wants it. */
struct proc_name {
	uint32_t kind;
	uint64_t length;
	uint8_t	 bytes[SOCKETS_NAME_MAX];
};

/* -- addresses -- */

long
socket_take_address(const struct linux_sockaddr_un *address, unsigned length,
    struct linux_sockaddr_un *out)
{
	memset(out, 0, sizeof(*out));
	if (length > 128)	/* struct sockaddr_storage */
		return -E_INVAL;
	if (length > ADDRESS_MAX)
		length = ADDRESS_MAX;
	return user_read(out, address, length);
}

static bool
address_valid(const struct linux_sockaddr_un *address, unsigned length)
{
	return length > PATH_AT && length <= ADDRESS_MAX &&
	    address->family == L_AF_UNIX;
}

/* What getsockname tells of that address. */
static void
shared_name(const struct linux_sockaddr_un *address, unsigned length,
    struct socket_shared_name *out)
{
	uint64_t size = length - PATH_AT;

	memset(out, 0, sizeof(*out));
	if (address->path[0] != 0)
		size = strnlen(address->path, size) + 1;
	memcpy(out->bytes, address->path,
	    size < sizeof(address->path) ? size : sizeof(address->path));
	out->length = (uint16_t)size;
}

long
socket_give_name(const struct socket_shared_name *name,
    struct linux_sockaddr_un *address, unsigned *length)
{
	struct {
		uint16_t family;
		uint8_t	 bytes[SOCKET_NAME_MAX];
	} out = { .family = L_AF_UNIX };
	uint32_t size = name->length, room;

	if (size > SOCKET_NAME_MAX)
		size = SOCKET_NAME_MAX;
	memcpy(out.bytes, name->bytes, size);
	size += (uint32_t)PATH_AT;
	if (user_read(&room, length, sizeof(room)) != 0)
		return -E_FAULT;
	if ((int32_t)room < 0)
		return -E_INVAL;
	if (user_write(address, &out, room < size ? room : size) != 0)
		return -E_FAULT;
	return user_write(length, &size, sizeof(size));
}

static void
abstract_name(const struct linux_sockaddr_un *address, unsigned length,
    struct proc_name *out)
{
	out->kind = SOCKETS_ABSTRACT;
	out->length = length - PATH_AT - 1;
	memcpy(out->bytes, address->path + 1, out->length);
}

static void
node_name(const struct socket_shared_name *shared, const uint64_t key[2],
    struct proc_name *out)
{
	out->kind = SOCKETS_NODE;
	out->length = SOCKETS_KEY_BYTES + (uint64_t)shared->length;
	memcpy(out->bytes, key, SOCKETS_KEY_BYTES);
	memcpy(out->bytes + SOCKETS_KEY_BYTES, shared->bytes, shared->length);
}

/* The path of an address, in a buffer of STORAGE_PATH_MAX. */
static long
address_path(const struct linux_sockaddr_un *address, unsigned length,
    char *buffer, struct path *out)
{
	uint64_t size = strnlen(address->path, length - PATH_AT);

	memcpy(buffer, address->path, size);
	buffer[size] = 0;
	return path_place(L_AT_FDCWD, buffer, size, out);
}

/* Who has this address: only who may write a node learns its key. */
static long
find_name(const struct linux_sockaddr_un *address, unsigned length,
    struct proc_name *out)
{
	struct storage_rendezvous_at_results key = { 0 };
	struct socket_shared_name shared;
	char buffer[STORAGE_PATH_MAX];
	struct path path;

	if (!address_valid(address, length))
		return -E_INVAL;
	if (address->path[0] == 0) {
		abstract_name(address, length, out);
		return 0;
	}
	long error = address_path(address, length, buffer, &path);
	if (error != 0)
		return error;
	do
		error = storage_rendezvous_at(path.base, path.text,
		    path.length, &key);
	while (path_goes_on(&path, &error));
	if (error == 0 && key.low == 0 && key.high == 0)
		error = -E_CONNREFUSED;
	if (error != 0)
		return error;
	shared_name(address, length, &shared);
	node_name(&shared, (const uint64_t[2]){ key.low, key.high }, out);
	return 0;
}

/* -- bind -- */

static long
bind_at_proc(struct socket *s, const struct proc_name *name,
    uint64_t *out_chosen)
{
	bool datagrams = socket_is_datagram(s);
	const struct sockets_bind_args in = {
		.kind = name->kind, .type = s->type,
		.name = { name->bytes, name->length, 0 },
		.memory = datagrams ? s->memory : CAP_NONE,
		.note = datagrams ? s->note : CAP_NONE,
		.watch = datagrams ? s->watch : CAP_NONE,
	};

	return sockets_bind(PROCESS_PROC, &in, out_chosen, &s->session);
}

/* Chooses an abstract name. */
long
socket_name_self(struct socket *s)
{
	const struct proc_name name = { .kind = SOCKETS_AUTOMATIC };
	struct socket_shared_name *shared = &socket_side(s)->name;
	uint64_t chosen;

	if (s->session != CAP_NONE)
		return 0;
	long error = bind_at_proc(s, &name, &chosen);
	if (error != 0)
		return error;
	shared->bytes[0] = 0;
	for (unsigned i = 0; i < 5; i++)
		shared->bytes[5 - i] =
		    (uint8_t)"0123456789abcdef"[chosen >> 4 * i & 15];
	shared->length = 6;
	return 0;
}

static long
make_node(const struct linux_sockaddr_un *address, unsigned length,
    uint64_t key[2])
{
	struct path path;
	char buffer[STORAGE_PATH_MAX];
	long error = address_path(address, length, buffer, &path);

	if (error != 0)
		return error;
	random_fill(key, 2 * sizeof(key[0]));
	do {
		const struct storage_socket_at_args in = {
			.low = key[0], .high = key[1],
			.mode = 0777 & ~file_umask(),
			.path = { path.text, path.length, 0 },
		};
		error = storage_socket_at(path.base, &in);
	} while (path_goes_on(&path, &error));
	return error == -E_EXIST ? -E_ADDRINUSE : error;
}

static void
remove_node(const struct linux_sockaddr_un *address, unsigned length)
{
	struct path path;
	char buffer[STORAGE_PATH_MAX];

	if (address_path(address, length, buffer, &path) != 0)
		return;
	service_insist_begin();
	storage_unlink_at(path.base, false, path.text, path.length);
	service_insist_end();
}

/* Storage first, for there a name can be taken; nothing is left if proc refuses. */
static long
bind_node(struct socket *s, const struct linux_sockaddr_un *address,
    unsigned length)
{
	struct socket_shared_name shared;
	struct proc_name name;
	uint64_t key[2], chosen;
	long error = make_node(address, length, key);

	if (error != 0)
		return error;
	shared_name(address, length, &shared);
	node_name(&shared, key, &name);
	service_insist_begin();
	error = bind_at_proc(s, &name, &chosen);
	service_insist_end();
	if (error != 0)
		remove_node(address, length);
	return error;
}

static long
bind_abstract(struct socket *s, const struct linux_sockaddr_un *address,
    unsigned length)
{
	struct proc_name name;
	uint64_t chosen;

	abstract_name(address, length, &name);
	return bind_at_proc(s, &name, &chosen);
}

static long
file_and_address(unsigned fd, const struct linux_sockaddr_un *address,
    unsigned length, struct file **out_file, struct linux_sockaddr_un *out)
{
	long error;

	*out_file = socket_file(fd, &error);
	return error != 0 ? error : socket_take_address(address, length, out);
}

long
linux_bind(unsigned fd, const struct linux_sockaddr_un *address,
    unsigned length)
{
	struct linux_sockaddr_un own;
	struct file *file;
	long error = file_and_address(fd, address, length, &file, &own);

	if (error != 0)
		return error;
	struct socket *s = socket_of(file);
	if (length == PATH_AT && own.family == L_AF_UNIX)
		return s->session != CAP_NONE ? 0 : socket_name_self(s);
	if (!address_valid(&own, length))
		return -E_INVAL;
	if (s->session != CAP_NONE)
		return -E_INVAL;
	error = own.path[0] == 0 ? bind_abstract(s, &own, length) :
	    bind_node(s, &own, length);
	if (error == 0)
		shared_name(&own, length, &socket_side(s)->name);
	return error;
}

/* -- connections -- */

long
linux_listen(unsigned fd, int backlog)
{
	long error;
	struct file *file = socket_file(fd, &error);

	if (error != 0)
		return error;
	struct socket *s = socket_of(file);
	if (socket_is_datagram(s))
		return -E_OPNOTSUPP;
	if (s->session == CAP_NONE || s->connected)
		return -E_INVAL;
	uint64_t key[2];
	socket_watch_far(file, key);
	const struct sockets_listen_args in = {
		.low = key[0], .high = key[1],
		.backlog = (uint32_t)backlog, .socket = s->session,
		.note = s->note,
	};
	error = sockets_listen(PROCESS_PROC, &in);
	if (error != 0)
		return error;
	s->listens = true;
	s->peer = (struct socket_who){ INFO->pid, INFO->euid, INFO->egid };
	return 0;
}

/* With a time limit proc is asked again and again: rare, and never long. */
static long
ask_to_connect(struct sockets_connect_args *in, uint64_t deadline,
    struct sockets_connect_results *out)
{
	long error;

	while ((error = service_waits(sockets_connect(PROCESS_PROC, in,
	    out))) == -E_AGAIN && deadline > time_now_ns()) {
		status_t status = time_wait(time_now_ns() + TRY_AGAIN_NS);
		if (status != OK && status != ERR_TIMEOUT)
			return -E_INTR;
	}
	return error;
}

/* First Linux looks whether there is anybody. */
static long
refuse_connected(const struct socket *s, const struct proc_name *name)
{
	cap_t caps[3];
	const struct sockets_find_args in = {
		.kind = name->kind, .type = s->type,
		.name = { name->bytes, name->length, 0 },
	};
	long error = sockets_find(PROCESS_PROC, &in, &caps[0], &caps[1],
	    &caps[2]);

	/* There is, but it takes no datagrams. */
	if (error == -E_NOTSUP)
		return s->connected ? -E_ISCONN : -E_INVAL;
	return error;
}

static long
connect_connection(struct file *file, const struct linux_sockaddr_un *address,
    unsigned length)
{
	struct socket *s = socket_of(file);
	uint64_t limit = socket_side(s)->send_timeout;
	bool waits = (file->flags & L_O_NONBLOCK) == 0;
	struct sockets_connect_results peer = { 0 };
	struct proc_name name;
	cap_t end, watch;

	long error = find_name(address, length, &name);
	if (error == 0 && (s->connected || s->listens))
		error = refuse_connected(s, &name);
	if (error == 0)
		error = socket_make_pair(s->note, &end, &watch);
	if (error != 0)
		return error;
	struct sockets_connect_args in = {
		.kind = name.kind, .type = s->type,
		.wait = waits && limit == 0,
		.name = { name.bytes, name.length, 0 },
		.memory = s->memory, .note = s->note, .end = end,
		.watch = s->watch,
	};
	error = ask_to_connect(&in, waits && limit != 0 ?
	    socket_deadline(limit) : 0, &peer);
	sys_cap_delete(CAP_NONE, end);
	if (error != 0) {
		sys_cap_delete(CAP_NONE, watch);
		return error;
	}
	sys_cap_delete(CAP_NONE, s->watch);
	s->watch = watch;
	s->peer = (struct socket_who){ peer.pid, peer.uid, peer.gid };
	s->connected = true;
	return 0;
}

void
socket_disconnect(struct file *file)
{
	struct socket *s = socket_of(file);

	/* Who polls for room polls the target. */
	if (file->watched != 0)
		watch_file_closed(file);
	socket_target_close(&s->target);
	socket_side(s)->only = 0;
	s->connected = s->keyed = false;
	socket_memory(s)->side[1].name.length = 0;
}

static long
connect_datagrams(struct file *file, const struct linux_sockaddr_un *address,
    unsigned length)
{
	struct socket *s = socket_of(file);
	struct socket_target target;

	if (address->family == L_AF_UNSPEC && length >= PATH_AT) {
		socket_disconnect(file);
		return 0;
	}
	if (!address_valid(address, length))
		return -E_INVAL;
	socket_disconnect(file);
	long error = socket_find_target(s, address, length, &target);
	if (error != 0)
		return error;
	uint64_t only = target.memory->side[0].only;
	if (only != 0 && only != socket_number(s->end)) {
		socket_disconnect(file);
		return -E_PERM;
	}
	socket_side(s)->only = socket_number(target.watch);
	shared_name(address, length, &socket_memory(s)->side[1].name);
	s->connected = true;
	return 0;
}

long
linux_connect(unsigned fd, const struct linux_sockaddr_un *address,
    unsigned length)
{
	struct linux_sockaddr_un own;
	struct file *file;
	long error = file_and_address(fd, address, length, &file, &own);

	if (error != 0)
		return error;
	struct socket *s = socket_of(file);
	if ((socket_side(s)->flags & SIDE_PASS_CREDENTIALS) != 0 &&
	    address_valid(&own, length))
		error = socket_name_self(s);
	if (error != 0)
		return error;
	if (socket_is_datagram(s))
		return connect_datagrams(file, &own, length);
	return address_valid(&own, length) ?
	    connect_connection(file, &own, length) : -E_INVAL;
}

/* -- where datagrams go -- */

/* A short abstract name, or a node, is remembered with what it led to. */
static bool
key_of(const struct proc_name *name, uint64_t out[2])
{
	uint8_t bytes[16] = { 0 };

	out[0] = out[1] = 0;
	if (name->kind == SOCKETS_NODE) {
		memcpy(out, name->bytes, 16);
		return true;
	}
	if (name->length > 14)
		return false;
	bytes[0] = 0xff;
	bytes[1] = (uint8_t)name->length;
	memcpy(bytes + 2, name->bytes, name->length);
	memcpy(out, bytes, 16);
	return true;
}

static bool
is_present_target(const struct socket *s, const uint64_t key[2])
{
	return s->keyed && s->target.memory != NULL &&
	    s->peer_key[0] == key[0] && s->peer_key[1] == key[1] &&
	    !socket_watch_gone(s->target.watch);
}

long
socket_find_target(struct socket *s, const struct linux_sockaddr_un *address,
    unsigned length, struct socket_target *out)
{
	struct proc_name name;
	uint64_t key[2];
	long error = find_name(address, length, &name);

	if (error != 0)
		return error;
	bool keyed = key_of(&name, key);
	if (keyed && is_present_target(s, key)) {
		*out = s->target;
		return 0;
	}
	const struct sockets_find_args in = {
		.kind = name.kind, .type = s->type,
		.name = { name.bytes, name.length, 0 },
	};
	*out = (struct socket_target){ 0 };
	error = sockets_find(PROCESS_PROC, &in, &out->object, &out->note,
	    &out->watch);
	if (error != 0)
		return error;
	out->watch = UTCB->caps_in[2];
	if (s->connected)
		return socket_target_map(out, (uint64_t)socket_memory(s) +
		    SOCKET_OTHER_AT);
	socket_target_close(&s->target);
	s->keyed = false;
	error = socket_target_map(out, (uint64_t)socket_memory(s) +
	    SOCKET_PEER_AT);
	if (error != 0)
		return error;
	s->target = *out;
	s->keyed = keyed;
	s->peer_key[0] = key[0];
	s->peer_key[1] = key[1];
	return 0;
}

/* -- accept -- */

/* Waits until there is one; its capabilities are in *out. */
static long
next_connection(struct file *file, struct socket *out)
{
	struct socket *s = socket_of(file);
	uint64_t deadline = 0, word, seen = 0;
	struct socket_accept_results peer = { 0 };

	for (;;) {
		sys_wait(s->note, WAIT_POLL, 0, 0, &word, &seen);
		long error = socket_accept(s->session, &peer, &out->memory,
		    &out->note, &out->end, &out->watch);
		if (error == 0)
			break;
		if (error != -E_AGAIN)
			return service_waits(error);
		if ((file->flags & L_O_NONBLOCK) != 0)
			return -E_AGAIN;
		if (deadline == 0)
			deadline = socket_deadline(
			    socket_side(s)->receive_timeout);
		error = socket_sleep(s->note, seen, deadline);
		if (error != 0)
			return error;
	}
	out->end = UTCB->caps_in[2];
	out->watch = UTCB->caps_in[3];
	out->peer = (struct socket_who){ peer.pid, peer.uid, peer.gid };
	return 0;
}

static long
accept_one(struct file *file, struct socket *n)
{
	const struct socket_side *own = socket_side(socket_of(file));
	long error = next_connection(file, n);

	if (error == 0)
		error = socket_map(n);
	if (error != 0)
		return error;
	n->side = 1;
	n->connected = true;
	struct socket_side *side = socket_side(n);
	side->name = own->name;
	side->send_limit = own->send_limit;
	side->receive_limit = own->receive_limit;
	__atomic_fetch_or(&side->flags, SIDE_ACCEPTED | (own->flags &
	    SIDE_PASS_CREDENTIALS), __ATOMIC_SEQ_CST);
	return 0;
}

long
linux_accept4(unsigned fd, struct linux_sockaddr_un *address,
    unsigned *length, unsigned flags)
{
	struct socket *n;
	long error;
	struct file *file = socket_file(fd, &error);

	if ((flags & ~(unsigned)(L_O_CLOEXEC | L_O_NONBLOCK)) != 0)
		return -E_INVAL;
	if (error != 0)
		return error;
	const struct socket *s = socket_of(file);
	if (socket_is_datagram(s))
		return -E_OPNOTSUPP;
	if (!s->listens)
		return -E_INVAL;
	if (!fd_may_open())
		return -E_MFILE;
	error = socket_new(s->type, false, &n);
	if (error == 0) {
		error = accept_one(file, n);
		if (error != 0)
			socket_free(n);
	}
	if (error != 0)
		return error;
	if (address != NULL)
		error = socket_give_name(&socket_memory(n)->side[0].name,
		    address, length);
	if (error != 0) {
		socket_free(n);
		return error;
	}
	return socket_install(n, flags);
}

long
linux_accept(unsigned fd, struct linux_sockaddr_un *address, unsigned *length)
{
	return linux_accept4(fd, address, length, 0);
}

/* -- who is where -- */

long
linux_getsockname(unsigned fd, struct linux_sockaddr_un *address,
    unsigned *length)
{
	long error;
	struct file *file = socket_file(fd, &error);

	return error != 0 ? error : socket_give_name(
	    &socket_side(socket_of(file))->name, address, length);
}

long
linux_getpeername(unsigned fd, struct linux_sockaddr_un *address,
    unsigned *length)
{
	long error;
	struct file *file = socket_file(fd, &error);

	if (error != 0)
		return error;
	const struct socket *s = socket_of(file);
	return !s->connected ? -E_NOTCONN : socket_give_name(
	    &socket_memory(s)->side[1 - s->side].name, address, length);
}
