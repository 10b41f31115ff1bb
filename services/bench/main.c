/* SPDX-License-Identifier: MIT */
/*
 * Native benchmark: instructions per kernel operation, under -icount where the
 * time stamp counter counts instructions. One line per operation goes into the
 * log ("row NAME MEDIAN P99 GOAL cr3=N privileged=N"); tools/bench.py collects.
 *
 * The cost of reading the counter is subtracted. Each row is the median of
 * SAMPLES runs after WARM_UP; the ledger is the count of one further run.
 */
#include "bench.h"

#include <idl/phoenix_client.h>
#include <lib/service/service.h>

#define WARM_UP		32u
#define HEAP		PLACE_HEAP_BASE

static uint64_t samples[SAMPLES];
static uint64_t empty;			/* cost of a pair of ticks() */
static cap_t system_info, broker;
static struct peer peer = { .class = CLASS_HIGH };
struct objects objects;
static cap_t vspace, memory;
static struct message message = { { 1, 2, 3, 4, 5, 6, 7, 8 } };

static struct system_info
ledger(void)
{
	sys3(SYS_SYSTEM_INFO, system_info, 0, 0);
	return *(const struct system_info *)UTCB->data;
}

void
sort(uint64_t *values, unsigned count)
{
	unsigned gap = 1;

	while (gap < count / 3)
		gap = 3 * gap + 1;
	for (; gap > 0; gap /= 3)
		for (unsigned i = gap; i < count; i++) {
			uint64_t value = values[i];
			unsigned j = i;
			for (; j >= gap && values[j - gap] > value; j -= gap)
				values[j] = values[j - gap];
			values[j] = value;
		}
}

static void
report(const char *name, uint64_t goal, uint64_t cr3, uint64_t privileged)
{
	sort(samples, SAMPLES);
	service_log("row %s %lu %lu %lu cr3=%lu privileged=%lu", name,
	    samples[SAMPLES / 2], samples[SAMPLES * 99 / 100], goal, cr3,
	    privileged);
}

/* SAMPLES times. */
void
measure(const char *name, uint64_t goal, void (*prepare)(void),
    void (*operation)(void))
{
	for (unsigned i = 0; i < WARM_UP + SAMPLES; i++) {
		if (prepare != NULL)
			prepare();
		uint64_t before = ticks();
		operation();
		uint64_t spent = ticks() - before - empty;
		if (i >= WARM_UP)
			samples[i - WARM_UP] = spent;
	}
	if (prepare != NULL)
		prepare();
	struct system_info first = ledger();
	operation();
	struct system_info last = ledger();
	report(name, goal, last.ledger_cr3_loads - first.ledger_cr3_loads,
	    last.ledger_privileged_writes - first.ledger_privileged_writes);
}

static void
do_nothing(void)
{
	__asm__ volatile("");
}

static void
do_null(void)
{
	sys3(SYS_NULL, 0, 0, 0);
}

static void
do_call(void)
{
	sys_call(objects.endpoint, 0, &message, NULL);
}

/* Words are not used at all: what a caller with an empty message sees. */
static void
do_call_empty(void)
{
	struct message empty_message = { { 0 } };

	sys_call(objects.endpoint, 0, &empty_message, NULL);
}

static void
do_signal(void)
{
	sys_signal(objects.answer, 1);
}

void
clear_answer(void)
{
	sys_wait(objects.answer, WAIT_BITS, 0, 0, NULL, NULL);
}

static void
do_signal_round_trip(void)
{
	sys_signal(objects.notification, 1);
	sys_wait(objects.answer, WAIT_BITS, 0, DEADLINE_NEVER, NULL, NULL);
}

static void
do_map(void)
{
	sys_map(vspace, HEAP, memory, 0, PAGE_SIZE, MAP_READ | MAP_WRITE);
}

static void
do_unmap(void)
{
	sys_unmap(vspace, HEAP, PAGE_SIZE);
}

static void
drop_mapping(void)
{
	do_unmap();
}

static void
map_empty_page(void)
{
	do_unmap();
	sys3(SYS_MEMORY_RESIZE, memory, 0, 0);
	sys3(SYS_MEMORY_RESIZE, memory, PAGE_SIZE, 0);
	do_map();
}

static void
do_touch(void)
{
	*(volatile char *)HEAP = 1;
}

static cap_t scratch;

static void
do_create(void)
{
	sys_object_create(OBJ_MEMORY, PLACE_CONTAINER, PAGE_SIZE, 0, &scratch);
}

static void
delete_created(void)
{
	if (scratch != CAP_NONE)
		sys_cap_delete(0, scratch);
	scratch = CAP_NONE;
}

static void
measure_ipc(void)
{
	if (peer_start(&peer, peer_serve, NULL) != OK)
		service_panic("no peer");
	measure("ipc_call_reply_0", 420, NULL, do_call_empty);
	measure("ipc_call_reply", 420, NULL, do_call);
	peer_stop(&peer);
}

static void
measure_notifications(void)
{
	measure("notification_awake", 120, clear_answer, do_signal);
	clear_answer();
	if (peer_start(&peer, peer_echo, NULL) != OK)
		service_panic("no peer");
	/* Two signals that each wake a sleeper in the other address space. */
	measure("notification_asleep_x2", 900, NULL, do_signal_round_trip);
	peer_stop(&peer);
}

static void
measure_faults(void)
{
	struct shared *shared = (struct shared *)SHARED_PAGE;
	cap_t page;

	if (sys_object_create(OBJ_MEMORY, PLACE_CONTAINER, 4 * PAGE_SIZE, 0,
	    &page) != OK || sys_map(vspace, SHARED_PAGE, page, 0, 4 * PAGE_SIZE,
	    MAP_READ | MAP_WRITE | MAP_SHARED) != OK)
		service_panic("no shared page");
	clear_answer();
	if (peer_start(&peer, peer_fault, peer_fault_upcall) != OK)
		service_panic("no peer");
	sys_wait(objects.answer, WAIT_BITS, 0, DEADLINE_NEVER, NULL, NULL);
	for (unsigned i = 0; i < SAMPLES; i++)
		samples[i] = shared->deliver[i] - empty;
	report("fault_deliver", 600, 0, 0);
	for (unsigned i = 0; i < SAMPLES; i++)
		samples[i] = shared->resume[i] - empty;
	report("fault_resume", 600, 0, 0);
	peer_stop(&peer);
}

static void
measure_memory(void)
{
	if (sys_object_create(OBJ_MEMORY, PLACE_CONTAINER, PAGE_SIZE, 0,
	    &memory) != OK)
		service_panic("no memory");
	measure("map", 700, drop_mapping, do_map);
	do_touch();
	measure("unmap_touched", 0, do_map, do_unmap);
	measure("page_fault_zero_fill", 1300, map_empty_page, do_touch);
	measure("memory_create", 900, delete_created, do_create);
	delete_created();
}

/* The service loop does not run here, so neither does service_request(). */
static bool
request_powers(void)
{
	return phoenix_request(PLACE_PHOENIX, "random", &system_info) == 0 &&
	    phoenix_request(PLACE_PHOENIX, "broker:open", &broker) == 0;
}

int
main(void)
{
	const struct place_info *info = (const void *)PLACE_INFO;

	vspace = info->vspace;
	if (!request_powers() ||
	    sys_object_create(OBJ_ENDPOINT, PLACE_CONTAINER, 0, 0,
	    &objects.endpoint) != OK ||
	    sys_object_create(OBJ_REPLY, PLACE_CONTAINER, 0, 0, &objects.reply) !=
	    OK || sys_object_create(OBJ_NOTIFICATION, PLACE_CONTAINER, 0, 0,
	    &objects.notification) != OK || sys_object_create(OBJ_NOTIFICATION,
	    PLACE_CONTAINER, 0, 0, &objects.answer) != OK)
		service_panic("objects missing");
	for (unsigned i = 0; i < SAMPLES; i++) {
		uint64_t before = ticks();
		do_nothing();
		samples[i] = ticks() - before;
	}
	sort(samples, SAMPLES);
	empty = samples[SAMPLES / 2];
	for (unsigned i = 0; i < SAMPLES; i++)
		samples[i] = ledger().boot_user_tsc;
	report("boot_first_user_instruction", 100000000, 0, 0);
	measure("null", 80, NULL, do_null);
	measure_ipc();
	measure_notifications();
	measure_memory();
	measure_faults();
	measure_channels(vspace, broker);
	measure_recovery(vspace);
	/* Until it is ready it is in the class of recovery, which is higher. */
	sys3(SYS_THREAD_SCHEDULE, info->thread, CLASS_REALTIME |
	    WEIGHT_DEFAULT << 8, 0);
	measure_wakeups(vspace);
	service_log("row-end");
	service_ready();
	sys_exit(DEATH_EXIT, 0);
}
