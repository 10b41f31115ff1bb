/* SPDX-License-Identifier: MIT */
/*
 * init: makes the place of phoenix and keeps it occupied.
 *
 * It reads phoenix's image from the boot archive, makes table, endpoint, arena
 * and so on, hands all its powers over (idl/powers.h), starts the
 * first incarnation, and from then on waits for phoenix's death to start the
 * next one in the same place. phoenix finds its state in its arena. Once a
 * second init asks it for a sign of life.
 *
 * Whatever goes wrong here ends init, and with it the kernel in a panic: there
 * is nobody left to recover. So does a phoenix that dies too often.
 */
#include <abi/boot.h>
#include <lib/base/format.h>
#include <lib/base/string.h>
#include <lib/cpio/cpio.h>
#include <lib/place/place.h>
#include <lib/service/loop.h>
#include <idl/trace.h>
#include <idl/powers.h>

#define ARCHIVE_VIEW	0x1000000000ul
#define SCRATCH_VIEW	0x800000000ul
#define INFO_VIEW	0x900000000ul
#define IMAGE_PATH	"bennu/image/phoenix.elf"

#define TRACE_VIEW	0xa00000000ul
#define DEATHS_MAX	10u	/* in a row, no request answered meanwhile */
/* phoenix answers in microseconds, or not at all. */
#define REQUEST_BUDGET_NS	1000000000ul
#define RESTART_FRAMES	256u
#define BEAT_NS		1000000000ul
#define BEATS_MAX	2u	/* owed by one that waits: it hangs */

void init_main(const struct boot_info *boot);

uintptr_t __stack_chk_guard = 0x6b1f9c0a52d7e300;
_Noreturn void __stack_chk_fail(void);

_Noreturn void
__stack_chk_fail(void)
{
	sys_exit(DEATH_PANIC, 0);
}

static struct utcb *const utcb = (struct utcb *)INIT_UTCB;
static struct place_builder builder = {
	INIT_VSPACE, SCRATCH_VIEW, (struct utcb *)INIT_UTCB
};
static struct place_image image;
static struct place_parts parts;
static struct place_incarnation incarnation;
static cap_t death_notification, phoenix_notification;
static uint64_t poison[PLACE_POISON_MAX], poison_count;	/* orders of calls */
static bool killed_for_hang;	/* since the last death */

static void
log_line(const char *format, ...)
{
	va_list arguments;
	char *line = (char *)utcb->data;
	size_t length, limit = 200;

	va_start(arguments, format);
	length = format_print(line, limit, format, arguments);
	va_end(arguments);
	if (length > limit - 1)
		length = limit - 1;
	line[length++] = '\n';
	sys_invoke(SYS_LOG_WRITE, length, 0, 0, 0, 0, 0);
}

/* The kernel panics when init ends. */
static void
check(status_t status, const char *what)
{
	if (status == OK)
		return;
	log_line("init: %s: status %lu", what, status);
	sys_exit(DEATH_PANIC, status);
}

static void
create(unsigned type, uint64_t a1, uint64_t a2, cap_t *out_cap,
    const char *what)
{
	check(sys_object_create(type, parts.container, a1, a2, out_cap), what);
}

static void
load_image(const struct boot_info *boot)
{
	uint64_t size = (boot->archive_size + PAGE_MASK) & ~PAGE_MASK;
	struct cpio_entry entry;

	if (size == 0)
		check(ERR_NOENT, "no boot archive: pass one as initrd");
	check(sys_map(INIT_VSPACE, ARCHIVE_VIEW, INIT_ARCHIVE, 0, size,
	    MAP_READ), "mapping the boot archive");
	check(cpio_find((const void *)ARCHIVE_VIEW, boot->archive_size,
	    IMAGE_PATH, &entry), "finding " IMAGE_PATH);
	check(place_image_load(&builder, parts.container, entry.data,
	    entry.size, &image), "loading " IMAGE_PATH);
	check(sys_unmap(INIT_VSPACE, ARCHIVE_VIEW, size),
	    "unmapping the boot archive");
}

static void
create_parts(void)
{
	check(sys_object_create(OBJ_CONTAINER, INIT_CONTAINER, PHOENIX_FRAMES,
	    0, &parts.container), "container of phoenix");
	create(OBJ_TABLE, PHOENIX_TABLE_SLOTS, 0, &parts.table,
	    "table of phoenix");
	create(OBJ_DEATH, 0, 0, &parts.death, "death record of phoenix");
	create(OBJ_MEMORY, PHOENIX_ARENA_SIZE, 0, &parts.arena,
	    "arena of phoenix");
	create(OBJ_NOTIFICATION, 0, 0, &death_notification, "notification");
	check(sys_invoke(SYS_EVENT_BIND, parts.death, death_notification, 1, 0,
	    0, 0).status, "binding the death record");
	check(sys_invoke(SYS_SYSTEM_INFO, INIT_SYSTEM, 0, 0, 0, 0, 0).status,
	    "reading the CPU's features");
	parts.cpu_features = ((struct system_info *)utcb->data)->cpu_features;
	parts.clock = INIT_CLOCK_PAGE;
	parts.request_budget_ns = REQUEST_BUDGET_NS;
	parts.stack_size = PHOENIX_STACK_SIZE;
	parts.arena_size = PHOENIX_ARENA_SIZE;
	parts.schedule = CLASS_RECOVERY | WEIGHT_DEFAULT << 8;
	check(place_parts_create(&parts), "memory of phoenix");
	check(sys_map(INIT_VSPACE, INFO_VIEW, parts.info, 0, PAGE_SIZE,
	    MAP_READ | MAP_WRITE), "mapping the info page of phoenix");
	check(sys_map(INIT_VSPACE, TRACE_VIEW, parts.trace, 0, TRACE_SIZE,
	    MAP_READ), "mapping the trace of phoenix");
}

/* The well-known slots of a place, and the powers behind them. */
static void
fill_table(void)
{
	cap_t endpoint;

	create(OBJ_ENDPOINT, 0, 0, &endpoint, "endpoint of phoenix");
	create(OBJ_NOTIFICATION, 0, 0, &phoenix_notification,
	    "notification of phoenix");
	const struct {
		cap_t source, there;
		unsigned rights;
	} copies[] = {
		{ parts.table, PLACE_TABLE, RIGHT_ALL },
		{ parts.container, PLACE_CONTAINER, RIGHT_ALL },
		{ endpoint, PLACE_ENDPOINT, RIGHT_ALL },
		{ phoenix_notification, PLACE_NOTIFICATION, RIGHT_ALL },
		{ parts.container, PLACE_PHOENIX, 0 },
		{ parts.arena, PLACE_ARENA, RIGHT_ALL },
		{ INIT_CLOCK_PAGE, PLACE_CLOCK, RIGHT_READ | RIGHT_COPY },
		{ parts.container, CAP_FIRST(7), 0 },
		{ INIT_SYSTEM, POWER_SYSTEM, RIGHT_ALL },
		{ INIT_CONTAINER, POWER_CONTAINER, RIGHT_ALL },
		{ INIT_ARCHIVE, POWER_ARCHIVE, RIGHT_ALL },
		{ INIT_IOPORTS, POWER_IOPORTS, RIGHT_ALL },
		{ parts.info, POWER_INFO, RIGHT_READ | RIGHT_WRITE |
		    RIGHT_COPY },
		{ parts.death, POWER_DEATH, RIGHT_READ | RIGHT_COPY },
	};
	for (unsigned i = 0; i < sizeof(copies) / sizeof(copies[0]); i++)
		check(sys_cap_copy(copies[i].source, parts.table,
		    CAP_INDEX(copies[i].there), copies[i].rights, TRUST_MAX, 0,
		    NULL), "handing powers to phoenix");
}

/*
 * The same request and the same cause twice in a row, as phoenix has it for
 * others: the next incarnation refuses it. Else it would kill them all, for it
 * lies in phoenix's reply object, and the machine with them.
 */
static void
look_for_poison(const struct death_info *info)
{
	static uint64_t last_order, last_cause;
	uint64_t order = info->request_order;
	bool told = info->cause == DEATH_KILLED && !killed_for_hang;

	killed_for_hang = false;
	/* Who was told to die says nothing about the request. */
	if (told || (info->cause == DEATH_EXIT && info->code == 0))
		return;
	if (order != 0 && order == last_order && info->cause == last_cause)
		poison[poison_count++ % PLACE_POISON_MAX] = order;
	last_order = order;
	last_cause = info->cause;
}

static void
start_phoenix(uint64_t number)
{
	struct place_info *info = (struct place_info *)INFO_VIEW;
	struct fault fault = info->fault;

	memset(info, 0, sizeof(*info));
	info->fault = fault;	/* outlives the incarnation, see idl/fault.h */
	memcpy(info->name, "phoenix", 8);
	info->incarnation = number;
	info->place = PHOENIX_PLACE;
	info->poison_count = poison_count < PLACE_POISON_MAX ? poison_count :
	    PLACE_POISON_MAX;
	memcpy(info->poison_order, poison, sizeof(poison));
	info->arena_size = parts.arena_size;
	info->cpu_features = parts.cpu_features;
	if (sys_invoke(SYS_RANDOM, INIT_SYSTEM, 0, 0, 0, 0, 0).status == OK)
		memcpy(info->seed, utcb->data, sizeof(info->seed));
	check(place_incarnation_create(&builder, &image, &parts, info,
	    &incarnation), "building phoenix");
	check(sys_invoke(SYS_THREAD_START, incarnation.thread, 0, 0, 0, 0,
	    0).status, "starting phoenix");
}

static uint64_t
now_ns(void)
{
	return sys_invoke(SYS_CLOCK_READ, 0, 0, 0, 0, 0, 0).value[0];
}

static bool
is_blocked(void)
{
	struct sys_result r = sys_invoke(SYS_THREAD_INFO, incarnation.thread,
	    0, 0, 0, 0, 0);

	return r.status == OK && (r.value[1] & 0xff) == STATE_BLOCKED;
}

static void
set_limit(uint64_t frames)
{
	sys_invoke(SYS_CONTAINER_LIMIT, parts.container, frames, ~0ul,
	    INIT_CONTAINER, 0, 0);
}

/*
 * A phoenix that died because its container was full needs some more until the
 * sweep of the next one has given back what it took. More than it has now: what
 * it was given for that may be what it filled.
 */
static void
give_room(void)
{
	const struct container_info *info =
	    (const struct container_info *)utcb->data;
	uint64_t frames = PHOENIX_FRAMES;

	check(sys_invoke(SYS_CONTAINER_INFO, parts.container, 0, 0, 0, 0,
	    0).status, "reading the container of phoenix");
	if (info->frames_used > frames)
		frames = info->frames_used;
	set_limit(frames + RESTART_FRAMES);
}

/*
 * Signals phoenix, which counts what it sees. Who waits and is not woken by
 * that waits for something else, and phoenix has nobody to wait for. One that
 * computes is left to the budget of its request.
 */
static void
ask_for_beat(void)
{
	static uint64_t seen, owed;
	const struct trace_page *trace = (const struct trace_page *)TRACE_VIEW;

	if (trace->beat != seen)
		set_limit(PHOENIX_FRAMES);
	if (trace->beat != seen || !is_blocked())
		owed = 0;
	seen = trace->beat;
	if (owed++ < BEATS_MAX) {
		check(sys_signal(phoenix_notification, LOOP_HEARTBEAT_BIT),
		    "asking phoenix for a beat");
		return;
	}
	owed = 0;
	killed_for_hang = true;
	log_line("init: phoenix hangs: %u beats without an answer", BEATS_MAX);
	sys_invoke(SYS_THREAD_KILL, incarnation.thread, 0, 0, 0, 0, 0);
}

static void
wait_for_death(struct death_info *out_info)
{
	uint64_t deaths = out_info->count;
	status_t status;

	do {
		status = sys_wait(death_notification, WAIT_BITS, 0,
		    now_ns() + BEAT_NS, NULL, NULL);
		if (status == ERR_TIMEOUT)
			ask_for_beat();
		else
			check(status, "waiting");
		check(sys_invoke(SYS_DEATH_READ, parts.death, 0, 0, 0, 0,
		    0).status, "reading the death record");
		*out_info = *(const struct death_info *)utcb->data;
	} while (out_info->count == deaths);
}

void
init_main(const struct boot_info *boot)
{
	const struct trace_page *trace = (const struct trace_page *)TRACE_VIEW;
	struct death_info info = { 0 };
	uint64_t answered = 0, in_a_row = 0;

	create_parts();
	fill_table();
	load_image(boot);
	for (uint64_t number = 1;; number++) {
		start_phoenix(number);
		wait_for_death(&info);
		log_line("init: phoenix %lu died: cause %lu code %lu rip %lx "
		    "address %lx", number, info.cause, info.code,
		    info.frame.rip, info.frame.address);
		/* Whatever killed it, a phoenix that worked may die again. */
		look_for_poison(&info);
		if (trace->answered != answered)
			in_a_row = 0;
		answered = trace->answered;
		if (++in_a_row > DEATHS_MAX)
			check(ERR_GONE, "phoenix dies too often");
		if (info.cause == DEATH_LIMIT)
			give_room();
		place_incarnation_delete(&parts, &incarnation);
	}
}
