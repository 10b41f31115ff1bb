/* SPDX-License-Identifier: MIT */
/* faulty6: comes up and ends at once, until it was started cold twice. */
#include "version.h"

static void
idle(void)
{
	if (service_info()->cold < 2)
		service_panic("its state does not suit it");
}

const struct faulty_version faulty_version = { .layout = 1, .idle = idle };
