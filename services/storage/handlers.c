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
	static uint32_t groups[STORAGE_GROUPS_MAX];
	const struct storage_who who = {
		.ids = *in->who,
		.group_count = (uint32_t)(in->groups.length /
		    sizeof(groups[0])),
		.groups = groups,
	};
	struct description *description;
	unsigned error = 0;

	if (in->groups.length != 0)
		error = wire_error(wire_take(call, &in->groups, groups));
	if (error == 0)
		error = storage_attach(context->storage, &who, &description);
	return error != 0 ? error :
	    give_description(context, call, description);
}

static unsigned
handle_renounce(struct storage_context *context, struct service_call *call)
{
	(void)call;
	return storage_renounce(context->storage, context->self);
}

static unsigned
handle_adopt(struct storage_context *context, struct service_call *call,
    const struct storage_adopt_args *in)
{
	struct description *place, *description;
	unsigned error = find_given(context, in->place, &place);

	if (error == 0)
		error = storage_adopt(context->storage, context->self, place,
		    &description);
	return error != 0 ? error :
	    give_description(context, call, description);
}

/* The description that the kernel names so; NULL: none of this server. */
static struct description *
named(const struct storage_context *context, const struct storage_name *name)
{
	struct description *description = storage_find(context->storage,
	    name->badge);

	return description != NULL && object_id(storage_session(description),
	    NULL) == name->object ? description : NULL;
}

static unsigned
handle_renounce_all(struct storage_context *context, struct service_call *call,
    const struct storage_renounce_all_args *in,
    struct storage_renounce_all_results *out)
{
	struct storage_name names[STORAGE_RENOUNCE_BYTES /
	    sizeof(struct storage_name)];
	unsigned error = in->descriptions.length % sizeof(names[0]) != 0 ?
	    E_INVAL : wire_error(wire_take(call, &in->descriptions, names));

	for (uint64_t i = 0; error == 0 && i < in->descriptions.length /
	    sizeof(names[0]); i++) {
		struct description *description = named(context, &names[i]);

		if (description == NULL || storage_is_renounced(description))
			continue;
		error = storage_renounce(context->storage, description);
		if (error == E_PERM) {
			out->attached |= 1ul << i;
			error = 0;
			continue;
		}
		out->changed++;
	}
	return error;
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
	const struct storage_name name = { in->badge, in->object };
	struct description *description = named(context, &name);

	if (description == NULL)
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
	.access_at = handle_access,
	.statfs = handle_statfs,
	.set_flags = handle_set_flags,
	.path = handle_path,
	.window = handle_window,
	.retire = handle_retire,
	.reopen = handle_reopen,
	.fifo = handle_fifo,
	.renounce = handle_renounce,
	.adopt = handle_adopt,
	.lock = handle_lock,
	.lock_test = handle_lock_test,
};

/* End A of a description has full trust, whoever holds it: not for those. */
static const struct storage_operations of_services = {
	.describe = handle_describe,
	.attach = handle_attach,
	.renounce_all = handle_renounce_all,
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
