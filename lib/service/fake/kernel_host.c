/* SPDX-License-Identifier: MIT */
#include <lib/service/fake/kernel.h>

#include <idl/errno.h>
#include <idl/fault.h>
#include <idl/trace.h>
#include <kernel_calls.h>
#include <lib/service/fake/events.h>
#include <lib/service/loop.h>

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_SIZE	(1u << 20)
#define EVENTS_MAX	64u
#define STEPS_MAX	1000000u	/* more is a live lock */
#define CRASHES_MAX	200u		/* by chance, then it runs on */

enum { CALLER_IDLE, CALLER_QUEUED, CALLER_WAITING, CALLER_GONE };
enum { REPLY_IS_FREE, REPLY_IS_HELD, REPLY_IS_VOID };
enum { EVENT_IS_IDLE, EVENT_IS_FIRED, EVENT_IS_TAKEN };
enum { JUMP_NONE, JUMP_CRASH, JUMP_COLD, JUMP_DONE };

struct caller {
	int state;
	unsigned number;
	uint64_t badge;		/* of its session */
	struct message request;
};

/* What a cold start leaves of a session. */
struct old_session {
	int event;
	bool gone;		/* the caller has dropped its end */
	uint64_t badge;
};

struct reply {
	int state, event;
	unsigned caller;
	uint64_t order, info;
	struct message message;
};

struct slot {
	uint64_t generation;
	uint64_t type;		/* 0 = empty */
	uint64_t index;		/* in world.reply or world.session */
};

static struct world {
	const struct fake_script *script;
	const struct fake_plan *plan;
	struct fake_result *result;
	uint64_t random;
	unsigned crashes;
	struct caller caller[FAKE_CALLERS];
	struct old_session session[FAKE_SESSIONS];
	struct reply reply[FAKE_SLOTS];
	unsigned reply_count;
	struct slot slot[FAKE_SLOTS];
	uint64_t order, bits;
	bool draining;		/* the incarnation was told */
	uint64_t serving, deadly;	/* orders: executed now, killed last */
	unsigned answered_first;	/* when the first panic came */
	unsigned caps_due;
	cap_t caps[4];
} world;

static jmp_buf out;
static bool dirty;
static struct trace_page trace;
static uint8_t region[ARENA_SIZE] __attribute__((aligned(4096)));
static struct place_info info = {
	.name = "test", .vspace = CAP_FIRST(1), .thread = CAP_FIRST(2)
};

static unsigned
chance(unsigned limit)
{
	world.random = world.random * 6364136223846793005ul +
	    1442695040888963407ul;
	return (unsigned)(world.random >> 33) % limit;
}

void
fake_fail(const char *reason)
{
	if (world.result->failure == NULL)
		world.result->failure = reason;
	longjmp(out, JUMP_DONE);
}

static void
step(void)
{
	const struct fake_plan *plan = world.plan;

	if (++world.result->steps > STEPS_MAX)
		fake_fail("it never ends");
	bool by_chance = plan->crash_odds != 0 &&
	    world.crashes < CRASHES_MAX && chance(plan->crash_odds) == 0;
	if (world.result->steps == plan->crash_at || by_chance) {
		world.crashes++;
		events_add("crash", 0, 0, 0);
		longjmp(out, JUMP_CRASH);
	}
	if (world.result->steps == plan->cold_at)
		longjmp(out, JUMP_COLD);
}

void
fake_die(void)
{
	if (world.serving == world.deadly && info.poison_count == 0)
		info.poison_order[info.poison_count++] = world.deadly;
	world.deadly = world.serving;
	longjmp(out, JUMP_CRASH);
}

/* Slots. */

static struct slot *
find_slot(cap_t cap)
{
	uint64_t index = CAP_INDEX(cap);

	if (index >= FAKE_SLOTS || world.slot[index].type == 0 ||
	    world.slot[index].generation != CAP_GENERATION(cap))
		return NULL;
	return &world.slot[index];
}

static cap_t
fill_slot(uint64_t type, uint64_t index)
{
	for (uint64_t i = PLACE_FREE_SLOT; i < FAKE_SLOTS; i++) {
		struct slot *slot = &world.slot[i];
		if (slot->type != 0)
			continue;
		slot->type = type;
		slot->index = index;
		return CAP_MAKE(i, slot->generation);
	}
	fake_fail("the table is full");
	return CAP_NONE;
}

cap_t
fake_object_create(void)
{
	step();
	cap_t cap = fill_slot(FAKE_OBJECT, 0);
	events_add_slot("create", cap, 0);
	step();
	return cap;
}

static void
close_session(uint64_t caller)
{
	if (!world.session[caller].gone)
		fake_fail("a stale session was closed under its client");
	world.session[caller].event = EVENT_IS_IDLE;
}

status_t
kernel_cap_info(cap_t cap, uint64_t *out_type, uint64_t *out_badge)
{
	step();
	const struct slot *slot = find_slot(cap);
	if (slot == NULL)
		return ERR_HANDLE;
	*out_type = slot->type;
	*out_badge = slot->type == OBJ_EVENTPAIR_B ?
	    world.session[slot->index].badge : 0;
	return OK;
}

bool
kernel_peer_gone(cap_t cap)
{
	step();
	return world.session[find_slot(cap)->index].gone;
}

status_t
kernel_cap_delete(cap_t cap)
{
	step();
	struct slot *slot = find_slot(cap);
	if (slot != NULL && slot->type == OBJ_REPLY &&
	    world.reply[slot->index].state == REPLY_IS_HELD)
		fake_fail("a reply object was deleted while it held a call");
	if (slot != NULL && slot->type == OBJ_EVENTPAIR_B)
		close_session(slot->index);
	events_add_slot("delete", cap, slot != NULL);
	if (slot != NULL) {
		slot->type = 0;
		slot->generation++;
	}
	step();
	return slot != NULL ? OK : ERR_HANDLE;
}

status_t
kernel_table_next(uint64_t index, cap_t *out_cap)
{
	step();
	for (; index < FAKE_SLOTS; index++) {
		if (world.slot[index].type == 0)
			continue;
		*out_cap = CAP_MAKE(index, world.slot[index].generation);
		return OK;
	}
	return ERR_EMPTY;
}

/* Events and signals. */

status_t
kernel_signal(cap_t notification, uint64_t bits)
{
	step();
	if (notification == PLACE_NOTIFICATION)
		world.bits |= bits;
	events_add_bits("signal", bits);
	step();
	return OK;
}

status_t
kernel_resize(cap_t memory, uint64_t size)
{
	(void)memory;
	step();
	world.result->size = size;
	events_add("resize", size, 0, 0);
	step();
	return OK;
}

status_t
kernel_notification_bind(cap_t thread)
{
	step();
	return thread == info.thread ? OK : ERR_HANDLE;
}

status_t
kernel_event_next(uint64_t *out_kind, uint64_t *out_badge)
{
	step();
	for (unsigned i = 0; i < world.reply_count; i++) {
		if (world.reply[i].event != EVENT_IS_FIRED)
			continue;
		world.reply[i].event = EVENT_IS_TAKEN;
		*out_kind = EVENT_CANCEL;
		*out_badge = i;
		events_add("take", i, 0, 0);
		step();
		return OK;
	}
	for (unsigned i = 0; i < FAKE_SESSIONS; i++) {
		if (world.session[i].event != EVENT_IS_FIRED)
			continue;
		world.session[i].event = EVENT_IS_TAKEN;
		*out_kind = EVENT_PEER_GONE;
		*out_badge = world.session[i].badge;
		step();
		return OK;
	}
	return ERR_EMPTY;
}

status_t
kernel_event_rearm(void)
{
	step();
	for (unsigned i = 0; i < world.reply_count; i++) {
		if (world.reply[i].event != EVENT_IS_TAKEN)
			continue;
		world.reply[i].event = EVENT_IS_FIRED;
		world.bits |= LOOP_EVENT_BIT;
	}
	for (unsigned i = 0; i < FAKE_SESSIONS; i++) {
		if (world.session[i].event != EVENT_IS_TAKEN)
			continue;
		world.session[i].event = EVENT_IS_FIRED;
		world.bits |= LOOP_EVENT_BIT;
	}
	events_add("rearm", 0, 0, 0);
	step();
	return OK;
}

/* Callers. */

static bool
nobody_is_queued(void)
{
	for (unsigned i = 0; i < FAKE_CALLERS; i++)
		if (world.caller[i].state == CALLER_QUEUED)
			return false;
	return true;
}

/* Idle callers that have something to say queue it; caller 0 is asked last. */
static void
queue_calls(void)
{
	for (unsigned i = FAKE_CALLERS; i-- > 0;) {
		struct caller *caller = &world.caller[i];
		if (caller->state != CALLER_IDLE)
			continue;
		if (world.script->next(i, caller->number, nobody_is_queued(),
		    &caller->request))
			caller->state = CALLER_QUEUED;
	}
}

/* Someone kills a waiting caller, or kicks it; caller 0 wakes the others. */
static void
cancel_someone(void)
{
	unsigned index = chance(world.reply_count);
	struct reply *reply = &world.reply[index];

	if (reply->state != REPLY_IS_HELD)
		return;
	bool kill = chance(2) == 0 && reply->caller != 0;
	events_add(kill ? "kill" : "kick", index, 0, 0);
	if (kill) {
		reply->state = REPLY_IS_VOID;
		world.caller[reply->caller].state = CALLER_GONE;
		world.result->voided++;
	} else {
		world.result->kicked++;
	}
	reply->info |= IPC_INFO_CANCELLED;
	reply->event = EVENT_IS_FIRED;
	world.bits |= LOOP_EVENT_BIT;
}

static void
maybe_cancel(void)
{
	if (world.plan->cancel_odds != 0 && world.reply_count != 0 &&
	    chance(world.plan->cancel_odds) == 0)
		cancel_someone();
}

/* phoenix. */
static void
maybe_signal(void)
{
	const struct fake_plan *plan = world.plan;

	if (plan->beat_odds != 0 && chance(plan->beat_odds) == 0)
		world.bits |= LOOP_HEARTBEAT_BIT;
	if (plan->drain_odds != 0 && chance(plan->drain_odds) == 0)
		world.bits |= LOOP_DRAIN_BIT;
}

static struct reply *
find_reply(cap_t cap)
{
	const struct slot *slot = find_slot(cap);

	if (slot == NULL || slot->type != OBJ_REPLY)
		fake_fail("not a reply object");
	return &world.reply[slot->index];
}

status_t
kernel_reply_create(uint64_t badge, cap_t *out_cap)
{
	step();
	/* Swept objects leave their number behind for another of that badge. */
	if (badge >= FAKE_SLOTS)
		fake_fail("bad badge");
	world.reply[badge] = (struct reply){ 0 };
	if (badge >= world.reply_count)
		world.reply_count = (unsigned)badge + 1;
	*out_cap = fill_slot(OBJ_REPLY, badge);
	events_add_slot("create", *out_cap, 0);
	step();
	return OK;
}

void
kernel_put_caps(const cap_t *caps, uint64_t count)
{
	world.caps_due = (unsigned)count;
	for (unsigned i = 0; i < count; i++)
		world.caps[i] = caps[i];
}

static void
drop_session(struct old_session *session)
{
	session->gone = true;
	session->event = EVENT_IS_FIRED;
	world.bits |= LOOP_EVENT_BIT;
}

/* A client that has nothing to ask goes away. */
static void
maybe_drop_session(void)
{
	unsigned index = chance(FAKE_SESSIONS);

	if (info.cold != 0 && index >= FAKE_CALLERS &&
	    !world.session[index].gone)
		drop_session(&world.session[index]);
}

/* The caller opens another session and will ask again. */
static void
renew_session(unsigned index)
{
	struct caller *caller = &world.caller[index];

	if (caller->badge >> SERVICE_EPOCH_SHIFT == info.cold)
		fake_fail("a session is called stale that is not");
	caller->badge = info.cold << SERVICE_EPOCH_SHIFT | SERVICE_SESSION |
	    index;
	drop_session(&world.session[index]);
	caller->state = CALLER_IDLE;
	world.result->stale++;
}

static bool
is_error(const struct message *message, uint64_t code)
{
	return message->word[0] == TAG_REPLY_ERROR && message->word[1] == code;
}

/* Only the request that killed twice may be answered as poison. */
static void
check_poison(const struct reply *reply)
{
	if (info.poison_count == 0 || reply->order != info.poison_order[0])
		return;
	world.result->poisoned++;
	info.poison_count = 0;
}

static status_t
answer(struct reply *reply, const struct message *message)
{
	unsigned caps = world.caps_due;
	struct caller *caller = &world.caller[reply->caller];

	world.caps_due = 0;
	if (reply->state == REPLY_IS_FREE)
		return ERR_STATE;
	for (unsigned i = 0; i < caps; i++)
		if (find_slot(world.caps[i]) == NULL)
			return ERR_HANDLE;
	events_add("answer", (uint64_t)(reply - world.reply), reply->order,
	    (message->word[0] == TAG_REPLY_ERROR ? EVENTS_ERROR : EVENTS_OK) |
	    (caps != 0 ? EVENTS_CAP : 0) |
	    (reply->state == REPLY_IS_VOID ? EVENTS_VOID : 0));
	reply->event = EVENT_IS_IDLE;
	if (reply->state == REPLY_IS_VOID) {
		reply->state = REPLY_IS_FREE;
		return OK;
	}
	reply->state = REPLY_IS_FREE;
	if (caller->state != CALLER_WAITING)
		fake_fail("an answer for a caller that does not wait");
	check_poison(reply);
	if (is_error(message, E_STALE)) {
		renew_session(reply->caller);
		return OK;
	}
	if (!world.script->check(reply->caller, caller->number,
	    &caller->request, message, caps))
		fake_fail("a wrong answer");
	caller->number++;
	caller->state = CALLER_IDLE;
	world.result->answered++;
	return OK;
}

static void
deliver(const struct reply *reply, struct sys_received *received)
{
	received->status = OK;
	received->badge = world.caller[reply->caller].badge;
	world.serving = reply->order;
	received->info = reply->info;
	received->order = reply->order;
	received->message = reply->message;
}

/* Nothing will happen any more: either all is well or somebody was lost. */
static void
finish(void)
{
	for (unsigned i = 0; i < FAKE_CALLERS; i++)
		if (world.caller[i].state == CALLER_WAITING)
			fake_fail("a call was never answered");
	for (unsigned i = 0; i < world.reply_count; i++)
		if (world.reply[i].state != REPLY_IS_FREE)
			fake_fail("a reply object was never freed");
	for (unsigned i = PLACE_FREE_SLOT; i < FAKE_SLOTS; i++)
		world.result->slots_left += world.slot[i].type != 0;
	events_add("end", world.result->slots_left, 0, 0);
	longjmp(out, JUMP_DONE);
}

static bool
take_notification(struct sys_received *received)
{
	if (world.bits == 0)
		return false;
	received->status = OK;
	received->badge = world.bits;
	received->info = IPC_INFO_NOTIFIED;
	events_add_bits("notified", world.bits);
	if ((world.bits & LOOP_DRAIN_BIT) != 0)
		world.draining = true;
	if ((world.bits & LOOP_UNDRAIN_BIT) != 0)
		world.draining = false;
	world.bits = 0;
	return true;
}

/* A server that waits has served all events, or is about to be told. */
static void
check_events(void)
{
	for (unsigned i = 0; i < world.reply_count; i++) {
		if (world.reply[i].event == EVENT_IS_TAKEN)
			fake_fail("an event was taken and forgotten");
		if (world.reply[i].event == EVENT_IS_FIRED &&
		    (world.bits & LOOP_EVENT_BIT) == 0)
			fake_fail("an event will not be noticed");
	}
	for (unsigned i = 0; i < FAKE_SESSIONS; i++)
		if (world.session[i].event == EVENT_IS_TAKEN &&
		    (world.bits & LOOP_EVENT_BIT) == 0)
			fake_fail("a stale session will not be noticed");
}

static void
receive(struct reply *next, struct sys_received *received)
{
	unsigned start = chance(FAKE_CALLERS);

	if (next->state != REPLY_IS_FREE)
		fake_fail("waits with a reply object that is in use");
	if (world.draining)
		fake_fail("takes calls while it shall not");
	check_events();
	queue_calls();
	maybe_cancel();
	maybe_signal();
	maybe_drop_session();
	if (take_notification(received))
		return;
	for (unsigned i = 0; i < FAKE_CALLERS; i++) {
		unsigned index = (start + i) % FAKE_CALLERS;
		struct caller *caller = &world.caller[index];
		if (caller->state != CALLER_QUEUED)
			continue;
		caller->state = CALLER_WAITING;
		*next = (struct reply){ REPLY_IS_HELD, EVENT_IS_IDLE, index,
		    ++world.order, TRUST_LIBOS << 8, caller->request };
		events_add("receive", (uint64_t)(next - world.reply), index,
		    caller->request.word[0]);
		deliver(next, received);
		return;
	}
	finish();
}

void
kernel_reply_wait(cap_t reply, cap_t endpoint, cap_t next,
    const struct message *message, struct sys_received *out_received)
{
	*out_received = (struct sys_received){ 0 };
	step();
	if (reply != CAP_NONE) {
		out_received->status = answer(find_reply(reply), message);
		if (out_received->status != OK)
			return;
	}
	step();
	if (endpoint == CAP_NONE)
		return;
	receive(find_reply(next), out_received);
	step();
}

void
kernel_reply_read(cap_t reply, struct sys_received *out_received)
{
	const struct reply *r = find_reply(reply);

	*out_received = (struct sys_received){ .status = ERR_EMPTY };
	step();
	if (r->state != REPLY_IS_FREE)
		deliver(r, out_received);
}

status_t
kernel_notification_wait(uint64_t *out_bits)
{
	struct sys_received received = { 0 };

	step();
	maybe_cancel();
	if (world.draining && world.bits == 0) {
		world.result->drained++;
		for (unsigned i = 0; i < FAKE_CALLERS; i++)
			if (world.caller[i].state == CALLER_WAITING &&
			    !world.script->parked(i))
				fake_fail("an answer is held back");
		world.bits = LOOP_UNDRAIN_BIT;
	}
	if (!take_notification(&received))
		fake_fail("waits for a notification that never comes");
	*out_bits = received.badge;
	step();
	return OK;
}

/* The process. */

const struct place_info *
service_info(void)
{
	return &info;
}

void
service_crash_point(const char *name)
{
	(void)name;
	step();
}

void
fault_point(unsigned point)
{
	if (point == FAULT_AT_COMMITTED)
		events_add("commit", 0, 0, 0);
	step();
}

void
service_ready(void)
{
	events_add("ready", 0, 0, 0);
	step();
}

struct trace_page *
runtime_trace(void)
{
	return &trace;
}

void
runtime_start(void)
{
}

void
runtime_keep_writable(void *start, size_t length)
{
	(void)start;
	(void)length;
}

bool
runtime_take_dirty(void)
{
	bool was = dirty;

	dirty = false;
	return was;
}

static void
expose(void *context, void *start, size_t length)
{
	(void)context;
	(void)start;
	(void)length;
	dirty = true;
	/* Dies between any two changes of the arena as well. */
	step();
}

static void
arena_failed(const char *reason)
{
	fake_fail(reason);
}

void
service_log(const char *format, ...)
{
	(void)format;
}

_Noreturn void
service_panic(const char *format, ...)
{
	if (!world.plan->may_panic)
		fake_fail(format);
	if (world.result->panics++ == 0)
		world.answered_first = world.result->answered;
	world.result->answered_between = world.result->answered -
	    world.answered_first;
	longjmp(out, world.result->panics == world.plan->cold_after ?
	    JUMP_COLD : JUMP_CRASH);
}

struct arena *
runtime_open_arena(uint64_t layout_version, bool may_upgrade)
{
	static const struct arena_environment environment = {
		.expose = expose, .fail = arena_failed, .sums = true
	};
	struct arena *arena;

	if (arena_open(region, sizeof(region), layout_version, &environment,
	    &arena) != OK)
		fake_fail("the arena cannot be opened");
	if (!may_upgrade && arena_layout_version(arena) != layout_version)
		fake_fail("the arena has another layout");
	return arena;
}

/* All sessions are of before; the arena is as phoenix leaves it. */
static void
start_cold(void)
{
	memset(region, 0, sizeof(region));
	info.cold++;
	for (unsigned i = 0; i < FAKE_SESSIONS; i++) {
		world.session[i] = (struct old_session){
		    .badge = SERVICE_SESSION | i,
		    .gone = i < FAKE_CALLERS &&
		    world.caller[i].state == CALLER_GONE };
		fill_slot(OBJ_EVENTPAIR_B, i);
	}
	world.result->size = 0;
	world.script->cold();
}

void
fake_run(const struct service *service, const struct fake_script *script,
    const struct fake_plan *plan, struct fake_result *out_result)
{
	memset(region, 0, sizeof(region));
	memset(&trace, 0, sizeof(trace));
	info.cold = info.poison_count = 0;
	world = (struct world){ .script = script, .plan = plan,
	    .result = out_result, .random = plan->seed };
	for (unsigned i = 0; i < FAKE_SLOTS; i++)
		world.slot[i].generation = 1;
	for (unsigned i = 0; i < FAKE_CALLERS; i++)
		world.caller[i].badge = SERVICE_SESSION | i;
	*out_result = (struct fake_result){ 0 };
	if (plan->recorded)
		events_begin();
	switch (setjmp(out)) {
	case JUMP_DONE:
		events_end();
		out_result->beats = (unsigned)trace.beat;
		return;
	case JUMP_CRASH:
		maybe_cancel();
		break;
	case JUMP_COLD:
		start_cold();
		break;
	}
	world.caps_due = 0;
	world.draining = false;
	info.incarnation = ++out_result->incarnations;
	events_add("start", 0, 0, 0);
	service_run(plan->next != NULL && out_result->incarnations > 1 ?
	    plan->next : service);
}
