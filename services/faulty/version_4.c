/* SPDX-License-Identifier: MIT */
/* faulty4: has the layout of faulty2 and does not come up. */
#include "version.h"

static void
resume(void)
{
	service_panic("this image does not come up");
}

const struct faulty_version faulty_version = { .layout = 2, .resume = resume };
