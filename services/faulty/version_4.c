/* SPDX-License-Identifier: MIT */
/* faulty4: takes over what it finds and does not come up. */
#include "version.h"

static status_t
upgrade(void *root, uint64_t from)
{
	struct faulty_context *faulty = root;

	(void)from;
	return TX_SET(service_arena(), faulty->sum, 0);
}

static void
resume(void)
{
	service_panic("this image does not come up");
}

const struct faulty_version faulty_version = {
	.layout = 3,
	.upgrade = upgrade,
	.resume = resume,
};
