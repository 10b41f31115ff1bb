/* SPDX-License-Identifier: MIT */
/*
 * Requests through an open terminal: those of Terminal (idl/terminal.capnp).
 * lib/terminal does the work; what depends on who asks is decided here.
 */
#include "shell.h"

#include <idl/terminal_server.h>

struct terminal_context {
	const struct open_terminal *open;
};

/* Who asks is in the session of the terminal, but not in front. */
static bool
in_background(const struct open_terminal *open, uint32_t sid, uint32_t pgid)
{
	const struct terminal *terminal = open->terminal;

	return !open->master && sid != 0 && sid == terminal->session &&
	    terminal->foreground != 0 && pgid != terminal->foreground;
}

static bool
is_hung_up(const struct open_terminal *open)
{
	return !open->master && open->epoch != open->terminal->epoch;
}

static unsigned
request(struct service_call *call, const struct open_terminal *open,
    struct terminal_waiter *waiter, uint64_t *out_done)
{
	if (call->cancelled)
		return E_INTR;
	waiter->call = (struct terminal_call){ call->id.reply,
	    call->id.order };
	waiter->epoch = open->epoch;
	switch (terminal_request(&terminal_core, open->terminal, waiter,
	    out_done)) {
	case TERMINAL_PARKED:
		return WIRE_PARKED;
	case TERMINAL_ERROR:
		return (unsigned)*out_done;
	default:
		return 0;
	}
}

static unsigned
handle_read(struct terminal_context *context, struct service_call *call,
    const struct terminal_read_args *in, struct terminal_read_results *out)
{
	const struct open_terminal *open = context->open;
	struct terminal_waiter waiter = {
		.kind = open->master ? TERMINAL_CALL_MASTER_READ :
		    TERMINAL_CALL_READ,
		.length = (uint32_t)in->data.length,
		.nonblock = (in->flags & TERMINAL_NONBLOCK) != 0,
	};

	if (!(open->how & TERMINALS_OPEN_READ))
		return E_BADF;
	if (!is_hung_up(open) && in_background(open, in->sid, in->pgid))
		return TERMINAL_E_BACKGROUND;
	return request(call, open, &waiter, &out->data_length);
}

static unsigned
handle_write(struct terminal_context *context, struct service_call *call,
    const struct terminal_write_args *in, struct terminal_write_results *out)
{
	const struct open_terminal *open = context->open;
	bool stops = (open->terminal->modes.local & MODE_TOSTOP) != 0;
	struct terminal_waiter waiter = {
		.kind = open->master ? TERMINAL_CALL_MASTER_WRITE :
		    TERMINAL_CALL_WRITE,
		.length = (uint32_t)in->data.length,
		.nonblock = (in->flags & TERMINAL_NONBLOCK) != 0,
	};

	if (!(open->how & TERMINALS_OPEN_WRITE))
		return E_BADF;
	if (!is_hung_up(open) && stops &&
	    in_background(open, in->sid, in->pgid))
		return TERMINAL_E_BACKGROUND;
	return request(call, open, &waiter, &out->done);
}

static unsigned
handle_poll(struct terminal_context *context, struct service_call *call,
    struct terminal_poll_results *out)
{
	const struct open_terminal *open = context->open;
	struct terminal_state state;

	terminal_poll(open->terminal, open->master != 0, &state);
	if (is_hung_up(open))
		state.ready = TERMINAL_READY_IN | TERMINAL_READY_OUT |
		    TERMINAL_READY_HANGUP;
	*out = (struct terminal_poll_results){ state.ready, state.readable,
	    state.pending };
	return 0;
}

static unsigned
handle_get_modes(struct terminal_context *context, struct service_call *call,
    const struct terminal_get_modes_args *in)
{
	*in->modes = context->open->terminal->modes;
	return 0;
}

static unsigned
handle_set_modes(struct terminal_context *context, struct service_call *call,
    const struct terminal_set_modes_args *in)
{
	const struct open_terminal *open = context->open;
	struct terminal_waiter waiter = {
		.kind = TERMINAL_CALL_DRAIN, .action = in->when,
		.modes = *in->modes,
	};
	uint64_t done;

	if (in_background(open, in->sid, in->pgid))
		return TERMINAL_E_BACKGROUND;
	if (in->when != TERMINAL_NOW)
		return request(call, open, &waiter, &done);
	terminal_set_modes(&terminal_core, open->terminal, in->modes);
	terminal_serve(&terminal_core, open->terminal);
	return 0;
}

static unsigned
handle_get_size(struct terminal_context *context, struct service_call *call,
    struct terminal_get_size_results *out)
{
	const struct terminal *terminal = context->open->terminal;

	out->rows = (uint16_t)terminal->rows;
	out->columns = (uint16_t)terminal->columns;
	return 0;
}

static unsigned
handle_set_size(struct terminal_context *context, struct service_call *call,
    const struct terminal_set_size_args *in)
{
	terminal_set_size(&terminal_core, context->open->terminal, in->rows,
	    in->columns);
	return 0;
}

static unsigned
handle_flush(struct terminal_context *context, struct service_call *call,
    const struct terminal_flush_args *in)
{
	const struct open_terminal *open = context->open;

	if (in_background(open, in->sid, in->pgid))
		return TERMINAL_E_BACKGROUND;
	if (!open->master)
		terminal_flush(&terminal_core, open->terminal, in->which);
	else if (in->which != TERMINAL_FLUSH_OUTPUT)
		/* What a master has to read is the slave's output. */
		terminal_flush(&terminal_core, open->terminal,
		    TERMINAL_FLUSH_OUTPUT);
	terminal_serve(&terminal_core, open->terminal);
	return 0;
}

static unsigned
handle_flow(struct terminal_context *context, struct service_call *call,
    const struct terminal_flow_args *in)
{
	const struct open_terminal *open = context->open;

	if (in_background(open, in->sid, in->pgid))
		return TERMINAL_E_BACKGROUND;
	terminal_flow(&terminal_core, open->terminal, in->action);
	terminal_serve(&terminal_core, open->terminal);
	return 0;
}

static unsigned
handle_drain(struct terminal_context *context, struct service_call *call,
    const struct terminal_drain_args *in)
{
	struct terminal_waiter waiter = { .kind = TERMINAL_CALL_DRAIN };
	uint64_t done;

	if (in_background(context->open, in->sid, in->pgid))
		return TERMINAL_E_BACKGROUND;
	return request(call, context->open, &waiter, &done);
}

static unsigned
handle_insert(struct terminal_context *context, struct service_call *call,
    const struct terminal_insert_args *in)
{
	const struct open_terminal *open = context->open;

	if (!open->master && open->terminal->number != 0)
		return E_PERM;
	terminal_input(&terminal_core, open->terminal, &in->byte, 1);
	terminal_serve(&terminal_core, open->terminal);
	return 0;
}

static unsigned
handle_get_info(struct terminal_context *context, struct service_call *call,
    struct terminal_get_info_results *out)
{
	const struct terminal *terminal = context->open->terminal;

	*out = (struct terminal_get_info_results){
		.number = terminal->number,
		.foreground = terminal->foreground,
		.sid = terminal->session,
		.master = context->open->master != 0,
		.locked = terminal->locked != 0,
		.packet = terminal->packet != 0,
	};
	return 0;
}

static unsigned
handle_set_pty(struct terminal_context *context, struct service_call *call,
    const struct terminal_set_pty_args *in)
{
	const struct open_terminal *open = context->open;

	if (!open->master)
		return E_NOTTY;
	if (in->what == TERMINAL_PTY_LOCK)
		terminal_set_locked(&terminal_core, open->terminal, in->on);
	else if (in->what == TERMINAL_PTY_PACKET)
		terminal_set_packet(&terminal_core, open->terminal, in->on);
	else
		return E_INVAL;
	return 0;
}

static unsigned
handle_watch(struct terminal_context *context, struct service_call *call,
    struct terminal_watch_results *out)
{
	uint64_t key[2];
	unsigned error = terminals_watch(context->open, key);

	*out = (struct terminal_watch_results){ key[0], key[1] };
	return error;
}

static const struct terminal_operations operations = {
	.read = handle_read,
	.write = handle_write,
	.poll = handle_poll,
	.get_modes = handle_get_modes,
	.set_modes = handle_set_modes,
	.get_size = handle_get_size,
	.set_size = handle_set_size,
	.flush = handle_flush,
	.flow = handle_flow,
	.drain = handle_drain,
	.insert = handle_insert,
	.get_info = handle_get_info,
	.set_pty = handle_set_pty,
	.watch = handle_watch,
};

service_outcome
line_request(struct service_call *call)
{
	struct terminal_context context = { terminals_find(call->badge) };
	uint64_t tag = wire_tag(call);

	if (context.open == NULL)
		return wire_refuse(call, E_STALE);
	if (is_hung_up(context.open) && tag != TERMINAL_READ &&
	    tag != TERMINAL_WRITE && tag != TERMINAL_POLL && tag != TERMINAL_WATCH)
		return wire_refuse(call, E_IO);
	return terminal_dispatch(&operations, &context, call);
}
