/* SPDX-License-Identifier: MIT */
/*
 * Keeper of the monkey: starts it in a fresh table within its own container,
 * again and again, until it has made COUNT calls (boot option monkey=COUNT),
 * then reports. A monkey that blocks is ended after a while. The kernel must
 * not panic, other services must not notice, and nothing may stay behind.
 */
#include "monkey.h"

#include <lib/service/service.h>

#define LOOK_NS		100000ul	/* a turn ends when this brings no call */
#define LOOKS_MAX	30u
#define CALLS_DEFAULT	10000u
#define TABLE_SLOTS	4096u

static cap_t monkey_container, timer_notification;

static uint64_t
option_count(void)
{
	char text[48];
	uint64_t count = 0;

	if (service_option("monkey", text) != OK)
		return CALLS_DEFAULT;
	for (const char *c = text; *c >= '0' && *c <= '9'; c++)
		count = count * 10 + (uint64_t)(*c - '0');
	return count;
}

/* Puts a new object of the type into the monkey's table. */
static void
give(cap_t table, unsigned type, uint64_t a1, uint64_t a2)
{
	cap_t cap, theirs;

	if (sys_object_create(type, monkey_container, a1, a2, &cap) != OK)
		return;
	if (sys_cap_copy(cap, table, CAP_ANY_SLOT, RIGHT_ALL, TRUST_MAX, 0,
	    &theirs) == OK && SHARED->handle_count < HANDLES)
		SHARED->handles[SHARED->handle_count++] = theirs;
	sys_cap_delete(0, cap);
}

static void
copy_into(cap_t table, cap_t cap)
{
	cap_t theirs;

	if (sys_cap_copy(cap, table, CAP_ANY_SLOT, RIGHT_ALL, TRUST_MAX, 0,
	    &theirs) == OK && SHARED->handle_count < HANDLES)
		SHARED->handles[SHARED->handle_count++] = theirs;
}

static void
furnish(cap_t table)
{
	SHARED->handle_count = 0;
	copy_into(table, monkey_container);
	copy_into(table, table);
	give(table, OBJ_VSPACE, 0, 0);
	give(table, OBJ_THREAD, 0, 0);
	give(table, OBJ_MEMORY, 16 * PAGE_SIZE, 0);
	give(table, OBJ_MEMORY, PAGE_SIZE, MEMORY_CONTIGUOUS);
	give(table, OBJ_ENDPOINT, 0, 0);
	give(table, OBJ_REPLY, 0, 0);
	give(table, OBJ_REPLY, 0, 0);
	give(table, OBJ_NOTIFICATION, 0, 0);
	give(table, OBJ_DEATH, 0, 0);
	give(table, OBJ_TABLE, 64, 0);
	give(table, OBJ_CONTAINER, 64, 64);
}

/* Until both are dead or stuck, or have had their time. */
static void
watch(void)
{
	for (unsigned i = 0; i < LOOKS_MAX; i++) {
		uint64_t before = SHARED->calls;
		sys_wait(timer_notification, WAIT_BITS, 0,
		    service_now_ns() + LOOK_NS, NULL, NULL);
		if (SHARED->calls == before)
			break;
	}
}

/* Runs two monkeys side by side for a turn. */
static void
turn(void)
{
	struct peer peers[2] = { { .class = CLASS_LOW }, { .class = CLASS_LOW } };
	cap_t table;

	if (sys_object_create(OBJ_CONTAINER, PLACE_CONTAINER, 2048, 1024,
	    &monkey_container) != OK)
		service_panic("no container");
	if (sys_object_create(OBJ_TABLE, monkey_container, TABLE_SLOTS, 0,
	    &table) != OK)
		service_panic("no table");
	furnish(table);
	for (unsigned i = 0; i < 2; i++) {
		peers[i].table = table;
		peers[i].container = monkey_container;
		if (peer_start(&peers[i], monkey_run, NULL) == OK) {
			copy_into(table, peers[i].vspace);
			copy_into(table, peers[i].thread);
		}
	}
	watch();
	for (unsigned i = 0; i < 2; i++)
		peer_stop(&peers[i]);
	sys_invoke(SYS_TABLE_CLEAR, table, 0, 0, 0, 0, 0);
	sys_cap_delete(0, table);
	sys_cap_delete(0, monkey_container);
}

int
main(void)
{
	const struct place_info *info = (const void *)PLACE_INFO;
	uint64_t count = option_count();
	cap_t page;

	if (sys_object_create(OBJ_MEMORY, PLACE_CONTAINER, PAGE_SIZE, 0,
	    &page) != OK || sys_map(info->vspace, SHARED_PAGE, page, 0,
	    PAGE_SIZE, MAP_READ | MAP_WRITE | MAP_SHARED) != OK ||
	    sys_object_create(OBJ_NOTIFICATION, PLACE_CONTAINER, 0, 0,
	    &timer_notification) != OK)
		service_panic("no memory");
	SHARED->random = 0x2545f4914f6cdd1dul;
	service_ready();
	while (SHARED->calls < count)
		turn();
	service_log("monkey made %lu calls: %lu done, %lu refused",
	    SHARED->calls, SHARED->ok, SHARED->refused);
	sys_exit(DEATH_EXIT, 0);
}
