/* SPDX-License-Identifier: MIT */
/*
 * Terminals and sessions: the requests of Terminals (idl/terminal.capnp).
 *
 * An open terminal is an event pair as a process is; its badge is never used
 * again, because the pair of an open that a crash undid still tells that it is
 * gone. The terminal's epoch, noted at open, tells hung-up ones from others.
 */
#include "shell.h"

#include <idl/terminal_server.h>
#include <idl/terminals_server.h>

#define HANG_UP_STEPS	3u
#define OPEN_MAX	8192u	/* handles are needed for processes, too */

struct terminals *terminals;
static unsigned seen_end;		/* this incarnation saw none from here on */

static void
must(status_t status)
{
	if (status != OK)
		service_panic("terminals: status %lu", status);
}

/* -- what the core asks for -- */

static struct parked_call
parked(struct terminal_call call)
{
	return (struct parked_call){ call.reply, call.order };
}

static status_t
port_copy_in(void *context, struct terminal_call call, uint64_t offset,
    void *to, size_t length)
{
	return sys_window_copy(service_reply_cap(parked(call)),
	    0 | WINDOW_FROM_CALLER, offset, CAP_NONE, (uint64_t)to, length,
	    NULL);
}

static status_t
port_copy_out(void *context, struct terminal_call call, uint64_t offset,
    const void *from, size_t length)
{
	return sys_window_copy(service_reply_cap(parked(call)),
	    0 | WINDOW_TO_CALLER, offset, CAP_NONE, (uint64_t)from, length,
	    NULL);
}

static void
port_answer(void *context, struct terminal_call call, uint64_t error,
    uint64_t value)
{
	/* What parks answers with one number, or none. */
	must(error != 0 ? service_answer_error(parked(call), error) :
	    terminal_write_answer(parked(call),
	    &(struct terminal_write_results){ value }));
}

static void
raise_group(uint32_t pgid, uint32_t number)
{
	const struct proc_signal signal = {
		.signal = number, .code = SIGNAL_CODE_KERNEL,
	};

	if (pgid != 0 && proc_signal_group(&proc, pgid, &signal) == E_NOMEM)
		service_panic("no memory for a signal");
}

static void
port_signal(void *context, const struct terminal *terminal, uint32_t signal)
{
	raise_group(terminal->foreground, signal);
}

static void
port_again(void *context)
{
	must(service_effect_signal(PLACE_NOTIFICATION, BIT_TERMINALS));
}

static void
port_fail(void *context, const char *reason)
{
	service_panic("%s", reason);
}

static const struct terminal_port port = {
	.copy_in = port_copy_in, .copy_out = port_copy_out,
	.answer = port_answer, .signal = port_signal,
	.again = port_again, .fail = port_fail,
};

struct terminal_core terminal_core = { .port = &port };

/* -- sessions -- */

static struct terminal *
find(uint64_t number)
{
	return number < TERMINAL_COUNT ? terminals->terminal[number] : NULL;
}

static void
set_terminal(struct process *process, uint32_t value)
{
	must(TX_SET(service_arena(), process->terminal, value));
}

/* The session has no terminal any more, nor the terminal a session. */
static void
part(struct terminal *terminal)
{
	if (terminal->session != 0 && proc_session_forget_terminal(&proc,
	    terminal->session) != 0)
		service_panic("undo log full");
	terminal_set_session(&terminal_core, terminal, 0, 0);
}

static void
tell_of_hang_up(const struct terminal *terminal)
{
	raise_group(terminal->foreground, SIGNAL_HUP);
	raise_group(terminal->foreground, SIGNAL_CONT);
}

/*
 * The signals first: a reader that finds the end must not be gone before it
 * gets them. terminals_serve() does the rest when they are out.
 */
void
terminals_hang_up(struct terminal *terminal)
{
	const struct proc_signal hang_up = {
		.signal = SIGNAL_HUP, .code = SIGNAL_CODE_KERNEL,
	};
	struct process *leader = proc_find(&proc, terminal->session);

	if (terminal->session != 0) {
		tell_of_hang_up(terminal);
		if (leader != NULL && leader->pgid != terminal->foreground &&
		    proc_raise(&proc, leader, &hang_up) != 0)
			service_panic("no memory for a signal");
	}
	part(terminal);
	must(TX_SET(service_arena(), terminal->hanging, HANG_UP_STEPS));
	port_again(NULL);
}

/* A pseudo-terminal stays with those of the session who still have it open. */
int
terminals_session_ended(void *context, uint32_t sid, uint32_t number)
{
	struct terminal *terminal = find(number - 1);

	if (terminal == NULL || terminal->session != sid)
		return 0;
	tell_of_hang_up(terminal);
	part(terminal);
	if (terminal->number == 0) {
		terminal_hang_up(&terminal_core, terminal);
		terminals_wake_all_of(terminal);
	}
	return 0;
}

static int
acquire(struct process *process, struct terminal *terminal, bool steal)
{
	bool own = process->terminal == terminal->number + 1;

	if (own && terminal->session == process->sid)
		return 0;
	if (process->sid != process->pid || process->terminal != 0)
		return E_PERM;
	if (terminal->session != 0) {
		if (!steal)
			return E_PERM;
		part(terminal);
	}
	set_terminal(process, terminal->number + 1);
	terminal_set_session(&terminal_core, terminal, process->sid,
	    process->pgid);
	return 0;
}

static int
release(struct process *process, struct terminal *terminal)
{
	if (process->terminal != terminal->number + 1)
		return E_NOTTY;
	if (process->pid == process->sid &&
	    terminal->session == process->sid) {
		tell_of_hang_up(terminal);
		part(terminal);
	}
	set_terminal(process, 0);
	return 0;
}

static int
set_group(struct process *process, struct terminal *terminal, uint64_t pgid)
{
	if (process->terminal != terminal->number + 1 ||
	    terminal->session != process->sid)
		return E_NOTTY;
	if (!proc_group_in_session(&proc, pgid, process->sid))
		return E_PERM;
	terminal_set_session(&terminal_core, terminal, process->sid,
	    (uint32_t)pgid);
	return 0;
}

static int
stop_group(const struct process *process, uint64_t signal)
{
	if (signal != SIGNAL_TTIN && signal != SIGNAL_TTOU)
		return E_INVAL;
	if (proc_group_orphaned(&proc, process->pgid))
		return E_IO;
	raise_group(process->pgid, (uint32_t)signal);
	return 0;
}

/* -- opening and closing -- */

/* A pair takes the lowest number that is free. */
static int
make_pair(struct terminal **out_terminal)
{
	for (uint32_t i = 1; i < TERMINAL_COUNT; i++) {
		if (terminals->terminal[i] != NULL)
			continue;
		struct terminal *terminal = terminal_create(&terminal_core, i);
		if (terminal == NULL)
			return E_NOMEM;
		terminal_set_locked(&terminal_core, terminal, true);
		must(TX_SET(service_arena(), terminals->terminal[i],
		    terminal));
		if (seen_end <= i)
			seen_end = i + 1;
		*out_terminal = terminal;
		return 0;
	}
	return E_NOSPC;
}

static int
choose(const struct process *process, const struct terminals_open_args *in,
    struct terminal **out_terminal)
{
	struct terminal *terminal = NULL;

	switch (in->what) {
	case TERMINALS_CONSOLE:
		terminal = granted.terminal ? find(0) : NULL;
		break;
	case TERMINALS_CONTROLLING:
		if (process->terminal != 0)
			terminal = find(process->terminal - 1);
		break;
	case TERMINALS_MASTER:
		return make_pair(out_terminal);
	case TERMINALS_SLAVE:
		if (in->slave < TERMINAL_PTY_MAX)
			terminal = find(in->slave + 1);
		if (terminal != NULL && (terminal->masters == 0 ||
		    terminal->locked))
			return E_IO;
		break;
	default:
		return E_INVAL;
	}
	*out_terminal = terminal;
	return terminal != NULL ? 0 : E_NXIO;
}

/* The event pair. On failure what is named goes with the transaction. */
static int
give(struct service_call *call, const struct process *process,
    struct open_terminal *open)
{
	cap_t session;

	if (service_give_session(call,
	    (cap_t)process->handle[HANDLE_CONTAINER], open->badge,
	    &session) != OK)
		return E_NFILE;
	open->session = session;
	return 0;
}

static int
open_terminal(struct service_call *call, struct process *process,
    const struct terminals_open_args *in, struct terminals_open_results *out)
{
	bool master = in->what == TERMINALS_MASTER;
	struct terminal *terminal;
	int error = E_NFILE;

	if (arena_map_count(terminals->open) < OPEN_MAX)
		error = choose(process, in, &terminal);
	if (error != 0)
		return error;
	struct open_terminal *open = arena_alloc(service_arena(),
	    sizeof(*open));
	if (open == NULL || TX_SET(service_arena(), terminals->next_badge,
	    terminals->next_badge + 1) != OK)
		return E_NOMEM;
	*open = (struct open_terminal){
		.badge = terminals->next_badge - 1, .terminal = terminal,
		.master = master, .how = in->how, .epoch = terminal->epoch,
	};
	error = give(call, process, open);
	if (error != 0)
		return error;
	if (arena_map_put(service_arena(), terminals->open, open->badge,
	    open) != OK)
		return E_NOMEM;
	if (terminal->number != 0 && master) {
		error = nodes_make(terminal->number - 1,
		    process->who.fsuid);
		if (error != 0)
			return error;
	}
	terminal_count(&terminal_core, terminal, master, 1);
	/* A leader without a terminal gets the first that it opens. */
	if (!master && !(in->how & TERMINALS_OPEN_NOCTTY) &&
	    (in->how & TERMINALS_OPEN_READ) && terminal->session == 0)
		acquire(process, terminal, false);
	out->number = terminal->number;
	out->slave = terminal->number - (master ? 1 : 0);
	return 0;
}

struct open_terminal *
terminals_find(uint64_t badge)
{
	return arena_map_get(terminals->open, badge);
}

void
terminals_closed(uint64_t badge)
{
	struct open_terminal *open = terminals_find(badge);

	if (open == NULL)
		return;
	struct terminal *terminal = open->terminal;
	uint32_t number = terminal->number;
	must(service_cap_drop(open->session));
	must(arena_map_remove(service_arena(), terminals->open, badge));
	terminal_count(&terminal_core, terminal, open->master, -1);
	if (open->master && terminal->masters == 0) {
		nodes_gone(number - 1);
		terminals_hang_up(terminal);
	}
	must(arena_free(service_arena(), open));
	if (number == 0 || terminal->masters + terminal->slaves > 0)
		return;
	part(terminal);
	terminals_wake_all_of(terminal);
	must(TX_SET(service_arena(), terminals->terminal[number], NULL));
	terminal_destroy(&terminal_core, terminal);
}

/* -- requests through the session of a process -- */

struct terminals_context {
	struct process *process;	/* that calls */
};

static unsigned
handle_open(struct terminals_context *context, struct service_call *call,
    const struct terminals_open_args *in, struct terminals_open_results *out)
{
	return (unsigned)open_terminal(call, context->process, in, out);
}

static unsigned
handle_set_group(struct terminals_context *context, struct service_call *call,
    const struct terminals_set_group_args *in)
{
	struct terminal *terminal = find(in->number);

	return terminal == NULL ? E_NOTTY : (unsigned)set_group(
	    context->process, terminal, in->pgid);
}

static unsigned
handle_acquire(struct terminals_context *context, struct service_call *call,
    const struct terminals_acquire_args *in)
{
	struct terminal *terminal = find(in->number);

	return terminal == NULL ? E_NOTTY : (unsigned)acquire(
	    context->process, terminal, in->steal);
}

static unsigned
handle_release(struct terminals_context *context, struct service_call *call,
    const struct terminals_release_args *in)
{
	struct terminal *terminal = find(in->number);

	return terminal == NULL ? E_NOTTY : (unsigned)release(
	    context->process, terminal);
}

static unsigned
handle_stop_group(struct terminals_context *context,
    struct service_call *call, const struct terminals_stop_group_args *in)
{
	return (unsigned)stop_group(context->process, in->signal);
}

static const struct terminals_operations session_operations = {
	.open = handle_open,
	.set_group = handle_set_group,
	.acquire = handle_acquire,
	.release = handle_release,
	.stop_group = handle_stop_group,
};

service_outcome
terminals_session(struct service_call *call, struct process *process)
{
	struct terminals_context context = { process };

	return terminals_dispatch(&session_operations, &context, call);
}

/* -- the loop -- */

bool
terminals_cancel(struct parked_call id)
{
	const struct terminal_call call = { id.reply, id.order };

	for (unsigned i = 0; i < seen_end; i++) {
		if (terminals->terminal[i] != NULL && terminal_cancel(
		    &terminal_core, terminals->terminal[i], call))
			return true;
	}
	return false;
}

/* Kicked callers are cancelled between two steps, before they find the end. */
static void
go_on_with_hang_up(struct terminal *terminal)
{
	must(TX_SET(service_arena(), terminal->hanging,
	    terminal->hanging - 1));
	if (terminal->hanging > 0) {
		port_again(NULL);
		return;
	}
	terminal_hang_up(&terminal_core, terminal);
	terminals_wake_all_of(terminal);
	if (terminal->number == 0 && pump_input_ended())
		terminal_input_end(&terminal_core, terminal);
}

void
terminals_serve(void)
{
	nodes_serve();
	for (unsigned i = 0; i < seen_end; i++) {
		struct terminal *terminal = terminals->terminal[i];

		if (terminal == NULL)
			continue;
		if (terminal->hanging && proc_work_next(&proc) == NULL)
			go_on_with_hang_up(terminal);
		terminal_serve(&terminal_core, terminal);
	}
}

uint64_t
terminals_due(void)
{
	uint64_t next = 0;

	for (unsigned i = 0; i < seen_end; i++) {
		if (terminals->terminal[i] == NULL)
			continue;
		uint64_t due = terminal_due(terminals->terminal[i]);
		if (due != 0 && (next == 0 || due < next))
			next = due;
	}
	return next;
}

void
terminals_begin(void)
{
	terminal_begin(&terminal_core, service_now_ns());
}

void
terminals_end(void)
{
	terminals_wake();
	if (pump_has_output() || pump_has_input())
		must(service_effect_signal(PLACE_NOTIFICATION, BIT_CONSOLE));
}

status_t
terminals_start(struct terminals *in)
{
	terminals = in;
	terminal_core.arena = service_arena();
	terminals_begin();
	terminals->next_badge = TERMINALS_BADGE;
	terminals->terminal[0] = terminal_create(&terminal_core, 0);
	if (terminals->terminal[0] == NULL)
		return ERR_NOMEM;
	return arena_map_create(service_arena(), &terminals->open);
}

void
terminals_resume(struct terminals *in)
{
	terminals = in;
	terminal_core.arena = service_arena();
	terminals_begin();
	for (unsigned i = 0; i < TERMINAL_COUNT; i++) {
		if (terminals->terminal[i] == NULL)
			continue;
		seen_end = i + 1;
		if (!terminal_ok(terminals->terminal[i]))
			service_panic("terminal %u is inconsistent", i);
	}
	/* The event of an open that was undone names the next badge. */
	must(TX_SET(service_arena(), terminals->next_badge,
	    terminals->next_badge + 1));
	pump_resume();
}
