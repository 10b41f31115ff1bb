/* SPDX-License-Identifier: MIT */
/* The tables of requests, those on open descriptions, and attaching. */
#include "shell.h"

#include <idl/place.h>

static _Alignas(8) char buffer[STORAGE_LISTING_MAX];

/*
 * The client gets end A and calls through it; end B stays here and tells when
 * the last copy of A is gone.
 */
unsigned
give_description(struct storage_context *context, struct service_call *call,
    struct description *description)
{
	cap_t session;

	if (service_give_session(call, PLACE_CONTAINER,
	    storage_badge(description), &session) != OK)
		return E_NFILE;
	return storage_set_session(context->storage, description, session);
}

static unsigned
handle_attach(struct storage_context *context, struct service_call *call,
    const struct storage_attach_args *in)
{
	struct description *description;
	unsigned error = storage_attach(context->storage, in->uid, in->gid,
	    &description);

	return error != 0 ? error :
	    give_description(context, call, description);
}

static unsigned
handle_seek(struct storage_context *context, struct service_call *call,
    const struct storage_seek_args *in, struct storage_seek_results *out)
{
	(void)call;
	return storage_seek(context->storage, context->self,
	    (uint64_t)in->offset, in->whence, &out->position);
}

static unsigned
handle_readdir(struct storage_context *context, struct service_call *call,
    const struct storage_readdir_args *in, struct storage_readdir_results *out)
{
	unsigned error = storage_readdir(context->storage, context->self,
	    buffer, in->entries.length, &out->entries_length);

	return error != 0 ? error : wire_error(wire_give(call, &in->entries,
	    buffer, out->entries_length));
}

static unsigned
handle_truncate(struct storage_context *context, struct service_call *call,
    const struct storage_truncate_args *in)
{
	(void)call;
	return storage_truncate(context->storage, context->self, in->size);
}

/* The arena is the disk. */
static unsigned
handle_sync(struct storage_context *context, struct service_call *call)
{
	(void)context, (void)call;
	return 0;
}

static unsigned
handle_statfs(struct storage_context *context, struct service_call *call,
    const struct storage_statfs_args *in)
{
	(void)call;
	storage_statfs(context->storage, in->status);
	return 0;
}

static unsigned
handle_set_flags(struct storage_context *context, struct service_call *call,
    const struct storage_set_flags_args *in)
{
	(void)call;
	return storage_set_flags(context->storage, context->self, in->flags);
}

static unsigned
handle_retire(struct storage_context *context, struct service_call *call)
{
	(void)call;
	return storage_retire(context->storage, context->self);
}

static unsigned
give_path(const struct storage_context *context,
    const struct service_call *call, struct description *description,
    const struct wire_room *to, uint64_t *out_length)
{
	size_t length;
	unsigned error = storage_path_of(context->storage, description,
	    buffer, STORAGE_PATH_MAX, &length);

	if (error == 0 && to->length < length)
		error = E_RANGE;
	if (error != 0)
		return error;
	*out_length = length;
	return wire_error(wire_give(call, to, buffer, length));
}

static unsigned
handle_path(struct storage_context *context, struct service_call *call,
    const struct storage_path_args *in, struct storage_path_results *out)
{
	return give_path(context, call, context->self, &in->path,
	    &out->path_length);
}

/*
 * The path of somebody else's description, for who could see the capability
 * but does not hold it. The object number tells it from any with that badge.
 */
static unsigned
handle_describe(struct storage_context *context, struct service_call *call,
    const struct storage_describe_args *in,
    struct storage_describe_results *out)
{
	struct description *description = storage_find(context->storage,
	    in->badge);

	if (description == NULL || object_id(storage_session(description),
	    NULL) != in->object)
		return E_STALE;
	return give_path(context, call, description, &in->path,
	    &out->path_length);
}

static const struct storage_operations of_descriptions = {
	.open = handle_open,
	.read = handle_read,
	.write = handle_write,
	.seek = handle_seek,
	.stat_at = handle_stat,
	.readdir = handle_readdir,
	.mkdir_at = handle_mkdir,
	.unlink_at = handle_unlink,
	.rename_at = handle_rename,
	.link_at = handle_link,
	.symlink_at = handle_symlink,
	.readlink_at = handle_readlink,
	.chmod_at = handle_chmod,
	.chown_at = handle_chown,
	.utimens_at = handle_utimens,
	.truncate = handle_truncate,
	.sync = handle_sync,
	.map = handle_map,
	.mknod_at = handle_mknod,
	.socket_at = handle_socket,
	.rendezvous_at = handle_rendezvous,
	.access_at = handle_access,
	.statfs = handle_statfs,
	.set_flags = handle_set_flags,
	.path = handle_path,
	.window = handle_window,
	.retire = handle_retire,
	.reopen = handle_reopen,
	.lock = handle_lock,
	.lock_test = handle_lock_test,
};

/* End A of a description has full trust, whoever holds it: not for those. */
static const struct storage_operations of_services = {
	.describe = handle_describe,
	.attach = handle_attach,
};

service_outcome
serve(struct storage_context *context, struct service_call *call)
{
	if (!storage_is_badge(call->badge))
		return storage_dispatch(&of_services, context, call);
	context->self = storage_find(context->storage, call->badge);
	if (context->self == NULL)
		return wire_refuse(call, E_STALE);
	return storage_dispatch(&of_descriptions, context, call);
}
