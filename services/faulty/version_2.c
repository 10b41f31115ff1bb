/* SPDX-License-Identifier: MIT */
/* faulty2: works, with another layout. */
#include "version.h"

#define KEY	0x5a5a5a5a5a5a5a5aul

static status_t
upgrade(void *root, uint64_t from)
{
	struct faulty_context *faulty = root;

	if (from != 1)
		return ERR_STATE;
	return TX_SET(service_arena(), faulty->sum, faulty->sum ^ KEY);
}

const struct faulty_version faulty_version = {
	.layout = 2,
	.key = KEY,
	.upgrade = upgrade,
};
