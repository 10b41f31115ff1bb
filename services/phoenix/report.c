/* SPDX-License-Identifier: MIT */
/* What phoenix writes into the log. */
#include "phoenix.h"

#define SETTLE_NS	30000000ul	/* so long without a change */
#define SETTLE_MAX_NS	1000000000ul

static const char *
cause_name(uint64_t cause)
{
	static const char *const name[] = {
		[DEATH_NONE] = "nothing",
		[DEATH_EXCEPTION] = "exception",
		[DEATH_PANIC] = "panic",
		[DEATH_BUDGET] = "budget",
		[DEATH_LIMIT] = "memory limit",
		[DEATH_KILLED] = "killed",
		[DEATH_EXIT] = "exit",
	};

	return cause < sizeof(name) / sizeof(name[0]) ? name[cause] : "?";
}

void
report_death(const struct place *place, const struct death_info *info)
{
	service_log("%s %lu died: %s %lu at rip %lx address %lx rsp %lx",
	    place->manifest.name, place->life.incarnation,
	    cause_name(info->cause), info->code, info->frame.rip,
	    info->frame.address, info->frame.rsp);
	if (info->request_order != 0)
		service_log("%s served call %lu tag %lx badge %lx",
		    place->manifest.name, info->request_order,
		    info->request_tag, info->request_badge);
}

status_t
system_info_read(struct system_info *out_info)
{
	const struct utcb *utcb = (const struct utcb *)PLACE_UTCB;
	struct sys_result r = sys_invoke(SYS_SYSTEM_INFO, POWER_SYSTEM, 0, 0, 0,
	    0, 0);

	if (r.status == OK)
		*out_info = *(const struct system_info *)utcb->data;
	return r.status;
}

static uint64_t
all_objects(const struct system_info *info)
{
	uint64_t objects = 0;

	for (unsigned i = 0; i < OBJ_TYPE_COUNT; i++)
		objects += info->objects[i];
	return objects;
}

/*
 * What is in use, once the kernel has taken apart what died just before: its
 * reaper works when a CPU leaves the kernel, so leave it until nothing changes.
 */
void
report_system(void)
{
	struct system_info info;
	uint64_t objects = 0, start = service_now_ns(), changed = start, now;

	do {
		sys_invoke(SYS_THREAD_YIELD, 0, 0, 0, 0, 0, 0);
		if (system_info_read(&info) != OK)
			return;
		now = service_now_ns();
		if (all_objects(&info) != objects)
			changed = now;
		objects = all_objects(&info);
	} while (now - changed < SETTLE_NS && now - start < SETTLE_MAX_NS);
	service_log("system: frames %lu objects %lu slots %lu threads %lu",
	    info.frames_total - info.frames_free, objects, info.slots_used,
	    info.objects[OBJ_THREAD]);
}
