/* SPDX-License-Identifier: MIT */
#include "sharedlock.h"

#include <lib/sys/sys.h>

#define SPIN_CHECK	16u

void
shared_lock_slowly(uint64_t *word, uint64_t self)
{
	uint64_t owner;

	for (unsigned i = 0; !ring_try_lock(word, self, &owner); i++) {
		if (i % SPIN_CHECK == SPIN_CHECK - 1) {
			struct sys_result r = sys_invoke(SYS_THREAD_ALIVE,
			    owner, 0, 0, 0, 0, 0);
			if ((r.status != OK || r.value[0] == 0) &&
			    ring_take_over(word, self, owner))
				return;
		}
		sys_invoke(SYS_THREAD_YIELD, 0, 0, 0, 0, 0, 0);
	}
}
