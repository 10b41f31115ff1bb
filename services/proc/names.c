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

void
files_stat(const struct procfs_node *node, struct storage_stat_at_results *out)
{
	const struct process *process = proc_find(&proc, node->pid);
	uint64_t boot_ns = service_wall_ns() - service_now_ns();
	struct storage_stat stat;

	procfs_stat(node, &stat);
	stat.atime_ns = boot_ns;
	if (process != NULL) {
		stat.uid = process->who.dumpable ? process->who.euid : 0;
		stat.gid = process->who.dumpable ? process->who.egid : 0;
		stat.atime_ns += process->start_ns;
	}
	if (node->kind == PROCFS_TOP)
		stat.links += proc.table->count;
	stat.mtime_ns = stat.ctime_ns = stat.atime_ns;
	*out = file_status_pack(&stat);
}

unsigned
files_access(const struct procfs_node *node, uint32_t wanted)
{
	/* 2 to write, 1 to execute or search. */
	if ((wanted & 2) != 0 ||
	    ((wanted & 1) != 0 && !procfs_is_directory(node)))
		return E_ACCES;
	return 0;
}

unsigned
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
		return caller == process ||
		    identity_may_look(&caller->who, &process->who);
	default:
		return true;
	}
}

static unsigned
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

/* Where the path of a request leads. */
static unsigned
walk_path(const struct storage_context *context,
    const struct service_call *call, const struct wire_bytes *path,
    bool follow, struct procfs_walk *out_walk)
{
	const char *from;
	unsigned error = wire_error(wire_text(call, path, text, &from));

	if (error == 0)
		error = (unsigned)procfs_resolve(from, path->length,
		    context->caller->pid, follow, out_walk);
	return error != 0 ? error :
	    check_node(context->caller, &out_walk->node);
}

/* The node of a path. E_REMOTE: it lies elsewhere. */
static unsigned
find_node(const struct storage_context *context,
    const struct service_call *call, const struct wire_bytes *path,
    bool follow, struct procfs_node *out_node)
{
	struct procfs_walk walk;
	unsigned error = walk_path(context, call, path, follow, &walk);

	if (error != 0)
		return error;
	*out_node = walk.node;
	return walk.leaves ? E_REMOTE : 0;
}

static unsigned
handle_open(struct storage_context *context, struct service_call *call,
    const struct storage_open_args *in, struct storage_open_results *out)
{
	struct procfs_node node;
	struct storage_stat stat;
	unsigned error = find_node(context, call, &in->path,
	    (in->flags & OPEN_NOFOLLOW) == 0, &node);

	if (error == 0 && (in->flags & (OPEN_CREATE | OPEN_EXCLUSIVE)) ==
	    (OPEN_CREATE | OPEN_EXCLUSIVE))
		error = E_EXIST;
	if (error != 0)
		return error;
	if ((in->flags & OPEN_DIRECTORY) != 0 && !procfs_is_directory(&node))
		return E_NOTDIR;
	if ((in->flags & OPEN_PATH) == 0 && procfs_is_link(&node))
		return E_LOOP;
	if ((in->flags & OPEN_WRITE) != 0)
		return procfs_is_directory(&node) ? E_ISDIR : E_ACCES;
	error = (unsigned)files_open(call, context->caller, &node);
	if (error != 0)
		return error;
	procfs_stat(&node, &stat);
	out->kind = stat.mode >> 12;
	out->inode = stat.inode;
	return 0;
}

static unsigned
handle_stat_at(struct storage_context *context, struct service_call *call,
    const struct storage_stat_at_args *in, struct storage_stat_at_results *out)
{
	struct procfs_node node;
	unsigned error = find_node(context, call, &in->path,
	    (in->flags & AT_NOFOLLOW) == 0, &node);

	if (error == 0)
		files_stat(&node, out);
	return error;
}

static unsigned
handle_access_at(struct storage_context *context, struct service_call *call,
    const struct storage_access_at_args *in)
{
	struct procfs_node node;
	unsigned error = find_node(context, call, &in->path,
	    (in->flags & AT_NOFOLLOW) == 0, &node);

	return error != 0 ? error : files_access(&node, in->mode);
}

static unsigned
handle_readlink_at(struct storage_context *context, struct service_call *call,
    const struct storage_readlink_at_args *in,
    struct storage_readlink_at_results *out)
{
	struct procfs_node node;
	size_t length;
	unsigned error = find_node(context, call, &in->path, false, &node);

	if (error == 0)
		error = files_link(&node, context->caller->pid, target,
		    sizeof(target), &length);
	if (error != 0)
		return error;
	out->target_length = length < in->target.length ? length :
	    in->target.length;
	return wire_error(wire_give(call, &in->target, target,
	    out->target_length));
}

/* A name that would be made: nothing is, but some are there. */
static unsigned
refuse_new(const struct storage_context *context,
    const struct service_call *call, const struct wire_bytes *path)
{
	struct procfs_node node;
	unsigned error = find_node(context, call, path, false, &node);

	return error == 0 ? E_EXIST : error;
}

static unsigned
refuse_change(const struct storage_context *context,
    const struct service_call *call, const struct wire_bytes *path)
{
	struct procfs_node node;
	unsigned error = find_node(context, call, path, true, &node);

	return error == 0 ? E_PERM : error;
}

static unsigned
handle_mkdir_at(struct storage_context *context, struct service_call *call,
    const struct storage_mkdir_at_args *in)
{
	return refuse_new(context, call, &in->path);
}

static unsigned
handle_mknod_at(struct storage_context *context, struct service_call *call,
    const struct storage_mknod_at_args *in)
{
	return refuse_new(context, call, &in->path);
}

static unsigned
handle_unlink_at(struct storage_context *context, struct service_call *call,
    const struct storage_unlink_at_args *in)
{
	return refuse_change(context, call, &in->path);
}

static unsigned
handle_chmod_at(struct storage_context *context, struct service_call *call,
    const struct storage_chmod_at_args *in)
{
	return refuse_change(context, call, &in->path);
}

static unsigned
handle_chown_at(struct storage_context *context, struct service_call *call,
    const struct storage_chown_at_args *in)
{
	return refuse_change(context, call, &in->path);
}

static unsigned
handle_utimens_at(struct storage_context *context, struct service_call *call,
    const struct storage_utimens_at_args *in)
{
	return refuse_change(context, call, &in->path);
}

static unsigned
handle_symlink_at(struct storage_context *context, struct service_call *call,
    const struct storage_symlink_at_args *in)
{
	(void)context, (void)call, (void)in;
	return E_PERM;
}

/* The target of the link, or the root directory, and the rest of the path. */
unsigned
files_leave(struct service_call *call, const struct process *caller,
    const struct proc_leave_args *in, uint64_t *out_length)
{
	const struct storage_context context = { .caller = caller };
	struct procfs_walk walk;
	size_t done = 0;
	unsigned error = walk_path(&context, call, &in->path, true, &walk);

	if (error != 0)
		return error;
	if (!walk.leaves)
		return E_ACCES;
	if (walk.node.kind == PROCFS_TOP)
		target[done++] = '/';
	else
		error = files_link(&walk.node, caller->pid, target,
		    sizeof(target), &done);
	if (error != 0)
		return error;
	uint64_t rest = in->path.length - walk.rest;
	if (rest + done >= sizeof(target) || rest + done > in->target.length)
		return E_NAMETOOLONG;
	memcpy(target + done, text + walk.rest, rest);
	*out_length = done + rest;
	return wire_error(wire_give(call, &in->target, target, *out_length));
}

static const struct storage_operations operations = {
	.open = handle_open,
	.stat_at = handle_stat_at,
	.access_at = handle_access_at,
	.readlink_at = handle_readlink_at,
	.mkdir_at = handle_mkdir_at,
	.mknod_at = handle_mknod_at,
	.unlink_at = handle_unlink_at,
	.chmod_at = handle_chmod_at,
	.chown_at = handle_chown_at,
	.utimens_at = handle_utimens_at,
	.symlink_at = handle_symlink_at,
};

service_outcome
names_serve(struct service_call *call, const struct process *caller)
{
	struct storage_context context = { .caller = caller };

	return storage_dispatch(&operations, &context, call);
}
