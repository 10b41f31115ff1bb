/* SPDX-License-Identifier: MIT */
/*
 * The service loop.
 *
 * A call goes through these steps; a crash between any two of them is made
 * good by the next incarnation as noted:
 *
 *	received	lies in a reply object		delivered again
 *	handled		transaction open		undone, delivered again
 *	committed	effects and answer listed	done again, once
 *	effects		all but the answer done		done again
 *	answered	reply object free		nothing to do
 *
 * The answer is sent together with the wait for the next call, in one system
 * call, and through the same reply object. It goes alone before that when it
 * carries capabilities whose copies are deleted here, or is that to the call which the
 * dead incarnation left.
 *
 * A call whose transaction changed nothing is answered without listing the
 * answer: to execute it again is the same as not to have executed it.
 *
 * One reply object is active and takes the next call; it holds the current one,
 * or the one that a dead incarnation left. All others are parked or idle
 * (book.h). Objects are made when all are parked, up to the number the service
 * allows.
 *
 * Calls that no handler sees are answered with an error and leave no trace in
 * the arena, so a crash before the answer repeats them: poison, which phoenix
 * names in the info page, and calls through sessions of before a cold start.
 */
#include <lib/service/loop.h>

#include <lib/service/loop_state.h>
#include <lib/service/trace.h>
#include <kernel_calls.h>

#include <idl/errno.h>

#define ERROR_LAST	4095u	/* no E_* or ERR_* is above */

struct loop loop;

/*
 * Handlers and generated code write nothing else, so anything else is a sign
 * that this process is out of its mind: better dead before the commit.
 */
static void
check_answer(const struct message *answer)
{
	uint64_t tag = answer->word[0], code = answer->word[1];

	if (__builtin_expect(tag == TAG_REPLY_OK, 1))
		return;
	if (tag != TAG_REPLY_ERROR || code == 0 || code > ERROR_LAST)
		service_panic("an answer with tag %lx and code %lx", tag,
		    code);
}

struct book *
loop_book(void)
{
	return &loop.book;
}

/*
 * Sends one answer, not waiting for more. A caller that cannot take the
 * capabilities gets an error instead: its table is full.
 */
static void
send_answer(const struct book_answer *answer)
{
	static const struct message refused = { { TAG_REPLY_ERROR, E_MFILE } };
	struct sys_received ignored;
	cap_t reply = reply_cap(answer->id.reply);

	count_answer();
	if (answer->caps != 0)
		kernel_put_caps(answer->cap, answer->caps);
	kernel_reply_wait(reply, CAP_NONE, CAP_NONE, &answer->message,
	    &ignored);
	if (ignored.status != OK && answer->caps != 0)
		kernel_reply_wait(reply, CAP_NONE, CAP_NONE, &refused,
		    &ignored);
	if (answer->drop)
		for (uint64_t i = 0; i < answer->caps; i++)
			kernel_cap_delete(answer->cap[i]);
}

static void
flush_answer(void)
{
	struct sys_received ignored;

	if (loop.answer == NULL)
		return;
	count_answer();
	kernel_reply_wait(reply_cap(loop.answer_reply), CAP_NONE, CAP_NONE,
	    loop.answer, &ignored);
	loop.answer = NULL;
}

static void
do_effect(const struct book_effect *effect)
{
	/* A target that is gone has nothing left to be done to it. */
	switch (effect->kind) {
	case EFFECT_SIGNAL:
		kernel_signal(effect->target, effect->value);
		break;
	case EFFECT_DELETE:
		kernel_cap_delete(effect->target);
		break;
	case EFFECT_RESIZE:
		kernel_resize(effect->target, effect->value);
		break;
	}
}

/*
 * After a commit: all effects of the list, then the answers but the last
 * `held_back` of them.
 */
static void
do_listed(unsigned held_back)
{
	const struct book_state *state = loop.book.state;
	const struct book_list *list = book_list(state);

	if (!loop.book.list_begun)
		return;
	for (unsigned i = 0; i < state->listed.effects; i++) {
		do_effect(&list->effect[i]);
		fault_point(FAULT_AT_EFFECT);
	}
	for (unsigned i = 0; i + held_back < state->listed.answers; i++) {
		send_answer(&list->answer[i]);
		fault_point(FAULT_AT_ANSWER);
	}
}

/* The same in a new incarnation: what was done before is recognised. */
static void
redo_listed(void)
{
	const struct book_state *state = loop.book.state;
	const struct book_list *list = book_list(state);
	struct sys_received held;

	for (unsigned i = 0; i < state->listed.effects; i++)
		do_effect(&list->effect[i]);
	for (unsigned i = 0; i < state->listed.answers; i++) {
		const struct book_answer *answer = &list->answer[i];
		kernel_reply_read(reply_cap(answer->id.reply), &held);
		if (held.status == OK && held.order == answer->id.order)
			send_answer(answer);
		else if (answer->drop)
			for (uint64_t j = 0; j < answer->caps; j++)
				kernel_cap_delete(answer->cap[j]);
	}
}

/*
 * An upgrade is committed as late as possible, so that an image that does not
 * come up has changed nothing, and the one before it can go on.
 */
static void
commit_upgrade(void)
{
	if (!loop.upgrading)
		return;
	loop.upgrading = false;
	tx_commit(loop.book.arena);
	fault_point(FAULT_AT_COMMITTED);
	do_listed(0);
}

static void
begin(struct parked_call current)
{
	commit_upgrade();
	runtime_take_dirty();
	book_begin(&loop.book, current);
	tx_begin(loop.book.arena);
}

/* Undoes the transaction and deletes what it had named. */
static void
abort_transaction(void)
{
	struct book *book = &loop.book;

	tx_abort(book->arena);
	book->list_begun = false;
	for (uint32_t i = 0; i < book->fresh_count; i++)
		if (!book_is_named(book, book->fresh[i]))
			kernel_cap_delete(book->fresh[i]);
	if (book->fresh_lost)
		loop.sweep_next = PLACE_FREE_SLOT + loop.service->fixed_slots;
}

void
loop_transaction_begin(void)
{
	/* Its list may replace the one that an answer held back is in. */
	flush_answer();
	begin((struct parked_call){ 0 });
}

void
loop_transaction_end(void)
{
	tx_commit(loop.book.arena);
	fault_point(FAULT_AT_COMMITTED);
	do_listed(0);
}

void
loop_transaction_abort(void)
{
	abort_transaction();
}

/* Sends what the call holds, without a list: nothing was changed. */
static void
answer_unlisted(void)
{
	loop.answer = &loop.call.message;
	loop.answer_reply = loop.call.id.reply;
}

static void
finish_error(uint64_t code)
{
	abort_transaction();
	loop.call.message.word[0] = TAG_REPLY_ERROR;
	loop.call.message.word[1] = code;
	answer_unlisted();
}

static void
finish_no_memory(void)
{
	finish_error(loop.service->status_numbers ? ERR_NOMEM : E_NOMEM);
}

static void
finish_reply(void)
{
	struct book *book = &loop.book;
	struct service_call *call = &loop.call;

	fault_point(FAULT_AT_HANDLED);
	if (book->current_answered || call->reply_caps > 4)
		service_panic("call %lx answered twice", call->message.word[0]);
	check_answer(&call->message);
	if (!runtime_take_dirty() && call->reply_caps == 0) {
		tx_commit(book->arena);
		answer_unlisted();
		return;
	}
	if (book_reply(book, call) != OK) {
		finish_no_memory();
		return;
	}
	tx_commit(book->arena);
	fault_point(FAULT_AT_COMMITTED);
	if (call->reply_caps != 0) {
		do_listed(0);
		return;
	}
	do_listed(1);
	loop.answer = &book_list(book->state)->answer[
	    book->state->listed.answers - 1].message;
	loop.answer_reply = call->id.reply;
}

static void
finish_park(void)
{
	struct book *book = &loop.book;
	struct parked_call id = loop.call.id;

	if (!book->current_answered && book_park(book, id) != OK) {
		finish_no_memory();
		return;
	}
	fault_point(FAULT_AT_HANDLED);
	tx_commit(book->arena);
	fault_point(FAULT_AT_COMMITTED);
	do_listed(0);
}

static inline void
fill_call(struct service_call *call, uint32_t reply,
    const struct sys_received *in)
{
	call->message = in->message;
	call->badge = in->badge;
	call->trust = IPC_INFO_TRUST(in->info);
	call->caps = IPC_INFO_CAPS(in->info);
	call->windows = IPC_INFO_WINDOWS(in->info);
	call->cancelled = (in->info & IPC_INFO_CANCELLED) != 0;
	call->resumed = false;
	call->id = (struct parked_call){ reply, in->order };
	call->reply = reply_cap(reply);
	call->reply_caps = 0;
	call->reply_cap_drop = false;
}

/* Answers a call that no handler shall see. */
static void
refuse(uint32_t reply, const struct sys_received *in, uint64_t code)
{
	struct service_call *call = &loop.call;
	struct trace_event *event;

	fill_call(call, reply, in);
	event = trace_write(loop.trace, TRACE_CALL, call->message.word[0],
	    call->badge & SERVICE_BADGE_MASK);
	event->order = in->order;
	event->kind_outcome |= TRACE_REFUSED;
	loop.trace->calls++;
	loop.trace->refused++;
	call->message = (struct message){ { TAG_REPLY_ERROR, code } };
	answer_unlisted();
}

static void
refuse_stale(uint32_t reply, const struct sys_received *in)
{
	loop.trace->stale++;
	refuse(reply, in, loop.service->status_numbers ? ERR_STALE : E_STALE);
}

static void
refuse_poison(uint32_t reply, const struct sys_received *in)
{
	service_log("call %lu (tag %lx, badge %lx) killed this service twice: "
	    "it is answered with an error", in->order, in->message.word[0],
	    in->badge & SERVICE_BADGE_MASK);
	loop.trace->poisoned++;
	refuse(reply, in, loop.service->status_numbers ? ERR_CANCELLED : E_IO);
}

static bool
is_poison(uint64_t order)
{
	const struct place_info *info = service_info();
	uint64_t count = info->poison_count;

	for (uint64_t i = 0; i < count && i < PLACE_POISON_MAX; i++)
		if (info->poison_order[i] == order)
			return true;
	return false;
}

/* The end that the handler chose; the outcome for the trace. */
static unsigned
finish(service_outcome outcome)
{
	struct service_call *call = &loop.call;

	switch (outcome) {
	case SERVICE_REPLY:
		finish_reply();
		return TRACE_REPLIED;
	case SERVICE_PARK:
		finish_park();
		loop.trace->parked++;
		return TRACE_PARKED;
	case SERVICE_ERROR:
		call->message.word[0] = TAG_REPLY_ERROR;
		check_answer(&call->message);
		finish_error(call->message.word[1]);
		loop.trace->refused++;
		return TRACE_REFUSED;
	}
	service_panic("outcome %u of a handler", outcome);
}

static void
execute(uint32_t reply, const struct sys_received *in, bool resumed)
{
	struct service_call *call = &loop.call;
	struct trace_page *trace = loop.trace;
	struct trace_event *event;

	fill_call(call, reply, in);
	if (__builtin_expect(!take_badge(&call->badge), 0)) {
		refuse_stale(reply, in);
		return;
	}
	call->resumed = resumed;
	trace->calls++;
	event = trace_write(trace, TRACE_CALL, call->message.word[0],
	    call->badge);
	event->order = in->order;
	fault_point(FAULT_AT_RECEIVED);
	begin(call->id);
	event->kind_outcome |= finish(loop.service->handle(loop.root, call));
	event->end_tsc = __builtin_ia32_rdtsc();
	trace->latency_tsc += event->end_tsc - event->tsc;
}

/* One more reply object; false if there may be none. */
static bool
make_reply(void)
{
	uint64_t index = loop.book.state->reply_count;
	cap_t cap;

	if (index == loop.book.reply_limit ||
	    kernel_reply_create(index, &cap) != OK)
		return false;
	loop_transaction_begin();
	if (book_add_reply(&loop.book, cap) != OK) {
		abort_transaction();
		return false;
	}
	loop_transaction_end();
	return true;
}

/*
 * All reply objects hold parked calls, or none shall be taken: only a
 * notification can help.
 */
static void
wait_without_reply(void)
{
	uint64_t bits;

	if (kernel_notification_wait(&bits) == OK)
		notified(bits);
}

/* Sends the answer that is due and waits for a call or a notification. */
static void
receive(void)
{
	static const struct message nothing;
	const struct message *message = &nothing;
	const struct book_state *state = loop.book.state;
	struct sys_received in;
	cap_t answered = CAP_NONE;

	/* No answer is due: the signal came with the wait that sent it. */
	if (__builtin_expect(loop.draining, 0)) {
		wait_without_reply();
		return;
	}
	if (loop.answer != NULL) {
		count_answer();
		answered = reply_cap(loop.answer_reply);
		message = loop.answer;
		loop.answer = NULL;
	} else if (state->active == 0 && !make_reply()) {
		wait_without_reply();
		return;
	}
	uint32_t reply = (uint32_t)(state->active - 1);
	kernel_reply_wait(answered, PLACE_ENDPOINT, reply_cap(reply), message,
	    &in);
	if (in.status != OK)
		service_panic("receive failed with status %lu", in.status);
	if ((in.info & IPC_INFO_NOTIFIED) != 0)
		notified(in.badge);
	else
		execute(reply, &in, false);
}

/* The call that the dead incarnation had received and not ended. */
static bool
read_pending(struct sys_received *out)
{
	uint64_t active = loop.book.state->active;

	if (active == 0)
		return false;
	kernel_reply_read(reply_cap((uint32_t)(active - 1)), out);
	return out->status == OK;
}

static void
serve_pending(void)
{
	uint32_t reply = (uint32_t)(loop.book.state->active - 1);
	struct sys_received in;

	if (!loop.pending || !read_pending(&in))
		return;
	if (is_poison(in.order))
		refuse_poison(reply, &in);
	else
		execute(reply, &in, true);
	flush_answer();
}

static uint64_t
layout_version(const struct service *service)
{
	return (uint64_t)BOOK_LAYOUT << 32 | service->layout_version;
}

/* A fresh arena: the state of the loop, then that of the service. */
static void
create_state(void)
{
	const struct service *service = loop.service;

	begin((struct parked_call){ 0 });
	if (book_create(&loop.book, service->root_size) != OK)
		service_panic("the arena is too small");
	loop.root = loop.book.state->root;
	status_t status = service->start != NULL ? service->start(loop.root) :
	    OK;
	if (status != OK)
		service_panic("start failed with status %lu", status);
	tx_commit(loop.book.arena);
	fault_point(FAULT_AT_COMMITTED);
	do_listed(0);
}

/*
 * The state of an older image becomes that of this one, in one transaction that
 * stays open until there is another one, or the service is READY.
 */
static void
upgrade(void)
{
	const struct service *service = loop.service;
	struct arena *arena = loop.book.arena;
	uint64_t from = (uint32_t)arena_layout_version(arena);

	if (arena_layout_version(arena) == layout_version(service))
		return;
	loop_transaction_begin();
	status_t status = service->upgrade(loop.root, from);
	if (status == OK)
		status = arena_set_layout_version(arena,
		    layout_version(service));
	if (status != OK)
		service_panic("upgrade from layout %lu to %lu failed with "
		    "status %lu", from, service->layout_version, status);
	loop.upgrading = true;
	service_log("upgraded from layout %lu to %lu", from,
	    service->layout_version);
}

/* What this incarnation begins with, whatever the one before left. */
static void
start_fresh(const struct service *service)
{
	const struct place_info *info = service_info();

	loop = (struct loop){ .service = service, .trace = runtime_trace() };
	loop.session = info->cold << SERVICE_EPOCH_SHIFT | SERVICE_SESSION;
	loop.trace->first_answer_tsc = 0;
	loop.trace->ready_tsc = 0;
	loop.trace->drained = 0;
}

/* Up to the point where the next call can be served. */
static void
start(const struct service *service)
{
	start_fresh(service);
	loop.book.reply_limit = service->reply_objects;
	loop.book.slot_limit = service->table_slots;
	if (service->reply_objects == 0 ||
	    service->reply_objects > BOOK_REPLIES_MAX)
		service_panic("%u reply objects", service->reply_objects);
	loop.book.arena = runtime_open_arena(layout_version(service),
	    service->upgrade != NULL);
	check_again();
	book_open(&loop.book);
	runtime_start();

	bool first = loop.book.state == NULL;
	loop.sweep_next = sweep_start();
	sweep(SWEEP_STEP);
	if (first) {
		create_state();
	} else {
		loop.root = loop.book.state->root;
		redo_listed();
		upgrade();
	}
	runtime_keep_writable(loop.book.state, sizeof(*loop.book.state));
	if (kernel_notification_bind(service_info()->thread) != OK)
		service_panic("the notification is bound to another thread");
	kernel_event_rearm();
	if (service->resume != NULL)
		service->resume(loop.root, first);
	struct sys_received held;
	loop.pending = read_pending(&held);
	fault_point(FAULT_AT_RESUME);
	trace_write(loop.trace, TRACE_START, service_info()->incarnation,
	    loop.pending);
}

static void
between_calls(const struct service *service)
{
	if (loop.sweep_next != 0)
		sweep(SWEEP_STEP);
	if (service->idle != NULL)
		service->idle(loop.root);
}

_Noreturn void
service_run(const struct service *service)
{
	start(service);
	serve_pending();
	commit_upgrade();
	service_ready();
	/* Events of the dead incarnation whose signal it had taken. */
	drain_events();
	between_calls(service);
	loop.trace->ready_tsc = __builtin_ia32_rdtsc();
	for (;;) {
		receive();
		between_calls(service);
	}
}

struct message *
loop_answer(void)
{
	return &loop.call.message;
}

uint64_t
service_session_badge(uint64_t badge)
{
	return loop.session | badge;
}

struct arena *
service_arena(void)
{
	return loop.book.arena;
}

status_t
service_cap_keep(cap_t cap)
{
	return book_keep(&loop.book, cap);
}

status_t
service_cap_drop(cap_t cap)
{
	return book_drop(&loop.book, cap);
}

status_t
service_answer(struct parked_call id, const struct message *message)
{
	check_answer(message);
	return book_answer(&loop.book, id, message);
}

status_t
service_answer_error(struct parked_call id, uint64_t code)
{
	struct message message = { { TAG_REPLY_ERROR, code } };

	return service_answer(id, &message);
}

status_t
service_effect_signal(cap_t notification, uint64_t bits)
{
	return book_effect(&loop.book, EFFECT_SIGNAL, notification, bits);
}

status_t
service_effect_resize(cap_t memory, uint64_t size)
{
	return book_effect(&loop.book, EFFECT_RESIZE, memory, size);
}

cap_t
service_reply_cap(struct parked_call id)
{
	return id.reply < loop.book.state->reply_count ? reply_cap(id.reply) :
	    CAP_NONE;
}

status_t
service_parked_read(struct parked_call id, struct service_call *out_call)
{
	struct sys_received in;

	if (!book_is_parked(&loop.book, id))
		return ERR_NOENT;
	kernel_reply_read(reply_cap(id.reply), &in);
	if (in.status != OK || in.order != id.order)
		return ERR_GONE;
	fill_call(out_call, id.reply, &in);
	take_badge(&out_call->badge);
	return OK;
}
