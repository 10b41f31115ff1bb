/* SPDX-License-Identifier: MIT */
/*
 * faulty5: the incarnation that takes over commits that and ends, so that the
 * image before it cannot come back. The next one works.
 */
#include "version.h"

#include <lib/service/loop.h>

#define KEY_BEFORE	0x5a5a5a5a5a5a5a5aul	/* of faulty2 */
#define KEY		0x3c3c3c3c3c3c3c3cul

static bool upgraded;		/* by this incarnation */

static status_t
upgrade(void *root, uint64_t from)
{
	struct faulty_context *faulty = root;

	if (from != 2)
		return ERR_STATE;
	upgraded = true;
	return TX_SET(service_arena(), faulty->sum,
	    faulty->sum ^ KEY_BEFORE ^ KEY);
}

static void
resume(void)
{
	if (!upgraded)
		return;
	loop_transaction_begin();
	loop_transaction_end();
	service_panic("there is no way back");
}

const struct faulty_version faulty_version = {
	.layout = 3,
	.key = KEY,
	.upgrade = upgrade,
	.resume = resume,
};
