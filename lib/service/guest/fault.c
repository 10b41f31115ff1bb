/* SPDX-License-Identifier: MIT */
/*
 * Faults that the service carries out itself.
 *
 * Armed ones lie in the info page (idl/fault.h). Each is counted in the trace
 * page before it happens; the sequence there outlives the incarnation, so the
 * next one does not repeat it.
 *
 * The boot option crash=SERVICE:POINT:COUNT is older and works without an
 * injector: the first incarnation stops with an invalid instruction when it
 * passes POINT for the COUNT-th time. With crash=SERVICE:POINT:COUNT:N the
 * first N do. Services may have points of their own for it.
 *
 * On the path is only the comparison in fault_point(). As long as there is
 * something to be looked at, runtime_fault_seen differs from the sequence.
 */
#include <lib/service/guest/protect.h>

#include <lib/service/loop.h>

#include <idl/trace.h>
#include <lib/base/string.h>

#define LEAK_VIEW	(PLACE_HEAP_BASE + 0x100000000000ul)
#define LEAK_SIZE	(1ul << 36)
#define OUTSIDE		0x700000000000ul	/* nothing is ever mapped there */
#define OUTSIDE_MASK	0xffffffff8ul

uint32_t runtime_fault_seen;

static struct {
	char	 crash_text[48];
	const char *crash_point;	/* in crash_text; NULL = not armed */
	uint64_t crash_countdown;
	uint32_t sequence;	/* of the fault that is counted down */
	uint32_t countdown;
	uint64_t slow_ns;	/* for each request */
} state;

static const volatile struct fault *
armed(void)
{
	return &((const volatile struct place_info *)PLACE_INFO)->fault;
}

/* Cuts the text at the next colon and returns what lies before it. */
static char *
next_field(char **text)
{
	char *field = *text;

	while (**text != '\0' && **text != ':')
		(*text)++;
	if (**text == ':')
		*(*text)++ = '\0';
	return field;
}

static uint64_t
number(const char *text, uint64_t missing)
{
	uint64_t value = 0;

	if (*text == '\0')
		return missing;
	for (; *text >= '0' && *text <= '9'; text++)
		value = value * 10 + (uint64_t)(*text - '0');
	return value;
}

/* Nothing more to be done until another fault is armed. */
static void
look_away(uint32_t sequence)
{
	bool look = state.crash_point != NULL || state.slow_ns != 0;

	runtime_fault_seen = look ? ~sequence : sequence;
}

void
runtime_arm(const char option[48])
{
	char *text = state.crash_text;

	memcpy(text, option, sizeof(state.crash_text));
	if (strcmp(next_field(&text), service_info()->name) != 0)
		return;
	const char *point = next_field(&text);
	state.crash_countdown = number(next_field(&text), 1);
	if (service_info()->incarnation <= number(text, 1))
		state.crash_point = point;
	look_away(runtime_fault_seen);
}

void
runtime_start(void)
{
	char option[48];

	runtime_fault_seen = (uint32_t)runtime_trace()->fault_sequence;
	if (service_option("crash", option) == OK)
		runtime_arm(option);
}

void
service_crash_point(const char *name)
{
	if (__builtin_expect(state.crash_point == NULL, 1))
		return;
	if (strcmp(state.crash_point, name) == 0 &&
	    --state.crash_countdown == 0)
		__builtin_trap();
}

static void
wait_for_ever(void)
{
	cap_t never;

	/* Nobody else has it, so nothing wakes it, not even a heartbeat. */
	if (sys_object_create(OBJ_NOTIFICATION, PLACE_CONTAINER, 0, 0,
	    &never) != OK)
		service_panic("no notification to wait for");
	for (;;)
		sys_wait(never, WAIT_BITS, 0, DEADLINE_NEVER, NULL, NULL);
}

/* Without many jumps: an emulator goes through these quickly. */
static void
compute_for_ever(void)
{
	for (;;)
		__asm__ volatile(".fill 400, 1, 0x90" ::: "memory");
}

/* At most that many pages; the kernel ends it when there are no more. */
static void
leak(uint64_t pages)
{
	cap_t memory;

	if (sys_object_create(OBJ_MEMORY, PLACE_CONTAINER, LEAK_SIZE, 0,
	    &memory) != OK || sys_map(service_info()->vspace, LEAK_VIEW,
	    memory, 0, LEAK_SIZE, MAP_READ | MAP_WRITE) != OK)
		return;		/* the container is full: that is it */
	for (uint64_t i = 0; i < pages && i < LEAK_SIZE / PAGE_SIZE; i++)
		*(volatile uint8_t *)(LEAK_VIEW + i * PAGE_SIZE) = 1;
}

static void
write_stray(uint64_t address, uint64_t value)
{
	*(volatile uint64_t *)(uintptr_t)address = value;
}

static void
scramble(struct message *answer, uint64_t random)
{
	for (unsigned i = 0; i < 8; i++) {
		random = random * 6364136223846793005ul +
		    1442695040888963407ul;
		answer->word[i] = random ^ random >> 29;
	}
}

static void
spin(uint64_t ns)
{
	uint64_t end = service_now_ns() + ns;

	while (service_now_ns() < end)
		continue;
}

/* As a loop whose table of reply objects is damaged: the kernel refuses. */
static void
use_bad_handle(uint64_t random)
{
	static const struct message nothing;
	cap_t handle = CAP_MAKE(random & CAP_INDEX_MASK, 0xfffffffffful);
	struct sys_received in;

	sys_reply_wait(CAP_NONE, PLACE_ENDPOINT, handle, &nothing, &in);
	service_panic("receive with the handle %lx: status %lu", handle,
	    in.status);
}

static void
carry_out(uint32_t kind, uint64_t argument)
{
	switch (kind) {
	case FAULT_EXCEPTION:
		__builtin_trap();
	case FAULT_HANG:
		wait_for_ever();
		break;
	case FAULT_LOOP:
		compute_for_ever();
		break;
	case FAULT_PANIC:
		service_panic("a fault was armed: panic");
	case FAULT_LEAK:
		leak(argument);
		break;
	case FAULT_STRAY_OUTSIDE:
		write_stray(OUTSIDE + (argument & OUTSIDE_MASK), argument);
		break;
	case FAULT_STRAY_ARENA:
	case FAULT_STRAY_OPEN:
		write_stray(protect_find(argument, kind == FAULT_STRAY_OPEN),
		    argument);
		break;
	case FAULT_BAD_CAP:
		use_bad_handle(argument);
		break;
	case FAULT_BAD_REPLY:
		scramble(loop_answer(), argument);
		break;
	case FAULT_SLOW:
		state.slow_ns = argument;
		break;
	}
}

/*
 * Where a fault would be what it is called: inside a transaction the arena is
 * open for writing, and the words of an answer exist once it is handled.
 */
static bool
fits(uint32_t kind, uint64_t argument, unsigned point)
{
	if (kind == FAULT_STRAY_ARENA || kind == FAULT_STRAY_OPEN)
		return !tx_is_open(service_arena()) &&
		    protect_find(argument, kind == FAULT_STRAY_OPEN) != 0;
	return kind != FAULT_BAD_REPLY || point == FAULT_AT_HANDLED;
}

/* Counts down the fault that is armed; returns its kind when it is due. */
static uint32_t
due(unsigned point, uint32_t sequence)
{
	const volatile struct fault *fault = armed();
	uint32_t kind = fault->kind;

	if (state.sequence != sequence) {
		state.sequence = sequence;
		state.countdown = fault->countdown;
		state.slow_ns = 0;
	}
	if (fault->point != point || !fits(kind, fault->argument, point))
		return FAULT_NONE;
	if (state.countdown > 1) {
		state.countdown--;
		return FAULT_NONE;
	}
	return kind;
}

static const char *
point_name(unsigned point)
{
	static const char *const names[FAULT_POINTS] = {
		"", "received", "handled", "committed", "effect", "answer",
		"resume", "beat",
	};

	return names[point];
}

void
runtime_fault(unsigned point)
{
	uint32_t sequence = armed()->sequence;
	struct trace_page *trace = runtime_trace();

	service_crash_point(point_name(point));
	if (state.slow_ns != 0 && sequence == trace->fault_sequence &&
	    point == FAULT_AT_RECEIVED)
		spin(state.slow_ns);
	if (sequence == 0 || sequence == trace->fault_sequence) {
		look_away(sequence);
		return;
	}
	uint32_t kind = due(point, sequence);
	if (kind == FAULT_NONE || kind >= FAULT_KINDS)
		return;
	uint64_t argument = armed()->argument;
	trace->fault_hits++;
	trace->fault_tsc = __builtin_ia32_rdtsc();
	trace->fault_sequence = sequence;
	carry_out(kind, argument);
	look_away(sequence);
}
