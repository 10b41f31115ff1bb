/* SPDX-License-Identifier: MIT */
/*
 * Requests of a process on paths below /proc, and what they share with those
 * on open files.
 */
#include "shell.h"

#include <idl/errno.h>
#include <lib/base/string.h>
#include <lib/wire/server.h>

static char text[STORAGE_PATH_MAX], target[STORAGE_PATH_MAX];

static int
window_error(status_t status)
{
	switch (status) {
	case OK:
		return 0;
	case ERR_FAULT:
	case ERR_RIGHT:
		return E_FAULT;
	case ERR_GONE:
		return E_INTR;
	default:
		return E_INVAL;
	}
}

int
files_put(const struct files_request *request, unsigned window,
    const void *data, size_t length)
{
	if (length == 0)
		return 0;
	if (request->call->windows <= window)
		return E_INVAL;
	return window_error(sys_window_copy(request->call->reply,
	    window | WINDOW_TO_CALLER, 0, CAP_NONE, (uint64_t)data, length,
	    NULL));
}

/* The path in window 0 of a request, or a short one in words. */
static int
get_path(const struct files_request *request, uint64_t *length)
{
	if (request->call->windows == 0 && (*length & STORAGE_SHORT) != 0) {
		*length &= ~STORAGE_SHORT;
		if (*length > STORAGE_SHORT_MAX)
			return E_NAMETOOLONG;
		memcpy(text, &request->word[3], *length);
		return 0;
	}
	if (*length >= STORAGE_PATH_MAX)
		return E_NAMETOOLONG;
	if (request->call->windows == 0)
		return E_INVAL;
	return window_error(sys_window_copy(request->call->reply,
	    WINDOW_FROM_CALLER, 0, CAP_NONE, (uint64_t)text, *length, NULL));
}

int
files_put_stat(const struct files_request *request,
    const struct procfs_node *node)
{
	const struct process *process = proc_find(&proc, node->pid);
	uint64_t boot_ns = service_wall_ns() - service_now_ns();
	struct storage_stat stat;

	procfs_stat(node, &stat);
	stat.atime_ns = boot_ns;
	if (process != NULL) {
		stat.uid = process->euid;
		stat.gid = process->egid;
		stat.atime_ns += process->start_ns;
	}
	if (node->kind == PROCFS_TOP)
		stat.links += proc.table->count;
	stat.mtime_ns = stat.ctime_ns = stat.atime_ns;
	storage_stat_words(&stat, request->out);
	return 0;
}

int
files_access(const struct procfs_node *node, uint64_t wanted)
{
	/* 2 to write, 1 to execute or search. */
	if ((wanted & 2) != 0 ||
	    ((wanted & 1) != 0 && !procfs_is_directory(node)))
		return E_ACCES;
	return 0;
}

int
files_link(const struct procfs_node *node, uint32_t self, char *out,
    size_t size, size_t *out_length)
{
	const struct process *process = proc_find(&proc, node->pid);

	*out_length = 0;
	if (!procfs_is_link(node))
		return E_INVAL;
	*out_length = procfs_link(node, self, out, size);
	if (*out_length == 0 && process != NULL)
		*out_length = inspect_link(process, node, out, size);
	return *out_length == 0 ? E_NOENT : 0;
}

/* What tells more of a process than its name is not for everybody. */
static bool
may_see(const struct process *caller, const struct process *process,
    unsigned kind)
{
	switch (kind) {
	case PROCFS_CWD:
	case PROCFS_ENVIRON:
	case PROCFS_EXE:
	case PROCFS_FD:
	case PROCFS_FDS:
	case PROCFS_MAPS:
	case PROCFS_ROOT:
		return caller->euid == 0 || (caller->euid == process->uid &&
		    caller->euid == process->euid);
	default:
		return true;
	}
}

static int
check_node(const struct process *caller, const struct procfs_node *node)
{
	const struct process *process = proc_find(&proc, node->pid);

	if (node->pid == 0)
		return 0;
	if (process == NULL)
		return E_NOENT;
	if (!may_see(caller, process, node->kind))
		return E_ACCES;
	return node->kind == PROCFS_FD && !inspect_has_fd(process,
	    node->number) ? E_NOENT : 0;
}

/* The node of the path in window 0. E_REMOTE: it lies elsewhere. */
static int
find_node(const struct files_request *request, const struct process *caller,
    bool follow, struct procfs_node *out_node)
{
	uint64_t length = request->word[7];
	struct procfs_walk walk;
	int error = get_path(request, &length);

	if (error == 0)
		error = procfs_resolve(text, length, caller->pid, follow,
		    &walk);
	if (error == 0)
		error = check_node(caller, &walk.node);
	if (error != 0)
		return error;
	*out_node = walk.node;
	return walk.leaves ? E_REMOTE : 0;
}

static int
open_node(const struct files_request *request, const struct process *caller)
{
	uint64_t flags = request->word[1];
	struct procfs_node node;
	struct storage_stat stat;
	int error = find_node(request, caller, (flags & OPEN_NOFOLLOW) == 0,
	    &node);

	if (error == 0 && (flags & (OPEN_CREATE | OPEN_EXCLUSIVE)) ==
	    (OPEN_CREATE | OPEN_EXCLUSIVE))
		error = E_EXIST;
	if (error != 0)
		return error;
	if ((flags & OPEN_DIRECTORY) != 0 && !procfs_is_directory(&node))
		return E_NOTDIR;
	if ((flags & OPEN_PATH) == 0 && procfs_is_link(&node))
		return E_LOOP;
	if ((flags & OPEN_WRITE) != 0)
		return procfs_is_directory(&node) ? E_ISDIR : E_ACCES;
	error = files_open(request->call, caller, &node);
	if (error != 0)
		return error;
	procfs_stat(&node, &stat);
	request->out[0] = stat.mode >> 12;
	request->out[1] = 0;
	request->out[2] = 0;
	request->out[3] = stat.inode;
	return 0;
}

static int
read_link(const struct files_request *request, const struct process *caller)
{
	struct procfs_node node;
	size_t length;
	int error = find_node(request, caller, false, &node);

	if (error == 0)
		error = files_link(&node, caller->pid, target, sizeof(target),
		    &length);
	if (error != 0)
		return error;
	request->out[0] = length;
	return files_put(request, 1, target, length);
}

/* The target of the link, or the root directory, and the rest of the path. */
unsigned
files_leave(struct service_call *call, const struct process *caller,
    const struct proc_leave_args *in, uint64_t *out_length)
{
	uint64_t length = in->path.length;
	struct procfs_walk walk;
	size_t done = 0;
	int error = (int)wire_error(wire_take(call, &in->path, text));

	if (error == 0)
		error = procfs_resolve(text, length, caller->pid, true, &walk);
	if (error == 0)
		error = check_node(caller, &walk.node);
	if (error == 0 && !walk.leaves)
		error = E_ACCES;
	if (error == 0 && walk.node.kind == PROCFS_TOP)
		target[done++] = '/';
	else if (error == 0)
		error = files_link(&walk.node, caller->pid, target,
		    sizeof(target), &done);
	if (error != 0)
		return (unsigned)error;
	length -= walk.rest;
	if (length + done >= sizeof(target) ||
	    length + done > in->target.length)
		return E_NAMETOOLONG;
	memcpy(target + done, text + walk.rest, length);
	*out_length = done + length;
	return wire_error(wire_give(call, &in->target, target, *out_length));
}

/* A name that would be made: nothing is, but some are there. */
static int
refuse_new(const struct files_request *request, const struct process *caller)
{
	struct procfs_node node;
	int error = find_node(request, caller, false, &node);

	return error == 0 ? E_EXIST : error;
}

static int
refuse_change(const struct files_request *request,
    const struct process *caller)
{
	struct procfs_node node;
	int error = find_node(request, caller, true, &node);

	return error == 0 ? E_PERM : error;
}

static int
names_request(const struct files_request *request,
    const struct process *caller)
{
	bool follow = (request->word[1] & AT_NOFOLLOW) == 0;
	struct procfs_node node;
	int error;

	switch (request->word[0]) {
	case STORAGE_OPEN:
		return open_node(request, caller);
	case STORAGE_STAT_AT:
		error = find_node(request, caller, follow, &node);
		return error != 0 ? error : files_put_stat(request, &node);
	case STORAGE_READLINK_AT:
		return read_link(request, caller);
	case STORAGE_ACCESS_AT:
		follow = (request->word[2] & AT_NOFOLLOW) == 0;
		error = find_node(request, caller, follow, &node);
		return error != 0 ? error :
		    files_access(&node, request->word[1]);
	case STORAGE_MKDIR_AT:
	case STORAGE_MKNOD_AT:
		return refuse_new(request, caller);
	case STORAGE_UNLINK_AT:
	case STORAGE_CHMOD_AT:
	case STORAGE_CHOWN_AT:
	case STORAGE_UTIMENS_AT:
		return refuse_change(request, caller);
	case STORAGE_SYMLINK_AT:
		return E_PERM;
	default:
		return E_NOSYS;
	}
}

service_outcome
files_dispatch(struct service_call *call, const struct process *process)
{
	const struct message in = call->message;
	struct message out = { { TAG_REPLY_OK } };
	const struct files_request request = { call, in.word, &out.word[1] };
	int error = process == NULL ? files_request(&request, call->badge) :
	    names_request(&request, process);

	if (error != 0)
		return wire_refuse(call, (unsigned)error);
	call->message = out;
	return SERVICE_REPLY;
}
