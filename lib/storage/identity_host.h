/* SPDX-License-Identifier: MIT */
/* Who asks in same_test.c: root, and users with and without privileges. */
#pragma once

#include <idl/privilege.h>
#include <stdint.h>

#define USER		1000u
#define IDENTITIES	6u

struct identity {
	uint32_t id;		/* of user and group */
	uint64_t privileges;
	uint32_t group_count;
	uint32_t groups[2];	/* ascending */
};

extern const struct identity identities[IDENTITIES];

/* On the host, as far as files are concerned. */
void become(uint32_t id);
