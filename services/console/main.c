/* SPDX-License-Identifier: MIT */
/*
 * console: the control channel to the outside on the second serial port.
 *
 * The state machine is lib/console; this shell gives it the port, the windows
 * of the callers and the answers of lib/service. Work that follows a commit
 * (sending a frame) is asked for by a signal to the own notification, so it is
 * an effect like the others and happens again after a restart.
 */
#include <idl/console.h>
#include <idl/errno.h>
#include <idl/phoenix.h>
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
#define TRIES		4u	/* of a call whose window is not there yet */

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
	struct message message = { { TAG_REPLY_OK, value } };
	status_t status;

	(void)context;
	if (error != 0)
		status = service_answer_error(parked(call), error);
	else
		status = service_answer(parked(call), &message);
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

/* A piece of phoenix's text: ERR_*; *out_answer has length, cursor, result. */
static status_t
command_piece(const uint8_t *text, size_t length, uint64_t cursor,
    struct message *out_answer)
{
	const struct message request = { { PHOENIX_COMMAND, cursor,
	    [6] = sizeof(piece), [7] = length } };
	status_t status = ERR_RETRY;

	for (unsigned i = 0; i < TRIES && status == ERR_RETRY; i++) {
		own_utcb()->windows[0] = (struct window){ (uint64_t)text,
		    length << 2 | WINDOW_READ };
		own_utcb()->windows[1] = (struct window){ (uint64_t)piece,
		    sizeof(piece) << 2 | WINDOW_WRITE };
		piece[0] = 0;		/* its page is there */
		*out_answer = request;
		status = sys_call(commander, 2ul << IPC_WINDOWS_SHIFT,
		    out_answer, NULL);
	}
	if (status == OK && out_answer->word[0] != TAG_REPLY_OK)
		status = out_answer->word[1] != OK ? out_answer->word[1] :
		    ERR_ARG;
	if (status == OK && out_answer->word[1] > sizeof(piece))
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
	struct message got;

	(void)context;
	*out_failed = false;
	do {
		status_t status = command_piece(text, length, cursor, &got);
		if (status != OK) {
			*out_failed = true;
			return used + format_text(end + used, NOTE_MAX,
			    "[no more from phoenix: status %lu]\n", status);
		}
		size_t part = got.word[1] < room - used ? got.word[1] :
		    room - used;
		memcpy(answer + used, piece, part);
		used += part;
		*out_failed |= cursor == 0 && got.word[3] != OK;
		cursor = got.word[2];
		if (part < got.word[1] || (cursor != 0 && part == 0))
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

static service_outcome
finish(struct service_call *call, console_outcome outcome, uint64_t value)
{
	if (outcome == CONSOLE_PARKED)
		return SERVICE_PARK;
	call->message = (struct message){ { TAG_REPLY_OK, value } };
	return outcome == CONSOLE_DONE ? SERVICE_REPLY : SERVICE_ERROR;
}

static service_outcome
refuse(struct service_call *call, uint64_t code)
{
	call->message.word[1] = code;
	return SERVICE_ERROR;
}

static service_outcome
handle_write(struct service_call *call, struct console_call id)
{
	static const uint8_t types[] = {
		[CONSOLE_STREAM_OUT] = FRAME_OUT,
		[CONSOLE_STREAM_ERR] = FRAME_ERR,
		[CONSOLE_STREAM_TRACE] = FRAME_TRACE,
		[CONSOLE_STREAM_LOG] = FRAME_LOG,
	};
	uint64_t stream = call->message.word[1];
	uint64_t length = call->message.word[2];
	uint64_t value;

	if (stream >= sizeof(types) || types[stream] == 0 ||
	    (length > 0 && call->windows < 1))
		return refuse(call, E_INVAL);
	if (length > CONSOLE_WRITE_MAX)
		length = CONSOLE_WRITE_MAX;
	console_outcome outcome = console_write(&line, id, types[stream],
	    length, &value);
	return finish(call, outcome, value);
}

static service_outcome
handle_read(struct service_call *call, struct console_call id)
{
	uint64_t length = call->message.word[1];
	uint64_t value;

	if (length > 0 && call->windows < 1)
		return refuse(call, E_INVAL);
	if (length > CONSOLE_RING)
		length = CONSOLE_RING;
	console_outcome outcome = console_read(&line, id, length, &value);
	return finish(call, outcome, value);
}

/* The capability that came with the call replaces the one before. */
static service_outcome
handle_listen(struct service_call *call)
{
	struct console *console = line.console;

	if (call->trust < TRUST_SERVICE)
		return refuse(call, E_PERM);
	struct sys_result taken = sys_invoke(SYS_REPLY_TAKE_CAP, call->reply,
	    0, CAP_ANY_SLOT, 0, 0, 0);
	cap_t listener = taken.value[0];
	if (call->caps < 1 || taken.status != OK)
		return refuse(call, E_INVAL);
	if (service_cap_keep(listener) != OK ||
	    (console->listener != CAP_NONE &&
	    service_cap_drop(console->listener) != OK) ||
	    TX_SET(service_arena(), console->listener, listener) != OK ||
	    TX_SET(service_arena(), console->listener_bits,
	    call->message.word[1]) != OK)
		return refuse(call, E_NOMEM);
	call->message = (struct message){ { TAG_REPLY_OK } };
	return SERVICE_REPLY;
}

static service_outcome
handle_put(struct service_call *call, struct console_call id)
{
	const uint64_t *word = call->message.word;
	uint64_t value;

	if (call->trust < TRUST_SERVICE)
		return refuse(call, E_PERM);
	if (call->windows < 1 || word[2] > CONSOLE_WRITE_MAX)
		return refuse(call, E_INVAL);
	console_outcome outcome = console_put(&line, id, word[1], word[2],
	    &value);
	return finish(call, outcome, value);
}

static service_outcome
handle_take(struct service_call *call, struct console_call id)
{
	const uint64_t *word = call->message.word;
	const struct console *console = line.console;
	struct console_taken taken;

	if (call->trust < TRUST_SERVICE)
		return refuse(call, E_PERM);
	if (call->windows < 1)
		return refuse(call, E_INVAL);
	if (console_take(&line, id, word[1], word[2], &taken) != CONSOLE_DONE)
		return refuse(call, E_FAULT);
	call->message = (struct message){ { TAG_REPLY_OK, taken.done,
	    console->rows | console->columns << 16, taken.end,
	    taken.position } };
	return SERVICE_REPLY;
}

static service_outcome
handle(void *root, struct service_call *call)
{
	struct console_call id = { call->id.reply, call->id.order };
	console_outcome outcome;
	uint64_t value;
	bool end;

	(void)root;
	if (call->cancelled)
		return refuse(call, E_INTR);
	switch (call->message.word[0]) {
	case CONSOLE_WRITE:
		return handle_write(call, id);
	case CONSOLE_READ:
		return handle_read(call, id);
	case CONSOLE_EXIT:
		if (call->trust < TRUST_SERVICE)
			return refuse(call, E_PERM);
		outcome = console_exit(&line, id,
		    (uint32_t)call->message.word[1], &value);
		return finish(call, outcome, value);
	case CONSOLE_LISTEN:
		return handle_listen(call);
	case CONSOLE_PUT:
		return handle_put(call, id);
	case CONSOLE_TAKE:
		return handle_take(call, id);
	case CONSOLE_POLL:
		console_poll(&line, &value, &end);
		call->message = (struct message){ { TAG_REPLY_OK, value,
		    end } };
		return SERVICE_REPLY;
	default:
		return refuse(call, E_NOSYS);
	}
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
