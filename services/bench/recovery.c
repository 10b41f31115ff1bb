/* SPDX-License-Identifier: MIT */
/*
 * How long a call takes that kills its service and is answered by the next
 * incarnation: from the death to the first answered call, and a little more.
 */
#include "bench.h"

#include <idl/faulty_client.h>
#include <idl/phoenix_client.h>
#include <lib/service/service.h>

#define RUNS		64u
#define PAUSE_NS	20000000ul	/* phoenix has made a spare by then */

static cap_t faulty;
static uint64_t spent[RUNS];

static void
pause(uint64_t ns)
{
	sys_wait(objects.answer, WAIT_BITS, 0, service_now_ns() + ns, NULL,
	    NULL);
}

static void
die_once(void)
{
	uint64_t incarnation;

	if (faulty_fail(faulty, FAULTY_EXCEPTION, false, &incarnation) != 0)
		service_panic("faulty does not answer");
}

static void
measure_deaths(const char *name, uint64_t goal, bool spare)
{
	for (unsigned i = 0; i < RUNS; i++) {
		if (spare)
			pause(PAUSE_NS);
		uint64_t before = ticks();
		die_once();
		spent[i] = ticks() - before;
	}
	sort(spent, RUNS);
	service_log("row %s %lu %lu %lu", name, spent[RUNS / 2],
	    spent[RUNS - 1], goal);
}

void
measure_recovery(void)
{
	clear_answer();
	if (phoenix_request(PLACE_PHOENIX, "faulty:fail", &faulty) != 0)
		service_panic("no faulty service");
	measure_deaths("recovery_cold", 300000, false);
	measure_deaths("recovery_spare", 100000, true);
}
