/* SPDX-License-Identifier: MIT */
/* Requests on paths. */
#include "shell.h"

static void
tell_opened(struct request *request, const struct storage_opened *opened)
{
	request->out[0] = opened->kind;
	request->out[1] = opened->device;
	request->out[2] = opened->size;
	request->out[3] = opened->inode;
}

unsigned
handle_open(struct request *request)
{
	struct storage_opened opened;
	struct description *description;
	struct storage_path path;
	unsigned error = window_path(request, 0, &path);

	if (error == 0)
		error = storage_open(request->storage, request->self, path,
		    (unsigned)request->word[1], (uint32_t)request->word[2],
		    &description, &opened);
	if (error == 0)
		error = give_description(request, description);
	if (error == 0)
		tell_opened(request, &opened);
	return error;
}

unsigned
handle_reopen(struct request *request)
{
	struct storage_opened opened;
	struct storage_path path;
	unsigned error = window_path(request, 0, &path);

	if (error == 0)
		error = storage_reopen(request->storage, request->self, path,
		    (unsigned)request->word[1], (uint32_t)request->word[2],
		    &opened);
	if (error == 0)
		tell_opened(request, &opened);
	return error;
}

unsigned
handle_mkdir(struct request *request)
{
	struct storage_path path;
	unsigned error = window_path(request, 0, &path);

	return error != 0 ? error : storage_mkdir(request->storage,
	    request->self, path, (uint32_t)request->word[1]);
}

unsigned
handle_mknod(struct request *request)
{
	struct storage_path path;
	unsigned error = window_path(request, 0, &path);

	return error != 0 ? error : storage_mknod(request->storage,
	    request->self, path, (uint32_t)request->word[1],
	    request->word[2]);
}

unsigned
handle_unlink(struct request *request)
{
	struct storage_path path;
	unsigned error = window_path(request, 0, &path);

	return error != 0 ? error : storage_unlink(request->storage,
	    request->self, path, request->word[1] != 0);
}

uint64_t
object_id(cap_t cap, uint64_t *out_badge)
{
	struct sys_result r = sys_invoke(SYS_CAP_INFO, CAP_NONE, cap, 0, 0, 0,
	    0);

	if (out_badge != NULL)
		*out_badge = r.value[1];
	return r.status == OK ? r.value[2] : 0;
}

/*
 * The base of the second path: a capability, or the same as the first. It must
 * be the event pair of the description it claims to be, not just any with that
 * badge: object numbers are the kernel's.
 */
static unsigned
second_base(const struct request *request, struct description **out_base)
{
	struct description *base;
	uint64_t badge, id;

	*out_base = request->self;
	if (request->call->caps == 0)
		return 0;
	struct sys_result r = sys_invoke(SYS_REPLY_TAKE_CAP,
	    request->call->reply, 0, CAP_ANY_SLOT, 0, 0, 0);
	if (r.status != OK)
		return E_BADF;
	cap_t taken = r.value[0];
	id = object_id(taken, &badge);
	sys_cap_delete(CAP_NONE, taken);
	base = storage_find(request->storage, badge);
	if (id == 0 || base == NULL ||
	    object_id(storage_session(base), NULL) != id)
		return E_BADF;
	*out_base = base;
	return 0;
}

static unsigned
two_places(const struct request *request, struct storage_place *out_from,
    struct storage_place *out_to)
{
	unsigned error = window_path(request, 0, &out_from->path);

	out_from->base = request->self;
	if (error == 0)
		error = window_path(request, 1, &out_to->path);
	if (error == 0)
		error = second_base(request, &out_to->base);
	return error;
}

unsigned
handle_rename(struct request *request)
{
	struct storage_place from, to;
	unsigned error = two_places(request, &from, &to);

	return error != 0 ? error : storage_rename(request->storage, from, to,
	    (unsigned)request->word[1]);
}

unsigned
handle_link(struct request *request)
{
	struct storage_place from, to;
	unsigned error = two_places(request, &from, &to);

	return error != 0 ? error : storage_link(request->storage, from, to,
	    (unsigned)request->word[1]);
}

unsigned
handle_symlink(struct request *request)
{
	struct storage_path target, path;
	unsigned error = window_path(request, 0, &target);

	if (error == 0)
		error = window_path(request, 1, &path);
	return error != 0 ? error : storage_symlink(request->storage,
	    request->self, target, path);
}

unsigned
handle_readlink(struct request *request)
{
	struct storage_path path, target;
	uint64_t length;
	unsigned error = window_path(request, 0, &path);

	if (error == 0)
		error = storage_readlink(request->storage, request->self, path,
		    &target);
	if (error == 0)
		error = window_length(request, 1, target.length, &length);
	if (error == 0)
		error = window_put(request, 1, target.text, length);
	if (error == 0)
		request->out[0] = length;
	return error;
}

unsigned
handle_stat_at(struct request *request)
{
	struct storage_path path;
	struct storage_stat stat;
	unsigned error = window_path(request, 0, &path);

	if (error == 0)
		error = storage_stat_at(request->storage, request->self, path,
		    (unsigned)request->word[1], &stat);
	if (error == 0)
		storage_stat_words(&stat, request->out);
	return error;
}

unsigned
handle_chmod(struct request *request)
{
	struct storage_path path;
	unsigned error = window_path(request, 0, &path);

	return error != 0 ? error : storage_chmod(request->storage,
	    request->self, path, (uint32_t)request->word[1],
	    (unsigned)request->word[2]);
}

unsigned
handle_chown(struct request *request)
{
	struct storage_owner owner = { (uint32_t)request->word[1],
		(uint32_t)request->word[2] };
	struct storage_path path;
	unsigned error = window_path(request, 0, &path);

	return error != 0 ? error : storage_chown(request->storage,
	    request->self, path, owner, (unsigned)request->word[3]);
}

unsigned
handle_utimens(struct request *request)
{
	struct storage_times times = { request->word[1], request->word[2] };
	struct storage_path path;
	unsigned error = window_path(request, 0, &path);

	return error != 0 ? error : storage_utimens(request->storage,
	    request->self, path, times, (unsigned)request->word[3]);
}

unsigned
handle_access(struct request *request)
{
	struct storage_path path;
	unsigned error = window_path(request, 0, &path);

	return error != 0 ? error : storage_access(request->storage,
	    request->self, path, (unsigned)request->word[1],
	    (unsigned)request->word[2]);
}
