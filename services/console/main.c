/* SPDX-License-Identifier: MIT */
/*
 * console: the control channel to the outside on the second serial port.
 *
 * The state machine is lib/console; this shell gives it the port, the windows
 * of the callers and the answers of lib/service. Work that follows a commit
 * (sending a frame) is asked for by a signal to the own notification, so it is
 * an effect like the others and happens again after a restart.
 */
#include <idl/console_server.h>
#include <idl/errno.h>
#include <idl/phoenix_client.h>
#include <idl/place.h>
#include <lib/base/format.h>
#include <lib/base/string.h>
#include <lib/console/console.h>
#include <lib/service/service.h>
#include <lib/sys/sys.h>

#define PORT_NAME	"ioport:2f8:8"
#define IRQ_NAME	"irq:3"
#define BIT_IRQ		(1ul << 3)
#define BIT_PUMP	(1ul << 32)
#define LAYOUT		3u

#define NOTE_MAX	64u	/* bytes at the end of an answer */

static struct console_line line;
static uint8_t piece[4096];	/* of an answer */
static cap_t uart_port, uart_irq, commander;

static struct utcb *
own_utcb(void)
{
	return (struct utcb *)PLACE_UTCB;
}

static uint8_t
port_in(void *context, unsigned offset)
{
	(void)context;
	return (uint8_t)sys_invoke(SYS_IOPORT_IN, uart_port, offset, 1, 0, 0,
	    0).value[0];
}

static void
port_out(void *context, unsigned offset, uint8_t value)
{
	(void)context;
	sys_invoke(SYS_IOPORT_OUT, uart_port, offset, 1, value, 0, 0);
}

static void
port_send(void *context, const uint8_t *bytes, size_t length)
{
	uint8_t *data = own_utcb()->data;

	(void)context;
	for (size_t i = 0; i < length; i++)
		data[i] = bytes[i];
	sys_invoke(SYS_IOPORT_OUT_BYTES, uart_port, 0, length, 0, 0, 0);
}

static struct parked_call
parked(struct console_call call)
{
	return (struct parked_call){ call.reply, call.order };
}

static status_t
port_copy_in(void *context, struct console_call call, uint64_t offset,
    void *to, size_t length)
{
	(void)context;
	return sys_window_copy(service_reply_cap(parked(call)),
	    0 | WINDOW_FROM_CALLER, offset, CAP_NONE, (uint64_t)to, length,
	    NULL);
}

static status_t
port_copy_out(void *context, struct console_call call, uint64_t offset,
    const void *from, size_t length)
{
	(void)context;
	return sys_window_copy(service_reply_cap(parked(call)),
	    0 | WINDOW_TO_CALLER, offset, CAP_NONE, (uint64_t)from, length,
	    NULL);
}

static void
port_answer(void *context, struct console_call call, uint64_t error,
    uint64_t value)
{
	status_t status;

	(void)context;
	/* What parks answers with one number, or none. */
	if (error != 0)
		status = service_answer_error(parked(call), error);
	else
		status = console_write_answer(parked(call),
		    &(struct console_write_results){ .done = value });
	if (status != OK)
		service_panic("cannot answer: status %lu", status);
}

static void
port_again(void *context)
{
	(void)context;
	if (service_effect_signal(PLACE_NOTIFICATION, BIT_PUMP) != OK)
		service_panic("effect list full");
}

static void
port_notify(void *context)
{
	const struct console *console = line.console;

	(void)context;
	if (console->listener != CAP_NONE && service_effect_signal(
	    console->listener, console->listener_bits) != OK)
		service_panic("effect list full");
}

/* A piece of phoenix's text. */
static status_t
command_piece(const uint8_t *text, size_t length, uint64_t cursor,
    struct phoenix_command_results *out)
{
	const struct phoenix_command_args in = {
		.cursor = cursor, .command = { text, length, 0 },
		.text = { piece, sizeof(piece), 0 },
	};
	status_t status = wire_status(phoenix_command(commander, &in, out));

	if (status == OK && out->text_length > sizeof(piece))
		status = ERR_RANGE;
	return status;
}

/*
 * phoenix calls nobody, so the call ends; when it is this service that the
 * command kills, the next incarnation answers.
 */
static size_t
port_command(void *context, const uint8_t *text, size_t length,
    uint8_t *answer, bool *out_failed)
{
	char *end = (char *)answer;
	size_t room = CONSOLE_ANSWER_MAX - NOTE_MAX, used = 0;
	uint64_t cursor = 0;
	struct phoenix_command_results got;

	(void)context;
	*out_failed = false;
	do {
		status_t status = command_piece(text, length, cursor, &got);
		if (status != OK) {
			*out_failed = true;
			return used + format_text(end + used, NOTE_MAX,
			    "[no more from phoenix: status %lu]\n", status);
		}
		size_t part = got.text_length < room - used ?
		    got.text_length : room - used;
		memcpy(answer + used, piece, part);
		used += part;
		*out_failed |= cursor == 0 && got.result != OK;
		cursor = got.next;
		if (part < got.text_length || (cursor != 0 && part == 0))
			return used + format_text(end + used, NOTE_MAX,
			    "[the rest is cut]\n");
	} while (cursor != 0);
	return used;
}

static void
port_fail(void *context, const char *reason)
{
	(void)context;
	service_panic("%s", reason);
}

static const struct console_port port = {
	.in = port_in, .out = port_out, .send = port_send,
	.copy_in = port_copy_in, .copy_out = port_copy_out,
	.answer = port_answer, .again = port_again,
	.notify = port_notify, .command = port_command, .fail = port_fail,
};

static void
resume(void *root, bool first)
{
	(void)first;
	if (!console_ok(root))
		service_panic("the state is inconsistent");
	if (service_request(PORT_NAME, &uart_port) != OK ||
	    service_request(IRQ_NAME, &uart_irq) != OK ||
	    service_request("phoenix:control", &commander) != OK)
		service_panic("no serial port, or no phoenix");
	console_open(&line, root, service_arena(), &port,
	    (uint32_t)service_info()->incarnation);
	/* The interrupt may be masked, or its signal lost: look in any case. */
	sys_signal(PLACE_NOTIFICATION, BIT_IRQ | BIT_PUMP);
}

_Static_assert(CONSOLE_READ_MAX == CONSOLE_RING, "one read may take all");

/* -- requests -- */

struct console_context {
	struct console_call id;
};

static unsigned
finish(console_outcome outcome, const uint64_t *error)
{
	switch (outcome) {
	case CONSOLE_DONE:
		return 0;
	case CONSOLE_PARKED:
		return WIRE_PARKED;
	default:
		return (unsigned)*error;
	}
}

static unsigned
handle_write(struct console_context *context, struct service_call *call,
    const struct console_write_args *in, struct console_write_results *out)
{
	static const uint8_t types[] = {
		[CONSOLE_STREAM_OUT] = FRAME_OUT,
		[CONSOLE_STREAM_ERR] = FRAME_ERR,
		[CONSOLE_STREAM_TRACE] = FRAME_TRACE,
		[CONSOLE_STREAM_LOG] = FRAME_LOG,
	};

	(void)call;
	if (in->stream >= sizeof(types) || types[in->stream] == 0)
		return E_INVAL;
	return finish(console_write(&line, context->id, types[in->stream],
	    in->data.length, &out->done), &out->done);
}

static unsigned
handle_read(struct console_context *context, struct service_call *call,
    const struct console_read_args *in, struct console_read_results *out)
{
	(void)call;
	return finish(console_read(&line, context->id, in->data.length,
	    &out->data_length), &out->data_length);
}

static unsigned
handle_exit(struct console_context *context, struct service_call *call,
    const struct console_exit_args *in)
{
	uint64_t error;

	(void)call;
	return finish(console_exit(&line, context->id, in->status, &error),
	    &error);
}

static unsigned
handle_poll(struct console_context *context, struct service_call *call,
    struct console_poll_results *out)
{
	(void)context;
	(void)call;
	console_poll(&line, &out->waiting, &out->ended);
	return 0;
}

/* The capability that came with the call replaces the one before. */
static unsigned
handle_listen(struct console_context *context, struct service_call *call,
    const struct console_listen_args *in)
{
	struct console *console = line.console;

	(void)context;
	(void)call;
	if (service_cap_keep(in->listener) != OK ||
	    (console->listener != CAP_NONE &&
	    service_cap_drop(console->listener) != OK) ||
	    TX_SET(service_arena(), console->listener, in->listener) != OK ||
	    TX_SET(service_arena(), console->listener_bits, in->bits) != OK)
		return E_NOMEM;
	return 0;
}

static unsigned
handle_put(struct console_context *context, struct service_call *call,
    const struct console_put_args *in, struct console_put_results *out)
{
	(void)call;
	return finish(console_put(&line, context->id, in->position,
	    in->data.length, &out->position), &out->position);
}

static unsigned
handle_take(struct console_context *context, struct service_call *call,
    const struct console_take_args *in, struct console_take_results *out)
{
	const struct console *console = line.console;
	struct console_taken taken;

	(void)call;
	if (console_take(&line, context->id, in->position, in->data.length,
	    &taken) != CONSOLE_DONE)
		return E_FAULT;
	*out = (struct console_take_results){
		.data_length = taken.done,
		.rows = (uint16_t)console->rows,
		.columns = (uint16_t)console->columns,
		.ended = taken.end,
		.position = taken.position,
	};
	return 0;
}

static const struct console_operations operations = {
	.write = handle_write,
	.read = handle_read,
	.exit = handle_exit,
	.poll = handle_poll,
	.listen = handle_listen,
	.put = handle_put,
	.take = handle_take,
};

static service_outcome
handle(void *root, struct service_call *call)
{
	struct console_context context = {
		.id = { call->id.reply, call->id.order },
	};

	(void)root;
	if (call->cancelled)
		return wire_refuse(call, E_INTR);
	return console_dispatch(&operations, &context, call);
}

static void
notified(void *root, uint64_t bits)
{
	(void)root;
	/*
	 * Unmasked before the device is looked at: an edge that comes after
	 * the look is seen.
	 */
	if (bits & BIT_IRQ)
		sys_invoke(SYS_IRQ_ACK, uart_irq, 0, 0, 0, 0, 0);
	console_pump(&line);
}

static void
cancel(void *root, struct parked_call id)
{
	(void)root;
	if (!console_cancel(&line, (struct console_call){ id.reply, id.order }))
		service_panic("call %lu was parked and is unknown", id.order);
}

static const struct service console = {
	.name = "console",
	.layout_version = LAYOUT,
	.root_size = sizeof(struct console),
	.reply_objects = CONSOLE_CALLS,
	.table_slots = 4096,
	.resume = resume,
	.handle = handle,
	.notified = notified,
	.cancel = cancel,
};

int main(void);

int
main(void)
{
	service_run(&console);
}
