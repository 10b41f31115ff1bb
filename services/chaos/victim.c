/* SPDX-License-Identifier: MIT */
/* Places as phoenix hands them over, and access to their memory. */
#include "chaos.h"

#include <idl/phoenix_client.h>
#include <lib/base/string.h>
#include <lib/service/service.h>

#define INFO_VIEW	(PLACE_HEAP_BASE + 0x100000000ul)
#define SCRATCH_VIEW	(PLACE_HEAP_BASE + 0x200000000ul)
#define TRACE_HEAD	offsetof(struct trace_page, event)

static struct victim victims[VICTIMS_MAX];
static cap_t scratch;		/* memory of a page, mapped at SCRATCH_VIEW */

static void *
scratch_page(void)
{
	return (void *)SCRATCH_VIEW;
}

static struct utcb *
own_utcb(void)
{
	return (struct utcb *)PLACE_UTCB;
}

static void
open_victim(struct victim *victim, unsigned index)
{
	uint64_t address = INFO_VIEW + index * PAGE_SIZE;
	cap_t info, death;
	status_t status = wire_status(phoenix_evidence(PLACE_PHOENIX,
	    victim->name, &info, &death));

	if (status == OK)
		status = sys_map(service_info()->vspace, address, info, 0,
		    PAGE_SIZE, MAP_READ | MAP_WRITE);
	if (status != OK) {
		service_log("no victim %s: status %lu", victim->name, status);
		return;
	}
	victim->info = (struct place_info *)address;
	victim->death = death;
	victim->armed = victim->info->fault.sequence;
}

void
victims_open(const struct options *options)
{
	if (sys_object_create(OBJ_MEMORY, PLACE_CONTAINER, PAGE_SIZE, 0,
	    &scratch) != OK || sys_map(service_info()->vspace, SCRATCH_VIEW,
	    scratch, 0, PAGE_SIZE, MAP_READ | MAP_WRITE) != OK)
		service_panic("no memory");
	for (unsigned i = 0; i < options->victims; i++) {
		victims[i].name = options->victim[i];
		open_victim(&victims[i], i);
	}
}

struct victim *
victim_get(unsigned index)
{
	return victims[index].info != NULL ? &victims[index] : NULL;
}

bool
victim_enter(struct victim *victim)
{
	victim_leave(victim);
	if (phoenix_victim(PLACE_PHOENIX, victim->name, &victim->thread,
	    &victim->vspace) == 0)
		return true;
	victim->thread = victim->vspace = CAP_NONE;
	return false;
}

void
victim_leave(struct victim *victim)
{
	if (victim->thread != CAP_NONE)
		sys_cap_delete(CAP_NONE, victim->thread);
	if (victim->vspace != CAP_NONE)
		sys_cap_delete(CAP_NONE, victim->vspace);
	victim->thread = victim->vspace = CAP_NONE;
}

void
victim_kill(const struct victim *victim)
{
	sys_invoke(SYS_THREAD_KILL, victim->thread, 0, 0, 0, 0, 0);
}

bool
victim_read_death(const struct victim *victim, struct death_info *out)
{
	/* 1: phoenix shall still hear of it. */
	if (sys_invoke(SYS_DEATH_READ, victim->death, 1, 0, 0, 0, 0).status !=
	    OK)
		return false;
	*out = *(const struct death_info *)own_utcb()->data;
	return true;
}

static bool
copy_out(const struct victim *victim, uint64_t address, uint64_t length)
{
	return sys_invoke(SYS_VSPACE_COPY, victim->vspace, address, scratch, 0,
	    length, 0).status == OK;
}

bool
victim_read_trace(const struct victim *victim, struct trace_page *out)
{
	if (!copy_out(victim, PLACE_TRACE, TRACE_HEAD))
		return false;
	memcpy(out, scratch_page(), TRACE_HEAD);
	return true;
}

bool
victim_read_word(const struct victim *victim, uint64_t address,
    uint64_t *out_word)
{
	if (!copy_out(victim, address, sizeof(*out_word)))
		return false;
	*out_word = *(const uint64_t *)scratch_page();
	return true;
}

/* Pages of an arena may be closed for writing: then only for this moment. */
bool
victim_write_word(const struct victim *victim, uint64_t address, uint64_t word)
{
	uint64_t page = address & ~PAGE_MASK;
	struct sys_result region = sys_invoke(SYS_VSPACE_QUERY, victim->vspace,
	    page, 0, 0, 0, 0);
	unsigned flags = (unsigned)region.value[2];

	if (region.status != OK || region.value[0] > page)
		return false;
	if ((flags & MAP_WRITE) == 0 && sys_protect(victim->vspace, page,
	    PAGE_SIZE, flags | MAP_WRITE) != OK)
		return false;
	*(uint64_t *)scratch_page() = word;
	status_t status = sys_invoke(SYS_VSPACE_COPY, victim->vspace, address,
	    scratch, 0, sizeof(word), 1).status;
	if ((flags & MAP_WRITE) == 0)
		sys_protect(victim->vspace, page, PAGE_SIZE, flags);
	return status == OK;
}

void
victim_ask_check(const struct victim *victim)
{
	victim_write_word(victim, PLACE_TRACE + offsetof(struct trace_page,
	    damaged), 1);
}

bool
victim_read_frame(const struct victim *victim, struct user_frame *out)
{
	if (sys_invoke(SYS_THREAD_READ, victim->thread, 0, 0, 0, 0, 0).status !=
	    OK)
		return false;
	*out = *(const struct user_frame *)own_utcb()->data;
	return true;
}

bool
victim_write_frame(const struct victim *victim, const struct user_frame *frame)
{
	*(struct user_frame *)own_utcb()->data = *frame;
	return sys_invoke(SYS_THREAD_WRITE, victim->thread, 0, 0, 0, 0,
	    0).status == OK;
}
