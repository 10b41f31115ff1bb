/* SPDX-License-Identifier: MIT */
#include "spare.h"
#include "hot.h"

#include "file.h"
#include "service.h"

#include <idl/errno.h>
#include <idl/process.h>
#include <lib/sys/sys.h>

#define SPARES	4u

static struct {
	cap_t	 cap;
	cap_t	 base;		/* it was opened from; never used again for
				 * another directory. CAP_NONE: unknown */
} spares[SPARES] HOT;

static unsigned count;

/* Index of a spare for the path, or count. */
static unsigned
find(const struct path *path)
{
	unsigned i = 0;

	while (i < count && path->text[0] != '/' &&
	    spares[i].base != path->base)
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
	return base == PROCESS_ROOT || base == path_working_directory() ?
	    base : CAP_NONE;
}

long
spare_open(const struct path *path, struct message *message, cap_t *out_cap,
    cap_t *out_base)
{
	struct message reopen = *message;
	/* proc has none. */
	unsigned i = path->base == PROCESS_PROC ? count : find(path);
	cap_t caps[4];
	long error;

	if (i < count) {
		reopen.word[0] = STORAGE_REOPEN;
		error = path_request_at(spares[i].cap, path, &reopen, NULL);
		if (error == 0) {
			*message = reopen;
			*out_cap = spares[i].cap;
			*out_base = spares[i].base;
			spares[i] = spares[--count];
			return 0;
		}
		if (error != -E_STALE)
			return error;
		forget(i);
	}
	error = path_request_at(path->base, path, message, caps);
	*out_cap = caps[0];
	*out_base = lasting_base(path->base);
	return error;
}

void
spare_close(cap_t take_cap, cap_t base, bool shared)
{
	struct message m = { { STORAGE_RETIRE } };

	if (shared || count == SPARES || service_insist(take_cap, &m, 0) != 0) {
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
