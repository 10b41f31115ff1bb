/* SPDX-License-Identifier: MIT */
/* The table of requests, those on open descriptions, and attaching. */
#include "shell.h"

#include <idl/place.h>
#include <lib/service/loop.h>

#define LISTING_MAX	32768u	/* bytes of one READDIR */

static _Alignas(8) char buffer[LISTING_MAX];

/*
 * The client gets end A and calls through it; end B stays here and tells when
 * the last copy of A is gone.
 */
unsigned
give_description(struct request *request, struct description *description)
{
	cap_t session;

	if (service_give_session(request->call, PLACE_CONTAINER,
	    storage_badge(description), &session) != OK)
		return E_NFILE;
	return storage_set_session(request->storage, description, session);
}

static unsigned
handle_attach(struct request *request)
{
	struct description *description;
	unsigned error;

	/* End A of a description has full trust, whoever holds it. */
	if (request->call->trust < TRUST_SERVICE ||
	    storage_is_badge(request->call->badge))
		return E_PERM;
	error = storage_attach(request->storage, (uint32_t)request->word[1],
	    (uint32_t)request->word[2], &description);
	return error != 0 ? error : give_description(request, description);
}

static unsigned
handle_seek(struct request *request)
{
	return storage_seek(request->storage, request->self, request->word[1],
	    (unsigned)request->word[2], &request->out[0]);
}

static unsigned
handle_stat(struct request *request)
{
	struct storage_stat stat;

	storage_stat(request->storage, request->self, &stat);
	storage_stat_words(&stat, request->out);
	return 0;
}

static unsigned
handle_readdir(struct request *request)
{
	size_t limit = request->word[1] < LISTING_MAX ? request->word[1] :
	    LISTING_MAX;
	size_t length;
	unsigned error = storage_readdir(request->storage, request->self,
	    buffer, limit, &length);

	if (error == 0)
		error = window_put(request, 0, buffer, length);
	if (error == 0)
		request->out[0] = length;
	return error;
}

static unsigned
handle_truncate(struct request *request)
{
	return storage_truncate(request->storage, request->self,
	    request->word[1]);
}

/* The arena is the disk. */
static unsigned
handle_sync(struct request *request)
{
	(void)request;
	return 0;
}

static unsigned
handle_statfs(struct request *request)
{
	struct storage_statfs statfs;

	storage_statfs(request->storage, &statfs);
	return window_put(request, 0, &statfs, sizeof(statfs));
}

static unsigned
handle_set_flags(struct request *request)
{
	return storage_set_flags(request->storage, request->self,
	    (unsigned)request->word[1]);
}

static unsigned
handle_retire(struct request *request)
{
	return storage_retire(request->storage, request->self);
}

static unsigned
give_path(struct request *request, struct description *description)
{
	uint64_t room;
	size_t length;
	unsigned error = storage_path_of(request->storage, description,
	    buffer, STORAGE_PATH_MAX, &length);

	if (error == 0)
		error = window_length(request, 0, length, &room);
	if (error == 0 && room < length)
		error = E_RANGE;
	if (error == 0)
		error = window_put(request, 0, buffer, length);
	if (error == 0)
		request->out[0] = length;
	return error;
}

static unsigned
handle_path(struct request *request)
{
	return give_path(request, request->self);
}

/*
 * The path of somebody else's description, for who could see the capability
 * but does not hold it. The object number tells it from any with that badge.
 */
static unsigned
handle_describe(struct request *request)
{
	struct description *description;

	if (request->call->trust < TRUST_SERVICE ||
	    storage_is_badge(request->call->badge))
		return E_PERM;
	description = storage_find(request->storage, request->word[1]);
	if (description == NULL || object_id(storage_session(description),
	    NULL) != request->word[2])
		return E_STALE;
	return give_path(request, description);
}

static const struct handler handlers[] = {
	[STORAGE_OPEN] = { handle_open, 1, true },
	[STORAGE_READ] = { handle_read, 0, false },
	[STORAGE_WRITE] = { handle_write, 0, false },
	[STORAGE_SEEK] = { handle_seek, 0, false },
	[STORAGE_STAT] = { handle_stat, 0, false },
	[STORAGE_STAT_AT] = { handle_stat_at, 1, true },
	[STORAGE_READDIR] = { handle_readdir, 1, false },
	[STORAGE_MKDIR_AT] = { handle_mkdir, 1, true },
	[STORAGE_UNLINK_AT] = { handle_unlink, 1, true },
	[STORAGE_RENAME_AT] = { handle_rename, 2, false },
	[STORAGE_LINK_AT] = { handle_link, 2, false },
	[STORAGE_SYMLINK_AT] = { handle_symlink, 2, false },
	[STORAGE_READLINK_AT] = { handle_readlink, 2, false },
	[STORAGE_CHMOD_AT] = { handle_chmod, 1, true },
	[STORAGE_CHOWN_AT] = { handle_chown, 1, false },
	[STORAGE_UTIMENS_AT] = { handle_utimens, 1, false },
	[STORAGE_TRUNCATE] = { handle_truncate, 0, false },
	[STORAGE_SYNC] = { handle_sync, 0, false },
	[STORAGE_MAP] = { handle_map, 0, false },
	[STORAGE_MKNOD_AT] = { handle_mknod, 1, true },
	[STORAGE_ACCESS_AT] = { handle_access, 1, true },
	[STORAGE_STATFS] = { handle_statfs, 1, false },
	[STORAGE_SET_FLAGS] = { handle_set_flags, 0, false },
	[STORAGE_PATH] = { handle_path, 1, false },
	[STORAGE_WINDOW] = { handle_window, 0, false },
	[STORAGE_RETIRE] = { handle_retire, 0, false },
	[STORAGE_REOPEN] = { handle_reopen, 1, true },
	[STORAGE_DESCRIBE] = { handle_describe, 1, false },
	[STORAGE_ATTACH] = { handle_attach, 0, false },
};

const struct handler *
handler_find(uint64_t tag)
{
	if (tag >= sizeof(handlers) / sizeof(handlers[0]) ||
	    handlers[tag].run == NULL)
		return NULL;
	return &handlers[tag];
}
