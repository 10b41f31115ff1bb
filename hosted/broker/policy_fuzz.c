/* SPDX-License-Identifier: MIT */
/* Any text as a policy; any name against what was accepted. */
#include "policy.h"

#include <lib/token/token.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "a", "sensor-1", "*", "[", "\\" };
	struct policy_subject subject = {
		.uid = 1000, .group_count = 1, .group = { 1000 },
	};
	struct policy *policy = policy_create();
	const char *why = NULL;

	if (policy == NULL)
		return 0;
	if (policy_read(policy, (const char *)data, size, &why) != OK &&
	    (why == NULL || memchr(why, '\0', 512) == NULL))
		abort();
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct policy_grant grant;
		struct policy_limits limits;

		policy_decide(policy, &subject, names[i], 0, &grant);
		if ((grant.rights & ~TOKEN_ALL) != 0 || grant.trust > 0xf)
			abort();
		policy_limits_of(policy, &subject, &limits);
	}
	policy_destroy(policy);
	return 0;
}
