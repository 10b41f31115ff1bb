/* SPDX-License-Identifier: MIT */
/*
 * Open files on their way to another process: what proc keeps of one is
 * capabilities, four to an entry, and a few words that say what they are.
 *
 * Those words come from a process that need not be honest. They are looked at
 * before a file is made of them, and say nothing that the capabilities, which
 * servers check, do not allow.
 */
#include "parcel.h"

#include "fileops.h"
#include "linux.h"
#include "service.h"
#include "socket.h"
#include "thread.h"

#include <idl/process.h>
#include <idl/sockets_client.h>
#include <idl/storage_client.h>
#include <lib/base/string.h>
#include <lib/sys/sys.h>

static long
add_entry(const uint64_t token[2], const void *content, size_t size,
    const cap_t caps[4])
{
	const struct sockets_add_args in = {
		.low = token[0], .high = token[1],
		.content = { content, size, 0 },
		.first = caps[0], .second = caps[1], .third = caps[2],
		.fourth = caps[3],
	};

	return sockets_add(PROCESS_PROC, &in);
}

/* The position becomes storage's, as before a fork. */
static long
share(struct file *file)
{
	uint64_t position;
	long error = 0;

	if (file_is_own(file) && file->moved) {
		error = storage_seek(file->cap, (int64_t)file->position, 0,
		    &position);
		file->moved = error != 0;
	}
	if (error == 0)
		file->lineage = 0;
	return error;
}

/* A capability at most, and words that any process may say. */
static bool
is_plain(unsigned kind)
{
	return kind == FILE_STORAGE || kind == FILE_PATH ||
	    kind == FILE_DEVICE || kind == FILE_CONSOLE ||
	    kind == FILE_TERMINAL;
}

/*
 * Folders carry no authority to a stranger. One of storage's root does, and says
 * so: whoever has that is root.
 */
static void
renounce(const struct file *file)
{
	if ((file->kind == FILE_STORAGE || file->kind == FILE_PATH) &&
	    file->place != PATH_PROC)
		storage_renounce(file->cap);
}

static long
pack_plain(struct file *file, struct parcel_file *out)
{
	if (!is_plain(file->kind))
		return -E_OPNOTSUPP;
	out->cap[0] = file->cap;
	out->count = file->cap != CAP_NONE;
	renounce(file);
	return share(file);
}

long
parcel_add_file(const uint64_t token[2], struct file *file)
{
	const struct file_ops *ops = file_ops(file);
	struct parcel_file packed = {
		.kind = file->kind, .node = file->node,
		.can_read = file->can_read, .can_write = file->can_write,
		.place = file->place, .flags = file->flags,
		.device = file->device, .terminal = file->terminal,
	};

	long error = ops->pack != NULL ? ops->pack(file, &packed) :
	    pack_plain(file, &packed);
	if (error != 0)
		return error;
	for (unsigned i = 0; i == 0 || i < packed.count; i += 4) {
		error = add_entry(token, &packed,
		    offsetof(struct parcel_file, cap), packed.cap + i);
		if (error != 0)
			break;
	}
	return error;
}

/* -- taking -- */

static void
drop_caps(struct parcel_file *packed)
{
	for (unsigned i = 0; i < PARCEL_CAPS; i++) {
		if (packed->cap[i] != CAP_NONE)
			sys_cap_delete(CAP_NONE, packed->cap[i]);
		packed->cap[i] = CAP_NONE;
	}
}

/* One entry; its capabilities go to caps. */
static long
take_entry(const uint64_t token[2], uint32_t index,
    struct parcel_file *content, cap_t caps[4])
{
	const struct sockets_take_args in = {
		.low = token[0], .high = token[1], .index = index,
		.content = { content, offsetof(struct parcel_file, cap), 0 },
	};
	struct sockets_take_results out;
	cap_t got[4];
	long error = sockets_take(PROCESS_PROC, &in, &out, &got[0], &got[1],
	    &got[2], &got[3]);

	if (error != 0)
		return error;
	for (unsigned i = 0; i < 4; i++)
		caps[i] = i < out.count ? UTCB->caps_in[i] : CAP_NONE;
	return out.content_length == offsetof(struct parcel_file, cap) ? 0 :
	    -E_INVAL;
}

static bool
valid(const struct parcel_file *p)
{
	return p->kind != FILE_FREE && p->kind < FILE_KINDS && p->node < 16 &&
	    p->can_read <= 1 && p->can_write <= 1 &&
	    p->place <= PATH_PROC && p->count <= PARCEL_CAPS;
}

static long
unpack_plain(const struct parcel_file *packed, struct file *file)
{
	if (!is_plain(packed->kind))
		return -E_OPNOTSUPP;
	file->cap = packed->cap[0];
	renounce(file);
	return file->cap == CAP_NONE && packed->kind != FILE_DEVICE &&
	    packed->kind != FILE_CONSOLE ? -E_INVAL : 0;
}

/* packed->cap are the file's if this succeeds. */
static long
make_file(const struct parcel_file *packed, bool close_on_exec)
{
	const struct file_ops *ops = file_ops_of[packed->kind];
	struct file made = {
		.kind = packed->kind, .node = packed->node,
		.can_read = packed->can_read != 0,
		.can_write = packed->can_write != 0,
		.place = packed->place, .flags = packed->flags,
		.device = packed->device, .terminal = packed->terminal,
	};

	if (!fd_may_open())
		return -E_MFILE;
	long error = ops->unpack != NULL ? ops->unpack(packed, &made) :
	    unpack_plain(packed, &made);
	if (error != 0)
		return error;
	struct file *file = file_new();
	*file = made;
	return fd_install(file, 0, close_on_exec);
}

long
parcel_take_file(const uint64_t token[2], uint32_t *inout_index,
    bool close_on_exec)
{
	struct parcel_file packed = { 0 }, again;
	long error = take_entry(token, (*inout_index)++, &packed, packed.cap);

	if (error == 0 && !valid(&packed))
		error = -E_INVAL;
	for (unsigned i = 4; error == 0 && i < packed.count; i += 4)
		error = take_entry(token, (*inout_index)++, &again,
		    packed.cap + i);
	if (error == 0)
		error = make_file(&packed, close_on_exec);
	if (error < 0)
		drop_caps(&packed);
	return error;
}
