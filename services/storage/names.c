/* SPDX-License-Identifier: MIT */
/* Requests on paths. */
#include "shell.h"

#include <idl/file.h>

static char path_text[2][STORAGE_PATH_MAX];

/* Each of the two in a buffer of its own. */
static unsigned
take_path(const struct service_call *call, const struct wire_bytes *from,
    unsigned buffer, struct storage_path *out_path)
{
	status_t status = wire_text(call, from, path_text[buffer],
	    &out_path->text);

	out_path->length = from->length;
	return wire_error(status);
}

unsigned
handle_open(struct storage_context *context, struct service_call *call,
    const struct storage_open_args *in, struct storage_open_results *out)
{
	struct storage_opened opened;
	struct description *description;
	struct storage_path path;
	unsigned error = take_path(call, &in->path, 0, &path);

	if (error == 0)
		error = storage_open(context->storage, context->self, path,
		    in->flags, in->mode, &description, &opened);
	if (error == 0)
		error = give_description(context, call, description);
	if (error != 0)
		return error;
	out->kind = opened.kind;
	out->device = opened.device;
	out->size = opened.size;
	out->inode = opened.inode;
	return 0;
}

unsigned
handle_reopen(struct storage_context *context, struct service_call *call,
    const struct storage_reopen_args *in, struct storage_reopen_results *out)
{
	struct storage_opened opened;
	struct storage_path path;
	unsigned error = take_path(call, &in->path, 0, &path);

	if (error == 0)
		error = storage_reopen(context->storage, context->self, path,
		    in->flags, in->mode, &opened);
	if (error != 0)
		return error;
	out->kind = opened.kind;
	out->device = opened.device;
	out->size = opened.size;
	out->inode = opened.inode;
	return 0;
}

unsigned
handle_mkdir(struct storage_context *context, struct service_call *call,
    const struct storage_mkdir_at_args *in)
{
	struct storage_path path;
	unsigned error = take_path(call, &in->path, 0, &path);

	return error != 0 ? error : storage_mkdir(context->storage,
	    context->self, path, in->mode);
}

unsigned
handle_mknod(struct storage_context *context, struct service_call *call,
    const struct storage_mknod_at_args *in)
{
	struct storage_path path;
	unsigned error = take_path(call, &in->path, 0, &path);

	return error != 0 ? error : storage_mknod(context->storage,
	    context->self, path, in->mode, in->device);
}

unsigned
handle_socket(struct storage_context *context, struct service_call *call,
    const struct storage_socket_at_args *in)
{
	const uint64_t key[2] = { in->low, in->high };
	struct storage_path path;
	unsigned error = take_path(call, &in->path, 0, &path);

	return error != 0 ? error : storage_socket(context->storage,
	    context->self, path, in->mode, key);
}

unsigned
handle_rendezvous(struct storage_context *context, struct service_call *call,
    const struct storage_rendezvous_at_args *in,
    struct storage_rendezvous_at_results *out)
{
	struct storage_path path;
	uint64_t key[2];
	unsigned error = take_path(call, &in->path, 0, &path);

	if (error == 0)
		error = storage_rendezvous(context->storage, context->self,
		    path, key);
	if (error != 0)
		return error;
	out->low = key[0];
	out->high = key[1];
	return 0;
}

unsigned
handle_unlink(struct storage_context *context, struct service_call *call,
    const struct storage_unlink_at_args *in)
{
	struct storage_path path;
	unsigned error = take_path(call, &in->path, 0, &path);

	return error != 0 ? error : storage_unlink(context->storage,
	    context->self, path, in->directory);
}

uint64_t
object_id(cap_t cap, uint64_t *out_badge)
{
	struct sys_result r = sys_invoke(SYS_CAP_INFO, CAP_NONE, cap, 0, 0, 0,
	    0);

	if (out_badge != NULL)
		*out_badge = r.value[1] & SERVICE_BADGE_MASK;
	return r.status == OK ? r.value[2] : 0;
}

unsigned
find_given(const struct storage_context *context, cap_t take_cap,
    struct description **out_base)
{
	struct description *base;
	uint64_t badge, id;

	*out_base = context->self;
	if (take_cap == CAP_NONE)
		return 0;
	id = object_id(take_cap, &badge);
	sys_cap_delete(CAP_NONE, take_cap);
	base = storage_find(context->storage, badge);
	if (id == 0 || base == NULL ||
	    object_id(storage_session(base), NULL) != id)
		return E_BADF;
	*out_base = base;
	return 0;
}

/* Two paths of a request, each below a base. */
struct two_paths {
	const struct wire_bytes *old, *new;
	cap_t	 new_base;
};

static unsigned
take_places(const struct storage_context *context,
    const struct service_call *call, const struct two_paths *paths,
    struct storage_place *out_from, struct storage_place *out_to)
{
	unsigned error = find_given(context, paths->new_base, &out_to->base);

	out_from->base = context->self;
	if (error == 0)
		error = take_path(call, paths->old, 0, &out_from->path);
	if (error == 0)
		error = take_path(call, paths->new, 1, &out_to->path);
	return error;
}

unsigned
handle_rename(struct storage_context *context, struct service_call *call,
    const struct storage_rename_at_args *in)
{
	const struct two_paths paths = { &in->old, &in->new, in->new_base };
	struct storage_place from, to;
	unsigned error = take_places(context, call, &paths, &from, &to);

	return error != 0 ? error : storage_rename(context->storage, from, to,
	    in->flags);
}

unsigned
handle_link(struct storage_context *context, struct service_call *call,
    const struct storage_link_at_args *in)
{
	const struct two_paths paths = { &in->old, &in->new, in->new_base };
	struct storage_place from, to;
	unsigned error = take_places(context, call, &paths, &from, &to);

	return error != 0 ? error : storage_link(context->storage, from, to,
	    in->flags);
}

unsigned
handle_symlink(struct storage_context *context, struct service_call *call,
    const struct storage_symlink_at_args *in)
{
	struct storage_path target, path;
	unsigned error = take_path(call, &in->target, 0, &target);

	if (error == 0)
		error = take_path(call, &in->path, 1, &path);
	return error != 0 ? error : storage_symlink(context->storage,
	    context->self, target, path);
}

unsigned
handle_readlink(struct storage_context *context, struct service_call *call,
    const struct storage_readlink_at_args *in,
    struct storage_readlink_at_results *out)
{
	struct storage_path path, target;
	unsigned error = take_path(call, &in->path, 0, &path);

	if (error == 0)
		error = storage_readlink(context->storage, context->self, path,
		    &target);
	if (error != 0)
		return error;
	out->target_length = target.length < in->target.length ?
	    target.length : in->target.length;
	return wire_error(wire_give(call, &in->target, target.text,
	    out->target_length));
}

unsigned
handle_stat(struct storage_context *context, struct service_call *call,
    const struct storage_stat_at_args *in, struct storage_stat_at_results *out)
{
	struct storage_path path;
	struct storage_stat stat;
	unsigned error = take_path(call, &in->path, 0, &path);

	/* Of the handle itself: what fstat asks. */
	if (error == 0 && path.length == 0 && (in->flags & AT_HANDLE) != 0)
		storage_stat(context->storage, context->self, &stat);
	else if (error == 0)
		error = storage_stat_at(context->storage, context->self, path,
		    in->flags, &stat);
	if (error == 0)
		*out = file_status_pack(&stat);
	return error;
}

unsigned
handle_chmod(struct storage_context *context, struct service_call *call,
    const struct storage_chmod_at_args *in)
{
	struct storage_path path;
	unsigned error = take_path(call, &in->path, 0, &path);

	return error != 0 ? error : storage_chmod(context->storage,
	    context->self, path, in->mode, in->flags);
}

unsigned
handle_chown(struct storage_context *context, struct service_call *call,
    const struct storage_chown_at_args *in)
{
	struct storage_owner owner = { in->uid, in->gid };
	struct storage_path path;
	unsigned error = take_path(call, &in->path, 0, &path);

	return error != 0 ? error : storage_chown(context->storage,
	    context->self, path, owner, in->flags);
}

unsigned
handle_utimens(struct storage_context *context, struct service_call *call,
    const struct storage_utimens_at_args *in)
{
	struct storage_times times = { in->atime_ns, in->mtime_ns };
	struct storage_path path;
	unsigned error = take_path(call, &in->path, 0, &path);

	return error != 0 ? error : storage_utimens(context->storage,
	    context->self, path, times, in->flags);
}

unsigned
handle_access(struct storage_context *context, struct service_call *call,
    const struct storage_access_at_args *in)
{
	struct storage_path path;
	unsigned error = take_path(call, &in->path, 0, &path);

	return error != 0 ? error : storage_access(context->storage,
	    context->self, path, in->mode, in->flags);
}
