/* SPDX-License-Identifier: MIT */
#include "extras.h"

const struct bench_extra bench_extras[] = {
	{ "channel-idle", "CPU time of a member that waits", extra_idle },
	{ "channel-matrix", "1 to 16 senders and receivers on one channel",
	    extra_matrix },
	{ "channel-many", "memory of 100 000 channels between processes",
	    extra_many },
	{ 0 },
};
