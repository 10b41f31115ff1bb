/* SPDX-License-Identifier: MIT */
/* faulty3: spoils what it finds and refuses it then. */
#include "version.h"

static status_t
upgrade(void *root, uint64_t from)
{
	struct faulty_context *faulty = root;

	(void)from;
	if (TX_SET(service_arena(), faulty->sum, 0) != OK)
		return ERR_NOMEM;
	return ERR_STATE;
}

const struct faulty_version faulty_version = {
	.layout = 3,
	.upgrade = upgrade,
};
