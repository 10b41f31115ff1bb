/* SPDX-License-Identifier: MIT */
#include "spare.h"
#include "hot.h"

#include "file.h"
#include "service.h"
#include "thread.h"

#include <idl/errno.h>
#include <idl/process.h>
#include <idl/storage_client.h>
#include <lib/sys/sys.h>

#define SPARES	4u

static struct {
	cap_t	 cap;
	cap_t	 base;		/* it was opened from; never used again for
				 * another directory. CAP_NONE: unknown */
} spares[SPARES] HOT;

static unsigned count;

/* Index of a spare for a path below base, or count. */
static unsigned
find(cap_t base, const struct wire_bytes *path)
{
	unsigned i = 0;
	bool absolute = *(const char *)path->bytes == '/';

	while (i < count && !absolute && spares[i].base != base)
		i++;
	return i;
}

static void
forget(unsigned i)
{
	sys_cap_delete(CAP_NONE, spares[i].cap);
	spares[i] = spares[--count];
}

/*
 * The working directory and the root are handles that no file has, so they
 * always name the same directory.
 */
static cap_t
lasting_base(cap_t base)
{
	return base == ROOT_DIRECTORY || base == path_working_directory() ?
	    base : CAP_NONE;
}

/* -E_STALE: not with this one. */
static long
reopen(cap_t spare, const struct storage_open_args *in,
    struct storage_open_results *out_opened)
{
	const struct storage_reopen_args again = {
		.flags = in->flags, .mode = in->mode, .path = in->path,
	};
	struct storage_reopen_results got;
	long error = storage_reopen(spare, &again, &got);

	if (error != 0)
		return error;
	*out_opened = (struct storage_open_results){
		.kind = got.kind, .device = got.device, .size = got.size,
		.inode = got.inode,
	};
	return 0;
}

long
spare_open(cap_t base, const struct storage_open_args *in,
    struct storage_open_results *out_opened, cap_t *out_cap, cap_t *out_base)
{
	/* proc has none. */
	unsigned i = base == PROCESS_PROC ? count : find(base, &in->path);

	if (i < count) {
		long error = reopen(spares[i].cap, in, out_opened);
		if (error == 0) {
			*out_cap = spares[i].cap;
			*out_base = spares[i].base;
			spares[i] = spares[--count];
			return 0;
		}
		if (error != -E_STALE && error != -E_KEYREVOKED)
			return error;
		forget(i);
	}
	*out_base = lasting_base(base);
	return storage_open(base, in, out_opened, out_cap);
}

void
spare_close(cap_t take_cap, cap_t base, bool shared)
{
	long error = -E_BUSY;

	if (!shared && count < SPARES) {
		service_insist_begin();
		error = storage_retire(take_cap);
		service_insist_end();
	}
	if (error != 0) {
		sys_cap_delete(CAP_NONE, take_cap);
		return;
	}
	spares[count].cap = take_cap;
	spares[count++].base = base;
}

void
spare_drop_all(void)
{
	while (count > 0)
		forget(count - 1);
}
