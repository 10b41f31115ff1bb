/* SPDX-License-Identifier: MIT */
/*
 * What reaches a service beside calls: signals, kernel events, and capabilities
 * of dead incarnations that the arena does not name.
 *
 * A cold start leaves a table full of them. Most are deleted; calls that were
 * held are answered, and the service's ends of old sessions stay until their
 * clients are gone. The event that says so names no handle, so it starts
 * another sweep: one walk over the table, in steps, for all such events that
 * come during the walk before it.
 */
#include <lib/service/loop_state.h>
#include <lib/service/trace.h>
#include <kernel_calls.h>

#include <idl/errno.h>

#define LOOP_BITS	(LOOP_EVENT_BIT | LOOP_HEARTBEAT_BIT | \
			LOOP_DRAIN_BIT | LOOP_UNDRAIN_BIT)

static void
cancel_parked(struct parked_call id)
{
	loop_transaction_begin();
	loop.service->cancel(loop.root, id);
	loop_transaction_end();
}

/* A parked call that was cancelled since, not one before it. */
static void
event_cancel(uint64_t reply)
{
	const struct book_state *state = loop.book.state;
	struct parked_call id = { (uint32_t)reply, 0 };
	struct sys_received held;

	if (reply < state->reply_count)
		id.order = state->replies[reply].parked;
	if (id.order == 0)
		return;
	/* After a cold start it may be the event of an object that is gone. */
	kernel_reply_read(reply_cap(id.reply), &held);
	if (held.status == OK && (held.info & IPC_INFO_CANCELLED) != 0)
		cancel_parked(id);
}

cap_t
sweep_start(void)
{
	return PLACE_FREE_SLOT + loop.service->fixed_slots;
}

/* The end of a session of before a cold start is left for the sweep. */
static void
event_stale(void)
{
	if (loop.sweep_next != 0)
		loop.sweep_again = true;
	else
		loop.sweep_next = sweep_start();
}

void
drain_events(void)
{
	uint64_t kind, badge;

	while (kernel_event_next(&kind, &badge) == OK) {
		service_crash_point("event");
		if (kind != EVENT_CANCEL && !take_badge(&badge)) {
			event_stale();
			continue;
		}
		trace_write(loop.trace, TRACE_EVENT, kind, badge);
		if (kind == EVENT_CANCEL) {
			event_cancel(badge);
		} else if (loop.service->event != NULL) {
			loop_transaction_begin();
			loop.service->event(loop.root, kind, badge);
			loop_transaction_end();
		}
	}
}

/*
 * What the arena does not name and still must not vanish without a word after
 * a cold start: a call that a dead incarnation held is answered, the end of an
 * old session stays as long as its client has the other, because calls through
 * that would fail as if the place were given up. True: stays.
 */
static bool
sweep_spares(cap_t cap)
{
	struct message stale = { { TAG_REPLY_ERROR,
	    loop.service->status_numbers ? ERR_STALE : E_STALE } };
	struct sys_received held;
	uint64_t type, badge;

	if (service_info()->cold == 0 ||
	    kernel_cap_info(cap, &type, &badge) != OK)
		return false;
	if (type == OBJ_EVENTPAIR_B)
		return !take_badge(&badge) && !kernel_peer_gone(cap);
	if (type != OBJ_REPLY)
		return false;
	kernel_reply_read(cap, &held);
	if (held.status == OK) {
		loop.trace->stale++;
		count_answer();
		kernel_reply_wait(cap, CAP_NONE, CAP_NONE, &stale, &held);
	}
	return false;
}

/*
 * Deletes capabilities that the arena does not name: what dead incarnations
 * made and did not commit. Between transactions only.
 */
void
sweep(unsigned steps)
{
	const struct place_info *info = service_info();
	cap_t cap;

	while (loop.sweep_next != 0 && steps-- != 0) {
		if (kernel_table_next(loop.sweep_next, &cap) != OK) {
			loop.sweep_next = loop.sweep_again ? sweep_start() : 0;
			loop.sweep_again = false;
			break;
		}
		loop.sweep_next = CAP_INDEX(cap) + 1;
		bool named = loop.book.state != NULL &&
		    book_is_named(&loop.book, cap);
		if (!named && cap != info->vspace && cap != info->thread &&
		    !sweep_spares(cap))
			kernel_cap_delete(cap);
	}
	/* More to do: comes back here even if no call arrives. */
	if (loop.sweep_next != 0)
		kernel_signal(PLACE_NOTIFICATION, LOOP_EVENT_BIT);
}

/* True: all of it has been looked at. */
static bool
check_step(void)
{
	uint64_t at = loop.checked;
	bool done;

	if (arena_check_step(loop.book.arena, &loop.checked, &done) == OK)
		return done;
	loop.trace->damaged = 1;
	service_panic("arena: damaged, found by step %lu", at);
}

/*
 * A few pages with each beat, so it costs requests nothing. What is damaged is
 * no state to go on with: phoenix decides what is.
 */
static void
check_arena(void)
{
	for (unsigned i = 0; i < CHECK_STEPS && !check_step(); i++)
		;
}

/*
 * The next incarnation would find the same by and by, and answer in between:
 * so its deaths would use up no budget, and it would serve from what is known
 * to be wrong for ever. It looks at everything before it serves anybody.
 */
void
check_again(void)
{
	if (loop.trace->damaged == 0)
		return;
	while (!check_step())
		;
	loop.trace->damaged = 0;
}

/* Bits that phoenix sets and the service never sees. */
static void
take_loop_bits(uint64_t bits)
{
	struct trace_page *trace = loop.trace;

	if ((bits & LOOP_HEARTBEAT_BIT) != 0) {
		fault_point(FAULT_AT_BEAT);
		trace->beat_tsc = __builtin_ia32_rdtsc();
		trace->beat++;
		check_arena();
	}
	if ((bits & LOOP_DRAIN_BIT) != 0)
		loop.draining = true;
	if ((bits & LOOP_UNDRAIN_BIT) != 0)
		loop.draining = false;
	trace->drained = loop.draining;
	if ((bits & LOOP_EVENT_BIT) != 0)
		drain_events();
}

void
notified(uint64_t bits)
{
	if ((bits & LOOP_BITS) != 0)
		take_loop_bits(bits);
	bits &= ~LOOP_BITS;
	if (bits == 0 || loop.service->notified == NULL)
		return;
	loop.trace->notified++;
	trace_write(loop.trace, TRACE_NOTIFIED, bits, 0);
	loop_transaction_begin();
	loop.service->notified(loop.root, bits);
	loop_transaction_end();
}
