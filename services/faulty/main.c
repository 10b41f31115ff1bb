/* SPDX-License-Identifier: MIT */
/*
 * faulty: does wrong what it is told to, for those who test what has to cope
 * with it. Its sum lies in the arena: it shows what survived.
 */
#include "version.h"

#include <idl/faulty_server.h>
#include <lib/wire/server.h>

#define TABLE_SLOTS	32768u
#define RELEASED_MAX	32u	/* one commit can answer that many and its own */

/* Of this incarnation. */
static uint64_t delay_ns;

static status_t
save(void *start, size_t length)
{
	return tx_add(service_arena(), start, length);
}

static void
compute(void)
{
	uint64_t end = service_now_ns() + delay_ns;

	while (delay_ns != 0 && service_now_ns() < end)
		;
}

static unsigned
handle_add(struct faulty_context *faulty, struct service_call *call,
    const struct faulty_add_args *in, struct faulty_add_results *out)
{
	(void)call;
	compute();
	if (save(&faulty->sum, sizeof(faulty->sum)) != OK)
		service_panic("the undo log is full");
	out->sum = (faulty->sum ^ faulty_version.key) + in->number;
	faulty->sum = out->sum ^ faulty_version.key;
	out->incarnation = service_info()->incarnation;
	out->cold = faulty->born;
	return OK;
}

static void
hang(void)
{
	cap_t nobody;
	uint64_t bits;

	if (sys_object_create(OBJ_NOTIFICATION, PLACE_CONTAINER, 0, 0,
	    &nobody) == OK)
		sys_wait(nobody, WAIT_BITS, 0, DEADLINE_NEVER, &bits, NULL);
	service_panic("there is nothing to wait for");
}

static void
end(unsigned how)
{
	switch (how) {
	case FAULTY_PANIC:
		service_panic("told to");
	case FAULTY_EXCEPTION:
		__builtin_trap();
	case FAULTY_HANG:
		hang();
		break;
	case FAULTY_LOOP:
		for (;;)
			__asm__ volatile("" ::: "memory");
	default:
		sys_exit(DEATH_EXIT, 0);
	}
}

static unsigned
handle_fail(struct faulty_context *faulty, struct service_call *call,
    const struct faulty_fail_args *in, struct faulty_fail_results *out)
{
	(void)faulty;
	if (in->how < FAULTY_PANIC || in->how > FAULTY_LEAVE)
		return ERR_ARG;
	if (in->always || !call->resumed)
		end(in->how);
	out->incarnation = service_info()->incarnation;
	return OK;
}

static unsigned
handle_delay(struct faulty_context *faulty, struct service_call *call,
    const struct faulty_delay_args *in)
{
	(void)faulty, (void)call;
	delay_ns = in->ns;
	compute();
	return OK;
}

/* Nobody remembers it, so it goes with the incarnation. */
static unsigned
handle_leak(struct faulty_context *faulty, struct service_call *call,
    const struct faulty_leak_args *in)
{
	cap_t lost;

	(void)faulty, (void)call;
	compute();
	return (unsigned)sys_object_create(OBJ_MEMORY, PLACE_CONTAINER,
	    in->pages * PAGE_SIZE, MEMORY_CONTIGUOUS, &lost);
}

static unsigned
handle_park(struct faulty_context *faulty, struct service_call *call)
{
	uint64_t at = faulty->parked_count;

	if (call->cancelled)
		return ERR_INTERRUPTED;
	if (at == FAULTY_PARKED_MAX)
		return ERR_FULL;
	if (save(&faulty->parked_count, sizeof(faulty->parked_count)) != OK ||
	    save(&faulty->parked[at], sizeof(faulty->parked[at])) != OK)
		service_panic("the undo log is full");
	faulty->parked[at] = call->id;
	faulty->parked_count++;
	return WIRE_PARKED;
}

static unsigned
handle_release(struct faulty_context *faulty, struct service_call *call,
    struct faulty_release_results *out)
{
	(void)call;
	if (save(&faulty->parked_count, sizeof(faulty->parked_count)) != OK)
		service_panic("the undo log is full");
	while (faulty->parked_count > 0 && out->released < RELEASED_MAX) {
		status_t status = faulty_park_answer(
		    faulty->parked[faulty->parked_count - 1]);
		if (status != OK)
			return (unsigned)status;
		faulty->parked_count--;
		out->released++;
	}
	return OK;
}

static const struct faulty_operations operations = {
	.add = handle_add,
	.fail = handle_fail,
	.delay = handle_delay,
	.leak = handle_leak,
	.park = handle_park,
	.release = handle_release,
};

static status_t
start(void *root)
{
	struct faulty_context *faulty = root;

	faulty->born = service_info()->cold;
	faulty->sum = faulty_version.key;
	return OK;
}

/* Where the boot option crash= ends incarnations that serve nobody. */
static void
resume(void *root, bool first)
{
	(void)root, (void)first;
	service_crash_point("resume");
	if (faulty_version.resume != NULL)
		faulty_version.resume();
}

static void
idle(void *root)
{
	(void)root;
	if (faulty_version.idle != NULL)
		faulty_version.idle();
}

static service_outcome
handle(void *root, struct service_call *call)
{
	return faulty_dispatch(&operations, root, call);
}

static void
cancel(void *root, struct parked_call id)
{
	struct faulty_context *faulty = root;
	uint64_t i = 0;

	while (i < faulty->parked_count &&
	    faulty->parked[i].order != id.order)
		i++;
	if (i == faulty->parked_count)
		return;
	if (save(&faulty->parked_count, sizeof(faulty->parked_count)) != OK ||
	    save(&faulty->parked[i], sizeof(faulty->parked[i])) != OK)
		service_panic("the undo log is full");
	faulty->parked[i] = faulty->parked[--faulty->parked_count];
	service_answer_error(id, ERR_INTERRUPTED);
}

static struct service faulty_service = {
	.name = "faulty",
	.status_numbers = true,
	.root_size = sizeof(struct faulty_context),
	.reply_objects = FAULTY_PARKED_MAX + 16,
	.table_slots = TABLE_SLOTS,
	.start = start,
	.resume = resume,
	.handle = handle,
	.cancel = cancel,
	.idle = idle,
};

int main(void);

int
main(void)
{
	faulty_service.layout_version = faulty_version.layout;
	faulty_service.upgrade = faulty_version.upgrade;
	service_run(&faulty_service);
}
