/* SPDX-License-Identifier: MIT */
/*
 * How late a thread of class realtime runs: from the time its timer is set for
 * to its first instruction, while others keep the kernel busy.
 *
 * A client of class normal calls a server all the while. A worker of class
 * normal does one kind of work after the other, mostly such that keeps the
 * kernel at work for long; each kind has its own worst case in the ledger, so
 * that the row names what the wait is owed to.
 */
#include "bench.h"

#include <abi/boot.h>
#include <lib/base/format.h>
#include <lib/service/service.h>

#define WAKEUPS		512u		/* in a round, for each kind of work */
#define ROUNDS		4u
#define GAP_NS		15000u		/* at least, at most three times as long */
#define BIG_PAGES	4096u
#define BIG_SIZE	(BIG_PAGES * PAGE_SIZE)
#define BIG_BASE	(PLACE_HEAP_BASE + 0x30000000ul)
#define BIG_AGAIN	(PLACE_HEAP_BASE + 0x40000000ul)
#define ORDER_PAGE	(PLACE_HEAP_BASE + 0x20000000ul)
#define CAPS		2048u
#define SLOTS		4096u
#define WORKER_WEIGHT	8192u

/* In a page that both map: what the worker shall do, and what it does. */
struct order {
	volatile uint64_t wanted, current;
};

static struct peer server = { .class = CLASS_HIGH };
static struct peer client = { .class = CLASS_NORMAL };
static struct peer worker = { .class = CLASS_NORMAL };
static cap_t big, small, full_table, timer;

static void
touch_all(uint64_t base, uint64_t pages)
{
	for (uint64_t i = 0; i < pages; i++)
		*(volatile char *)(base + i * PAGE_SIZE) = 1;
}

static void
work_compute(void)
{
	for (volatile unsigned i = 0; i < 1000; i++)
		;
}

static void
work_call(void)
{
	struct message message = { { 1 } };

	sys_call(objects.endpoint, 0, &message, NULL);
}

/* Pages that the last clone left shared are made the worker's own first. */
static void
work_memory_clone(void)
{
	touch_all(BIG_BASE, BIG_PAGES);
	struct sys_result r = sys_invoke(SYS_MEMORY_CLONE, big, 0, BIG_SIZE,
	    PLACE_CONTAINER, 0, 0);

	if (r.status == OK)
		sys_cap_delete(0, r.value[0]);
}

static void
work_space_clone(void)
{
	cap_t space;

	touch_all(BIG_BASE, BIG_PAGES);
	if (sys_object_create(OBJ_VSPACE, PLACE_CONTAINER, 0, 0, &space) != OK)
		return;
	sys_invoke(SYS_VSPACE_CLONE, worker.vspace, space, PLACE_CONTAINER, 0,
	    0, 0);
	sys_cap_delete(0, space);
}

static void
work_table(void)
{
	cap_t table;

	if (sys_object_create(OBJ_TABLE, PLACE_CONTAINER, SLOTS, 0, &table) !=
	    OK)
		return;
	sys3(SYS_TABLE_CLONE, full_table, table, 0);
	sys3(SYS_TABLE_CLEAR, table, 0, 0);
	sys_cap_delete(0, table);
}

static void
work_revoke(void)
{
	cap_t table, parent;

	if (sys_object_create(OBJ_TABLE, PLACE_CONTAINER, SLOTS, 0, &table) !=
	    OK)
		return;
	sys_cap_copy(small, 0, CAP_ANY_SLOT, RIGHT_ALL, TRUST_MAX, 0, &parent);
	for (unsigned i = 0; i < CAPS; i++)
		sys_cap_copy(parent, table, CAP_ANY_SLOT, RIGHT_ALL, TRUST_MAX,
		    0, NULL);
	sys_cap_revoke(parent);
	sys_cap_delete(0, parent);
	sys_cap_delete(0, table);
}

static void
work_unmap(void)
{
	sys_map(worker.vspace, BIG_AGAIN, big, 0, BIG_SIZE, MAP_READ |
	    MAP_WRITE | MAP_NOCLONE);
	touch_all(BIG_AGAIN, BIG_PAGES);
	sys_unmap(worker.vspace, BIG_AGAIN, BIG_SIZE);
}

static void
work_protect(void)
{
	sys_protect(worker.vspace, BIG_BASE, BIG_SIZE, MAP_READ);
	sys_protect(worker.vspace, BIG_BASE, BIG_SIZE, MAP_READ | MAP_WRITE);
	touch_all(BIG_BASE, BIG_PAGES);
}

static void
work_truncate(void)
{
	cap_t memory;

	if (sys_object_create(OBJ_MEMORY, PLACE_CONTAINER, BIG_SIZE, 0,
	    &memory) != OK)
		return;
	sys_map(worker.vspace, BIG_AGAIN, memory, 0, BIG_SIZE, MAP_READ |
	    MAP_WRITE | MAP_NOCLONE);
	touch_all(BIG_AGAIN, BIG_PAGES / 4);
	sys3(SYS_MEMORY_RESIZE, memory, 0, 0);
	sys_unmap(worker.vspace, BIG_AGAIN, BIG_SIZE);
	sys_cap_delete(0, memory);
}

static const struct {
	const char *name;
	void (*run)(void);
} works[] = {
	{ "compute", work_compute },
	{ "call", work_call },
	{ "memory_clone", work_memory_clone },
	{ "space_clone", work_space_clone },
	{ "table_clear", work_table },
	{ "revoke", work_revoke },
	{ "unmap", work_unmap },
	{ "protect", work_protect },
	{ "truncate", work_truncate },
};

#define WORKS		(sizeof(works) / sizeof(works[0]))

/* By work, then by round. */
static uint64_t waits[WORKS][ROUNDS][WAKEUPS];

static void
worker_main(void)
{
	struct order *order = (struct order *)ORDER_PAGE;

	/* Its own mapping, so that a clone of its space copies on write. */
	if (sys_map(worker.vspace, BIG_BASE, big, 0, BIG_SIZE, MAP_READ |
	    MAP_WRITE) != OK)
		service_panic("no room to work in");
	touch_all(BIG_BASE, BIG_PAGES);
	for (;;) {
		order->current = order->wanted;
		works[order->current].run();
	}
}

static void
client_main(void)
{
	for (;;)
		work_call();
}

static uint64_t
clock_ns(uint64_t tsc)
{
	const struct clock_page *clock = (const void *)PLACE_CLOCK_PAGE;

	return clock->ns_base + (uint64_t)((unsigned __int128)(tsc -
	    clock->tsc_base) * clock->mult >> 32);
}

/* Sleeps until a time that nobody knows before; returns how late it became. */
static uint64_t
wake_up(void)
{
	static uint64_t random = 1;

	random = random * 6364136223846793005ul + 1442695040888963407ul;
	uint64_t due = clock_ns(ticks()) + GAP_NS + (random >> 33) %
	    (2 * GAP_NS);
	sys3(SYS_TIMER_SET, timer, due, 0);
	sys_wait(objects.answer, WAIT_BITS, 0, DEADLINE_NEVER, NULL, NULL);
	uint64_t now = clock_ns(ticks());
	return now > due ? now - due : 0;
}

static void
measure_work(uint64_t work, unsigned round)
{
	struct order *order = (struct order *)ORDER_PAGE;

	order->wanted = work;
	while (order->current != work)
		wake_up();
	for (unsigned i = 0; i < WAKEUPS; i++)
		waits[work][round][i] = wake_up();
}

static uint64_t
worst_of(const uint64_t *values)
{
	uint64_t worst = 0;

	for (unsigned i = 0; i < WAKEUPS; i++)
		if (values[i] > worst)
			worst = values[i];
	return worst;
}

/*
 * What the work itself costs a wake-up: the worst of its calmest round. Now and
 * then phoenix looks after its house as well, in some of the rounds.
 */
static uint64_t
worst_of_calmest(uint64_t work)
{
	uint64_t calmest = ~0ul;

	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t worst = worst_of(waits[work][round]);

		if (worst < calmest)
			calmest = worst;
	}
	return calmest;
}

static void
report_waits(void)
{
	uint64_t *all = &waits[0][0][0];
	uint64_t count = sizeof(waits) / sizeof(waits[0][0][0]);
	char ledger[256];
	size_t length = 0;

	for (unsigned work = 0; work < WORKS; work++)
		length += format_text(ledger + length, sizeof(ledger) - length,
		    " %s=%lu", works[work].name, worst_of_calmest(work));
	sort(all, count);
	service_log("row realtime_wakeup %lu %lu 0 wakeups=%lu worst=%lu%s",
	    all[count / 2], all[count * 99 / 100], count, all[count - 1],
	    ledger);
}

/* Everything the works use; made before the clones that use it. */
static void
prepare(cap_t vspace)
{
	cap_t page;
	bool fine = sys_object_create(OBJ_TIMER, PLACE_CONTAINER,
	    objects.answer, 1, &timer) == OK &&
	    sys_object_create(OBJ_MEMORY, PLACE_CONTAINER, PAGE_SIZE, 0,
	    &page) == OK && sys_map(vspace, ORDER_PAGE, page, 0, PAGE_SIZE,
	    MAP_READ | MAP_WRITE | MAP_SHARED) == OK &&
	    sys_object_create(OBJ_MEMORY, PLACE_CONTAINER, PAGE_SIZE, 0,
	    &small) == OK && sys_object_create(OBJ_MEMORY, PLACE_CONTAINER,
	    BIG_SIZE, 0, &big) == OK && sys_object_create(OBJ_TABLE,
	    PLACE_CONTAINER, SLOTS, 0, &full_table) == OK;

	for (unsigned i = 0; fine && i < CAPS; i++)
		fine = sys_cap_copy(small, full_table, CAP_ANY_SLOT, RIGHT_ALL,
		    TRUST_MAX, 0, NULL) == OK;
	if (!fine)
		service_panic("no objects to wake up among");
}

void
measure_wakeups(cap_t vspace)
{
	prepare(vspace);
	((struct order *)ORDER_PAGE)->current = ~0ul;
	if (peer_start(&server, peer_serve, NULL) != OK ||
	    peer_start(&client, client_main, NULL) != OK ||
	    peer_start(&worker, worker_main, NULL) != OK)
		service_panic("no peer");
	sys3(SYS_THREAD_SCHEDULE, worker.thread, CLASS_NORMAL |
	    WORKER_WEIGHT << 8, 0);
	for (unsigned round = 0; round < ROUNDS; round++)
		for (uint64_t work = 0; work < WORKS; work++)
			measure_work(work, round);
	report_waits();
	peer_stop(&worker);
	peer_stop(&client);
	peer_stop(&server);
}
