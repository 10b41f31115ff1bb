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
#define CALLERS		10000u	/* that wait meanwhile */

static cap_t faulty;
static uint64_t spent[RUNS];
static cap_t caller[CALLERS];

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

/*
 * A caller is one call and its own end. It needs no stack, and its UTCB holds
 * nothing, so one does for all.
 */
void caller_entry(void);
__asm__(
    ".text\n"
    ".global caller_entry\n"
    "caller_entry:\n"
    "	syscall\n"
    "	movq %rbp, %rax\n"
    "	xorl %edi, %edi\n"
    "	syscall\n"
    "	ud2\n");

static void
write_caller(cap_t thread, const struct message *message)
{
	struct user_frame *frame = (struct user_frame *)UTCB->data;

	*frame = (struct user_frame){
		.rip = (uint64_t)caller_entry,
		.rax = (uint64_t)SYSCALL_NR(SYS_CALL),
		.rbp = (uint64_t)SYSCALL_NR(SYS_THREAD_EXIT),
		.rdi = faulty,
		.rdx = message->word[0], .r10 = message->word[1],
		.r8 = message->word[2], .r9 = message->word[3],
		.rbx = message->word[4], .r12 = message->word[5],
		.r13 = message->word[6], .r14 = message->word[7],
	};
	if (sys3(SYS_THREAD_WRITE, thread, 0, 0).status != OK)
		service_panic("a caller takes no registers");
}

static void
start_caller(cap_t vspace, cap_t utcb, const struct message *message,
    cap_t *out_thread)
{
	struct thread_setup *setup = (struct thread_setup *)UTCB->data;

	if (sys_object_create(OBJ_THREAD, PLACE_CONTAINER, 0, 0, out_thread) !=
	    OK)
		service_panic("no memory for a caller");
	*setup = (struct thread_setup){
		.flags = THREAD_NO_FPU,
		.schedule = CLASS_HIGH | WEIGHT_DEFAULT << 8,
	};
	if (sys_invoke(SYS_THREAD_SETUP, *out_thread, PLACE_TABLE, vspace, utcb,
	    0, 0).status != OK)
		service_panic("a caller cannot be set up");
	write_caller(*out_thread, message);
	if (sys3(SYS_THREAD_START, *out_thread, 0, 0).status != OK)
		service_panic("a caller does not start");
}

static void
release_callers(void)
{
	uint64_t released, total = 0;

	do {
		if (faulty_release(faulty, &released) != 0)
			service_panic("the callers are not released");
		total += released;
	} while (released != 0);
	if (total != CALLERS)
		service_panic("%lu callers waited", total);
	for (unsigned i = 0; i < CALLERS; i++)
		sys_cap_delete(CAP_NONE, caller[i]);
}

static void
measure_parked(cap_t vspace)
{
	struct message message;
	cap_t utcb;

	if (sys_object_create(OBJ_MEMORY, PLACE_CONTAINER, PAGE_SIZE,
	    MEMORY_CONTIGUOUS, &utcb) != OK)
		service_panic("no memory for the callers");
	faulty_park_put(&message);
	for (unsigned i = 0; i < CALLERS; i++)
		start_caller(vspace, utcb, &message, &caller[i]);
	pause(1000000000);
	measure_deaths("recovery_parked", 100000, true);
	release_callers();
	measure_deaths("recovery_released", 100000, true);
	sys_cap_delete(CAP_NONE, utcb);
}

void
measure_recovery(cap_t vspace)
{
	clear_answer();
	if (phoenix_request(PLACE_PHOENIX, "faulty:fail", &faulty) != 0)
		service_panic("no faulty service");
	measure_deaths("recovery_cold", 300000, false);
	measure_deaths("recovery_spare", 100000, true);
	measure_parked(vspace);
}
